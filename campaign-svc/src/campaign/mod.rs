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
use tandem_platform::resource::{Resource, Stem, Table};

pub mod commands;
pub mod events;
pub mod lifecycle;
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

/// The fields an update writes; none leaves as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// For people.
    pub display_name: Option<String>,
    /// For people, longer.
    pub description: Option<String>,
    /// The id of the objective it realises.
    pub objective: Option<String>,
    /// When it runs.
    pub window: Option<Window>,
    /// The zone its window was meant in.
    pub zone: Option<Zone>,
    /// Ids of segments.
    pub segments: Option<Vec<String>>,
    /// What it may cost in all.
    pub budgets: Option<Amounts>,
    /// Over all its offers together.
    pub limits: Option<Limits>,
    /// For callers.
    pub labels: Option<BTreeMap<String, String>>,
    /// A draft's mix.
    pub mix: Option<MixChange>,
}

/// Another mix in an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MixChange {
    /// The whole mix.
    pub mix: Mix,
    /// The update names the field. Where it only means "every field", a mix that can no longer be changed is left as it
    /// is.
    pub named: bool,
}

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

impl Definition {
    /// With the fields of `change`, its mix left out.
    #[must_use]
    pub fn with(mut self, change: Change) -> Self {
        let Change {
            display_name,
            description,
            objective,
            window,
            zone,
            segments,
            budgets,
            limits,
            labels,
            mix: _,
        } = change;
        self.display_name = display_name.unwrap_or(self.display_name);
        self.description = description.unwrap_or(self.description);
        self.objective = objective.unwrap_or(self.objective);
        self.window = window.unwrap_or(self.window);
        self.zone = zone.unwrap_or(self.zone);
        self.segments = segments.unwrap_or(self.segments);
        self.budgets = budgets.unwrap_or(self.budgets);
        self.limits = limits.unwrap_or(self.limits);
        self.labels = labels.unwrap_or(self.labels);
        self
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

    /// After an update: the same where nothing differs, else the next version, with a new revision where the mix of a
    /// draft is another. `revisions` are the one in effect and those to come.
    pub fn update(
        &self,
        revisions: &[Revision],
        change: &Change,
        author: &str,
        limit_days: u32,
        now: Timestamp,
    ) -> Result<(Self, Option<Revision>), Refusal> {
        let state = self.state(now);
        if state.is_over() {
            return Err(Refusal::WrongState { state, wanted: "be changed" });
        }
        let definition = self.definition.clone().with(change.clone());
        if definition.window != self.definition.window {
            self.move_window(definition.window, revisions, limit_days, now)?;
        }
        let revision = self.redraft(revisions, change.mix.as_ref(), author, now)?;
        // A draft's new mix takes the place of the old one; otherwise all that is and all that comes must fit.
        let standing = revision.as_ref().map_or(revisions, std::slice::from_ref);
        let outside = standing.iter().flat_map(|revision| revision.mix.outside(definition.window));
        let mut problems: Vec<Problem> = outside.collect();
        if !problems.is_empty() && (revision.is_some() || definition.window != self.definition.window) {
            problems.iter_mut().for_each(|problem| problem.field.insert_str(0, "campaign.mix."));
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
        change: Option<&MixChange>,
        author: &str,
        now: Timestamp,
    ) -> Result<Option<Revision>, Refusal> {
        let (Some(MixChange { mix, named }), Some(newest)) = (change, revisions.last()) else {
            return Ok(None);
        };
        match self.state(now) {
            State::Draft if *mix == newest.mix => Ok(None),
            State::Draft => Ok(Some(newest.redraft(mix.clone(), author, now))),
            state if *named => Err(Refusal::WrongState { state, wanted: "have its mix updated: adapt it" }),
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
    // Sorted and each once, as the budgets are.
    Limits { budgets: Amounts::new(left.collect()).unwrap_or_default(), ..limits.clone() }
}

/// The resource name of an id.
pub fn name(id: &str) -> String {
    id::name(COLLECTION, id)
}

/// The resource name of a revision.
pub fn revision_name(id: &str, revision: i64) -> String {
    id::path(&[(COLLECTION, id), ("mixRevisions", &revision.to_string())])
}
