//! Time as people keep it: windows `[start, end)` in a named zone, periods that begin anew at local midnights, and
//! dates of birth.
//!
//! Local midnights follow the clocks of the zone. A time that does not exist becomes the first valid instant after the
//! gap; a time that happens twice is the first of the two.

mod recurrence;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{self, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize};

pub use recurrence::{Period, Recurrence};

use crate::clock::whole_micros;

/// Why a value is not a window, a zone or a date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// Not in the IANA database, or an offset instead of a place.
    #[error("`{0}` is not a time zone of the IANA database, such as Europe/Berlin")]
    UnknownZone(String),
    /// Ends before it starts, or at once.
    #[error("the end must be after the start")]
    EndNotAfterStart,
    /// No such day.
    #[error("there is no such date")]
    NoSuchDate,
}

/// A time zone by its IANA name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of an IANA name. Fixed offsets are no zones: they do not follow the clocks of a place.
    ///
    /// # Errors
    /// [`PeriodError::UnknownZone`].
    pub fn new(name: &str) -> Result<Self, PeriodError> {
        let unknown = || PeriodError::UnknownZone(name.chars().take(64).collect());
        let zone = TimeZone::get(name).map_err(|_| unknown())?;
        zone.iana_name().ok_or_else(unknown)?;
        Ok(Self(zone))
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The name, as the IANA database writes it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Its rules.
    pub fn rules(&self) -> &TimeZone {
        &self.0
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

impl TryFrom<String> for Zone {
    type Error = PeriodError;

    fn try_from(name: String) -> Result<Self, PeriodError> {
        Self::new(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

impl FromStr for Zone {
    type Err = PeriodError;

    fn from_str(name: &str) -> Result<Self, PeriodError> {
        Self::new(name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A span of time `[start, end)`, with the zone it was meant in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    zone: Zone,
}

impl Window {
    /// From `start` (absent: since ever) to before `end` (absent: without end), cut to microseconds.
    ///
    /// # Errors
    /// [`PeriodError::EndNotAfterStart`].
    pub fn new(start: Option<Timestamp>, end: Option<Timestamp>, zone: Zone) -> Result<Self, PeriodError> {
        let (start, end) = (start.map(whole_micros), end.map(whole_micros));
        if let (Some(start), Some(end)) = (start, end)
            && end <= start
        {
            return Err(PeriodError::EndNotAfterStart);
        }
        Ok(Self { start, end, zone })
    }

    /// Inclusive.
    pub fn start(&self) -> Option<Timestamp> {
        self.start
    }

    /// Exclusive.
    pub fn end(&self) -> Option<Timestamp> {
        self.end
    }

    /// The zone it was meant in.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether it has begun at `at`; it may be over.
    pub fn has_begun(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at)
    }

    /// Whether it is over at `at`.
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.end.is_some_and(|end| end <= at)
    }

    /// Whether `at` is within.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.has_begun(at) && !self.is_over(at)
    }

    /// How long it is; `None` where an end is open.
    pub fn duration(&self) -> Option<jiff::SignedDuration> {
        Some(self.end?.duration_since(self.start?))
    }
}

/// The first instant of a day: its midnight, or what stands for it.
pub fn first_instant(day: civil::Date, zone: &TimeZone) -> Timestamp {
    local_instant(day.to_datetime(Time::midnight()), zone)
}

/// The instant of a local time: the first valid instant after the gap where clocks skip it, the first of two where
/// they repeat it. Beyond the years jiff knows, the nearest it does.
pub fn local_instant(local: DateTime, zone: &TimeZone) -> Timestamp {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    if let AmbiguousOffset::Gap { after, .. } = ambiguous.offset()
        && let Ok(before_gap) = after.to_timestamp(local)
        && let Some(change) = zone.following(before_gap).next()
    {
        return change.timestamp();
    }
    let nearest = if local.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    ambiguous.earlier().unwrap_or(nearest)
}

/// What 29 February is in a year that has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LeapDay {
    /// 1 March.
    #[default]
    Mar01,
    /// 28 February.
    Feb28,
}

/// A day that comes back every year: a birthday, with or without its year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "DateFields", into = "DateFields")]
pub struct Date {
    year: Option<i16>,
    month: i8,
    day: i8,
}

#[derive(Serialize, Deserialize)]
struct DateFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    year: Option<i16>,
    month: i8,
    day: i8,
}

/// A leap year, to judge a date without one.
const ANY_LEAP_YEAR: i16 = 2_000;

impl Date {
    /// A date of the years 1 to 9999, or of every year. 29 February is one without a year.
    ///
    /// # Errors
    /// [`PeriodError::NoSuchDate`].
    pub fn new(year: Option<i32>, month: i32, day: i32) -> Result<Self, PeriodError> {
        let no_such = |_| PeriodError::NoSuchDate;
        let year = year.map(i16::try_from).transpose().map_err(no_such)?;
        let (month, day) = (i8::try_from(month).map_err(no_such)?, i8::try_from(day).map_err(no_such)?);
        if year.is_some_and(|year| year < 1)
            || civil::Date::new(year.unwrap_or(ANY_LEAP_YEAR), month, day).is_err()
        {
            return Err(PeriodError::NoSuchDate);
        }
        Ok(Self { year, month, day })
    }

    /// 1 to 9999, where known.
    pub fn year(self) -> Option<i16> {
        self.year
    }

    /// 1 to 12.
    pub fn month(self) -> i8 {
        self.month
    }

    /// 1 to 31.
    pub fn day(self) -> i8 {
        self.day
    }

    /// The day it falls on in `year`; `None` only for years that jiff does not know.
    pub fn in_year(self, year: i16, leap_day: LeapDay) -> Option<civil::Date> {
        civil::Date::new(year, self.month, self.day).ok().or_else(|| match leap_day {
            LeapDay::Mar01 => civil::Date::new(year, 3, 1).ok(),
            LeapDay::Feb28 => civil::Date::new(year, 2, 28).ok(),
        })
    }
}

impl Date {
    /// Days from a day until it comes back; 0 on that day. `None` only at the end of the years that jiff knows.
    pub fn days_from(self, today: civil::Date, leap_day: LeapDay) -> Option<i64> {
        let this_year = self.in_year(today.year(), leap_day).filter(|day| *day >= today);
        let next = this_year.or_else(|| self.in_year(today.year().checked_add(1)?, leap_day))?;
        Some(i64::from(today.until(next).ok()?.get_days()))
    }
}

impl TryFrom<DateFields> for Date {
    type Error = PeriodError;

    fn try_from(fields: DateFields) -> Result<Self, PeriodError> {
        Self::new(fields.year.map(i32::from), fields.month.into(), fields.day.into())
    }
}

impl From<Date> for DateFields {
    fn from(date: Date) -> Self {
        Self { year: date.year, month: date.month, day: date.day }
    }
}

impl fmt::Display for Date {
    /// `1980-02-29`, `--02-29` without a year (ISO 8601).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.year {
            Some(year) => write!(f, "{year:04}-{:02}-{:02}", self.month, self.day),
            None => write!(f, "--{:02}-{:02}", self.month, self.day),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let (start, end) = (at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z"));
        let window = Window::new(Some(start), Some(end), Zone::new("Europe/Berlin").unwrap()).unwrap();
        let micro = jiff::SignedDuration::from_micros(1);
        assert!(window.contains(start) && window.contains(end - micro));
        assert!(!window.contains(start - micro) && !window.contains(end));
        assert!(window.is_over(end) && !window.has_begun(start - micro));
        assert_eq!(window.duration().unwrap().as_hours(), 24);
        assert_eq!(Window::new(Some(end), Some(end), Zone::utc()), Err(PeriodError::EndNotAfterStart));
        assert_eq!(Window::new(Some(end), Some(start), Zone::utc()), Err(PeriodError::EndNotAfterStart));
        assert!(Window::default().contains(start) && Window::default().duration().is_none());
        let json = serde_json::to_string(&window).unwrap();
        assert!(json.contains("Europe/Berlin"), "{json}");
        assert_eq!(serde_json::from_str::<Window>(&json).unwrap(), window);
    }

    #[test]
    fn a_zone_is_a_place_of_the_iana_database() {
        assert_eq!(Zone::new("europe/berlin").unwrap().name(), "Europe/Berlin");
        assert_eq!(Zone::new("UTC").unwrap(), Zone::utc());
        for name in ["", "Mars/Olympus", "+02:00", "CET-1CEST", "../etc/passwd", "Europe/Berlin\0"] {
            assert!(matches!(Zone::new(name), Err(PeriodError::UnknownZone(_))), "{name}");
        }
    }

    #[test]
    fn a_day_that_comes_back_is_so_many_days_ahead() {
        let days = |month, day, today| {
            Date::new(None, month, day).unwrap().days_from(today, LeapDay::Mar01).unwrap()
        };
        assert_eq!(days(7, 1, civil::date(2_026, 7, 1)), 0);
        assert_eq!(days(6, 30, civil::date(2_026, 7, 1)), 364);
        assert_eq!(days(1, 2, civil::date(2_026, 12, 30)), 3);
        assert_eq!(days(2, 29, civil::date(2_027, 2, 27)), 2, "1 March in a common year");
        assert_eq!(days(2, 29, civil::date(2_028, 2, 27)), 2);
        assert_eq!(days(2, 29, civil::date(2_027, 3, 2)), 364);
    }

    #[test]
    fn a_birthday_may_lack_its_year_and_fall_on_29_february() {
        assert_eq!(Date::new(None, 2, 29).unwrap().to_string(), "--02-29");
        assert_eq!(Date::new(Some(2_024), 2, 29).unwrap().to_string(), "2024-02-29");
        for (year, month, day) in [
            (Some(2_023), 2, 29),
            (None, 2, 30),
            (None, 0, 1),
            (None, 13, 1),
            (Some(0), 1, 1),
            (Some(10_000), 1, 1),
            (None, 1, 300),
        ] {
            assert_eq!(Date::new(year, month, day), Err(PeriodError::NoSuchDate), "{year:?} {month} {day}");
        }
        let birthday = Date::new(None, 2, 29).unwrap();
        assert_eq!(birthday.in_year(2_027, LeapDay::Mar01), Some(civil::date(2_027, 3, 1)));
        assert_eq!(birthday.in_year(2_027, LeapDay::Feb28), Some(civil::date(2_027, 2, 28)));
        assert_eq!(birthday.in_year(2_028, LeapDay::Feb28), Some(civil::date(2_028, 2, 29)));
        let json = serde_json::to_string(&birthday).unwrap();
        assert_eq!(json, r#"{"month":2,"day":29}"#);
        assert_eq!(serde_json::from_str::<Date>(&json).unwrap(), birthday);
        assert!(serde_json::from_str::<Date>(r#"{"month":2,"day":30}"#).is_err());
    }
}
