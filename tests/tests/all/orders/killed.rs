//! kill -9 of either service at every step of a commit, a cancel and a return.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tandem_proto::campaign::v1::OrderState;
use tandem_proto::common::v1::Limits;
use tandem_tests::database::Engine;
use tandem_tests::proxy::Point;
use tandem_tests::stage::orders::{OFF, OFFER, Shop, Step, cancel, take_back};

use super::load::Load;
use super::uses;

/// Who is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Campaign,
    Relationship,
}

/// Stops `step` at `point`, kills the victim there, starts it again and sends the step until it is settled.
async fn killed(shop: &mut Shop, step: &Step, point: Point, victim: Victim) {
    shop.network.stop_at(point);
    let mut call = shop.orders(0).send_meanwhile(step);
    assert_eq!(shop.network.stopped().await, point);
    match victim {
        Victim::Campaign => shop.campaigns[0].kill(),
        Victim::Relationship => shop.relationships[0].kill(),
    }
    shop.network.cut(true);
    let answer = call.join_next().await.expect("a call").expect("a call ends");
    assert!(answer.is_err(), "nobody can have answered: {answer:?}");
    shop.network.cut(false);
    match victim {
        Victim::Campaign => shop.campaigns[0].restart(),
        Victim::Relationship => shop.relationships[0].restart(),
    }
}

async fn at_every_step(engine: Engine, victim: Victim) {
    let mut shop = Shop::open(engine, uses(3)).await;
    shop.codes(&["CODE-A"], 2).await;
    for (index, point) in [Point::Asked, Point::Answered].into_iter().enumerate() {
        let order = format!("o{index}");
        let commit = shop.commit(&order, &["CODE-A"]);
        killed(&mut shop, &commit, point, victim).await;
        // Whoever comes first: the worker of the service, or the caller who repeats the call.
        let committed = shop.orders(0).insist(&commit).await.expect("it is committed");
        assert_eq!(committed.state(), OrderState::Committed, "{victim:?} at {point:?}");
        shop.books().await;

        let back = take_back(&order, &format!("return-{order}"), 1);
        killed(&mut shop, &back, point, victim).await;
        let books = shop.books().await;
        assert_eq!(books.orders[&order].state, "PARTIALLY_RETURNED", "the worker finishes it alone");
        let returned = shop.orders(0).insist(&back).await.expect("it is returned");
        assert_eq!(returned.lines[0].returned_quantity, 1, "once");

        killed(&mut shop, &cancel(&order), point, victim).await;
        let books = shop.books().await;
        assert_eq!(books.orders[&order].state, "CANCELLED");
        assert_eq!((books.counted(OFFER), books.ledger.voucher("CODE-A").uses), ((0, 0), 0));
    }
    // A refusal that nobody heard is the same refusal when it is asked for again.
    let refused = shop.commit("refused", &["GONE"]);
    killed(&mut shop, &refused, Point::Answered, victim).await;
    let books = shop.books().await;
    assert_eq!(books.orders["refused"].state, "REFUSED");
    assert_eq!(books.counted(OFFER).1 % OFF, 0);
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

async fn random_kills(engine: Engine, seed: u64) {
    let mut shop = Shop::open(engine, Limits::default()).await;
    let load = Load::start(&shop, 16).await;
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(random.random_range(200..900))).await;
        let victim = match random.random_bool(0.5) {
            true => &mut shop.campaigns[0],
            false => &mut shop.relationships[0],
        };
        victim.kill();
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        victim.restart();
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
