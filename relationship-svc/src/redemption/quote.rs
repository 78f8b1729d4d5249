//! What a call brings along: the codes of an opened quote, or a basket with codes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tandem_kernel::basket::Basket;
use tandem_kernel::code::Typed;
use tandem_kernel::money::{Currency, largest_remainder};

use super::guesses::Leave;
use super::{Membership, Share};

/// What a quote promised, as far as redeeming needs it.
#[derive(Debug, Clone)]
pub struct Quote {
    /// Of every amount.
    pub currency: Currency,
    /// When it was quoted; dates are judged at this time.
    pub issued: Timestamp,
    /// Until when the amounts are promised.
    pub expires: Timestamp,
    /// Where it was quoted, or empty.
    pub place: String,
    /// Those attributes of the basket that limits count by.
    pub attributes: BTreeMap<String, String>,
    /// Goods and shipping after every discount, before gift cards, minor units.
    pub total: i64,
    /// What each code gives, in the order of the codes.
    pub codes: Vec<QuotedCode>,
}

/// What a quote promised for one code.
#[derive(Debug, Clone)]
pub struct QuotedCode {
    /// As stored.
    pub code: String,
    /// Id of the incentive.
    pub incentive: String,
    /// The version that was quoted.
    pub version: i64,
    /// Off goods and shipping together, or paid.
    pub amount: i64,
    /// Every line of the order with its share.
    pub lines: Vec<Share>,
    /// Share of the shipping.
    pub shipping: i64,
    /// Pays rather than reduces.
    pub tender: bool,
    /// Where limits count by segment: ids of those the incentive is for that the customer is in.
    pub segments: Vec<String>,
}

/// A basket with codes.
#[derive(Debug, Clone)]
pub struct Plain {
    /// Valid, every line with a price.
    pub basket: Basket,
    /// As typed, in their order.
    pub codes: Vec<Typed>,
    /// Where it is ordered, or empty.
    pub place: String,
    /// In which segments the customer is.
    pub segments: Membership,
    /// By which the shopper is told apart from others, or empty.
    pub client_id: String,
    /// Which of the codes may be looked up.
    pub leave: Leave,
}

/// Spreads a gift card's `payment` over lines and shipping by what they cost in the end: what comes back when goods do.
/// `lines` are (id, quantity, cost of all units).
pub(crate) fn spread_payment(
    payment: i64,
    lines: impl Iterator<Item = (String, i64, i64)>,
    shipping: i64,
) -> (Vec<Share>, i64) {
    let (mut shares, mut costs) = (Vec::new(), Vec::new());
    for (line, quantity, cost) in lines {
        shares.push(Share { line, quantity, amount: 0, back: 0 });
        costs.push(cost.max(0));
    }
    costs.push(shipping.max(0));
    let mut parts = largest_remainder(payment, &costs);
    let of_shipping = parts.pop().unwrap_or(0);
    for (share, part) in shares.iter_mut().zip(parts) {
        share.amount = part;
    }
    (shares, of_shipping)
}
