//! What is written and read again is the same; what arrives is judged completely and never panics.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tandem_kernel::basket::{Basket, TaxMode};
use tandem_kernel::discount::{AmountPer, Discount, Kind, PricePer, Stage};
use tandem_kernel::limits::{Limits, Overrun};
use tandem_kernel::money::{Amounts, Currency, Money};
use tandem_kernel::period::{Date, Recurrence, Window, Zone};
use tandem_kernel::problem::Problem;
use tandem_kernel::seal::{Keyring, SealError};

use super::*;
use crate::common::v1;

mod given;
mod kernel;
mod several;

fn eur() -> Currency {
    Currency::new("EUR").unwrap()
}

fn euros(units: i64, nanos: i32) -> v1::Money {
    v1::Money { currency_code: "EUR".to_owned(), units, nanos }
}

fn fields(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.field.as_str()).collect()
}

fn given_line(id: &str) -> v1::Line {
    v1::Line {
        id: id.to_owned(),
        product: "products/42".to_owned(),
        quantity: 2,
        unit_price: Some(euros(12, 340_000_000)),
        ..v1::Line::default()
    }
}

fn given_basket(lines: Vec<v1::Line>) -> v1::Basket {
    v1::Basket { currency_code: "EUR".to_owned(), lines, ..v1::Basket::default() }
}

fn read_discount(kind: v1::discount::Kind) -> Result<Discount, Vec<Problem>> {
    let mut problems = Vec::new();
    let given = v1::Discount { kind: Some(kind), ..v1::Discount::default() };
    discount("discount", &given, &mut problems).ok_or(problems)
}

#[test]
fn money_is_exact_or_refused() {
    let mut problems = Vec::new();
    assert_eq!(money("price", &euros(12, 340_000_000), &mut problems), Some(Money::new(1_234, eur())));
    assert_eq!(money("price", &euros(0, 1), &mut problems), None);
    assert_eq!(money("price", &euros(1, -10_000_000), &mut problems), None);
    assert_eq!(money("price", &euros(i64::MAX, 0), &mut problems), None);
    assert_eq!(money("price", &v1::Money::default(), &mut problems), None);
    assert_eq!(amount("price", &euros(-1, 0), eur(), &mut problems), None);
    assert_eq!(
        fields(&problems),
        ["price.nanos", "price.nanos", "price.units", "price.currency_code", "price"]
    );
}

#[test]
fn an_amount_stands_once_for_each_currency() {
    let mut problems = Vec::new();
    let list = [euros(1, 0), v1::Money { currency_code: "JPY".to_owned(), units: 100, nanos: 0 }];
    assert_eq!(amounts("budgets", &list, 1, &mut problems).unwrap().get(eur()), Some(100));
    assert!(amounts("budgets", &[euros(1, 0), euros(2, 0), euros(0, 0)], 1, &mut problems).is_none());
    assert_eq!(fields(&problems), ["budgets[1].currency_code", "budgets[2]", "budgets[2].currency_code"]);
}

#[test]
fn every_violation_of_a_basket_is_named() {
    let mut bad = given_line("1");
    bad.product = "42".to_owned();
    bad.quantity = 0;
    bad.unit_price = Some(v1::Money { currency_code: "USD".to_owned(), units: 1, nanos: 0 });
    bad.unit_cost = Some(euros(-1, 0));
    bad.tax_rate_ppm = Some(1_000_001);
    bad.categories = vec![String::new()];
    bad.attributes = BTreeMap::from([(String::new(), "x".to_owned())]);
    let mut given = given_basket(vec![given_line("1"), bad, given_line("")]);
    given.tax_mode = 7;
    given.shipping = Some(euros(0, 5));
    let mut problems = Vec::new();
    assert_eq!(basket("basket", &given, &mut problems), None);
    let mut found = fields(&problems);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "basket.lines[1].attributes",
            "basket.lines[1].categories[0]",
            "basket.lines[1].id",
            "basket.lines[1].product",
            "basket.lines[1].quantity",
            "basket.lines[1].tax_rate_ppm",
            "basket.lines[1].unit_cost",
            "basket.lines[1].unit_price.currency_code",
            "basket.lines[2].id",
            "basket.shipping.nanos",
            "basket.tax_mode",
        ]
    );
}

#[test]
fn a_basket_of_too_many_lines_is_refused_and_not_read() {
    for count in [0, 501, 20_000] {
        let mut bad = given_line("x");
        bad.quantity = -1;
        let mut problems = Vec::new();
        let lines = (0..count).map(|index| v1::Line { id: index.to_string(), ..bad.clone() }).collect();
        assert_eq!(basket("", &given_basket(lines), &mut problems), None);
        assert_eq!(fields(&problems).iter().filter(|field| **field == "lines").count(), 1);
        assert!(problems.len() <= 501);
    }
}

#[test]
fn a_draft_takes_from_the_catalogue_what_its_lines_lack() {
    let mut open = given_line("2");
    (open.unit_price, open.product) = (None, "products/7".to_owned());
    let given = given_basket(vec![given_line("1"), open]);
    let mut problems = Vec::new();
    assert_eq!(basket("", &given, &mut problems), None);
    assert_eq!(fields(&problems), ["lines[1].unit_price"]);

    problems.clear();
    let draft = draft("basket", &given, &mut problems).unwrap();
    let done = draft.clone().complete(
        "basket",
        |line| {
            if line.unit_price.is_none() {
                assert_eq!(line.product, "7");
                line.unit_price = Some(99);
                line.categories = vec!["b".to_owned(), "a".to_owned(), "b".to_owned()];
            }
        },
        &mut problems,
    );
    let done = done.unwrap();
    assert_eq!((done.lines[0].unit_price, done.lines[1].unit_price), (1_234, 99));
    assert_eq!(done.lines[1].categories, ["a", "b"]);

    assert_eq!(draft.clone().complete("basket", |_| {}, &mut problems), None);
    assert_eq!(fields(&problems), ["basket.lines[1].unit_price"]);
    problems.clear();
    assert_eq!(draft.complete("basket", |line| line.unit_price = Some(i64::MAX), &mut problems), None);
    assert!(fields(&problems).contains(&"basket.lines[1].unit_price"), "{problems:?}");
}

#[test]
fn a_discount_stands_where_the_contract_says_by_default() {
    let stage = |kind| read_discount(kind).unwrap().stage;
    let percent = v1::PercentDiscount { rate_ppm: 100_000 };
    assert_eq!(stage(v1::discount::Kind::Percent(percent)), Stage::Line);
    let off = |per: v1::Per| {
        v1::discount::Kind::Amount(v1::AmountDiscount { amounts: vec![euros(5, 0)], per: per.into() })
    };
    assert_eq!(stage(off(v1::Per::Unspecified)), Stage::Order);
    assert_eq!(stage(off(v1::Per::Order)), Stage::Order);
    assert_eq!(stage(off(v1::Per::Unit)), Stage::Line);
    assert_eq!(stage(v1::discount::Kind::GiftCard(v1::GiftCardTender::default())), Stage::Tender);
    let free = v1::ShippingDiscount { benefit: Some(v1::shipping_discount::Benefit::Free(true)) };
    assert_eq!(stage(v1::discount::Kind::Shipping(free)), Stage::Shipping);
    let tier =
        v1::Tier { thresholds: vec![euros(100, 0)], benefit: Some(v1::tier::Benefit::RatePpm(100_000)) };
    let tiered = v1::discount::Kind::Tiered(v1::TieredDiscount { tiers: vec![tier] });
    assert_eq!(stage(tiered.clone()), Stage::Order);
    let scoped = v1::Discount {
        kind: Some(tiered),
        scope: Some(v1::Scope { categories: vec!["jazz".to_owned()], ..v1::Scope::default() }),
        ..v1::Discount::default()
    };
    assert_eq!(discount("", &scoped, &mut Vec::new()).unwrap().stage, Stage::Line);
}

#[test]
fn what_is_left_out_of_a_discount_has_the_stated_default() {
    let given = v1::BuyXGetYDiscount { buy_quantity: 2, get_quantity: 1, ..v1::BuyXGetYDiscount::default() };
    let read = read_discount(v1::discount::Kind::BuyXGetY(given)).unwrap();
    let Kind::BuyXGetY { rate_ppm, max_sets, get_scope, .. } = &read.kind else { panic!("{read:?}") };
    assert_eq!((*rate_ppm, *max_sets, get_scope), (1_000_000, None, &None));
    let given = v1::FixedPriceDiscount { prices: vec![euros(9, 0)], ..v1::FixedPriceDiscount::default() };
    let read = read_discount(v1::discount::Kind::FixedPrice(given)).unwrap();
    assert!(matches!(read.kind, Kind::FixedPrice { per: PricePer::Unit, .. }));
    let given = v1::AmountDiscount { amounts: vec![euros(9, 0)], per: 0 };
    let read = read_discount(v1::discount::Kind::Amount(given)).unwrap();
    assert!(matches!(read.kind, Kind::Amount { per: AmountPer::Order, .. }));
}

#[test]
fn points_are_refused_until_there_is_a_loyalty_programme() {
    let problems =
        read_discount(v1::discount::Kind::Points(v1::PointsReward { points_per_unit: 1 })).unwrap_err();
    assert_eq!(fields(&problems), ["discount.points"]);
    assert!(problems[0].message.starts_with("POINTS_NOT_AVAILABLE"), "{}", problems[0].message);
}

#[test]
fn every_violation_of_a_discount_is_named() {
    let given = v1::Discount {
        kind: Some(v1::discount::Kind::Amount(v1::AmountDiscount {
            amounts: vec![euros(0, 5), euros(1, 0)],
            per: v1::Per::Set.into(),
        })),
        scope: Some(v1::Scope {
            products: vec!["products/1".to_owned(), "42".to_owned()],
            condition: "line.quantty > 1".to_owned(),
            ..v1::Scope::default()
        }),
        stage: 9,
        base: 9,
        group: -1,
        group_policy: 9,
        priority: 1_000_001,
        max_discount: vec![euros(-3, 0)],
        margin_floor_ppm: 1_000_000,
        ..v1::Discount::default()
    };
    let mut problems = Vec::new();
    assert_eq!(discount("offers[0].discount", &given, &mut problems), None);
    let mut found = fields(&problems);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "offers[0].discount.amount.amounts[0].nanos",
            "offers[0].discount.amount.per",
            "offers[0].discount.base",
            "offers[0].discount.group",
            "offers[0].discount.group_policy",
            "offers[0].discount.margin_floor_ppm",
            "offers[0].discount.max_discount[0]",
            "offers[0].discount.priority",
            "offers[0].discount.scope.condition",
            "offers[0].discount.scope.products[1]",
            "offers[0].discount.stage",
        ]
    );
    assert_eq!(discount("", &v1::Discount::default(), &mut Vec::new()), None);
}

#[test]
fn a_kind_says_what_it_needs() {
    use v1::discount::Kind as Given;
    let free = |benefit| Given::Shipping(v1::ShippingDiscount { benefit });
    let refused = |kind| read_discount(kind).unwrap_err().into_iter().map(|p| p.field).collect::<Vec<_>>();
    assert_eq!(refused(free(None)), ["discount.shipping.benefit"]);
    let not_free = Some(v1::shipping_discount::Benefit::Free(false));
    assert_eq!(refused(free(not_free)), ["discount.shipping.free"]);
    let set =
        v1::FixedPriceDiscount { prices: vec![euros(1, 0)], per: v1::Per::Unit.into(), set_quantity: 3 };
    assert_eq!(refused(Given::FixedPrice(set)), ["discount.fixed_price.set_quantity"]);
    let tiers = vec![v1::Tier { thresholds: vec![euros(1, 0)], benefit: None }];
    assert_eq!(refused(Given::Tiered(v1::TieredDiscount { tiers })), ["discount.tiered.tiers[0].benefit"]);
    assert_eq!(refused(Given::Tiered(v1::TieredDiscount::default())), ["discount.tiered.tiers"]);
    let none = v1::AmountDiscount::default();
    assert_eq!(refused(Given::Amount(none)), ["discount.amount.amounts"]);
    let unsorted = v1::AmountDiscount {
        amounts: vec![v1::Money { currency_code: "USD".to_owned(), units: 5, nanos: 0 }, euros(0, 0)],
        per: 0,
    };
    assert_eq!(refused(Given::Amount(unsorted)), ["discount.amount.amounts[1]"], "as the caller counts");
    let step =
        |units| v1::Tier { thresholds: vec![euros(units, 1)], benefit: Some(v1::tier::Benefit::RatePpm(1)) };
    let tiers = vec![step(5), v1::Tier { thresholds: vec![euros(9, 0)], ..step(0) }];
    assert_eq!(
        refused(Given::Tiered(v1::TieredDiscount { tiers })),
        ["discount.tiered.tiers[0].thresholds[0].nanos"]
    );
}

#[test]
fn a_limit_within_a_period_needs_both_its_fields() {
    let read = |given: v1::Limits| {
        let mut problems = Vec::new();
        let limits = limits("limits", &given, &mut problems);
        (limits, problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>())
    };
    assert_eq!(read(v1::Limits::default()), (Some(Limits::default()), Vec::new()));
    let (none, found) = read(v1::Limits { max_uses_per_customer_period: Some(3), ..v1::Limits::default() });
    assert_eq!((none, found), (None, vec!["limits.customer_period".to_owned()]));
    let (none, found) = read(v1::Limits { customer_period: 1, ..v1::Limits::default() });
    assert_eq!((none, found), (None, vec!["limits.max_uses_per_customer_period".to_owned()]));
    let bad = v1::Limits {
        max_uses: Some(-1),
        max_uses_per_customer: Some(-1),
        max_uses_per_customer_period: Some(-1),
        customer_period: 9,
        budgets: vec![euros(0, 0)],
        recurrence: 9,
        overrun: 9,
        per_value: vec![v1::ValueLimit { dimension: 9, max_uses: Some(1), ..v1::ValueLimit::default() }],
    };
    let (none, found) = read(bad);
    assert_eq!((none, found.len()), (None, 8), "every field is wrong");
}

#[test]
fn a_limit_per_value_says_of_what_and_how_much_and_each_but_once() {
    let read = |per_value: Vec<v1::ValueLimit>| {
        let mut problems = Vec::new();
        let limits = limits("limits", &v1::Limits { per_value, ..v1::Limits::default() }, &mut problems);
        assert_eq!(limits.is_none(), !problems.is_empty());
        problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>()
    };
    let of = |dimension: v1::LimitDimension, attribute: &str| v1::ValueLimit {
        dimension: dimension.into(),
        attribute: attribute.to_owned(),
        max_uses: Some(2),
        budgets: Vec::new(),
    };
    let (place, attribute) = (v1::LimitDimension::Place, v1::LimitDimension::Attribute);
    let (medium, segment) = (v1::LimitDimension::Medium, v1::LimitDimension::Segment);
    let good =
        vec![of(place, ""), of(medium, ""), of(segment, ""), of(attribute, "till"), of(attribute, "desk")];
    assert!(read(good).is_empty());
    let bad = vec![
        of(place, "till"),
        of(attribute, ""),
        of(attribute, "medium"),
        of(segment, "students"),
        v1::ValueLimit { max_uses: None, ..of(place, "") },
    ];
    let wanted = [
        "limits.per_value[0].attribute",
        "limits.per_value[1].attribute",
        "limits.per_value[2].attribute",
        "limits.per_value[3].attribute",
        "limits.per_value[4].max_uses",
        "limits.per_value[4].dimension",
    ];
    assert_eq!(read(bad), wanted);
    let twice = (1..5).map(|again| format!("limits.per_value[{again}].dimension"));
    let many: Vec<String> = ["limits.per_value".to_owned()].into_iter().chain(twice).collect();
    assert_eq!(read(vec![of(place, ""); 6]), many);
    assert_eq!(
        read(vec![v1::ValueLimit::default()]),
        ["limits.per_value[0].max_uses", "limits.per_value[0].dimension"]
    );
}

#[test]
fn instants_and_windows_keep_their_microseconds() {
    let mut problems = Vec::new();
    for (seconds, nanos) in [(0, 0), (-1, 999_999_000), (1_767_225_600, 123_456_000), (-62_135_596_800, 0)] {
        let given = prost_types::Timestamp { seconds, nanos };
        assert_eq!(to_timestamp(timestamp("", &given, &mut problems).unwrap()), given);
    }
    assert!(problems.is_empty());
    for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (0, -1), (0, 1_000_000_000), (253_402_300_800, 0)]
    {
        assert_eq!(timestamp("at", &prost_types::Timestamp { seconds, nanos }, &mut problems), None);
    }
    assert_eq!(problems.len(), 5);
    let moment = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let backward = v1::Interval { start_time: moment(10), end_time: moment(10) };
    problems.clear();
    assert_eq!(window("window", &backward, Zone::utc(), &mut problems), None);
    assert_eq!(fields(&problems), ["window.end_time"]);
}

#[test]
fn a_quote_token_opens_to_the_claims_it_sealed() {
    let keys = Keyring::parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let claims = v1::QuoteClaims {
        tenant: "default".to_owned(),
        order_digest: vec![7; 32].into(),
        currency_code: "EUR".to_owned(),
        total_minor: 1_234,
        lines: vec![v1::SealedLine { id: "1".to_owned(), quantity: 2, ..v1::SealedLine::default() }],
        ..v1::QuoteClaims::default()
    };
    let token = seal_claims(&claims, &keys);
    assert_eq!(open_claims(&token, &keys), Ok(claims));
    assert_eq!(open_claims("x", &keys), Err(TokenError::Seal(SealError::Malformed)));
    assert_eq!(open_claims(&keys.seal(b"\xff\xff"), &keys), Err(TokenError::NotAQuote));
}

proptest! {
    #[test]
    fn money_survives_the_contract(minor in any::<i64>(), currency in kernel::currency()) {
        let value = Money::new(minor, currency);
        let mut problems = Vec::new();
        prop_assert_eq!(money("", &v1::Money::from(value), &mut problems), Some(value));
        prop_assert_eq!(problems, vec![]);
    }

    #[test]
    fn a_basket_survives_the_contract(value in kernel::basket()) {
        let mut problems = Vec::new();
        let read = basket("", &v1::Basket::from(&value), &mut problems);
        prop_assert_eq!(&problems, &vec![]);
        prop_assert_eq!(read, Some(value));
    }

    #[test]
    fn a_discount_survives_the_contract(value in kernel::discount()) {
        let mut problems = Vec::new();
        let read = discount("", &v1::Discount::from(&value), &mut problems);
        prop_assert_eq!(&problems, &vec![]);
        prop_assert_eq!(read, Some(value));
    }

    #[test]
    fn limits_survive_the_contract(value in kernel::limits()) {
        let mut problems = Vec::new();
        let read = limits("", &v1::Limits::from(&value), &mut problems);
        prop_assert_eq!(&problems, &vec![]);
        prop_assert_eq!(read, Some(value));
    }

    #[test]
    fn dates_and_windows_survive_the_contract(
        days in 0_i32..3_000_000, known in any::<bool>(), start in proptest::option::of(kernel::instant()), length in 1_i64..1_000_000,
    ) {
        let mut problems = Vec::new();
        let (year, month, day) = (1 + days % 9_999, 1 + days % 12, 1 + days % 28);
        let value = Date::new(known.then_some(year), month, day).unwrap();
        prop_assert_eq!(date("", &value.into(), &mut problems), Some(value));
        let end = start.map(|start| start + jiff::SignedDuration::from_micros(length));
        let value = Window::new(start, end, Zone::utc()).unwrap();
        prop_assert_eq!(window("", &v1::Interval::from(&value), Zone::utc(), &mut problems), Some(value));
        prop_assert_eq!(problems, vec![]);
    }

    #[test]
    fn no_basket_panics_and_one_is_read_exactly_when_nothing_is_wrong(given in given::basket()) {
        let mut problems = Vec::new();
        let read = basket("basket", &given, &mut problems);
        prop_assert_eq!(read.is_some(), problems.is_empty());
        prop_assert!(problems.iter().all(|problem| problem.field.starts_with("basket.")), "{problems:?}");
        if let Some(read) = read {
            prop_assert!(read.problems().is_empty());
            prop_assert_eq!(basket("", &v1::Basket::from(&read), &mut problems), Some(read));
        }
    }

    #[test]
    fn no_discount_panics_and_one_is_read_exactly_when_nothing_is_wrong(given in given::discount()) {
        let mut problems = Vec::new();
        let read = discount("discount", &given, &mut problems);
        prop_assert_eq!(read.is_some(), problems.is_empty());
        prop_assert!(problems.iter().all(|problem| problem.field.starts_with("discount.")), "{problems:?}");
        if let Some(read) = read {
            prop_assert!(read.problems().is_empty());
            prop_assert_eq!(discount("", &v1::Discount::from(&read), &mut problems), Some(read));
        }
    }

    #[test]
    fn no_limits_panic(given in given::limits()) {
        let mut problems = Vec::new();
        let read = limits("", &given, &mut problems);
        prop_assert_eq!(read.is_some(), problems.is_empty());
    }

    #[test]
    fn no_time_panics(seconds in any::<i64>(), nanos in any::<i32>(), year in any::<i32>(), month in -1_i32..15, day in -1_i32..40) {
        let mut problems = Vec::new();
        let _ = timestamp("", &prost_types::Timestamp { seconds, nanos }, &mut problems);
        let _ = date("", &v1::Date { year, month, day }, &mut problems);
    }
}
