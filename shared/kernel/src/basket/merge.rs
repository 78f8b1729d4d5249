//! Equal lines become one, in an order that does not depend on the caller's.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Basket, Line, MAX_AMOUNT_MINOR, MAX_QUANTITY, TaxMode};
use crate::discount::WHOLE_PPM;
use crate::money::largest_remainder;

/// What every rule sees as one line: all of the caller's lines that differ in nothing but id and quantity. It borrows
/// from the basket.
#[derive(Debug)]
pub struct MergedLine<'a> {
    /// The product's id.
    pub product: &'a str,
    /// Units of all members together.
    pub quantity: i64,
    /// List price of one unit, in minor units.
    pub unit_price: i64,
    /// Cost of one unit before tax, where known.
    pub unit_cost: Option<i64>,
    /// Tax in parts per million.
    pub tax_rate_ppm: i32,
    /// Categories of the product.
    pub categories: &'a [String],
    /// Facts for rules.
    pub attributes: &'a BTreeMap<String, String>,
    /// (index of the caller's line, its quantity), in the caller's order; never empty.
    pub members: Vec<(usize, i64)>,
}

/// The merged lines of a basket in canonical order, which shuffling the caller's lines does not change.
#[derive(Debug)]
pub struct Merged<'a> {
    /// In canonical order: by product, unit price, cost, tax, categories, attributes.
    pub lines: Vec<MergedLine<'a>>,
    caller_lines: usize,
}

impl Merged<'_> {
    /// How many lines the caller gave.
    pub fn caller_lines(&self) -> usize {
        self.caller_lines
    }

    /// One amount per merged line, at least 0, becomes one per line of the caller: by quantity with largest
    /// remainders, ties to the caller's earlier line. The sum stays. Missing amounts count as 0.
    pub fn spread(&self, per_merged: &[i64]) -> Vec<i64> {
        let mut per_caller = vec![0; self.caller_lines];
        for (line, amount) in self.lines.iter().zip(per_merged) {
            match line.members.as_slice() {
                [(only, _)] => per_caller[*only] = *amount,
                members => {
                    let quantities: Vec<i64> = members.iter().map(|(_, quantity)| *quantity).collect();
                    for ((index, _), part) in members.iter().zip(largest_remainder(*amount, &quantities)) {
                        per_caller[*index] = part;
                    }
                }
            }
        }
        per_caller
    }
}

/// Merges the lines of `basket` that are equal in everything but id and quantity, and sorts them canonically.
///
/// `basket` has no [`Basket::problems`]; in one that has, numbers are held to the limits, so that nothing overflows.
pub fn merged(basket: &Basket) -> Merged<'_> {
    let mut order: Vec<usize> = (0..basket.lines.len()).collect();
    order.sort_unstable_by(|a, b| by_goods(&basket.lines[*a], &basket.lines[*b]).then(a.cmp(b)));
    let mut lines: Vec<MergedLine<'_>> = Vec::with_capacity(order.len());
    let mut previous: Option<&Line> = None;
    for index in order {
        let line = &basket.lines[index];
        let same = previous.is_some_and(|previous| by_goods(previous, line) == Ordering::Equal);
        previous = Some(line);
        let quantity = line.quantity.clamp(0, MAX_QUANTITY);
        match lines.last_mut() {
            Some(last) if same => {
                last.quantity = last.quantity.saturating_add(quantity);
                last.members.push((index, quantity));
            }
            _ => lines.push(MergedLine {
                product: &line.product,
                quantity,
                unit_price: line.unit_price.clamp(0, MAX_AMOUNT_MINOR),
                unit_cost: line.unit_cost.map(|cost| cost.clamp(0, MAX_AMOUNT_MINOR)),
                tax_rate_ppm: line.tax_rate_ppm.clamp(0, WHOLE_PPM),
                categories: &line.categories,
                attributes: &line.attributes,
                members: vec![(index, quantity)],
            }),
        }
    }
    Merged { lines, caller_lines: basket.lines.len() }
}

/// The canonical order: equal exactly where lines are merged.
fn by_goods(a: &Line, b: &Line) -> Ordering {
    a.product
        .cmp(&b.product)
        .then_with(|| a.unit_price.cmp(&b.unit_price))
        .then_with(|| a.unit_cost.cmp(&b.unit_cost))
        .then_with(|| a.tax_rate_ppm.cmp(&b.tax_rate_ppm))
        .then_with(|| a.categories.cmp(&b.categories))
        .then_with(|| a.attributes.cmp(&b.attributes))
}

/// SHA-256 over everything in the basket, line ids included, whatever the order of its lines: what a quote seals, so
/// that it can only be redeemed for the basket it was made for.
pub fn digest(basket: &Basket) -> [u8; 32] {
    let mut order: Vec<&Line> = basket.lines.iter().collect();
    order.sort_by(|a, b| a.id.cmp(&b.id).then_with(|| by_goods(a, b)).then(a.quantity.cmp(&b.quantity)));
    let mut canonical = Canonical(Sha256::new());
    canonical.text(basket.currency.code());
    canonical.number(match basket.tax_mode {
        TaxMode::Inclusive => 1,
        TaxMode::Exclusive => 2,
    });
    canonical.number(basket.shipping);
    canonical.optional(basket.amount_due);
    canonical.map(&basket.attributes);
    canonical.length(order.len());
    for line in order {
        canonical.text(&line.id);
        canonical.text(&line.product);
        canonical.number(line.quantity);
        canonical.number(line.unit_price);
        canonical.optional(line.unit_cost);
        canonical.number(line.tax_rate_ppm.into());
        canonical.length(line.categories.len());
        line.categories.iter().for_each(|category| canonical.text(category));
        canonical.map(&line.attributes);
    }
    canonical.0.finalize().into()
}

/// Every text with its length before it, every number in eight bytes: two baskets never write the same bytes.
struct Canonical(Sha256);

impl Canonical {
    fn number(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        self.0.update((length as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text.as_bytes());
    }

    fn optional(&mut self, number: Option<i64>) {
        self.number(number.is_some().into());
        self.number(number.unwrap_or(0));
    }

    fn map(&mut self, map: &BTreeMap<String, String>) {
        self.length(map.len());
        for (key, value) in map {
            self.text(key);
            self.text(value);
        }
    }
}
