//! The version of each tenant's catalogue.

use tandem_platform::db::{Session, Statement};
use tandem_platform::{Outcome, Tenant, Tx, on_engine};

const BUMP: Statement = Statement::same(
    "INSERT INTO catalogue_version AS current (tenant, version) VALUES ($1, 1)
     ON CONFLICT (tenant) DO UPDATE SET version = current.version + 1
     RETURNING version",
);

const VERSIONS: Statement = Statement::same("SELECT tenant, version FROM catalogue_version ORDER BY tenant");

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[("bump", BUMP), ("versions", VERSIONS)];

/// Counts one change of the tenant's catalogue and holds the counter until the transaction ends. Right after the claim
/// of the request, before any row of the catalogue is locked.
pub async fn bump(tx: &mut Tx, tenant: &Tenant) -> Outcome<i64> {
    Ok(on_engine!(tx, BUMP, |sql, conn| sqlx::query_scalar(sql).bind(tenant.as_str()).fetch_one(conn).await)?)
}

/// The version of every tenant that has a catalogue.
pub async fn versions(session: &mut impl Session) -> Outcome<Vec<(Tenant, i64)>> {
    let rows: Vec<(String, i64)> =
        on_engine!(session, VERSIONS, |sql, conn| sqlx::query_as(sql).fetch_all(conn).await)?;
    Ok(rows.into_iter().filter_map(|(tenant, version)| Some((Tenant::parse(&tenant)?, version))).collect())
}
