//! In what the uses of one owner are counted beside what every use counts in: its number and its money, ever.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Dimension, Limits};
use crate::period::Recurrence;

/// One way of counting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Track {
    /// Number and money, anew in every period.
    Period(Recurrence),
    /// The number by customer; where there is a recurrence, anew in every period.
    Customer(Option<Recurrence>),
    /// Number and money by the value that an order has; where there is a recurrence, anew in every period.
    Value(Dimension, Option<Recurrence>),
}

/// Ways of counting. What is counted once is counted for ever, so that a limit that was taken away and comes back finds
/// everything counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracks(BTreeSet<Track>);

impl Track {
    fn of_word(word: &str) -> Option<Self> {
        let recurrence = |letter: &str| {
            Recurrence::ALL
                .into_iter()
                .find(|recurrence| letter == recurrence.letter().encode_utf8(&mut [0; 4]))
        };
        if let Some((letter, dimension)) = word.strip_prefix('v').and_then(|word| word.split_once(':')) {
            let recurrence = if letter.is_empty() { None } else { Some(recurrence(letter)?) };
            return dimension.parse().ok().map(|dimension| Self::Value(dimension, recurrence));
        }
        match word.strip_prefix('c') {
            Some("") => Some(Self::Customer(None)),
            Some(period) => Some(Self::Customer(Some(recurrence(period)?))),
            None => Some(Self::Period(recurrence(word)?)),
        }
    }

    /// The recurrence that it begins anew with.
    pub fn recurrence(&self) -> Option<Recurrence> {
        match self {
            Self::Period(recurrence) => Some(*recurrence),
            Self::Customer(recurrence) | Self::Value(_, recurrence) => *recurrence,
        }
    }

    /// By what of an order it counts apart.
    pub fn dimension(&self) -> Option<&Dimension> {
        match self {
            Self::Value(dimension, _) => Some(dimension),
            Self::Period(_) | Self::Customer(_) => None,
        }
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Period(_) => {}
            Self::Customer(_) => f.write_str("c")?,
            Self::Value(..) => f.write_str("v")?,
        }
        self.recurrence().map_or(Ok(()), |recurrence| write!(f, "{}", recurrence.letter()))?;
        self.dimension().map_or(Ok(()), |dimension| write!(f, ":{dimension}"))
    }
}

impl Tracks {
    /// Those of a stored text; words that are none are passed over.
    pub fn parse(text: &str) -> Self {
        text.split(' ').filter_map(Track::of_word).collect()
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = &Track> {
        self.0.iter()
    }

    /// Those that pass.
    #[must_use]
    pub fn only(&self, pass: impl Fn(&Track) -> bool) -> Self {
        self.0.iter().filter(|track| pass(track)).cloned().collect()
    }

    /// Whether one of them counts by this.
    pub fn count_by(&self, dimension: &Dimension) -> bool {
        self.0.iter().any(|track| track.dimension() == Some(dimension))
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of `others` are among them.
    pub fn contain(&self, others: &Self) -> bool {
        self.0.is_superset(&others.0)
    }

    /// By what they count that an order says of itself only where a limit asks for it.
    pub fn only_asked(&self) -> Vec<Dimension> {
        let by = self.0.iter().filter_map(Track::dimension).filter(|by| !by.is_always_said());
        by.cloned().collect()
    }

    /// Those in which a use at `at` still matters at `now`: of what begins anew, where the same period runs.
    #[must_use]
    pub fn running(&self, at: Timestamp, now: Timestamp, zone: &TimeZone) -> Self {
        let runs = |track: &Track| {
            track.recurrence().is_none_or(|one| one.period_start(at, zone) == one.period_start(now, zone))
        };
        self.only(runs)
    }

    /// The beginning of the longest of their periods that run at `now`; `None` where something of them never begins anew.
    pub fn since(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.iter().map(|track| track.recurrence().map(|one| one.period_start(now, zone))).min().flatten()
    }

    /// These and `others`.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self(self.0.union(&others.0).cloned().collect())
    }

    /// These without `others`.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        Self(self.0.difference(&others.0).cloned().collect())
    }
}

impl FromIterator<Track> for Tracks {
    fn from_iter<T: IntoIterator<Item = Track>>(tracks: T) -> Self {
        Self(tracks.into_iter().collect())
    }
}

/// As it is stored.
impl fmt::Display for Tracks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, track) in self.0.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}{track}")?;
        }
        Ok(())
    }
}

impl Limits {
    /// In what uses have to be counted to judge these limits.
    pub fn tracks(&self) -> Tracks {
        let ever = self.max_uses_per_customer.map(|_| Track::Customer(None));
        let in_period = self.per_customer_period.map(|limit| Track::Customer(Some(limit.period)));
        let values =
            self.per_value.iter().map(|limit| Track::Value(limit.dimension.clone(), self.recurrence));
        self.recurrence.map(Track::Period).into_iter().chain(ever).chain(in_period).chain(values).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CustomerPeriod;

    #[test]
    fn ways_of_counting_are_stored_as_words_and_read_back() {
        let every =
            Recurrence::ALL.into_iter().flat_map(|one| [Track::Period(one), Track::Customer(Some(one))]);
        let key = Dimension::Attribute("till".into());
        let values = [Track::Value(Dimension::Place, Some(Recurrence::Month)), Track::Value(key, None)];
        let every: Tracks = every.chain([Track::Customer(None)]).chain(values).collect();
        assert_eq!(every.to_string(), "d w m y c cd cw cm cy vm:place v:attribute.till");
        assert_eq!(Tracks::parse(&every.to_string()), every);
        assert_eq!(Tracks::parse("m next-year c v:store vx:place v"), Tracks::parse("c m"));
        assert!(Tracks::parse("").is_empty() && Tracks::default().to_string().is_empty());
    }

    #[test]
    fn of_what_begins_anew_only_the_period_that_runs_matters() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (late, now) = (Tracks::parse("d m y c cw"), at("2026-07-03T12:00:00Z"));
        let running = |text| late.running(at(text), now, &TimeZone::UTC).to_string();
        assert_eq!(running("2026-07-03T00:00:00Z"), "d m y c cw");
        assert_eq!(running("2026-07-01T00:00:00Z"), "m y c cw");
        assert_eq!(running("2026-06-30T23:59:59Z"), "y c cw");
        assert_eq!(running("2025-12-31T23:59:59Z"), "c");
        assert_eq!(late.since(now, &TimeZone::UTC), None);
        let since = |words| Tracks::parse(words).since(now, &TimeZone::UTC);
        assert_eq!(since("d m cw"), Some(at("2026-06-29T00:00:00Z")));
        assert_eq!(since("d"), Some(at("2026-07-03T00:00:00Z")));
    }

    #[test]
    fn limits_say_in_what_uses_have_to_be_counted() {
        let limits = Limits {
            max_uses: Some(5),
            max_uses_per_customer: Some(2),
            per_customer_period: Some(CustomerPeriod { max_uses: 1, period: Recurrence::Week }),
            recurrence: Some(Recurrence::Year),
            ..Limits::default()
        };
        assert_eq!(limits.tracks().to_string(), "y c cw");
        assert!(Limits { max_uses: Some(5), ..Limits::default() }.tracks().is_empty());
    }
}
