use proptest::prelude::*;

use super::*;

fn line(id: &str, product: &str, quantity: i64, unit_price: i64) -> Line {
    Line {
        id: id.to_owned(),
        product: product.to_owned(),
        quantity,
        unit_price,
        unit_cost: None,
        tax_rate_ppm: 0,
        categories: vec![],
        attributes: BTreeMap::new(),
    }
}

fn basket(lines: Vec<Line>) -> Basket {
    Basket {
        currency: Currency::new("EUR").unwrap(),
        lines,
        tax_mode: TaxMode::Inclusive,
        shipping: 0,
        amount_due: None,
        attributes: BTreeMap::new(),
    }
}

fn fields(basket: &Basket) -> Vec<String> {
    basket.problems().into_iter().map(|problem| problem.field).collect()
}

#[test]
fn lines_equal_in_everything_but_id_and_quantity_are_one() {
    let red =
        |id: &str| Line { attributes: BTreeMap::from([("c".into(), "red".into())]), ..line(id, "b", 1, 5) };
    let costly = Line { unit_cost: Some(3), ..line("6", "b", 1, 5) };
    let basket = basket(vec![
        line("1", "b", 2, 5),
        line("2", "a", 1, 5),
        line("3", "b", 3, 5),
        line("4", "b", 1, 6),
        red("5"),
        costly,
    ]);
    let merged = merged(&basket);
    let lines: Vec<(&str, i64, i64)> =
        merged.lines.iter().map(|line| (line.product, line.unit_price, line.quantity)).collect();
    assert_eq!(lines, [("a", 5, 1), ("b", 5, 5), ("b", 5, 1), ("b", 5, 1), ("b", 6, 1)]);
    assert_eq!(merged.lines[1].members, [(0, 2), (2, 3)]);
    assert_eq!(merged.caller_lines(), 6);
}

#[test]
fn results_spread_back_by_quantity_ties_to_the_callers_earlier_line() {
    let basket = basket(vec![
        line("1", "b", 1, 100),
        line("2", "a", 1, 100),
        line("3", "b", 1, 100),
        line("4", "b", 1, 100),
    ]);
    assert_eq!(merged(&basket).spread(&[7, 100]), [34, 7, 33, 33]);
}

proptest! {
    #[test]
    fn a_spread_keeps_every_sum_and_never_passes_a_lines_price(
        quantities in proptest::collection::vec((0..3_u8, 1..50_i64), 1..30),
        share in 0..=1_000_i64,
    ) {
        let lines = quantities.iter().enumerate();
        let lines = lines.map(|(index, (product, quantity))| line(&index.to_string(), &product.to_string(), *quantity, 7));
        let basket = basket(lines.collect());
        let merged = merged(&basket);
        let amounts: Vec<i64> = merged.lines.iter().map(|line| line.quantity * 7 * share / 1_000).collect();
        let spread = merged.spread(&amounts);
        prop_assert_eq!(spread.iter().sum::<i64>(), amounts.iter().sum::<i64>());
        prop_assert!(basket.lines.iter().zip(&spread).all(|(line, part)| *part <= line.quantity * 7));
    }
}

#[test]
fn the_digest_knows_everything_but_the_order_of_lines() {
    let first = basket(vec![line("1", "a", 2, 5), line("2", "b", 1, 7)]);
    let turned = basket(vec![line("2", "b", 1, 7), line("1", "a", 2, 5)]);
    assert_eq!(digest(&first), digest(&turned));
    let change = |change: fn(&mut Basket)| {
        let mut other = first.clone();
        change(&mut other);
        digest(&other)
    };
    let others = [
        change(|basket| basket.currency = Currency::new("USD").unwrap()),
        change(|basket| basket.tax_mode = TaxMode::Exclusive),
        change(|basket| basket.shipping = 1),
        change(|basket| basket.amount_due = Some(0)),
        change(|basket| drop(basket.attributes.insert("a".into(), String::new()))),
        change(|basket| basket.lines[0].id = "3".into()),
        change(|basket| basket.lines[0].product = "c".into()),
        change(|basket| basket.lines[0].quantity = 3),
        change(|basket| basket.lines[0].unit_price = 6),
        change(|basket| basket.lines[0].unit_cost = Some(0)),
        change(|basket| basket.lines[0].tax_rate_ppm = 1),
        change(|basket| basket.lines[0].categories.push("c".into())),
        change(|basket| drop(basket.lines[0].attributes.insert("a".into(), "b".into()))),
        digest(&first),
    ];
    let distinct: std::collections::BTreeSet<[u8; 32]> = others.into_iter().collect();
    assert_eq!(distinct.len(), 14);
}

#[test]
fn every_violation_of_a_basket_is_told_at_once() {
    let wrong = Line {
        unit_cost: Some(-1),
        tax_rate_ppm: 1_000_001,
        categories: vec![String::new()],
        attributes: BTreeMap::from([("k".to_owned(), "v".repeat(257))]),
        ..line("1", "", 0, -1)
    };
    let basket = Basket {
        shipping: -1,
        amount_due: Some(MAX_AMOUNT_MINOR + 1),
        attributes: (0..33).map(|index| (index.to_string(), String::new())).collect(),
        ..basket(vec![line("1", "a", 1, 1), wrong, line("", "a", MAX_QUANTITY + 1, 1)])
    };
    let expected = [
        "lines[1].id",
        "lines[1].product",
        "lines[1].quantity",
        "lines[1].tax_rate_ppm",
        "lines[1].categories[0]",
        "lines[1].unit_price",
        "lines[1].unit_cost",
        "lines[1].attributes",
        "lines[2].id",
        "lines[2].quantity",
        "shipping",
        "amount_due",
        "attributes",
    ];
    assert_eq!(fields(&basket), expected);
}

#[test]
fn a_basket_holds_1_to_500_lines() {
    let lines = |count: usize| (0..count).map(|index| line(&index.to_string(), "a", 1, 1)).collect();
    assert_eq!(fields(&basket(vec![])), ["lines"]);
    assert_eq!(fields(&basket(lines(500))), Vec::<String>::new());
    assert_eq!(fields(&basket(lines(501))), ["lines"]);
}

#[test]
fn amounts_that_overflow_a_line_or_the_basket_are_refused() {
    assert_eq!(fields(&basket(vec![line("1", "a", 2, MAX_AMOUNT_MINOR)])), ["lines[0].unit_price"]);
    assert_eq!(fields(&basket(vec![line("1", "a", 1, i64::MAX)])), ["lines[0].unit_price"]);
    let halves = vec![line("1", "a", 1, MAX_AMOUNT_MINOR), line("2", "b", 1, 1)];
    assert_eq!(fields(&basket(halves)), ["lines"]);
}
