//! Quotes that are made to be hard: what the contract admits and takes longest.

use tandem_proto::campaign::v1::{Offer, QuoteRequest};
use tandem_proto::common::v1::{
    Basket, Discount, FixedPriceDiscount, GroupPolicy, Line, Money, Per, Scope, discount,
};

/// The most lines a basket holds.
pub const LINES: usize = 500;

/// "products/{hard}" of a line; no such product needs to exist.
pub fn product(line: usize) -> String {
    format!("products/hard-{line}")
}

/// A basket of so many lines, at most [`LINES`], whose quantities and prices are distinct primes: no two units cost the
/// same, and no two fractions of them have a denominator in common.
pub fn basket(lines: usize) -> QuoteRequest {
    let numbers = primes_from(2).zip(primes_from(1_009)).take(lines.min(LINES)).enumerate();
    let line = |(at, (quantity, price)): (usize, (i64, i64))| Line {
        id: format!("l{at}"),
        product: product(at),
        quantity,
        unit_price: Some(euros(price)),
        ..Line::default()
    };
    let basket =
        Basket { currency_code: "EUR".to_owned(), lines: numbers.map(line).collect(), ..Basket::default() };
    QuoteRequest { basket: Some(basket), ..QuoteRequest::default() }
}

/// Offers in so many best-for-customer groups, each for every line of [`basket`]: a pair for less than in the groups
/// before, so that each has an effect after any others. With twelve of them the search is given up for its steps; with
/// thirteen there are too many alternatives to begin it.
pub fn pairs(groups: i32) -> Vec<Offer> {
    let pair = |group: i32| {
        let kind = discount::Kind::FixedPrice(FixedPriceDiscount {
            prices: vec![euros(1_900 - 150 * i64::from(group.min(12)))],
            per: Per::Set.into(),
            set_quantity: 2,
        });
        let scope = Scope { products: (0..LINES).map(product).collect(), ..Scope::default() };
        let discount = Discount {
            kind: Some(kind),
            scope: Some(scope),
            group,
            group_policy: GroupPolicy::BestForCustomer.into(),
            ..Discount::default()
        };
        let titles = [(String::new(), format!("Pair {group}"))].into();
        Offer { id: format!("pair-{group}"), titles, discount: Some(discount), ..Offer::default() }
    };
    (0..groups).map(pair).collect()
}

fn euros(minor: i64) -> Money {
    let nanos = i32::try_from(minor % 100 * 10_000_000).unwrap_or_default();
    Money { currency_code: "EUR".to_owned(), units: minor / 100, nanos }
}

fn primes_from(first: i64) -> impl Iterator<Item = i64> {
    (first..).filter(|number| (2..).take_while(|by| by * by <= *number).all(|by| number % by != 0))
}
