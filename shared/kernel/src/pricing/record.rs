//! What one pass over the candidates did, and its translation to the caller's lines.

use std::ops::Range;

use super::allocate::{Overflow, Parts};
use super::effect::{Effect, Judge};
use super::{Decision, Initial, LineAmounts, Outcome, Reason};
use crate::basket::MAX_AMOUNT_MINOR;

/// Work of telling one line what one discount takes off it: handed out to the caller's lines, written into the answer,
/// sealed.
const STEPS_PER_PART: u64 = 6;

/// What became of each candidate, and who took what, in the order of evaluation.
#[derive(Debug)]
pub(super) struct Record {
    outcomes: Vec<Option<Outcome>>,
    applied: Vec<Applied>,
    /// (merged line, amount) of everything applied.
    parts: Vec<(usize, i64)>,
}

#[derive(Debug)]
struct Applied {
    candidate: usize,
    effect: Effect,
    parts: Range<usize>,
}

impl Record {
    pub(super) fn new(candidates: usize) -> Self {
        Self { outcomes: vec![None; candidates], applied: Vec::with_capacity(candidates), parts: Vec::new() }
    }

    /// The candidate took what `judge` found last.
    pub(super) fn applied(&mut self, candidate: usize, effect: Effect, judge: &mut Judge<'_>) {
        let start = self.parts.len();
        self.parts.extend(judge.parts());
        judge.work.spend((self.parts.len() - start) as u64 * STEPS_PER_PART);
        self.applied.push(Applied { candidate, effect, parts: start..self.parts.len() });
        self.outcomes[candidate] = Some(Outcome::Applied);
    }

    pub(super) fn inapplicable(&mut self, candidate: usize, reason: Reason) {
        self.outcomes[candidate] = Some(Outcome::Inapplicable { reason });
    }

    /// The candidate did not get its turn: skipped, unless it would have had no effect anyway.
    pub(super) fn lost(&mut self, candidate: usize, alone: Result<Effect, Reason>, to: Option<usize>) {
        self.outcomes[candidate] = Some(match alone {
            Ok(_) => Outcome::Skipped { lost_to: to },
            Err(reason) => Outcome::Inapplicable { reason },
        });
    }

    /// Everything that applied or was skipped here lost to `winner`, which stands alone.
    pub(super) fn all_lost_to(&mut self, winner: usize) {
        self.applied.clear();
        self.parts.clear();
        for outcome in self.outcomes.iter_mut().flatten() {
            if !matches!(outcome, Outcome::Inapplicable { .. }) {
                *outcome = Outcome::Skipped { lost_to: Some(winner) };
            }
        }
    }

    pub(super) fn is_open(&self, candidate: usize) -> bool {
        self.outcomes[candidate].is_none()
    }

    /// The candidates that applied, in the order of evaluation.
    pub(super) fn winners(&self) -> impl Iterator<Item = usize> {
        self.applied.iter().map(|applied| applied.candidate)
    }

    /// The decisions in the candidates' order and the lines in the caller's. Gift cards are not part of it.
    pub(super) fn spread(self, initial: &Initial<'_>) -> (Vec<Decision>, Vec<LineAmounts>) {
        let merged = &initial.merged;
        let mut off = vec![0; merged.lines.len()];
        self.parts.iter().for_each(|(line, part)| off[*line] += part);
        let off = merged.spread(&off);
        let mut decisions: Vec<Decision> = self.outcomes.into_iter().map(untouched).collect();
        let mut share = Share::new(off.clone());
        for applied in &self.applied {
            let decision = &mut decisions[applied.candidate];
            decision.amount = applied.effect.amount();
            decision.shipping_amount = applied.effect.shipping;
            decision.cut_by_floor = applied.effect.cut_by_floor;
            for (line, part) in &self.parts[applied.parts.clone()] {
                share.out(&merged.lines[*line].members, *part);
            }
            decision.line_amounts = share.collect(applied.parts.len());
        }
        (decisions, line_amounts(initial, &off))
    }
}

fn untouched(outcome: Option<Outcome>) -> Decision {
    let outcome = outcome.unwrap_or(Outcome::Skipped { lost_to: None });
    Decision { outcome, amount: 0, line_amounts: Vec::new(), shipping_amount: 0, cut_by_floor: 0 }
}

fn line_amounts(initial: &Initial<'_>, off: &[i64]) -> Vec<LineAmounts> {
    let nothing = LineAmounts {
        list: 0,
        initial: 0,
        discount: 0,
        final_amount: 0,
        list_unit: 0,
        initial_unit: 0,
        price_rule: None,
    };
    let mut lines = vec![nothing; off.len()];
    for (line, price) in initial.merged.lines.iter().zip(&initial.prices) {
        for (index, quantity) in &line.members {
            let all = |unit: i64| unit.saturating_mul(*quantity).min(MAX_AMOUNT_MINOR);
            let amount = all(price.unit);
            lines[*index] = LineAmounts {
                list: all(line.unit_price),
                initial: amount,
                discount: off[*index],
                final_amount: amount - off[*index],
                list_unit: line.unit_price,
                initial_unit: price.unit,
                price_rule: price.rule,
            };
        }
    }
    lines
}

/// Hands each part of a merged line out to its members: by quantity, but never more than the member's share of the
/// whole discount. Splitting every part by itself could give one member more than its price.
#[derive(Debug)]
struct Share {
    /// What is still to be handed out, by the caller's line.
    open: Vec<i64>,
    /// What the decision at hand takes off the caller's lines.
    shares: Vec<i64>,
    weights: Vec<i64>,
    room: Vec<i64>,
    parts: Parts,
}

impl Share {
    fn new(open: Vec<i64>) -> Self {
        let shares = vec![0; open.len()];
        Self { open, shares, weights: Vec::new(), room: Vec::new(), parts: Parts::default() }
    }

    fn out(&mut self, members: &[(usize, i64)], part: i64) {
        if let [(only, _)] = members {
            self.shares[*only] = part;
            return;
        }
        self.weights.clear();
        self.weights.extend(members.iter().map(|(_, quantity)| *quantity));
        self.room.clear();
        self.room.extend(members.iter().map(|(index, _)| self.open[*index]));
        self.parts.split(part, &self.weights);
        self.parts.fit(&self.room, &self.weights, Overflow::Moves);
        for ((index, _), share) in members.iter().zip(&self.parts.amounts) {
            self.open[*index] -= share;
            self.shares[*index] = *share;
        }
    }

    /// The shares above 0 by line, ascending; `expected` are about as many.
    fn collect(&mut self, expected: usize) -> Vec<(usize, i64)> {
        let mut amounts = Vec::with_capacity(expected);
        for (index, share) in self.shares.iter_mut().enumerate() {
            if *share > 0 {
                amounts.push((index, *share));
                *share = 0;
            }
        }
        amounts
    }
}
