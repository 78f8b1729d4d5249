//! Orders: one call that counts offers here and codes at relationship-svc, or neither.
//!
//! - **Hold** keeps uses and money of a quote until a time; **commit** counts them for good; **cancel** gives everything
//!   back, **return** a part. The sealed amounts of the quote count, nothing is priced again.
//! - Every offer counts under its own limits and under its campaign's, in rows that are locked before they are judged
//!   ([`tandem_kernel::limits::CounterKey`], owner "campaigns/c/offers/o" or "campaigns/c"). A campaign counts one use
//!   per order, however many of its offers applied.
//! - **Without two-phase commit.** An order with codes takes three steps: it is written down with what it is about to do
//!   and its offers are counted (HOLDING, COMMITTING, CANCELLING, RETURNING); relationship-svc is asked; its answer is
//!   written down. The question carries a request_id that follows from the step ([`Pending::attempt`]), so anybody may
//!   ask it again and gets the same answer, a refusal included. Accepted goes forward, refused goes back: what was
//!   counted is given back and the order is REFUSED. Whoever finds a step open ([`tasks`]) finishes it.
//! - An order without codes takes one transaction and no remote call.
//! - Returns: after q of Q units of a line are back, half_up(discount × q / Q) of each discount on it is back, so the
//!   sum is exact whatever the steps; discounts on shipping come back with the last unit. Money budgets get back what
//!   came back. A use comes back with a cancelled order and with the last unit of a return.
//! - What is to be paid back is said by line and by means of payment, and kept with the order: [`refund`].
//! - An order is held and committed for one customer or guest; who is neither cannot use what is limited per customer.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::basket::TaxMode;
use tandem_kernel::limits::{self, Counted, Dimension};
use tandem_kernel::money::Currency;
use tandem_kernel::pricing::returned;
use uuid::Uuid;

use self::refund::Refund;

pub mod commands;
pub mod decide;
pub mod events;
pub mod past;
pub mod refund;
pub mod remote;
pub mod rename;
pub mod rpc;
pub mod store;
pub mod tasks;
pub mod terms;
#[cfg(test)]
pub(crate) mod tests;
pub mod watched;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Offers are held, codes are being held.
    Holding,
    /// Kept until the hold ends.
    Held,
    /// Offers are counted, codes are being redeemed.
    Committing,
    /// Counted on both sides.
    Committed,
    /// Some units have come back.
    PartiallyReturned,
    /// Every unit has come back.
    Returned,
    /// Everything is being given back.
    Cancelling,
    /// Everything was given back.
    Cancelled,
    /// Units are being taken back.
    Returning,
    /// relationship-svc refused; nothing is counted.
    Refused,
    /// The hold lapsed.
    Expired,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Holding,
        Self::Held,
        Self::Committing,
        Self::Committed,
        Self::PartiallyReturned,
        Self::Returned,
        Self::Cancelling,
        Self::Cancelled,
        Self::Returning,
        Self::Refused,
        Self::Expired,
    ];

    /// As stored.
    pub fn text(self) -> &'static str {
        match self {
            Self::Holding => "HOLDING",
            Self::Held => "HELD",
            Self::Committing => "COMMITTING",
            Self::Committed => "COMMITTED",
            Self::PartiallyReturned => "PARTIALLY_RETURNED",
            Self::Returned => "RETURNED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Returning => "RETURNING",
            Self::Refused => "REFUSED",
            Self::Expired => "EXPIRED",
        }
    }

    /// The state of a stored word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.text() == text)
    }

    /// It waits for relationship-svc.
    pub fn is_pending(self) -> bool {
        matches!(self, Self::Holding | Self::Committing | Self::Cancelling | Self::Returning)
    }

    /// Counted for good, and not all of it has come back.
    pub fn is_counted(self) -> bool {
        matches!(self, Self::Committed | Self::PartiallyReturned)
    }

    /// Everything was given back, or never counted.
    pub fn is_void(self) -> bool {
        matches!(self, Self::Cancelled | Self::Cancelling | Self::Refused | Self::Expired)
    }
}

/// Who buys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Id of the customer.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Keyed hash of a guest's address.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
}

impl Person {
    /// As counters name them: the customer, else the guest.
    pub fn subject(&self) -> Option<Arc<str>> {
        limits::subject(self.customer.as_deref(), self.guest.as_deref())
    }

    /// Whether a limit per customer can be judged.
    pub fn is_known(&self) -> bool {
        self.customer.is_some() || self.guest.is_some()
    }
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The checkout's own id.
    pub id: String,
    /// Under which holds keep what they keep, made anew for every hold.
    pub holder: Uuid,
    /// Where it stands.
    pub state: State,
    /// Who buys.
    pub person: Person,
    /// What it sold.
    pub sold: Arc<Sold>,
    /// The end of its hold.
    pub expires: Option<Timestamp>,
    /// When it was held first.
    pub first_held: Option<Timestamp>,
    /// When it was committed.
    pub committed: Option<Timestamp>,
    /// Id of the order it replaced.
    pub replaces: Option<String>,
    /// Id of the order that replaced it.
    pub replaced_by: Option<String>,
    /// The step that is open.
    pub pending: Option<Pending>,
    /// Set by the server.
    pub created: Timestamp,
    /// Set by the server.
    pub updated: Timestamp,
    /// Ascending with every change.
    pub version: i64,
}

/// What relationship-svc is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Step {
    /// Hold the codes of the quote.
    Hold,
    /// Redeem the codes of the quote.
    Redeem,
    /// Release what it holds.
    Release,
    /// Roll everything back.
    RollBack,
    /// Roll units back.
    Return,
}

/// A step that was begun and is not known to have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What relationship-svc is asked for.
    pub step: Step,
    /// What the request_id of the question follows from: made once per step.
    pub attempt: Uuid,
    /// Where the order stood before.
    pub from: State,
    /// The sealed quote, to hold or to redeem.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// How long codes are held, in seconds.
    #[serde(default)]
    pub ttl_s: i64,
    /// Units that come back, by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<(String, i64)>,
    /// The caller's call, whose outcome is stored when the step ends: request_id and hash. Empty: none waits for it.
    pub request: (String, [u8; 32]),
    /// relationship-svc is told that an order asks; not by steps from before it could be.
    #[serde(default)]
    pub of_order: bool,
    /// On whose behalf.
    pub principal: String,
    /// Since when.
    pub since: Timestamp,
}

/// What an order sold, as the quote sealed it. Amounts are minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sold {
    /// Of every amount.
    pub currency: Currency,
    /// Where.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Those of its attributes that limits count by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// What the quote was made for, in hexadecimal digits.
    pub digest: String,
    /// When it was quoted.
    pub issued: Timestamp,
    /// Until when its amounts are promised.
    pub lapses: Timestamp,
    /// Goods at list price.
    pub list: i64,
    /// Goods and shipping after every discount, before gift cards.
    pub total: i64,
    /// Shipping before discounts.
    #[serde(default)]
    pub shipping: i64,
    /// In the caller's order.
    pub lines: Vec<Line>,
    /// Campaign offers that applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<Discount>,
    /// Codes that applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<Code>,
    /// Whether prices contain tax.
    #[serde(default)]
    pub tax_mode: TaxMode,
    /// What had to be paid in all, tax included, where the quote knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<i64>,
    /// What was paid back, the first refund first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// What of the quote's decisions did not apply, as the quote sealed it, in base64; `None`: it sealed nothing of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// What it counts in: one per offer, then one per campaign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<Charge>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The checkout's own id of the line.
    pub id: String,
    /// Id of the product.
    pub product: String,
    /// Units.
    pub quantity: i64,
    /// Of all units, at list price.
    pub list: i64,
    /// After price rules.
    pub initial: i64,
    /// After every discount.
    #[serde(rename = "final")]
    pub last: i64,
    /// The price rule that set the unit price, and the revision of its campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<(String, i64)>,
    /// Tax, parts per million, as the caller stated it.
    #[serde(default)]
    pub tax_rate_ppm: i32,
    /// Units that have come back.
    #[serde(default)]
    pub back: i64,
}

/// What an offer, or a code, took off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// "campaigns/{campaign}/offers/{offer}" or "incentives/{incentive}".
    pub source: String,
    /// Revision of the campaign, or version of the incentive.
    pub revision: i64,
    /// Off goods and shipping together.
    pub amount: i64,
    /// Off the shipping.
    #[serde(default)]
    pub shipping: i64,
    /// By line: its index, and what it takes off all its units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<(usize, i64)>,
    /// Of an offer of which limits count by segment: those it is for that the customer was in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
}

/// What a code gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Folded.
    pub code: String,
    /// Pays rather than reduces.
    #[serde(default)]
    pub tender: bool,
    /// What it took off, or paid.
    pub discount: Discount,
}

/// What an order counts in the rows of one offer or one campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// "campaigns/{campaign}/offers/{offer}" or "campaigns/{campaign}".
    pub owner: String,
    /// In which rows.
    pub counted: Counted,
    /// Money given away.
    pub amount: i64,
    /// What has come back of it.
    #[serde(default)]
    pub returned: i64,
    /// Its use has come back.
    #[serde(default)]
    pub restored: bool,
}

impl Sold {
    /// Every unit of every line is back.
    pub fn is_all_back(&self) -> bool {
        self.lines.iter().all(|line| line.back >= line.quantity)
    }

    /// What has come back of a discount by now.
    pub fn returned_of(&self, discount: &Discount) -> i64 {
        if self.is_all_back() {
            return discount.amount;
        }
        let of_share = |(line, amount): &(usize, i64)| {
            self.lines.get(*line).map_or(0, |line| returned(*amount, line.quantity, line.back))
        };
        discount.shares.iter().map(of_share).sum()
    }

    /// What has come back of everything that a charge covers: the offer's discount, or all of a campaign's.
    pub fn returned_of_owner(&self, owner: &str) -> i64 {
        let covered = |source: &str| {
            source == owner || source.strip_prefix(owner).is_some_and(|rest| rest.starts_with('/'))
        };
        self.offers.iter().filter(|one| covered(&one.source)).map(|one| self.returned_of(one)).sum()
    }
}

impl Order {
    /// Another order is about to replace it: what becomes of it waits for relationship-svc.
    pub fn is_being_replaced(&self) -> bool {
        self.replaced_by.is_some() && self.state.is_counted()
    }

    /// What has come back of one of its discounts.
    pub fn returned_of(&self, discount: &Discount) -> i64 {
        if self.state.is_void() { discount.amount } else { self.sold.returned_of(discount) }
    }

    /// Off goods and shipping by offers and codes, that has not come back.
    pub fn standing_discount(&self) -> i64 {
        let codes = self.sold.codes.iter().filter(|code| !code.tender).map(|code| &code.discount);
        self.sold.offers.iter().chain(codes).map(|one| one.amount - self.returned_of(one)).sum()
    }
}

/// The resource name of an order's id.
pub fn name(id: &str) -> String {
    tandem_kernel::order_id::name(id)
}

/// Why an order is refused here. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The order does not exist.
    Missing(String),
    /// An open step of the order comes first.
    Pending,
    /// The open step is that of this very call, and its answer is being written down: to be asked again at once.
    Underway,
    /// The open step was begun under this very request_id, by a call of another body.
    Reused,
    /// The state does not allow it.
    WrongState(State),
    /// Committed with another quote.
    AlreadyCommitted,
    /// The quote has lapsed.
    Lapsed,
    /// Held for as long as is allowed.
    HoldOver,
    /// A limit names who is neither customer nor guest.
    CustomerRequired(String),
    /// A limit of it counts by what the order does not say.
    ValueRequired(String, Dimension),
    /// The campaign does not run any more.
    NotRunning(String),
    /// Every use is taken.
    Exhausted(String),
    /// The customer has had every use.
    CustomerLimit(String),
    /// The customer has had every use of the period.
    CustomerPeriodLimit(String),
    /// The money does not suffice, and a part will not do.
    Budget(String),
    /// The money suffices for a part only: so much less, in minor units.
    Short {
        /// Of which offer or campaign.
        owner: String,
        /// The quoted total.
        quoted: i64,
        /// The total with what is left.
        current: i64,
        /// Of both.
        currency: Currency,
    },
    /// More units than are out, or a line the order does not have.
    Quantity(String),
    /// An amount of shipping that this order cannot have.
    Shipping(String),
}

impl Refusal {
    /// The offer or campaign whose uses or money are spent.
    pub fn limit(&self) -> Option<&str> {
        match self {
            Self::Exhausted(owner) | Self::Budget(owner) | Self::Short { owner, .. } => Some(owner),
            _ => None,
        }
    }
}
