//! Codes of incentives: what one code is, how a typed code becomes a stored one, and in which state it is.
//!
//! - A code is stored as it is shown, in the form that [`tandem_kernel::code`] gives it, so the customer's typing does not
//!   matter. Most are folded to upper case; one whose format keeps case apart is stored with its case and found only by
//!   exact typing.
//! - A code that the tenant's formats exclude is known as mistyped before it is looked up ([`formats`]).
//! - The state is derived from dates and counters and never stored.
//! - What a redemption may do to a voucher is decided in [`crate::redemption`]; the counters here change only there.

pub mod batch;
pub mod change;
pub mod commands;
pub mod events;
pub mod format;
pub mod formats;
pub mod imported;
pub mod rpc;
pub mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::limits::{CounterKey, CounterKind};
use tandem_kernel::money::Currency;

use crate::incentive::{self, Incentive};

/// One code of an incentive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// As stored.
    pub code: String,
    /// Id of the incentive.
    pub incentive: String,
    /// Id of the batch it was generated in.
    pub batch: Option<String>,
    /// Id of the customer it was given to.
    pub customer: Option<String>,
    /// What it was given for.
    pub source_id: Option<String>,
    /// When it was given.
    pub assigned: Option<Timestamp>,
    /// Its own start, inclusive; can only narrow the incentive's.
    pub starts: Option<Timestamp>,
    /// Its own end, exclusive.
    pub ends: Option<Timestamp>,
    /// `None`: unlimited.
    pub max_uses: Option<i64>,
    /// Of a gift card: what it is worth.
    pub balance: Option<Balance>,
    /// What changes with every use.
    pub usage: Usage,
    /// What had been used and paid when the code came from elsewhere.
    #[serde(default)]
    pub before: Before,
    /// For callers.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
    /// Ascending with every change, from 1.
    pub version: i64,
}

/// What a gift card is worth, whatever has been paid with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// At first, minor units.
    pub initial: i64,
    /// Added by hand since, less what was taken.
    #[serde(default)]
    pub adjusted: i64,
    /// Their currency.
    pub currency: Currency,
}

impl Balance {
    /// Worth so much at first, and nothing done to it since.
    pub fn new(initial: i64, currency: Currency) -> Self {
        Self { initial, adjusted: 0, currency }
    }

    /// All that it is and was worth, minor units.
    pub fn worth(&self) -> i64 {
        self.initial.saturating_add(self.adjusted)
    }
}

/// What was true of a code when it came from elsewhere; the ledgers know nothing of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Uses.
    pub uses: i64,
    /// Paid by a gift card, minor units.
    pub spent: i64,
    /// Of [`Balance::adjusted`].
    #[serde(default)]
    pub adjusted: i64,
}

/// Uses of one code, as they are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Uses {
    /// As its incentive says.
    #[default]
    OfIncentive,
    /// As often as wanted.
    Unlimited,
    /// So often.
    Most(i64),
}

impl Uses {
    /// The limit, where the incentive says `of_incentive`.
    pub fn settled(self, of_incentive: Option<i64>) -> Option<i64> {
        match self {
            Self::OfIncentive => of_incentive,
            Self::Unlimited => None,
            Self::Most(uses) => Some(uses),
        }
    }
}

/// Own dates of a code: start, inclusive, and end, exclusive.
pub type Dates = (Option<Timestamp>, Option<Timestamp>);

/// The part of a voucher that redemptions change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Redeemed and not come back.
    pub uses: i64,
    /// Held; lapsed holds may still be in it.
    pub uses_held: i64,
    /// Paid by a gift card and not come back, minor units.
    pub spent: i64,
    /// Held of a gift card, minor units.
    pub spent_held: i64,
    /// A use came back after the end: valid until then all the same.
    pub restored_until: Option<Timestamp>,
    /// Ended by hand.
    pub disabled: bool,
}

/// Where a voucher stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Made, and has to be given to a customer before it can be used.
    Generated,
    /// Given to a customer; its time has not come.
    Assigned,
    /// Can be used.
    Active,
    /// Every use is spent, or the gift card is empty.
    Exhausted,
    /// Its time is over.
    Expired,
    /// Ended by hand, or its incentive was.
    Disabled,
}

impl State {
    /// As filters read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generated => "GENERATED",
            Self::Assigned => "ASSIGNED",
            Self::Active => "ACTIVE",
            Self::Exhausted => "EXHAUSTED",
            Self::Expired => "EXPIRED",
            Self::Disabled => "DISABLED",
        }
    }
}

/// What the incentive says about all its codes, as far as the state of one needs it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Frame {
    /// Start of the incentive, inclusive.
    pub starts: Option<Timestamp>,
    /// End of the incentive, exclusive.
    pub ends: Option<Timestamp>,
    /// The incentive was archived.
    pub archived: bool,
    /// A code has to be given to a customer before it can be used.
    pub assigned_only: bool,
}

/// How a moment stands to the dates of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeliness {
    /// Its time has not come.
    Early,
    /// It is valid.
    Valid,
    /// Its time is over.
    Late,
}

impl Frame {
    /// What `incentive` says.
    pub fn of(incentive: &Incentive) -> Self {
        Self {
            starts: incentive.definition.validity.start(),
            ends: incentive.definition.validity.end(),
            archived: incentive.state == incentive::State::Archived,
            assigned_only: incentive.definition.assigned_only,
        }
    }
}

impl Voucher {
    /// A fresh, unused voucher of `incentive`; the optional parts are set by the caller.
    pub fn new(code: String, incentive: String, created: Timestamp) -> Self {
        Self {
            code,
            incentive,
            batch: None,
            customer: None,
            source_id: None,
            assigned: None,
            starts: None,
            ends: None,
            max_uses: Some(1),
            balance: None,
            usage: Usage::default(),
            before: Before::default(),
            labels: BTreeMap::new(),
            created,
            version: 1,
        }
    }

    /// When it can no longer be used: the earlier of its own end and the incentive's; `None` is never.
    pub fn end(&self, frame: &Frame) -> Option<Timestamp> {
        match (self.ends, frame.ends) {
            (Some(own), Some(all)) => Some(own.min(all)),
            (own, all) => own.or(all),
        }
    }

    /// The end that holds: where a use came back late, the later one.
    pub fn end_that_holds(&self, frame: &Frame) -> Option<Timestamp> {
        self.end(frame).map(|end| self.usage.restored_until.map_or(end, |until| until.max(end)))
    }

    /// Whether `at` is within its dates and the incentive's. A use that came back late keeps it valid a while longer.
    pub fn timeliness(&self, frame: &Frame, at: Timestamp) -> Timeliness {
        if self.starts.is_some_and(|start| at < start) || frame.starts.is_some_and(|start| at < start) {
            Timeliness::Early
        } else if self.end(frame).is_some_and(|end| at >= end)
            && self.usage.restored_until.is_none_or(|until| at >= until)
        {
            Timeliness::Late
        } else {
            Timeliness::Valid
        }
    }

    /// Uses that are neither redeemed nor held; `None` is unlimited.
    pub fn uses_left(&self) -> Option<i64> {
        self.max_uses.map(|most| (most - self.usage.uses - self.usage.uses_held).max(0))
    }

    /// What is left on a gift card, holds taken off, in minor units.
    pub fn balance_left(&self) -> Option<i64> {
        self.balance.map(|balance| (balance.worth() - self.usage.spent - self.usage.spent_held).max(0))
    }

    /// The state at `now`.
    pub fn state(&self, frame: &Frame, now: Timestamp) -> State {
        if self.usage.disabled || frame.archived {
            return State::Disabled;
        }
        let empty = self.balance.is_some_and(|balance| self.usage.spent >= balance.worth());
        if empty || self.max_uses.is_some_and(|most| self.usage.uses >= most) {
            return State::Exhausted;
        }
        match self.timeliness(frame, now) {
            Timeliness::Late => State::Expired,
            _ if frame.assigned_only && self.customer.is_none() => State::Generated,
            Timeliness::Early if self.customer.is_some() => State::Assigned,
            Timeliness::Early => State::Generated,
            Timeliness::Valid => State::Active,
        }
    }
}

/// How claims name a code: it counts by itself.
pub fn key(code: &str) -> CounterKey {
    let nothing: Arc<str> = Arc::from("");
    CounterKey { kind: CounterKind::Voucher, owner: code.into(), subject: nothing.clone(), period: nothing }
}
