//! How far it is gone through the people of tenants whose rules of stages have changed.

use jiff::Timestamp;
use sqlx::FromRow;
use tandem_platform::db::{Instant, Session, Statement, Write};
use tandem_platform::{Outcome, Tenant, Tx, on_engine};

use crate::relationship::Who;

const BEGIN: Statement = Statement::same(
    "INSERT INTO relationship_sweep (tenant, due, round, after) VALUES ($1, $2, 1, '')
     ON CONFLICT (tenant) DO UPDATE SET due = excluded.due, round = excluded.round, after = excluded.after",
);

/// Of all tenants: as many as are being gone through.
const DUE: Statement =
    Statement::same("SELECT tenant FROM relationship_sweep WHERE due <= $1 ORDER BY tenant");

const OPEN: Statement = Statement::same("SELECT round FROM relationship_sweep WHERE tenant = $1");

const LOCK: Statement = Statement::pair(
    "SELECT round, after FROM relationship_sweep WHERE tenant = $1 AND due <= $2 FOR UPDATE",
    "SELECT round, after FROM relationship_sweep WHERE tenant = $1 AND due <= $2",
);

// Nobody hears where a pseudonym stands.
const BEHIND: Statement = Statement::same(
    "SELECT r.person FROM relationship AS r
      WHERE r.tenant = $1 AND r.person > $2
        AND NOT EXISTS (SELECT 1 FROM erasure AS e WHERE e.tenant = $1 AND e.pseudonym = substr(r.person, 3))
      ORDER BY r.person LIMIT $3",
);

const MOVE: Statement = Statement::same("UPDATE relationship_sweep SET after = $2 WHERE tenant = $1");
const AGAIN: Statement = Statement::same(
    "UPDATE relationship_sweep SET due = $2, round = round + 1, after = '' WHERE tenant = $1",
);
const END: Statement = Statement::same("DELETE FROM relationship_sweep WHERE tenant = $1");

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("relationship_sweep::begin", BEGIN),
    ("relationship_sweep::due", DUE),
    ("relationship_sweep::open", OPEN),
    ("relationship_sweep::lock", LOCK),
    ("relationship_sweep::behind", BEHIND),
    ("relationship_sweep::move", MOVE),
    ("relationship_sweep::again", AGAIN),
    ("relationship_sweep::end", END),
];

/// How far it is with one tenant.
#[derive(Debug, FromRow)]
pub struct Sweep {
    /// How often it was gone through them, this time included.
    pub round: i64,
    /// Those behind this one come next.
    pub after: String,
}

/// All people of the tenant are to be gone through, from now on.
pub fn begin(now: Timestamp) -> Write {
    Write::new(BEGIN).instant(now)
}

/// The tenants with whom it goes on.
pub async fn due(session: &mut impl Session, now: Timestamp) -> Outcome<Vec<Tenant>> {
    let rows: Vec<String> = on_engine!(session, DUE, |sql, conn| {
        sqlx::query_scalar(sql).bind(Instant(now)).fetch_all(conn).await
    })?;
    Ok(rows.iter().filter_map(|tenant| Tenant::parse(tenant)).collect())
}

/// Whether rows of the tenant may say of stages what does not hold any more.
pub async fn is_open(session: &mut impl Session, tenant: &Tenant) -> Outcome<bool> {
    let round: Option<i64> = on_engine!(session, OPEN, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).fetch_optional(conn).await
    })?;
    Ok(round.is_some())
}

/// How far it is with a tenant with whom it goes on, locked.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, now: Timestamp) -> Outcome<Option<Sweep>> {
    Ok(on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(Instant(now)).fetch_optional(conn).await
    })?)
}

/// At most `limit` people behind one, in the order of rows.
pub async fn behind(
    session: &mut impl Session,
    tenant: &Tenant,
    after: &str,
    limit: i64,
) -> Outcome<Vec<Who>> {
    let rows: Vec<String> = on_engine!(session, BEHIND, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(after).bind(limit).fetch_all(conn).await
    })?;
    Ok(rows.iter().filter_map(|person| Who::parse(person)).collect())
}

/// It is that far.
pub fn reached(after: &str) -> Write {
    Write::new(MOVE).text(after)
}

/// It begins again then.
pub fn again(due: Timestamp) -> Write {
    Write::new(AGAIN).instant(due)
}

/// It is over.
pub fn end() -> Write {
    Write::new(END)
}
