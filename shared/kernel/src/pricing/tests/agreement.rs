//! The kernel and the naive evaluator answer alike.

use proptest::prelude::*;

use super::naive::{Fate, Naive, NaiveRule};
use super::{Given, price_under, strategies};
use crate::basket::{Basket, merged};
use crate::pricing::{Outcome, PriceRule};

fn fate(outcome: Outcome) -> Fate {
    match outcome {
        Outcome::Applied => Fate::Applied,
        Outcome::Skipped { lost_to } => Fate::Skipped(lost_to),
        Outcome::Inapplicable { .. } => Fate::Inapplicable,
    }
}

pub fn agreement(basket: &Basket, rules: &[NaiveRule], given: &[Given]) -> Result<(), TestCaseError> {
    let naive = Naive::new(basket, rules, given).answer();
    let compiled = strategies::compiled(rules);
    let compiled: Vec<&PriceRule> = compiled.iter().collect();
    let kernel = price_under(basket, &compiled, given);
    let decisions: Vec<(Fate, i64)> =
        kernel.decisions.iter().map(|decision| (fate(decision.outcome), decision.amount)).collect();
    let of_members = |line: &crate::basket::MergedLine<'_>| -> i64 {
        line.members.iter().map(|(index, _)| kernel.lines[*index].final_amount).sum()
    };
    let goods: Vec<i64> = merged(basket).lines.iter().map(of_members).collect();
    prop_assert_eq!(decisions, naive.decisions, "decisions");
    prop_assert_eq!(goods, naive.goods, "final amounts of the merged lines");
    prop_assert_eq!(kernel.shipping - kernel.shipping_discount, naive.shipping, "shipping");
    prop_assert_eq!(kernel.tendered, naive.tendered, "paid by gift cards");
    prop_assert!(!kernel.approximate);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn kernel_and_naive_evaluator_agree_on_one_discount((basket, rules, given) in strategies::cases(1..=5, 5, 1)) {
        agreement(&basket, &rules, &given)?;
    }

    #[test]
    fn kernel_and_naive_evaluator_agree_on_stacks((basket, rules, given) in strategies::cases(1..=5, 4, 6)) {
        agreement(&basket, &rules, &given)?;
    }
}
