//! Instants, windows, dates and recurrences.

use jiff::Timestamp;
use tandem_kernel::clock::whole_micros;
use tandem_kernel::period::{Date, Recurrence, Window, Zone};
use tandem_kernel::problem::Problem;

use super::{join, known_enum, refuse};
use crate::common::v1;

/// The first and the last second of the years 1 to 9999, which is what a protobuf timestamp may say.
const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_207_199;

/// An instant, cut to microseconds.
pub fn timestamp(at: &str, given: &prost_types::Timestamp, problems: &mut Vec<Problem>) -> Option<Timestamp> {
    let known =
        (FIRST_SECOND..=LAST_SECOND).contains(&given.seconds) && (0..=999_999_999).contains(&given.nanos);
    let instant = if known { Timestamp::new(given.seconds, given.nanos).ok() } else { None };
    if instant.is_none() {
        refuse(problems, at, "", "must be within the years 1 to 9999, with nanos from 0 to 999,999,999");
    }
    instant.map(whole_micros)
}

/// An instant as the contract writes it.
pub fn to_timestamp(instant: Timestamp) -> prost_types::Timestamp {
    // The contract counts nanoseconds forward from the second, jiff towards zero.
    let nanos = i64::from(instant.subsec_nanosecond());
    let seconds = if nanos < 0 { instant.as_second() - 1 } else { instant.as_second() };
    let nanos = i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0);
    prost_types::Timestamp { seconds, nanos }
}

/// A window meant in `zone`.
pub fn window(at: &str, given: &v1::Interval, zone: Zone, problems: &mut Vec<Problem>) -> Option<Window> {
    let before = problems.len();
    let start =
        given.start_time.as_ref().and_then(|start| timestamp(&join(at, "start_time"), start, problems));
    let end = given.end_time.as_ref().and_then(|end| timestamp(&join(at, "end_time"), end, problems));
    if problems.len() > before {
        return None;
    }
    match Window::new(start, end, zone) {
        Ok(window) => Some(window),
        Err(error) => {
            refuse(problems, at, "end_time", error.to_string());
            None
        }
    }
}

/// A date with or without its year.
pub fn date(at: &str, given: &v1::Date, problems: &mut Vec<Problem>) -> Option<Date> {
    let year = (given.year != 0).then_some(given.year);
    match Date::new(year, given.month, given.day) {
        Ok(date) => Some(date),
        Err(error) => {
            refuse(problems, at, "", error.to_string());
            None
        }
    }
}

/// How often something begins anew; the outer `None` is a violation, the inner one "never".
pub fn recurrence(at: &str, given: i32, problems: &mut Vec<Problem>) -> Option<Option<Recurrence>> {
    Some(match known_enum(at, "", given, problems)? {
        v1::Recurrence::Unspecified => None,
        v1::Recurrence::Day => Some(Recurrence::Day),
        v1::Recurrence::Week => Some(Recurrence::Week),
        v1::Recurrence::Month => Some(Recurrence::Month),
        v1::Recurrence::Year => Some(Recurrence::Year),
    })
}

impl From<Recurrence> for v1::Recurrence {
    fn from(recurrence: Recurrence) -> Self {
        match recurrence {
            Recurrence::Day => Self::Day,
            Recurrence::Week => Self::Week,
            Recurrence::Month => Self::Month,
            Recurrence::Year => Self::Year,
        }
    }
}

impl From<&Window> for v1::Interval {
    fn from(window: &Window) -> Self {
        Self { start_time: window.start().map(to_timestamp), end_time: window.end().map(to_timestamp) }
    }
}

impl From<Date> for v1::Date {
    fn from(date: Date) -> Self {
        Self { year: date.year().unwrap_or(0).into(), month: date.month().into(), day: date.day().into() }
    }
}
