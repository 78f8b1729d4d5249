//! Quotes that may be the costliest: kinds of discount over groups of offers, and rules as long as they may be.

use prost::Message;
use prost::bytes::Bytes;
use tandem_proto::campaign::v1 as campaign;
use tandem_proto::campaign::v1::QuoteRequest;
use tandem_proto::common::v1::{self as common, Basket, GroupPolicy, Line, discount, tier};
use tonic::transport::Channel;

use crate::people::euros;
use crate::{Outcome, catalogue};

/// What makes a quote hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Kinds of discount, and how their offers meet.
    Discounts,
    /// Rules in CEL.
    Rules,
}

impl Family {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Discounts, Self::Rules];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Discounts => "500 lines under groups of offers",
            Self::Rules => "500 lines under offers with rules",
        }
    }

    /// Of the ids of its campaigns.
    pub fn stem(self) -> &'static str {
        match self {
            Self::Discounts => "discounts",
            Self::Rules => "rules",
        }
    }
}

/// The most lines a basket has.
const LINES: usize = 500;
/// Of one unit: the 501st prime number and the 1,000th.
const CHEAPEST_CENTS: f64 = 3_581.0;
const DEAREST_CENTS: f64 = 7_919.0;
/// The most categories a line has.
const CATEGORIES: usize = 32;
/// The most offers a campaign has.
const OFFERS: u32 = 100;
/// The most bytes a rule has.
const RULE_BYTES: usize = 4_096;

/// Offers at a place of their own, and the basket that meets them.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// For people.
    pub name: String,
    store: String,
    offers: Vec<campaign::Offer>,
    categories: usize,
}

impl Candidate {
    /// Has its campaign run.
    pub async fn launch(&self, channel: Channel, id: String) -> Outcome {
        let place = campaign::PlaceMix { stores: vec![self.store.clone()], ..Default::default() };
        catalogue::launched(channel, id, catalogue::running("hard", self.offers.clone(), place)).await
    }

    /// Distinct prime quantities and prices, so that no two lines and no two sets are alike.
    pub fn quote(&self) -> Bytes {
        let primes = primes(2 * LINES);
        let line = |number: usize| {
            let (quantity, cents) = (primes[number], primes[LINES + number]);
            Line {
                id: format!("line-{number}"),
                product: format!("products/hard-{number}"),
                quantity,
                unit_price: Some(cents_of_euros(cents)),
                unit_cost: Some(cents_of_euros(cents / 2)),
                categories: (0..self.categories).map(|category| format!("c-{number}-{category}")).collect(),
                ..Default::default()
            }
        };
        let basket = Basket {
            currency_code: "EUR".to_owned(),
            lines: (0..LINES).map(line).collect(),
            ..Default::default()
        };
        let request = QuoteRequest { basket: Some(basket), place: self.store.clone(), ..Default::default() };
        Bytes::from(request.encode_to_vec())
    }
}

/// Every candidate of a family.
pub fn of(family: Family) -> Vec<Candidate> {
    match family {
        Family::Discounts => discounts(),
        Family::Rules => rules(),
    }
}

type Shape = (&'static str, u32, u32, GroupPolicy);

/// Groups, and offers in each. Up to 4,096 alternatives are all tried; past them the search goes group by group.
const SHAPES: [Shape; 9] = [
    ("5 groups of 1", 5, 1, GroupPolicy::BestForCustomer),
    ("8 groups of 1", 8, 1, GroupPolicy::BestForCustomer),
    ("12 groups of 1", 12, 1, GroupPolicy::BestForCustomer),
    ("6 groups of 3", 6, 3, GroupPolicy::BestForCustomer),
    ("3 groups of 15", 3, 15, GroupPolicy::BestForCustomer),
    ("1 group of 100", 1, OFFERS, GroupPolicy::BestForCustomer),
    ("100 groups of 1", OFFERS, 1, GroupPolicy::BestForCustomer),
    ("100 that stack", 1, OFFERS, GroupPolicy::Stack),
    ("100 of which the lowest counts", 1, OFFERS, GroupPolicy::LowestDiscount),
];

/// By the number of the offer and how many there are.
type Kind = (&'static str, fn(u32, u32) -> discount::Kind);

const KINDS: [Kind; 7] = [
    ("fixed price per set of 2", fixed_price),
    ("fixed price per set of 2 for fewer and fewer", fixed_price_of_some),
    ("buy 1 get 1", buy_x_get_y),
    ("bundle of 20 parts", bundle),
    ("20 tiers", tiered),
    ("amount per unit", amount),
    ("per cent over a margin floor", percent),
];

fn discounts() -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (kind_name, kind) in KINDS {
        for (shape, groups, members, policy) in SHAPES {
            let offer = |number: u32| {
                let discount = common::Discount {
                    kind: Some(kind(number, groups * members)),
                    group: i32::try_from(number / members).unwrap_or_default(),
                    group_policy: policy.into(),
                    priority: i32::try_from(number % members).unwrap_or_default(),
                    margin_floor_ppm: if kind_name.contains("margin") { 100_000 } else { 0 },
                    ..Default::default()
                };
                offer(number, discount, String::new())
            };
            candidates.push(Candidate {
                name: format!("{kind_name}, {shape}"),
                store: format!("stores/discounts-{}", candidates.len()),
                offers: (0..groups * members).map(offer).collect(),
                categories: 1,
            });
        }
    }
    candidates
}

/// Conditions over the basket, and over each line, that have to be read to their end.
fn rules() -> Vec<Candidate> {
    let line = "line.categories.all(a, line.categories.all(b, a + b != 'none'))";
    let basket = "basket.categories.all(a, a != 'none')";
    let products = "basket.products.all(a, a != 'none')";
    let mut candidates = Vec::new();
    for (name, text, of_lines, most) in [
        ("a rule over the lines", line, true, 60),
        ("a rule over the categories of the basket", basket, false, 10),
        ("a rule over the products of the basket", products, false, 80),
    ] {
        for repeated in [most, most / 2, most / 4, 1] {
            let rule = vec![text; repeated].join(" && ");
            if rule.len() > RULE_BYTES {
                continue;
            }
            for offers in [1, OFFERS] {
                let offer = |number: u32| {
                    let mut discount = catalogue::percent(1_000, 1);
                    if !of_lines {
                        return offer(number, discount, rule.clone());
                    }
                    discount.scope = Some(common::Scope { condition: rule.clone(), ..Default::default() });
                    offer(number, discount, String::new())
                };
                candidates.push(Candidate {
                    name: format!("{name} of {} bytes, {offers} offers", rule.len()),
                    store: format!("stores/rules-{}", candidates.len()),
                    offers: (0..offers).map(offer).collect(),
                    categories: CATEGORIES,
                });
            }
        }
    }
    candidates
}

fn offer(number: u32, discount: common::Discount, condition: String) -> campaign::Offer {
    campaign::Offer { id: format!("o{number}"), discount: Some(discount), condition, ..Default::default() }
}

/// Each is lower than what the one before has left, so that every one has an effect on every set.
fn fixed_price(number: u32, of: u32) -> discount::Kind {
    let lowest = CHEAPEST_CENTS.powf(1.0 - f64::from(number) / f64::from(of));
    per_set_of_2(lowest as i64)
}

/// Each takes in more of the lines than the one before.
fn fixed_price_of_some(number: u32, of: u32) -> discount::Kind {
    let (dearest, cheapest) = (2.0 * DEAREST_CENTS, 2.0 * CHEAPEST_CENTS);
    per_set_of_2((dearest - (dearest - cheapest) * f64::from(number + 1) / f64::from(of)) as i64)
}

fn per_set_of_2(cents: i64) -> discount::Kind {
    let prices = vec![cents_of_euros(cents.max(1))];
    let per = common::Per::Set.into();
    discount::Kind::FixedPrice(common::FixedPriceDiscount { prices, per, set_quantity: 2 })
}

fn buy_x_get_y(number: u32, _: u32) -> discount::Kind {
    discount::Kind::BuyXGetY(common::BuyXGetYDiscount {
        buy_quantity: 1,
        get_quantity: 1,
        rate_ppm: Some(10_000 + number.cast_signed()),
        max_sets: Some(10 + i64::from(number)),
        ..Default::default()
    })
}

fn bundle(number: u32, of: u32) -> discount::Kind {
    let part = common::BundlePart { scope: None, quantity: 1 };
    let cheapest = 20.0 * CHEAPEST_CENTS * (1.0 - f64::from(number) / f64::from(of));
    discount::Kind::Bundle(common::BundleDiscount {
        parts: vec![part; 20],
        prices: vec![cents_of_euros(cheapest as i64)],
        max_sets: None,
    })
}

fn tiered(number: u32, _: u32) -> discount::Kind {
    let tier = |step: i32| common::Tier {
        thresholds: vec![euros(i64::from(step) * 10, 0)],
        benefit: Some(tier::Benefit::RatePpm(step * 100 + number.cast_signed())),
    };
    discount::Kind::Tiered(common::TieredDiscount { tiers: (1..=20).map(tier).collect() })
}

fn amount(number: u32, _: u32) -> discount::Kind {
    let amounts = vec![cents_of_euros(1 + i64::from(number % 3))];
    discount::Kind::Amount(common::AmountDiscount { amounts, per: common::Per::Unit.into() })
}

fn percent(number: u32, _: u32) -> discount::Kind {
    discount::Kind::Percent(common::PercentDiscount { rate_ppm: 10_000 + number.cast_signed() })
}

fn cents_of_euros(cents: i64) -> common::Money {
    euros(cents / 100, i32::try_from(cents % 100).unwrap_or_default())
}

/// The first so many.
fn primes(count: usize) -> Vec<i64> {
    let is_prime = |number: &i64| (2..*number).take_while(|by| by * by <= *number).all(|by| number % by != 0);
    (2..).filter(is_prime).take(count).collect()
}
