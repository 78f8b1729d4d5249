//! The price of a basket: price rules, discounts under stacking, gift cards, every decision explained.
//!
//! One way through: [`initial`] merges equal lines and lets the price rules set unit prices; [`evaluate`] lets
//! discounts meet: stages (line, order, shipping), then groups, then gift cards as payment.
//!
//! What holds for every basket and every set of candidates:
//! - results depend on nothing but the arguments, and not on the order of lines or candidates: splitting a line in two
//!   or shuffling the input changes no total and no decision's amount;
//! - lines sum to the total, and a discount is never below 0, nor above what it reduces;
//! - a discount is computed in exact fractions and rounded once, half up; its parts sum to it;
//! - a line of price zero changes nothing;
//! - discounts that draw on one money budget never take more than it has left;
//! - cost does not grow with quantities: equal units are one run;
//! - all of it is counted in steps ([`crate::work`]), and whatever is not done because it would be too many is decided
//!   by their number alone.

mod allocate;
mod compiled;
mod effect;
mod estimate;
mod evaluate;
mod floor;
mod funds;
mod price;
mod record;
mod scope;
mod search;
mod sets;
mod terms;
#[cfg(test)]
mod tests;
mod units;

use crate::discount::MAX_BUNDLE_PARTS;
use crate::limits::Overrun;

pub use compiled::Compiled;
pub use estimate::{Size, estimate};
pub use evaluate::evaluate;
pub use price::{Initial, InitialPrice, PriceChange, PriceRule, initial};
pub use scope::{CompiledScope, LineSet};

/// Where a discount comes from. Offers stand before codes of the same group and priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A campaign's offer; needs no code.
    Offer,
    /// A code the customer gave.
    Code,
}

/// A discount that wants to apply.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Offer or code.
    pub origin: Origin,
    /// Orders candidates after everything else; unique among the offers.
    pub id: &'a str,
    /// Place of the code among the given ones; of no account for offers.
    pub position: u32,
    /// What it gives.
    pub compiled: &'a Compiled,
    /// What a gift card still holds, in minor units of the basket's currency; `None` where it holds another currency.
    /// Only read for gift cards.
    pub balance: Option<i64>,
    /// Places of the funds it is taken out of: its own and its campaign's. `None` where there is no budget.
    pub funds: [Option<usize>; 2],
}

/// What a money budget still has, in minor units of the basket's currency. Candidates that name the same one draw on it
/// together, in the order of evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fund {
    /// Neither given away nor held.
    pub left: i64,
    /// Whether a discount that it does not cover shrinks to what is left, or has no effect.
    pub overrun: Overrun,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It had an effect.
    Applied,
    /// It would have had one, and lost to stacking.
    Skipped {
        /// Index of the candidate that won; `None` where the customer is better off with nothing in its place.
        lost_to: Option<usize>,
    },
    /// Its own condition fails.
    Inapplicable {
        /// Which.
        reason: Reason,
    },
}

/// Why a candidate has no effect of its own. Amounts in minor units of the basket's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No line with a price counts for it.
    NoEligibleGoods,
    /// The eligible goods are worth too little.
    MinimumSpend {
        /// So much more would do.
        missing: i64,
    },
    /// It names no amount in the basket's currency.
    CurrencyNotListed,
    /// There is no shipping to reduce.
    NoShipping,
    /// Nothing is left to reduce or to pay.
    NothingLeft,
    /// Every line it could reduce is at or below its floor.
    BelowFloor,
    /// No threshold is reached.
    TierNotReached {
        /// So much more would reach the lowest.
        missing: i64,
    },
    /// Not enough units for one set.
    SetsIncomplete {
        /// So many more would make one.
        missing: MissingUnits,
    },
    /// The price it gives is not lower than the current one.
    PriceNotLower,
    /// Less than half a minor unit.
    RoundsToNothing,
    /// A gift card cannot pay where prices are without tax and the caller does not state the amount due.
    AmountDueUnknown,
    /// The gift card holds nothing.
    GiftCardEmpty,
    /// The gift card holds another currency.
    GiftCardCurrency,
    /// A money budget allows nothing more, or does not cover it.
    BudgetSpent,
}

/// Units that one set lacks, by part: those of a bundle in their order, or what is bought and what is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MissingUnits([u16; MAX_BUNDLE_PARTS]);

impl MissingUnits {
    /// Of parts that lack so many; below zero is nothing.
    fn new(parts: impl IntoIterator<Item = i64>) -> Self {
        let mut missing = Self::default();
        for (slot, lacks) in missing.0.iter_mut().zip(parts) {
            *slot = u16::try_from(lacks.max(0)).unwrap_or(u16::MAX);
        }
        missing
    }

    /// (part, units) of those that lack any.
    pub fn parts(&self) -> impl Iterator<Item = (usize, u16)> {
        self.0.iter().copied().enumerate().filter(|(_, units)| *units > 0)
    }
}

/// One candidate's part in the evaluation. Amounts are 0 unless it applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What became of it.
    pub outcome: Outcome,
    /// Off goods and shipping together, or paid by the gift card.
    pub amount: i64,
    /// (index of the caller's line, amount off it), ascending, only amounts above 0.
    pub line_amounts: Vec<(usize, i64)>,
    /// Off the shipping.
    pub shipping_amount: i64,
    /// What margin floors kept it from taking.
    pub cut_by_floor: i64,
}

/// One line of the caller, priced. Amounts in minor units, for all units of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineAmounts {
    /// At the list price.
    pub list: i64,
    /// After price rules.
    pub initial: i64,
    /// Off it, by all discounts.
    pub discount: i64,
    /// `initial − discount`.
    pub final_amount: i64,
    /// List price of one unit.
    pub list_unit: i64,
    /// Price of one unit after price rules.
    pub initial_unit: i64,
    /// Index of the price rule that set it; `None` where none lowers the list price.
    pub price_rule: Option<usize>,
}

/// A priced basket. Amounts in minor units of its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// One per candidate, in the candidates' order.
    pub decisions: Vec<Decision>,
    /// One per line, in the caller's order.
    pub lines: Vec<LineAmounts>,
    /// Goods at list price.
    pub list: i64,
    /// Goods after price rules.
    pub initial: i64,
    /// Off the goods, by all discounts.
    pub discount: i64,
    /// `initial − discount`.
    pub goods: i64,
    /// Shipping before discounts.
    pub shipping: i64,
    /// Off the shipping.
    pub shipping_discount: i64,
    /// `goods + shipping − shipping_discount`.
    pub total: i64,
    /// Paid by gift cards.
    pub tendered: i64,
    /// What is to be paid after tax and before gift cards: the total where prices contain tax, else what the caller
    /// stated, `None` where it stated nothing.
    pub amount_due: Option<i64>,
    /// What is to be paid after gift cards; `None` as [`Self::amount_due`].
    pub payable: Option<i64>,
    /// There were more alternatives, or trying them was more work, than is allowed; groups were decided one by one.
    pub approximate: bool,
}

/// What of a discount goes back when `quantity_back` of a line's `quantity_total` units are back in all: half up of
/// `discount × quantity_back ÷ quantity_total`. Cumulative: a step returns the difference to the step before, so that
/// the steps sum to the discount exactly, whatever they are.
pub fn returned(discount: i64, quantity_total: i64, quantity_back: i64) -> i64 {
    if quantity_total <= 0 || discount <= 0 {
        return 0;
    }
    let back = quantity_back.clamp(0, quantity_total);
    let exact = crate::money::half_up(i128::from(discount) * i128::from(back), quantity_total.into());
    i64::try_from(exact).unwrap_or(discount)
}
