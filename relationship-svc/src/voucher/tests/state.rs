//! States.

use jiff::Timestamp;
use tandem_kernel::money::Currency;

use crate::voucher::{Balance, Frame, State, Timeliness, Usage, Voucher};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn voucher() -> Voucher {
    Voucher::new("SPRING".into(), "spring".into(), at("2026-01-01T00:00:00Z"))
}

#[test]
fn the_state_derives_from_dates_and_counters() {
    let (now, later) = (at("2026-07-01T12:00:00Z"), at("2026-08-01T00:00:00Z"));
    let open = Frame::default();
    assert_eq!(voucher().state(&open, now), State::Active);
    let early = Voucher { starts: Some(later), ..voucher() };
    assert_eq!(early.state(&open, now), State::Generated);
    let given = Voucher { customer: Some("7".into()), ..early };
    assert_eq!(given.state(&open, now), State::Assigned);
    assert_eq!(given.state(&open, later), State::Active);
    let assigned_only = Frame { assigned_only: true, ..open };
    assert_eq!(voucher().state(&assigned_only, now), State::Generated);
    let used = Voucher { usage: Usage { uses: 1, ..Usage::default() }, ..voucher() };
    assert_eq!(used.state(&open, now), State::Exhausted);
    let ended = Frame { ends: Some(now), ..open };
    assert_eq!(voucher().state(&ended, now), State::Expired);
    assert_eq!(voucher().state(&Frame { archived: true, ..open }, now), State::Disabled);
    let disabled = Voucher { usage: Usage { disabled: true, ..Usage::default() }, ..voucher() };
    assert_eq!(disabled.state(&ended, now), State::Disabled);
}

#[test]
fn an_end_is_exclusive_a_start_inclusive_and_the_earlier_end_counts() {
    let (start, end) = (at("2026-07-01T00:00:00Z"), at("2026-07-02T00:00:00Z"));
    let voucher = Voucher { starts: Some(start), ends: Some(end), ..voucher() };
    let frame = Frame { ends: Some(at("2026-07-03T00:00:00Z")), ..Frame::default() };
    let micro = jiff::SignedDuration::from_micros(1);
    assert_eq!(voucher.timeliness(&frame, start - micro), Timeliness::Early);
    assert_eq!(voucher.timeliness(&frame, start), Timeliness::Valid);
    assert_eq!(voucher.timeliness(&frame, end - micro), Timeliness::Valid);
    assert_eq!(voucher.timeliness(&frame, end), Timeliness::Late);
}

#[test]
fn a_use_that_came_back_late_keeps_its_code_valid_a_while_longer() {
    let (end, until) = (at("2026-07-02T00:00:00Z"), at("2026-07-20T00:00:00Z"));
    let usage = Usage { restored_until: Some(until), ..Usage::default() };
    let voucher = Voucher { ends: Some(end), usage, ..voucher() };
    assert_eq!(voucher.timeliness(&Frame::default(), end), Timeliness::Valid);
    assert_eq!(voucher.timeliness(&Frame::default(), until), Timeliness::Late);
}

#[test]
fn what_is_held_is_not_left() {
    let currency = Currency::new("EUR").unwrap();
    let usage = Usage { uses: 1, uses_held: 1, spent: 300, spent_held: 200, ..Usage::default() };
    let balance = Some(Balance::new(1_000, currency));
    let voucher = Voucher { max_uses: Some(3), balance, usage, ..voucher() };
    assert_eq!((voucher.uses_left(), voucher.balance_left()), (Some(1), Some(500)));
}
