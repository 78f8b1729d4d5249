//! Whatever comes between a merge and its steps, in any order: what a recount says is what is answered.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tandem_platform::testing;
use tandem_proto::common::v1 as common;
use tandem_proto::relationship::v1::interaction_service_client::InteractionServiceClient;
use tandem_proto::relationship::v1::*;

use super::*;
use crate::MIGRATIONS;
use crate::customer::alias::person;
use crate::erasure::tests::stage::{hold, incentive, redeem, upsert, vouchers};
use crate::merge::steps;
use crate::testing::reason;

/// Uses that each customer has.
const LIMIT: usize = 3;
const PEOPLE: [&str; 3] = ["a", "b", "c"];

/// Something that happens.
#[derive(Debug, Clone)]
enum Act {
    Redeem(usize),
    Hold(usize),
    /// The order of this number, in whatever state.
    Back(usize),
    Release(usize),
    Order(usize),
    Merge(usize, usize),
    Step(usize),
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    let who = || 0..PEOPLE.len();
    prop_oneof![
        4 => who().prop_map(Act::Redeem),
        2 => who().prop_map(Act::Hold),
        2 => (0..20_usize).prop_map(Act::Back),
        2 => (0..20_usize).prop_map(Act::Release),
        2 => who().prop_map(Act::Order),
        2 => (who(), who()).prop_map(|(source, target)| Act::Merge(source, target)),
        4 => who().prop_map(Act::Step),
        1 => Just(Act::Wait),
    ]
}

/// What a recount knows.
#[derive(Default)]
struct Books {
    /// Each has people, orders and codes of its own.
    round: usize,
    /// Who counts for whom.
    into: BTreeMap<usize, usize>,
    /// By order: who took it, and whether it is held.
    live: BTreeMap<usize, (usize, bool)>,
    ordered: BTreeMap<usize, i64>,
    orders: usize,
}

impl Books {
    fn name(&self, who: usize) -> String {
        format!("customers/{}", id(self.round, who))
    }

    fn order(&self, order: usize) -> String {
        format!("o-{}-{order}", self.round)
    }

    fn kept(&self, who: usize) -> usize {
        self.into.get(&who).copied().unwrap_or(who)
    }

    fn uses(&self, who: usize) -> usize {
        self.live.values().filter(|(by, _)| self.kept(*by) == self.kept(who)).count()
    }

    fn merge(&mut self, source: usize, target: usize) {
        self.into.values_mut().filter(|into| **into == source).for_each(|into| *into = target);
        self.into.insert(source, target);
        *self.ordered.entry(target).or_default() += self.ordered.remove(&source).unwrap_or_default();
    }
}

fn id(round: usize, who: usize) -> String {
    format!("{}{round}", PEOPLE[who])
}

fn code(round: usize, order: usize) -> String {
    format!("R{round}X{order}")
}

async fn ordered(harness: &Harness, customer: String, order: &str) {
    let at = prost_types::Timestamp { seconds: harness.app.clock.now().as_second() - 60, nanos: 0 };
    let amount = common::Money { currency_code: "EUR".to_owned(), units: 10, nanos: 0 };
    let one = Interaction {
        r#type: InteractionType::Order.into(),
        event_time: Some(at),
        customer,
        order_id: format!("shop-{order}"),
        amount: Some(amount),
        ..Interaction::default()
    };
    let request = RecordInteractionsRequest { interactions: vec![one] };
    let mut client = InteractionServiceClient::new(harness.channel());
    let results = client.record_interactions(request).await.unwrap().into_inner().results;
    assert_eq!(results[0].status.as_ref().unwrap().code, 0);
}

async fn happen(harness: &Harness, books: &mut Books, act: Act) {
    let next = books.orders;
    let (order, code) = (books.order(next), code(books.round, next));
    match act {
        Act::Redeem(who) => {
            let fits = books.uses(who) < LIMIT;
            match redeem(harness, &order, &code, &books.name(who)).await {
                Ok(()) => assert!(fits, "{order} of {who}"),
                Err(refused) => {
                    assert_eq!(reason(&refused), "CUSTOMER_LIMIT_REACHED");
                    assert!(!fits, "{order} of {who}");
                }
            }
            books.orders += 1;
            if fits {
                books.live.insert(next, (who, false));
            }
        }
        Act::Hold(who) if books.uses(who) < LIMIT => {
            hold(harness, &order, &code, &books.name(who)).await;
            books.orders += 1;
            books.live.insert(next, (who, true));
        }
        Act::Back(order) if books.live.get(&order).is_some_and(|(_, held)| !held) => {
            let back = RollbackRedemptionRequest {
                order_id: books.order(order),
                reason: RollbackReason::Cancelled.into(),
                request_id: format!("back-{}", books.order(order)),
                ..RollbackRedemptionRequest::default()
            };
            vouchers(harness).rollback_redemption(back).await.unwrap();
            books.live.remove(&order);
        }
        Act::Release(order) if books.live.get(&order).is_some_and(|(_, held)| *held) => {
            let request_id = format!("release-{}", books.order(order));
            let release =
                ReleaseHoldRequest { order_id: books.order(order), request_id, ..Default::default() };
            vouchers(harness).release_hold(release).await.unwrap();
            books.live.remove(&order);
        }
        Act::Order(who) => {
            ordered(harness, books.name(who), &order).await;
            books.orders += 1;
            *books.ordered.entry(books.kept(who)).or_default() += 1;
        }
        Act::Merge(source, target) => match merge(harness, &books.name(source), &books.name(target)).await {
            Ok(answer) if !answer.merged_before => books.merge(source, target),
            Ok(_) => assert_eq!(books.into.get(&source), Some(&target)),
            Err(_) => assert!(
                source == target || books.into.contains_key(&source) || books.into.contains_key(&target)
            ),
        },
        Act::Step(who) => {
            let (tenant, now) = (&harness.call.tenant, harness.app.clock.now());
            steps::proceed(&harness.app, tenant, &person(&id(books.round, who)), now).await.unwrap();
        }
        Act::Wait => {
            harness.clock.advance(WRITING);
        }
        _ => {}
    }
}

async fn agrees(harness: &Harness, books: &Books) {
    right(harness).await;
    for who in 0..PEOPLE.len() {
        let stands = relationship(harness, &books.name(who)).await;
        let kept = books.kept(who);
        assert_eq!(stands.customer, books.name(kept));
        assert_eq!(stands.orders, books.ordered.get(&kept).copied().unwrap_or_default());
    }
}

#[tokio::test]
async fn in_any_order_limits_are_judged_over_all_who_are_one_and_nothing_is_lost() {
    testing::engines(&MIGRATIONS, |db| async move {
        let mut runner = TestRunner::deterministic();
        let harness = Harness::new(db);
        for round in 0..6 {
            let acts = prop::collection::vec(act(), 40).new_tree(&mut runner).unwrap().current();
            let people = (0..PEOPLE.len()).map(|who| format!("customers/{}", id(round, who)));
            upsert(&harness, people.map(|name| Customer { name, ..Customer::default() }).collect()).await;
            let codes: Vec<String> = (0..acts.len()).map(|order| code(round, order)).collect();
            let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
            incentive(&harness, &format!("thrice-{round}"), 3, &codes).await;
            let mut books = Books { round, ..Books::default() };
            for act in acts {
                happen(&harness, &mut books, act).await;
                right(&harness).await;
            }
            agrees(&harness, &books).await;
            for _ in 0..2 {
                moved(&harness).await;
                agrees(&harness, &books).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_two_processes_redeem_under_both_ids_a_merge_makes_them_one() {
    testing::postgres(&MIGRATIONS, |database| async move {
        let one = Harness::new(database.db.clone());
        let two = Harness::new(database.another().await);
        two.clock.advance(SignedDuration::from_millis(1));
        let codes: Vec<String> = (0..60).map(|order| code(9, order)).collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        for round in 0..5 {
            let books = Books { round, ..Books::default() };
            let people = (0..2).map(|who| Customer { name: books.name(who), ..Customer::default() });
            upsert(&one, people.collect()).await;
            let incentives = format!("thrice-{round}");
            let codes: Vec<String> = codes.iter().map(|code| format!("{code}-{round}")).collect();
            let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
            incentive(&one, &incentives, 3, &codes).await;
            let takes = async |harness: &Harness, who: usize, from: usize| {
                let mut taken = 0;
                for (order, code) in codes.iter().enumerate().skip(from).take(10) {
                    let (name, order_id) = (books.name(who), books.order(order));
                    taken += usize::from(redeem(harness, &order_id, code, &name).await.is_ok());
                }
                taken
            };
            let joined = async {
                tokio::task::yield_now().await;
                merge(&two, &books.name(0), &books.name(1)).await.unwrap();
            };
            let (a, b, c, d, ()) = tokio::join!(
                takes(&one, 0, 0),
                takes(&two, 1, 10),
                takes(&two, 0, 20),
                takes(&one, 1, 30),
                joined
            );
            assert!((LIMIT..=2 * LIMIT).contains(&(a + b + c + d)), "{a} {b} {c} {d}");
            assert_eq!(takes(&one, 0, 40).await + takes(&two, 1, 50).await, 0);
            right(&one).await;
            moved(&one).await;
            right(&one).await;
        }
    })
    .await;
}
