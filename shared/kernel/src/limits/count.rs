//! Limits as rows: which counters a use counts in, and what they have counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Limits;
use crate::money::Currency;
use crate::period::Recurrence;

/// What a counter counts; the order in which counters are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CounterKind {
    /// Uses, and of a gift card the money, of one code. No counter of its own: what holds keep of a code, which counts
    /// by itself, is named by it.
    Voucher = 0,
    /// Uses of an incentive or an offer.
    Uses = 1,
    /// Money of an incentive or an offer in one currency.
    Budget = 2,
    /// Uses by one customer, ever.
    Customer = 3,
    /// Uses by one customer within a period.
    CustomerPeriod = 4,
}

/// Whom limits per customer count for: the customer, else the guest, by a keyed hash; nobody where neither is known.
pub fn subject(customer: Option<&str>, guest: Option<&str>) -> Option<Arc<str>> {
    let customer = customer.map(|id| format!("c/{id}"));
    customer.or_else(|| guest.map(|key| format!("g/{key}"))).map(Into::into)
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

/// Which counter. Counters are locked in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey {
    /// What it counts.
    pub kind: CounterKind,
    /// Id of the incentive or the offer; of [`CounterKind::Voucher`] the code.
    pub owner: Arc<str>,
    /// The currency, the customer, or empty.
    pub subject: Arc<str>,
    /// The period, or empty.
    pub period: Arc<str>,
}

/// What a counter has counted: uses, or minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Used and not come back.
    pub used: i64,
    /// Held.
    pub held: i64,
    /// The highest threshold, in per cent, that an event has told of.
    pub told: i64,
}

/// Which counters a use counts in; the parts of their keys that only the moment of the use can tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Period of the owner's uses and money, or empty.
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
    /// In what a use under `limits` at `now` counts; `known` where a customer or a guest is named. Uses by customers
    /// count while there is a limit on them.
    pub fn of(limits: &Limits, known: bool, now: Timestamp, zone: &TimeZone) -> Self {
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

    /// The keys of the counters of `owner`, in lock order. `subject` is whoever counts as the customer.
    pub fn keys(&self, owner: &Arc<str>, currency: Currency, subject: Option<&Arc<str>>) -> Vec<CounterKey> {
        let nothing: Arc<str> = Arc::from("");
        let period: Arc<str> =
            if self.period.is_empty() { nothing.clone() } else { self.period.as_str().into() };
        let mut keys = Vec::with_capacity(4);
        let mut add = |kind, subject: Arc<str>, period| {
            keys.push(CounterKey { kind, owner: owner.clone(), subject, period });
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
pub fn period(recurrence: Recurrence, at: Timestamp, zone: &TimeZone) -> String {
    let kind = match recurrence {
        Recurrence::Day => 'd',
        Recurrence::Week => 'w',
        Recurrence::Month => 'm',
    };
    format!("{kind}{}", zone.to_datetime(recurrence.period_start(at, zone)).date())
}

/// Every recurrence there is.
const RECURRENCES: [Recurrence; 3] = [Recurrence::Day, Recurrence::Week, Recurrence::Month];
/// How far a zone lies behind UTC and before it at most.
const BEHIND: SignedDuration = SignedDuration::from_hours(12);
const AHEAD: SignedDuration = SignedDuration::from_hours(14);

/// The names of the periods that it is `at` somewhere in the world, and the empty one, of what counts without end.
pub fn periods_at(at: Timestamp) -> BTreeSet<String> {
    let somewhere = [at.saturating_sub(BEHIND), Ok(at), at.saturating_add(AHEAD)];
    let names = somewhere.into_iter().flatten().flat_map(|local| {
        RECURRENCES.into_iter().map(move |recurrence| period(recurrence, local, &TimeZone::UTC))
    });
    names.chain([String::new()]).collect()
}

/// The names of the periods that were over everywhere at `at`: for each recurrence from the first name on, below the
/// second.
pub fn periods_before(at: Timestamp) -> [(String, String); 3] {
    let last = at.saturating_sub(BEHIND).unwrap_or(Timestamp::MIN);
    RECURRENCES.map(|recurrence| {
        let end = period(recurrence, last, &TimeZone::UTC);
        (end.chars().take(1).collect(), end)
    })
}

/// The highest threshold, in per cent, that `used` of `limit` has reached: 100, 95, 80, or 0 for none.
pub fn threshold(used: i64, limit: i64) -> i64 {
    let percent = i128::from(used) * 100 / i128::from(limit.max(1));
    [100, 95, 80].into_iter().find(|step| percent >= i128::from(*step)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::CustomerPeriod;
    use super::*;

    fn vienna() -> TimeZone {
        TimeZone::get("Europe/Vienna").unwrap()
    }

    fn late_in_june() -> Timestamp {
        "2026-06-30T22:30:00Z".parse().unwrap()
    }

    #[test]
    fn a_period_begins_at_local_midnight() {
        let at = late_in_june();
        assert_eq!(period(Recurrence::Day, at, &vienna()), "d2026-07-01");
        assert_eq!(period(Recurrence::Week, at, &vienna()), "w2026-06-29");
        assert_eq!(period(Recurrence::Month, at, &vienna()), "m2026-07-01");
        assert_eq!(period(Recurrence::Month, at, &TimeZone::UTC), "m2026-06-01");
    }

    #[test]
    fn a_period_is_in_force_while_it_is_that_day_anywhere_and_over_when_it_is_nowhere() {
        let at: Timestamp = "2026-06-30T22:30:00Z".parse().unwrap();
        let names: Vec<String> = periods_at(at).into_iter().collect();
        let wanted = ["", "d2026-06-30", "d2026-07-01", "m2026-06-01", "m2026-07-01", "w2026-06-29"];
        assert_eq!(names, wanted);
        let over = |period: &str| {
            periods_before(at).iter().any(|(first, end)| (first.as_str()..end.as_str()).contains(&period))
        };
        assert!(over("d2026-06-29") && over("d2025-12-31") && over("w2026-06-22") && over("m2026-05-01"));
        assert!(wanted.iter().all(|name| !over(name)), "what is in force somewhere is over nowhere");
        for name in periods_at("2026-07-01T11:59:59Z".parse().unwrap()) {
            assert!(!over(&name), "{name}");
        }
    }

    #[test]
    fn a_use_counts_for_its_customer_only_where_there_is_a_limit_and_somebody_is_named() {
        let limits = Limits {
            max_uses_per_customer: Some(1),
            per_customer_period: Some(CustomerPeriod { max_uses: 1, period: Recurrence::Day }),
            recurrence: Some(Recurrence::Month),
            ..Limits::default()
        };
        let named = Counted::of(&limits, true, late_in_june(), &vienna());
        let json = serde_json::to_string(&named).unwrap();
        assert_eq!(json, r#"{"u":"m2026-07-01","c":true,"p":"d2026-07-01"}"#);
        assert_eq!(serde_json::from_str::<Counted>(&json).unwrap(), named);
        let nobody = Counted::of(&limits, false, late_in_june(), &vienna());
        assert_eq!(nobody, Counted { period: "m2026-07-01".to_owned(), ..Counted::default() });
        assert!(Counted::of(&Limits::default(), true, late_in_june(), &vienna()).is_plain());
    }

    #[test]
    fn the_keys_of_a_use_are_in_lock_order() {
        let counted = Counted {
            period: "m2026-07-01".to_owned(),
            customer: true,
            customer_period: Some("d2026-07-01".to_owned()),
        };
        let eur = Currency::new("EUR").unwrap();
        let keys = counted.keys(&"spring".into(), eur, Some(&"c/7".into()));
        let told: Vec<(i64, &str, &str)> =
            keys.iter().map(|key| (key.kind.number(), &*key.subject, &*key.period)).collect();
        let wanted =
            [(1, "", "m2026-07-01"), (2, "EUR", "m2026-07-01"), (3, "c/7", ""), (4, "c/7", "d2026-07-01")];
        assert_eq!(told, wanted);
        assert!(keys.is_sorted() && keys.iter().all(|key| &*key.owner == "spring"));
        assert_eq!(counted.keys(&"spring".into(), eur, None).len(), 2, "nobody has no counter");
    }

    #[test]
    fn every_kind_is_read_back_from_its_number() {
        for kind in 0..5 {
            assert_eq!(CounterKind::parse(kind).map(CounterKind::number), Some(kind));
        }
        assert_eq!((CounterKind::parse(-1), CounterKind::parse(5)), (None, None));
    }

    #[test]
    fn a_threshold_is_reached_by_whole_per_cent() {
        let reached = [0, 79, 80, 94, 95, 99, 100, 250].map(|used| threshold(used, 100));
        assert_eq!(reached, [0, 0, 80, 80, 95, 95, 100, 100]);
        assert_eq!(threshold(799, 1_000), 0);
        assert_eq!((threshold(0, 0), threshold(i64::MAX, i64::MAX)), (0, 100));
    }
}
