//! What a definition may not say; all of it at once.

use super::*;
use crate::discount::{BundlePart, PricePer, UnitChoice};

fn fields(discount: Discount) -> Vec<String> {
    let problems = Compiled::new(discount).expect_err("must be refused");
    problems.into_iter().map(|problem| problem.field).collect()
}

#[test]
fn every_violation_is_told_at_once() {
    let wrong = Discount {
        group: 1_001,
        priority: -1,
        margin_floor_ppm: 1_000_000,
        stage: Stage::Tender,
        minimum_spend: euros(-1),
        max_discount: euros(0),
        scope: Scope { condition: "line.colour == 'red'".to_owned(), ..only(&[""]) },
        ..percent(0)
    };
    let expected = [
        "percent.rate_ppm",
        "scope.products[0]",
        "stage",
        "group",
        "priority",
        "minimum_spend[0]",
        "max_discount[0]",
        "margin_floor_ppm",
        "scope.condition",
    ];
    assert_eq!(fields(wrong), expected);
}

#[test]
fn a_rate_is_above_nothing_and_at_most_the_whole() {
    assert_eq!(fields(discount(Kind::Percent { rate_ppm: 1_000_001 })), ["percent.rate_ppm"]);
    assert!(Compiled::new(discount(Kind::Percent { rate_ppm: 1 })).is_ok());
    assert!(Compiled::new(discount(Kind::Percent { rate_ppm: 1_000_000 })).is_ok());
}

#[test]
fn amounts_and_prices_name_a_currency() {
    let none = Amounts::default;
    assert_eq!(fields(discount(Kind::Amount { amounts: none(), per: AmountPer::Order })), ["amount.amounts"]);
    assert_eq!(fields(amount(0)), ["amount.amounts[0]"]);
    let fixed = |prices, per| discount(Kind::FixedPrice { prices, per });
    assert_eq!(fields(fixed(none(), PricePer::Set(1))), ["fixed_price.prices", "fixed_price.set_quantity"]);
    assert!(Compiled::new(fixed(euros(0), PricePer::Unit)).is_ok());
}

#[test]
fn tiers_ascend_and_speak_of_the_same_currencies() {
    let tiers = |tiers| discount(Kind::Tiered { tiers });
    assert_eq!(fields(tiers(vec![])), ["tiered.tiers"]);
    assert_eq!(fields(tiers(vec![tier(200, 10), tier(200, 20)])), ["tiered.tiers[1].thresholds"]);
    let yen = Amounts::new(vec![Money::new(900, Currency::new("JPY").unwrap())]).unwrap();
    let foreign = Tier { thresholds: yen, benefit: TierBenefit::Rate(1) };
    assert_eq!(fields(tiers(vec![tier(200, 10), foreign])), ["tiered.tiers[1].thresholds"]);
    assert_eq!(fields(tiers((0..21).map(|index| tier(index, 10)).collect())), ["tiered.tiers"]);
}

#[test]
fn sets_have_1_to_1000_units_and_conditions_of_every_scope_compile() {
    let condition = Scope { condition: "line.quantity +".to_owned(), ..Scope::default() };
    let kind = Kind::BuyXGetY {
        buy_quantity: 0,
        get_quantity: 1_001,
        get_scope: Some(condition.clone()),
        rate_ppm: 0,
        choice: UnitChoice::Cheapest,
        max_sets: Some(0),
    };
    let expected = ["buy_quantity", "get_quantity", "rate_ppm", "max_sets", "get_scope.condition"];
    assert_eq!(fields(discount(kind)), expected.map(|field| format!("buy_x_get_y.{field}")));
    let parts = vec![BundlePart { scope: condition, quantity: 0 }];
    let kind = Kind::Bundle { parts, prices: euros(1), max_sets: None };
    let expected = ["parts", "parts[0].quantity", "parts[0].scope.condition"];
    assert_eq!(fields(discount(kind)), expected.map(|field| format!("bundle.{field}")));
}

#[test]
fn each_kind_has_its_stage() {
    let at = |stage, discount: Discount| Discount { stage, ..discount };
    assert_eq!(fields(at(Stage::Shipping, percent(1))), ["stage"]);
    assert_eq!(fields(at(Stage::Line, free_shipping())), ["stage"]);
    assert_eq!(fields(at(Stage::Order, gift_card())), ["stage"]);
    assert!(Compiled::new(at(Stage::Line, amount(1))).is_ok());
    assert!(Compiled::new(at(Stage::Order, percent(1))).is_ok());
}

#[test]
fn a_gift_card_has_no_scope_no_floor_and_no_part_in_stacking() {
    let wrong = Discount {
        scope: only(&["a"]),
        exclusive: true,
        stop: true,
        group_policy: GroupPolicy::First,
        margin_floor_ppm: 1,
        ..gift_card()
    };
    assert_eq!(fields(wrong), ["margin_floor_ppm", "scope", "exclusive", "stop", "group_policy"]);
}

#[test]
fn a_scope_is_held_to_its_size() {
    let many = |count: usize| (0..count).map(|index| index.to_string()).collect::<Vec<_>>();
    let scope = Scope {
        products: many(1_001),
        categories: many(101),
        excluded_products: many(1_000),
        excluded_categories: many(100),
        condition: String::new(),
    };
    assert_eq!(fields(Discount { scope, ..percent(1) }), ["scope.products", "scope.categories"]);
}

#[test]
fn a_definition_survives_being_stored() {
    let discount = Discount { scope: only(&["a"]), minimum_spend: euros(100), ..percent(10) };
    let stored = serde_json::to_string(&discount).unwrap();
    assert_eq!(serde_json::from_str::<Discount>(&stored).unwrap(), discount);
}
