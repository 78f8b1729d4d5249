//! The order of a list, and a place in it.

use jiff::Timestamp;

use crate::fault::Violations;

/// What every resource has.
#[derive(Debug, Clone, Copy)]
pub struct Stem<'a> {
    /// Its id within the tenant.
    pub id: &'a str,
    /// Counts its changes from 1.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
}

/// Sorts behind every id, whose characters are visible ASCII.
const BEHIND: &str = "\u{7f}";

/// By what a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id.
    Name,
    /// By id, descending.
    NameDescending,
    /// By time of creation, then id.
    Time,
    /// By time of creation, then id, both descending.
    TimeDescending,
}

impl Order {
    /// Reads `order_by`.
    pub(super) fn read(v: &mut Violations, text: &str) -> Self {
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] | ["name"] | ["name", "asc"] => Self::Name,
            ["name", "desc"] => Self::NameDescending,
            ["create_time"] | ["create_time", "asc"] => Self::Time,
            ["create_time", "desc"] => Self::TimeDescending,
            _ => {
                v.add("order_by", "must be `name` or `create_time`, with ` desc` for descending");
                Self::Name
            }
        }
    }

    /// Before the first row.
    pub(super) fn start(self) -> Position {
        match self {
            Self::Name | Self::Time => Position { created: Timestamp::UNIX_EPOCH, id: String::new() },
            Self::NameDescending | Self::TimeDescending => Position { created: FAR, id: BEHIND.to_owned() },
        }
    }
}

/// Later than any row, and kept by both databases.
const FAR: Timestamp = Timestamp::constant(253_402_000_000, 0);

/// The place of a row in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// When it was created.
    pub created: Timestamp,
    /// Its id.
    pub id: String,
}

impl Position {
    /// Of a resource.
    pub(super) fn of(stem: Stem<'_>) -> Self {
        Self { created: stem.created, id: stem.id.to_owned() }
    }

    pub(super) fn keys(&self) -> [String; 2] {
        [self.created.as_microsecond().to_string(), self.id.clone()]
    }

    pub(super) fn of_keys(keys: &[String]) -> Option<Self> {
        let [created, id] = keys else { return None };
        Some(Self { created: Timestamp::from_microsecond(created.parse().ok()?).ok()?, id: id.clone() })
    }
}
