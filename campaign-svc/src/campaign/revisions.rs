//! The states of a campaign's mix over time. A revision is never changed; it is in effect from its moment on until the
//! next one's. Their numbers and their moments ascend together.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Campaign, Mix, Refusal, State, audience};

/// An immutable state of the mix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// From 1.
    pub revision: i64,
    /// The whole mix.
    pub mix: Mix,
    /// From when it is in effect.
    pub effective: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Resource name of the observation or proposal behind it, or empty.
    pub cause: String,
    /// When it was made.
    pub created: Timestamp,
}

/// A revision that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adaptation {
    /// The whole new mix.
    pub mix: Mix,
    /// From when; absent: at once.
    pub effective: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Resource name of the observation or proposal behind it, or empty.
    pub cause: String,
}

impl Revision {
    /// The first one, of a draft that is created.
    pub fn first(mix: Mix, author: &str, now: Timestamp) -> Self {
        let (author, reason, cause) = (author.to_owned(), String::new(), String::new());
        Self { revision: 1, mix, effective: now, author, reason, cause, created: now }
    }

    /// The next one, of a draft whose mix is written anew: in effect at once.
    #[must_use]
    pub fn redraft(&self, mix: Mix, author: &str, now: Timestamp) -> Self {
        let first = Self::first(mix, author, now.max(self.effective));
        Self { revision: self.revision + 1, created: now, ..first }
    }

    /// The next one, of a campaign that adapts; `self` is its newest.
    pub fn adapt(
        &self,
        campaign: &Campaign,
        adaptation: Adaptation,
        author: &str,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let state = campaign.state(now);
        if !matches!(state, State::Scheduled | State::Running | State::Paused) {
            return Err(Refusal::WrongState { state, wanted: "be adapted" });
        }
        let Adaptation { mix, effective, reason, cause } = adaptation;
        let window = campaign.definition.window;
        let effective = match effective {
            None if self.effective > now => {
                return Err(Refusal::RevisionOutOfOrder("another revision is still to come into effect"));
            }
            None => now,
            Some(at) if at < now => {
                return Err(Refusal::RevisionOutOfOrder("the effective time lies in the past"));
            }
            Some(at) if at <= self.effective => {
                return Err(Refusal::RevisionOutOfOrder(
                    "the effective time is not after that of the last revision",
                ));
            }
            Some(at) if !window.contains(at) => {
                return Err(Refusal::RevisionOutOfOrder("the effective time lies outside the window"));
            }
            Some(at) => at,
        };
        let mut problems = mix.outside(window);
        if !problems.is_empty() {
            problems.iter_mut().for_each(|problem| problem.field.insert_str(0, "mix."));
            return Err(Refusal::Invalid(problems));
        }
        let problems = audience::problems(&campaign.definition, &mix);
        if !problems.is_empty() {
            return Err(Refusal::Invalid(problems));
        }
        let missing = mix.missing();
        if !missing.is_empty() {
            return Err(Refusal::MixIncomplete(missing));
        }
        let revision = self.revision + 1;
        Ok(Self { revision, mix, effective, author: author.to_owned(), reason, cause, created: now })
    }
}

/// The one in effect at `at` among revisions by number; the first where none is yet.
pub fn in_effect(revisions: &[Revision], at: Timestamp) -> Option<&Revision> {
    revisions.iter().rev().find(|revision| revision.effective <= at).or_else(|| revisions.first())
}
