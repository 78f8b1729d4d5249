//! Work is bounded by steps: hard baskets end, say so, and get the same answer wherever they are priced.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;
use crate::discount::PricePer;
use crate::pricing::{Size, estimate};
use crate::rule::{Fullness, Rule, Type, Vocabulary, WORK_PER_STEP};

/// As services have it.
const SOME: Allowance = Allowance { search: 3_000_000, total: 7_000_000 };

fn primes_from(first: i64) -> impl Iterator<Item = i64> {
    (first..).filter(|number| (2..).take_while(|by| by * by <= *number).all(|by| number % by != 0))
}

/// 500 lines whose quantities and prices are distinct primes: no two units cost the same, and no two fractions of them
/// have a denominator in common.
fn primes() -> Basket {
    let numbers = primes_from(2).zip(primes_from(1_009)).take(500).enumerate();
    basket(numbers.map(|(at, (quantity, price))| line(&format!("p{at}"), quantity, price)).collect())
}

fn best(group: i32, discount: Discount) -> Discount {
    Discount { group, group_policy: GroupPolicy::BestForCustomer, ..discount }
}

/// One offer for each of `groups`, a set of two at a price below all before, so that every one of them has an effect
/// after any others.
fn pairs(groups: i32) -> Vec<Given> {
    let pair = |group: i32| {
        let prices = euros(1_900 - 150 * i64::from(group));
        offer(
            &format!("o{group:02}"),
            best(group, discount(Kind::FixedPrice { prices, per: PricePer::Set(2) })),
        )
    };
    (0..groups).map(pair).collect()
}

#[test]
fn five_hundred_prime_lines_under_groups_of_pairs_end_within_their_steps() {
    for (groups, approximate) in [(5, false), (8, false), (10, true), (12, true)] {
        let (evaluation, steps) = counted(&primes(), &[], &pairs(groups), SOME);
        assert_eq!(evaluation.unwrap().approximate, approximate, "{groups} groups");
        assert!(steps <= 4_000_000, "{groups} groups take {steps} steps");
    }
}

#[test]
fn a_search_that_is_given_up_is_the_same_again_and_for_lines_in_another_order() {
    let (given, basket) = (pairs(10), primes());
    let mut turned = basket.clone();
    turned.lines.reverse();
    turned.lines.rotate_left(77);
    let (once, steps) = counted(&basket, &[], &given, SOME);
    let (again, steps_again) = counted(&basket, &[], &given, SOME);
    assert_eq!((&once, steps), (&again, steps_again));
    let (other, steps_of_other) = counted(&turned, &[], &given, SOME);
    let (once, other) = (once.unwrap(), other.unwrap());
    assert!(once.approximate && other.approximate);
    assert_eq!((amounts(&once), once.total, steps), (amounts(&other), other.total, steps_of_other));
}

#[test]
fn what_is_given_up_is_settled_group_by_group_as_if_nothing_had_been_tried() {
    let given = pairs(10);
    let (tried, _) = counted(&primes(), &[], &given, SOME);
    let (untried, steps) = counted(&primes(), &[], &given, Allowance { search: 0, ..SOME });
    assert_eq!(tried, untried);
    assert!(steps < 500_000, "{steps}");
}

#[test]
fn branches_that_cannot_win_are_not_tried() {
    let given: Vec<Given> = (0..10).map(|at| offer(&at.to_string(), best(at, percent(10)))).collect();
    let basket = primes();
    let (evaluation, steps) = counted(&basket, &[], &given, SOME);
    assert!(!evaluation.unwrap().approximate);
    // Were every node of the tree tried, each would take three steps a line.
    let all = 2 * 1_023 * 3 * 500;
    assert!(steps < all / 4, "{steps} of {all}");
}

#[test]
fn a_discount_that_nobody_waits_for_is_not_computed() {
    let (basket, given) = (primes(), pairs(12));
    let (candidates, funds) = stack(&given);
    let mut work = Work::new(SOME).until(Arc::new(AtomicBool::new(true)));
    let initial = initial(&basket, &[], &mut work);
    assert_eq!(evaluate(&initial, &candidates, &funds, &mut work), Err(Stop::Gone));
    // Counted, and not done: each candidate once or twice at most, out of thousands of alternatives.
    assert!(work.spent() < 300_000, "{}", work.spent());
}

#[test]
fn a_costly_rule_over_many_lines_ends_as_too_much_at_once() {
    let categories: Vec<String> = (0..32).map(|at| format!("category-{at}")).collect();
    let full = |line: Line| Line { categories: categories.clone(), ..line };
    let condition =
        "line.categories.all(a, line.categories.all(b, line.categories + line.categories != [a, b]))";
    let scope = Scope { condition: condition.to_owned(), ..Scope::default() };
    let given = [offer("o", Discount { scope, ..percent(10) })];
    let cost = given[0].compiled.rule_steps(Size { lines: 1, of_line: Fullness::FULL });
    let small = basket(primes().lines.into_iter().take(3).map(full).collect());
    assert_eq!(price(&small, &given).decisions[0].outcome, Outcome::Applied);
    let large = basket(primes().lines.into_iter().map(full).collect());
    let (evaluation, steps) = counted(&large, &[], &given, SOME);
    assert_eq!(evaluation, Err(Stop::TooMuch { limit: SOME.total }));
    assert!(steps <= SOME.total + cost + 10_000, "{steps}");
    assert!(estimate(Size::of(&large), given.iter().map(|given| &given.compiled)) > SOME.total);
}

#[test]
fn lines_by_parts_count_for_the_long_numbers_they_make() {
    let per_line = |at: usize| {
        let kind = Kind::BuyXGetY {
            buy_quantity: 1,
            get_quantity: 1,
            get_scope: None,
            rate_ppm: 10_000,
            choice: crate::discount::UnitChoice::Cheapest,
            max_sets: Some(1),
        };
        let scope = only(&[&format!("p{at}")]);
        offer(&format!("a{at:03}"), Discount { scope, ..discount(kind) })
    };
    let over_all = Kind::BuyXGetY {
        buy_quantity: 1,
        get_quantity: 1,
        get_scope: None,
        rate_ppm: 500_000,
        choice: crate::discount::UnitChoice::Cheapest,
        max_sets: None,
    };
    let over_all = || offer("z", Discount { group: 1, ..discount(over_all.clone()) });
    let (_, alone) = counted(&primes(), &[], &[over_all()], SOME);
    let parts: Vec<Given> = (0..500).map(per_line).collect();
    let (_, before) = counted(&primes(), &[], &parts, SOME);
    let (evaluation, together) =
        counted(&primes(), &[], &parts.into_iter().chain([over_all()]).collect::<Vec<_>>(), SOME);
    assert_eq!(evaluation.unwrap().decisions[500].outcome, Outcome::Applied);
    assert!(together > before + 2 * alone, "{together} for {before} and {alone}");
}

/// Offers and codes in many best-for-customer groups, all on the same few goods.
fn many_groups() -> impl Strategy<Value = (Basket, Vec<Given>)> {
    let sizes = 1..=3;
    strategies::baskets(sizes, 3).prop_flat_map(|basket| {
        let currency = basket.currency;
        let stack = strategies::stacks(currency, 7).prop_map(|given| {
            let in_group = |(at, given): (usize, Given)| {
                let mut discount = given.compiled.discount.clone();
                if discount.stage != Stage::Tender {
                    discount.group_policy = GroupPolicy::BestForCustomer;
                    discount.group = i32::try_from(at * 5 % 7).unwrap();
                }
                Given { compiled: Compiled::new(discount).unwrap(), ..given }
            };
            given.into_iter().enumerate().map(in_group).collect::<Vec<_>>()
        });
        (Just(basket), stack)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_search_that_cuts_agrees_with_one_that_tries_everything((basket, given) in many_groups()) {
        agreement::agreement(&basket, &[], &given)?;
    }

    #[test]
    fn an_allowance_decides_whether_there_is_an_answer_and_never_which(
        (basket, rules, given) in strategies::cases(1..=6, 4, 8),
        share in 0..120_u64,
    ) {
        let compiled = strategies::compiled(&rules);
        let compiled: Vec<&PriceRule> = compiled.iter().collect();
        let (whole, steps) = counted(&basket, &compiled, &given, ALL);
        let limit = steps * share / 100;
        let (bounded, _) = counted(&basket, &compiled, &given, Allowance { total: limit, ..ALL });
        if steps <= limit {
            prop_assert_eq!(bounded, whole);
        } else {
            prop_assert_eq!(bounded, Err(Stop::TooMuch { limit }));
        }
    }
}

#[test]
fn the_work_of_a_rule_is_never_below_its_cost_on_lists_of_that_size() {
    let vocabulary = |size| Vocabulary::new().with("list", Type::list(Type::Text, size));
    for text in [
        "list.exists(a, a == 'x')",
        "list.all(a, list.exists(b, a + b == 'xy'))",
        "list.map(a, a + 'x').filter(a, a != 'y').size() > 3 && 'z' in list",
        "list.all(a, list.map(b, b).size() == 32) || list + list == list",
    ] {
        let rule = Rule::compile(text, &vocabulary(32)).unwrap();
        for holds in 1..=32 {
            let exact = Rule::compile(text, &vocabulary(holds)).unwrap().cost() * WORK_PER_STEP;
            let fullness = Fullness::of([(usize::try_from(holds).unwrap(), 32)]);
            assert!(rule.steps(fullness) >= exact, "{text} on {holds}: {} < {exact}", rule.steps(fullness));
        }
        assert_eq!(rule.steps(Fullness::FULL), rule.cost() * WORK_PER_STEP);
    }
}
