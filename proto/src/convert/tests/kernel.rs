//! Values of the kernel that it finds nothing wrong with.

use proptest::collection::{btree_map, vec};
use proptest::option;
use tandem_kernel::basket::Line;
use tandem_kernel::discount::{
    Base, BundlePart, GroupPolicy, Scope, ShippingBenefit, Tier, TierBenefit, UnitChoice,
};
use tandem_kernel::limits::{CustomerPeriod, Dimension, MAX_PER_VALUE, MEDIUM, ValueLimit};
use tandem_kernel::text::composed;

use super::*;

pub(super) fn currency() -> impl Strategy<Value = Currency> {
    prop_oneof![Just("EUR"), Just("JPY"), Just("KWD"), Just("USD")]
        .prop_map(|code| Currency::new(code).unwrap())
}

pub(super) fn instant() -> impl Strategy<Value = jiff::Timestamp> {
    (-60_000_000_000_000_000_i64..250_000_000_000_000_000)
        .prop_map(|micros| jiff::Timestamp::from_microsecond(micros).unwrap())
}

fn id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9._~-]{0,63}"
}

/// In the form in which texts are compared: every other comes back as that.
fn text() -> impl Strategy<Value = String> {
    "[\\PC]{1,20}".prop_map(|text| composed(&text).into_owned())
}

fn attributes() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(text(), prop_oneof![Just(String::new()), text()], 0..4)
}

fn categories() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set(text(), 0..4).prop_map(|set| set.into_iter().collect())
}

prop_compose! {
    fn line()(
        product in id(), quantity in 1_i64..1_000_000, unit_price in 0_i64..1_000_000, unit_cost in option::of(0_i64..1_000_000),
        tax_rate_ppm in 0_i32..=1_000_000, categories in categories(), attributes in attributes(),
    ) -> Line {
        Line { id: String::new(), product, quantity, unit_price, unit_cost, tax_rate_ppm, categories, attributes }
    }
}

prop_compose! {
    pub(super) fn basket()(
        currency in currency(), mut lines in vec(line(), 1..20), exclusive in any::<bool>(), shipping in 0_i64..100_000,
        amount_due in option::of(0_i64..1_000_000), attributes in attributes(),
    ) -> Basket {
        for (index, line) in lines.iter_mut().enumerate() {
            line.id = format!("line {index}");
        }
        let tax_mode = if exclusive { TaxMode::Exclusive } else { TaxMode::Inclusive };
        Basket { currency, lines, tax_mode, shipping, amount_due, attributes }
    }
}

fn amounts(least: i64, fewest: usize) -> impl Strategy<Value = Amounts> {
    btree_map(currency(), least..1_000_000_000, fewest..4).prop_map(|amounts| {
        let list = amounts.into_iter().map(|(currency, minor)| Money::new(minor, currency)).collect();
        Amounts::new(list).unwrap()
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    let condition = prop_oneof![Just(""), Just("line.quantity > 3"), Just("has(line.attributes.colour)")];
    (vec(id(), 0..3), vec(text(), 0..3), vec(id(), 0..3), vec(text(), 0..3), condition).prop_map(
        |(products, categories, excluded_products, excluded_categories, condition)| Scope {
            products,
            categories,
            excluded_products,
            excluded_categories,
            condition: condition.to_owned(),
        },
    )
}

fn rate() -> impl Strategy<Value = i32> {
    1_i32..=1_000_000
}

fn max_sets() -> impl Strategy<Value = Option<i64>> {
    option::of(1_i64..1_000)
}

fn tiers() -> impl Strategy<Value = Vec<Tier>> {
    let benefit =
        prop_oneof![rate().prop_map(TierBenefit::Rate), amounts(1, 1).prop_map(TierBenefit::Amount),];
    (amounts(0, 1), vec(benefit, 1..5)).prop_map(|(first, benefits)| {
        let raised = |by: i64| {
            let list = first.iter().map(|money| Money::new(money.minor + by, money.currency)).collect();
            Amounts::new(list).unwrap()
        };
        (0..).zip(benefits).map(|(by, benefit)| Tier { thresholds: raised(by), benefit }).collect()
    })
}

fn goods_kind() -> impl Strategy<Value = Kind> {
    let per_amount = prop_oneof![Just(AmountPer::Order), Just(AmountPer::Unit)];
    let per_price = prop_oneof![Just(PricePer::Unit), (2_i64..1_000).prop_map(PricePer::Set)];
    let choice = prop_oneof![Just(UnitChoice::Cheapest), Just(UnitChoice::Dearest)];
    let part = (scope(), 1_i64..1_000).prop_map(|(scope, quantity)| BundlePart { scope, quantity });
    prop_oneof![
        rate().prop_map(|rate_ppm| Kind::Percent { rate_ppm }),
        (amounts(1, 1), per_amount).prop_map(|(amounts, per)| Kind::Amount { amounts, per }),
        (amounts(0, 1), per_price).prop_map(|(prices, per)| Kind::FixedPrice { prices, per }),
        tiers().prop_map(|tiers| Kind::Tiered { tiers }),
        (1_i64..1_000, 1_i64..1_000, option::of(scope()), rate(), choice, max_sets()).prop_map(
            |(buy_quantity, get_quantity, get_scope, rate_ppm, choice, max_sets)| Kind::BuyXGetY {
                buy_quantity,
                get_quantity,
                get_scope,
                rate_ppm,
                choice,
                max_sets,
            }
        ),
        (vec(part, 2..4), amounts(0, 1), max_sets()).prop_map(|(parts, prices, max_sets)| Kind::Bundle {
            parts,
            prices,
            max_sets
        }),
    ]
}

fn shipping_kind() -> impl Strategy<Value = Kind> {
    let benefit = prop_oneof![
        Just(ShippingBenefit::Free),
        rate().prop_map(ShippingBenefit::Rate),
        amounts(1, 1).prop_map(ShippingBenefit::Amount),
    ];
    benefit.prop_map(|benefit| Kind::Shipping { benefit })
}

fn policy() -> impl Strategy<Value = GroupPolicy> {
    prop_oneof![
        Just(GroupPolicy::Stack),
        Just(GroupPolicy::First),
        Just(GroupPolicy::BestForCustomer),
        Just(GroupPolicy::LowestDiscount),
    ]
}

prop_compose! {
    fn with_settings(kinds: impl Strategy<Value = (Kind, Stage)>)(
        (kind, stage) in kinds, scope in scope(), initial in any::<bool>(), group in 0_i32..=1_000, group_policy in policy(),
        priority in 0_i32..=1_000_000, exclusive in any::<bool>(), stop in any::<bool>(), minimum_spend in amounts(0, 0),
        max_discount in amounts(1, 0), floor in 0_i32..1_000_000, at_first in any::<bool>(),
    ) -> Discount {
        let goods = kind.reduces_goods();
        let base = if initial { Base::Initial } else { Base::Sequential };
        let margin_floor_ppm = if goods { floor } else { 0 };
        Discount {
            kind, scope, stage, base, group, group_policy, priority, exclusive, stop, minimum_spend, max_discount,
            margin_floor_ppm, minimum_spend_base: if at_first { Base::Initial } else { Base::Sequential },
        }
    }
}

pub(super) fn discount() -> impl Strategy<Value = Discount> {
    let stage = prop_oneof![Just(Stage::Line), Just(Stage::Order)];
    let card = amounts(1, 0).prop_map(|max_per_order| (Kind::GiftCard { max_per_order }, Stage::Tender));
    prop_oneof![
        6 => with_settings((goods_kind(), stage)),
        2 => with_settings(shipping_kind().prop_map(|kind| (kind, Stage::Shipping))),
        // A gift card takes no part in stacking.
        1 => with_settings(card).prop_map(|discount| Discount {
            scope: Scope::default(),
            exclusive: false,
            stop: false,
            group_policy: GroupPolicy::Stack,
            ..discount
        }),
    ]
}

fn recurrence() -> impl Strategy<Value = Recurrence> {
    prop::sample::select(Recurrence::ALL.to_vec())
}

fn dimension() -> impl Strategy<Value = Dimension> {
    prop_oneof![
        Just(Dimension::Place),
        Just(Dimension::Medium),
        "[a-z][a-z_.-]{0,63}".prop_filter("is medium", |key| key != MEDIUM).prop_map(Dimension::Attribute),
    ]
}

fn per_value() -> impl Strategy<Value = Vec<ValueLimit>> {
    let one = (option::of(1_i64..), amounts(1, 0));
    btree_map(dimension(), one, 0..=MAX_PER_VALUE).prop_map(|limits| {
        let limit = |(dimension, (max_uses, budgets)): (_, (Option<i64>, Amounts))| {
            let max_uses = max_uses.or_else(|| budgets.is_empty().then_some(1));
            ValueLimit { dimension, max_uses, budgets }
        };
        limits.into_iter().map(limit).collect()
    })
}

prop_compose! {
    pub(super) fn limits()(
        max_uses in option::of(1_i64..), max_uses_per_customer in option::of(1_i64..),
        per_customer_period in option::of((1_i64.., recurrence())), budgets in amounts(1, 0),
        recurrence in option::of(recurrence()), cap in any::<bool>(), per_value in per_value(),
    ) -> Limits {
        let overrun = if cap { Overrun::Cap } else { Overrun::Reject };
        let per_customer_period = per_customer_period.map(|(max_uses, period)| CustomerPeriod { max_uses, period });
        Limits { max_uses, max_uses_per_customer, per_customer_period, budgets, per_value, recurrence, overrun }
    }
}
