//! Limits as rows: which counters a redemption counts in.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tandem_kernel::money::Currency;
use tandem_kernel::period::Recurrence;

use super::{Person, Terms};

/// What a counter counts; the order in which counters are locked. `Voucher` is not a row of its own: claims of holds
/// name the voucher by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CounterKind {
    /// Uses, and of a gift card the money, of one code.
    Voucher = 0,
    /// Uses of an incentive.
    Uses = 1,
    /// Money of an incentive in one currency.
    Budget = 2,
    /// Uses of an incentive by one customer, ever.
    Customer = 3,
    /// Uses of an incentive by one customer within a period.
    CustomerPeriod = 4,
}

impl CounterKind {
    /// As stored.
    pub fn number(self) -> i64 {
        self as i64
    }

    /// The kind of a stored number.
    pub fn parse(number: i64) -> Option<Self> {
        [Self::Voucher, Self::Uses, Self::Budget, Self::Customer, Self::CustomerPeriod]
            .into_iter()
            .find(|kind| kind.number() == number)
    }
}

/// Which counter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey {
    /// What it counts.
    pub kind: CounterKind,
    /// Id of the incentive; of a voucher its code.
    pub owner: Arc<str>,
    /// The currency, the customer, or empty.
    pub subject: Arc<str>,
    /// The period, or empty.
    pub period: Arc<str>,
}

/// What a counter has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Redeemed and not come back.
    pub used: i64,
    /// Held.
    pub held: i64,
    /// The highest threshold, in per cent, that an event has told of.
    pub told: i64,
}

/// Which counters a redemption counts in; the parts of their keys that do not stand in the redemption itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Period of the incentive's uses and money, or empty.
    #[serde(rename = "u", default, skip_serializing_if = "String::is_empty")]
    pub period: String,
    /// Counted for the customer.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    pub customer: bool,
    /// Period in which it counted for the customer.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub customer_period: Option<String>,
}

impl Counted {
    /// In what a use of `terms` at `now` counts for `person`. Uses by customers count while there is a limit on them.
    pub fn of(terms: &Terms, person: &Person, now: Timestamp, zone: &TimeZone) -> Self {
        let limits = terms.limits();
        let known = person.customer.is_some() || person.guest.is_some();
        let per_period = limits.per_customer_period.filter(|_| known);
        Self {
            period: limits.recurrence.map(|recurrence| period(recurrence, now, zone)).unwrap_or_default(),
            customer: known && limits.max_uses_per_customer.is_some(),
            customer_period: per_period.map(|limit| period(limit.period, now, zone)),
        }
    }

    /// Neither a period nor a customer.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The keys of the counters, in lock order.
    pub fn keys(
        &self,
        incentive: &Arc<str>,
        currency: Currency,
        subject: Option<&Arc<str>>,
    ) -> Vec<CounterKey> {
        let nothing: Arc<str> = Arc::from("");
        let period: Arc<str> =
            if self.period.is_empty() { nothing.clone() } else { self.period.as_str().into() };
        let mut keys = Vec::with_capacity(4);
        let mut add = |kind, subject: Arc<str>, period| {
            keys.push(CounterKey { kind, owner: incentive.clone(), subject, period });
        };
        add(CounterKind::Uses, nothing.clone(), period.clone());
        add(CounterKind::Budget, currency.code().into(), period);
        if let Some(subject) = subject {
            if self.customer {
                add(CounterKind::Customer, subject.clone(), nothing);
            }
            if let Some(period) = &self.customer_period {
                add(CounterKind::CustomerPeriod, subject.clone(), period.as_str().into());
            }
        }
        keys
    }
}

/// The name of the period `at` is in: its kind and its first day, in the tenant's zone.
pub(super) fn period(recurrence: Recurrence, at: Timestamp, zone: &TimeZone) -> String {
    let kind = match recurrence {
        Recurrence::Day => 'd',
        Recurrence::Week => 'w',
        Recurrence::Month => 'm',
    };
    format!("{kind}{}", zone.to_datetime(recurrence.period_start(at, zone)).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_begins_at_local_midnight() {
        let vienna = TimeZone::get("Europe/Vienna").unwrap();
        let at: Timestamp = "2026-06-30T22:30:00Z".parse().unwrap();
        assert_eq!(period(Recurrence::Day, at, &vienna), "d2026-07-01");
        assert_eq!(period(Recurrence::Week, at, &vienna), "w2026-06-29");
        assert_eq!(period(Recurrence::Month, at, &vienna), "m2026-07-01");
        assert_eq!(period(Recurrence::Month, at, &TimeZone::UTC), "m2026-06-01");
    }
}
