//! What a caller says of a mix. Fields are named as in `mix.proto`.

use prost::Message;
use serde_json::Value;
use tandem_kernel::basket::MAX_AMOUNT_MINOR;
use tandem_kernel::discount::{Scope, WHOLE_PPM};
use tandem_kernel::id;
use tandem_kernel::money::{Amounts, Money};
use tandem_kernel::period::{self, Zone};
use tandem_kernel::pricing::PriceChange;
use tandem_kernel::text;
use tandem_platform::Violations;
use tandem_proto::campaign::v1;
use tandem_proto::common::v1::MoneyList;
use tandem_proto::convert;

use super::super::super::mix::{
    Channel, Medium, Mix, Offer, PlaceMix, Placement, PriceMix, PriceRule, ProductMix, PromotionMix, TIME,
    condition_problem, repeated,
};
use super::segments;
use crate::{field, product};

const MAX_PRODUCTS: usize = 1_000;
const MAX_CATEGORIES: usize = 100;
const MAX_FEATURED: usize = 100;
const MAX_RULES: usize = 100;
const MAX_OFFERS: usize = 100;
const MAX_TITLES: usize = 32;
const MAX_COUNTRIES: usize = 250;
const MAX_SITES: usize = 1_000;
const MAX_PLACEMENTS: usize = 500;
/// An answer holds a campaign and a revision, which are the mix twice, and every client reads it.
const MAX_BYTES: usize = 1024 * 1024;

/// The whole mix.
pub fn mix(v: &mut Violations, given: v1::MarketingMix) -> Mix {
    let bytes = given.encoded_len();
    v.check(bytes <= MAX_BYTES, "", format!("must take at most {MAX_BYTES} bytes, takes {bytes}"));
    let product = product_mix(&mut v.nest("product"), given.product.unwrap_or_default());
    let price = price_mix(&mut v.nest("price"), given.price.unwrap_or_default());
    let place = place_mix(&mut v.nest("place"), given.place.unwrap_or_default());
    let promotion = promotion_mix(&mut v.nest("promotion"), given.promotion.unwrap_or_default());
    let mix = Mix { product, price, place, promotion };
    field::problems(v, mix.problems());
    v.check(
        !has_zero(&serde_json::to_value(&mix).unwrap_or_default()),
        "",
        "must not have the character U+0000",
    );
    mix
}

/// Whether any text in a document has the one character that PostgreSQL's documents cannot hold.
fn has_zero(document: &Value) -> bool {
    match document {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_zero),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || has_zero(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn product_mix(v: &mut Violations, given: v1::ProductMix) -> ProductMix {
    ProductMix {
        products: field::resources(v, "products", product::COLLECTION, &given.products, MAX_PRODUCTS),
        categories: field::words(v, "categories", composed(given.categories), MAX_CATEGORIES),
        featured_products: field::resources(
            v,
            "featured_products",
            product::COLLECTION,
            &given.featured_products,
            MAX_FEATURED,
        ),
    }
}

fn composed(mut texts: Vec<String>) -> Vec<String> {
    text::compose_all(&mut texts);
    texts
}

fn price_mix(v: &mut Violations, given: v1::PriceMix) -> PriceMix {
    let floor = given.margin_floor_ppm;
    let message = format!("must be 0 to {}, is {floor}", WHOLE_PPM - 1);
    v.check((0..WHOLE_PPM).contains(&floor), "margin_floor_ppm", message);
    once(v, "price_rules", given.price_rules.iter().map(|rule| rule.id.as_str()));
    once(v, "offers", given.offers.iter().map(|offer| offer.id.as_str()));
    PriceMix {
        price_rules: field::each(v, "price_rules", given.price_rules, MAX_RULES, price_rule),
        offers: field::each(v, "offers", given.offers, MAX_OFFERS, offer),
        margin_floor_ppm: floor,
    }
}

fn price_rule(v: &mut Violations, given: v1::PriceRule) -> Option<PriceRule> {
    let id = item_id(v, given.id);
    let scope = match given.scope.as_ref() {
        Some(scope) => field::read(v, |found| convert::scope("scope", scope, found)),
        None => Some(Scope::default()),
    };
    let change = change(v, given.change);
    let segments = segments(v, &given.segments);
    field::problems(v, condition_problem(&given.condition, &TIME));
    let condition = given.condition;
    Some(PriceRule { id, priority: given.priority, scope: scope?, change: change?, segments, condition })
}

fn change(v: &mut Violations, given: Option<v1::price_rule::Change>) -> Option<PriceChange> {
    use v1::price_rule::Change;
    let mut list = |field: &str, list: MoneyList, least: i64| -> Option<Amounts> {
        let known = v.check(!list.amounts.is_empty(), field, "must name at least one currency");
        let at = format!("{field}.amounts");
        let read = field::read(v, |found| convert::amounts(&at, &list.amounts, least, found));
        read.filter(|_| known)
    };
    match given {
        Some(Change::RatePpm(rate_ppm)) => {
            let message = format!("must be 1 to {WHOLE_PPM}, is {rate_ppm}");
            v.check((1..=WHOLE_PPM).contains(&rate_ppm), "rate_ppm", message);
            Some(PriceChange::Percent { rate_ppm })
        }
        Some(Change::Amounts(amounts)) => list("amounts", amounts, 1).map(PriceChange::Amount),
        Some(Change::Prices(prices)) => list("prices", prices, 0).map(PriceChange::Fixed),
        None => {
            v.add("change", "exactly one of rate_ppm, amounts and prices is required");
            None
        }
    }
}

fn offer(v: &mut Violations, given: v1::Offer) -> Option<Offer> {
    let id = item_id(v, given.id);
    let titles = field::titles(v, "titles", given.titles, MAX_TITLES);
    let discount = match given.discount.as_ref() {
        Some(discount) => field::read(v, |found| convert::discount("discount", discount, found)),
        None => {
            v.add("discount", "is required");
            None
        }
    };
    let segments = segments(v, &given.segments);
    let limits = given.limits.unwrap_or_default();
    let limits = field::read(v, |found| convert::limits("limits", &limits, found));
    let read = discount.is_some() && limits.is_some();
    let (discount, limits) = (discount.unwrap_or_default(), limits.unwrap_or_default());
    let offer = Offer { id, titles, discount, segments, condition: given.condition, limits };
    field::problems(v, offer.problems());
    read.then_some(offer)
}

fn place_mix(v: &mut Violations, given: v1::PlaceMix) -> PlaceMix {
    PlaceMix {
        countries: countries(v, given.countries),
        stores: field::resources(v, "stores", "stores", &given.stores, MAX_SITES),
        online_shops: field::resources(v, "online_shops", "shops", &given.online_shops, MAX_SITES),
        marketplaces: field::resources(v, "marketplaces", "marketplaces", &given.marketplaces, MAX_SITES),
    }
}

fn countries(v: &mut Violations, given: Vec<String>) -> Vec<String> {
    let mut code = |(index, code): (usize, String)| {
        let known = field::country(v, &format!("countries[{index}]"), &code);
        known.map_or(code, |country| country.code().to_owned())
    };
    let (read, more) = given.split_at(given.len().min(MAX_COUNTRIES));
    let read = read.iter().cloned().enumerate().map(&mut code);
    let codes = read.chain(more.iter().cloned()).collect();
    field::words(v, "countries", codes, MAX_COUNTRIES)
}

fn promotion_mix(v: &mut Violations, given: v1::PromotionMix) -> PromotionMix {
    once(v, "placements", given.placements.iter().map(|placement| placement.id.as_str()));
    PromotionMix { placements: field::each(v, "placements", given.placements, MAX_PLACEMENTS, placement) }
}

/// Always one, so that those behind it keep their place in the list.
fn placement(v: &mut Violations, given: v1::Placement) -> Option<Placement> {
    let id = item_id(v, given.id);
    let channel = channel(v, given.channel);
    if let Some(channel) = channel {
        medium(v, given.medium, channel);
    }
    let planned_spend = given.planned_spend.as_ref().and_then(|spend| {
        let spend = field::read(v, |found| convert::money("planned_spend", spend, found))?;
        let message = format!("must be 0 to {MAX_AMOUNT_MINOR} minor units");
        v.check((0..=MAX_AMOUNT_MINOR).contains(&spend.minor), "planned_spend", message);
        Some::<Money>(spend)
    });
    let schedule = match given.schedule.as_ref() {
        Some(schedule) => field::read(v, |found| convert::window("schedule", schedule, Zone::utc(), found)),
        None => Some(period::Window::default()),
    };
    let message = field::prose(v, "message", given.message, 0..=2_000);
    let (channel, schedule) = (channel.unwrap_or(Channel::Email), schedule.unwrap_or_default());
    Some(Placement { id, channel, planned_spend, schedule, message })
}

fn channel(v: &mut Violations, number: i32) -> Option<Channel> {
    match v1::Channel::try_from(number) {
        Ok(v1::Channel::Email) => Some(Channel::Email),
        Ok(v1::Channel::Sms) => Some(Channel::Sms),
        Ok(v1::Channel::Push) => Some(Channel::Push),
        Ok(v1::Channel::Search) => Some(Channel::Search),
        Ok(v1::Channel::Social) => Some(Channel::Social),
        Ok(v1::Channel::Display) => Some(Channel::Display),
        Ok(v1::Channel::Tv) => Some(Channel::Tv),
        Ok(v1::Channel::Radio) => Some(Channel::Radio),
        Ok(v1::Channel::Print) => Some(Channel::Print),
        Ok(v1::Channel::Outdoor) => Some(Channel::Outdoor),
        Ok(v1::Channel::Unspecified) | Err(_) => {
            v.add("channel", "must be one of the channels");
            None
        }
    }
}

fn medium(v: &mut Violations, number: i32, channel: Channel) {
    let fitting = match channel.medium() {
        Medium::Digital => v1::Medium::Digital,
        Medium::Classical => v1::Medium::Classical,
    };
    let fits = v1::Medium::try_from(number) == Ok(fitting);
    v.check(fits, "medium", format!("must be {} for this channel", fitting.as_str_name()));
}

fn once<'a>(v: &mut Violations, field: &str, ids: impl Iterator<Item = &'a str>) {
    for index in repeated(ids) {
        v.add(format!("{field}[{index}].id"), "stands in the mix twice");
    }
}

/// The id of an item, which is part of resource names.
fn item_id(v: &mut Violations, given: String) -> String {
    if let Err(error) = id::check(&given) {
        v.add("id", error.to_string());
    }
    given
}
