//! A second, naive program reads everything sorted, and must come to the same: in any order, twice, late, by batch and stream,
//! through two processes, with a guest who is claimed in between.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tandem_kernel::money::{Currency, Money};
use tandem_platform::{Tenant, testing, transact};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::{
    ClaimGuestRequest, Interaction, InteractionType, ListInteractionsRequest, Rating, Stage,
    StreamInteractionsRequest,
};

use super::{
    GUEST, ago, another, by_guest, client, euros, ids, of, order, page, people, recorded, relationship,
};
use crate::MIGRATIONS;
use crate::interaction::commands::{self, What};
use crate::interaction::order::Told;
use crate::relationship::{StageRules, Who};
use crate::testing::Harness;

const PEOPLE: [&str; 2] = ["ada", "eve"];
const ORDERS: i64 = 30;

/// One thing that comes.
#[derive(Debug, Clone)]
enum Act {
    Sent(Box<Interaction>),
    Told(Told),
}

/// Who an order belongs to: one of the customers, or the guest whom the first of them claims.
fn owner(order: i64) -> Option<&'static str> {
    [Some("ada"), Some("eve"), None][usize::try_from(order % 3).unwrap()]
}

fn whose(one: Interaction, owner: Option<&str>) -> Interaction {
    match owner {
        Some(id) => Interaction { customer: format!("customers/{id}"), ..one },
        None => by_guest(one),
    }
}

fn hours_ago(hours: i64) -> Timestamp {
    ago(0) - SignedDuration::from_hours(hours)
}

/// What happened: visits, reviews, orders sent by hand, told by campaign-svc, or both, with returns and cancellations.
fn history(random: &mut StdRng) -> Vec<Act> {
    let mut acts = Vec::new();
    for n in 0..60_i64 {
        let kind = [
            InteractionType::Visit,
            InteractionType::Review,
            InteractionType::MessageOpen,
            InteractionType::Reply,
        ][random.random_range(0..4)];
        let rating = Rating { value: random.random_range(1..=5), lowest: 1, highest: 5 };
        let one = whose(of(&format!("e{n}"), kind, hours_ago(random.random_range(1..9_000))), owner(n));
        let rating = Some(rating).filter(|_| kind == InteractionType::Review);
        acts.push(Act::Sent(Box::new(Interaction { rating, ..one })));
    }
    for n in 0..ORDERS {
        let (id, placed) = (format!("o-{n}"), hours_ago(random.random_range(1..18_000)));
        let minor = random.random_range(100..10_000_i64);
        if random.random_bool(0.7) {
            acts.push(Act::Sent(Box::new(whose(order(&id, placed, minor), owner(n)))));
        }
        if random.random_bool(0.5) {
            told(random, &mut acts, n, placed);
        }
        if random.random_bool(0.4) {
            let back =
                of(&format!("b{n}"), InteractionType::Return, hours_ago(random.random_range(1..9_000)));
            let back = Interaction { order_id: id, amount: Some(euros(minor / 3)), ..back };
            acts.push(Act::Sent(Box::new(whose(back, owner(n)))));
        }
    }
    acts
}

/// What campaign-svc tells of one order: its commit, perhaps a return, perhaps its end.
fn told(random: &mut StdRng, acts: &mut Vec<Act>, n: i64, placed: Timestamp) {
    let euro = |minor| Money::new(minor, Currency::new("EUR").unwrap());
    let who = owner(n).map_or(Who::Guest(GUEST.to_owned()), |id| Who::Customer(id.to_owned()));
    let first = Told {
        order: format!("o-{n}"),
        version: 1,
        who,
        // Not to the hour: campaign-svc has a clock of its own.
        placed: placed + SignedDuration::from_secs(7),
        amount: euro(random.random_range(100..10_000)),
        returned: 0,
        cancelled: false,
        place: String::new(),
        back: None,
    };
    acts.push(Act::Told(first.clone()));
    let mut last = first;
    if random.random_bool(0.5) {
        let back = Some((hours_ago(random.random_range(1..9_000)), euro(50)));
        last = Told { version: 2, returned: 50, back, ..last };
        acts.push(Act::Told(last.clone()));
    }
    if random.random_bool(0.3) {
        acts.push(Act::Told(Told { version: last.version + 1, cancelled: true, back: None, ..last }));
    }
}

/// Every act once or twice, in any order.
fn deliveries(random: &mut StdRng, acts: &[Act]) -> Vec<Act> {
    let twice = acts.iter().filter(|_| random.random_bool(0.3)).cloned().collect::<Vec<_>>();
    let mut all = [acts, &twice].concat();
    all.shuffle(random);
    all
}

async fn deliver(random: &mut StdRng, harness: &Harness, acts: &[Act]) {
    let mut sent = Vec::new();
    let mut told = Vec::new();
    for act in acts {
        match act {
            Act::Sent(one) => sent.push((**one).clone()),
            Act::Told(one) => told.push(What::Told(one.clone())),
        }
    }
    let (tenant, now) = (Tenant::default(), harness.app.clock.now());
    transact!(harness.app.db, |tx| {
        commands::take(&harness.app, tx, &tenant, &[&told], &StageRules::default(), now).await
    })
    .unwrap();
    if random.random_bool(0.5) {
        recorded(harness, sent).await;
    } else {
        let messages: Vec<_> =
            sent.chunks(3).map(|some| StreamInteractionsRequest { interactions: some.to_vec() }).collect();
        let stream = client(harness).stream_interactions(futures::stream::iter(messages)).await.unwrap();
        let mut stream = stream.into_inner();
        while let Some(answer) = futures::StreamExt::next(&mut stream).await {
            assert!(answer.unwrap().failures.is_empty());
        }
    }
}

async fn claim(harness: &Harness) {
    let request = ClaimGuestRequest {
        customer: "customers/ada".to_owned(),
        guest_key: GUEST.to_owned(),
        request_id: String::new(),
    };
    client(harness).claim_guest(request).await.unwrap();
}

/// What the second program finds of one customer.
#[derive(Debug, Default, PartialEq)]
struct Found {
    orders: i64,
    spent: i64,
    first: Option<prost_types::Timestamp>,
    last: Option<prost_types::Timestamp>,
    seen: Option<prost_types::Timestamp>,
    ratings: (i64, i64),
    stage: i32,
    timeline: Vec<String>,
}

fn is(customer: &str, owner: &str) -> bool {
    owner == format!("customers/{customer}") || (owner.is_empty() && customer == "ada")
}

fn owned(told: &Told) -> String {
    told.who.customer()
}

/// Reads what happened to one customer in the order in which it happened.
fn naive(acts: &[Act], customer: &str) -> Found {
    let mut orders: BTreeMap<&str, (Timestamp, i64, i64)> = BTreeMap::new();
    let mut told_of: BTreeMap<&str, &Told> = BTreeMap::new();
    let (mut seen, mut timeline) = (BTreeSet::new(), BTreeSet::new());
    let mut ratings = (0, 0);
    let moment = |one: &Interaction| {
        let at = one.event_time.unwrap();
        Timestamp::new(at.seconds, at.nanos).unwrap()
    };
    let minor = |one: &Interaction| {
        one.amount.as_ref().map_or(0, |money| money.units * 100 + i64::from(money.nanos) / 10_000_000)
    };
    for act in acts {
        match act {
            Act::Told(told) if is(customer, &owned(told)) => {
                seen.insert(told.placed);
                if let Some((at, _)) = told.back {
                    seen.insert(at);
                    timeline.insert((at, 0, format!("return {} {}", told.version, told.order)));
                }
                let known = told_of.entry(&told.order).or_insert(told);
                if told.version > known.version {
                    *known = told;
                }
            }
            Act::Sent(one) if is(customer, &one.customer) => {
                if one.r#type() != InteractionType::MessageOpen {
                    seen.insert(moment(one));
                }
                if one.r#type() == InteractionType::Order {
                    orders.insert(&one.order_id, (moment(one), minor(one), 0));
                } else {
                    timeline.insert((moment(one), 0, one.event_id.clone()));
                }
                if let Some(rating) = one.rating {
                    ratings = (ratings.0 + 1, ratings.1 + i64::from(rating.value - 1) * 250_000);
                }
            }
            _ => {}
        }
    }
    for act in acts {
        if let Act::Sent(one) = act
            && one.r#type() == InteractionType::Return
            && let Some(order) = orders.get_mut(one.order_id.as_str())
        {
            order.2 += minor(one);
        }
    }
    for (id, told) in &told_of {
        orders.insert(id, (told.placed, told.amount.minor, told.returned));
    }
    timeline.extend(orders.iter().map(|(id, (at, ..))| (*at, 1, (*id).to_owned())));
    orders.retain(|id, _| told_of.get(id).is_none_or(|told| !told.cancelled));
    let mut dates: Vec<Timestamp> = orders.values().map(|(at, ..)| *at).collect();
    dates.sort_unstable();
    Found {
        orders: i64::try_from(dates.len()).unwrap(),
        spent: orders.values().map(|(_, amount, back)| amount - back).sum(),
        first: dates.first().map(|at| to_timestamp(*at)),
        last: dates.last().map(|at| to_timestamp(*at)),
        seen: seen.last().map(|at| to_timestamp(*at)),
        ratings,
        stage: stage(&dates).into(),
        timeline: timeline.into_iter().rev().map(|(.., id)| id).collect(),
    }
}

/// The stage now, by the words of the contract.
fn stage(dates: &[Timestamp]) -> Stage {
    let old = |at: &Timestamp, days: i64| ago(0).duration_since(*at) >= SignedDuration::from_hours(days * 24);
    let Some(last) = dates.last() else { return Stage::Prospect };
    let silence = SignedDuration::from_hours(180 * 24);
    let won_back =
        dates.windows(2).any(|pair| pair[1].duration_since(pair[0]) >= silence && !old(&pair[1], 90));
    match () {
        () if old(last, 180) => Stage::Lapsed,
        () if old(last, 90) => Stage::AtRisk,
        () if won_back => Stage::WonBack,
        () if dates.iter().filter(|at| !old(at, 365)).count() >= 3 => Stage::Loyal,
        () if dates.len() == 1 => Stage::FirstPurchase,
        () => Stage::Active,
    }
}

/// What the service says of one customer.
async fn found(harness: &Harness, customer: &str) -> Found {
    let name = format!("customers/{customer}");
    let known = relationship(harness, &name).await;
    let (mut timeline, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListInteractionsRequest {
            customer: name.clone(),
            page_size: 7,
            page_token,
            ..ListInteractionsRequest::default()
        };
        let (entries, next) = page(harness, request).await;
        timeline.extend(ids(&entries));
        page_token = next;
        if page_token.is_empty() {
            break;
        }
    }
    let rated = known.satisfaction_ever.unwrap_or_default();
    Found {
        orders: known.orders,
        spent: known
            .monetary
            .iter()
            .map(|money| money.units * 100 + i64::from(money.nanos) / 10_000_000)
            .sum(),
        first: known.first_order_time,
        last: known.last_order_time,
        seen: known.last_activity_time,
        ratings: (rated.ratings, rated.mean_ppm),
        stage: known.stage,
        timeline,
    }
}

#[tokio::test]
async fn whatever_comes_in_any_order_twice_and_late_counts_as_a_second_program_reads_it_sorted() {
    testing::engines(&MIGRATIONS, |db| async move {
        for seed in 0..4 {
            let mut random = StdRng::seed_from_u64(seed);
            let ahead = i64::try_from(seed).unwrap() * 2;
            let (one, two) = (another(&db, ahead), another(&db, ahead + 1));
            people(&one, &PEOPLE).await;
            wipe(&one).await;
            let acts = history(&mut random);
            let all = deliveries(&mut random, &acts);
            let claims = random.random_range(0..all.len());
            let mut delivered = 0;
            for some in all.chunks(11) {
                let harness = if random.random_bool(0.5) { &one } else { &two };
                deliver(&mut random, harness, some).await;
                if (delivered..delivered + some.len()).contains(&claims) {
                    claim(harness).await;
                }
                delivered += some.len();
            }
            for customer in PEOPLE {
                let mut expected = naive(&acts, customer);
                if expected.ratings.0 > 0 {
                    expected.ratings.1 /= expected.ratings.0;
                }
                assert_eq!(found(&two, customer).await, expected, "seed {seed}, {customer}");
            }
        }
    })
    .await;
}

/// Begins anew.
async fn wipe(harness: &Harness) {
    use tandem_platform::db::Statement;
    use tandem_platform::on_engine;
    const ALL: [Statement; 4] = [
        Statement::same("DELETE FROM interaction"),
        Statement::same("DELETE FROM customer_order"),
        Statement::same("DELETE FROM relationship"),
        Statement::same("DELETE FROM customer_alias"),
    ];
    transact!(harness.app.db, |tx| {
        for statement in ALL {
            on_engine!(tx, statement, |sql, conn| sqlx::query(sql).execute(conn).await.map(|_| ()))?;
        }
        Ok(())
    })
    .unwrap();
}
