//! How dates and moments are written in a file.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;
use tandem_kernel::clock::{Clock, SystemClock};
use tandem_kernel::period::{self, Zone};
use tandem_proto::common::v1::Date as Message;

use crate::failure::Failure;

/// As the flags say.
#[derive(Debug, Clone, Default)]
pub struct Forms {
    /// Of dates, as strptime reads them; nothing: as ISO 8601 writes them.
    date: Option<String>,
    /// In which dates are meant.
    zone: Option<Zone>,
    /// Nobody is born after it.
    today: Date,
}

/// Which end of a day is meant where a moment is a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The midnight before it.
    Begin,
    /// The midnight behind it.
    End,
}

const CENTURY: i16 = 100;

impl Forms {
    /// Reads `--date-format` and `--time-zone`.
    ///
    /// # Errors
    /// Where dates cannot be read by the one, or the other is none.
    pub fn new(date: Option<&str>, zone: Option<&str>) -> Result<Self, Failure> {
        if let Some(format) = date {
            check(format).map_err(|why| Failure::at("--date-format", format!("`{format}` {why}")))?;
        }
        let zone = zone.map(|name| Zone::new(name).map_err(|error| Failure::at("--time-zone", error)));
        let today = TimeZone::UTC.to_datetime(SystemClock.now()).date();
        Ok(Self { date: date.map(str::to_owned), zone: zone.transpose()?, today })
    }

    /// A day, its year perhaps not known: `1990-02-28`, `--02-28`, or as --date-format says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn day(&self, cell: &str) -> Result<Message, String> {
        let none = || self.is_none(cell, "date");
        let yearless = BrokenDownTime::parse("--%m-%d", cell).ok();
        let read = yearless.or_else(|| self.parse(cell)).ok_or_else(none)?;
        let (month, day) = read.month().zip(read.day()).ok_or_else(none)?;
        let year = read.year().map(|year| self.born(year, month, day));
        let date = period::Date::new(year.map(i32::from), month.into(), day.into()).map_err(|_| none())?;
        Ok(Message {
            year: date.year().unwrap_or(0).into(),
            month: date.month().into(),
            day: date.day().into(),
        })
    }

    /// A year that two digits say is one of this century; who would be born in the future was born in the last.
    fn born(&self, year: i16, month: i8, day: i8) -> i16 {
        let short = self.date.as_ref().is_some_and(|format| format.contains("%y"));
        let later = Date::new(year, month, day).is_ok_and(|born| born > self.today);
        if short && later { year - CENTURY } else { year }
    }

    /// A moment: RFC 3339, or a day, of which `bound` is meant.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn moment(&self, cell: &str, bound: Bound) -> Result<Timestamp, String> {
        if let Ok(at) = cell.parse() {
            return Ok(at);
        }
        let none = || self.is_none(cell, "moment");
        let read = self.parse(cell).ok_or_else(none)?;
        if let Ok(at) = read.to_timestamp() {
            return Ok(at);
        }
        let day = read.to_date().map_err(|_| none())?;
        let at = if read.hour().is_some() {
            read.to_datetime().map_err(|_| none())?
        } else {
            let next = if bound == Bound::End { day.tomorrow() } else { Ok(day) };
            DateTime::from(next.map_err(|_| none())?)
        };
        let zone = self.zone.as_ref();
        let zone = zone.ok_or_else(|| format!("`{cell}` has no time zone: say --time-zone Europe/Vienna"))?;
        zone.rules().to_timestamp(at).map_err(|_| none())
    }

    fn parse(&self, cell: &str) -> Option<BrokenDownTime> {
        match &self.date {
            Some(format) => BrokenDownTime::parse(format, cell).ok(),
            None => BrokenDownTime::parse("%Y-%m-%d", cell).ok(),
        }
    }

    fn is_none(&self, cell: &str, what: &str) -> String {
        let written = match (&self.date, what) {
            (Some(format), _) => format!("--date-format is {format}"),
            (None, "date") => {
                "write 1990-02-28, --02-28 where the year is not known, or say --date-format".to_owned()
            }
            (None, _) => "write 2026-12-31T23:00:00Z, or 2026-12-31 and say --time-zone".to_owned(),
        };
        format!("`{cell}` is no {what}: {written}")
    }
}

/// Whether dates can be read by a format: whatever it writes it must read as it was.
fn check(format: &str) -> Result<(), String> {
    let sample = Date::constant(2001, 12, 30).at(13, 45, 59, 0).to_zoned(TimeZone::UTC);
    let sample = sample.map_err(|error| error.to_string())?;
    let written = strtime::format(format, &sample).map_err(|error| format!("cannot be read: {error}"))?;
    let read = BrokenDownTime::parse(format, &written).map_err(|error| format!("cannot be read: {error}"))?;
    match (read.month(), read.day()) {
        (Some(12), Some(30)) => Ok(()),
        _ => Err("says no day and month: write %d.%m.%Y".to_owned()),
    }
}

/// A day as files have it: `1990-02-28`, or `--02-28`.
pub fn write_day(day: &Message) -> String {
    let year = (day.year != 0).then_some(day.year);
    period::Date::new(year, day.month, day.day).map(|date| date.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(format: Option<&str>, cell: &str) -> Result<(i32, i32, i32), String> {
        let forms = Forms { today: Date::constant(2026, 7, 1), ..Forms::new(format, None).unwrap() };
        forms.day(cell).map(|day| (day.year, day.month, day.day))
    }

    #[test]
    fn a_day_is_iso_or_as_the_format_says_and_its_year_may_be_unknown() {
        assert_eq!(day(None, "1990-02-28"), Ok((1990, 2, 28)));
        assert_eq!(day(None, "--02-29"), Ok((0, 2, 29)));
        assert_eq!(day(Some("%d.%m.%Y"), "28.2.1990"), Ok((1990, 2, 28)));
        assert_eq!(day(Some("%d.%m.%Y"), "--02-28"), Ok((0, 2, 28)));
        assert_eq!(day(Some("%d.%m."), "28.02."), Ok((0, 2, 28)));
        assert_eq!(day(Some("%m/%d/%y"), "02/28/55"), Ok((1955, 2, 28)));
        assert_eq!(day(Some("%m/%d/%y"), "02/28/25"), Ok((2025, 2, 28)));
        assert_eq!(day(Some("%d.%m.%Y %H:%M"), "28.02.1990 00:00"), Ok((1990, 2, 28)));
        for (format, cell) in [(None, "28.02.1990"), (None, "1990-02-30"), (Some("%d.%m.%Y"), "1990-02-28")] {
            let said = day(format, cell).unwrap_err();
            assert!(said.contains(cell) && (said.contains("--date-format")), "{said}");
        }
    }

    #[test]
    fn a_format_that_reads_no_day_is_refused_at_once() {
        for format in ["%d.%m.%Y", "%Y%m%d", "%e %b %Y", "%d.%m.", "%m/%d/%y", "%F"] {
            assert!(Forms::new(Some(format), None).is_ok(), "{format}");
        }
        for format in ["%Q%", "TT.MM.JJJJ", "%Y", "%d", "", "%!"] {
            let said = Forms::new(Some(format), None).unwrap_err().to_string();
            assert!(said.starts_with("--date-format: ") && said.contains(format), "{said}");
        }
        assert!(Forms::new(None, Some("Vienna")).unwrap_err().to_string().contains("--time-zone: `Vienna`"));
    }

    #[test]
    fn a_moment_that_is_a_day_is_its_beginning_or_its_end_where_it_is_meant() {
        let forms = Forms::new(Some("%d.%m.%Y"), Some("Europe/Vienna")).unwrap();
        let at = |cell: &str, bound| forms.moment(cell, bound).map(|at| at.to_string());
        assert_eq!(at("31.12.2026", Bound::Begin), Ok("2026-12-30T23:00:00Z".to_owned()));
        assert_eq!(at("31.12.2026", Bound::End), Ok("2026-12-31T23:00:00Z".to_owned()));
        assert_eq!(at("2026-12-31T22:30:00.5Z", Bound::End), Ok("2026-12-31T22:30:00.5Z".to_owned()));
        let timed = Forms::new(Some("%d.%m.%Y %H:%M"), Some("Europe/Vienna")).unwrap();
        assert_eq!(timed.moment("01.07.2026 12:00", Bound::End).unwrap().to_string(), "2026-07-01T10:00:00Z");
        let plain = Forms::new(None, None).unwrap();
        assert!(plain.moment("2026-12-31", Bound::End).unwrap_err().contains("--time-zone"));
        assert!(plain.moment("tomorrow", Bound::End).unwrap_err().contains("2026-12-31T23:00:00Z"));
    }
}
