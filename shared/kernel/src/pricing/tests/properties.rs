//! What holds for every basket of 1 to 500 lines and every stack, in JPY, EUR and KWD.

use proptest::prelude::*;

use super::naive::NaiveRule;
use super::*;
use crate::basket::MAX_AMOUNT_MINOR;
use crate::pricing::{Decision, returned};

fn evaluation_of(basket: &Basket, rules: &[NaiveRule], given: &[Given]) -> Evaluation {
    let compiled = strategies::compiled(rules);
    price_under(basket, &compiled.iter().collect::<Vec<_>>(), given)
}

fn outcomes_and_amounts(evaluation: &Evaluation) -> Vec<(Outcome, i64, i64, i64)> {
    let of = |decision: &Decision| {
        (decision.outcome, decision.amount, decision.shipping_amount, decision.cut_by_floor)
    };
    evaluation.decisions.iter().map(of).collect()
}

fn totals(evaluation: &Evaluation) -> [i64; 8] {
    let Evaluation { list, initial, discount, goods, shipping, shipping_discount, total, tendered, .. } =
        *evaluation;
    [list, initial, discount, goods, shipping, shipping_discount, total, tendered]
}

fn sums_hold(basket: &Basket, given: &[Given], evaluation: &Evaluation) -> Result<(), TestCaseError> {
    let sum = |of: fn(&crate::pricing::LineAmounts) -> i64| evaluation.lines.iter().map(of).sum::<i64>();
    prop_assert_eq!(sum(|line| line.list), evaluation.list);
    prop_assert_eq!(sum(|line| line.initial), evaluation.initial);
    prop_assert_eq!(sum(|line| line.discount), evaluation.discount);
    prop_assert_eq!(sum(|line| line.final_amount), evaluation.goods);
    prop_assert_eq!(evaluation.total, evaluation.goods + basket.shipping - evaluation.shipping_discount);
    prop_assert!((0..=basket.shipping).contains(&evaluation.shipping_discount));
    prop_assert!(evaluation.initial <= evaluation.list);
    let mut by_line = vec![0; basket.lines.len()];
    let mut off_shipping = 0;
    for (decision, given) in evaluation.decisions.iter().zip(given) {
        let tender = given.compiled.discount.stage == Stage::Tender;
        let on_lines: i64 = decision.line_amounts.iter().map(|(_, amount)| amount).sum();
        decision.line_amounts.iter().for_each(|(line, amount)| by_line[*line] += amount);
        off_shipping += decision.shipping_amount;
        prop_assert!(tender || decision.amount == on_lines + decision.shipping_amount);
        prop_assert_eq!(decision.amount > 0, decision.outcome == Outcome::Applied);
        prop_assert!(decision.line_amounts.iter().all(|(_, amount)| *amount > 0));
        prop_assert!(decision.cut_by_floor >= 0);
    }
    prop_assert_eq!(off_shipping, evaluation.shipping_discount);
    for (index, line) in evaluation.lines.iter().enumerate() {
        prop_assert!(0 <= line.discount && line.discount <= line.initial);
        prop_assert_eq!(line.final_amount, line.initial - line.discount);
        prop_assert_eq!(line.discount, by_line[index], "decisions sum to the line");
    }
    if let (Some(due), Some(payable)) = (evaluation.amount_due, evaluation.payable) {
        prop_assert!(payable >= 0 && payable + evaluation.tendered == due);
    }
    Ok(())
}

fn limits_hold(basket: &Basket, given: &[Given], evaluation: &Evaluation) -> Result<(), TestCaseError> {
    for (decision, given) in evaluation.decisions.iter().zip(given) {
        let cap = given.compiled.discount.max_discount.get(basket.currency);
        prop_assert!(cap.is_none_or(|cap| decision.amount <= cap));
        prop_assert!(given.budget_left.is_none_or(|left| decision.amount <= left.max(0)));
        let tender = given.compiled.discount.stage == Stage::Tender;
        prop_assert!(!tender || decision.amount <= given.balance.unwrap_or(0));
    }
    let mut drawn: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
    for (decision, given) in evaluation.decisions.iter().zip(given) {
        let Some((number, fund)) = given.shared else { continue };
        drawn.entry(number).or_insert((0, fund.left)).0 += decision.amount;
    }
    prop_assert!(drawn.values().all(|(drawn, left)| drawn <= left), "{:?}", drawn);
    Ok(())
}

/// Cuts lines in two, and the basket like a pack of cards.
fn split_and_shuffled(basket: &Basket, seed: u64) -> Basket {
    let mut lines = Vec::new();
    for (index, line) in basket.lines.iter().enumerate() {
        let first = if basket.lines.len() + lines.len() < 990 { line.quantity / 2 } else { 0 };
        for (half, quantity) in [("a", first), ("b", line.quantity - first)] {
            let id = format!("{index}{half}");
            lines.extend((quantity > 0).then(|| Line { id, quantity, ..line.clone() }));
        }
    }
    lines.sort_by_cached_key(|line| {
        let seen =
            line.id.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        (seen, line.id.clone())
    });
    Basket { lines, ..basket.clone() }
}

fn invariance(basket: &Basket, rules: &[NaiveRule], given: &[Given], seed: u64) -> Result<(), TestCaseError> {
    let before = evaluation_of(basket, rules, given);
    sums_hold(basket, given, &before)?;
    limits_hold(basket, given, &before)?;
    let other = split_and_shuffled(basket, seed);
    let after = evaluation_of(&other, rules, given);
    sums_hold(&other, given, &after)?;
    prop_assert_eq!(totals(&before), totals(&after));
    prop_assert_eq!(outcomes_and_amounts(&before), outcomes_and_amounts(&after));
    Ok(())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(1_500))]

    #[test]
    fn sums_limits_and_invariance_hold_for_small_baskets(
        (basket, rules, given) in strategies::cases(1..=8, 6, 8),
        seed: u64,
    ) {
        invariance(&basket, &rules, &given, seed)?;
    }

    #[test]
    fn the_order_of_candidates_is_of_no_account(
        (basket, rules, given) in strategies::cases(1..=6, 4, 8),
        turn in 0_usize..8,
    ) {
        let compiled = strategies::compiled(&rules);
        let compiled: Vec<&PriceRule> = compiled.iter().collect();
        let initial = initial(&basket, &compiled, &mut Work::new(ALL));
        let (candidates, funds) = stack(&given);
        let mut candidates: Vec<(usize, Candidate<'_>)> = candidates.into_iter().enumerate().collect();
        let decide = |order: &[(usize, Candidate<'_>)]| {
            let candidates: Vec<Candidate<'_>> = order.iter().map(|(_, candidate)| *candidate).collect();
            let mut work = Work::new(ALL);
            let evaluation = evaluate(&initial, &candidates, &funds, &mut work).unwrap();
            let decisions = evaluation.decisions.iter().zip(order);
            let mut by_index: Vec<(usize, i64, std::mem::Discriminant<Outcome>)> = decisions
                .map(|(decision, (index, _))| (*index, decision.amount, std::mem::discriminant(&decision.outcome)))
                .collect();
            by_index.sort_unstable_by_key(|(index, ..)| *index);
            (by_index, evaluation.lines, evaluation.total, work.spent())
        };
        let before = decide(&candidates);
        candidates.reverse();
        let middle = turn.min(candidates.len());
        candidates.rotate_left(middle);
        prop_assert_eq!(before, decide(&candidates));
    }

    #[test]
    fn a_line_of_price_zero_changes_nothing(
        (basket, rules, given) in strategies::cases(1..=6, 4, 6),
        quantity in 1..10_i64,
        first: bool,
    ) {
        let before = evaluation_of(&basket, &rules, &given);
        let mut more = basket.clone();
        let gift = Line { id: "gift".to_owned(), ..line("p1", quantity, 0) };
        more.lines.insert(if first { 0 } else { basket.lines.len() }, gift);
        let after = evaluation_of(&more, &rules, &given);
        prop_assert_eq!(totals(&before), totals(&after));
        prop_assert_eq!(outcomes_and_amounts(&before), outcomes_and_amounts(&after));
    }

    #[test]
    fn a_hundred_percent_off_is_exactly_nothing(
        (basket, rules, mut given) in strategies::cases(1..=8, 6, 4),
        initial: bool,
    ) {
        let base = if initial { Base::Initial } else { Base::Sequential };
        let all = Discount { stage: Stage::Order, group: 900, base, ..percent(100) };
        given.retain(|given| !given.compiled.discount.exclusive && !given.compiled.discount.stop);
        given.push(offer("all", all));
        let evaluation = evaluation_of(&basket, &rules, &given);
        prop_assert_eq!(evaluation.goods, 0);
        prop_assert!(evaluation.lines.iter().all(|line| line.final_amount == 0));
    }

    #[test]
    fn a_floor_is_never_passed(
        (basket, rules, _) in strategies::cases(1..=8, 6, 0),
        margin_floor_ppm in 1..999_999_i32,
        rate in 1..=100_i32,
        off in 1..20_000_i64,
    ) {
        let amounts = Amounts::new(vec![Money::new(off, basket.currency)]).unwrap();
        let off_order = discount(Kind::Amount { amounts, per: AmountPer::Order });
        let given = [
            offer("a", Discount { margin_floor_ppm, ..percent(rate) }),
            offer("b", Discount { margin_floor_ppm, ..off_order }),
        ];
        let evaluation = evaluation_of(&basket, &rules, &given);
        for (line, priced) in basket.lines.iter().zip(&evaluation.lines) {
            let keep = 1.0 - f64::from(margin_floor_ppm) / 1e6;
            let tax = match basket.tax_mode {
                TaxMode::Inclusive => 1.0 + f64::from(line.tax_rate_ppm) / 1e6,
                TaxMode::Exclusive => 1.0,
            };
            let floor = line.unit_cost.unwrap_or(0) as f64 / keep * tax * line.quantity as f64;
            // A merged line's floor is shared out by quantity in whole minor units.
            prop_assert!(priced.discount == 0 || priced.final_amount as f64 >= floor - 1.0);
        }
    }

    #[test]
    fn steps_of_a_return_sum_to_the_discount_exactly(
        discount in 0..MAX_AMOUNT_MINOR,
        quantity in 1..1_000_i64,
        steps in proptest::collection::vec(1..50_i64, 1..50),
    ) {
        let (mut back, mut credited) = (0, 0);
        for step in steps.into_iter().chain([quantity]) {
            let before = returned(discount, quantity, back);
            back = (back + step).min(quantity);
            let credit = returned(discount, quantity, back) - before;
            prop_assert!(credit >= 0);
            credited += credit;
        }
        prop_assert_eq!(credited, discount);
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn sums_limits_and_invariance_hold_for_baskets_of_up_to_500_lines(
        (basket, rules, given) in strategies::cases(1..=250, 50, 8),
        seed: u64,
    ) {
        invariance(&basket, &rules, &given, seed)?;
    }

    #[test]
    fn five_hundred_distinct_lines_keep_their_sums(
        (basket, rules, given) in strategies::cases(500..=500, 1_000_000, 10),
        prices in proptest::collection::vec(0..2_000_000_i64, 500),
    ) {
        let mut basket = basket;
        for (index, (line, price)) in basket.lines.iter_mut().zip(prices).enumerate() {
            line.unit_price = price;
            line.attributes.insert("n".to_owned(), (index % 490).to_string());
        }
        prop_assert!(basket.problems().is_empty());
        let evaluation = evaluation_of(&basket, &rules, &given);
        sums_hold(&basket, &given, &evaluation)?;
        limits_hold(&basket, &given, &evaluation)?;
    }
}

#[test]
fn the_largest_basket_does_not_overflow() {
    let all = |line: Line| Line { unit_cost: Some(MAX_AMOUNT_MINOR), tax_rate_ppm: 1_000_000, ..line };
    let basket = basket(vec![all(line("a", 1_000_000, 999_999_999)), all(line("b", 1, 1_000_000))]);
    assert_eq!(basket.problems(), []);
    let floor = |discount: Discount| Discount { margin_floor_ppm: 999_999, ..discount };
    let most = || amount(MAX_AMOUNT_MINOR);
    let evaluation = offers(&basket, vec![floor(percent(99)), floor(most()), percent(33), most()]);
    assert_eq!((evaluation.total, outcomes(&evaluation)[0]), (0, inapplicable(Reason::BelowFloor)));
}

#[test]
fn a_basket_beyond_every_limit_is_priced_without_a_panic() {
    let lines = (0..700).map(|index| line(&index.to_string(), i64::MAX, i64::MAX)).collect();
    let wild = Basket { shipping: i64::MAX, amount_due: Some(i64::MIN), ..basket(lines) };
    assert!(!wild.problems().is_empty());
    let mut given = vec![offer("a", percent(50)), offer("b", amount(5)), card("c", 1, 5)];
    given.push(offer("d", Discount { margin_floor_ppm: 1, ..percent(50) }));
    let (candidates, funds) = stack(&given);
    let price = |basket: &Basket| {
        let work = &mut Work::new(ALL);
        evaluate(&initial(basket, &[], work), &candidates, &funds, work).unwrap()
    };
    price(&wild);
    let negative = basket(vec![Line { unit_cost: Some(-5), ..line("a", -3, -7) }]);
    price(&negative);
}
