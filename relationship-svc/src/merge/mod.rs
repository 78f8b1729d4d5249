//! Two customers who were one person all along: one is kept, the other's id stands for them from then on.
//!
//! # How it is done
//! 1. One transaction ([`commands::merge`]) makes the profile of the one who is kept ([`profile`]), takes the other one away, joins
//!    their figures, what holds of their consents and their lists, writes that the old id stands for the kept one
//!    ([`crate::customer::alias`]), and tells it.
//! 2. Bounded steps ([`steps`]) move what may be much, each in a transaction of its own that writes down how far it is. A process
//!    that ends in the midst of it goes on where it was. A guest whom a customer has claimed goes the same way.
//!
//! # Why no limit is judged wrongly meanwhile
//! What is redeemed under an old id counts for the kept one from the first transaction on, in their counters. What had counted
//! under the old id stays there until it moves, each redemption with what it weighs, so that at every moment each counter says
//! what the ledger says, and whatever comes back comes back where it counted. Whoever judges a limit of the kept one looks at, and
//! locks, the counters of every id of which something is still to be moved, so that a count is seen in one place or in the
//! other, never in both and never in none.
//!
//! A redemption under the old id that had begun before the first transaction is as if it came before the merge: it is judged by
//! what the old id had. Whoever takes a use after the merge writes down the old id's counter too where there is none, so that the
//! two of them collide on it and the later one is decided anew ([`tandem_platform::counters::ledger::Ledger::guard`]). By the
//! time that redemptions move none of them runs any more.

pub mod commands;
pub mod events;
pub mod preview;
pub mod profile;
pub mod rpc;
pub mod steps;
pub mod store;
pub mod tasks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::limits::CounterKey;

use crate::customer::Customer;

/// Which of two profiles says what a field is, where both say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rule {
    /// That of who is kept.
    #[default]
    KeepTarget,
    /// The other one's.
    KeepSource,
    /// The one that was written last.
    Newest,
}

/// By field, and of fields that are not named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Of every other field.
    pub all: Rule,
    /// By name.
    pub fields: BTreeMap<&'static str, Rule>,
}

impl Rules {
    /// That of a field.
    pub fn of(&self, field: &str) -> Rule {
        self.fields.get(field).copied().unwrap_or(self.all)
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Id of who goes.
    pub source: String,
    /// Id of who is kept.
    pub target: String,
    /// What becomes of the profiles.
    pub rules: Rules,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// Who is kept, as they are.
    pub customer: Customer,
    /// When.
    pub merged: Timestamp,
    /// They had been merged before.
    pub again: bool,
    /// Everything has moved.
    pub done: bool,
}

/// What would be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Who is kept, as they would be.
    pub customer: Customer,
    /// How much would move.
    pub moves: Moves,
    /// What both say differently.
    pub conflicts: Vec<profile::Conflict>,
    /// Limits that both together exceed.
    pub over: Vec<Over>,
}

/// How much of a customer would move, each counted up to [`preview::MOST`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moves {
    /// In the ledger.
    pub redemptions: i64,
    /// Codes.
    pub vouchers: i64,
    /// Orders.
    pub orders: i64,
    /// What they did.
    pub interactions: i64,
    /// What they said.
    pub consents: i64,
    /// Lists that the other one is not on.
    pub lists: i64,
    /// Who stands for them.
    pub aliases: i64,
}

/// A limit per customer that both together exceed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over {
    /// The counter of who is kept.
    pub key: CounterKey,
    /// Used and held by both.
    pub uses: i64,
    /// How many are allowed.
    pub most: i64,
}
