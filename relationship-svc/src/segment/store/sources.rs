//! The facts of customers as their rows have them: what [`crate::customer::fact`] gives a rule, in SQL. The row is called `t`, that
//! of their relationship, if there is one, `r`.
//!
//! A fact that is missing here is judged in Rust alone. One that is here has the same value as there, and is NULL where a rule
//! that reads it fails: a property test compares both.

mod beside;
mod birthday;

use std::borrow::Cow;

use jiff::civil::DateTime;
use tandem_kernel::rule::plan::{Kind, Stored};
use tandem_platform::db::{Bound, Composed};

use crate::segment::asked::Asked;
use crate::segment::{DAYS_TO_BIRTHDAY, Moment};

/// One fact.
#[derive(Clone)]
pub struct Source {
    path: Cow<'static, str>,
    kind: Kind,
    sure: bool,
    value: Value,
    /// Of one that counts the days since an instant, that instant.
    pub since: Option<&'static str>,
}

/// How a value is written.
#[derive(Clone)]
enum Value {
    /// The same on both engines.
    Column(&'static str),
    /// What is so at the moment, for everybody.
    Now(fn(&DateTime) -> i64),
    /// By both.
    Made(fn(&mut Composed, &Moment)),
    /// What is asked for.
    Asked(Asked),
}

const fn column(path: &'static str, kind: Kind, column: &'static str) -> Source {
    Source { path: Cow::Borrowed(path), kind, sure: true, value: Value::Column(column), since: None }
}

const fn now(path: &'static str, least: i64, most: i64, part: fn(&DateTime) -> i64) -> Source {
    made(path, Kind::Int(least, most), Value::Now(part))
}

const fn made(path: &'static str, kind: Kind, value: Value) -> Source {
    Source { path: Cow::Borrowed(path), kind, sure: true, value, since: None }
}

/// Days that there can be between two instants.
const DAYS: Kind = Kind::Int(-10_000_000, 10_000_000);

/// Days since something, or [`crate::relationship::facts::NEVER`].
const SINCE_WHEN: Kind = Kind::Int(0, 10_000_000);

/// Orders and interactions that there can be.
const COUNT: Kind = Kind::Int(0, 1 << 40);

/// Minor units that there can be.
const MINOR: Kind = Kind::Int(i64::MIN, i64::MAX);

const SINCE: &str = "COALESCE(t.since, t.created)";

/// Where somebody stands, as it was told of last.
pub const STAGE: &str = "relationship.stage";

/// Every fact.
static SOURCES: &[Source] = &[
    column("customer.id", Kind::Text, "t.id"),
    column("customer.display_name", Kind::Text, "t.display_name"),
    column("customer.email", Kind::Text, "t.email"),
    column("customer.phone", Kind::Text, "t.phone"),
    column("customer.locale", Kind::Text, "t.locale"),
    column("customer.country", Kind::Text, "t.country"),
    column("customer.time_zone", Kind::Text, "t.time_zone"),
    column("customer.tags", Kind::Texts, "t.tags"),
    column("customer.attributes", Kind::Map, "t.attributes"),
    column("customer.birthday_month", Kind::Int(0, 12), "COALESCE(t.birth_month, 0)"),
    column("customer.birthday_day", Kind::Int(0, 31), "COALESCE(t.birth_day, 0)"),
    made("customer.age_days", DAYS, Value::Made(age_days)).since(SINCE),
    made(DAYS_TO_BIRTHDAY, Kind::Int(0, 366), Value::Made(birthday::days_to_birthday)).unsure(),
    column(STAGE, Kind::Text, "COALESCE(r.stage, 'PROSPECT')"),
    column("relationship.frequency", COUNT, "COALESCE(r.orders, 0)"),
    made("relationship.recency_days", SINCE_WHEN, Value::Made(beside::recency_days)),
    made("relationship.inactive_days", SINCE_WHEN, Value::Made(beside::inactive_days)),
    now("now.year", -9_999, 9_999, |at| at.year().into()),
    now("now.month", 1, 12, |at| at.month().into()),
    now("now.day", 1, 31, |at| at.day().into()),
    now("now.weekday", 1, 7, |at| at.weekday().to_monday_one_offset().into()),
    now("now.hour", 0, 23, |at| at.hour().into()),
    now("now.minute", 0, 59, |at| at.minute().into()),
];

/// Whole days since the relationship began; seconds are cut towards 1970, days towards the past.
fn age_days(out: &mut Composed, at: &Moment) {
    out.pair("floor((", "(SELECT (r.s - ((r.s % 86400) + 86400) % 86400) / 86400 FROM (SELECT ");
    out.bind(Bound::Int(at.now.as_second()));
    out.pair(" - trunc(extract(epoch FROM ", " - ").sql(SINCE);
    out.pair("))) / 86400)::bigint", " / 1000000 AS s) AS r)");
}

impl Source {
    const fn since(mut self, since: &'static str) -> Self {
        self.since = Some(since);
        self
    }

    const fn unsure(mut self) -> Self {
        self.sure = false;
        self
    }

    /// Writes its value.
    pub fn write(&self, out: &mut Composed, at: &Moment) {
        match &self.value {
            Value::Column(column) => {
                out.sql(column);
            }
            Value::Now(part) => {
                out.bind(Bound::Int(part(&at.zone.to_datetime(at.now))));
            }
            Value::Made(write) => write(out, at),
            Value::Asked(asked) => beside::asked(out, at, asked),
        }
    }
}

/// The fact of this path.
pub fn source(path: &str) -> Option<Source> {
    SOURCES.iter().find(|source| source.path == path).cloned().or_else(|| asked(path))
}

/// One that is asked for. What holds of a consent depends on the wider ones too, and is judged in Rust.
fn asked(path: &str) -> Option<Source> {
    let asked = Asked::parse(path)?;
    let kind = match &asked {
        Asked::Count(_) => COUNT,
        Asked::Amount(..) | Asked::Worth(_) => MINOR,
        Asked::Last(_) => SINCE_WHEN,
        Asked::Consent(..) => return None,
    };
    Some(Source {
        path: Cow::Owned(path.to_owned()),
        kind,
        sure: true,
        value: Value::Asked(asked),
        since: None,
    })
}

/// What is known of it before it is read.
pub fn stored(path: &str) -> Option<Stored> {
    source(path).map(|source| Stored { kind: source.kind, sure: source.sure })
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}
