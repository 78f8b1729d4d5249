//! Discounts that count units, and what they cost. Equal units are one run, so that cost does not grow with quantity; n of
//! a line's Q units cost `amount × n / Q`, exactly. Sets at a price: [`super::sets`].

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
}

/// The units at hand.
pub(super) fn units_of(runs: &[Run]) -> i64 {
    runs.iter().map(|run| run.units).sum()
}

/// The first `count` units of `runs`, as (run, units of it).
pub(super) fn take(runs: &[Run], count: i64) -> impl Iterator<Item = (Run, i64)> {
    let mut wanted = count;
    runs.iter().map_while(move |run| {
        let taken = run.units.min(wanted);
        wanted -= taken;
        (taken > 0).then_some((*run, taken))
    })
}

/// What some units of a run cost, in lowest terms; all units of a line cost whole minor units.
#[derive(Debug, Clone, Copy)]
struct Price {
    numerator: i128,
    denominator: u64,
}

impl Price {
    fn of((run, units): &(Run, i64)) -> Self {
        if *units == run.quantity {
            return Self { numerator: run.amount.into(), denominator: 1 };
        }
        let product = i128::from(run.amount) * i128::from(*units);
        let quantity = run.quantity.unsigned_abs().max(1);
        let rest = u64::try_from(product % i128::from(quantity)).unwrap_or(0);
        let shared = gcd(rest, quantity).max(1);
        Self { numerator: product / i128::from(shared), denominator: quantity / shared }
    }

    /// In multiples of `1 / common`; whole, for `common` is a multiple of the denominator.
    fn over<N: Whole>(self, common: &N) -> N {
        let numerator = N::from_i128(self.numerator).unwrap_or_else(N::zero);
        match self.denominator {
            1 => numerator * common.clone(),
            denominator => numerator * (common.clone() / N::from_u64(denominator).unwrap_or_else(N::one)),
        }
    }

    fn floor(self) -> i128 {
        self.numerator / i128::from(self.denominator)
    }

    fn ceil(self) -> i128 {
        self.floor() + i128::from(self.denominator > 1)
    }
}

/// A sum of whole amounts and of prices, compared with zero.
#[derive(Debug)]
pub(super) struct Value {
    whole: i128,
    with: Vec<Price>,
    without: Vec<Price>,
}

impl Value {
    pub(super) fn of(whole: i128) -> Self {
        Self { whole, with: Vec::new(), without: Vec::new() }
    }

    pub(super) fn add(&mut self, whole: i128, units: Option<&(Run, i64)>) {
        self.whole += whole;
        self.with.extend(units.map(Price::of));
    }

    pub(super) fn subtract(&mut self, whole: i128, units: Option<&(Run, i64)>) {
        self.whole -= whole;
        self.without.extend(units.map(Price::of));
    }

    pub(super) fn is_positive(&self) -> bool {
        let Self { whole, with, without } = self;
        let sum =
            |prices: &[Price], round: fn(Price) -> i128| -> i128 { prices.iter().copied().map(round).sum() };
        let least = whole + sum(with, Price::floor) - sum(without, Price::ceil);
        let most = whole + sum(with, Price::ceil) - sum(without, Price::floor);
        if least > 0 || most <= 0 {
            return least > 0;
        }
        let wide = whole.abs() + sum(with, Price::ceil) + sum(without, Price::ceil);
        match Denominator::of(with.iter().chain(without), wide) {
            Denominator::Fits(common) => self.is_positive_over(&common),
            Denominator::Big(common) => self.is_positive_over(&common),
        }
    }

    fn is_positive_over<N: Whole>(&self, common: &N) -> bool {
        let over = |prices: &[Price]| prices.iter().fold(N::zero(), |sum, price| sum + price.over(common));
        let whole = N::from_i128(self.whole).unwrap_or_else(N::zero) * common.clone();
        whole + over(&self.with) - over(&self.without) > N::zero()
    }
}

/// A common denominator of some prices.
#[derive(Debug)]
enum Denominator {
    /// Every computation fits 128 bits.
    Fits(i128),
    /// It does not.
    Big(BigInt),
}

impl Denominator {
    /// `sum` is at least what the prices, and whole amounts that they meet, come to together.
    fn of<'p>(prices: impl Iterator<Item = &'p Price> + Clone, sum: i128) -> Self {
        // The widest products are `amount × weight` in a split and `weights × rate × 2` in rounding.
        let widest = sum.checked_mul(sum.max(4 * i128::from(WHOLE_PPM))).unwrap_or(i128::MAX).max(1);
        let limit = i128::MAX / widest;
        let mut common = 1_i128;
        for price in prices.clone().filter(|price| price.denominator > 1) {
            let denominator = i128::from(price.denominator);
            let Ok(rest) = u64::try_from(common % denominator) else { continue };
            let step = denominator / i128::from(gcd(rest, price.denominator).max(1));
            match common.checked_mul(step) {
                Some(next) if next <= limit => common = next,
                _ => return Self::Big(big_common(prices)),
            }
        }
        Self::Fits(common)
    }

    /// How many words of 64 bits numbers over it have.
    fn words(&self) -> u64 {
        match self {
            Self::Fits(_) => 2,
            Self::Big(common) => common.bits() / 64 + 2,
        }
    }
}

fn big_common<'p>(prices: impl Iterator<Item = &'p Price>) -> BigInt {
    prices.filter(|price| price.denominator > 1).fold(BigInt::from(1), |common, price| {
        let rest = (&common % price.denominator).to_u64().unwrap_or(0);
        common * (price.denominator / gcd(rest, price.denominator).max(1))
    })
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The units that a discount is computed on, and how.
#[derive(Debug)]
pub(super) struct Chosen {
    /// (run, units of it) by line, each line at most once.
    units: Vec<(Run, i64)>,
    /// What they cost.
    prices: Vec<Price>,
    common: Denominator,
    /// The share of their price that comes off.
    rate_ppm: i32,
    /// What stays to be paid for them.
    less: i128,
}

impl Chosen {
    /// `less` is at most what the units cost.
    pub(super) fn new(mut units: Vec<(Run, i64)>, rate_ppm: i32, less: i128) -> Self {
        // Ties between remainders go to the earlier line, not to the unit that was chosen first.
        units.sort_unstable_by_key(|(run, _)| run.line);
        let prices: Vec<Price> = units.iter().map(Price::of).collect();
        let sum = units.iter().map(|(run, _)| i128::from(run.amount)).sum();
        let common = Denominator::of(prices.iter(), sum);
        Self { units, prices, common, rate_ppm, less }
    }

    /// The lines and what is left of each.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, i64)> {
        self.units.iter().map(|(run, _)| (run.line, run.amount))
    }

    /// Words that every computation over all of them goes through, where that is more than usual: a line's price by
    /// parts has a denominator of its own, and many of those make long numbers.
    pub(super) fn long_words(&self) -> u64 {
        match &self.common {
            Denominator::Fits(_) => 0,
            big @ Denominator::Big(_) => self.units.len() as u64 * big.words(),
        }
    }

    /// The exact discount on the chosen units, rounded half up.
    pub(super) fn total(&self) -> i64 {
        match &self.common {
            Denominator::Fits(common) => self.total_over(common),
            Denominator::Big(common) => self.total_over(common),
        }
    }

    fn total_over<N: Whole>(&self, common: &N) -> i64 {
        let zero = N::zero();
        let sum = self.prices.iter().fold(N::zero(), |sum, price| sum + price.over(common));
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
        match &self.common {
            Denominator::Fits(common) => {
                let weights: Vec<i128> = self.prices.iter().map(|price| price.over(common)).collect();
                parts.split_wide(total, &weights, |weight| *weight);
            }
            Denominator::Big(common) => {
                let weights: Vec<BigInt> = self.prices.iter().map(|price| price.over(common)).collect();
                parts.split_wide(total, &weights, BigInt::clone);
            }
        }
    }
}

/// The largest number up to `most` for which `holds`; it holds for 0, and no more once it fails.
pub(super) fn largest(most: i64, mut holds: impl FnMut(i64) -> bool) -> i64 {
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
    // Get-units before each run, and how many of them are bought goods too.
    let mut before = Vec::with_capacity(get_runs.len() + 1);
    let is_both = |run: &Run| buy_lines.contains(run.line);
    let mut sum = (0, 0);
    before.push(sum);
    for run in get_runs {
        sum = (sum.0 + run.units, sum.1 + if is_both(run) { run.units } else { 0 });
        before.push(sum);
    }
    let of_both = |units: i64| {
        let whole = before.partition_point(|(before, _)| *before <= units).saturating_sub(1);
        let (all, both) = before.get(whole).copied().unwrap_or_default();
        both + get_runs.get(whole).filter(|run| is_both(run)).map_or(0, |_| units - all)
    };
    let sets = largest(most, |sets| bought - of_both(terms.get * sets) >= terms.buy * sets);
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
