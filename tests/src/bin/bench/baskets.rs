//! Random baskets to quote, made in advance.

use prost::Message;
use prost::bytes::Bytes;
use rand::rngs::StdRng;
use rand::seq::index;
use rand::{RngExt, SeedableRng};
use tandem_proto::campaign::v1::QuoteRequest;
use tandem_proto::common::v1::{Basket, Line};

use crate::args::{INCENTIVES, Scale};
use crate::catalogue::{AISLES, PLACE, PRODUCTS, product_name};
use crate::people::{FIRST_CODE, customer_name, euros};

/// The method.
pub const PATH: &str = "/tandem.campaign.v1.PricingService/Quote";
/// Lines of each basket.
pub const LINES: usize = 10;
/// Lines of a large one.
const MANY_LINES: usize = 100;

/// Different baskets.
const BASKETS: usize = 10_000;

/// Quotes nobody in particular asks for.
pub fn anonymous() -> Vec<Bytes> {
    let mut random = StdRng::seed_from_u64(3);
    (0..BASKETS).map(|_| encoded(&request(&mut random))).collect()
}

/// Large quotes nobody in particular asks for.
pub fn large() -> Vec<Bytes> {
    let mut random = StdRng::seed_from_u64(7);
    (0..BASKETS / 10).map(|_| encoded(&of_lines(MANY_LINES, &mut random))).collect()
}

/// Quotes of customers with two codes each, of two incentives.
pub fn personal(scale: &Scale) -> Vec<Bytes> {
    let mut random = StdRng::seed_from_u64(5);
    let personal = |_| {
        let first = random.random_range(0..scale.many_codes);
        // Another remainder, another incentive.
        let second = (first + random.random_range(1..INCENTIVES)) % scale.many_codes;
        let request = QuoteRequest {
            customer: customer_name(random.random_range(0..scale.customers)),
            codes: vec![format!("M{}", FIRST_CODE + first), format!("M{}", FIRST_CODE + second)],
            // An answer without the codes is not an answer.
            require_incentives: true,
            ..request(&mut random)
        };
        encoded(&request)
    };
    (0..BASKETS).map(personal).collect()
}

/// Quotes of customers without codes.
pub fn of_customers(scale: &Scale) -> Vec<Bytes> {
    let mut random = StdRng::seed_from_u64(6);
    let of_customer = |_| {
        let customer = customer_name(random.random_range(0..scale.customers));
        encoded(&QuoteRequest { customer, require_incentives: true, ..request(&mut random) })
    };
    (0..BASKETS).map(of_customer).collect()
}

/// Quotes of customers for orders of theirs.
pub fn of_orders(scale: &Scale) -> Vec<Bytes> {
    let mut random = StdRng::seed_from_u64(8);
    let of_order = |number| {
        let customer = customer_name(random.random_range(0..scale.customers));
        let order_id = format!("order-{number}");
        encoded(&QuoteRequest { customer, order_id, require_incentives: true, ..request(&mut random) })
    };
    (0..BASKETS).map(of_order).collect()
}

fn encoded(request: &QuoteRequest) -> Bytes {
    Bytes::from(request.encode_to_vec())
}

/// Different products, as many of each aisle. Prices are left to the products.
fn request(random: &mut StdRng) -> QuoteRequest {
    of_lines(LINES, random)
}

fn of_lines(lines: usize, random: &mut StdRng) -> QuoteRequest {
    let shelves = (PRODUCTS / AISLES) as usize;
    let products = index::sample(random, shelves, lines);
    let lines = products.iter().zip(0..).map(|(shelf, number)| Line {
        id: format!("line-{number}"),
        product: product_name(u32::try_from(shelf).unwrap_or_default() * AISLES + number % AISLES),
        quantity: random.random_range(1..=3),
        ..Default::default()
    });
    QuoteRequest {
        basket: Some(Basket {
            currency_code: "EUR".to_owned(),
            lines: lines.collect(),
            shipping: Some(euros(4, 90)),
            ..Default::default()
        }),
        place: PLACE.to_owned(),
        locale: "de-DE".to_owned(),
        ..Default::default()
    }
}
