//! What marketing wants to reach, in numbers and by when. Campaigns realise objectives.
//!
//! - REVENUE is counted in money and has a money target; every other metric counts and has a count as its target.
//! - Targets are above zero. The window may be open at either end.
//! - An ACTIVE objective can be changed and named by campaigns. Archiving is refused while a campaign that has not
//!   ended names it; an ARCHIVED one is closed for good, archiving it once more changes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::id;
use tandem_kernel::money::Money;
use tandem_kernel::period::Window;
use tandem_kernel::problem::Problem;
use tandem_platform::resource::{Field, Maps, Resource, Stem, Table};

pub mod commands;
pub mod events;
pub mod progress;
pub mod rpc;
pub mod store;
#[cfg(test)]
mod tests;

/// The first part of every objective's name.
pub const COLLECTION: &str = "objectives";

/// What an objective counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Metric {
    /// Order totals after discounts.
    #[default]
    Revenue,
    /// Orders.
    Orders,
    /// Redeemed vouchers.
    Redemptions,
    /// Different customers who redeemed.
    Customers,
}

/// Whether campaigns may still realise it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Campaigns may realise it.
    #[default]
    Active,
    /// Closed.
    Archived,
}

/// A strategic objective.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objective {
    /// Its id within the tenant.
    pub id: String,
    /// What its owner says of it.
    pub definition: Definition,
    /// Whether campaigns may still realise it.
    pub state: State,
    /// Counts its changes from 1.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// What the owner of an objective says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// For people.
    pub display_name: String,
    /// For people, longer.
    pub description: String,
    /// What it counts.
    pub metric: Metric,
    /// With [`Metric::Revenue`].
    pub target_money: Option<Money>,
    /// With every other metric; 0 is none.
    pub target_count: i64,
    /// When it is to be reached.
    pub window: Window,
    /// For callers.
    pub labels: BTreeMap<String, String>,
}

/// Why a rule of objectives refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is closed.
    Archived,
    /// Campaigns of these ids that have not ended name it.
    InUse(Vec<String>),
}

impl Maps for Definition {}

/// What an update may name.
pub const FIELDS: &[Field<Definition>] = &[
    ("display_name", |to, from| to.display_name.clone_from(&from.display_name)),
    ("description", |to, from| to.description.clone_from(&from.description)),
    ("metric", |to, from| to.metric = from.metric),
    ("target_money", |to, from| to.target_money = from.target_money),
    ("target_count", |to, from| to.target_count = from.target_count),
    ("window", |to, from| to.window = from.window.clone()),
    ("labels", |to, from| to.labels.clone_from(&from.labels)),
];

impl Definition {
    /// What does not fit together.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut unless = |right: bool, field: &str, message: &str| {
            if !right {
                problems.push(Problem::new(field, message));
            }
        };
        if self.metric == Metric::Revenue {
            let above_zero = self.target_money.is_some_and(|target| target.minor > 0);
            unless(above_zero, "target_money", "must be above 0 with REVENUE");
            unless(
                self.target_count == 0,
                "target_count",
                "must be 0 with REVENUE, whose target is target_money",
            );
        } else {
            unless(self.target_count > 0, "target_count", "must be above 0 with this metric");
            unless(self.target_money.is_none(), "target_money", "only with REVENUE");
        }
        problems
    }
}

impl Objective {
    /// A new one.
    pub fn create(id: String, definition: Definition, now: Timestamp) -> Self {
        Self { id, definition, state: State::Active, version: 1, created: now, updated: now }
    }

    /// The same with another definition, as the next version; itself, where that is the one it has.
    #[must_use]
    pub fn define(&self, definition: Definition, now: Timestamp) -> Self {
        if definition == self.definition {
            return self.clone();
        }
        Self { definition, version: self.version + 1, updated: now, ..self.clone() }
    }

    /// Whether campaigns may realise it, and its owner change it.
    pub fn active(&self) -> Result<(), Refusal> {
        if self.state == State::Active { Ok(()) } else { Err(Refusal::Archived) }
    }

    /// The same, closed, as the next version. `unended` are the campaigns that name it and have not ended.
    pub fn archive(&self, unended: Vec<String>, now: Timestamp) -> Result<Self, Refusal> {
        if !unended.is_empty() {
            return Err(Refusal::InUse(unended));
        }
        Ok(Self { state: State::Archived, version: self.version + 1, updated: now, ..self.clone() })
    }
}

impl Resource for Objective {
    const COLLECTION: &'static str = COLLECTION;
    const TABLE: &'static Table<Self> = &store::OBJECTIVES;

    fn stem(&self) -> Stem<'_> {
        Stem { id: &self.id, version: self.version, created: self.created }
    }
}

/// The resource name of an id.
pub fn name(id: &str) -> String {
    id::name(COLLECTION, id)
}
