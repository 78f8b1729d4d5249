//! The network between the two services is cut, deaf and slow under load, and PostgreSQL of either side goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tandem_proto::campaign::v1::OrderState;
use tandem_proto::common::v1::Limits;
use tandem_tests::answer::Refusal;
use tandem_tests::database::Engine;
use tandem_tests::proxy::Point;
use tandem_tests::stage::orders::{OFF, OFFER, Shop, Step, cancel, is_settled, take_back};
use tokio::task::JoinSet;
use tonic::Code;

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

/// Callers that commit, return and cancel until they are told to stop, and repeat nothing.
struct Load {
    stop: Arc<AtomicBool>,
    callers: JoinSet<Vec<(Step, bool)>>,
}

impl Load {
    fn start(shop: &Arc<Shop>, callers: usize) -> Self {
        let mut load = Self { stop: Arc::default(), callers: JoinSet::new() };
        for caller in 0..callers {
            let (shop, stop) = (shop.clone(), load.stop.clone());
            load.callers.spawn(async move {
                let orders = shop.orders(caller % shop.campaigns.len());
                let mut sent = Vec::new();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    for step in steps(&shop, caller, number) {
                        let answer = orders.send(&step).await;
                        let acknowledged = answer.is_ok();
                        let settled = answer.as_ref().err().is_none_or(is_settled);
                        sent.push((step, acknowledged));
                        if !settled {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                            break;
                        }
                    }
                }
                sent
            });
        }
        load
    }

    /// Every step that was acknowledged stands; answers how many there were.
    async fn stop(self, shop: &Shop) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let sent: Vec<(Step, bool)> = self.callers.join_all().await.into_iter().flatten().collect();
        let books = shop.books().await;
        let mut acknowledged = 0;
        for step in sent.iter().filter(|(_, acknowledged)| *acknowledged).map(|(step, _)| step) {
            acknowledged += 1;
            let (order, fine): (&str, &[&str]) = match step {
                Step::Commit(commit) => (&commit.order_id, &["COMMITTED", "PARTIALLY_RETURNED", "CANCELLED"]),
                Step::Return(back) => (&back.name[7..], &["PARTIALLY_RETURNED", "CANCELLED"]),
                Step::Cancel(cancel) => (&cancel.name[7..], &["CANCELLED"]),
                Step::Hold(_) => continue,
            };
            let state = books.orders.get(order).map(|order| order.state.as_str()).unwrap_or("nothing");
            assert!(fine.contains(&state), "{order} is {state}, but {step:?} was acknowledged");
        }
        acknowledged
    }
}

fn steps(shop: &Shop, caller: usize, number: usize) -> Vec<Step> {
    let order = format!("o{caller}-{number}");
    let codes: &[&str] = if number % 4 == 3 { &[] } else { &["LOAD"] };
    let mut steps = vec![shop.commit(&order, codes)];
    if number % 2 == 1 {
        steps.push(take_back(&order, &format!("return-{order}"), 1));
    }
    if number % 3 == 2 {
        steps.push(cancel(&order));
    }
    steps
}

async fn loaded(engine: Engine, limits: Limits) -> (Arc<Shop>, Load) {
    let shop = Arc::new(Shop::open(engine, limits).await);
    shop.codes(&["LOAD"], 1_000_000).await;
    let load = Load::start(&shop, 16);
    (shop, load)
}

async fn the_network_fails(engine: Engine) {
    let (shop, load) = loaded(engine, Limits::default()).await;
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
