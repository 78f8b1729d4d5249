//! The network between the two services is cut, deaf and slow under load, and PostgreSQL of either side goes away.

use std::time::Duration;

use tandem_proto::campaign::v1::OrderState;
use tandem_proto::common::v1::Limits;
use tandem_tests::answer::Refusal;
use tandem_tests::database::Engine;
use tandem_tests::proxy::Point;
use tandem_tests::stage::orders::{OFF, OFFER, Shop, cancel};
use tonic::Code;

use super::load::Load;
use super::uses;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_without_an_answer_is_pending_and_goes_on_by_itself() {
    for engine in Engine::BOTH {
        let shop = Shop::open(engine, uses(9)).await;
        shop.codes(&["CODE-A"], 1).await;
        shop.network.deaf(true);
        let pending = shop.orders(0).send(&shop.commit("o1", &["CODE-A"])).await.expect_err("no answer");
        assert_eq!(
            (pending.code(), Refusal::of(&pending).reason.as_str()),
            (Code::Unavailable, "ORDER_PENDING")
        );
        assert_eq!(shop.orders(0).get("o1").await.expect("an order").state(), OrderState::Committing);
        let other = shop.orders(0).send(&cancel("o1")).await.expect_err("one step at a time");
        assert_eq!(Refusal::of(&other).reason, "ORDER_PENDING");
        shop.network.deaf(false);
        let books = shop.books().await;
        assert_eq!(books.orders["o1"].state, "COMMITTED");
        assert_eq!((books.counted(OFFER), books.ledger.voucher("CODE-A").uses), ((1, OFF), 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_arrives_after_its_refusal_is_refused_the_same() {
    for engine in Engine::BOTH {
        let mut shop = Shop::open(engine, uses(9)).await;
        shop.codes(&["CODE-A"], 1).await;
        shop.orders(0).send(&shop.commit("first", &["CODE-A"])).await.expect("the only use");
        // Refused, and nobody hears it; then the code is free again, and the question is asked once more.
        shop.network.stop_at(Point::Answered);
        let mut call = shop.orders(0).send_meanwhile(&shop.commit("second", &["CODE-A"]));
        shop.network.stopped().await;
        shop.orders(0).send(&cancel("first")).await.ok();
        shop.network.cut(true);
        shop.network.cut(false);
        let answer = call.join_next().await.expect("a call").expect("a call ends");
        answer.expect_err("it had no answer");
        shop.orders(0).insist(&cancel("first")).await.expect("cancelled");
        let books = shop.books().await;
        assert_eq!(books.orders["second"].state, "REFUSED");
        assert_eq!((books.counted(OFFER), books.ledger.voucher("CODE-A").uses), ((0, 0), 0));
    }
}

async fn the_network_fails(engine: Engine) {
    let shop = Shop::open(engine, Limits::default()).await;
    let load = Load::start(&shop, 16).await;
    let a_while = || tokio::time::sleep(Duration::from_millis(400));
    for _ in 0..3 {
        a_while().await;
        shop.network.cut(true);
        a_while().await;
        shop.network.cut(false);
        a_while().await;
        shop.network.deaf(true);
        a_while().await;
        shop.network.deaf(false);
        shop.network.delay(Duration::from_millis(1_200));
        a_while().await;
        shop.network.delay(Duration::ZERO);
    }
    a_while().await;
    assert!(load.stop(&shop).await > 50, "there was a load");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_counts_on_one_side_only_when_the_network_is_cut_deaf_and_slow_on_sqlite() {
    the_network_fails(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_counts_on_one_side_only_when_the_network_is_cut_deaf_and_slow_on_postgres() {
    the_network_fails(Engine::Postgres).await;
}
