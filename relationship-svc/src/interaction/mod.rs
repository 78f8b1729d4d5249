//! Interactions: what people do and what is done for them, as it is told: by shops, one by one or in streams, and by
//! campaign-svc, whose orders come by themselves.
//!
//! - Each is of a **customer** or of a **guest** by a key; a guest that a customer has claimed is that customer, whenever its
//!   interactions come. A customer that does not exist is an error of the item.
//! - Each has the **caller's id**. Sent again with the same content it is known already; with another one it is refused. An
//!   order's id is its order id: sent by hand and told by campaign-svc it is one. What campaign-svc tells of it counts over what
//!   was sent by hand, whichever came first; see [`order`].
//! - **Late is not wrong.** Whatever comes in another order than it happened counts as if it had come in order. Refused are a
//!   time more than [`SKEW`] ahead, and one longer ago than the tenant keeps its type ([`Retention::of`]).
//! - What is stored and what follows from it for the person ([`crate::relationship`]) are one transaction.
//! - No event is told of an interaction: it is somebody's event already. What follows from it is told: a change of stage.

pub mod claim;
pub mod commands;
mod follow;
pub mod order;
mod orders;
pub mod retention;
pub mod rpc;
pub mod store;
pub mod tasks;
#[cfg(test)]
mod tests;
mod world;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tandem_kernel::money::Money;

use crate::relationship::{BEST, Who};
pub use crate::settings::retention::Retention;
pub use commands::{Interactions, Recorded};

/// The most interactions of one batch, and of one message of a stream.
pub const MAX_BATCH: usize = 1_000;
/// How far ahead of this service's clock a time may be.
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The longest id of the caller's.
pub const MAX_EVENT_ID: usize = 128;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// Came to look.
    Visit,
    /// Put something into a basket.
    Basket,
    /// Ordered.
    Order,
    /// Paid.
    Payment,
    /// Was sent something.
    Delivery,
    /// Gave something back.
    Return,
    /// Asked for help.
    Support,
    /// Rated something in public.
    Review,
    /// A message was opened.
    MessageOpen,
    /// A link of a message was followed.
    MessageClick,
    /// Answered a message.
    Reply,
    /// Answered a question.
    SurveyAnswer,
    /// Anything else.
    Custom,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Visit,
        Self::Basket,
        Self::Order,
        Self::Payment,
        Self::Delivery,
        Self::Return,
        Self::Support,
        Self::Review,
        Self::MessageOpen,
        Self::MessageClick,
        Self::Reply,
        Self::SurveyAnswer,
        Self::Custom,
    ];

    /// As rows have it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Visit => "VISIT",
            Self::Basket => "BASKET",
            Self::Order => "ORDER",
            Self::Payment => "PAYMENT",
            Self::Delivery => "DELIVERY",
            Self::Return => "RETURN",
            Self::Support => "SUPPORT",
            Self::Review => "REVIEW",
            Self::MessageOpen => "MESSAGE_OPEN",
            Self::MessageClick => "MESSAGE_CLICK",
            Self::Reply => "REPLY",
            Self::SurveyAnswer => "SURVEY_ANSWER",
            Self::Custom => "CUSTOM",
        }
    }

    /// The kind of that text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.text() == text)
    }

    /// Whether it shows that the person was there. Parcels come and mail programs open messages without anybody.
    pub fn is_activity(self) -> bool {
        !matches!(self, Self::Delivery | Self::MessageOpen | Self::Custom)
    }

    /// Whether it may carry a rating.
    pub fn is_rating(self) -> bool {
        matches!(self, Self::Review | Self::SurveyAnswer)
    }
}

/// The text of every kind.
pub const TEXTS: [&str; Kind::ALL.len()] = {
    let (mut texts, mut at) = ([""; Kind::ALL.len()], 0);
    while at < texts.len() {
        texts[at] = Kind::ALL[at].text();
        at += 1;
    }
    texts
};

/// One interaction, as it was sent and found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interaction {
    /// The caller's id; of an order nothing depends on it.
    pub event_id: String,
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// To whom, as it was said.
    pub who: Who,
    /// Of an order, a payment, a return, or what is in a basket.
    pub amount: Option<Money>,
    /// The checkout's own id of the order it is about.
    pub order: Option<String>,
    /// On the scale from 0 to [`BEST`].
    pub rating: Option<i64>,
    /// What nobody searches by.
    pub details: Details,
    /// Of all that was sent.
    pub hash: [u8; 32],
}

/// The document of an interaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Id of the product it is about.
    #[serde(rename = "p", default, skip_serializing_if = "String::is_empty")]
    pub product: String,
    /// The medium it came by.
    #[serde(rename = "m", default, skip_serializing_if = "String::is_empty")]
    pub medium: String,
    /// Where.
    #[serde(rename = "w", default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// The rating as it was given.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<Rating>,
    /// Anything else.
    #[serde(rename = "a", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The caller's id of an order that was sent by hand.
    #[serde(rename = "e", default, skip_serializing_if = "String::is_empty")]
    pub event_id: String,
}

/// What somebody thinks, on a scale of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// Between the two.
    pub value: i32,
    /// The worst.
    pub lowest: i32,
    /// The best.
    pub highest: i32,
}

impl Rating {
    /// Whether the scale is one, and the value on it.
    pub fn is_sound(&self) -> bool {
        self.lowest < self.highest && (self.lowest..=self.highest).contains(&self.value)
    }

    /// On the scale from 0 to [`BEST`], rounded half up.
    pub fn normal(&self) -> i64 {
        let span = (i64::from(self.highest) - i64::from(self.lowest)).max(1);
        let above = i64::from(self.value) - i64::from(self.lowest);
        (above * BEST * 2 + span) / (span * 2)
    }
}

/// Why an interaction is not taken, beside what is wrong with its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untimely {
    /// Its time is too far ahead.
    Ahead,
    /// It would be forgotten at once: its kind is kept for so many days.
    Over(i64),
}

/// Whether something of this kind may be told of this time at `now`.
pub fn timely(kind: Kind, at: Timestamp, retention: &Retention, now: Timestamp) -> Result<(), Untimely> {
    if at.duration_since(now) > SKEW {
        return Err(Untimely::Ahead);
    }
    match retention.of(kind) {
        Some(kept) if now.duration_since(at) >= kept => Err(Untimely::Over(kept.as_hours() / 24)),
        _ => Ok(()),
    }
}
