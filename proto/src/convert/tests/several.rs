//! Where one field depends on another that is wrong, the rest is judged all the same.

use super::*;

fn in_currency(code: &str, units: i64, nanos: i32) -> v1::Money {
    v1::Money { currency_code: code.to_owned(), units, nanos }
}

fn refused<T>(read: impl FnOnce(&mut Vec<Problem>) -> Option<T>) -> Vec<String> {
    let mut problems = Vec::new();
    assert!(read(&mut problems).is_none());
    let mut found: Vec<String> = problems.into_iter().map(|problem| problem.field).collect();
    found.sort_unstable();
    found
}

fn mug(currency: &str) -> v1::Line {
    v1::Line {
        id: String::new(),
        product: "mug".to_owned(),
        quantity: 0,
        unit_price: Some(in_currency(currency, 1, 0)),
        ..v1::Line::default()
    }
}

#[test]
fn a_basket_of_no_currency_is_judged_in_the_one_that_is_meant() {
    let of = |code: &str, line: v1::Line| v1::Basket {
        currency_code: code.to_owned(),
        ..given_basket(vec![line])
    };
    let five = [
        "currency_code",
        "lines[0].id",
        "lines[0].product",
        "lines[0].quantity",
        "lines[0].unit_price.currency_code",
    ];
    assert_eq!(refused(|found| basket("", &of("eur", mug("USD")), found)), five);
    assert_eq!(refused(|found| draft("", &of("eur", mug("USD")), found)), five);
    let four = ["currency_code", "lines[0].id", "lines[0].product", "lines[0].quantity"];
    assert_eq!(refused(|found| draft("", &of("eur", mug("EUR")), found)), four, "EUR is what is meant");
    assert_eq!(refused(|found| draft("", &of("EURO", mug("USD")), found)), four, "anything may be meant");
    let unpriced = v1::Basket {
        shipping: Some(in_currency("eur", 1, 2_000_000_000)),
        amount_due: Some(euros(-1, 0)),
        ..of("", v1::Line { unit_price: None, ..mug("") })
    };
    let found = refused(|found| basket("", &unpriced, found));
    for field in
        ["currency_code", "shipping.currency_code", "shipping.nanos", "amount_due", "lines[0].unit_price"]
    {
        assert!(found.iter().any(|one| one == field), "{field} in {found:?}");
    }
}

#[test]
fn an_amount_is_judged_whatever_its_currency() {
    let read = |money: v1::Money| refused(|found| amount("", &money, eur(), found));
    assert_eq!(read(in_currency("USD", -1, 0)), ["", "currency_code"]);
    assert_eq!(read(in_currency("usd", 1, -1)), ["currency_code", "nanos"]);
    assert_eq!(read(in_currency("none", 1, 1)), ["currency_code"], "how exact it may be is not known");
    let many: Vec<v1::Money> = (0..201).map(|_| in_currency("EUR", -1, 0)).collect();
    let found = refused(|found| amounts("of", &many, 0, found));
    assert!(found.contains(&"of".to_owned()) && found.contains(&"of[199]".to_owned()));
}

#[test]
fn a_discount_of_no_kind_is_judged_in_all_that_every_kind_has() {
    let scope =
        v1::Scope { products: vec!["x".to_owned()], condition: "1 +".to_owned(), ..v1::Scope::default() };
    let given = v1::Discount {
        scope: Some(scope),
        stage: v1::Stage::Tender.into(),
        group: -1,
        priority: i32::MAX,
        margin_floor_ppm: -1,
        minimum_spend: vec![euros(-1, 0)],
        ..v1::Discount::default()
    };
    let expected = [
        "group",
        "kind",
        "margin_floor_ppm",
        "minimum_spend[0]",
        "priority",
        "scope.condition",
        "scope.products[0]",
    ];
    assert_eq!(refused(|found| discount("", &given, found)), expected);
    let kind = v1::discount::Kind::Shipping(v1::ShippingDiscount { benefit: None });
    let shipping = v1::Discount { kind: Some(kind), group: -1, ..v1::Discount::default() };
    assert_eq!(refused(|found| discount("", &shipping, found)), ["group", "shipping.benefit"]);
}

#[test]
fn limits_are_judged_beside_one_that_cannot_be() {
    let limit = v1::ValueLimit { max_uses: Some(0), ..v1::ValueLimit::default() };
    let given = v1::Limits {
        max_uses: Some(0),
        customer_period: 99,
        budgets: vec![euros(0, 0)],
        per_value: vec![limit; 6],
        ..v1::Limits::default()
    };
    let found = refused(|found| limits("", &given, found));
    for field in [
        "max_uses",
        "customer_period",
        "budgets[0]",
        "per_value",
        "per_value[4].max_uses",
        "per_value[4].dimension",
    ] {
        assert!(found.iter().any(|one| one == field), "{field} in {found:?}");
    }
}
