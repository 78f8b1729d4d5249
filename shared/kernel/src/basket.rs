//! The basket: what a customer is about to buy, in one currency.
//!
//! Lines equal in product, unit price, cost and attributes are merged before any rule sees them and sorted
//! canonically ([`merged`]); results are spread back by quantity with largest remainders ([`Merged::spread`]), so
//! that splitting a line in two never changes a total.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::money::Currency;

mod merge;
mod problems;
#[cfg(test)]
mod tests;

pub use merge::{Merged, MergedLine, digest, merged};

/// The most lines a basket holds.
pub const MAX_LINES: usize = 500;
/// The most units a line holds.
pub const MAX_QUANTITY: i64 = 1_000_000;
/// The most one line, and one basket, may be worth in minor units: sums and products with rates stay within 128 bits.
pub const MAX_AMOUNT_MINOR: i64 = 1_000_000_000_000_000;

/// Whether unit prices contain the tax.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaxMode {
    /// Prices contain the tax.
    #[default]
    Inclusive,
    /// Prices are before tax.
    Exclusive,
}

/// One position of the basket with everything known about it. Amounts in minor units of the basket's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The checkout's own id, unique in the basket.
    pub id: String,
    /// The product's id (`42`, without its collection).
    pub product: String,
    /// Units, at least 1.
    pub quantity: i64,
    /// List price of one unit, at least 0.
    pub unit_price: i64,
    /// Cost of one unit before tax, where known.
    pub unit_cost: Option<i64>,
    /// Tax in parts per million.
    pub tax_rate_ppm: i32,
    /// Categories of the product, sorted, each once.
    pub categories: Vec<String>,
    /// Facts for rules.
    pub attributes: BTreeMap<String, String>,
}

/// What a customer is about to buy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basket {
    /// Of every amount in it.
    pub currency: Currency,
    /// In the caller's order, 1 to [`MAX_LINES`].
    pub lines: Vec<Line>,
    /// Whether prices contain tax.
    pub tax_mode: TaxMode,
    /// Shipping before any discount.
    pub shipping: i64,
    /// What gift cards may pay where prices are without tax.
    pub amount_due: Option<i64>,
    /// Facts for rules.
    pub attributes: BTreeMap<String, String>,
}
