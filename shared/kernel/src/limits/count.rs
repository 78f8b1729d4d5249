//! Which counters a use counts in.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::counter::begins_anew;
use super::{CounterKey, CounterKind, Dimension, Facts, Said, Track, Tracks, period};
use crate::money::Currency;
use crate::period::Recurrence;

/// Which counters a use counts in; the parts of their keys that only the moment of the use can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Periods of the owner's uses and money. The empty one is for ever; every use counts in it, but for those from before
    /// that was so.
    #[serde(rename = "u", default = "ever", skip_serializing_if = "is_ever", with = "words")]
    periods: Vec<String>,
    /// Counted for the customer.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    customer: bool,
    /// Periods in which it counted for the customer.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty", with = "words")]
    customer_periods: Vec<String>,
    /// Values for which it counted, by what, and in which periods.
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<CountedValue>,
}

/// A value for which a use counts, in a period or for ever. Written as `["place", "at-vienna", "m2026-07-01"]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Dimension, String, String)", into = "(Dimension, String, String)")]
pub struct CountedValue {
    /// By what.
    pub dimension: Dimension,
    /// Its value.
    pub value: String,
    /// The period, or empty.
    pub period: String,
}

impl From<(Dimension, String, String)> for CountedValue {
    fn from((dimension, value, period): (Dimension, String, String)) -> Self {
        Self { dimension, value, period }
    }
}

impl From<CountedValue> for (Dimension, String, String) {
    fn from(counted: CountedValue) -> Self {
        (counted.dimension, counted.value, counted.period)
    }
}

impl CountedValue {
    /// The counter of its uses.
    pub fn of_uses(&self, owner: &Arc<str>) -> CounterKey {
        let subject = format!("{}={}", self.dimension, self.value).into();
        let period = self.period.as_str().into();
        CounterKey { kind: CounterKind::ValueUses, owner: owner.clone(), subject, period }
    }

    /// The counter of its money.
    pub fn of_money(&self, owner: &Arc<str>, currency: Currency) -> CounterKey {
        let subject = format!("{} {}={}", currency.code(), self.dimension, self.value).into();
        CounterKey { kind: CounterKind::ValueBudget, subject, ..self.of_uses(owner) }
    }
}

fn ever() -> Vec<String> {
    vec![String::new()]
}

fn is_ever(periods: &Vec<String>) -> bool {
    *periods == ever()
}

/// One word is stored as itself, as it was when there could be only one.
mod words {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        One(String),
        Many(Vec<String>),
    }

    pub fn serialize<S: Serializer>(words: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        if let [one] = words { one.serialize(serializer) } else { words.serialize(serializer) }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        Ok(match Words::deserialize(deserializer)? {
            Words::One(one) => vec![one],
            Words::Many(many) => many,
        })
    }
}

impl Default for Counted {
    fn default() -> Self {
        Self { periods: ever(), customer: false, customer_periods: Vec::new(), values: Vec::new() }
    }
}

impl Counted {
    /// In what the use of an order at `now` counts where uses are counted in `tracks`. What the order does not say it is
    /// not counted by.
    pub fn of(tracks: &Tracks, facts: Facts<'_>, now: Timestamp, zone: &TimeZone) -> Self {
        let mut counted = Self::default();
        for track in tracks.iter() {
            let name = |recurrence| period(recurrence, now, zone);
            match track {
                Track::Period(recurrence) => counted.periods.push(name(*recurrence)),
                Track::Customer(_) if !facts.known => {}
                Track::Customer(None) => counted.customer = true,
                Track::Customer(Some(recurrence)) => counted.customer_periods.push(name(*recurrence)),
                Track::Value(dimension, recurrence) => {
                    let period = recurrence.map(name).unwrap_or_default();
                    counted.values.extend(facts.values(dimension).map(|value| {
                        let (dimension, value) = (dimension.clone(), value.to_owned());
                        CountedValue { dimension, value, period: period.clone() }
                    }));
                }
            }
        }
        counted
    }

    /// The values by which a limit that starts anew with `recurrence` is judged.
    pub fn values(
        &self,
        dimension: &Dimension,
        recurrence: Option<Recurrence>,
    ) -> impl Iterator<Item = &CountedValue> {
        let judged =
            move |one: &&CountedValue| one.dimension == *dimension && begins_anew(&one.period) == recurrence;
        self.values.iter().filter(judged)
    }

    /// What an order that counts so says of itself, as far as it is counted by.
    pub fn said(&self) -> Said {
        let mut said = Said::default();
        self.values.iter().for_each(|one| said.add(&one.dimension, &one.value));
        said
    }

    /// Neither a period nor a customer nor a value.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whatever it counts in that `other` does not.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let missing = |ours: &[String], theirs: &[String]| {
            ours.iter().filter(|name| !theirs.contains(name)).cloned().collect()
        };
        Self {
            periods: missing(&self.periods, &other.periods),
            customer: self.customer && !other.customer,
            customer_periods: missing(&self.customer_periods, &other.customer_periods),
            values: self.values.iter().filter(|one| !other.values.contains(one)).cloned().collect(),
        }
    }

    /// Counts in what `more` counts in too, and in nothing twice.
    pub fn add(&mut self, more: &Self) {
        let more = more.without(self);
        self.periods.extend(more.periods);
        self.customer |= more.customer;
        self.customer_periods.extend(more.customer_periods);
        self.values.extend(more.values);
    }

    /// The keys of the counters of `owner`, by kind. `subject` is whoever counts as the customer.
    pub fn keys(&self, owner: &Arc<str>, currency: Currency, subject: Option<&Arc<str>>) -> Vec<CounterKey> {
        let nothing: Arc<str> = Arc::from("");
        let mut keys = Vec::with_capacity(4);
        let mut add = |kind, subject: &Arc<str>, period: &str| {
            let period = if period.is_empty() { nothing.clone() } else { period.into() };
            keys.push(CounterKey { kind, owner: owner.clone(), subject: subject.clone(), period });
        };
        self.periods.iter().for_each(|period| add(CounterKind::Uses, &nothing, period));
        let money: Arc<str> = currency.code().into();
        self.periods.iter().for_each(|period| add(CounterKind::Budget, &money, period));
        if let Some(subject) = subject {
            if self.customer {
                add(CounterKind::Customer, subject, "");
            }
            self.customer_periods.iter().for_each(|period| add(CounterKind::CustomerPeriod, subject, period));
        }
        keys.extend(self.values.iter().map(|one| one.of_uses(owner)));
        keys.extend(self.values.iter().map(|one| one.of_money(owner, currency)));
        keys
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn vienna() -> TimeZone {
        TimeZone::get("Europe/Vienna").unwrap()
    }

    static NOTHING: BTreeMap<String, String> = BTreeMap::new();
    const NOBODY: Facts<'static> = Facts { known: false, place: "", attributes: &NOTHING, segments: &[] };
    const SOMEBODY: Facts<'static> = Facts { known: true, ..NOBODY };

    fn late_in_june() -> Timestamp {
        "2026-06-30T22:30:00Z".parse().unwrap()
    }

    #[test]
    fn a_use_counts_for_its_customer_only_where_somebody_is_named() {
        let tracks = Tracks::parse("m c cd");
        let named = Counted::of(&tracks, SOMEBODY, late_in_june(), &vienna());
        let json = serde_json::to_string(&named).unwrap();
        assert_eq!(json, r#"{"u":["","m2026-07-01"],"c":true,"p":"d2026-07-01"}"#);
        assert_eq!(serde_json::from_str::<Counted>(&json).unwrap(), named);
        let nobody = Counted::of(&tracks, NOBODY, late_in_june(), &vienna());
        assert_eq!(serde_json::to_string(&nobody).unwrap(), r#"{"u":["","m2026-07-01"]}"#);
        assert!(Counted::of(&Tracks::default(), SOMEBODY, late_in_june(), &vienna()).is_plain());
    }

    #[test]
    fn a_use_from_before_every_use_counted_for_ever_counts_in_its_period_alone() {
        let stored = r#"{"u":"m2026-07-01","p":"d2026-07-01"}"#;
        let old: Counted = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&old).unwrap(), stored);
        let keys = old.keys(&"spring".into(), Currency::new("EUR").unwrap(), None);
        assert!(keys.iter().all(|key| &*key.period == "m2026-07-01") && keys.len() == 2);
        assert_eq!(serde_json::from_str::<Counted>("{}").unwrap(), Counted::default());
    }

    #[test]
    fn what_a_use_lacks_is_added_and_nothing_twice() {
        let at = |tracks| Counted::of(&Tracks::parse(tracks), SOMEBODY, late_in_june(), &vienna());
        let mut counted = at("m");
        let lacks = at("m y c cw").without(&counted);
        let keys = lacks.keys(&"spring".into(), Currency::new("EUR").unwrap(), Some(&"c/7".into()));
        let told: Vec<(i64, &str)> = keys.iter().map(|key| (key.kind.number(), &*key.period)).collect();
        assert_eq!(told, [(1, "y2026-01-01"), (2, "y2026-01-01"), (3, ""), (4, "w2026-06-29")]);
        counted.add(&at("m y c cw"));
        counted.add(&lacks);
        assert_eq!(counted, at("m y c cw"));
    }

    #[test]
    fn the_keys_of_a_use_are_in_lock_order() {
        let tracks = Tracks::parse("m c cd v:place vm:place v:medium");
        let counted = Counted::of(&tracks, Facts { place: "at", ..SOMEBODY }, late_in_june(), &vienna());
        let eur = Currency::new("EUR").unwrap();
        let keys = counted.keys(&"spring".into(), eur, Some(&"c/7".into()));
        let told: Vec<(i64, &str, &str)> =
            keys.iter().map(|key| (key.kind.number(), &*key.subject, &*key.period)).collect();
        let wanted = [
            (1, "", ""),
            (1, "", "m2026-07-01"),
            (2, "EUR", ""),
            (2, "EUR", "m2026-07-01"),
            (3, "c/7", ""),
            (4, "c/7", "d2026-07-01"),
            (5, "place=at", ""),
            (5, "place=at", "m2026-07-01"),
            (6, "EUR place=at", ""),
            (6, "EUR place=at", "m2026-07-01"),
        ];
        assert_eq!(told, wanted);
        assert!(keys.is_sorted() && keys.iter().all(|key| &*key.owner == "spring"));
        assert_eq!(keys[0], CounterKey::of_uses(&"spring".into()));
        assert_eq!(counted.keys(&"spring".into(), eur, None).len(), 8, "nobody has no counter");
    }

    #[test]
    fn a_use_counts_for_each_segment_that_its_customer_is_in() {
        let segments = ["students".to_owned(), "teachers".to_owned()];
        let facts = Facts { segments: &segments, ..SOMEBODY };
        let tracks = Tracks::parse("v:segment vm:segment");
        let counted = Counted::of(&tracks, facts, late_in_june(), &vienna());
        let keys = counted.keys(&"spring".into(), Currency::new("EUR").unwrap(), None);
        let told: Vec<(&str, &str)> = keys.iter().map(|key| (&*key.subject, &*key.period)).collect();
        for value in [
            ("segment=students", ""),
            ("segment=teachers", "m2026-07-01"),
            ("EUR segment=students", "m2026-07-01"),
            ("EUR segment=teachers", ""),
        ] {
            assert!(told.contains(&value), "{value:?}");
        }
        assert_eq!(keys.len(), 2 + 4 + 4);
        assert_eq!(counted.said().segments, segments, "each once, whatever begins anew");
        assert_eq!(counted.values(&Dimension::Segment, Some(Recurrence::Month)).count(), 2);
    }

    #[test]
    fn a_use_says_for_which_values_it_counted() {
        let attributes = BTreeMap::from([("till".to_owned(), "7".to_owned())]);
        let facts = Facts { place: "at", attributes: &attributes, ..NOBODY };
        let of = |tracks| Counted::of(&Tracks::parse(tracks), facts, late_in_june(), &vienna());
        let counted = of("v:place vm:attribute.till v:medium");
        let json = serde_json::to_string(&counted).unwrap();
        assert_eq!(json, r#"{"v":[["place","at",""],["attribute.till","7","m2026-07-01"]]}"#);
        assert_eq!(serde_json::from_str::<Counted>(&json).unwrap(), counted);
        let said = Said { place: "at".to_owned(), attributes: attributes.clone(), segments: Vec::new() };
        assert_eq!(counted.said(), said);
        let judged = |dimension: &Dimension, recurrence| {
            let values = counted.values(dimension, recurrence).map(|one| one.value.clone());
            values.collect::<Vec<_>>()
        };
        let till = Dimension::Attribute("till".into());
        assert_eq!(judged(&Dimension::Place, None), ["at"]);
        assert_eq!(judged(&till, Some(Recurrence::Month)), ["7"]);
        assert!(judged(&till, None).is_empty(), "the limit starts anew otherwise");
        assert!(judged(&Dimension::Medium, None).is_empty(), "the order has no medium");
        let keys = counted.keys(&"spring".into(), Currency::new("EUR").unwrap(), None);
        let by = |dimension: &Dimension| keys.iter().filter(|key| key.counts_by(dimension)).count();
        let longer = Dimension::Attribute("till.x".into());
        assert_eq!((by(&Dimension::Place), by(&till), by(&longer), by(&Dimension::Medium)), (1, 1, 0, 0));
        let lacks = of("v:place vm:place").without(&counted);
        let mut both = counted.clone();
        both.add(&lacks);
        both.add(&lacks);
        assert_eq!(both.keys(&"spring".into(), Currency::new("EUR").unwrap(), None).len(), 2 + 6);
    }
}
