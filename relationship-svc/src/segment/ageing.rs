//! When what a rule reads changes by itself: never sooner than is said here.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::period;
use tandem_kernel::rule::Rule;

use super::DAYS_TO_BIRTHDAY;
use crate::customer::Customer;

const DAY: i64 = 24 * 60 * 60;

/// What the clock changes of the facts of some rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ageing {
    /// The day of the tenant.
    day: bool,
    /// How long the relationship lasts.
    relationship: bool,
    /// The day of the customer.
    birthday: bool,
}

impl Ageing {
    /// Of a rule that may be watched.
    pub fn of(rule: &Rule) -> Self {
        let read = rule.reads();
        let day = ["now.year", "now.month", "now.day", "now.weekday"];
        Self {
            day: day.iter().any(|path| read.contains(*path)),
            relationship: read.contains("customer.age_days"),
            birthday: read.contains(DAYS_TO_BIRTHDAY),
        }
    }

    /// Of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            day: self.day || other.day,
            relationship: self.relationship || other.relationship,
            birthday: self.birthday || other.birthday,
        }
    }

    /// When a customer is to be looked at again, who is looked at now; `None`: when something is written.
    pub fn next(self, customer: &Customer, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let tomorrow = |zone: &TimeZone| {
            let next = zone.to_datetime(now).date().tomorrow().ok()?;
            Some(period::first_instant(next, zone))
        };
        let older = || {
            let since = customer.since().as_second();
            let days = (now.as_second() - since).div_euclid(DAY) + 1;
            Timestamp::from_second(since.checked_add(days.checked_mul(DAY)?)?).ok()
        };
        let theirs = self.birthday && customer.profile.birthday.is_some();
        let next = [
            self.day.then(|| tomorrow(zone)).flatten(),
            self.relationship.then(older).flatten(),
            theirs.then(|| tomorrow(&customer.zone(zone))).flatten(),
        ];
        // Whatever clocks do, not in the same moment again.
        let least = now.checked_add(SignedDuration::from_secs(1)).ok()?;
        next.into_iter().flatten().min().map(|next| next.max(least))
    }
}

/// What of a rule would change everybody all day.
pub fn restless(rule: &Rule) -> Option<&'static str> {
    let read = rule.reads();
    ["now.hour", "now.minute"].into_iter().find(|path| read.contains(*path))
}
