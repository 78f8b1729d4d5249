//! What is paid back, and that it sums to what was paid.

use proptest::prelude::*;
use tandem_kernel::money::Currency;

use super::super::{Code, Discount, Line};
use super::*;

fn now() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().unwrap()
}

fn eur() -> Currency {
    Currency::new("EUR").unwrap()
}

fn line(id: usize, quantity: i64, last: i64, tax_rate_ppm: i32) -> Line {
    Line {
        id: id.to_string(),
        product: "p".to_owned(),
        quantity,
        list: last,
        initial: last,
        last,
        rule: None,
        tax_rate_ppm,
        back: 0,
    }
}

fn card(code: &str, amount: i64) -> Code {
    let discount = Discount {
        segments: Vec::new(),
        source: "incentives/card".to_owned(),
        revision: 1,
        amount,
        shipping: 0,
        shares: Vec::new(),
    };
    Code { code: code.to_owned(), tender: true, discount }
}

/// Prices with tax, unless `due` says what is to be paid beside them.
fn sold(lines: Vec<Line>, shipping: i64, due: Option<i64>, cards: Vec<Code>) -> Sold {
    let total = lines.iter().map(|line| line.last).sum::<i64>() + shipping;
    Sold {
        currency: eur(),
        place: String::new(),
        attributes: Default::default(),
        digest: String::new(),
        issued: now(),
        lapses: now(),
        list: total,
        total,
        shipping,
        lines,
        offers: Vec::new(),
        codes: cards,
        tax_mode: if due.is_some() { TaxMode::Exclusive } else { TaxMode::Inclusive },
        due,
        refunds: Vec::new(),
        explanation: None,
        charges: Vec::new(),
    }
}

fn last(sold: &Sold) -> &Refund {
    sold.refunds.last().unwrap()
}

#[test]
fn of_150_and_60_less_20_percent_the_first_line_brings_back_120() {
    let mut sold = sold(vec![line(0, 1, 12_000, 0), line(1, 1, 4_800, 0)], 0, None, vec![]);
    take_back(&mut sold, &[(0, 1)], Shipping::None, now()).unwrap();
    assert_eq!((last(&sold).total(), last(&sold).money), (12_000, 12_000));
}

#[test]
fn a_refund_is_spread_over_what_each_means_of_payment_has_left() {
    let lines = vec![line(0, 1, 12_000, 0), line(1, 1, 4_800, 0)];
    let mut sold = sold(lines, 0, None, vec![card("CARD", 5_000)]);
    take_back(&mut sold, &[(0, 1)], Shipping::None, now()).unwrap();
    // 50.00 of 168.00 came from the card: 120.00 × 50 / 168.
    assert_eq!((last(&sold).to_card(0), last(&sold).money), (3_571, 8_429));
    cancel(&mut sold, now());
    assert_eq!((last(&sold).to_card(0), last(&sold).money), (1_429, 3_371));
}

#[test]
fn shipping_comes_back_where_it_is_asked_for_and_with_a_cancellation() {
    let order = || sold(vec![line(0, 2, 2_000, 0)], 490, None, vec![]);
    let mut kept = order();
    take_back(&mut kept, &[(0, 2)], Shipping::None, now()).unwrap();
    assert_eq!((last(&kept).total(), is_all_back(&kept)), (2_000, false));
    let ask = |minor| Shipping::Part(Money::new(minor, eur()));
    take_back(&mut kept, &[], ask(200), now()).unwrap();
    assert!(take_back(&mut kept.clone(), &[], ask(291), now()).is_err());
    cancel(&mut kept, now());
    assert_eq!((last(&kept).shipping, is_all_back(&kept)), (290, true));
    let mut whole = order();
    take_back(&mut whole, &[(0, 1)], Shipping::Whole, now()).unwrap();
    assert_eq!((last(&whole).shipping, last(&whole).total()), (490, 1_490));
}

#[test]
fn tax_beside_the_prices_is_shared_out_as_the_lines_state_it() {
    // 100.00 at 19 %, 100.00 at 7 %, shipping 10.00 at their average of 13 %: 27.30 of tax.
    let lines = vec![line(0, 1, 10_000, 190_000), line(1, 1, 10_000, 70_000)];
    let mut sold = sold(lines, 1_000, Some(21_000 + 2_730), vec![]);
    take_back(&mut sold, &[(0, 1)], Shipping::None, now()).unwrap();
    assert_eq!((last(&sold).lines[0].tax, last(&sold).total()), (1_900, 11_900));
    cancel(&mut sold, now());
    assert_eq!((last(&sold).lines[0].tax, last(&sold).shipping_tax), (700, 130));
}

#[test]
fn the_lines_and_cards_that_all_refunds_name_are_bounded() {
    let mut sold = sold(vec![line(0, 1_000_000, 9_000_000, 0)], 0, None, vec![card("CARD", 5_000_000)]);
    for _ in 0..2_500 {
        take_back(&mut sold, &[(0, 1)], Shipping::None, now()).unwrap();
    }
    assert!(take_back(&mut sold, &[(0, 1)], Shipping::None, now()).is_err());
    cancel(&mut sold, now());
    assert_eq!(sold.refunds.iter().map(Refund::total).sum::<i64>(), 9_000_000);
}

prop_compose! {
    fn orders()(
        lines in proptest::collection::vec((1..5_i64, 0..5_000_i64, 0..3_usize), 1..5),
        shipping in prop_oneof![Just(0), 1..1_000_i64],
        beside in proptest::option::of(-50..2_000_i64),
        shares in proptest::collection::vec(0..100_i64, 0..3),
    ) -> Sold {
        let rates = [0, 70_000, 190_000];
        let lines: Vec<Line> =
            lines.into_iter().enumerate().map(|(id, (units, last, rate))| line(id, units, last, rates[rate])).collect();
        let total: i64 = lines.iter().map(|line| line.last).sum::<i64>() + shipping;
        let due = beside.map(|beside| (total + beside).max(0));
        let paid = due.unwrap_or(total);
        let mut left = paid;
        let mut cards = Vec::new();
        for (at, share) in shares.into_iter().enumerate() {
            let amount = (paid * share / 100).min(left);
            left -= amount;
            cards.push(card(&format!("CARD-{at}"), amount));
        }
        sold(lines, shipping, due, cards)
    }
}

proptest! {
    #[test]
    fn any_returns_and_a_cancellation_sum_to_what_was_paid_per_means_of_payment(
        mut sold in orders(),
        steps in proptest::collection::vec((any::<prop::sample::Index>(), 1..3_i64, 0..4_u8), 0..8),
    ) {
        for (index, units, shipping) in steps {
            let at = index.index(sold.lines.len());
            let out = sold.lines[at].quantity - sold.lines[at].back;
            let units: Vec<(usize, i64)> = if out > 0 { vec![(at, units.min(out))] } else { vec![] };
            let shipping = match shipping {
                0 => Shipping::Part(Money::new(7, eur())),
                1 => Shipping::Whole,
                _ => Shipping::None,
            };
            // More of the shipping than is left is refused, and changes nothing.
            let before = sold.clone();
            if take_back(&mut sold, &units, shipping, now()).is_err() {
                prop_assert_eq!(&sold, &before);
            }
        }
        cancel(&mut sold, now());
        let paid = sold.due.unwrap_or(sold.total);
        for (at, code) in sold.codes.iter().enumerate() {
            prop_assert_eq!(sold.refunds.iter().map(|refund| refund.to_card(at)).sum::<i64>(), code.discount.amount);
        }
        let cards: i64 = sold.codes.iter().map(|code| code.discount.amount).sum();
        prop_assert_eq!(sold.refunds.iter().map(|refund| refund.money).sum::<i64>(), paid - cards);
        for refund in &sold.refunds {
            prop_assert_eq!(refund.total(), refund.money + refund.cards.iter().map(|(_, amount)| amount).sum::<i64>());
            prop_assert!(refund.money >= 0 && refund.cards.iter().all(|(_, amount)| *amount > 0));
        }
    }
}
