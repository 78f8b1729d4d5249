//! What codes did for one person, of the latest redemptions.

use tandem_kernel::money::{Currency, Money};
use tandem_platform::db::{Session, Statement};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};

/// Redemptions that are looked at.
pub const MOST: i64 = 1_000;

macro_rules! latest {
    ($tender:literal, $person:literal) => {
        concat!(
            "SELECT currency, tender, count(*),
                    count(*) FILTER (WHERE state IN ('REDEEMED', 'PARTIALLY_ROLLED_BACK')),
                    CAST(coalesce(sum(amount - returned)
                        FILTER (WHERE state IN ('REDEEMED', 'PARTIALLY_ROLLED_BACK')), 0) AS bigint)
               FROM (SELECT currency, state, amount, returned, ",
            $tender,
            " AS tender FROM redemption WHERE tenant = $1 AND ",
            $person,
            " = $2 ORDER BY id DESC LIMIT $3) AS latest
              GROUP BY currency, tender"
        )
    };
}

const OF_CUSTOMER: Statement = Statement::pair(
    latest!("coalesce((details->>'t')::boolean, false)", "customer"),
    latest!("coalesce(details->>'$.t', 0)", "customer"),
);

const OF_GUEST: Statement = Statement::pair(
    latest!("coalesce((details->>'t')::boolean, false)", "guest"),
    latest!("coalesce(details->>'$.t', 0)", "guest"),
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] =
    &[("redemption::savings_of_customer", OF_CUSTOMER), ("redemption::savings_of_guest", OF_GUEST)];

/// What codes did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Savings {
    /// Redemptions of which anything stands.
    pub redemptions: i64,
    /// Taken off, net of what came back.
    pub saved: Vec<Money>,
    /// Paid by gift cards, net of what came back.
    pub paid: Vec<Money>,
    /// Not all were looked at.
    pub more: bool,
}

/// Those of a customer, or of a guest.
pub async fn savings(
    session: &mut impl Session,
    tenant: &Tenant,
    customer: Option<&str>,
    guest: &str,
) -> Outcome<Savings> {
    let (statement, key) = customer.map_or((OF_GUEST, guest), |customer| (OF_CUSTOMER, customer));
    let rows: Vec<(String, bool, i64, i64, i64)> = on_engine!(session, statement, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(key).bind(MOST + 1).fetch_all(conn).await
    })?;
    let (mut savings, mut looked_at) = (Savings::default(), 0);
    for (currency, tender, rows, standing, minor) in rows {
        let currency = Currency::new(&currency)
            .map_err(|error| Fault::internal("a stored currency is none").caused_by(error))?;
        looked_at += rows;
        savings.redemptions += standing;
        let sum = Money::new(minor, currency);
        if standing > 0 {
            if tender { &mut savings.paid } else { &mut savings.saved }.push(sum);
        }
    }
    savings.more = looked_at > MOST;
    savings.saved.sort_by_key(|money| money.currency);
    savings.paid.sort_by_key(|money| money.currency);
    Ok(savings)
}
