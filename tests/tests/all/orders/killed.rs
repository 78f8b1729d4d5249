//! kill -9 of either service at every step of a commit, a cancel and a return, and at random under load.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{Connection, PgConnection};
use tandem_proto::campaign::v1::{Order, OrderState};
use tandem_proto::common::v1::Limits;
use tandem_tests::database::{Engine, keep_writers_waiting, until_somebody_waits_for_a_lock};
use tandem_tests::process::Service;
use tandem_tests::proxy::{Point, Proxy};
use tandem_tests::stage::orders::{OFF, OFFER, Shop, Step, cancel, take_back};
use tokio::task::JoinSet;
use tonic::Status;

use super::load::Load;
use super::uses;

/// How far a call comes before somebody dies, in the order of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// campaign-svc is about to write the step down.
    Begin,
    /// It is written down; relationship-svc has not been asked.
    Ask,
    /// relationship-svc is about to write down what it was asked for.
    Decide,
    /// It has; its answer has not arrived.
    Answer,
    /// campaign-svc is about to write the answer down.
    Settle,
    /// It has; the caller has not been told.
    Tell,
}

/// Who is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Campaign,
    Relationship,
}

impl Victim {
    /// Where it can die with something in its hands.
    fn dies_at(self, engine: Engine) -> &'static [At] {
        match (self, engine) {
            (Self::Campaign, Engine::Postgres) => {
                &[At::Begin, At::Ask, At::Decide, At::Answer, At::Settle, At::Tell]
            }
            (Self::Relationship, Engine::Postgres) => &[At::Ask, At::Decide, At::Answer],
            // Nobody can be seen waiting for SQLite's one lock.
            (Self::Campaign, Engine::Sqlite) => &[At::Ask, At::Answer, At::Tell],
            (Self::Relationship, Engine::Sqlite) => &[At::Ask, At::Answer],
        }
    }

    fn of(self, shop: &mut Shop) -> &mut Service {
        match self {
            Self::Campaign => &mut shop.campaigns[0],
            Self::Relationship => &mut shop.relationships[0],
        }
    }
}

/// A call that has come so far, and what holds it there.
struct Stopped {
    call: JoinSet<Result<Order, Status>>,
    lock: Option<PgConnection>,
    front: Option<Proxy>,
}

impl Stopped {
    fn by_network(call: JoinSet<Result<Order, Status>>) -> Self {
        Self { call, lock: None, front: None }
    }

    async fn by_lock(call: JoinSet<Result<Order, Status>>, lock: PgConnection, url: &str) -> Self {
        until_somebody_waits_for_a_lock(url).await;
        Self { call, lock: Some(lock), front: None }
    }

    /// Ends what held it, and hears that nobody has answered.
    async fn end(mut self) {
        drop(self.front);
        if let Some(lock) = self.lock {
            lock.close().await.expect("a connection closes");
        }
        let answer = self.call.join_next().await.expect("a call").expect("a call ends");
        assert!(answer.is_err(), "nobody can have answered: {answer:?}");
    }
}

async fn stopped(shop: &mut Shop, step: &Step, at: At) -> Stopped {
    let campaign = shop.campaign_database.url().to_owned();
    let relationship = shop.relationship_database.url().to_owned();
    match at {
        At::Begin => {
            let lock = keep_writers_waiting(&campaign, "sales_order").await;
            Stopped::by_lock(shop.orders(0).send_meanwhile(step), lock, &campaign).await
        }
        At::Ask | At::Answer => {
            let point = if at == At::Ask { Point::Asked } else { Point::Answered };
            shop.network.stop_at(point);
            let call = shop.orders(0).send_meanwhile(step);
            assert_eq!(shop.network.stopped().await, point);
            Stopped::by_network(call)
        }
        At::Decide => {
            let lock = keep_writers_waiting(&relationship, "redemption").await;
            Stopped::by_lock(shop.orders(0).send_meanwhile(step), lock, &relationship).await
        }
        At::Settle => {
            shop.network.delay(Duration::from_millis(400));
            let call = shop.orders(0).send_meanwhile(step);
            until_a_step_is_open(shop).await;
            let lock = keep_writers_waiting(&campaign, "sales_order").await;
            let stopped = Stopped::by_lock(call, lock, &campaign).await;
            shop.network.delay(Duration::ZERO);
            stopped
        }
        At::Tell => {
            let mut front = Proxy::marking(shop.campaigns[0].address(), "-killed").await;
            front.stop_at(Point::Answered);
            let call = shop.orders_at(&front.endpoint()).send_meanwhile(step);
            front.stopped().await;
            Stopped { call, lock: None, front: Some(front) }
        }
    }
}

async fn until_a_step_is_open(shop: &Shop) {
    let end = Instant::now() + Duration::from_secs(10);
    while shop.read().await.are_closed() {
        assert!(Instant::now() < end, "no step is open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Lets `step` come as far as `at`, kills the victim there, and starts it again.
async fn killed(shop: &mut Shop, step: &Step, at: At, victim: Victim) {
    let stopped = stopped(shop, step, at).await;
    victim.of(shop).kill();
    shop.network.cut(true);
    stopped.end().await;
    shop.network.cut(false);
    victim.of(shop).restart();
}

async fn at_every_step(engine: Engine, victim: Victim) {
    let mut shop = Shop::open(engine, uses(3)).await;
    shop.codes(&["CODE-A"], 2).await;
    for at in victim.dies_at(engine) {
        let order = format!("{at:?}-killed").to_lowercase();
        let story = format!("{victim:?} at {at:?}");
        let commit = shop.commit(&order, &["CODE-A"]);
        killed(&mut shop, &commit, *at, victim).await;
        // Whoever comes first: the worker of the service, or the caller who repeats the call.
        let committed = shop.orders(0).insist(&commit).await.expect("it is committed");
        assert_eq!(committed.state(), OrderState::Committed, "{story}");
        let books = shop.books().await;
        assert_eq!((books.counted(OFFER), books.ledger.voucher("CODE-A").uses), ((1, OFF), 1), "{story}");

        let back = take_back(&order, &format!("return-{order}"), 1);
        killed(&mut shop, &back, *at, victim).await;
        if *at != At::Begin {
            let books = shop.books().await;
            assert_eq!(
                books.orders[&order].state, "PARTIALLY_RETURNED",
                "the worker finishes it alone: {story}"
            );
        }
        let returned = shop.orders(0).insist(&back).await.expect("it is returned");
        assert_eq!(returned.lines[0].returned_quantity, 1, "once: {story}");

        killed(&mut shop, &cancel(&order), *at, victim).await;
        shop.orders(0).insist(&cancel(&order)).await.expect("it is cancelled");
        let books = shop.books().await;
        assert_eq!(books.orders[&order].state, "CANCELLED", "{story}");
        assert_eq!((books.counted(OFFER), books.ledger.voucher("CODE-A").uses), ((0, 0), 0), "{story}");
    }
    // A refusal that nobody heard is the same refusal when it is asked for again.
    let refused = shop.commit("refused-killed", &["GONE"]);
    killed(&mut shop, &refused, At::Answer, victim).await;
    let books = shop.books().await;
    assert_eq!(books.orders["refused-killed"].state, "REFUSED");
    assert_eq!(books.counted(OFFER), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn campaign_svc_may_die_at_any_step_on_sqlite() {
    at_every_step(Engine::Sqlite, Victim::Campaign).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn campaign_svc_may_die_at_any_step_on_postgres() {
    at_every_step(Engine::Postgres, Victim::Campaign).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relationship_svc_may_die_at_any_step_on_sqlite() {
    at_every_step(Engine::Sqlite, Victim::Relationship).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relationship_svc_may_die_at_any_step_on_postgres() {
    at_every_step(Engine::Postgres, Victim::Relationship).await;
}

/// How long services are killed under load.
const KILLING: Duration = Duration::from_secs(60);

async fn random_kills(engine: Engine, seed: u64) {
    let mut shop = Shop::open(engine, Limits::default()).await;
    let load = Load::start(&shop, 16).await;
    let mut random = StdRng::seed_from_u64(seed);
    let end = Instant::now() + KILLING;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(random.random_range(200..900))).await;
        let victim = if random.random_bool(0.5) { Victim::Campaign } else { Victim::Relationship };
        victim.of(&mut shop).kill();
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        victim.of(&mut shop).restart();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(load.stop(&shop).await > 50, "there was a load");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_step_stands_after_random_kills_of_both_under_load_on_sqlite() {
    random_kills(Engine::Sqlite, 21).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_step_stands_after_random_kills_of_both_under_load_on_postgres() {
    random_kills(Engine::Postgres, 22).await;
}
