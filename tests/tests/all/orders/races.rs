//! Many orders, few uses, two replicas of each service.

use futures::future::join_all;
use tandem_proto::campaign::v1::OrderState;
use tandem_tests::answer::Refusal;
use tandem_tests::database::Engine;
use tandem_tests::stage::orders::{OFF, OFFER, Orders, Shop, Step, cancel, take_back};

use super::uses;

const CALLERS: usize = 1_000;
/// Connections of the callers to each replica.
const CONNECTIONS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn of_1000_commits_an_offer_of_100_uses_and_a_code_of_60_are_used_exactly_as_often() {
    let shop = Shop::with_replicas(Engine::Postgres, 2, uses(100)).await;
    shop.codes(&["LAST"], 60).await;
    let callers: Vec<Orders> = (0..2 * CONNECTIONS).map(|at| shop.orders(at % 2)).collect();
    // 40 orders want the offer alone, all others bring the code as well.
    let step = |number: usize| match number % 25 {
        0 => shop.commit(&format!("o{number}"), &[]),
        _ => shop.commit(&format!("o{number}"), &["LAST"]),
    };
    let steps: Vec<Step> = (0..CALLERS).map(step).collect();
    let sent = steps.iter().enumerate().map(|(at, step)| callers[at % callers.len()].insist(step));
    let answers = join_all(sent).await;

    let books = shop.books().await;
    let standing = books.orders.values().filter(|order| order.state == "COMMITTED").count();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), standing);
    assert_eq!(books.counted(OFFER), (standing as i64, standing as i64 * OFF));
    for status in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        let reason = Refusal::of(status).reason;
        assert!(["OFFER_EXHAUSTED", "CODE_EXHAUSTED"].contains(&reason.as_str()), "{status:?}");
    }
    // An order that was refused for its code has given its use of the offer back: whoever asks again finds it.
    for (step, answer) in steps.iter().zip(&answers) {
        if answer.is_err() {
            let _ = shop.orders(0).insist(step).await;
        }
    }
    let books = shop.books().await;
    assert_eq!((books.counted(OFFER).0, books.ledger.voucher("LAST").uses), (100, 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_order_committed_many_times_at_once_under_different_request_ids_counts_once() {
    for engine in Engine::BOTH {
        let shop = Shop::open(engine, uses(100)).await;
        shop.codes(&["CODE-A"], 100).await;
        let Step::Commit(commit) = shop.commit("o1", &["CODE-A"]) else { panic!("a commit") };
        let steps: Vec<Step> = (0..50)
            .map(|number| {
                let mut commit = commit.clone();
                commit.request_id = format!("r{number}");
                Step::Commit(commit)
            })
            .collect();
        let orders = shop.orders(0);
        for answer in join_all(steps.iter().map(|step| orders.insist(step))).await {
            assert_eq!(answer.expect("the order there is").state(), OrderState::Committed);
        }
        let books = shop.books().await;
        assert_eq!((books.counted(OFFER), books.ledger.voucher("CODE-A").uses), ((1, OFF), 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_for_the_last_use_sent_to_both_replicas_gets_one_answer() {
    let shop = Shop::with_replicas(Engine::Postgres, 2, uses(1)).await;
    let (first, second) = (shop.orders(0), shop.orders(1));
    for number in 0..30 {
        let order = format!("o{number}");
        let step = shop.commit(&order, &[]);
        let (one, other) = tokio::join!(first.insist(&step), second.insist(&step));
        assert_eq!(one.expect("the last use"), other.expect("the same order"), "round {number}");
        first.insist(&cancel(&order)).await.expect("cancelled");
    }
    assert_eq!(shop.books().await.counted(OFFER), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_step_sent_many_times_at_once_is_taken_once() {
    for engine in Engine::BOTH {
        let replicas = if engine == Engine::Postgres { 2 } else { 1 };
        let shop = Shop::with_replicas(engine, replicas, uses(100)).await;
        shop.codes(&["CODE-A"], 100).await;
        let many = async |step: &Step| {
            let callers: Vec<Orders> = (0..6).map(|at| shop.orders(at % replicas)).collect();
            join_all(callers.iter().map(|orders| orders.insist(step))).await
        };
        for number in 0..8 {
            let order = format!("o{number}");
            for answer in many(&shop.commit(&order, &["CODE-A"])).await {
                assert_eq!(answer.expect("committed").state(), OrderState::Committed);
            }
            for answer in many(&take_back(&order, &format!("r{number}"), 1)).await {
                assert_eq!(answer.expect("returned").lines[0].returned_quantity, 1, "{order}");
            }
            for answer in many(&shop.commit(&format!("no{number}"), &["GONE"])).await {
                assert_eq!(Refusal::of(&answer.expect_err("no such code")).reason, "CODE_UNKNOWN");
            }
            for answer in many(&cancel(&order)).await {
                assert_eq!(answer.expect("cancelled").state(), OrderState::Cancelled);
            }
        }
        assert_eq!(shop.books().await.counted(OFFER), (0, 0));
    }
}
