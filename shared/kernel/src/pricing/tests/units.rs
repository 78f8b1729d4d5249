//! Buy X get Y, bundles and sets at a price.

use proptest::prelude::*;

use super::*;
use crate::discount::{BundlePart, PricePer, UnitChoice};
use crate::pricing::MissingUnits;

fn buy_get(buy_quantity: i64, get_quantity: i64) -> Discount {
    discount(Kind::BuyXGetY {
        buy_quantity,
        get_quantity,
        get_scope: None,
        rate_ppm: 1_000_000,
        choice: UnitChoice::Cheapest,
        max_sets: None,
    })
}

fn bundle(parts: &[(&[&str], i64)], price: i64, max_sets: Option<i64>) -> Discount {
    let part =
        |(products, quantity): &(&[&str], i64)| BundlePart { scope: only(products), quantity: *quantity };
    discount(Kind::Bundle { parts: parts.iter().map(part).collect(), prices: euros(price), max_sets })
}

fn lacks<const N: usize>(units: [i64; N]) -> Outcome {
    inapplicable(Reason::SetsIncomplete { missing: MissingUnits::new(units) })
}

fn per_set(units: i64, price: i64) -> Discount {
    discount(Kind::FixedPrice { prices: euros(price), per: PricePer::Set(units) })
}

#[test]
fn buy_2_get_1_free_on_10_8_6_4_2_1_takes_3_00_off() {
    let evaluation = offers(&units(&[1_000, 800, 600, 400, 200, 100]), vec![buy_get(2, 1)]);
    assert_eq!(evaluation.discount, 300);
    assert_eq!(line_discounts(&evaluation), [0, 0, 0, 0, 200, 100]);
}

#[test]
fn the_dearest_units_are_free_where_set_so() {
    let Kind::BuyXGetY { buy_quantity, get_quantity, .. } = buy_get(2, 1).kind else { unreachable!() };
    let kind = Kind::BuyXGetY {
        buy_quantity,
        get_quantity,
        get_scope: None,
        rate_ppm: 500_000,
        choice: UnitChoice::Dearest,
        max_sets: None,
    };
    let evaluation = offers(&units(&[1_000, 800, 600, 400, 200, 100]), vec![discount(kind)]);
    assert_eq!(line_discounts(&evaluation), [500, 400, 0, 0, 0, 0]);
}

#[test]
fn units_of_price_zero_do_not_count_for_buy_x_get_y() {
    let evaluation = offers(&units(&[1_000, 800, 0]), vec![buy_get(2, 1)]);
    assert_eq!(outcomes(&evaluation), [lacks([1, 0])]);
}

#[test]
fn a_unit_serves_one_buy_x_get_y_as_get_unit_or_as_one_of_the_dearest_left() {
    // The first takes 1 (free) and 10, 8 (bought): 6, 4, 2 remain for the second.
    let first = {
        let Kind::BuyXGetY { buy_quantity, get_quantity, get_scope, rate_ppm, choice, .. } =
            buy_get(2, 1).kind
        else {
            unreachable!()
        };
        let max_sets = Some(1);
        discount(Kind::BuyXGetY { buy_quantity, get_quantity, get_scope, rate_ppm, choice, max_sets })
    };
    let second = Discount { priority: 1, ..buy_get(2, 1) };
    let third = Discount { priority: 2, ..buy_get(2, 1) };
    let evaluation = offers(&units(&[1_000, 800, 600, 400, 200, 100]), vec![first, second, third]);
    assert_eq!(line_discounts(&evaluation), [0, 0, 0, 0, 200, 100]);
    assert_eq!(outcomes(&evaluation)[2], lacks([2, 1]));
}

#[test]
fn units_given_may_be_other_goods_than_units_bought() {
    let kind = Kind::BuyXGetY {
        buy_quantity: 2,
        get_quantity: 1,
        get_scope: Some(only(&["gift"])),
        rate_ppm: 1_000_000,
        choice: UnitChoice::Cheapest,
        max_sets: None,
    };
    let discount = Discount { scope: only(&["shirt"]), ..discount(kind) };
    let evaluation = offers(&basket(vec![line("shirt", 5, 2_000), line("gift", 3, 500)]), vec![discount]);
    assert_eq!(line_discounts(&evaluation), [0, 1_000]);
}

#[test]
fn among_units_of_equal_price_the_earlier_line_is_given() {
    let evaluation = offers(&units(&[500, 500, 500, 500]), vec![buy_get(2, 1)]);
    assert_eq!(line_discounts(&evaluation), [500, 0, 0, 0]);
}

#[test]
fn n_of_a_line_s_units_cost_their_exact_share_of_what_is_left_of_it() {
    // 3 × 3.34 less 0.01: one unit of the line costs 10.01 ÷ 3 = 3.3366…, half of it rounds to 1.67.
    let kind = Kind::BuyXGetY {
        buy_quantity: 2,
        get_quantity: 1,
        get_scope: None,
        rate_ppm: 500_000,
        choice: UnitChoice::Cheapest,
        max_sets: None,
    };
    let first = Discount { stage: Stage::Line, ..amount(1) };
    let second = Discount { priority: 1, ..discount(kind) };
    let evaluation = offers(&basket(vec![line("a", 3, 334)]), vec![first, second]);
    assert_eq!(amounts(&evaluation), [1, 167]);
}

#[test]
fn units_of_lines_with_many_denominators_stay_exact() {
    let quantities = [999_983, 999_979, 999_961, 999_959, 999_953, 999_931, 999_917, 999_907];
    let lines = quantities.iter().enumerate().map(|(index, quantity)| line(&index.to_string(), *quantity, 7));
    let basket = basket(lines.collect());
    let stack = vec![
        percent(3),
        Discount { priority: 1, ..buy_get(1, 1) },
        Discount { priority: 2, ..per_set(2, 5) },
        Discount { priority: 3, ..percent(100) },
    ];
    let evaluation = offers(&basket, stack);
    assert_eq!(evaluation.total, 0);
    assert!(evaluation.decisions.iter().all(|decision| decision.outcome == Outcome::Applied));
}

#[test]
fn a_bundle_makes_as_many_sets_as_there_are_the_dearest_units_first() {
    let lines = || basket(vec![line("cup", 3, 800), line("mug", 1, 1_000), line("tea", 5, 500)]);
    let set = |max| bundle(&[(&["cup", "mug"], 1), (&["tea"], 2)], 1_500, max);
    // Sets: mug + 2 tea = 20.00, cup + 2 tea = 18.00; the fifth tea is left.
    assert_eq!(offers(&lines(), vec![set(None)]).discount, 800);
    assert_eq!(offers(&lines(), vec![set(Some(1))]).discount, 500);
}

#[test]
fn a_bundle_without_one_of_its_parts_is_incomplete_and_never_raises() {
    let set = |price| bundle(&[(&["a"], 1), (&["b"], 1)], price, None);
    let evaluation = offers(&units(&[1_000]), vec![set(100)]);
    assert_eq!(outcomes(&evaluation), [lacks([0, 1])]);
    let evaluation = offers(&units(&[1_000, 500]), vec![set(1_500)]);
    assert_eq!(outcomes(&evaluation), [inapplicable(Reason::PriceNotLower)]);
}

#[test]
fn a_unit_that_fits_several_parts_serves_whichever_makes_the_most_sets() {
    // Any of a and b, and an a: whichever is looked at first, the a is needed for the second part.
    let set = |parts| bundle(parts, 1_000, None);
    let parts: &[(&[&str], i64)] = &[(&["a", "b"], 1), (&["a"], 1)];
    let basket = basket(vec![line("a", 1, 1_000), line("b", 1, 500)]);
    assert_eq!(offers(&basket, vec![set(parts)]).discount, 500);
    let turned: &[(&[&str], i64)] = &[(&["a"], 1), (&["a", "b"], 1)];
    assert_eq!(offers(&basket, vec![set(turned)]).discount, 500);
}

#[test]
fn sets_of_shared_units_are_filled_with_the_dearest_of_all() {
    let basket = basket(vec![
        line("a", 3, 1_000),
        line("b", 2, 900),
        line("c", 4, 200),
        line("d", 1, 5_000),
        line("e", 1, 100),
    ]);
    let parts: &[(&[&str], i64)] = &[(&["a", "b", "c"], 2), (&["a", "d"], 1), (&["c", "e"], 1)];
    // Two sets: 10, 10, 9, 9 and 50, 10 and 2, 2.
    let evaluation = offers(&basket, vec![bundle(parts, 0, None)]);
    assert_eq!(line_discounts(&evaluation), [3_000, 1_800, 400, 5_000, 0]);
}

#[test]
fn what_a_set_of_shared_units_lacks_is_told_by_part() {
    let parts: &[(&[&str], i64)] = &[(&["a", "b"], 2), (&["b", "c"], 3)];
    let evaluation =
        offers(&basket(vec![line("a", 1, 500), line("b", 2, 500)]), vec![bundle(parts, 1, None)]);
    let Outcome::Inapplicable { reason: Reason::SetsIncomplete { missing } } = outcomes(&evaluation)[0]
    else {
        panic!("{evaluation:?}")
    };
    assert_eq!(missing.parts().map(|(_, units)| units).sum::<u16>(), 2);
}

#[test]
fn sets_of_shared_units_cost_no_more_for_large_quantities() {
    let lines = (0..500).map(|index| line(&format!("p{}", index % 40), 1_000_000, 1 + index % 97));
    let parts: Vec<BundlePart> = (0..20)
        .map(|part| BundlePart {
            scope: only(
                &(0..20)
                    .map(|p| format!("p{}", part + p))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>(),
            ),
            quantity: 1 + part % 3,
        })
        .collect();
    let kind = Kind::Bundle { parts, prices: euros(3_500), max_sets: None };
    let steps = steps_of_best(&basket(lines.collect()), discount(kind));
    assert!(steps < 1_000_000, "{steps}");
}

#[test]
fn sets_of_many_parts_over_many_kinds_of_goods_are_no_hard_work() {
    // Every line is of its own half of the parts, and one set takes a unit of each part.
    let scopes: Vec<Vec<String>> = (0..20_u32)
        .map(|part| {
            (0..500_u32).filter(|id| ((id * 2_654_435) >> part) & 1 == 1).map(|id| format!("p{id}")).collect()
        })
        .collect();
    let parts = scopes.iter().map(|ids| {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        BundlePart { scope: only(&ids), quantity: 1 }
    });
    let kind = Kind::Bundle { parts: parts.collect(), prices: euros(9_000), max_sets: None };
    let lines = (0..500).map(|id| line(&format!("p{id}"), 1, 1 + id));
    let steps = steps_of_best(&basket(lines.collect()), discount(kind));
    assert!(steps < 1_000_000, "{steps}");
}

/// The steps that an offer takes which is to be the best of its group.
fn steps_of_best(basket: &Basket, discount: Discount) -> u64 {
    let best = Discount { group_policy: GroupPolicy::BestForCustomer, ..discount };
    let (evaluation, steps) = counted(basket, &[], &[offer("a", best)], ALL);
    assert!(evaluation.unwrap().discount > 0);
    steps
}

proptest! {
    #[test]
    fn sets_take_as_much_off_as_any_choice_of_units_could(
        prices in proptest::collection::vec((1..9_i64, 0..7_usize), 1..7),
        quantities in proptest::collection::vec(1..3_i64, 2..4),
        price in 0..14_i64,
    ) {
        let fits = |part: usize| -> Vec<String> {
            let of = prices.iter().enumerate().filter(|(_, (_, mask))| (mask + 1) & 1 << part != 0);
            of.map(|(id, _)| format!("p{id}")).collect()
        };
        let parts = quantities.iter().enumerate().map(|(part, quantity)| {
            let ids = fits(part);
            let ids: Vec<&str> = if ids.is_empty() { vec!["none"] } else { ids.iter().map(String::as_str).collect() };
            BundlePart { scope: only(&ids), quantity: *quantity }
        });
        let kind = Kind::Bundle { parts: parts.collect(), prices: euros(price), max_sets: None };
        let lines = prices.iter().enumerate().map(|(id, (price, _))| line(&format!("p{id}"), 1, *price));
        let evaluation = offers(&basket(lines.collect()), vec![discount(kind)]);
        prop_assert_eq!(evaluation.discount, most_off(&prices, &quantities, price, &mut vec![0; quantities.len()]));
    }
}

/// Tries every unit in every part, and in none. A unit fits the parts of its mask plus 1.
fn most_off(units: &[(i64, usize)], quantities: &[i64], price: i64, taken: &mut [i64]) -> i64 {
    let Some(((worth, mask), rest)) = units.split_first() else {
        let sets = taken[0] / quantities[0];
        let whole = taken.iter().zip(quantities).all(|(taken, quantity)| *taken == sets * quantity);
        return if whole { -sets * price } else { i64::MIN / 2 };
    };
    let mut most = most_off(rest, quantities, price, taken);
    for part in (0..quantities.len()).filter(|part| (mask + 1) & 1 << part != 0) {
        taken[part] += 1;
        most = most.max(worth + most_off(rest, quantities, price, taken));
        taken[part] -= 1;
    }
    most
}

#[test]
fn sets_at_a_price_take_the_dearest_units_and_leave_the_rest_alone() {
    // 3 for 20.00 on 10, 9, 8, 7, 1: one set, 7.00 off.
    let evaluation = offers(&units(&[1_000, 900, 800, 700, 100]), vec![per_set(3, 2_000)]);
    assert_eq!((evaluation.discount, &line_discounts(&evaluation)[3..]), (700, &[0, 0][..]));
}

#[test]
fn a_set_that_costs_less_than_its_price_changes_nothing() {
    // 2 for 10.00 on 9, 9, 2, 2: the second set stays at 4.00.
    let evaluation = offers(&units(&[900, 900, 200, 200]), vec![per_set(2, 1_000)]);
    assert_eq!(line_discounts(&evaluation), [400, 400, 0, 0]);
}

#[test]
fn a_set_worth_exactly_its_price_bears_no_part_of_the_discount() {
    let evaluation = offers(&units(&[900, 900, 500, 500]), vec![per_set(2, 1_000)]);
    assert_eq!(line_discounts(&evaluation), [400, 400, 0, 0]);
}

#[test]
fn cost_does_not_grow_with_quantity() {
    let lines = (0..500).map(|index| line(&index.to_string(), 1_000_000, 1 + index % 7)).collect();
    let evaluation = offers(&basket(lines), vec![buy_get(2, 1), Discount { priority: 1, ..per_set(3, 4) }]);
    assert!(evaluation.discount > 0);
}
