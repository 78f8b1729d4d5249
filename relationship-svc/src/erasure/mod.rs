//! Everything that is held on one person: shown to them, or taken away.
//!
//! [`list`] names every column of the schema with what becomes of it, and how its table joins a person. Both the export and the
//! erasure follow it; a column that is not in it fails a test.
//!
//! # How somebody is erased
//! 1. In one transaction the person stops being known: the profile and what holds of their consents go, their addresses are
//!    suppressed, it is told ([`commands`]). This row of `erasure` says what is left to do.
//! 2. Step by step ([`Step`]), each in bounded transactions that write down how far they are, whatever still has the id gets the
//!    pseudonym in its place, and whatever is kept for a while (answers, events) loses their values. A process that ends in the
//!    midst of it goes on where it was.
//! 3. The event that tells others of the erasure has the id, because they know the person by nothing else; so has this row. When
//!    the event is as old as events are kept, both lose it.
//!
//! The pseudonym is a keyed hash of the id: the same for the same id, so that who comes back finds their limits as they stand
//! (both are judged together), and nothing else.

pub mod commands;
pub mod events;
pub mod export;
pub mod list;
pub mod look;
pub mod rpc;
pub mod scrub;
pub mod store;
pub mod tasks;
#[cfg(test)]
pub(crate) mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_platform::erasing::Went;
use uuid::Uuid;

pub use look::{ERASED, explained};

/// What is done one after the other once a person is not known any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What they said: kept under the pseudonym, without what shows it.
    Consents,
    /// Their codes.
    Vouchers,
    /// What they did: it goes.
    Interactions,
    /// What they ordered: kept under the pseudonym, without what says more.
    Orders,
    /// How they stand: figures, under the pseudonym.
    Relationship,
    /// What they redeemed, with the counters of their limits.
    Redemptions,
    /// Counters in which nothing of theirs is counted any more.
    Counters,
    /// What was done by hand to codes.
    Changes,
    /// Answers by request_id.
    Answers,
    /// Events.
    Events,
    /// Events of the other service that could not be taken in.
    SetAside,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Consents, "CONSENTS"),
        (Self::Vouchers, "VOUCHERS"),
        (Self::Interactions, "INTERACTIONS"),
        (Self::Orders, "ORDERS"),
        (Self::Relationship, "RELATIONSHIP"),
        (Self::Redemptions, "REDEMPTIONS"),
        (Self::Counters, "COUNTERS"),
        (Self::Changes, "CHANGES"),
        (Self::Answers, "ANSWERS"),
        (Self::Events, "EVENTS"),
        (Self::SetAside, "SET_ASIDE"),
    ];

    /// The one that an erasure begins with.
    pub const FIRST: Self = Self::Consents;

    /// As stored.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }

    /// Of a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(step, _)| *step)
    }

    /// The one after it.
    pub fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|(step, _)| *step == self)?;
        Self::ALL.get(at + 1).map(|(step, _)| *step)
    }
}

/// The erasure of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// What stands in the place of the id.
    pub pseudonym: String,
    /// The id, while it is needed.
    pub customer: Option<String>,
    /// Who asked for it.
    pub principal: String,
    /// When the person stopped being known.
    pub erased: Timestamp,
    /// What is done next; `None` where nothing is.
    pub step: Option<Step>,
    /// From where on; empty from the beginning.
    pub place: String,
    /// When the last step was done.
    pub done: Option<Timestamp>,
    /// The transaction that told of it.
    pub told: Uuid,
    /// When the id leaves the event and this row; `None` where it has.
    pub forget: Option<Timestamp>,
}

/// An erasure as callers see it, without the id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What stands in the place of the id.
    pub pseudonym: String,
    /// When the person stopped being known.
    pub erased: Timestamp,
    /// When the last step was done.
    pub done: Option<Timestamp>,
    /// When the id leaves the last place that has it.
    pub forget: Option<Timestamp>,
}

impl Erasure {
    /// As callers see it.
    pub fn told(&self) -> Told {
        let Self { pseudonym, erased, done, forget, .. } = self;
        Told { pseudonym: pseudonym.clone(), erased: *erased, done: *done, forget: *forget }
    }

    /// After a turn of its step.
    #[must_use]
    pub fn gone(self, went: Went, now: Timestamp) -> Self {
        match went {
            Went::On(place) => Self { place, ..self },
            Went::Through => {
                let step = self.step.and_then(Step::next);
                let done = if step.is_none() { Some(now) } else { None };
                Self { step, place: String::new(), done, ..self }
            }
        }
    }

    /// Without the id: nobody needs it any more.
    #[must_use]
    pub fn forgotten(self) -> Self {
        Self { customer: None, forget: None, ..self }
    }

    /// It may lose the id: everything is done, and the event is old.
    pub fn may_forget(&self, now: Timestamp) -> bool {
        self.step.is_none() && self.forget.is_some_and(|at| at <= now)
    }
}
