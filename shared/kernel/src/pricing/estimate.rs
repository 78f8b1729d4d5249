//! The work of an evaluation before it is begun, from sizes alone: what decides where it is done, never what it answers.

use std::collections::BTreeMap;

use super::Compiled;
use super::search::MAX_ALTERNATIVES;
use super::terms::{STEPS_PER_EFFECT, steps_per_line};
use crate::basket::Basket;
use crate::discount::{Discount, GroupPolicy};
use crate::rule::{Fullness, line_fullness};

/// How often the effect of a candidate is judged besides the search: at its turn, as a loser, and group by group.
const TURNS: u64 = 4;

/// What of a basket the work depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How many lines it has.
    pub lines: u64,
    /// How full the lists of its fullest line are.
    pub of_line: Fullness,
}

impl Size {
    /// Of a basket.
    pub fn of(basket: &Basket) -> Self {
        let of_line = basket.lines.iter().map(line_fullness).max().unwrap_or(Fullness::LEAST);
        Self { lines: basket.lines.len() as u64, of_line }
    }
}

/// About how many steps it takes to let `candidates` meet on a basket of this size, were all of them to apply to every
/// line and were no alternative cut.
pub fn estimate<'c>(size: Size, candidates: impl IntoIterator<Item = &'c Compiled>) -> u64 {
    let (mut all, mut turn) = (0_u64, 0_u64);
    let mut best: BTreeMap<_, usize> = BTreeMap::new();
    for compiled in candidates {
        let discount = &compiled.discount;
        let effect = STEPS_PER_EFFECT + size.lines * steps_per_line(&discount.kind);
        all = all.saturating_add(compiled.rule_steps(size)).saturating_add(TURNS * effect);
        turn = turn.max(effect);
        if discount.group_policy == GroupPolicy::BestForCustomer && !discount.exclusive {
            let Discount { stage, group, .. } = discount;
            *best.entry((*stage, *group)).or_insert(1) += 1;
        }
    }
    let alternatives = best.values().fold(1_usize, |product, able| product.saturating_mul(*able));
    match alternatives {
        2..=MAX_ALTERNATIVES => all.saturating_add(turn.saturating_mul(alternatives as u64)),
        // Nothing to choose, or too much to try.
        _ => all,
    }
}
