//! Discounts that count units: buy X get Y, bundles, sets at a price. Equal units are one run, so that cost does not
//! grow with quantity; n of a line's Q units cost `amount × n / Q`, exactly.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::allocate::{self, Parts, Whole};
use super::scope::LineSet;
use crate::discount::WHOLE_PPM;

/// Equal units of one merged line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// The merged line.
    pub line: usize,
    /// Units at hand, at most `quantity`.
    pub units: i64,
    /// What all units of the line cost now, above 0.
    pub amount: i64,
    /// Units of the line.
    pub quantity: i64,
}

impl Run {
    /// The dearer unit first, ties by line.
    pub(super) fn dearest_first(a: &Self, b: &Self) -> Ordering {
        Self::by_price(b, a).then(a.line.cmp(&b.line))
    }

    /// The cheaper unit first, ties by line.
    pub(super) fn cheapest_first(a: &Self, b: &Self) -> Ordering {
        Self::by_price(a, b).then(a.line.cmp(&b.line))
    }

    fn by_price(a: &Self, b: &Self) -> Ordering {
        let left = i128::from(a.amount) * i128::from(b.quantity);
        left.cmp(&(i128::from(b.amount) * i128::from(a.quantity)))
    }

    /// Denominator of the unit price in lowest terms.
    fn denominator(&self) -> u64 {
        let quantity = self.quantity.unsigned_abs();
        quantity / gcd(self.amount.unsigned_abs(), quantity).max(1)
    }
}

/// The units at hand.
pub(super) fn units_of(runs: &[Run]) -> i64 {
    runs.iter().map(|run| run.units).sum()
}

/// The first `count` units of `runs`, as (run, units of it).
fn take(runs: &[Run], count: i64) -> impl Iterator<Item = (Run, i64)> {
    let mut wanted = count;
    runs.iter().map_while(move |run| {
        let taken = run.units.min(wanted);
        wanted -= taken;
        (taken > 0).then_some((*run, taken))
    })
}

/// The units that a discount is computed on, and how.
#[derive(Debug)]
pub(super) struct Chosen {
    /// (run, units of it); each line at most once.
    pub units: Vec<(Run, i64)>,
    /// The share of their price that comes off.
    pub rate_ppm: i32,
    /// What stays to be paid for them.
    pub less: i128,
}

/// A common denominator of the unit prices of some runs.
enum Denominator {
    /// Every computation fits 128 bits.
    Fits(i128),
    /// It does not.
    Big(BigInt),
}

impl Denominator {
    fn of<'r>(runs: impl Iterator<Item = &'r Run> + Clone) -> Self {
        let sum: i128 = runs.clone().map(|run| i128::from(run.amount)).sum();
        // The widest products are `amount × weight` in a split and `weights × rate × 2` in rounding.
        let widest = sum.checked_mul(sum.max(4 * i128::from(WHOLE_PPM))).unwrap_or(i128::MAX).max(1);
        let limit = i128::MAX / widest;
        let mut common = 1_i128;
        for run in runs.clone() {
            let denominator = i128::from(run.denominator());
            let Ok(rest) = u64::try_from(common % denominator) else { continue };
            let step = denominator / i128::from(gcd(rest, run.denominator()).max(1));
            match common.checked_mul(step) {
                Some(next) if next <= limit => common = next,
                _ => return Self::Big(big_common(runs)),
            }
        }
        Self::Fits(common)
    }
}

fn big_common<'r>(runs: impl Iterator<Item = &'r Run>) -> BigInt {
    runs.fold(BigInt::from(1), |common, run| {
        let denominator = run.denominator();
        let rest = (&common % denominator).to_u64().unwrap_or(0);
        common * (denominator / gcd(rest, denominator).max(1))
    })
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The price of `units` of a run in multiples of `1 / common`; whole, for `common` is a multiple of its denominator.
fn worth<N: Whole>(run: &Run, units: i64, common: &N) -> N {
    let number = |value: i64| N::from_i64(value).unwrap_or_else(N::zero);
    number(run.amount) * common.clone() / number(run.quantity) * number(units)
}

impl Chosen {
    /// The exact discount on the chosen units, rounded half up.
    pub(super) fn total(&self) -> i64 {
        match Denominator::of(self.units.iter().map(|(run, _)| run)) {
            Denominator::Fits(common) => self.total_over(&common),
            Denominator::Big(common) => self.total_over(&common),
        }
    }

    fn total_over<N: Whole>(&self, common: &N) -> i64 {
        let zero = N::zero();
        let sum = self.units.iter().fold(N::zero(), |sum, (run, units)| sum + worth(run, *units, common));
        let (Some(rate), Some(whole), Some(less)) =
            (N::from_i32(self.rate_ppm), N::from_i32(WHOLE_PPM), N::from_i128(self.less))
        else {
            return 0;
        };
        let off = sum - less * common.clone();
        allocate::half_up(off.max(zero) * rate, common.clone() * whole)
    }

    /// Splits `total` over the chosen units by their price.
    pub(super) fn split(&self, total: i64, parts: &mut Parts) {
        match Denominator::of(self.units.iter().map(|(run, _)| run)) {
            Denominator::Fits(common) => {
                let weights: Vec<i128> =
                    self.units.iter().map(|(run, units)| worth(run, *units, &common)).collect();
                parts.split_wide(total, &weights, |weight| *weight);
            }
            Denominator::Big(common) => {
                let weights: Vec<BigInt> =
                    self.units.iter().map(|(run, units)| worth(run, *units, &common)).collect();
                parts.split_wide(total, &weights, BigInt::clone);
            }
        }
    }
}

/// One part of a set.
#[derive(Debug)]
pub(super) struct Part {
    /// The units that can fill it, dearest first.
    pub runs: Vec<Run>,
    /// Units per set.
    pub quantity: i64,
}

/// Sets at a price, the dearest units first.
///
/// The value of a set falls from each to the next, so the sets worth more than the price come first; the others change
/// nothing. `Err` says whether at least one set was complete.
pub(super) fn sets(parts: &[Part], price: i64, max_sets: Option<i64>) -> Result<Chosen, NoSet> {
    let complete = parts.iter().map(|part| units_of(&part.runs) / part.quantity.max(1)).min().unwrap_or(0);
    let complete = complete.min(max_sets.unwrap_or(i64::MAX));
    if complete < 1 {
        return Err(NoSet::Incomplete);
    }
    let all_units = parts.iter().flat_map(|part| &part.runs);
    if i128::from(price) >= all_units.clone().map(|run| i128::from(run.amount)).sum() {
        return Err(NoSet::PriceNotLower);
    }
    let lower = match Denominator::of(all_units) {
        Denominator::Fits(common) => sets_above(parts, complete, price, &common),
        Denominator::Big(common) => sets_above(parts, complete, price, &common),
    };
    if lower < 1 {
        return Err(NoSet::PriceNotLower);
    }
    let units = parts.iter().flat_map(|part| take(&part.runs, lower * part.quantity)).collect();
    Ok(Chosen { units, rate_ppm: WHOLE_PPM, less: i128::from(lower) * i128::from(price) })
}

/// Why there is no set at a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSet {
    /// Units are missing.
    Incomplete,
    /// No set costs more than the price.
    PriceNotLower,
}

/// How many of the first `complete` sets are worth more than `price`.
fn sets_above<N: Whole>(parts: &[Part], complete: i64, price: i64, common: &N) -> i64 {
    let prefix = |part: &Part, sets: i64| {
        let units = take(&part.runs, sets * part.quantity);
        units.fold(N::zero(), |sum, (run, units)| sum + worth(&run, units, common))
    };
    let Some(price) = N::from_i64(price).map(|price| price * common.clone()) else { return 0 };
    let above = |set: i64| {
        let value = |sum: N, part: &Part| sum + (prefix(part, set) - prefix(part, set - 1));
        parts.iter().fold(N::zero(), value) > price
    };
    largest(complete, above)
}

/// The largest number up to `most` for which `holds`; it holds for 0, and no more once it fails.
fn largest(most: i64, holds: impl Fn(i64) -> bool) -> i64 {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low + (high - low + 1) / 2;
        if holds(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// How many units a set of a buy-x-get-y has.
#[derive(Debug, Clone, Copy)]
pub(super) struct BuyGet {
    pub buy: i64,
    pub get: i64,
    pub max_sets: Option<i64>,
}

/// The largest number of sets for which, with the first `get × sets` units of `get_runs` set aside, `buy × sets` units
/// of the bought goods remain. Returns the get-units; the units that now serve (get-units, and the dearest left as
/// buy-units) are added to `served`, each as (line, units).
pub(super) fn buy_get(
    terms: BuyGet,
    buy_lines: &LineSet,
    buy_runs: &mut [Run],
    get_runs: &[Run],
    served: &mut Vec<(usize, i64)>,
) -> Vec<(Run, i64)> {
    let (bought, given) = (units_of(buy_runs), units_of(get_runs));
    let most =
        (given / terms.get.max(1)).min(bought / terms.buy.max(1)).min(terms.max_sets.unwrap_or(i64::MAX));
    let sets = largest(most, |sets| {
        let of_both: i64 = take(get_runs, terms.get * sets)
            .filter(|(run, _)| buy_lines.contains(run.line))
            .map(|(_, units)| units)
            .sum();
        bought - of_both >= terms.buy * sets
    });
    let chosen: Vec<(Run, i64)> = take(get_runs, terms.get * sets).collect();
    served.extend(chosen.iter().map(|(run, units)| (run.line, *units)));
    let mut set_aside: Vec<(usize, i64)> = served.clone();
    set_aside.sort_unstable();
    for run in buy_runs.iter_mut() {
        if let Ok(found) = set_aside.binary_search_by_key(&run.line, |(line, _)| *line) {
            run.units -= set_aside[found].1;
        }
    }
    buy_runs.sort_unstable_by(Run::dearest_first);
    buy_runs
        .iter()
        .scan(terms.buy * sets, |wanted, run| {
            let taken = run.units.min(*wanted);
            *wanted -= taken;
            Some((run.line, taken))
        })
        .filter(|(_, units)| *units > 0)
        .for_each(|unit| served.push(unit));
    chosen
}
