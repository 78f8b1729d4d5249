//! Prices first: the price rules of campaigns change the unit price before any discount sees it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::scope::{CompiledScope, Lines};
use crate::basket::{Basket, MAX_AMOUNT_MINOR, Merged, TaxMode, merged};
use crate::discount::WHOLE_PPM;
use crate::discount::problems::Check;
use crate::money::{Amounts, Currency, half_up};
use crate::problem::Problem;
use crate::work::Work;

/// How a price rule changes a unit price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PriceChange {
    /// Less a share of it; the new price is rounded half up.
    Percent {
        /// Parts per million, 1 to 1,000,000.
        rate_ppm: i32,
    },
    /// Less an amount for each unit, one per currency, each above 0.
    Amount(Amounts),
    /// A unit price instead, one per currency, each at least 0.
    Fixed(Amounts),
}

impl PriceChange {
    /// Every violation of the ranges, with fields named `rate_ppm`, `amounts`, `prices`.
    pub fn problems(&self) -> Vec<Problem> {
        let mut check = Check(Vec::new());
        match self {
            Self::Percent { rate_ppm } => check.rate("rate_ppm", *rate_ppm),
            Self::Amount(amounts) => check.amounts("amounts", amounts, 1, false),
            Self::Fixed(prices) => check.amounts("prices", prices, 0, false),
        }
        check.0
    }

    /// What a unit of `unit_price` costs then: never more, never under 0. `None` where it says nothing about
    /// `currency`.
    pub fn resulting(&self, unit_price: i64, currency: Currency) -> Option<i64> {
        let changed = match self {
            Self::Percent { rate_ppm } => {
                let left = i128::from(unit_price) * i128::from(WHOLE_PPM - (*rate_ppm).clamp(0, WHOLE_PPM));
                i64::try_from(half_up(left, WHOLE_PPM.into())).unwrap_or(unit_price)
            }
            Self::Amount(amounts) => unit_price.saturating_sub(amounts.get(currency)?),
            Self::Fixed(prices) => prices.get(currency)?,
        };
        Some(changed.max(0).min(unit_price))
    }
}

/// A price rule of a running campaign. Of the rules that reach a line, only the one with the lowest resulting price
/// counts.
#[derive(Debug)]
pub struct PriceRule {
    /// Breaks ties after the priority.
    pub id: Arc<str>,
    /// Breaks ties between equal prices, low first.
    pub priority: i32,
    /// The lines it reaches.
    pub scope: CompiledScope,
    /// What it does.
    pub change: PriceChange,
}

/// A merged basket after price rules: what every discount starts from. It borrows from the basket.
#[derive(Debug)]
pub struct Initial<'a> {
    /// The merged lines.
    pub merged: Merged<'a>,
    /// Of every amount.
    pub currency: Currency,
    /// Whether prices contain tax.
    pub tax_mode: TaxMode,
    /// Shipping before any discount.
    pub shipping: i64,
    /// As the caller stated it.
    pub amount_due: Option<i64>,
    /// The price of each merged line.
    pub prices: Vec<InitialPrice>,
}

/// Work of reading one line of a basket, putting it in order, and writing its price.
const STEPS_PER_LINE: u64 = 20;
/// Work of one price rule, its scope and the lines it reaches aside.
const STEPS_PER_RULE: u64 = 5;
/// Work of one price rule on one line.
const STEPS_PER_PRICE: u64 = 2;

/// What one merged line costs after price rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitialPrice {
    /// One unit.
    pub unit: i64,
    /// All units.
    pub amount: i64,
    /// Index of the rule that set it; `None` where no rule lowers the list price.
    pub rule: Option<usize>,
}

/// Merges the lines of `basket` and prices them under `rules`: for each line the lowest resulting unit price wins,
/// ties by priority, then id.
///
/// `basket` has no [`Basket::problems`]; in one that has, amounts are held to the limits. Counted in `work`: where that
/// is over afterwards, the prices are not to be used.
pub fn initial<'a>(basket: &'a Basket, rules: &[&PriceRule], work: &mut Work) -> Initial<'a> {
    work.spend(basket.lines.len() as u64 * STEPS_PER_LINE);
    let merged = merged(basket);
    let mut prices: Vec<InitialPrice> = merged
        .lines
        .iter()
        .map(|line| InitialPrice { unit: line.unit_price, amount: 0, rule: None })
        .collect();
    let lines = Lines::new(&merged.lines, basket.currency);
    for (index, rule) in rules.iter().enumerate() {
        work.spend(STEPS_PER_RULE);
        let reached = rule.scope.select_in(&lines, work);
        work.spend(reached.len() as u64 * STEPS_PER_PRICE);
        for line in reached.iter() {
            let list = merged.lines[line].unit_price;
            let Some(unit) = rule.change.resulting(list, basket.currency) else { continue };
            let price = &mut prices[line];
            let wins_tie = || {
                price.rule.and_then(|best| rules.get(best)).is_some_and(|best| {
                    unit == price.unit && (rule.priority, &*rule.id) < (best.priority, &*best.id)
                })
            };
            if unit < price.unit || wins_tie() {
                (price.unit, price.rule) = (unit, Some(index));
            }
        }
    }
    for (price, line) in prices.iter_mut().zip(&merged.lines) {
        price.amount = price.unit.saturating_mul(line.quantity).min(MAX_AMOUNT_MINOR);
    }
    drop(lines);
    Initial {
        merged,
        currency: basket.currency,
        tax_mode: basket.tax_mode,
        shipping: basket.shipping.clamp(0, MAX_AMOUNT_MINOR),
        amount_due: basket.amount_due,
        prices,
    }
}
