//! Counters, the rows of limits: what one counts, and for whom, for what and in which period.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Dimension;
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
    /// Uses of an incentive or an offer by orders of one value.
    ValueUses = 5,
    /// Money of an incentive or an offer in one currency, for orders of one value.
    ValueBudget = 6,
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

    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Voucher,
        Self::Uses,
        Self::Budget,
        Self::Customer,
        Self::CustomerPeriod,
        Self::ValueUses,
        Self::ValueBudget,
    ];

    /// The kind of a stored number.
    pub fn parse(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// It counts for one customer.
    pub fn is_of_customer(self) -> bool {
        matches!(self, Self::Customer | Self::CustomerPeriod)
    }

    /// It counts money; else uses.
    pub fn is_money(self) -> bool {
        matches!(self, Self::Budget | Self::ValueBudget)
    }
}

/// Which counter. Counters are locked in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey {
    /// What it counts.
    pub kind: CounterKind,
    /// Id of the incentive or the offer; of [`CounterKind::Voucher`] the code.
    pub owner: Arc<str>,
    /// The currency, the customer, the value with its dimension and of money its currency, or empty.
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

impl CounterKey {
    /// The counter that every use of an owner counts in. Whoever counts a use holds its lock.
    pub fn of_uses(owner: &Arc<str>) -> Self {
        let nothing: Arc<str> = Arc::from("");
        let (subject, period) = (nothing.clone(), nothing);
        Self { kind: CounterKind::Uses, owner: owner.clone(), subject, period }
    }

    /// With which recurrence it begins anew; `None`: it counts for ever.
    pub fn recurrence(&self) -> Option<Recurrence> {
        begins_anew(&self.period)
    }

    /// Whether it counts uses by this.
    pub fn counts_by(&self, dimension: &Dimension) -> bool {
        let word = dimension.to_string();
        let rest = self.subject.strip_prefix(&*word);
        self.kind == CounterKind::ValueUses && rest.is_some_and(|rest| rest.starts_with('='))
    }

    /// Whether it is the one of [`Self::of_uses`].
    pub fn counts_every_use(&self) -> bool {
        self.kind == CounterKind::Uses && self.period.is_empty() && self.subject.is_empty()
    }
}

/// The recurrence of a period that is named so.
pub(super) fn begins_anew(period: &str) -> Option<Recurrence> {
    let letter = period.chars().next()?;
    Recurrence::ALL.into_iter().find(|recurrence| recurrence.letter() == letter)
}

/// The name of the period `at` is in: its kind and its first day, in the tenant's zone.
pub fn period(recurrence: Recurrence, at: Timestamp, zone: &TimeZone) -> String {
    format!("{}{}", recurrence.letter(), zone.to_datetime(recurrence.period_start(at, zone)).date())
}

/// How far a zone lies behind UTC and before it at most.
const BEHIND: SignedDuration = SignedDuration::from_hours(12);
const AHEAD: SignedDuration = SignedDuration::from_hours(14);

/// The names of the periods that it is `at` somewhere in the world, and the empty one, of what counts without end.
pub fn periods_at(at: Timestamp) -> BTreeSet<String> {
    let somewhere = [at.saturating_sub(BEHIND), Ok(at), at.saturating_add(AHEAD)];
    let names = somewhere.into_iter().flatten().flat_map(|local| {
        Recurrence::ALL.into_iter().map(move |recurrence| period(recurrence, local, &TimeZone::UTC))
    });
    names.chain([String::new()]).collect()
}

/// The names of the periods that were over everywhere at `at`: for each recurrence from the first name on, below the
/// second.
pub fn periods_before(at: Timestamp) -> [(String, String); 4] {
    let last = at.saturating_sub(BEHIND).unwrap_or(Timestamp::MIN);
    Recurrence::ALL.map(|recurrence| {
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
    use super::*;

    #[test]
    fn a_period_begins_at_local_midnight() {
        let (at, vienna) = ("2026-06-30T22:30:00Z".parse().unwrap(), TimeZone::get("Europe/Vienna").unwrap());
        assert_eq!(period(Recurrence::Day, at, &vienna), "d2026-07-01");
        assert_eq!(period(Recurrence::Week, at, &vienna), "w2026-06-29");
        assert_eq!(period(Recurrence::Month, at, &vienna), "m2026-07-01");
        assert_eq!(period(Recurrence::Month, at, &TimeZone::UTC), "m2026-06-01");
    }

    #[test]
    fn a_period_is_in_force_while_it_is_that_day_anywhere_and_over_when_it_is_nowhere() {
        let at: Timestamp = "2026-06-30T22:30:00Z".parse().unwrap();
        let names: Vec<String> = periods_at(at).into_iter().collect();
        let wanted =
            ["", "d2026-06-30", "d2026-07-01", "m2026-06-01", "m2026-07-01", "w2026-06-29", "y2026-01-01"];
        assert_eq!(names, wanted);
        let over = |period: &str| {
            periods_before(at).iter().any(|(first, end)| (first.as_str()..end.as_str()).contains(&period))
        };
        assert!(
            over("d2026-06-29")
                && over("d2025-12-31")
                && over("w2026-06-22")
                && over("m2026-05-01")
                && over("y2025-01-01")
        );
        assert!(wanted.iter().all(|name| !over(name)), "what is in force somewhere is over nowhere");
        for name in periods_at("2026-07-01T11:59:59Z".parse().unwrap()) {
            assert!(!over(&name), "{name}");
        }
    }

    #[test]
    fn every_kind_is_read_back_from_its_number() {
        for kind in 0..7 {
            assert_eq!(CounterKind::parse(kind).map(CounterKind::number), Some(kind));
        }
        assert_eq!((CounterKind::parse(-1), CounterKind::parse(7)), (None, None));
    }

    #[test]
    fn a_threshold_is_reached_by_whole_per_cent() {
        let reached = [0, 79, 80, 94, 95, 99, 100, 250].map(|used| threshold(used, 100));
        assert_eq!(reached, [0, 0, 80, 80, 95, 95, 100, 100]);
        assert_eq!(threshold(799, 1_000), 0);
        assert_eq!((threshold(0, 0), threshold(i64::MAX, i64::MAX)), (0, 100));
    }
}
