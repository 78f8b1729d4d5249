//! Splitting one rounded amount over lines so that the parts sum to it exactly.

use std::cmp::Reverse;

use num_traits::{FromPrimitive, Num, ToPrimitive};

use crate::discount::WHOLE_PPM;

/// Whole numbers wide enough for a computation: 64 bits where products fit, 128 where they do, else any size.
pub(super) trait Whole: Num + Clone + Ord + FromPrimitive + ToPrimitive {}

impl<T: Num + Clone + Ord + FromPrimitive + ToPrimitive> Whole for T {}

/// What happens to the part a line cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    /// It is lost.
    Lost,
    /// It moves to lines with room, split like the whole, until it is placed or no line has room.
    Moves,
}

/// Up to so many remainders are looked through again and again, which is faster than ordering them.
const FEW: usize = 24;

/// The parts of an amount, one per line, and the room for making them, used again for the next amount.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// By line.
    pub amounts: Vec<i64>,
    remainders: Vec<u64>,
}

impl Parts {
    /// Splits `total` by `weights`, both at least 0, with largest remainders, ties to the earlier line. Nothing for
    /// weight zero; all weights zero gives all zeros.
    pub(super) fn split(&mut self, total: i64, weights: &[i64]) {
        let sum = weights.iter().fold(0_i64, |sum, weight| sum.saturating_add(*weight));
        if total.checked_mul(sum).is_some() {
            let narrow = |weight: &i64| weight.unsigned_abs();
            share_out(total, weights, narrow, &mut self.amounts, &mut self.remainders);
        } else {
            self.split_wide(total, weights, |weight| i128::from(*weight));
        }
    }

    /// [`Self::split`] over weights of any width; `widen` makes the number to compute with.
    pub(super) fn split_wide<W, N: Whole>(&mut self, total: i64, weights: &[W], widen: impl Fn(&W) -> N) {
        share_out(total, weights, widen, &mut self.amounts, &mut Vec::with_capacity(weights.len()));
    }

    /// Holds the parts to `room`, line by line, and returns what was taken in all. `weights` are those of the split.
    pub(super) fn fit(&mut self, room: &[i64], weights: &[i64], overflow: Overflow) -> i64 {
        let mut excess = self.hold(room);
        while overflow == Overflow::Moves && excess > 0 {
            let parts = self.amounts.iter().zip(room).zip(weights);
            let open: Vec<i64> =
                parts.map(|((part, room), weight)| if part < room { *weight } else { 0 }).collect();
            if open.iter().all(|weight| *weight == 0) {
                break;
            }
            let mut more = Self::default();
            more.split(excess, &open);
            self.amounts.iter_mut().zip(&more.amounts).for_each(|(part, more)| *part += more);
            excess = self.hold(room);
        }
        self.amounts.iter().sum()
    }

    fn hold(&mut self, room: &[i64]) -> i64 {
        let mut excess = 0;
        for (part, room) in self.amounts.iter_mut().zip(room) {
            excess += (*part - *room).max(0);
            *part = (*part).min(*room);
        }
        excess
    }
}

fn share_out<W, N: Whole>(
    total: i64,
    weights: &[W],
    widen: impl Fn(&W) -> N,
    parts: &mut Vec<i64>,
    remainders: &mut Vec<N>,
) {
    parts.clear();
    remainders.clear();
    let sum = weights.iter().fold(N::zero(), |sum, weight| sum + widen(weight));
    let (true, Some(whole)) = (total > 0 && sum > N::zero(), N::from_i64(total)) else {
        parts.resize(weights.len(), 0);
        return;
    };
    let mut missing = total;
    for weight in weights {
        let product = whole.clone() * widen(weight);
        let quotient = product.clone() / sum.clone();
        let part = quotient.to_i64().unwrap_or(i64::MAX);
        missing -= part;
        parts.push(part);
        remainders.push(product - quotient * sum.clone());
    }
    // The remainders add up to `missing` sums and each is below one: more than `missing` of them are above zero.
    let missing = usize::try_from(missing).unwrap_or(0).min(weights.len());
    if missing == 0 {
        return;
    }
    if remainders.len() <= FEW {
        for _ in 0..missing {
            let mut largest = 0;
            for index in 1..remainders.len() {
                if remainders[index] > remainders[largest] {
                    largest = index;
                }
            }
            parts[largest] += 1;
            remainders[largest] = N::zero();
        }
        return;
    }
    let mut order: Vec<(Reverse<&N>, usize)> =
        remainders.iter().enumerate().map(|(index, remainder)| (Reverse(remainder), index)).collect();
    order.select_nth_unstable(missing - 1);
    for (_, index) in order.into_iter().take(missing) {
        parts[index] += 1;
    }
}

/// `round_half_up(numerator / denominator)` of non-negative numbers; what does not fit 64 bits is their maximum.
pub(super) fn half_up<N: Whole>(numerator: N, denominator: N) -> i64 {
    let two = N::one() + N::one();
    let rounded = (numerator * two.clone() + denominator.clone()) / (denominator * two);
    rounded.to_i64().unwrap_or(i64::MAX)
}

/// Half up of a share of `base`.
pub(super) fn share(base: i64, rate_ppm: i32) -> i64 {
    match base.checked_mul(2 * i64::from(rate_ppm)) {
        Some(product) => (product + i64::from(WHOLE_PPM)) / (2 * i64::from(WHOLE_PPM)),
        None => half_up(i128::from(base) * i128::from(rate_ppm), WHOLE_PPM.into()),
    }
}
