//! What of an objective has been reached.

use tandem_kernel::money::Money;

use super::{Definition, Metric};
use crate::redemption::Sums;

/// How far an objective has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Reached in money, with REVENUE; in the currency of the target, others are not converted.
    pub money: Option<Money>,
    /// Reached in number, with every other metric.
    pub count: i64,
    /// Reached of the target, in parts per million, rounded down; may pass the whole.
    pub ppm: i64,
}

/// Measures what its campaigns have brought about by what `definition` wants.
pub fn progress(definition: &Definition, sums: &Sums) -> Progress {
    let of = |reached: i64, target: i64| {
        let ppm = i128::from(reached) * 1_000_000 / i128::from(target.max(1));
        i64::try_from(ppm).unwrap_or(i64::MAX)
    };
    let count = match (definition.metric, definition.target_money) {
        (Metric::Revenue, Some(target)) => {
            let reached = sums.revenue.get(&target.currency).copied().unwrap_or(0);
            let money = Some(Money::new(reached, target.currency));
            return Progress { money, count: 0, ppm: of(reached, target.minor) };
        }
        (Metric::Revenue, None) => 0,
        (Metric::Orders, _) => sums.orders,
        (Metric::Redemptions, _) => sums.redemptions,
        (Metric::Customers, _) => sums.customers,
    };
    Progress { money: None, count, ppm: of(count, definition.target_count) }
}
