//! Limits that hold for every value of something that an order says of itself: "2,000.00 per store".

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Budget, Limits};
use crate::money::{Amounts, Currency};

/// The attribute of an order that names its medium.
pub const MEDIUM: &str = "medium";
/// Limits per value that stand side by side at most.
pub const MAX_PER_VALUE: usize = 5;
/// Characters of the key of an attribute by which is counted at most.
pub const MAX_ATTRIBUTE: usize = 64;

const SEGMENT: &str = "segment";
const ATTRIBUTE: &str = "attribute.";

/// By what of an order uses are counted apart. An order has one value of it, or none; of segments it may have several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Where it is placed.
    Place,
    /// Its attribute [`MEDIUM`].
    Medium,
    /// The segments of the owner's audience that its customer is in: it counts for each of them.
    Segment,
    /// Its attribute of this key, which passes [`Dimension::is_key`].
    Attribute(String),
}

impl Dimension {
    /// Whether uses can be counted by the attribute of this key: it becomes a part of words that are stored.
    pub fn is_key(key: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        (1..=MAX_ATTRIBUTE).contains(&key.len()) && key.bytes().all(plain)
    }

    /// The attribute of the order that it is; `None`: it is none.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::Place | Self::Segment => None,
            Self::Medium => Some(MEDIUM),
            Self::Attribute(key) => Some(key),
        }
    }

    /// Whether an order says it of itself even where no limit asks for it.
    pub fn is_always_said(&self) -> bool {
        *self == Self::Place
    }
}

/// As it is stored, without a space, a colon or an equals sign.
impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place => f.write_str("place"),
            Self::Medium => f.write_str(MEDIUM),
            Self::Segment => f.write_str(SEGMENT),
            Self::Attribute(key) => write!(f, "{ATTRIBUTE}{key}"),
        }
    }
}

/// A word that is no dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoDimension;

impl fmt::Display for NoDimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no dimension of a limit")
    }
}

impl FromStr for Dimension {
    type Err = NoDimension;

    fn from_str(word: &str) -> Result<Self, NoDimension> {
        match word {
            "place" => Ok(Self::Place),
            MEDIUM => Ok(Self::Medium),
            SEGMENT => Ok(Self::Segment),
            _ => {
                let key = word.strip_prefix(ATTRIBUTE).filter(|key| Self::is_key(key));
                key.map(|key| Self::Attribute(key.to_owned())).ok_or(NoDimension)
            }
        }
    }
}

impl Serialize for Dimension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dimension {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A limit of every single value. Starts anew, and gives way, as the [`Limits`] do that it is among.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueLimit {
    /// Of what.
    pub dimension: Dimension,
    /// Uses, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<i64>,
    /// Money given away; each above 0.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    pub budgets: Amounts,
}

impl ValueLimit {
    /// The budget of one value in `currency`.
    pub fn budget(&self, currency: Currency) -> Budget {
        Budget::of(&self.budgets, currency)
    }
}

/// What is known of an order, as far as limits count by it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// A customer or a guest is named.
    pub known: bool,
    /// Where it is placed, or empty.
    pub place: &'f str,
    /// Those of its attributes that limits ask for, or all.
    pub attributes: &'f BTreeMap<String, String>,
    /// The segments of the owner's audience that its customer is in.
    pub segments: &'f [String],
}

impl<'f> Facts<'f> {
    /// The values that the order has of a dimension. An empty one is none.
    pub fn values(&self, dimension: &Dimension) -> impl Iterator<Item = &'f str> + use<'f> {
        let (one, segments): (Option<&str>, &[String]) = match dimension {
            Dimension::Place => (Some(self.place), &[]),
            Dimension::Segment => (None, self.segments),
            Dimension::Medium | Dimension::Attribute(_) => {
                let value = dimension.attribute().and_then(|key| self.attributes.get(key));
                (value.map(String::as_str), &[])
            }
        };
        one.into_iter().chain(segments.iter().map(String::as_str)).filter(|value| !value.is_empty())
    }
}

/// What an order that was counted by values said of itself, as far as it was counted by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Where it was placed, or empty.
    pub place: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// The segments of the owner's audience that its customer was in.
    pub segments: Vec<String>,
}

impl Said {
    /// Takes in one value.
    pub(super) fn add(&mut self, dimension: &Dimension, value: &str) {
        match dimension {
            Dimension::Place => value.clone_into(&mut self.place),
            Dimension::Segment if self.segments.iter().any(|known| known == value) => {}
            Dimension::Segment => self.segments.push(value.to_owned()),
            Dimension::Medium | Dimension::Attribute(_) => {
                let key = dimension.attribute().unwrap_or_default();
                self.attributes.insert(key.to_owned(), value.to_owned());
            }
        }
    }

    /// The same, to count by; `known`: a customer or a guest was named.
    pub fn facts(&self, known: bool) -> Facts<'_> {
        let Self { place, attributes, segments } = self;
        Facts { known, place, attributes, segments }
    }
}

impl Limits {
    /// The attributes of an order that have to be known to count by them.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.per_value.iter().filter_map(|limit| limit.dimension.attribute())
    }

    /// Whether they count by this.
    pub fn count_by(&self, dimension: &Dimension) -> bool {
        self.per_value.iter().any(|limit| limit.dimension == *dimension)
    }

    /// The first thing that is counted by and that an order does not say.
    pub fn lacks(&self, facts: Facts<'_>) -> Option<&Dimension> {
        self.per_value
            .iter()
            .map(|limit| &limit.dimension)
            .find(|dimension| facts.values(dimension).next().is_none())
    }

    /// By what it is limited that `before` is not.
    pub fn new_dimensions<'l>(&'l self, before: Option<&'l Self>) -> impl Iterator<Item = &'l Dimension> {
        let had = move |dimension: &Dimension| before.is_some_and(|before| before.count_by(dimension));
        self.per_value.iter().map(|limit| &limit.dimension).filter(move |dimension| !had(dimension))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_is_stored_as_a_word_and_read_back() {
        let key = Dimension::Attribute("sales.channel-2_x".into());
        for dimension in [Dimension::Place, Dimension::Medium, Dimension::Segment, key] {
            let json = serde_json::to_string(&dimension).unwrap();
            assert_eq!(serde_json::from_str::<Dimension>(&json).unwrap(), dimension);
        }
        for word in ["", "attribute.", "attribute.a b", "attribute.a:b", "attribute.a=b", "store"] {
            assert_eq!(word.parse::<Dimension>(), Err(NoDimension), "{word}");
        }
        assert!(!Dimension::is_key(&"x".repeat(MAX_ATTRIBUTE + 1)));
    }

    #[test]
    fn an_order_has_the_values_that_it_says() {
        fn values<'f>(facts: Facts<'f>, dimension: Dimension) -> Vec<&'f str> {
            facts.values(&dimension).collect()
        }
        let attributes =
            BTreeMap::from([("medium".to_owned(), "app".to_owned()), ("till".to_owned(), String::new())]);
        let facts = Facts { known: false, place: "", attributes: &attributes, segments: &[] };

        assert_eq!(values(facts, Dimension::Medium), ["app"]);
        assert!(values(facts, Dimension::Place).is_empty());
        assert!(values(facts, Dimension::Segment).is_empty());
        assert!(values(facts, Dimension::Attribute("till".into())).is_empty());
        assert!(values(facts, Dimension::Attribute("desk".into())).is_empty());
        assert_eq!(values(Facts { place: "at", ..facts }, Dimension::Place), ["at"]);
        let segments = ["students".to_owned(), "teachers".to_owned()];
        assert_eq!(values(Facts { segments: &segments, ..facts }, Dimension::Segment), segments);
    }
}
