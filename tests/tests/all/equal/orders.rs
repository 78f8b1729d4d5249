//! Orders, with codes: what both services do for one call.

use prost::Message;
use tandem_proto::campaign::v1::CommitOrderResponse;
use tandem_tests::answer::{Tally, named};
use tandem_tests::database::Engine;
use tandem_tests::stage::orders::{OFFER, Orders, Shop, Step, cancel, take_back};
use tokio::task::JoinSet;
use tonic::Status;

use super::{CALLERS, Stage};

/// Each of OrderService's writes.
pub async fn writes(stage: &mut Stage) {
    for (number, codes) in [["CODE-A", "CODE-B"].as_slice(), &[]].into_iter().enumerate() {
        let order = format!("equal-{number}");
        for step in [
            stage.shop.hold(&order, codes),
            stage.shop.commit(&order, codes),
            take_back(&order, &format!("return-{order}"), 1),
            cancel(&order),
        ] {
            match step {
                Step::Hold(request) => stage.twenty("HoldOrder", &request).await,
                Step::Commit(request) => stage.twenty("CommitOrder", &request).await,
                Step::Return(request) => stage.twenty("ReturnOrderLines", &request).await,
                Step::Cancel(request) => stage.twenty("CancelOrder", &request).await,
            };
        }
    }
}

/// Two commits under one request_id.
pub fn two_bodies(shop: &Shop) -> (Step, Step) {
    let Step::Commit(other) = shop.commit("one", &["CODE-B"]) else { panic!("a commit") };
    (shop.commit("one", &["CODE-A"]), Step::Commit(other))
}

async fn twenty(shop: &Shop, step: &Step) -> Vec<Result<tandem_proto::campaign::v1::Order, Status>> {
    let mut calls = JoinSet::new();
    for caller in 0..CALLERS {
        let (orders, step): (Orders, Step) = (shop.orders(caller % shop.campaigns.len()), step.clone());
        calls.spawn(async move { orders.send(&step).await });
    }
    calls.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_equal_commits_with_a_code_get_one_answer_round_after_round() {
    for engine in Engine::BOTH {
        let stage = Stage::set(engine).await;
        let rounds = 10;
        for round in 0..rounds {
            let commit = stage.shop.commit(&format!("o{round}"), &["CODE-A"]);
            let answers = twenty(&stage.shop, &commit).await;
            assert_eq!(Tally::of(&answers), Tally::expected([("OK", CALLERS)]), "{engine:?}, round {round}");
            let answers: Vec<Vec<u8>> = answers
                .into_iter()
                .flatten()
                .map(|order| CommitOrderResponse { order: Some(order) }.encode_to_vec())
                .collect();
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{engine:?}, round {round}");
        }
        let books = stage.shop.books().await;
        assert_eq!((books.counted(OFFER).0, books.ledger.voucher("CODE-A").uses), (rounds, rounds));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_equal_commits_that_are_refused_hear_why_and_count_nothing() {
    for engine in Engine::BOTH {
        let stage = Stage::set(engine).await;
        for answer in twenty(&stage.shop, &stage.shop.commit("o1", &["GONE"])).await {
            assert_eq!(named(&answer.expect_err("no such code")), "FailedPrecondition CODE_UNKNOWN");
        }
        assert_eq!(stage.shop.books().await.counted(OFFER), (0, 0));
    }
}
