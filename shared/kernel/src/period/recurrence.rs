//! Days, weeks, months and years that follow each other.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil};
use serde::{Deserialize, Serialize};

use super::first_instant;

/// How often something begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Recurrence {
    /// At each local midnight.
    Day,
    /// At the local midnight of each Monday (ISO 8601).
    Week,
    /// At the local midnight of the first day of each month.
    Month,
    /// At the local midnight of each 1 January.
    Year,
}

/// One period of a recurrence, `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// Inclusive.
    pub start: Timestamp,
    /// Exclusive.
    pub end: Timestamp,
}

impl Recurrence {
    /// Every one there is.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// The period `at` is in. Periods follow each other without gap or overlap.
    pub fn period(self, at: Timestamp, zone: &TimeZone) -> Period {
        let mut first = self.first_day(zone.to_datetime(at).date());
        let mut next = self.next_first_day(first);
        let mut end = next.map_or(Timestamp::MAX, |day| first_instant(day, zone));
        // Where clocks go back over midnight the old date comes twice; the new period has begun by then.
        while end <= at
            && let Some(day) = next
        {
            first = day;
            next = self.next_first_day(day);
            end = next.map_or(Timestamp::MAX, |day| first_instant(day, zone));
        }
        Period { start: first_instant(first, zone), end }
    }

    /// By which periods and stored words name it.
    pub fn letter(self) -> char {
        match self {
            Self::Day => 'd',
            Self::Week => 'w',
            Self::Month => 'm',
            Self::Year => 'y',
        }
    }

    /// When the period `at` is in began.
    pub fn period_start(self, at: Timestamp, zone: &TimeZone) -> Timestamp {
        self.period(at, zone).start
    }

    /// When the period `at` is in ends: the start of the next.
    pub fn period_end(self, at: Timestamp, zone: &TimeZone) -> Timestamp {
        self.period(at, zone).end
    }

    fn first_day(self, day: civil::Date) -> civil::Date {
        match self {
            Self::Day => day,
            Self::Week => {
                let past_monday = i64::from(day.weekday().to_monday_zero_offset());
                day.checked_sub(past_monday.days()).unwrap_or(civil::Date::MIN)
            }
            Self::Month => day.first_of_month(),
            Self::Year => day.first_of_year(),
        }
    }

    fn next_first_day(self, first: civil::Date) -> Option<civil::Date> {
        let step = match self {
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
            Self::Year => 1.year(),
        };
        first.checked_add(step).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Zone;
    use super::*;

    fn zone(name: &str) -> TimeZone {
        Zone::new(name).unwrap().rules().clone()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn period(recurrence: Recurrence, moment: &str, place: &str) -> (String, String) {
        let found = recurrence.period(at(moment), &zone(place));
        (found.start.to_string(), found.end.to_string())
    }

    fn pair(start: &str, end: &str) -> (String, String) {
        (start.to_owned(), end.to_owned())
    }

    #[test]
    fn days_weeks_months_and_years_begin_at_local_midnight() {
        // Thursday 2026-03-26 23:30 UTC is Friday in Berlin; clocks go forward on Sunday.
        let moment = "2026-03-26T23:30:00Z";
        let berlin = |recurrence| period(recurrence, moment, "Europe/Berlin");
        assert_eq!(berlin(Recurrence::Day), pair("2026-03-26T23:00:00Z", "2026-03-27T23:00:00Z"));
        assert_eq!(berlin(Recurrence::Week), pair("2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"));
        assert_eq!(berlin(Recurrence::Month), pair("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"));
        assert_eq!(berlin(Recurrence::Year), pair("2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"));
        let short = period(Recurrence::Day, "2026-03-29T12:00:00Z", "Europe/Berlin");
        assert_eq!(short, pair("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), "23 hours");
        let long = period(Recurrence::Day, "2026-10-25T12:00:00Z", "Europe/Berlin");
        assert_eq!(long, pair("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), "25 hours");
        let monday = period(Recurrence::Week, "2026-03-23T00:00:00Z", "UTC");
        assert_eq!(monday, pair("2026-03-23T00:00:00Z", "2026-03-30T00:00:00Z"));
    }

    #[test]
    fn a_midnight_that_does_not_exist_is_the_first_instant_after_the_gap() {
        // Sao Paulo, 2018-11-04: 00:00 becomes 01:00 (-02:00).
        let day = period(Recurrence::Day, "2018-11-04T12:00:00Z", "America/Sao_Paulo");
        assert_eq!(day, pair("2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"));
        let before = period(Recurrence::Day, "2018-11-04T02:59:59Z", "America/Sao_Paulo");
        assert_eq!(before, pair("2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"));
        // Beirut, 2022-03-27: 00:00 becomes 01:00 (+03:00).
        let day = period(Recurrence::Day, "2022-03-27T12:00:00Z", "Asia/Beirut");
        assert_eq!(day, pair("2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z"));
        // Toronto, 1919-03-31: 23:30 on the 30th becomes 00:30; midnight lies inside the gap, not at its edge.
        let day = period(Recurrence::Day, "1919-03-31T12:00:00Z", "America/Toronto");
        assert_eq!(day.0, "1919-03-31T04:30:00Z");
    }

    #[test]
    fn a_midnight_that_happens_twice_is_the_first() {
        // Havana, 2022-11-06: 01:00 becomes 00:00 again.
        let day = period(Recurrence::Day, "2022-11-06T04:30:00Z", "America/Havana");
        assert_eq!(day, pair("2022-11-06T04:00:00Z", "2022-11-07T05:00:00Z"));
        // Saint John's, 2010-11-07: at 00:01 clocks go back to 23:01 of the day before. The day has begun and stays.
        let first_minute = period(Recurrence::Day, "2010-11-07T02:30:30Z", "America/St_Johns");
        let second_pass = period(Recurrence::Day, "2010-11-07T03:00:00Z", "America/St_Johns");
        assert_eq!(first_minute, pair("2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"));
        assert_eq!(second_pass, first_minute);
    }

    #[test]
    fn a_day_that_a_zone_skipped_has_no_period() {
        // Apia went from 2011-12-29 to 2011-12-31.
        let last = period(Recurrence::Day, "2011-12-30T09:59:59Z", "Pacific/Apia");
        let next = period(Recurrence::Day, "2011-12-30T10:00:00Z", "Pacific/Apia");
        assert_eq!(last, pair("2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"));
        assert_eq!(next, pair("2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"));
    }

    proptest! {
        #[test]
        fn periods_hold_their_instants_and_follow_each_other(
            second in -2_000_000_000_i64..4_000_000_000,
            place in prop_oneof![
                Just("Europe/Berlin"), Just("America/Sao_Paulo"), Just("Asia/Beirut"), Just("Pacific/Apia"),
                Just("America/St_Johns"), Just("America/Toronto"), Just("Africa/Cairo"), Just("Asia/Kathmandu"),
                Just("Australia/Lord_Howe"), Just("Antarctica/Troll"), Just("UTC"),
            ],
            recurrence in prop::sample::select(Recurrence::ALL.to_vec()),
        ) {
            let (zone, moment) = (zone(place), Timestamp::from_second(second).unwrap());
            let found = recurrence.period(moment, &zone);
            prop_assert!(found.start <= moment && moment < found.end, "{found:?}");
            prop_assert_eq!(recurrence.period(found.start, &zone), found);
            prop_assert_eq!(recurrence.period_start(found.end, &zone), found.end);
        }

        #[test]
        fn no_instant_makes_a_period_panic(second in -377_705_023_201_i64..=253_402_207_200) {
            let moment = Timestamp::from_second(second).unwrap();
            for recurrence in Recurrence::ALL {
                let found = recurrence.period(moment, &zone("Pacific/Auckland"));
                prop_assert!(found.start <= moment);
            }
        }
    }
}
