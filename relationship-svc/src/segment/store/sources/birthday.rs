//! Days until a birthday, in SQL. What zones and calendars make of an instant is reckoned here, once for everybody: at any
//! instant there are two or three days on earth, and for each of them a table of 372 dates. The statement looks it up.

use std::collections::BTreeMap;

use jiff::civil;
use tandem_kernel::country;
use tandem_kernel::period::{Date, LeapDay};
use tandem_platform::db::{Bound, Composed};

use super::Moment;
use crate::customer;

/// Writes them: NULL where no birthday is known.
pub fn days_to_birthday(out: &mut Composed, at: &Moment) {
    let Days { dates, zones, countries, usual } = Days::of(at);
    out.pair(
        "(CASE WHEN t.birth_month IS NOT NULL THEN (((SELECT ",
        "(CASE WHEN t.birth_month IS NOT NULL THEN (",
    );
    out.text(&json(&dates));
    out.pair("::jsonb) -> COALESCE(((SELECT ", " ->> ('$[' || COALESCE((SELECT z.value FROM json_each(");
    out.text(&json(&zones));
    out.pair(
        "::jsonb) ->> t.time_zone)::int, ((SELECT ",
        ") AS z WHERE z.key = t.time_zone), (SELECT z.value FROM json_each(",
    );
    out.text(&json(&countries));
    out.pair("::jsonb) ->> t.country)::int, ", ") AS z WHERE z.key = t.country), ");
    out.bind(Bound::Int(usual));
    out.pair(
        "::int)) ->> ((t.birth_month - 1) * 31 + t.birth_day - 1)::int)::bigint END)",
        ") || '][' || ((t.birth_month - 1) * 31 + t.birth_day - 1) || ']')) END)",
    );
}

/// The days on earth at a moment.
struct Days {
    /// Of each, how far every date of a year is ahead.
    dates: Vec<Vec<i64>>,
    /// Which of them it is in each zone.
    zones: BTreeMap<String, i64>,
    /// Which of them it is in each country that keeps one time.
    countries: BTreeMap<&'static str, i64>,
    /// Which of them it is for the tenant.
    usual: i64,
}

impl Days {
    fn of(at: &Moment) -> Self {
        let mut known: Vec<civil::Date> = Vec::new();
        let mut place = |day: civil::Date| {
            let found = known.iter().position(|one| *one == day).unwrap_or_else(|| {
                known.push(day);
                known.len() - 1
            });
            i64::try_from(found).unwrap_or_default()
        };
        let usual = place(at.zone.to_datetime(at.now).date());
        let names = jiff::tz::db().available().map(|name| name.to_string());
        let zones = names.filter_map(|name| {
            let day = customer::zone(&name)?.to_datetime(at.now).date();
            Some((name, place(day)))
        });
        let zones = zones.collect();
        let countries = country::zones().filter_map(|(country, name)| {
            let day = customer::zone(name)?.to_datetime(at.now).date();
            Some((country, place(day)))
        });
        let countries = countries.collect();
        Self { dates: known.into_iter().map(dates).collect(), zones, countries, usual }
    }
}

/// How far each date is ahead of a day: by month, 31 of each.
fn dates(today: civil::Date) -> Vec<i64> {
    let months = (1..=12).flat_map(|month| (1..=31).map(move |day| (month, day)));
    let ahead = |(month, day)| Date::new(None, month, day).ok()?.days_from(today, LeapDay::default());
    months.map(|date| ahead(date).unwrap_or_default()).collect()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
