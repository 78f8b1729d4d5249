//! The names the kernel owns: `line`, `basket`, `place`, `now`. Services declare theirs (`customer`, …) beside them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Fact, Facts, Fullness, Type, Vocabulary};
use crate::basket::{Basket, Line, MAX_LINES, MergedLine};
use crate::money::Currency;

/// The most categories of one line.
const MAX_LINE_CATEGORIES: u64 = 32;
/// The most attributes of a line or a basket.
const MAX_ATTRIBUTES: u64 = 32;

/// What a rule over one line reads; a line of a basket or a merged one.
#[derive(Debug, Clone, Copy)]
pub struct LineView<'v> {
    /// The product's id.
    pub product: &'v str,
    /// Units; of a merged line, all of them.
    pub quantity: i64,
    /// Price of one unit in minor units, before price rules.
    pub unit_price: i64,
    /// Categories of the product.
    pub categories: &'v [String],
    /// Facts given by the caller.
    pub attributes: &'v BTreeMap<String, String>,
}

impl<'v> From<&'v Line> for LineView<'v> {
    fn from(line: &'v Line) -> Self {
        Self {
            product: &line.product,
            quantity: line.quantity,
            unit_price: line.unit_price,
            categories: &line.categories,
            attributes: &line.attributes,
        }
    }
}

impl<'v> From<&MergedLine<'v>> for LineView<'v> {
    fn from(line: &MergedLine<'v>) -> Self {
        Self {
            product: line.product,
            quantity: line.quantity,
            unit_price: line.unit_price,
            categories: line.categories,
            attributes: line.attributes,
        }
    }
}

/// `line.{product, quantity, unit_price, currency, categories, attributes}`: what a scope's condition may use.
pub fn line_vocabulary() -> Vocabulary {
    Vocabulary::new().with(
        "line",
        Type::facts([
            ("product", Type::Text, "the id of the product, without `products/`"),
            ("quantity", Type::Int, "units; of lines that are priced as one, all of them"),
            ("unit_price", Type::Int, "of one unit in minor units (cents), before price rules"),
            ("currency", Type::Text, "ISO 4217 code of the basket"),
            ("categories", Type::list(Type::Text, MAX_LINE_CATEGORIES), "of the product"),
            ("attributes", Type::map(Type::Text, MAX_ATTRIBUTES), "what the checkout says of the line"),
        ]),
    )
}

/// One line as the value of `line`.
pub fn line_fact<'v>(line: impl Into<LineView<'v>>, currency: Currency) -> Fact<'v> {
    let line = line.into();
    Fact::Object(vec![
        ("product", Fact::text(line.product)),
        ("quantity", Fact::Int(line.quantity)),
        ("unit_price", Fact::Int(line.unit_price)),
        ("currency", Fact::from(String::from(currency))),
        ("categories", Fact::texts(line.categories)),
        ("attributes", Fact::text_map(line.attributes)),
    ])
}

/// Facts for [`line_vocabulary`]: build once for each line, use for every rule.
pub fn line_facts<'v>(line: impl Into<LineView<'v>>, currency: Currency) -> Facts<'v> {
    let line = line.into();
    Facts::new().with("line", line_fact(line, currency)).holding(line_fullness(line))
}

/// How full the lists of a line are.
pub fn line_fullness<'v>(line: impl Into<LineView<'v>>) -> Fullness {
    let line = line.into();
    Fullness::of([(line.categories.len(), MAX_LINE_CATEGORIES), (line.attributes.len(), MAX_ATTRIBUTES)])
}

/// `basket.{currency, quantity, amount, lines, products, categories, attributes}`; `amount` is the goods at list price
/// in minor units, `lines` their number.
pub fn basket_vocabulary() -> Vocabulary {
    let lines = u64::try_from(MAX_LINES).unwrap_or(u64::MAX);
    Vocabulary::new().with(
        "basket",
        Type::facts([
            ("currency", Type::Text, "ISO 4217 code"),
            ("quantity", Type::Int, "units of all lines"),
            ("amount", Type::Int, "the goods at list price, in minor units (cents)"),
            ("lines", Type::Int, "how many lines it has"),
            ("products", Type::list(Type::Text, lines), "ids, each once, sorted"),
            (
                "categories",
                Type::list(Type::Text, lines * MAX_LINE_CATEGORIES),
                "of all lines, each once, sorted",
            ),
            ("attributes", Type::map(Type::Text, MAX_ATTRIBUTES), "what the checkout says of the basket"),
        ]),
    )
}

/// A whole basket as the value of `basket`. Products and categories stand once each, sorted.
pub fn basket_fact(basket: &Basket) -> Fact<'_> {
    let products = each_once(basket.lines.iter().map(|line| line.product.as_str()));
    let categories = each_once(basket.lines.iter().flat_map(|line| &line.categories).map(String::as_str));
    let quantity = basket.lines.iter().fold(0_i64, |sum, line| sum.saturating_add(line.quantity));
    let amount = basket
        .lines
        .iter()
        .fold(0_i64, |sum, line| sum.saturating_add(line.unit_price.saturating_mul(line.quantity)));
    Fact::Object(vec![
        ("currency", Fact::text(basket.currency.code())),
        ("quantity", Fact::Int(quantity)),
        ("amount", Fact::Int(amount)),
        ("lines", Fact::Int(i64::try_from(basket.lines.len()).unwrap_or(i64::MAX))),
        ("products", products),
        ("categories", categories),
        ("attributes", Fact::text_map(&basket.attributes)),
    ])
}

fn each_once<'v>(texts: impl Iterator<Item = &'v str>) -> Fact<'v> {
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    Fact::List(texts.into_iter().map(Fact::text).collect())
}

/// Where it is bought.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlaceView<'v> {
    /// The place's own id, or empty.
    pub id: &'v str,
    /// ISO 3166-1 alpha-2, or empty.
    pub country: &'v str,
    /// Store, online shop, marketplace, …, or empty.
    pub channel: &'v str,
}

/// `place.{id, country, channel}`.
pub fn place_vocabulary() -> Vocabulary {
    let kind = Type::facts([
        ("id", Type::Text, "`stores/berlin`, else the country, or empty"),
        ("country", Type::Text, "ISO 3166-1 alpha-2, or empty; for incentives outside a quote always empty"),
        ("channel", Type::Text, "`store`, `shop`, `marketplace`, or empty"),
    ]);
    Vocabulary::new().with("place", kind)
}

/// A place as the value of `place`.
pub fn place_fact(place: PlaceView<'_>) -> Fact<'_> {
    Fact::Object(vec![
        ("id", Fact::text(place.id)),
        ("country", Fact::text(place.country)),
        ("channel", Fact::text(place.channel)),
    ])
}

/// `now.{year, month, day, weekday, hour, minute}`; weekday 1 is Monday, 7 is Sunday (ISO 8601).
pub fn now_vocabulary() -> Vocabulary {
    Vocabulary::new().with(
        "now",
        Type::facts([
            ("year", Type::Int, "2031"),
            ("month", Type::Int, "1 to 12"),
            ("day", Type::Int, "1 to 31"),
            ("weekday", Type::Int, "Monday is 1, Sunday is 7 (ISO 8601)"),
            ("hour", Type::Int, "0 to 23"),
            ("minute", Type::Int, "0 to 59"),
        ]),
    )
}

/// An instant in the tenant's zone as the value of `now`.
pub fn now_fact(at: Timestamp, zone: &TimeZone) -> Fact<'static> {
    let local = zone.to_datetime(at);
    Fact::Object(vec![
        ("year", Fact::Int(i64::from(local.year()))),
        ("month", Fact::Int(i64::from(local.month()))),
        ("day", Fact::Int(i64::from(local.day()))),
        ("weekday", Fact::Int(i64::from(local.weekday().to_monday_one_offset()))),
        ("hour", Fact::Int(i64::from(local.hour()))),
        ("minute", Fact::Int(i64::from(local.minute()))),
    ])
}

/// `basket`, `place` and `now` together: what a rule over a whole purchase reads. Build once for each quote.
pub fn offer_facts<'v>(
    basket: &'v Basket,
    place: PlaceView<'v>,
    at: Timestamp,
    zone: &TimeZone,
) -> Facts<'v> {
    Facts::new()
        .with("basket", basket_fact(basket))
        .with("place", place_fact(place))
        .with("now", now_fact(at, zone))
        .holding(basket_fullness(basket))
}

/// How full the lists of a basket are.
pub fn basket_fullness(basket: &Basket) -> Fullness {
    let categories: usize = basket.lines.iter().map(|line| line.categories.len()).sum();
    let most = u64::try_from(MAX_LINES).unwrap_or(u64::MAX);
    Fullness::of([
        (basket.lines.len(), most),
        (categories, most * MAX_LINE_CATEGORIES),
        (basket.attributes.len(), MAX_ATTRIBUTES),
    ])
}
