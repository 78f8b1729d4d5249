//! The lowest price of the 30 days before a reduction.

use super::*;
use crate::pricing::place::Place;

fn reduced_to(id: &str, start: &str, end: &str, price: i64) -> Planned {
    let rule = rule("sale", of_products(&["1"]), PriceChange::Fixed(amounts(price)));
    during(id, start, end, mix(Vec::new(), vec![rule]))
}

fn catalogue(prices: Vec<(String, Vec<ListChange>)>, campaigns: &[Planned]) -> Snapshot {
    let list = prices.last().and_then(|(_, changes)| changes.last()?.price).unwrap_or(0);
    Snapshot::default().with(changes(vec![product("1", list)], prices, campaigns), 1, horizon())
}

fn prior(snapshot: &Snapshot, place: &str, at: Timestamp) -> Option<i64> {
    let ask = Ask { place: place.to_owned(), ..ask(vec![line("a", "1", 1, 10_000)]) };
    price_at(snapshot, &ask, &Incentives::NotAsked, at).prior_prices[0]
}

#[test]
fn list_100_on_day_5_of_a_campaign_at_80_gives_100() {
    let snapshot = catalogue(
        vec![listed("1", "", "2026-01-01T00:00:00Z", Some(10_000))],
        &[reduced_to("c", "2026-06-26T00:00:00Z", "2026-07-10T00:00:00Z", 8_000)],
    );
    assert_eq!(prior(&snapshot, "", now()), Some(10_000));
}

#[test]
fn a_lower_price_of_the_30_days_before_counts_and_an_earlier_one_does_not() {
    let campaigns = |end| {
        [
            reduced_to("earlier", "2026-05-01T00:00:00Z", end, 7_000),
            reduced_to("now", "2026-06-26T00:00:00Z", "2026-07-10T00:00:00Z", 8_000),
        ]
    };
    let listed = || vec![listed("1", "", "2026-01-01T00:00:00Z", Some(10_000))];
    // 30 days before 26 June is 27 May.
    let recent = catalogue(listed(), &campaigns("2026-05-27T00:00:01Z"));
    assert_eq!(prior(&recent, "", now()), Some(7_000));
    let long_ago = catalogue(listed(), &campaigns("2026-05-27T00:00:00Z"));
    assert_eq!(prior(&long_ago, "", now()), Some(10_000));
}

#[test]
fn campaigns_without_a_gap_are_one_reduction() {
    let campaigns = |second_start| {
        [
            reduced_to("first", "2026-06-10T00:00:00Z", "2026-06-20T00:00:00Z", 9_000),
            reduced_to("second", second_start, "2026-07-10T00:00:00Z", 8_000),
        ]
    };
    let listed = || vec![listed("1", "", "2026-01-01T00:00:00Z", Some(10_000))];
    assert_eq!(prior(&catalogue(listed(), &campaigns("2026-06-20T00:00:00Z")), "", now()), Some(10_000));
    // With a day at list price between them the first one's price was the lowest of the 30 days.
    assert_eq!(prior(&catalogue(listed(), &campaigns("2026-06-21T00:00:00Z")), "", now()), Some(9_000));
}

#[test]
fn a_pause_interrupts_the_reduction() {
    let paused = reduced_to("c", "2026-06-20T00:00:00Z", "2026-07-10T00:00:00Z", 8_000)
        .stepped("2026-06-24T00:00:00Z", Step::Paused, PhaseKind::Paused)
        .stepped("2026-06-25T00:00:00Z", Step::Open, PhaseKind::Open);
    let snapshot = catalogue(vec![listed("1", "", "2026-01-01T00:00:00Z", Some(10_000))], &[paused]);
    assert_eq!(prior(&snapshot, "", now()), Some(8_000));
}

#[test]
fn prices_for_segments_are_open_to_nobody_else() {
    let personal =
        reduced_to("vip", "2026-05-01T00:00:00Z", "2026-09-01T00:00:00Z", 5_000).for_segments(&["gold"]);
    let open = reduced_to("c", "2026-06-26T00:00:00Z", "2026-07-10T00:00:00Z", 8_000);
    let snapshot = catalogue(vec![listed("1", "", "2026-01-01T00:00:00Z", Some(10_000))], &[personal, open]);
    assert_eq!(prior(&snapshot, "", now()), Some(10_000));
}

#[test]
fn for_a_member_the_reduction_began_with_his_campaign() {
    let personal =
        reduced_to("vip", "2026-06-20T00:00:00Z", "2026-09-01T00:00:00Z", 5_000).for_segments(&["gold"]);
    let sale = reduced_to("sale", "2026-06-01T00:00:00Z", "2026-06-10T00:00:00Z", 9_000);
    let snapshot = catalogue(vec![listed("1", "", "2026-01-01T00:00:00Z", Some(10_000))], &[personal, sale]);
    let (ask, incentives) = with_codes(ask(vec![line("a", "1", 1, 10_000)]), &[], Vec::new(), &["gold"]);
    assert_eq!(price(&snapshot, &ask, &incentives).prior_prices, [Some(9_000)]);
}

#[test]
fn the_list_price_of_the_place_counts() {
    let mut known = product("1", 10_000);
    known.local = vec![("stores/ulm".into(), eur(), 12_000)];
    let prices = vec![
        listed("1", "", "2026-01-01T00:00:00Z", Some(10_000)),
        listed("1", "stores/ulm", "2026-01-01T00:00:00Z", Some(9_500)),
        listed("1", "stores/ulm", "2026-06-15T00:00:00Z", Some(12_000)),
    ];
    let sale = reduced_to("c", "2026-06-26T00:00:00Z", "2026-07-10T00:00:00Z", 8_000);
    let snapshot = Snapshot::default().with(changes(vec![known], prices, &[sale]), 1, horizon());
    assert_eq!(prior(&snapshot, "", now()), Some(10_000));
    assert_eq!(prior(&snapshot, "stores/ulm", now()), Some(9_500));
    assert_eq!(prior(&snapshot, "stores/other", now()), Some(10_000));
}

#[test]
fn without_a_reduction_or_a_known_product_there_is_none() {
    let sale = reduced_to("c", "2026-06-26T00:00:00Z", "2026-07-10T00:00:00Z", 8_000);
    let snapshot = catalogue(vec![listed("1", "", "2026-01-01T00:00:00Z", Some(10_000))], &[sale]);
    let priced = price(&snapshot, &ask(vec![line("a", "2", 1, 10_000)]), &Incentives::NotAsked);
    assert_eq!(priced.prior_prices, [None]);
    assert_eq!(prior(&snapshot, "", at("2026-07-10T00:00:00Z")), None);
}

#[test]
fn a_product_that_was_new_in_the_campaign_has_none() {
    let sale = reduced_to("c", "2026-06-26T00:00:00Z", "2026-07-10T00:00:00Z", 8_000);
    let snapshot = catalogue(vec![listed("1", "", "2026-06-26T00:00:00Z", Some(10_000))], &[sale]);
    assert_eq!(prior(&snapshot, "", now()), None);
}

#[test]
fn of_list_prices_before_the_horizon_only_the_last_is_kept() {
    let prices = vec![
        listed("1", "", "2025-01-01T00:00:00Z", Some(1)),
        listed("1", "", "2025-06-01T00:00:00Z", Some(2)),
        listed("1", "", "2026-06-01T00:00:00Z", Some(3)),
    ];
    let snapshot = catalogue(prices, &[]);
    let kept: Vec<_> = snapshot.product("1").unwrap().history.iter().map(|change| change.price).collect();
    assert_eq!(kept, [Some(2), Some(3)]);
    let more = changes(Vec::new(), vec![listed("1", "", "2026-06-01T00:00:00Z", Some(4))], &[]);
    let snapshot = snapshot.with(more, 2, horizon());
    let kept: Vec<_> = snapshot.product("1").unwrap().history.iter().map(|change| change.price).collect();
    assert_eq!(kept, [Some(2), Some(4)]);
}

#[test]
fn a_thousand_rules_over_a_product_are_one_course() {
    let start = at("2026-03-01T00:00:00Z");
    let campaigns: Vec<Planned> = (0..1_000)
        .map(|index: i64| {
            let from = start + SignedDuration::from_hours(index);
            let until = from + SignedDuration::from_hours(24 * 30);
            reduced_to(&format!("c{index}"), &from.to_string(), &until.to_string(), 9_000 - index)
        })
        .collect();
    let snapshot = catalogue(vec![listed("1", "", "2026-01-01T00:00:00Z", Some(10_000))], &campaigns);
    let known = snapshot.product("1").unwrap();
    let prior = |text: &str| snapshot.prior_price(known, Place::default(), eur(), at(text), None);
    // The last of them ends on 11 May at 15:00; the whole of it was one reduction.
    assert_eq!(prior("2026-05-11T00:00:00Z"), Some(10_000));
    assert_eq!(prior("2026-05-20T00:00:00Z"), Some(8_001));
}
