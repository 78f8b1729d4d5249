//! Campaigns that are over for so long that nothing counts under them any more.

use jiff::Timestamp;
use tandem_platform::db::{Instant, Session, Statement, Tx};
use tandem_platform::{Outcome, Tenant, on_engine};

// Across tenants: what runs without a caller looks for them.
pub(super) const UNSETTLED: Statement =
    Statement::same("SELECT tenant, id FROM campaign WHERE NOT settled AND ends < $1 ORDER BY ends LIMIT $2");
pub(super) const SETTLE: Statement =
    Statement::same("UPDATE campaign SET settled = true WHERE tenant = $1 AND id = $2 AND ends < $3");

/// Campaigns of any tenant that ended before `over` and whose counters are still there, at most `limit`.
pub async fn unsettled(
    session: &mut impl Session,
    over: Timestamp,
    limit: usize,
) -> Outcome<Vec<(Tenant, String)>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<(String, String)> = on_engine!(session, UNSETTLED, |sql, conn| {
        sqlx::query_as(sql).bind(Instant(over)).bind(limit).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().filter_map(|(tenant, id)| Some((Tenant::parse(&tenant)?, id))).collect())
}

/// Writes down that the counters of a campaign are gone, if it still ended before `over`. No part of the catalogue: no
/// version counts it.
pub async fn settle(tx: &mut Tx, tenant: &Tenant, id: &str, over: Timestamp) -> Outcome<()> {
    on_engine!(tx, SETTLE, |sql, conn| {
        sqlx::query(sql).bind(tenant.as_str()).bind(id).bind(Instant(over)).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}
