//! Random baskets and random stacks.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::naive::NaiveRule;
use super::{Given, basket, line, offer};
use crate::basket::{Basket, Line, TaxMode};
use crate::discount::{
    AmountPer, Base, BundlePart, Discount, GroupPolicy, Kind, PricePer, Scope, ShippingBenefit, Stage, Tier,
    TierBenefit, UnitChoice,
};
use crate::limits::Overrun;
use crate::money::{Amounts, Currency, Money};
use crate::pricing::{CompiledScope, Fund, Origin, PriceChange, PriceRule};

const PRODUCTS: [&str; 6] = ["p0", "p1", "p2", "p3", "p4", "p5"];
const CATEGORIES: [&str; 3] = ["c0", "c1", "c2"];

pub fn currencies() -> impl Strategy<Value = Currency> {
    prop_oneof![Just("EUR"), Just("JPY"), Just("KWD")].prop_map(|code| Currency::new(code).unwrap())
}

fn texts(from: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(from.to_vec(), 0..=most)
        .prop_map(|texts| texts.into_iter().map(str::to_owned).collect())
}

/// Few products and few prices, so that lines do merge.
fn lines(most_quantity: i64) -> impl Strategy<Value = Line> {
    let price = prop_oneof![1 => Just(0), 4 => 1..40_i64, 4 => proptest::sample::select(vec![90, 105, 1_000, 999, 2_345])];
    let product = proptest::sample::select(PRODUCTS.to_vec());
    let cost = option::weighted(0.4, prop_oneof![0..30_i64, 0..900_i64]);
    let tax = proptest::sample::select(vec![0, 70_000, 190_000]);
    (product, 1..=most_quantity, price, cost, tax, texts(&CATEGORIES, 2)).prop_map(
        |(product, quantity, price, unit_cost, tax_rate_ppm, categories)| Line {
            unit_cost,
            tax_rate_ppm,
            categories,
            ..line(product, quantity, price)
        },
    )
}

pub fn baskets(sizes: std::ops::RangeInclusive<usize>, most_quantity: i64) -> impl Strategy<Value = Basket> {
    let shipping = prop_oneof![Just(0), 1..1_000_i64];
    let amount_due = option::of(0..5_000_i64);
    (currencies(), vec(lines(most_quantity), sizes), any::<bool>(), shipping, amount_due).prop_map(
        |(currency, lines, inclusive, shipping, amount_due)| Basket {
            currency,
            tax_mode: if inclusive { TaxMode::Inclusive } else { TaxMode::Exclusive },
            shipping,
            amount_due,
            ..basket(lines)
        },
    )
}

fn scopes() -> impl Strategy<Value = Scope> {
    let some = (texts(&PRODUCTS, 4), texts(&CATEGORIES, 2), texts(&PRODUCTS, 1), texts(&CATEGORIES, 1))
        .prop_map(|(products, categories, excluded_products, excluded_categories)| Scope {
            products,
            categories,
            excluded_products,
            excluded_categories,
            condition: String::new(),
        });
    prop_oneof![3 => Just(Scope::default()), 2 => some]
}

/// Mostly in the basket's currency.
fn in_currency(currency: Currency, minor: impl Strategy<Value = i64>) -> impl Strategy<Value = Amounts> {
    (minor, prop::bool::weighted(0.05)).prop_map(move |(minor, foreign)| {
        let currency = if foreign { Currency::new("USD").unwrap() } else { currency };
        Amounts::new(vec![Money::new(minor, currency)]).unwrap()
    })
}

fn maybe(
    currency: Currency,
    chance: f64,
    minor: impl Strategy<Value = i64>,
) -> impl Strategy<Value = Amounts> {
    option::weighted(chance, in_currency(currency, minor)).prop_map(Option::unwrap_or_default)
}

fn rates() -> impl Strategy<Value = i32> {
    prop_oneof![
        1..=1_000_000_i32,
        proptest::sample::select(vec![100_000, 150_000, 333_333, 500_000, 1_000_000])
    ]
}

fn tiers(currency: Currency) -> impl Strategy<Value = Kind> {
    let benefit = prop_oneof![
        rates().prop_map(TierBenefit::Rate),
        in_currency(currency, 1..3_000_i64).prop_map(TierBenefit::Amount)
    ];
    vec((1..2_000_i64, benefit), 1..4).prop_map(move |steps| {
        let mut threshold = -1;
        let tier = |(step, benefit): (i64, TierBenefit)| {
            threshold += step;
            Tier { thresholds: Amounts::new(vec![Money::new(threshold, currency)]).unwrap(), benefit }
        };
        Kind::Tiered { tiers: steps.into_iter().map(tier).collect() }
    })
}

fn kinds(currency: Currency) -> impl Strategy<Value = Kind> {
    let per = prop_oneof![Just(AmountPer::Order), Just(AmountPer::Unit)];
    let price_per = prop_oneof![Just(PricePer::Unit), (2..5_i64).prop_map(PricePer::Set)];
    let choice = prop_oneof![3 => Just(UnitChoice::Cheapest), 1 => Just(UnitChoice::Dearest)];
    let max_sets = || option::weighted(0.2, 1..4_i64);
    let part = (scopes(), 1..3_i64).prop_map(|(scope, quantity)| BundlePart { scope, quantity });
    let benefit = prop_oneof![
        Just(ShippingBenefit::Free),
        rates().prop_map(ShippingBenefit::Rate),
        in_currency(currency, 1..800_i64).prop_map(ShippingBenefit::Amount)
    ];
    prop_oneof![
        4 => rates().prop_map(|rate_ppm| Kind::Percent { rate_ppm }),
        4 => (in_currency(currency, 1..3_000_i64), per).prop_map(|(amounts, per)| Kind::Amount { amounts, per }),
        2 => (in_currency(currency, 0..3_000_i64), price_per)
            .prop_map(|(prices, per)| Kind::FixedPrice { prices, per }),
        2 => tiers(currency),
        4 => (1..4_i64, 1..4_i64, option::weighted(0.4, scopes()), rates(), choice, max_sets()).prop_map(
            |(buy_quantity, get_quantity, get_scope, rate_ppm, choice, max_sets)| Kind::BuyXGetY {
                buy_quantity, get_quantity, get_scope, rate_ppm, choice, max_sets,
            }
        ),
        3 => (vec(part, 2..4), in_currency(currency, 0..2_500_i64), max_sets())
            .prop_map(|(parts, prices, max_sets)| Kind::Bundle { parts, prices, max_sets }),
        1 => benefit.prop_map(|benefit| Kind::Shipping { benefit }),
        1 => maybe(currency, 0.3, 1..3_000_i64).prop_map(|max_per_order| Kind::GiftCard { max_per_order }),
    ]
}

fn policies() -> impl Strategy<Value = GroupPolicy> {
    prop_oneof![
        3 => Just(GroupPolicy::Stack),
        1 => Just(GroupPolicy::First),
        2 => Just(GroupPolicy::BestForCustomer),
        1 => Just(GroupPolicy::LowestDiscount),
    ]
}

fn discounts(currency: Currency) -> impl Strategy<Value = Discount> {
    let limits = (
        maybe(currency, 0.2, 0..4_000_i64),
        maybe(currency, 0.2, 1..2_000_i64),
        prop_oneof![4 => Just(0), 1 => 1..999_999_i32, 2 => Just(200_000)],
        prop_oneof![2 => Just(Base::Sequential), 1 => Just(Base::Initial)],
    );
    let stacking = (
        0..3_i32,
        policies(),
        0..3_i32,
        prop::bool::weighted(0.12),
        prop::bool::weighted(0.12),
        any::<bool>(),
    );
    (kinds(currency), scopes(), prop::bool::weighted(0.3), stacking, limits).prop_map(
        |(kind, scope, initial, (group, group_policy, priority, exclusive, stop, order), limits)| {
            let (minimum_spend, max_discount, margin_floor_ppm, minimum_spend_base) = limits;
            let tender = matches!(kind, Kind::GiftCard { .. });
            let goods = kind.reduces_goods();
            let stage = match &kind {
                Kind::Shipping { .. } => Stage::Shipping,
                Kind::GiftCard { .. } => Stage::Tender,
                _ if order => Stage::Order,
                _ => Stage::Line,
            };
            Discount {
                kind,
                scope: if tender { Scope::default() } else { scope },
                stage,
                base: if initial { Base::Initial } else { Base::Sequential },
                group,
                group_policy: if tender { GroupPolicy::Stack } else { group_policy },
                priority,
                exclusive: exclusive && !tender,
                stop: stop && !tender,
                minimum_spend,
                minimum_spend_base,
                max_discount,
                margin_floor_ppm: if goods { margin_floor_ppm } else { 0 },
            }
        },
    )
}

/// A stack of up to `most` candidates, offers and codes, with unique ids.
pub fn stacks(currency: Currency, most: usize) -> impl Strategy<Value = Vec<Given>> {
    let budget = option::weighted(0.15, 0..2_000_i64);
    let balance = option::weighted(0.9, 0..4_000_i64);
    let shared = option::weighted(0.4, 0..2_usize);
    let overrun = prop_oneof![Just(Overrun::Cap), Just(Overrun::Reject)];
    let fund = (0..3_000_i64, overrun).prop_map(|(left, overrun)| Fund { left, overrun });
    let one = (discounts(currency), any::<bool>(), budget, balance, shared);
    (vec(one, 0..=most), [fund.clone(), fund]).prop_map(|(stack, funds)| {
        let given = stack.into_iter().enumerate();
        given
            .map(|(index, (discount, is_code, budget_left, balance, shared))| Given {
                origin: if is_code { Origin::Code } else { Origin::Offer },
                position: u32::try_from(97 * (index + 3) % 101).unwrap(),
                budget_left,
                shared: shared.map(|number| (number, funds[number])),
                balance,
                ..offer(&format!("id{}", 61 * (index + 2) % 97), discount)
            })
            .collect()
    })
}

pub fn rules(currency: Currency) -> impl Strategy<Value = Vec<NaiveRule>> {
    let change = prop_oneof![
        rates().prop_map(|rate_ppm| PriceChange::Percent { rate_ppm }),
        in_currency(currency, 1..200_i64).prop_map(PriceChange::Amount),
        in_currency(currency, 0..1_000_i64).prop_map(PriceChange::Fixed),
    ];
    vec((scopes(), change).prop_map(|(scope, change)| NaiveRule { scope, change }), 0..3)
}

/// The same rules for the kernel.
pub fn compiled(rules: &[NaiveRule]) -> Vec<PriceRule> {
    let vocabulary = std::sync::Arc::new(crate::rule::line_vocabulary());
    let compile = |(index, rule): (usize, &NaiveRule)| PriceRule {
        id: index.to_string().into(),
        priority: 0,
        scope: CompiledScope::new(&rule.scope, &vocabulary).unwrap(),
        change: rule.change.clone(),
    };
    rules.iter().enumerate().map(compile).collect()
}

/// A basket, price rules and a stack of candidates in its currency.
pub fn cases(
    sizes: std::ops::RangeInclusive<usize>,
    most_quantity: i64,
    most_candidates: usize,
) -> impl Strategy<Value = (Basket, Vec<NaiveRule>, Vec<Given>)> {
    baskets(sizes, most_quantity).prop_flat_map(move |basket| {
        let currency = basket.currency;
        (Just(basket), rules(currency), stacks(currency, most_candidates))
    })
}
