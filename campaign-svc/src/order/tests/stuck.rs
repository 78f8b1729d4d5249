//! An order that relationship-svc does not answer.

use std::collections::BTreeMap;

use tandem_platform::testing::postgres;
use tandem_platform::{Outcome, Tenant, Tx, transact};
use tandem_proto::common::v1::SealedCode;
use tokio::sync::Notify;

use super::super::{State, store, tasks};
use super::*;

impl Shop {
    /// Commits an order of a customer with a code, which relationship-svc does not answer.
    pub async fn commit_pending(&self, customer: &str) -> Status {
        let code = SealedCode {
            code: "GIFT".to_owned(),
            incentive: "incentives/g".to_owned(),
            ..Default::default()
        };
        let claims = QuoteClaims { codes: vec![code], ..self.claims(customer, 300) };
        self.commit_as("o1", "r1", &claims).await.unwrap_err()
    }

    /// Writes down that relationship-svc has accepted what the open step of an order asks for.
    pub async fn answer(&self, order: &str) {
        let (db, tenant) = (&self.harness.app.db, Tenant::default());
        let wanted = BTreeMap::from([(order, None)]);
        let answered = async {
            transact!(db, |tx| {
                let order = store::lock_many(tx, &tenant, &wanted).await?.remove(0);
                settle(tx, &tenant, &order).await
            })
        };
        answered.await.unwrap();
    }
}

/// Writes that the step of a locked order is done.
async fn settle(tx: &mut Tx, tenant: &Tenant, order: &crate::order::Order) -> Outcome<()> {
    let done = crate::order::Order { state: State::Committed, pending: None, ..order.clone() };
    store::move_on(&[&done]).run(tx, tenant).await?;
    store::step::delete(&[&order.id]).run(tx, tenant).await
}

#[tokio::test]
async fn an_order_that_stays_open_is_tried_again_when_it_is_due_and_told_of_once() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        let status = shop.commit_pending("7").await;
        assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::Unavailable, "ORDER_PENDING"));
        assert_eq!(shop.get("o1").await.unwrap().state(), OrderState::Committing);
        assert_eq!(shop.taken().await, [1, 300, 0, 0], "nobody else may have it meanwhile");
        let resumed = async || tasks::resume(&shop.harness.app).await.unwrap();
        assert_eq!(resumed().await, 0, "whoever began it is left alone with it");
        let config = &shop.harness.app.config.order;
        let stuck_after = config.stuck_after_ms / config.retry_ms;
        let waiting = tasks::Waiting::new(&shop.harness.app);
        let told = async || {
            waiting.count(&shop.harness.app).await.unwrap();
            let text = shop.harness.app.telemetry.render();
            let value =
                |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            (value("tandem_orders_pending ").unwrap(), value("tandem_orders_stuck ").unwrap())
        };
        for tried in 1..stuck_after + 3 {
            shop.harness.clock.advance(SignedDuration::from_millis(config.retry_ms));
            assert_eq!((resumed().await, resumed().await), (1, 0), "one lease at a time");
            assert_eq!(told().await, (1, u64::from(tried >= stuck_after)));
        }
        let events = shop.harness.events().await;
        let stuck = events.iter().filter(|event| event.r#type == "tandem.campaign.v1.OrderStuck");
        assert_eq!(stuck.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn another_body_under_the_request_id_of_an_open_step_is_told_so_and_another_call_to_come_back() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.commit_pending("7").await;
        let other = shop.claims("8", 300);
        let told = async |request_id| reason(&shop.commit_as("o1", request_id, &other).await.unwrap_err());
        assert_eq!(told("r1").await, "REQUEST_ID_REUSED");
        assert_eq!(told("r2").await, "ORDER_PENDING");
    })
    .await;
}

#[tokio::test]
async fn whoever_has_waited_for_an_order_sees_its_open_step_as_it_is_by_then() {
    postgres(&MIGRATIONS, |database| async move {
        Shop::open(database.db.clone(), uses(1)).await.commit_pending("7").await;
        let (db, tenant) = (&database.db, Tenant::default());
        let wanted = BTreeMap::from([("o1", None)]);
        let (locked, go_on) = (Notify::new(), Notify::new());
        let first = async {
            transact!(db, |tx| {
                let order = store::lock_many(tx, &tenant, &wanted).await?.remove(0);
                assert!(order.pending.is_some());
                locked.notify_one();
                go_on.notified().await;
                settle(tx, &tenant, &order).await
            })
        };
        let second = async {
            locked.notified().await;
            let waiting = async { transact!(db, |tx| { store::lock_many(tx, &tenant, &wanted).await }) };
            let release = async {
                database.until_somebody_waits().await;
                go_on.notify_one();
            };
            tokio::join!(waiting, release).0
        };
        let (first, second) = tokio::join!(first, second);
        first.unwrap();
        let seen = second.unwrap().remove(0);
        assert_eq!((seen.state, &seen.pending), (State::Committed, &None));
    })
    .await;
}
