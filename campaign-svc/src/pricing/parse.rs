//! From a request to what is to be priced.
//!
//! A basket without fault is read by moving it: the common case costs next to nothing. One with a fault is read by the
//! conversions of the contract, which name every violation.

use tandem_kernel::basket::{Basket, Line, MAX_AMOUNT_MINOR, MAX_LINES, TaxMode};
use tandem_kernel::code::Typed;
use tandem_kernel::id;
use tandem_kernel::money::{Currency, Money};
use tandem_kernel::problem::Problem;
use tandem_kernel::text;
use tandem_platform::{Fault, Outcome, Violations};
use tandem_proto::campaign::v1::QuoteRequest;
use tandem_proto::common::v1;
use tandem_proto::convert;

use super::place::Place;
use super::price::Ask;
use super::product::Product;
use super::snapshot::Snapshot;
use crate::field;

const MAX_CODES: usize = 20;
const MAX_WITHOUT: usize = 50;
const MAX_CLIENT_ID: usize = 128;
const PRODUCTS: &str = "products/";

/// Reads a quote's request with the products of `snapshot`; all violations at once.
pub fn ask(request: QuoteRequest, snapshot: &Snapshot) -> Outcome<Ask> {
    let mut v = Violations::new();
    let ask = asked(&mut v, request, snapshot);
    v.finish()?;
    ask.ok_or_else(unread)
}

/// What was neither read nor refused.
pub fn unread() -> Fault {
    Fault::internal("a basket without fault could not be read")
}

/// The same among other fields.
pub fn asked(v: &mut Violations, request: QuoteRequest, snapshot: &Snapshot) -> Option<Ask> {
    check_texts(v, &request);
    check_without(v, &request.without_offers);
    let codes = codes(v, &request.codes);
    let QuoteRequest { place, customer, guest_key, order_id, client_id, locale, .. } = request;
    let (require_incentives, without) = (request.require_incentives, request.without_offers);
    let (basket, replaces) = (request.basket, request.replaces_order_id);
    let place = field::place(v, "place", place);
    let at = place_of(v, &place);
    let locale = field::locale(v, "locale", &locale);
    if basket.is_none() {
        v.add("basket", "is required");
    }
    let basket = basket.and_then(|given| basket_of(v, given, snapshot, at));
    Some(Ask {
        basket: basket?,
        place,
        customer,
        guest_key,
        codes,
        order_id,
        replaces,
        client_id,
        locale,
        require_incentives,
        without,
    })
}

/// What was typed as codes, read as it was meant. What can be no code is for relationship-svc to say.
fn codes(v: &mut Violations, given: &[String]) -> Vec<String> {
    let typed = given.iter().filter_map(|code| Typed::read(code)).take(MAX_CODES + 1);
    let codes: Vec<String> = typed.map(|typed| typed.kept().to_owned()).collect();
    v.check(codes.len() <= MAX_CODES, "codes", "must hold at most 20 codes");
    codes
}

fn check_without(v: &mut Violations, offers: &[String]) {
    let message = format!("must hold at most {MAX_WITHOUT} offers, holds {}", offers.len());
    v.check(offers.len() <= MAX_WITHOUT, "without_offers", message);
    for (index, offer) in offers.iter().take(MAX_WITHOUT).enumerate() {
        if let Err(error) = id::parse_path(["campaigns", "offers"], offer) {
            v.add(format!("without_offers[{index}]"), error.to_string());
        }
    }
}

/// Reads a place.
pub fn place_of<'p>(v: &mut Violations, text: &'p str) -> Place<'p> {
    Place::parse(text).unwrap_or_else(|| {
        v.add("place", "must be a country (\"AT\"), a site (\"stores/berlin\"), or both (\"DE/shops/web\")");
        Place::default()
    })
}

/// Checks a customer's name where one is given.
pub fn check_customer(v: &mut Violations, name: &str) {
    if !name.is_empty() {
        field::resource(v, "customer", "customers", name);
    }
}

fn check_client_id(v: &mut Violations, id: &str) {
    let fits = id.chars().count() <= MAX_CLIENT_ID && !id.chars().any(char::is_control);
    v.check(fits, "client_id", "must have at most 128 characters, none of them control characters");
}

fn check_texts(v: &mut Violations, request: &QuoteRequest) {
    check_customer(v, &request.customer);
    let key = request.guest_key.as_bytes();
    let base64url = key.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let fits = key.is_empty() || ((16..=128).contains(&key.len()) && base64url);
    v.check(fits, "guest_key", "must be 16 to 128 characters of base64url");
    for (at, id) in [("order_id", &request.order_id), ("replaces_order_id", &request.replaces_order_id)] {
        if !id.is_empty() {
            field::order_id(v, at, id.clone());
        }
    }
    let other = request.replaces_order_id.is_empty() || request.replaces_order_id != request.order_id;
    v.check(other, "replaces_order_id", "must be another order");
    check_client_id(v, &request.client_id);
}

/// Reads a basket with the products of `snapshot`.
pub fn basket_of(
    v: &mut Violations,
    given: v1::Basket,
    snapshot: &Snapshot,
    place: Place<'_>,
) -> Option<Basket> {
    match Readable::of(&given, snapshot, place) {
        Some(readable) => {
            let basket = readable.read(given);
            field::problems(&mut v.nest("basket"), basket.problems());
            Some(basket)
        }
        None => explained(v, &given, snapshot, place),
    }
}

/// What was looked up for a basket whose shape is right and whose prices are all known.
struct Readable<'s> {
    currency: Currency,
    /// By line: the product where it is known, and the price.
    lines: Vec<(Option<&'s Product>, i64)>,
}

impl<'s> Readable<'s> {
    fn of(given: &v1::Basket, snapshot: &'s Snapshot, place: Place<'_>) -> Option<Self> {
        let currency = Currency::new(&given.currency_code).ok()?;
        let fits =
            |money: &Option<v1::Money>| money.as_ref().is_none_or(|money| minor(money, currency).is_some());
        let line = |line: &v1::Line| {
            let id = line.product.strip_prefix(PRODUCTS).filter(|id| id::check(id).is_ok())?;
            let known = snapshot.product(id).map(|known| &**known);
            let price = match &line.unit_price {
                Some(given) => minor(given, currency),
                None => price(known?, place, currency),
            };
            fits(&line.unit_cost).then_some((known, price?))
        };
        let right = given.lines.len() <= MAX_LINES
            && (0..=2).contains(&given.tax_mode)
            && fits(&given.shipping)
            && fits(&given.amount_due);
        let lines = if right { given.lines.iter().map(line).collect::<Option<_>>()? } else { return None };
        Some(Self { currency, lines })
    }

    fn read(self, given: v1::Basket) -> Basket {
        let tax_mode = match given.tax_mode() {
            v1::TaxMode::Exclusive => TaxMode::Exclusive,
            v1::TaxMode::Inclusive | v1::TaxMode::Unspecified => TaxMode::Inclusive,
        };
        let amount = |money: Option<v1::Money>| money.and_then(|money| minor(&money, self.currency));
        let lines = given.lines.into_iter().zip(&self.lines);
        let mut attributes = given.attributes;
        text::compose_map(&mut attributes);
        Basket {
            currency: self.currency,
            lines: lines.map(|(line, (known, price))| self.line(line, *known, *price)).collect(),
            tax_mode,
            shipping: amount(given.shipping).unwrap_or(0),
            amount_due: amount(given.amount_due),
            attributes,
        }
    }

    fn line(&self, given: v1::Line, known: Option<&Product>, unit_price: i64) -> Line {
        let mut product = given.product;
        product.drain(..PRODUCTS.len());
        let (mut categories, mut attributes) = (given.categories, given.attributes);
        text::compose_all(&mut categories);
        text::compose_map(&mut attributes);
        if categories.is_empty() {
            categories = known.map(|known| known.categories.clone()).unwrap_or_default();
        } else {
            categories.sort_unstable();
            categories.dedup();
        }
        let cost = given.unit_cost.as_ref().and_then(|cost| minor(cost, self.currency));
        Line {
            id: given.id,
            product,
            quantity: given.quantity,
            unit_price,
            unit_cost: cost.or_else(|| known?.unit_costs.get(self.currency)),
            tax_rate_ppm: tax_rate(given.tax_rate_ppm, known),
            categories,
            attributes,
        }
    }
}

fn minor(given: &v1::Money, currency: Currency) -> Option<i64> {
    if given.currency_code != currency.code() {
        return None;
    }
    let money = Money::from_units_nanos(currency, given.units, given.nanos).ok()?;
    (0..=MAX_AMOUNT_MINOR).contains(&money.minor).then_some(money.minor)
}

fn price(product: &Product, place: Place<'_>, currency: Currency) -> Option<i64> {
    if product.on_sale { product.list_price(place, currency) } else { None }
}

fn tax_rate(given: Option<i32>, known: Option<&Product>) -> i32 {
    given.or(known.map(|known| known.tax_rate_ppm)).unwrap_or(0)
}

/// Names everything that is wrong with a basket.
fn explained(
    v: &mut Violations,
    given: &v1::Basket,
    snapshot: &Snapshot,
    place: Place<'_>,
) -> Option<Basket> {
    let mut problems = Vec::new();
    let draft = convert::draft("basket", given, &mut problems);
    if draft.is_none() {
        unpriced(given, snapshot, place, &mut problems);
    }
    let basket = draft.and_then(|draft| {
        let currency = draft.currency;
        let resolve = |line: &mut convert::DraftLine| {
            let Some(known) = snapshot.product(&line.product) else { return };
            line.unit_price = line.unit_price.or_else(|| price(known, place, currency));
            line.unit_cost = line.unit_cost.or_else(|| known.unit_costs.get(currency));
            line.tax_rate_ppm = Some(tax_rate(line.tax_rate_ppm, Some(known)));
            if line.categories.is_empty() {
                line.categories.clone_from(&known.categories);
            }
        };
        draft.complete("basket", resolve, &mut problems)
    });
    field::problems(v, problems);
    basket
}

/// Names the lines without a price in a basket that cannot be read for other reasons: every violation at once.
fn unpriced(given: &v1::Basket, snapshot: &Snapshot, place: Place<'_>, problems: &mut Vec<Problem>) {
    let Some(currency) = convert::meant_currency(&given.currency_code) else { return };
    for (index, line) in given.lines.iter().take(MAX_LINES).enumerate() {
        let Some(product) = line.product.strip_prefix(PRODUCTS) else { continue };
        let known = snapshot.product(product).and_then(|known| price(known, place, currency));
        if line.unit_price.is_none() && known.is_none() {
            let message =
                "is required: no price is known for this product at this place and in this currency";
            problems.push(Problem::new(format!("basket.lines[{index}].unit_price"), message));
        }
    }
}
