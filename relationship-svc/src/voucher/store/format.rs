//! How the codes of a tenant look.

use sqlx::FromRow;
use sqlx::types::Json;
use tandem_platform::db::{Session, Statement, Tx};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};

use crate::voucher::format::Format;

/// The most formats of one tenant by which codes are excluded.
pub const MOST: usize = 1_000;

// That there are codes of no format comes first.
const ALL: Statement =
    Statement::same("SELECT format, settled FROM voucher_format WHERE tenant = $1 ORDER BY id LIMIT $2");

const ADD: Statement = Statement::same(
    "INSERT INTO voucher_format (tenant, id, format) VALUES ($1, $2, $3) ON CONFLICT (tenant, id) DO NOTHING",
);

const SETTLE: Statement =
    Statement::same("UPDATE voucher_format SET settled = true WHERE tenant = $1 AND id = $2");

const HAS_CODES: Statement =
    Statement::same("SELECT code FROM voucher WHERE tenant = $1 ORDER BY code LIMIT 1");

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("voucher_format::all", ALL),
    ("voucher_format::add", ADD),
    ("voucher_format::settle", SETTLE),
    ("voucher_format::has_codes", HAS_CODES),
];

#[derive(Debug, FromRow)]
struct Row {
    format: Option<Json<Format>>,
    settled: bool,
}

/// What is written down.
#[derive(Debug)]
pub struct Noted {
    /// A format; `None`: there may be codes of no format.
    pub format: Option<Format>,
    /// Everybody knows of it.
    pub settled: bool,
}

/// The same format is written down once.
fn id(format: Option<&Format>) -> String {
    format.map(Format::to_string).unwrap_or_default()
}

/// Everything that is written down; of a tenant with too many formats one more than is kept.
pub async fn all(session: &mut impl Session, tenant: &Tenant) -> Outcome<Vec<Noted>> {
    let most = i64::try_from(MOST).unwrap_or(i64::MAX) + 1;
    let rows: Vec<Row> = on_engine!(session, ALL, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(most).fetch_all(conn).await
    })?;
    let noted = |row: Row| Noted { format: row.format.map(|format| format.0), settled: row.settled };
    Ok(rows.into_iter().map(noted).collect())
}

/// Writes a format down, or that there are codes of none.
pub async fn add(tx: &mut Tx, tenant: &Tenant, format: Option<&Format>) -> Outcome<()> {
    on_engine!(tx, ADD, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(id(format)).bind(format.map(Json));
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Everybody knows of it.
pub async fn settle(tx: &mut Tx, tenant: &Tenant, format: Option<&Format>) -> Outcome<()> {
    let settled = on_engine!(tx, SETTLE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(id(format));
        query.execute(conn).await.map(|done| done.rows_affected())
    })?;
    if settled == 1 { Ok(()) } else { Err(Fault::internal("a format that was written down vanished")) }
}

/// Whether the tenant has any code.
pub async fn has_codes(session: &mut impl Session, tenant: &Tenant) -> Outcome<bool> {
    let first: Option<(String,)> = on_engine!(session, HAS_CODES, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).fetch_optional(conn).await
    })?;
    Ok(first.is_some())
}
