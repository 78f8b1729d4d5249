//! Operational campaigns: short actions that realise one objective, adapt while they run, and end.
//!
//! - What a campaign is at a moment follows from the last step taken by hand, its window `[start, end)` and the clock
//!   ([`lifecycle`]): SCHEDULED becomes RUNNING and RUNNING becomes ENDED by themselves. No job is needed, and a late
//!   one cannot do harm.
//! - What it offers is its marketing [`mix`]. Mixes are kept as immutable [`revisions`], each in effect from a moment on;
//!   a draft's mix is changed by an update, later ones only by adapting.
//! - Its window is at most so many days long. One that has begun can only move its end, and never into the past.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tandem_kernel::id;
use tandem_kernel::limits::Limits;
use tandem_kernel::money::{Amounts, Money};
use tandem_kernel::period::Zone;
use tandem_kernel::problem::Problem;
use tandem_platform::resource::{Field, Maps, Resource, Stem, Table};

mod audience;
pub mod commands;
pub mod events;
pub mod lifecycle;
pub mod limits;
pub mod mix;
pub mod revisions;
pub mod rpc;
pub mod store;
#[cfg(test)]
mod tests;

pub use lifecycle::{Life, Move, Phase, PhaseKind, State, Step};
pub use mix::Mix;
pub use revisions::Revision;

/// The first part of every campaign's name.
pub const COLLECTION: &str = "campaigns";

/// An operational campaign without its mix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its id within the tenant.
    pub id: String,
    /// What its owner says of it.
    pub definition: Definition,
    /// What was done to it by hand.
    pub life: Life,
    /// The newest revision of its mix, which may come into effect later.
    pub latest_revision: i64,
    /// It was a draft and is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Counts its changes from 1.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// What the owner of a campaign says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// For people.
    pub display_name: String,
    /// For people, longer.
    pub description: String,
    /// The id of the objective it realises.
    pub objective: String,
    /// When it runs.
    pub window: Window,
    /// The zone its window was meant in and recurring limits reset in.
    pub zone: Zone,
    /// Ids of segments, any of them; empty: everyone.
    pub segments: Vec<String>,
    /// What it may cost in all.
    pub budgets: Amounts,
    /// Over all its offers together.
    pub limits: Limits,
    /// For callers.
    pub labels: BTreeMap<String, String>,
}

/// `[start, end)`, both given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Inclusive.
    pub start: Timestamp,
    /// Exclusive; later than `start`.
    pub end: Timestamp,
}

impl Window {
    /// Whether `at` is within.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

/// What the owner of a campaign says of it, and its mix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// What does not change with its revisions.
    pub definition: Definition,
    /// The whole mix.
    pub mix: Mix,
}

impl Maps for Draft {}

/// What an update may name.
pub const FIELDS: &[Field<Draft>] = &[
    ("display_name", |to, from| to.definition.display_name.clone_from(&from.definition.display_name)),
    ("description", |to, from| to.definition.description.clone_from(&from.definition.description)),
    ("objective", |to, from| to.definition.objective.clone_from(&from.definition.objective)),
    ("window", |to, from| to.definition.window = from.definition.window),
    ("time_zone", |to, from| to.definition.zone.clone_from(&from.definition.zone)),
    ("segments", |to, from| to.definition.segments.clone_from(&from.definition.segments)),
    ("budgets", |to, from| to.definition.budgets.clone_from(&from.definition.budgets)),
    ("limits", |to, from| to.definition.limits.clone_from(&from.definition.limits)),
    ("mix", |to, from| to.mix.clone_from(&from.mix)),
    ("labels", |to, from| to.definition.labels.clone_from(&from.definition.labels)),
];

/// Why a rule of campaigns refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Its state does not allow this.
    WrongState {
        /// The state.
        state: State,
        /// What was to be done: "be paused".
        wanted: &'static str,
    },
    /// Its window lies in the past.
    WindowOver,
    /// Its window is longer than allowed.
    WindowTooLong {
        /// So many days are allowed.
        limit_days: u32,
    },
    /// Its mix lacks what a launch needs.
    MixIncomplete(Vec<Problem>),
    /// A revision would take effect before the one before it, before now, or outside the window.
    RevisionOutOfOrder(&'static str),
    /// The change contradicts what is stored; fields as in the campaign.
    Invalid(Vec<Problem>),
}

/// A campaign and the revision of its mix that is in effect at a moment: what a caller is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The campaign.
    pub campaign: Campaign,
    /// In effect at `at`.
    pub revision: Revision,
    /// The moment.
    pub at: Timestamp,
}

impl View {
    /// The state at that moment.
    pub fn state(&self) -> State {
        self.campaign.state(self.at)
    }
}

impl Campaign {
    /// A new draft. `after` is the version that a deleted draft of the same id had come to, else 0.
    pub fn create(
        id: String,
        definition: Definition,
        limit_days: u32,
        after: i64,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        not_too_long(definition.window, limit_days)?;
        let (latest_revision, version) = (1, after + 1);
        Ok(Self { id, definition, latest_revision, version, created: now, updated: now, ..Self::default() })
    }

    /// What it is at `at`.
    pub fn state(&self, at: Timestamp) -> State {
        self.life.state(self.definition.window, at)
    }

    /// When it was launched first, as known at `at`.
    pub fn launched(&self, at: Timestamp) -> Option<Timestamp> {
        self.life.launched(self.definition.window, at)
    }

    /// After an update to `draft`: the same where nothing differs, else the next version, with a new revision where the mix
    /// of a draft is another. `revisions` are the one in effect and those to come. A mix that can no longer be changed is
    /// left as it is, unless the update names it.
    pub fn update(
        &self,
        revisions: &[Revision],
        draft: Draft,
        names_mix: bool,
        author: &str,
        limit_days: u32,
        now: Timestamp,
    ) -> Result<(Self, Option<Revision>), Refusal> {
        let state = self.state(now);
        if state.is_over() {
            return Err(Refusal::WrongState { state, wanted: "be changed" });
        }
        let Draft { definition, mix } = draft;
        if definition.window != self.definition.window {
            self.move_window(definition.window, revisions, limit_days, now)?;
        }
        let revision = self.redraft(revisions, mix, names_mix, author, now)?;
        // A draft's new mix takes the place of the old one; otherwise all that is and all that comes must fit.
        let standing = revision.as_ref().map_or(revisions, std::slice::from_ref);
        let outside = standing.iter().flat_map(|revision| revision.mix.outside(definition.window));
        let mut problems: Vec<Problem> = outside.collect();
        if !problems.is_empty() && (revision.is_some() || definition.window != self.definition.window) {
            problems.iter_mut().for_each(|problem| problem.field.insert_str(0, "campaign.mix."));
            return Err(Refusal::Invalid(problems));
        }
        let audiences = standing.iter().flat_map(|revision| audience::problems(&definition, &revision.mix));
        let mut problems: Vec<Problem> = audiences.collect();
        if !problems.is_empty() {
            problems.iter_mut().for_each(|problem| problem.field.insert_str(0, "campaign."));
            problems.dedup();
            return Err(Refusal::Invalid(problems));
        }
        if definition == self.definition && revision.is_none() {
            return Ok((self.clone(), None));
        }
        let latest_revision = revision.as_ref().map_or(self.latest_revision, |revision| revision.revision);
        let version = self.version + 1;
        Ok((Self { definition, latest_revision, version, updated: now, ..self.clone() }, revision))
    }

    fn redraft(
        &self,
        revisions: &[Revision],
        mix: Mix,
        named: bool,
        author: &str,
        now: Timestamp,
    ) -> Result<Option<Revision>, Refusal> {
        let Some(newest) = revisions.last() else { return Ok(None) };
        match self.state(now) {
            State::Draft if mix == newest.mix => Ok(None),
            State::Draft => Ok(Some(newest.redraft(mix, author, now))),
            state if named => Err(Refusal::WrongState { state, wanted: "have its mix updated: adapt it" }),
            _ => Ok(None),
        }
    }

    fn move_window(
        &self,
        window: Window,
        revisions: &[Revision],
        limit_days: u32,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let before = self.definition.window;
        let drafted = self.life.step == Step::Draft;
        if !drafted && before.start <= now && window.start != before.start {
            let message = "has begun: only the end of the window can be moved";
            return Err(Refusal::Invalid(vec![Problem::new("campaign.window.start_time", message)]));
        }
        if !drafted && window.end <= now {
            return Err(Refusal::WindowOver);
        }
        not_too_long(window, limit_days)?;
        let mut coming =
            revisions.iter().map(|revision| revision.effective).filter(|effective| *effective > now);
        if coming.any(|effective| !window.contains(effective)) {
            return Err(Refusal::RevisionOutOfOrder(
                "a coming mix revision would take effect outside the window",
            ));
        }
        Ok(())
    }

    /// The same after a step by hand, as the next version.
    pub fn step(&self, wanted: Move, mix: &Mix, limit_days: u32, now: Timestamp) -> Result<Self, Refusal> {
        let mut definition = self.definition.clone();
        if wanted == Move::Launch {
            definition.window.start = now;
        }
        let life = self.life.step(wanted, self.definition.window, now)?;
        if wanted.needs_mix() {
            not_too_long(definition.window, limit_days)?;
            let missing = mix.missing();
            if !missing.is_empty() {
                return Err(Refusal::MixIncomplete(missing));
            }
        }
        Ok(Self { definition, life, version: self.version + 1, updated: now, ..self.clone() })
    }

    /// The same with one revision more, as the next version.
    #[must_use]
    pub fn revise(&self, revision: &Revision, now: Timestamp) -> Self {
        Self { latest_revision: revision.revision, version: self.version + 1, updated: now, ..self.clone() }
    }

    /// The same, gone, as the last version: only a draft.
    pub fn delete(&self, now: Timestamp) -> Result<Self, Refusal> {
        match self.state(now) {
            State::Draft => {
                Ok(Self { deleted: true, version: self.version + 1, updated: now, ..self.clone() })
            }
            state => Err(Refusal::WrongState { state, wanted: "be deleted" }),
        }
    }
}

impl Resource for Campaign {
    const COLLECTION: &'static str = COLLECTION;
    const TABLE: &'static Table<Self> = &store::CAMPAIGNS;

    fn stem(&self) -> Stem<'_> {
        Stem { id: &self.id, version: self.version, created: self.created }
    }
}

fn not_too_long(window: Window, limit_days: u32) -> Result<(), Refusal> {
    let limit = SignedDuration::from_hours(24 * i64::from(limit_days));
    if window.end.duration_since(window.start) > limit {
        Err(Refusal::WindowTooLong { limit_days })
    } else {
        Ok(())
    }
}

/// What the offers of a campaign may give together: its limits, and of its budgets what the media plan leaves. A
/// currency that no budget lists has none, and discounts do not apply in it.
pub fn discount_limits(limits: &Limits, budgets: &Amounts, mix: &Mix) -> Limits {
    if budgets.is_empty() {
        return limits.clone();
    }
    let planned = |currency| {
        let spends = mix.promotion.placements.iter().filter_map(|placement| placement.planned_spend);
        spends.filter(|spend| spend.currency == currency).map(|spend| spend.minor).sum::<i64>()
    };
    let left = budgets.iter().filter_map(|budget| {
        let left = (budget.minor - planned(budget.currency)).max(0);
        let own = if limits.budgets.is_empty() { Some(left) } else { limits.budgets.get(budget.currency) };
        Some(Money { minor: left.min(own?), ..*budget })
    });
    let mut left: Vec<Money> = left.collect();
    if left.is_empty() {
        // No currency has both: nothing may be given in any, which is not the same as no budget at all.
        left.extend(budgets.iter().map(|budget| Money { minor: 0, ..*budget }));
    }
    // Sorted and each once, as the budgets are.
    Limits { budgets: Amounts::new(left).unwrap_or_default(), ..limits.clone() }
}

/// The resource name of an id.
pub fn name(id: &str) -> String {
    id::name(COLLECTION, id)
}

/// The resource name of a revision.
pub fn revision_name(id: &str, revision: i64) -> String {
    id::path(&[(COLLECTION, id), ("mixRevisions", &revision.to_string())])
}
