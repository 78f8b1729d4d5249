//! What was redeemed flows back: relationship-svc's redemptions as this service counts them.
//!
//! - One row per redemption, as of the newest event that told of it. Events are taken in once (by their id), in one
//!   transaction with the cursor behind them; an older version of a redemption never replaces a newer one. So whatever
//!   is delivered twice, or to two replicas, the sums stay those of relationship-svc's ledger.
//! - How they are followed is the platform's ([`tandem_platform::outbox::consumer`]): one stream of all tenants, one replica that
//!   follows, and an event that cannot be taken in set aside.
//! - A redemption counts while any of it stands. Its discount is its amount less what came back; a gift card pays and
//!   is no discount.
//! - Revenue is the total of each order once, however many codes it used.
//! - The same stream tells who was erased there; what becomes of that is [`crate::erased`]'s.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::money::{Currency, Money};

use crate::erased::Heard;

pub mod events;
mod follow;
pub mod rpc;
pub mod store;
pub mod tasks;
#[cfg(test)]
pub(crate) mod tests;

/// The name under which relationship-svc is followed.
pub const CONSUMER: &str = "redemption";

/// Where a redemption stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Counts.
    Redeemed,
    /// A part has come back.
    PartiallyRolledBack,
    /// Everything has come back.
    RolledBack,
}

impl State {
    /// As it stands in rows.
    pub fn text(self) -> &'static str {
        match self {
            Self::Redeemed => "REDEEMED",
            Self::PartiallyRolledBack => "PARTIALLY_ROLLED_BACK",
            Self::RolledBack => "ROLLED_BACK",
        }
    }
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Of a redemption.
    Redeemed(Feedback),
    /// That somebody was erased.
    Erased(Heard),
}

/// What an event says of a redemption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// Its id in relationship-svc.
    pub redemption: String,
    /// The checkout's own id of the order.
    pub order_id: String,
    /// Id of the campaign that the incentive serves, or empty.
    pub campaign: String,
    /// Id of the incentive.
    pub incentive: String,
    /// Id of the customer, or empty.
    pub customer: String,
    /// What it took off or paid.
    pub amount: Money,
    /// What has come back of it, in minor units.
    pub returned: i64,
    /// Paid rather than reduced.
    pub tender: bool,
    /// The order after every discount, before gift cards, in minor units; only told when it is redeemed.
    pub order_total: Option<i64>,
    /// Where it stands.
    pub state: State,
    /// Ascending with every change.
    pub version: i64,
    /// When it was redeemed first.
    pub occurred: Timestamp,
}

/// What some campaigns have brought about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Redemptions of which anything stands.
    pub redemptions: i64,
    /// Different orders with such a redemption.
    pub orders: i64,
    /// Different customers with such a redemption; guests are not counted.
    pub customers: i64,
    /// Totals of those orders, each once, in minor units.
    pub revenue: BTreeMap<Currency, i64>,
    /// Discounts given, net of returns, in minor units.
    pub discounts: BTreeMap<Currency, i64>,
}
