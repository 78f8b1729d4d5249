//! The version of each tenant's catalogue.

use jiff::Timestamp;
use tandem_platform::db::{Instant, Session, Statement};
use tandem_platform::{Outcome, Tenant, Tx, on_engine};

const BUMP: Statement = Statement::same(
    "INSERT INTO catalogue_version AS current (tenant, version, changed, used) VALUES ($1, 1, $2, $2)
     ON CONFLICT (tenant) DO UPDATE SET version = current.version + 1, changed = excluded.changed
     RETURNING version",
);

const STAND: Statement = Statement::same("SELECT version, used FROM catalogue_version WHERE tenant = $1");

const VERSIONS: Statement = Statement::same("SELECT tenant, version FROM catalogue_version ORDER BY tenant");
const CHANGED: Statement =
    Statement::same("SELECT tenant, version FROM catalogue_version WHERE changed >= $1");

const USED: Statement =
    Statement::same("SELECT tenant FROM catalogue_version WHERE used >= $1 ORDER BY used DESC, tenant");
const USE: Statement =
    Statement::same("UPDATE catalogue_version SET used = $2 WHERE tenant = $1 AND used < $2");

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("bump", BUMP),
    ("stand", STAND),
    ("versions", VERSIONS),
    ("changed", CHANGED),
    ("used", USED),
    ("use", USE),
];

/// Where a tenant's catalogue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// Its version; 0 where it was never written.
    pub version: i64,
    /// When its prices were last asked for, to within a day; `None` where it was never written.
    pub used: Option<Timestamp>,
}

/// Counts one change of the tenant's catalogue and holds the counter until the transaction ends. Right after the claim
/// of the request, before any row of the catalogue is locked. `now` is when the command began.
pub async fn bump(tx: &mut Tx, tenant: &Tenant, now: Timestamp) -> Outcome<i64> {
    Ok(on_engine!(tx, BUMP, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(Instant(now)).fetch_one(conn).await
    })?)
}

/// Where the catalogue of one tenant stands.
pub async fn stand(session: &mut impl Session, tenant: &Tenant) -> Outcome<Stand> {
    let row: Option<(i64, Instant)> = on_engine!(session, STAND, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).fetch_optional(conn).await
    })?;
    Ok(match row {
        Some((version, used)) => Stand { version, used: Some(used.0) },
        None => Stand { version: 0, used: None },
    })
}

/// The version of every tenant that has a catalogue.
pub async fn versions(session: &mut impl Session) -> Outcome<Vec<(Tenant, i64)>> {
    let rows: Vec<(String, i64)> =
        on_engine!(session, VERSIONS, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await)?;
    Ok(by_tenant(rows))
}

/// The version of every tenant whose catalogue was written by a command that began at `since` or later.
pub async fn changed(session: &mut impl Session, since: Timestamp) -> Outcome<Vec<(Tenant, i64)>> {
    let rows: Vec<(String, i64)> = on_engine!(session, CHANGED, |sql, conn| {
        sqlx::query_as(sql).bind(Instant(since)).fetch_all(conn).await
    })?;
    Ok(by_tenant(rows))
}

fn by_tenant(rows: Vec<(String, i64)>) -> Vec<(Tenant, i64)> {
    rows.into_iter().filter_map(|(tenant, version)| Some((Tenant::parse(&tenant)?, version))).collect()
}

/// The tenants whose prices were asked for at `since` or later, to within a day; who was asked for last, first.
pub async fn used(session: &mut impl Session, since: Timestamp) -> Outcome<Vec<Tenant>> {
    let rows: Vec<String> = on_engine!(session, USED, |sql, conn| {
        sqlx::query_scalar(sql).bind(Instant(since)).fetch_all(conn).await
    })?;
    Ok(rows.iter().filter_map(|tenant| Tenant::parse(tenant)).collect())
}

/// Notes that prices of the tenant were asked for at `at`.
pub async fn note_use(tx: &mut Tx, tenant: &Tenant, at: Timestamp) -> Outcome<()> {
    on_engine!(tx, USE, |sql, conn| {
        sqlx::query(sql).bind(tenant.as_str()).bind(Instant(at)).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}
