//! Redemptions: what codes do for orders. No limit is ever exceeded, nothing acknowledged is lost.
//!
//! A checkout **holds** codes when payment starts, **redeems** them when it is authorised, **releases** the hold when
//! the customer gives up, and **rolls back** what was redeemed when the order is cancelled or goods come back. It
//! brings a quote token (the sealed amounts count), or a plain basket with codes (priced here, by the same kernel), or
//! nothing but the order (its hold counts).
//!
//! # Rules
//! - All codes or none; with `partial` those that can be.
//! - `order_id` is the checkout's own. One live redemption per (order, code): whoever redeems again, under whatever
//!   request_id, gets the one that exists. An order that has redeemed refuses other codes (ORDER_ALREADY_REDEEMED).
//! - The same order replaces its own hold. A hold is over at its end, judged by the clock of the transaction that asks,
//!   whatever any sweeper has done; redeeming then starts afresh, or answers HOLD_OVER where it brings nothing to start
//!   from. No hold of an order lasts past 24 h after the order's first.
//! - Dates are judged at the time of the quote, or of the hold, or now for a plain basket; whether code or incentive
//!   are disabled, and whether a limit has room, is judged now. A live hold keeps its place in every limit, so it can
//!   be redeemed even after the offer has ended or a limit was lowered. The amounts of a token count even where the
//!   incentive has been revised since; its limits are those in force now.
//! - A code disabled while held cannot be redeemed, and disabling it ends its holds.
//! - An order may replace another: what that one redeemed is rolled back as CANCELLED, what it holds released, and the
//!   new one judged with that room, in one decision. A refusal leaves the replaced order as it was.
//! - Limits count from when they are set: uses and money of an incentive are always counted, uses by customers while
//!   there is a limit on them.
//! - Returned goods take back `half_up(discount × units back ÷ units)` of each line's share, cumulative, and the share
//!   of the shipping with the last unit. A gift card's payment is spread over lines and shipping by what they cost in
//!   the end, and comes back by the same rule. The use comes back when everything has: for CANCELLED and MISTAKE always,
//!   for RETURNED by the incentive's policy; the reason of the step that completes the return decides. A code that has
//!   expired meanwhile is then valid 14 more days; a gift card already when any money returns to it. Money budgets get
//!   back what returned, in the period it was counted in.
//! - Thresholds (80, 95, 100 % of the uses or the budget of an incentive) are told once per period.
//!
//! # How it is done
//! Calls queue in lanes and are decided a batch at a time: lock, load, decide in Rust on a working copy, write back,
//! commit once ([`commands`]). Lock order: redemptions of the orders, vouchers, counters by kind, claims of the requests.
//! A request is claimed last, together with its outcome: whoever finds it claimed by then replays and answers that
//! outcome, so nothing happens twice. A refusal costs no write and is judged anew when it is asked again, unless the call
//! is conclusive: then it is an outcome like any other. A counter that does not exist yet is zero and is inserted with
//! its final value; a writer who loses that race, or the race for the next `ordinal` of an order, replays. Lanes only
//! give throughput: rows decide.
//!
//! # What one redemption writes
//! With customer, token, code limit, customer limit and money budget, nothing held:
//!
//! | table | rows |
//! |---|---|
//! | `request_claim` | 1 inserted, with the outcome |
//! | `redemption` | 1 inserted (order, code, amounts, the allocation as one document) |
//! | `voucher` | 1 updated (`uses`, of a gift card `spent`) |
//! | `counter` | kind 1 (uses of the incentive) and kind 2 (its money in this currency): 1 updated each, shared by all redemptions of a batch with the same incentive; kind 3 (customer): 1 inserted, or updated where the customer has used the incentive before; kind 4 only where there is a limit per period; kinds 5 and 6 (uses and money of a value) only where values are limited |
//! | `event_batch` | 1 inserted per batch, with one event per redemption |
//!
//! A hold writes the same, and one row of `hold_claim` for the voucher and for each counter.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tandem_kernel::limits;
use tandem_kernel::money::Currency;
use uuid::Uuid;

pub mod audit;
pub mod commands;
mod decide;
pub mod evaluate;
pub mod events;
pub mod guesses;
mod membership;
pub mod past;
mod quote;
mod refusal;
pub mod rename;
mod roll_back;
pub mod rpc;
mod standing;
pub mod store;
pub mod tasks;
mod terms;
#[cfg(test)]
mod tests;
mod world;

pub use commands::{Question, Redemptions, standing, usage};
pub use membership::Membership;
pub use quote::{Plain, Quote, QuotedCode};
pub use refusal::{CodeOutcome, Refusal, Refused, value_required};
pub use roll_back::{CardReturns, RollBack};
pub use standing::{OfSegment, Standing};
pub use tandem_kernel::limits::{Counted, CounterKey, CounterKind, Tally};
pub use terms::Terms;

/// The most codes of one call.
pub const MAX_CODES: usize = 20;

/// One code used by one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    /// Its id.
    pub id: Uuid,
    /// The checkout's own id of the order.
    pub order: String,
    /// How many redemptions the order had before.
    pub ordinal: i64,
    /// As stored.
    pub code: String,
    /// Id of the incentive.
    pub incentive: String,
    /// The version of the incentive that counted.
    pub incentive_version: i64,
    /// Who counts as the customer.
    pub person: Person,
    /// Where it stands.
    pub state: State,
    /// Of all amounts.
    pub currency: Currency,
    /// What it took off or paid, minor units.
    pub amount: i64,
    /// What has come back of it, minor units.
    pub returned: i64,
    /// What nobody searches by.
    pub details: Details,
    /// The end of the hold; only while it is held.
    pub expires: Option<Timestamp>,
    /// When it was held or redeemed first.
    pub created: Timestamp,
    /// When it changed last.
    pub updated: Timestamp,
    /// Ascending with every change, from 1.
    pub version: i64,
}

/// The document of a redemption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Every line of the order, in its order, with its share.
    #[serde(rename = "l")]
    pub lines: Vec<Share>,
    /// Share of the shipping.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub shipping: i64,
    /// Pays rather than reduces.
    #[serde(rename = "t", default, skip_serializing_if = "is_false")]
    pub tender: bool,
    /// The use came back.
    #[serde(rename = "b", default, skip_serializing_if = "is_false")]
    pub use_restored: bool,
    /// Id of the campaign it serves.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// Which counters it counts in.
    #[serde(rename = "n", default, skip_serializing_if = "Counted::is_plain")]
    pub counted: Counted,
    /// When the dates were judged.
    #[serde(rename = "j", default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Timestamp>,
    /// The order's first hold, where it was held.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub first_held: Option<Timestamp>,
    /// The order's total after every discount and before gift cards, where it is known.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub order_total: Option<i64>,
    /// An order of campaign-svc alone takes it back.
    #[serde(rename = "f", default, skip_serializing_if = "is_false")]
    pub of_order: bool,
}

/// One line's part. Written as `["line", quantity, amount, back]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ShareRow", into = "ShareRow")]
pub struct Share {
    /// The checkout's own id of the line.
    pub line: String,
    /// Units of the line.
    pub quantity: i64,
    /// Discount, or payment, on all of them.
    pub amount: i64,
    /// Units that have come back.
    pub back: i64,
}

type ShareRow = (String, i64, i64, i64);

impl From<ShareRow> for Share {
    fn from((line, quantity, amount, back): ShareRow) -> Self {
        Self { line, quantity, amount, back }
    }
}

impl From<Share> for ShareRow {
    fn from(share: Share) -> Self {
        (share.line, share.quantity, share.amount, share.back)
    }
}

/// Where a redemption stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Reserved until its end.
    Held,
    /// Counted.
    Redeemed,
    /// A part has come back.
    PartiallyRolledBack,
    /// Everything has come back.
    RolledBack,
    /// The hold was given back.
    Released,
    /// The hold lapsed.
    Expired,
}

impl State {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Held, "HELD"),
        (Self::Redeemed, "REDEEMED"),
        (Self::PartiallyRolledBack, "PARTIALLY_ROLLED_BACK"),
        (Self::RolledBack, "ROLLED_BACK"),
        (Self::Released, "RELEASED"),
        (Self::Expired, "EXPIRED"),
    ];

    /// As stored.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// The state of a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }

    /// Redeemed and not wholly come back.
    pub fn is_redeemed(self) -> bool {
        matches!(self, Self::Redeemed | Self::PartiallyRolledBack)
    }

    /// Held or redeemed: at most one such per order and code.
    pub fn is_live(self) -> bool {
        self == Self::Held || self.is_redeemed()
    }
}

/// Who counts as the customer: the id, else the guest's key, else nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Id of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Keyed hash of a guest's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
}

impl Person {
    /// Under which subject limits per customer count; `None` for nobody.
    pub fn subject(&self) -> Option<Arc<str>> {
        limits::subject(self.customer.as_deref(), self.guest.as_deref())
    }
}

/// Why a redemption is rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The order was cancelled.
    Cancelled,
    /// Goods were returned.
    Returned,
    /// It should never have been.
    Mistake,
}

/// What a call asks for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Redeem or hold.
    Take(Take),
    /// Give the hold of an order back.
    Release {
        /// The order.
        order: String,
        /// campaign-svc asks, for an order of its own.
        of_order: bool,
    },
    /// Take redemptions of an order back.
    RollBack(RollBack),
    /// End a code.
    Disable {
        /// As stored.
        code: String,
    },
    /// Clean up after holds of an order that have lapsed.
    Expire {
        /// The order.
        order: String,
    },
}

/// Redeem or hold.
#[derive(Debug, Clone)]
pub struct Take {
    /// The checkout's own id of the order.
    pub order: String,
    /// For good, or for a while.
    pub intent: Intent,
    /// What is taken.
    pub what: What,
    /// Who takes it.
    pub person: Person,
    /// Accepts those codes that can be taken.
    pub partial: bool,
    /// A refusal is kept with the request as an acceptance is.
    pub conclusive: bool,
    /// Another order whose uses come back first; only to redeem.
    pub replaces: Option<String>,
    /// For an order of campaign-svc, which alone gives it back.
    pub of_order: bool,
}

/// For good, or for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// For good.
    Redeem,
    /// Until so long from now.
    Hold {
        /// How long.
        ttl: jiff::SignedDuration,
    },
}

/// What is taken.
#[derive(Debug, Clone)]
pub enum What {
    /// The codes of a sealed quote with their amounts.
    Quote(Box<Quote>),
    /// Codes on a basket that is priced here.
    Plain(Box<Plain>),
    /// What the order holds.
    Held,
}

/// What a call is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Redeemed or held.
    Taken(Taken),
    /// The redemptions whose hold was given back.
    Released(Vec<Shared>),
    /// Rolled back.
    RolledBack(RolledBack),
    /// The voucher as it is now.
    Disabled(Box<crate::voucher::Voucher>),
    /// Cleaned up.
    Expired,
}

/// What was redeemed or held.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// In the order of the codes.
    pub codes: Vec<CodeOutcome>,
    /// One per accepted code.
    pub redemptions: Vec<Shared>,
}

/// What was rolled back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolledBack {
    /// As they are now.
    pub redemptions: Vec<Shared>,
    /// What this call took back, minor units.
    pub returned: i64,
}

/// A redemption as it was at one moment, shared between the working copy, the answer and the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared(pub Arc<Redemption>);

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Redemption::deserialize(deserializer).map(|redemption| Self(Arc::new(redemption)))
    }
}

/// What a decision tells the world.
#[derive(Debug, Clone)]
pub enum Happened {
    /// A code was held.
    Held(Arc<Redemption>),
    /// A hold was given back or had lapsed.
    Released(Arc<Redemption>),
    /// A code was redeemed.
    Redeemed(Arc<Redemption>),
    /// A redemption came back, whole or in part.
    RolledBack {
        /// As it is now.
        redemption: Arc<Redemption>,
        /// What this step took back, minor units.
        returned: i64,
        /// Why.
        reason: Reason,
    },
    /// A code was ended.
    Disabled(Box<(crate::voucher::Voucher, crate::voucher::Frame, Timestamp)>),
    /// A limit of an incentive passed a threshold.
    Threshold(Threshold),
}

/// A limit of an incentive passed a threshold.
#[derive(Debug, Clone)]
pub struct Threshold {
    /// Id of the incentive.
    pub incentive: Arc<str>,
    /// Its version now.
    pub version: i64,
    /// 80, 95 or 100.
    pub percent: i64,
    /// What has been used: units, or minor units.
    pub used: i64,
    /// The currency where the limit is a budget.
    pub currency: Option<Currency>,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn is_false(truth: &bool) -> bool {
    !truth
}

impl Redemption {
    /// What it weighs in counters: its use, and its money.
    pub fn weight(&self) -> (i64, i64) {
        (i64::from(!self.details.use_restored), self.amount - self.returned)
    }

    /// Whether it stands in counters as used, all of it or what has not come back.
    fn is_counted(&self) -> bool {
        matches!(self.state, State::Redeemed | State::PartiallyRolledBack | State::RolledBack)
    }

    /// Whether it counts anywhere at `now`. A hold that has lapsed is as if there were none.
    fn counts(&self, now: Timestamp) -> bool {
        match self.state {
            State::Held => self.expires.is_some_and(|end| now < end),
            _ => self.is_counted(),
        }
    }

    /// Whether anything of it is held or counted. Of a gift card the lines may all be back while a part of what it paid, for
    /// the shipping, is not.
    pub fn may_change(&self) -> bool {
        let owes = self.state == State::RolledBack && self.details.tender && self.returned < self.amount;
        self.state.is_live() || owes
    }

    /// What has come back once `back` units of each line are: the shares so far, and the shipping with the last unit.
    pub(crate) fn returned_so_far(&self) -> i64 {
        let lines = self.details.lines.iter();
        if self.is_all_back() {
            return self.amount;
        }
        lines.map(|share| tandem_kernel::pricing::returned(share.amount, share.quantity, share.back)).sum()
    }

    /// Every unit of every line is back.
    pub(crate) fn is_all_back(&self) -> bool {
        self.details.lines.iter().all(|share| share.back >= share.quantity)
    }
}

impl fmt::Display for Redemption {
    /// Its resource name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redemptions/{}", self.id)
    }
}
