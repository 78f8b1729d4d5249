//! What a caller may say of a product, and its price history as the contract shows it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tandem_kernel::discount::WHOLE_PPM;
use tandem_kernel::money::{Currency, Money};
use tandem_kernel::text;
use tandem_platform::Violations;
use tandem_proto::campaign::v1::{self, PriceHistoryEntry};
use tandem_proto::convert;

use super::super::{Definition, ListPrice, PriceEntry};
use crate::field;

const MAX_CATEGORIES: usize = 32;
const MAX_PRICES: usize = 1_000;
const MAX_PLACE: usize = 130;

/// What a caller says of a product.
pub fn definition(v: &mut Violations, given: v1::Product) -> Definition {
    let costs = given.unit_costs;
    let mut attributes = field::labels(v, "attributes", given.attributes);
    text::compose_map(&mut attributes);
    Definition {
        display_name: field::text(v, "display_name", given.display_name, 0..=200),
        categories: categories(v, given.categories),
        attributes,
        prices: prices(v, given.prices),
        unit_costs: field::read(v, |found| convert::amounts("unit_costs", &costs, 0, found))
            .unwrap_or_default(),
        tax_rate_ppm: tax_rate(v, given.tax_rate_ppm),
    }
}

fn tax_rate(v: &mut Violations, rate: i32) -> i32 {
    v.check((0..=WHOLE_PPM).contains(&rate), "tax_rate_ppm", format!("must be 0 to {WHOLE_PPM}, is {rate}"));
    rate
}

/// Sorted.
fn categories(v: &mut Violations, mut given: Vec<String>) -> Vec<String> {
    text::compose_all(&mut given);
    let mut categories = field::words(v, "categories", given, MAX_CATEGORIES);
    categories.sort_unstable();
    categories
}

fn prices(v: &mut Violations, given: Vec<v1::ListPrice>) -> Vec<ListPrice> {
    let count = given.len();
    v.check(count <= MAX_PRICES, "prices", format!("must hold at most {MAX_PRICES}, holds {count}"));
    let (mut prices, mut seen) = (Vec::new(), BTreeSet::new());
    for (index, given) in given.into_iter().take(MAX_PRICES).enumerate() {
        let mut v = v.nest(format!("prices[{index}]"));
        let place = place(&mut v, "place", given.place);
        let Some(money) = given.price.as_ref() else {
            v.add("price", "is required");
            continue;
        };
        let known = Currency::new(&money.currency_code).ok();
        let twice = known.is_some_and(|currency| !seen.insert((place.clone(), currency)));
        v.check(!twice, "", "this place and currency stand here twice");
        let minor = field::read(&mut v, |found| convert::amount("price", money, None, found));
        let price = known.zip(minor).map(|(currency, minor)| Money::new(minor, currency));
        prices.extend(price.map(|price| ListPrice { place: place.clone(), price }));
    }
    prices.sort_by(|one, two| (&one.place, one.price.currency).cmp(&(&two.place, two.price.currency)));
    prices
}

/// A place: words as in ids, with slashes between them, a country at the head by its code; or empty.
pub fn place(v: &mut Violations, field: &str, place: String) -> String {
    let word = |word: &str| tandem_kernel::id::check(word).is_ok();
    let right = place.is_empty() || (place.len() <= MAX_PLACE && place.split('/').all(word));
    v.check(right, field, "must be a place such as `stores/berlin`, `DE` or `DE/shops/web`, or empty");
    if right { field::place(v, field, place) } else { place }
}

/// An entry of the price history as the contract shows it.
pub fn price_entry(entry: &PriceEntry) -> PriceHistoryEntry {
    PriceHistoryEntry {
        place: entry.place.clone(),
        price: entry.minor.map(|minor| Money::new(minor, entry.currency).into()),
        currency_code: entry.currency.code().to_owned(),
        effective_time: Some(convert::to_timestamp(entry.effective)),
    }
}

/// Where a page of the price history ended.
pub fn price_keys(last: &PriceEntry) -> [String; 3] {
    [last.effective.as_microsecond().to_string(), last.place.clone(), last.currency.code().to_owned()]
}

/// Where the next page begins.
pub fn price_position(keys: &[String]) -> Option<(Timestamp, &str, &str)> {
    let [effective, place, currency] = keys else { return None };
    Some((Timestamp::from_microsecond(effective.parse().ok()?).ok()?, place, currency))
}
