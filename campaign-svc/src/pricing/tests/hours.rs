//! Conditions of time: of offers and of price rules, read in the zone of their campaign.

use tandem_kernel::period::Zone;

use super::*;

fn in_zone(mut planned: Planned, zone: &str) -> Planned {
    planned.0.definition.zone = Zone::new(zone).unwrap();
    planned
}

/// 20.00 rather than 100.00 while `condition` is true.
fn happy(condition: &str) -> Mix {
    let rule = rule("happy", of_products(&["1"]), PriceChange::Fixed(amounts(2_000)));
    mix(Vec::new(), vec![PriceRule { condition: condition.to_owned(), ..rule }])
}

fn catalogue(planned: Planned) -> Snapshot {
    let listed = vec![listed("1", "", "2026-01-01T00:00:00Z", Some(10_000))];
    Snapshot::default().with(changes(vec![product("1", 10_000)], listed, &[planned]), 1, horizon())
}

fn priced_at(snapshot: &Snapshot, moment: &str) -> (i64, Option<i64>) {
    let priced = price_at(snapshot, &ask(vec![line("a", "1", 1, 10_000)]), &Incentives::NotAsked, at(moment));
    (priced.evaluation.total, priced.prior_prices[0])
}

#[test]
fn a_price_rule_holds_in_its_hours_of_its_campaigns_zone() {
    let snapshot =
        catalogue(in_zone(planned("c", happy("now.hour >= 17 && now.hour < 19")), "Europe/Vienna"));
    // Summer time: two hours before UTC.
    for (moment, total) in [
        ("2026-07-01T14:59:59Z", 10_000),
        ("2026-07-01T15:00:00Z", 2_000),
        ("2026-07-01T16:59:59Z", 2_000),
        ("2026-07-01T17:00:00Z", 10_000),
    ] {
        assert_eq!(priced_at(&snapshot, moment).0, total, "{moment}");
    }
}

#[test]
fn the_hours_of_a_price_that_is_open_to_everyone_count_in_the_30_day_price() {
    let window = |condition| during("c", "2026-06-20T00:00:00Z", "2026-08-01T00:00:00Z", happy(condition));
    let daily = catalogue(window("now.hour == 12"));
    assert_eq!(priced_at(&daily, "2026-06-20T12:30:00Z"), (2_000, Some(10_000)), "the first hour");
    assert_eq!(
        priced_at(&daily, "2026-06-21T12:30:00Z"),
        (2_000, Some(2_000)),
        "there was one the day before"
    );
    let monthly = catalogue(window("now.day == 1"));
    assert_eq!(priced_at(&monthly, "2026-07-01T12:30:00Z"), (2_000, Some(10_000)));
    // To the hour: the reduction began with the hour of its first minute.
    let minutes = catalogue(window("now.hour == 12 && now.minute >= 30"));
    assert_eq!(priced_at(&minutes, "2026-06-20T12:29:00Z"), (10_000, None));
    assert_eq!(priced_at(&minutes, "2026-06-20T12:30:00Z"), (2_000, Some(10_000)));
    let weekly = catalogue(in_zone(window("now.weekday == 3 && now.hour < 1"), "Asia/Kathmandu"));
    // Wednesday begins at 18:15 UTC there.
    assert_eq!(priced_at(&weekly, "2026-06-30T18:14:59Z"), (10_000, None));
    assert_eq!(
        priced_at(&weekly, "2026-06-30T18:15:00Z"),
        (2_000, Some(2_000)),
        "there was one the week before"
    );
}

#[test]
fn every_offer_reads_the_time_in_the_zone_of_its_campaign_and_a_code_in_the_tenants() {
    let noon = |id: &str| Offer { condition: "now.hour == 12".to_owned(), ..offer(id, percent(100_000)) };
    let of = |id: &str, zone| in_zone(planned(id, mix(vec![noon("noon")], Vec::new())), zone);
    let snapshot = snapshot(
        vec![product("1", 10_000)],
        &[of("a", "UTC"), of("b", "Europe/Vienna"), of("c", "UTC"), of("d", "America/New_York")],
    );
    let condition = tandem_kernel::rule::Rule::compile("now.hour == 12", &crate::campaign::mix::VOCABULARY);
    let mut given = code("CODE", "code", percent(100_000));
    let compiled = Compiled::new(percent(100_000)).unwrap();
    given.terms = Ok(Arc::new(Terms { compiled, condition: Some(condition.unwrap()) }));
    let asked = ask(vec![line("a", "1", 1, 10_000)]);
    let (asked, incentives) = with_codes(asked, &["CODE"], vec![given], &[]);
    let holds = |moment: &str| -> Vec<bool> {
        let priced = price_at(&snapshot, &asked, &incentives, at(moment));
        priced.verdicts.iter().map(|verdict| verdict.decided.is_ok()).collect()
    };
    assert_eq!(holds("2026-07-01T12:30:00Z"), [true, true, false, true, false]);
    assert_eq!(holds("2026-07-01T10:30:00Z"), [false, false, true, false, false]);
    assert_eq!(holds("2026-07-01T16:30:00Z"), [false, false, false, false, true]);
}
