//! Vouchers in the order of their codes.

use tandem_platform::db::{Session, Statement};
use tandem_platform::{Outcome, Tenant, on_engine};

use super::Row;
use crate::voucher::Voucher;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM voucher WHERE tenant = $1 AND ",
            $condition,
            " ORDER BY code LIMIT $4"
        )
    };
}

// The index is over these alone: see migration `voucher_import`.
const OF_INCENTIVE: Statement = Statement::same(select!("incentive = $2 AND incentive <> '' AND code > $3"));
const OF_CUSTOMER: Statement = Statement::same(select!("customer = $2 AND code > $3"));

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] =
    &[("voucher::of_incentive", OF_INCENTIVE), ("voucher::of_customer", OF_CUSTOMER)];

/// Whose vouchers are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of<'a> {
    /// All codes of an incentive.
    Incentive(&'a str),
    /// All codes of a customer.
    Customer(&'a str),
}

/// Up to `limit` vouchers behind the code `after`.
pub async fn page(
    session: &mut impl Session,
    tenant: &Tenant,
    of: Of<'_>,
    after: &str,
    limit: usize,
) -> Outcome<Vec<Voucher>> {
    let (statement, id) = match of {
        Of::Incentive(id) => (OF_INCENTIVE, id),
        Of::Customer(id) => (OF_CUSTOMER, id),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<Row> = on_engine!(session, statement, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).bind(after).bind(limit).fetch_all(conn).await
    })?;
    rows.into_iter().map(Voucher::try_from).collect()
}
