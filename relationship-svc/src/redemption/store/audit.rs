//! Everything of one tenant that counts uses or money by itself, for [`super::super::audit`].

use tandem_platform::db::{Session, Statement};
use tandem_platform::{Outcome, Tenant, on_engine};

use super::super::Redemption;
use super::{Row, all};

const REDEMPTIONS: Statement = Statement::same(
    "SELECT id, order_id, ordinal, code, incentive, incentive_version, customer, guest, state, currency, amount, returned,
            details, expires, created, updated, version
       FROM redemption WHERE tenant = $1",
);

const VOUCHERS: Statement = Statement::same(
    "SELECT code, max_uses - uses_before AS max_uses, uses - uses_before AS uses, uses_held,
            initial_balance + adjusted - spent_before AS worth, spent - spent_before AS spent, spent_held
       FROM voucher
      WHERE tenant = $1
        AND (uses <> uses_before OR uses_held <> 0 OR spent <> spent_before OR spent_held <> 0)",
);

const ADJUSTMENTS: Statement = Statement::pair(
    "SELECT code, adjusted - adjusted_before AS adjusted,
            COALESCE((SELECT SUM(amount)::bigint FROM voucher_change AS c WHERE c.tenant = $1 AND c.code = v.code), 0)
            AS ledger
       FROM voucher AS v WHERE tenant = $1 AND currency IS NOT NULL",
    "SELECT code, adjusted - adjusted_before AS adjusted,
            COALESCE((SELECT SUM(amount) FROM voucher_change AS c WHERE c.tenant = $1 AND c.code = v.code), 0) AS ledger
       FROM voucher AS v WHERE tenant = $1 AND currency IS NOT NULL",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("audit::redemptions", REDEMPTIONS),
    ("audit::vouchers", VOUCHERS),
    ("audit::adjustments", ADJUSTMENTS),
];

/// What one voucher says of itself, without what had been before it came from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct VoucherCount {
    /// As stored.
    pub code: String,
    /// `None`: unlimited.
    pub max_uses: Option<i64>,
    /// Redeemed and not come back.
    pub uses: i64,
    /// Held.
    pub uses_held: i64,
    /// All that a gift card is and was worth, minor units.
    pub worth: i64,
    /// Paid and not come back.
    pub spent: i64,
    /// Held.
    pub spent_held: i64,
}

/// The whole ledger.
pub async fn redemptions(session: &mut impl Session, tenant: &Tenant) -> Outcome<Vec<Redemption>> {
    let rows: Vec<Row> = on_engine!(session, REDEMPTIONS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).fetch_all(conn).await
    })?;
    all(rows)
}

/// Every voucher that has been used or is held.
pub async fn vouchers(session: &mut impl Session, tenant: &Tenant) -> Outcome<Vec<VoucherCount>> {
    Ok(on_engine!(session, VOUCHERS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).fetch_all(conn).await
    })?)
}

/// Of every gift card: its code, what it says was added by hand here, and what the ledger of that says.
pub async fn adjustments(session: &mut impl Session, tenant: &Tenant) -> Outcome<Vec<(String, i64, i64)>> {
    Ok(on_engine!(session, ADJUSTMENTS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).fetch_all(conn).await
    })?)
}
