//! A rule in SQL answers as the rule does: random rules over random people, on both engines.

mod rules;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use tandem_kernel::money::{Currency, Money};
use tandem_kernel::period::Date;
use tandem_kernel::rule::Reading;
use tandem_platform::{testing, transact};

use super::super::asked::Needed;
use super::super::commands::search::{self, Ruled, Wanted};
use super::super::known::Known;
use super::super::{Moment, compile, facts, store};
use crate::MIGRATIONS;
use crate::attribute::Declared;
use crate::customer::store::CUSTOMERS;
use crate::customer::{Customer, Profile};
use crate::interaction::{self, Details, Interaction, Kind};
use crate::relationship::Who;
use crate::testing::Harness;
use rules::{Numbers, TEXTS};

/// Rules that are tried on each engine.
const RULES: usize = 700;
/// People that each is tried on.
const PEOPLE: usize = 60;

fn declared() -> Declared {
    let declared = [
        ("size", Reading::Number),
        ("club", Reading::Truth),
        ("joined", Reading::Date),
        ("likes", Reading::Texts),
    ];
    Declared(declared.map(|(key, reading)| (key.to_owned(), reading)).into())
}

/// What is kept under the declared keys, some of which nobody could write any more.
const KEPT: [&str; 18] = [
    "42",
    "42.5",
    "-0",
    "007",
    "0.1",
    "123456789012345",
    "1234567890123456",
    "tall",
    "",
    "true",
    "false",
    "TRUE",
    "2031-05-01",
    "2031-02-30",
    "jazz\nrock",
    "a\n\nb",
    "jazz",
    ".5",
];

fn person(numbers: &mut Numbers, at: usize) -> Customer {
    let mut text = || TEXTS[numbers.of(TEXTS.len())].to_owned();
    let profile = Profile {
        display_name: text(),
        email: text(),
        phone: text(),
        locale: text(),
        time_zone: ["", "Europe/Vienna", "Pacific/Kiritimati", "America/Los_Angeles"][numbers.of(4)]
            .to_owned(),
        country: ["AT", "DE", "", "CH"][numbers.of(4)].to_owned(),
        ..Profile::default()
    };
    let mut attributes = BTreeMap::new();
    for key in
        ["size", "club", "joined", "likes", "note", "ключ", "a b", "q\"uote", "back\\slash", "$.x", "[0]"]
    {
        match numbers.of(3) {
            0 => {}
            1 => drop(attributes.insert(key.to_owned(), KEPT[numbers.of(KEPT.len())].to_owned())),
            _ => drop(attributes.insert(key.to_owned(), TEXTS[numbers.of(TEXTS.len())].to_owned())),
        }
    }
    let tags = (0..numbers.of(4)).map(|_| TEXTS[numbers.of(TEXTS.len())].to_owned()).collect();
    let birthday = match numbers.of(4) {
        0 => None,
        1 => Date::new(Some(1_980), 2, 29).ok(),
        2 => Date::new(None, 7, 1).ok(),
        _ => Date::new(Some(2_001), 12, 31).ok(),
    };
    let instants = [
        "1969-12-31T23:59:59.5Z",
        "2026-07-01T12:00:00Z",
        "2026-06-30T12:00:00.000001Z",
        "2027-01-01T00:00:00Z",
    ];
    let since = (numbers.of(2) == 1).then(|| instants[numbers.of(4)].parse().unwrap());
    let created: Timestamp = instants[numbers.of(4)].parse().unwrap();
    let profile = Profile { birthday, attributes, tags, since, ..profile };
    Customer { id: format!("c{at}"), version: 1, profile, created, updated: created }
}

async fn settle(harness: &Harness, people: &[Customer], runner: &mut TestRunner) {
    let tenant = &harness.call.tenant;
    transact!(harness.app.db, |tx| { CUSTOMERS.insert(people, None)?.run(tx, tenant).await }).unwrap();
    let mut numbers = drawn(runner, people.len() * 40);
    let done = people.iter().flat_map(|one| did(&mut numbers, &one.id)).collect();
    for outcome in interaction::commands::record(&harness.app, &harness.call, done).await.unwrap() {
        outcome.unwrap();
    }
}

/// What somebody did: orders in two currencies, some of which came back, and other things.
fn did(numbers: &mut Numbers, id: &str) -> Vec<Interaction> {
    let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
    let ago = [0, 1, 6, 29, 30, 31, 89, 100, 181, 364, 366, 500];
    let kinds = [Kind::Order, Kind::Order, Kind::Return, Kind::Visit, Kind::Review, Kind::Support];
    let one = |place: usize| {
        let kind = kinds[numbers.of(kinds.len())];
        let hours = ago[numbers.of(ago.len())] * 24 + [0, 1, 23][numbers.of(3)];
        let code = ["EUR", "EUR", "JPY"][numbers.of(3)];
        let money = || Money::new([100, 4_999, 5_000][place % 3], Currency::new(code).unwrap());
        let is_trade = matches!(kind, Kind::Order | Kind::Return);
        // Some returns are of an order that is there.
        let order = if kind == Kind::Order { place } else { place.saturating_sub(1) };
        Interaction {
            event_id: format!("{id}-{place}"),
            kind,
            at: now - SignedDuration::from_hours(hours),
            who: Who::Customer(id.to_owned()),
            amount: is_trade.then(money),
            order: is_trade.then(|| format!("{id}-o{order}")),
            rating: (kind == Kind::Review).then(|| [0, 500_000, 1_000_000][numbers.of(3)]),
            details: Details::default(),
            hash: [u8::try_from(place).unwrap(); 32],
        }
    };
    (0..7).map(one).collect()
}

fn moment(harness: &Harness) -> Moment {
    Moment { now: harness.app.clock.now(), ..Moment::any() }
}

/// Ids of those of whom a rule is looked for, and what was left to Rust.
async fn found(harness: &Harness, text: &str) -> Result<(Vec<String>, usize), String> {
    let rule = compile(text, &declared()).map_err(|error| error.to_string())?;
    let kept = rule.plan(&store::sources::stored).kept.len();
    let wanted = Ruled::new(&harness.app, &harness.call, rule).await.map_err(|fault| format!("{fault:?}"))?;
    let wanted = Wanted::Ruled(wanted);
    let counted =
        search::count(&harness.app, &harness.call, &wanted).await.map_err(|fault| format!("{fault:?}"))?;
    let (mut ids, mut after) = (Vec::new(), Some(String::new()));
    while let Some(from) = after {
        let (some, next) = search::members(&harness.app, &harness.call, &wanted, &from)
            .await
            .map_err(|fault| format!("{fault:?}"))?;
        ids.extend(some);
        after = next;
    }
    assert_eq!((counted.members as usize, counted.customers as usize), (ids.len(), PEOPLE), "{text}");
    Ok((ids, kept))
}

async fn judged(harness: &Harness, people: &[Customer], text: &str) -> Option<Vec<String>> {
    let rule = compile(text, &declared()).ok()?;
    let (needed, at) = (Needed::by(&rule), moment(harness));
    let mut reader = harness.app.db.read().await.unwrap();
    let ids = people.iter().map(|one| one.id.clone()).collect();
    let known = Known::of(&mut reader, &harness.call.tenant, &needed, ids, at.now).await.unwrap();
    let is_in = |one: &&Customer| rule.matches(&facts(one, &known, &needed, &at));
    let mut ids: Vec<String> = people.iter().filter(is_in).map(|one| one.id.clone()).collect();
    ids.sort();
    Some(ids)
}

fn drawn(runner: &mut TestRunner, length: usize) -> Numbers {
    let numbers = proptest::collection::vec(proptest::num::u32::ANY, length..=length);
    Numbers::new(numbers.new_tree(runner).unwrap().current())
}

#[tokio::test]
async fn a_rule_in_sql_is_the_rule_in_rust() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut runner = TestRunner::deterministic();
        let people: Vec<Customer> = (0..PEOPLE).map(|at| person(&mut drawn(&mut runner, 80), at)).collect();
        settle(&harness, &people, &mut runner).await;
        let (mut said, mut kept, mut wrong, mut mixed) = (0, 0, Vec::new(), 0);
        for _ in 0..RULES {
            let text = rules::rule(&mut drawn(&mut runner, 60));
            let Some(wanted) = judged(&harness, &people, &text).await else { continue };
            mixed += usize::from(!wanted.is_empty() && wanted.len() < PEOPLE);
            match found(&harness, &text).await {
                Ok((ids, left)) => {
                    if ids != wanted {
                        wrong.push(format!("{text}\n   SQL:  {ids:?}\n   Rust: {wanted:?}"));
                    }
                    *(if left == 0 { &mut said } else { &mut kept }) += 1;
                }
                Err(error) => wrong.push(format!("{text}\n   {error}")),
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {RULES} differ:\n{}",
            wrong.len(),
            wrong[..wrong.len().min(12)].join("\n")
        );
        assert!(
            said > RULES / 3 && kept > RULES / 20 && mixed > RULES / 5,
            "{said} said, {kept} kept, {mixed} mixed"
        );
    })
    .await;
}

#[tokio::test]
async fn whatever_can_be_said_is_said_alike() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut runner = TestRunner::deterministic();
        let people: Vec<Customer> = (0..PEOPLE).map(|at| person(&mut drawn(&mut runner, 80), at)).collect();
        settle(&harness, &people, &mut runner).await;
        for text in rules::EACH {
            let wanted = judged(&harness, &people, text).await.expect(text);
            let (ids, left) = found(&harness, text).await.expect(text);
            assert_eq!(ids, wanted, "{text}");
            assert_eq!(left, 0, "{text}");
        }
        for (text, why) in rules::KEPT {
            let rule = compile(text, &declared()).expect(text);
            let plan = rule.plan(&store::sources::stored);
            assert_eq!(plan.kept.len(), 1, "{text}");
            assert!(plan.kept[0].why.contains(why), "{text}: {}", plan.kept[0].why);
            let (ids, _) = found(&harness, text).await.expect(text);
            assert_eq!(Some(ids), judged(&harness, &people, text).await, "{text}");
        }
    })
    .await;
}
