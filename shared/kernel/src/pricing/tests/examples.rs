//! Every example with numbers of the rules, and what each kind, base, floor and limit means.

use std::sync::Arc;

use super::*;
use crate::discount::PricePer;
use crate::pricing::{CompiledScope, PriceChange, returned};

fn rule(id: &str, priority: i32, change: PriceChange) -> PriceRule {
    let scope = CompiledScope::new(&Scope::default(), &Arc::new(crate::rule::line_vocabulary())).unwrap();
    PriceRule { id: id.into(), priority, scope, change }
}

#[test]
fn ten_percent_as_a_price_rule_rounds_each_unit_half_up() {
    let basket = basket(vec![line("a", 100, 105)]);
    let rule = rule("r", 0, PriceChange::Percent { rate_ppm: 100_000 });
    let evaluation = price_under(&basket, &[&rule], &[]);
    assert_eq!(evaluation.lines[0].initial_unit, 95);
    assert_eq!((evaluation.list, evaluation.initial, evaluation.total), (10_500, 9_500, 9_500));
    assert_eq!(evaluation.lines[0].price_rule, Some(0));
}

#[test]
fn ten_percent_as_a_discount_rounds_once() {
    let evaluation = offers(&basket(vec![line("a", 100, 105)]), vec![percent(10)]);
    assert_eq!((evaluation.discount, evaluation.total), (1_050, 9_450));
}

#[test]
fn price_rules_do_not_stack_the_lowest_price_wins_ties_by_priority_then_id() {
    let basket = basket(vec![line("a", 1, 1_000)]);
    let rules = [
        rule("d", 0, PriceChange::Percent { rate_ppm: 100_000 }),
        rule("c", 5, PriceChange::Fixed(euros(800))),
        rule("b", 1, PriceChange::Amount(euros(200))),
        rule("a", 1, PriceChange::Percent { rate_ppm: 200_000 }),
    ];
    let evaluation = price_under(&basket, &rules.iter().collect::<Vec<_>>(), &[]);
    assert_eq!((evaluation.lines[0].initial_unit, evaluation.lines[0].price_rule), (800, Some(3)));
    let evaluation = price_under(&basket, &rules[..3].iter().collect::<Vec<_>>(), &[]);
    assert_eq!(evaluation.lines[0].price_rule, Some(2));
}

#[test]
fn a_price_rule_never_raises_and_never_goes_under_zero() {
    let basket = basket(vec![line("a", 1, 1_000)]);
    let dearer = rule("r", 0, PriceChange::Fixed(euros(1_200)));
    let evaluation = price_under(&basket, &[&dearer], &[]);
    assert_eq!((evaluation.total, evaluation.lines[0].price_rule), (1_000, None));
    let below = rule("r", 0, PriceChange::Amount(euros(1_200)));
    assert_eq!(price_under(&basket, &[&below], &[]).total, 0);
}

#[test]
fn tiers_give_the_highest_threshold_reached_on_the_whole_base() {
    let tiers = || discount(Kind::Tiered { tiers: vec![tier(10_000, 10), tier(20_000, 20)] });
    assert_eq!(offers(&units(&[25_000]), vec![tiers()]).discount, 5_000);
    assert_eq!(offers(&units(&[20_000]), vec![tiers()]).discount, 4_000);
    assert_eq!(offers(&units(&[19_999]), vec![tiers()]).discount, 2_000);
    let evaluation = offers(&units(&[8_750]), vec![tiers()]);
    assert_eq!(outcomes(&evaluation), [inapplicable(Reason::TierNotReached { missing: 1_250 })]);
}

#[test]
fn the_discount_is_rounded_not_the_net_fifteen_percent_off_0_90_leaves_0_76() {
    let evaluation = offers(&units(&[90]), vec![percent(15)]);
    assert_eq!((evaluation.discount, evaluation.total), (14, 76));
}

#[test]
fn cost_10_00_at_margin_20_percent_keeps_12_50() {
    let costly = Line { unit_cost: Some(1_000), ..line("a", 1, 1_500) };
    let half = Discount { margin_floor_ppm: 200_000, ..percent(50) };
    let evaluation = offers(&basket(vec![costly]), vec![half]);
    assert_eq!(evaluation.total, 1_250);
    assert_eq!(evaluation.decisions[0].cut_by_floor, 500);
}

#[test]
fn a_margin_floor_carries_the_tax_only_where_prices_contain_it() {
    let costly = Line { unit_cost: Some(1_000), tax_rate_ppm: 190_000, ..line("a", 2, 2_000) };
    let free = || Discount { margin_floor_ppm: 200_000, ..percent(100) };
    let inclusive = basket(vec![costly]);
    let exclusive = Basket { tax_mode: TaxMode::Exclusive, ..inclusive.clone() };
    assert_eq!(offers(&inclusive, vec![free()]).total, 2_975);
    assert_eq!(offers(&exclusive, vec![free()]).total, 2_500);
}

#[test]
fn the_margin_floor_of_a_unit_rounds_up() {
    let costly = Line { unit_cost: Some(100), ..line("a", 3, 1_000) };
    let free = Discount { margin_floor_ppm: 300_000, ..percent(100) };
    // ceil(1.00 ÷ 0.7) = 1.43
    assert_eq!(offers(&basket(vec![costly]), vec![free]).total, 429);
}

#[test]
fn what_a_floor_cuts_of_a_percent_is_lost_and_of_an_amount_moves_to_lines_with_room() {
    let lines = || basket(vec![Line { unit_cost: Some(900), ..line("a", 1, 1_000) }, line("b", 1, 1_000)]);
    let floor = |discount: Discount| Discount { margin_floor_ppm: 1, ..discount };
    let evaluation = offers(&lines(), vec![floor(percent(50))]);
    assert_eq!((line_discounts(&evaluation), evaluation.decisions[0].cut_by_floor), (vec![99, 500], 401));
    let evaluation = offers(&lines(), vec![floor(amount(1_000))]);
    assert_eq!((line_discounts(&evaluation), evaluation.decisions[0].cut_by_floor), (vec![99, 901], 0));
    let evaluation = offers(&lines(), vec![floor(amount(2_000))]);
    assert_eq!((line_discounts(&evaluation), evaluation.decisions[0].cut_by_floor), (vec![99, 1_000], 901));
}

#[test]
fn what_belongs_to_a_line_never_moves_past_another_line_s_own() {
    let lines = || basket(vec![Line { unit_cost: Some(900), ..line("a", 1, 1_000) }, line("b", 1, 1_000)]);
    let held = |kind| Discount { margin_floor_ppm: 1, max_discount: euros(600), ..discount(kind) };
    let per_unit = held(Kind::Amount { amounts: euros(500), per: AmountPer::Unit });
    let evaluation = offers(&lines(), vec![per_unit]);
    assert_eq!((line_discounts(&evaluation), evaluation.decisions[0].cut_by_floor), (vec![99, 500], 1));
    let fixed = held(Kind::FixedPrice { prices: euros(500), per: PricePer::Unit });
    let evaluation = offers(&lines(), vec![fixed]);
    assert_eq!((line_discounts(&evaluation), evaluation.decisions[0].cut_by_floor), (vec![99, 300], 201));
}

#[test]
fn a_line_under_its_floor_already_has_no_room() {
    let costly = basket(vec![Line { unit_cost: Some(2_000), ..line("a", 1, 1_000) }]);
    let evaluation = offers(&costly, vec![Discount { margin_floor_ppm: 1, ..percent(50) }]);
    assert_eq!(outcomes(&evaluation), [inapplicable(Reason::BelowFloor)]);
    assert_eq!(evaluation.total, 1_000);
}

#[test]
fn three_units_with_10_00_off_return_3_33_then_6_67_then_10_00() {
    assert_eq!([1, 2, 3].map(|back| returned(1_000, 3, back)), [333, 667, 1_000]);
}

#[test]
fn more_units_back_than_there_were_return_the_whole_discount_and_fewer_than_none_nothing() {
    assert_eq!([-1, 0, 4].map(|back| returned(1_000, 3, back)), [0, 0, 1_000]);
    assert_eq!((returned(1_000, 0, 1), returned(0, 3, 1), returned(i64::MAX, 3, 3)), (0, 0, i64::MAX));
}

#[test]
fn a_minimum_spend_says_how_much_is_missing() {
    let minimum = |discount| Discount { minimum_spend: euros(5_000), ..discount };
    let evaluation = offers(&units(&[3_750]), vec![minimum(percent(10))]);
    assert_eq!(outcomes(&evaluation), [inapplicable(Reason::MinimumSpend { missing: 1_250 })]);
}

#[test]
fn minimum_spend_looks_at_the_eligible_goods_just_before_and_never_at_shipping() {
    let basket = Basket { shipping: 9_999, ..units(&[5_000, 4_000]) };
    let of_first = Discount { scope: only(&["a"]), minimum_spend: euros(4_500), ..percent(10) };
    let first = Discount { priority: 0, ..percent(10) };
    let second = Discount { priority: 1, ..of_first.clone() };
    let third = Discount { priority: 2, ..of_first };
    let evaluation = offers(&basket, vec![first, second, third]);
    assert_eq!(amounts(&evaluation), [900, 450, 0]);
    assert_eq!(outcomes(&evaluation)[2], inapplicable(Reason::MinimumSpend { missing: 450 }));
}

#[test]
fn base_initial_is_after_price_rules_and_before_every_discount() {
    let initial = Discount { base: Base::Initial, priority: 1, ..percent(10) };
    let sequential = Discount { priority: 1, ..percent(10) };
    assert_eq!(amounts(&offers(&units(&[1_000]), vec![percent(50), initial])), [500, 100]);
    assert_eq!(amounts(&offers(&units(&[1_000]), vec![percent(50), sequential])), [500, 50]);
}

#[test]
fn a_hundred_percent_of_the_initial_amount_leaves_exactly_nothing_after_other_discounts() {
    let half = Discount { scope: only(&["a"]), ..percent(50) };
    let all = Discount { base: Base::Initial, priority: 1, ..percent(100) };
    let evaluation = offers(&units(&[1_000, 1_000, 7]), vec![half, all]);
    assert_eq!((evaluation.total, amounts(&evaluation)), (0, vec![500, 1_507]));
}

#[test]
fn an_amount_per_order_is_split_by_what_is_left_with_largest_remainders() {
    let evaluation = offers(&units(&[1_000, 1_000, 1_000]), vec![amount(1_000)]);
    assert_eq!(line_discounts(&evaluation), [334, 333, 333]);
    assert_eq!(evaluation.decisions[0].line_amounts, [(0, 334), (1, 333), (2, 333)]);
}

#[test]
fn an_amount_per_unit_is_each_line_s_own_quantity_times_the_amount() {
    let per_unit = discount(Kind::Amount { amounts: euros(500), per: AmountPer::Unit });
    let evaluation = offers(&basket(vec![line("a", 2, 1_000), line("b", 3, 300)]), vec![per_unit]);
    assert_eq!(line_discounts(&evaluation), [1_000, 900]);
}

#[test]
fn a_fixed_unit_price_never_raises() {
    let fixed = discount(Kind::FixedPrice { prices: euros(500), per: PricePer::Unit });
    let evaluation = offers(&basket(vec![line("a", 2, 800), line("b", 3, 300)]), vec![fixed.clone()]);
    assert_eq!(line_discounts(&evaluation), [600, 0]);
    let evaluation = offers(&units(&[400]), vec![fixed]);
    assert_eq!(outcomes(&evaluation), [inapplicable(Reason::PriceNotLower)]);
}

#[test]
fn max_discount_holds_for_the_order() {
    let capped = Discount { max_discount: euros(250), ..percent(50) };
    assert_eq!(offers(&units(&[500, 500]), vec![capped]).discount, 250);
}

#[test]
fn a_budget_with_little_left_cuts_and_a_spent_one_says_so() {
    let with = |left| [Given { budget_left: Some(left), ..offer("a", percent(50)) }];
    assert_eq!(price(&units(&[1_000]), &with(200)).discount, 200);
    let spent = price(&units(&[1_000]), &with(0));
    assert_eq!(outcomes(&spent), [inapplicable(Reason::BudgetSpent)]);
}

/// Offers `a`, `b`, … that stack and draw on one budget.
fn sharing(left: i64, overrun: Overrun, discounts: Vec<Discount>) -> Vec<Given> {
    let given = discounts.into_iter().zip(["a", "b", "c"]);
    given
        .map(|(discount, id)| Given { shared: Some((0, Fund { left, overrun })), ..offer(id, discount) })
        .collect()
}

#[test]
fn offers_of_one_budget_take_it_in_their_order_until_it_is_spent() {
    let basket = units(&[10_000]);
    let thrice = || vec![amount(300), amount(400), amount(500)];
    let capped = price(&basket, &sharing(500, Overrun::Cap, thrice()));
    assert_eq!(amounts(&capped), [300, 200, 0]);
    assert_eq!(outcomes(&capped)[2], inapplicable(Reason::BudgetSpent));
    let rejected = price(&basket, &sharing(800, Overrun::Reject, thrice()));
    assert_eq!(amounts(&rejected), [300, 400, 0]);
    // One that it does not cover leaves it to those behind.
    let rejected =
        price(&basket, &sharing(850, Overrun::Reject, vec![amount(300), amount(900), amount(500)]));
    assert_eq!(amounts(&rejected), [300, 0, 500]);
    assert_eq!(outcomes(&rejected)[1], inapplicable(Reason::BudgetSpent));
}

#[test]
fn the_best_for_the_customer_is_found_within_a_budget_that_alternatives_share() {
    let best = |group, discount| Discount { group, group_policy: GroupPolicy::BestForCustomer, ..discount };
    // The dearest first would leave nothing for the second group; the budget covers 300 and 500.
    let discounts = vec![best(1, amount(600)), best(1, amount(300)), best(2, amount(500))];
    let given = sharing(800, Overrun::Reject, discounts);
    let evaluation = price(&units(&[10_000]), &given);
    assert_eq!((amounts(&evaluation), evaluation.discount), (vec![0, 300, 500], 800));
}

#[test]
fn gift_cards_of_one_budget_pay_no_more_than_it_has() {
    let cards = [("x", 1), ("y", 2)].map(|(id, position)| Given {
        shared: Some((0, Fund { left: 700, overrun: Overrun::Cap })),
        ..card(id, position, 500)
    });
    let evaluation = price(&units(&[10_000]), &cards);
    assert_eq!((amounts(&evaluation), evaluation.tendered), (vec![500, 200], 700));
}

#[test]
fn a_missing_currency_makes_inapplicable_not_an_error() {
    let yen = Amounts::new(vec![Money::new(100, Currency::new("JPY").unwrap())]).unwrap();
    let kinds = vec![
        discount(Kind::Amount { amounts: yen.clone(), per: AmountPer::Order }),
        Discount { minimum_spend: yen.clone(), ..percent(10) },
        Discount { max_discount: yen, ..percent(10) },
    ];
    let evaluation = offers(&units(&[1_000]), kinds);
    assert_eq!(outcomes(&evaluation), [inapplicable(Reason::CurrencyNotListed); 3]);
}

#[test]
fn shipping_can_be_free_or_less_and_is_never_part_of_goods() {
    let basket = Basket { shipping: 499, ..units(&[1_000]) };
    let of = |benefit| discount(Kind::Shipping { benefit });
    let evaluation = offers(&basket, vec![percent(10), free_shipping()]);
    assert_eq!((evaluation.goods, evaluation.shipping_discount, evaluation.total), (900, 499, 900));
    assert_eq!(offers(&basket, vec![of(ShippingBenefit::Rate(500_000))]).shipping_discount, 250);
    assert_eq!(offers(&basket, vec![of(ShippingBenefit::Amount(euros(600)))]).shipping_discount, 499);
    let none = offers(&units(&[1_000]), vec![free_shipping()]);
    assert_eq!(outcomes(&none), [inapplicable(Reason::NoShipping)]);
    let twice = offers(&basket, vec![free_shipping(), free_shipping()]);
    assert_eq!(outcomes(&twice)[1], inapplicable(Reason::NothingLeft));
}

#[test]
fn gift_cards_pay_the_total_with_shipping_in_the_order_of_codes() {
    let basket = Basket { shipping: 500, ..units(&[2_000]) };
    let given =
        [card("second", 2, 9_000), card("first", 1, 1_000), offer("o", percent(10)), card("empty", 3, 0)];
    let evaluation = price(&basket, &given);
    assert_eq!(amounts(&evaluation), [1_300, 1_000, 200, 0]);
    assert_eq!(outcomes(&evaluation)[3], inapplicable(Reason::GiftCardEmpty));
    assert_eq!((evaluation.total, evaluation.tendered), (2_300, 2_300));
    assert_eq!((evaluation.amount_due, evaluation.payable), (Some(2_300), Some(0)));
    assert_eq!(evaluation.discount, 200);
}

#[test]
fn without_tax_in_prices_gift_cards_pay_the_amount_the_caller_states() {
    let untold = Basket { tax_mode: TaxMode::Exclusive, ..units(&[2_000]) };
    let evaluation = price(&untold, &[card("g", 1, 9_000)]);
    assert_eq!(outcomes(&evaluation), [inapplicable(Reason::AmountDueUnknown)]);
    assert_eq!((evaluation.amount_due, evaluation.payable), (None, None));
    let told = Basket { amount_due: Some(2_380), ..untold };
    let evaluation = price(&told, &[card("g", 1, 9_000)]);
    assert_eq!((evaluation.tendered, evaluation.payable, evaluation.total), (2_380, Some(0), 2_000));
}

#[test]
fn a_gift_card_of_another_currency_or_over_its_limit_per_order_says_so_or_pays_less() {
    let foreign = Given { balance: None, ..card("g", 1, 0) };
    assert_eq!(outcomes(&price(&units(&[2_000]), &[foreign])), [inapplicable(Reason::GiftCardCurrency)]);
    let limited = discount(Kind::GiftCard { max_per_order: euros(300) });
    let limited = Given { balance: Some(900), ..code("g", 1, limited) };
    assert_eq!(amounts(&price(&units(&[2_000]), &[limited])), [300]);
}

#[test]
fn a_line_of_price_zero_is_no_eligible_good() {
    let evaluation = offers(&units(&[0]), vec![percent(10), amount(100)]);
    assert_eq!(outcomes(&evaluation), [inapplicable(Reason::NoEligibleGoods); 2]);
}

#[test]
fn a_condition_sees_the_merged_quantity_and_the_list_price() {
    let condition = |text: &str| Scope { condition: text.to_owned(), ..Scope::default() };
    let three = Discount { scope: condition("line.quantity >= 3 && line.unit_price == 1000"), ..percent(10) };
    let split = basket(vec![line("a", 1, 1_000), line("b", 1, 1_000), line("a", 2, 1_000)]);
    let half = rule("r", 0, PriceChange::Percent { rate_ppm: 500_000 });
    let evaluation = price_under(&split, &[&half], &[offer("o", three)]);
    assert_eq!(line_discounts(&evaluation), [50, 0, 100]);
}

#[test]
fn a_condition_on_a_fact_that_is_missing_counts_nothing() {
    let scope = Scope { condition: "line.attributes['brand'] == 'x'".to_owned(), ..Scope::default() };
    let evaluation = offers(&units(&[1_000]), vec![Discount { scope, ..percent(10) }]);
    assert_eq!(outcomes(&evaluation), [inapplicable(Reason::NoEligibleGoods)]);
}
