//! Messages as they might arrive: mostly wrong somewhere, often at the edge.

use proptest::collection::{btree_map, vec};
use proptest::option;

use super::*;

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![-2_i64..5, any::<i64>(), Just(1_000_000), Just(1_000_001), Just(i64::MAX), Just(i64::MIN)]
}

fn small() -> impl Strategy<Value = i32> {
    prop_oneof![-1_i32..6, any::<i32>(), Just(1_000_000)]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[\\PC]{0,8}", Just("x".repeat(300))]
}

fn product() -> impl Strategy<Value = String> {
    prop_oneof![3 => "products/[a-z0-9]{1,5}", 1 => "[\\PC]{0,12}", 1 => "products/[\\PC]{0,4}"]
}

fn money() -> impl Strategy<Value = v1::Money> {
    let code = prop_oneof![6 => Just("EUR"), 1 => Just("JPY"), 1 => Just("XXX"), 1 => Just("")];
    let nanos = prop_oneof![4 => Just(0), 1 => Just(500_000_000), 1 => any::<i32>()];
    (code, number(), nanos).prop_map(|(code, units, nanos)| v1::Money {
        currency_code: code.to_owned(),
        units,
        nanos,
    })
}

prop_compose! {
    fn line()(
        id in text(), product in product(), quantity in number(), unit_price in option::of(money()), unit_cost in option::of(money()),
        tax_rate_ppm in option::of(small()), categories in vec(text(), 0..3), attributes in btree_map(text(), text(), 0..3),
    ) -> v1::Line {
        v1::Line { id, product, quantity, unit_price, unit_cost, tax_rate_ppm, categories, attributes }
    }
}

prop_compose! {
    pub(super) fn basket()(
        code in prop_oneof![5 => Just("EUR"), 1 => Just("eur")], lines in vec(line(), 0..4), tax_mode in small(),
        shipping in option::of(money()), amount_due in option::of(money()), attributes in btree_map(text(), text(), 0..3),
    ) -> v1::Basket {
        v1::Basket { currency_code: code.to_owned(), lines, tax_mode, shipping, amount_due, attributes }
    }
}

fn amounts() -> impl Strategy<Value = Vec<v1::Money>> {
    vec(money(), 0..3)
}

fn scope() -> impl Strategy<Value = v1::Scope> {
    let condition =
        prop_oneof![3 => Just(String::new()), 1 => Just("line.quantity > 1".to_owned()), 1 => "[\\PC]{0,12}"];
    (vec(product(), 0..3), vec(text(), 0..3), vec(product(), 0..3), vec(text(), 0..3), condition).prop_map(
        |(products, categories, excluded_products, excluded_categories, condition)| v1::Scope {
            products,
            categories,
            excluded_products,
            excluded_categories,
            condition,
        },
    )
}

fn list() -> impl Strategy<Value = v1::MoneyList> {
    amounts().prop_map(|amounts| v1::MoneyList { amounts })
}

fn tier() -> impl Strategy<Value = v1::Tier> {
    let benefit = prop_oneof![
        small().prop_map(v1::tier::Benefit::RatePpm),
        list().prop_map(v1::tier::Benefit::Amounts),
    ];
    (amounts(), option::of(benefit)).prop_map(|(thresholds, benefit)| v1::Tier { thresholds, benefit })
}

fn kind() -> impl Strategy<Value = v1::discount::Kind> {
    use v1::discount::Kind as Given;
    let part =
        (option::of(scope()), number()).prop_map(|(scope, quantity)| v1::BundlePart { scope, quantity });
    let free = prop_oneof![
        any::<bool>().prop_map(v1::shipping_discount::Benefit::Free),
        small().prop_map(v1::shipping_discount::Benefit::RatePpm),
        list().prop_map(v1::shipping_discount::Benefit::Amounts),
    ];
    let buy = (number(), number(), option::of(scope()), option::of(small()), small(), option::of(number()));
    prop_oneof![
        small().prop_map(|rate_ppm| Given::Percent(v1::PercentDiscount { rate_ppm })),
        (amounts(), small()).prop_map(|(amounts, per)| Given::Amount(v1::AmountDiscount { amounts, per })),
        (amounts(), small(), number()).prop_map(|(prices, per, set_quantity)| {
            Given::FixedPrice(v1::FixedPriceDiscount { prices, per, set_quantity })
        }),
        vec(tier(), 0..3).prop_map(|tiers| Given::Tiered(v1::TieredDiscount { tiers })),
        buy.prop_map(|(buy_quantity, get_quantity, get_scope, rate_ppm, choice, max_sets)| {
            let given =
                v1::BuyXGetYDiscount { buy_quantity, get_quantity, get_scope, rate_ppm, choice, max_sets };
            Given::BuyXGetY(given)
        }),
        (vec(part, 0..3), amounts(), option::of(number())).prop_map(|(parts, prices, max_sets)| {
            Given::Bundle(v1::BundleDiscount { parts, prices, max_sets })
        }),
        option::of(free).prop_map(|benefit| Given::Shipping(v1::ShippingDiscount { benefit })),
        amounts().prop_map(|max_per_order| Given::GiftCard(v1::GiftCardTender { max_per_order })),
        number().prop_map(|points_per_unit| Given::Points(v1::PointsReward { points_per_unit })),
    ]
}

prop_compose! {
    pub(super) fn discount()(
        kind in option::weighted(0.9, kind()), scope in option::of(scope()), stage in small(), base in small(), group in small(),
        group_policy in small(), priority in small(), exclusive in any::<bool>(), stop in any::<bool>(),
        minimum_spend in amounts(), max_discount in amounts(), margin_floor_ppm in small(), minimum_spend_base in small(),
    ) -> v1::Discount {
        v1::Discount {
            kind, scope, stage, base, group, group_policy, priority, exclusive, stop, minimum_spend, max_discount, margin_floor_ppm,
            minimum_spend_base,
        }
    }
}

prop_compose! {
    fn value_limit()(
        dimension in small(), attribute in prop::sample::select(vec!["", "till", "medium", "a b"]),
        max_uses in option::of(number()), budgets in amounts(),
    ) -> v1::ValueLimit {
        v1::ValueLimit { dimension, attribute: attribute.to_owned(), max_uses, budgets }
    }
}

prop_compose! {
    pub(super) fn limits()(
        max_uses in option::of(number()), max_uses_per_customer in option::of(number()),
        max_uses_per_customer_period in option::of(number()),
        customer_period in small(), budgets in amounts(), recurrence in small(), overrun in small(),
        per_value in vec(value_limit(), 0..3),
    ) -> v1::Limits {
        v1::Limits {
            max_uses, max_uses_per_customer, max_uses_per_customer_period, customer_period, budgets, recurrence, overrun,
            per_value,
        }
    }
}
