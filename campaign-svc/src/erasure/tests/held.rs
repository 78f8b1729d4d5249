//! Nothing of somebody is left, in any column of any table.

use jiff::SignedDuration;
use tandem_platform::outbox::Cursor;
use tandem_platform::testing::{self, engines};
use tandem_platform::{Tenant, on_engine, transact};
use tandem_proto::campaign::v1::{ListOrdersRequest, OrderState};

use super::list::{self, Fate};
use super::stage::*;
use crate::MIGRATIONS;
use crate::erased::Step;
use crate::erasure::{commands, tasks};
use crate::order::tests::Shop;
use crate::redemption::events::TYPES;
use crate::redemption::tests::{event, redeemed, redemption, take_in};
use crate::testing::Harness;

/// What has the id until everything was gone through twice.
const KNOWING: [&str; 1] = ["erasure.customer"];

#[tokio::test]
async fn no_column_of_any_table_has_anything_of_somebody_who_was_erased() {
    engines(&MIGRATIONS, |db| async move {
        let shop = set(db.clone()).await;
        let before = found(&db).await;
        let fates = [Fate::Pseudonym, Fate::Removes, Fate::Scrubbed];
        let mut named: Vec<String> = fates.into_iter().flat_map(list::with).collect();
        named.sort();
        assert_eq!(before, named, "everything that may name somebody does");
        erased(&shop).await;
        assert_eq!(found(&db).await, KNOWING);
        shop.harness.clock.advance(SignedDuration::from_mins(10));
        tasks::go_on(&shop.harness.app).await.unwrap();
        assert_eq!(found(&db).await, Vec::<String>::new());
        assert!(!testing::holding(&db, "c/eve").await.is_empty(), "others stay");
        assert_eq!(
            testing::holding(&db, HIDDEN).await,
            [
                "counter.subject",
                "erasure.pseudonym",
                "event_batch.payload",
                "hold_claim.subject",
                "redemption_feedback.customer",
                "request_claim.outcome",
                "sales_order.customer",
                "set_aside_event.payload",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn it_waits_for_a_step_whose_quote_names_them_and_holds_up_nothing_else() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db.clone(), per_customer(5)).await;
        shop.commit_pending(ADA).await;
        erased(&shop).await;
        shop.harness.clock.advance(SignedDuration::from_hours(1));
        tasks::go_on(&shop.harness.app).await.unwrap();
        assert_eq!(found(&db).await, KNOWING, "its order has the pseudonym, and its step the quote");
        assert_eq!(shop.get("o1").await.unwrap().customer, format!("customers/{HIDDEN}"));
        shop.answer("o1").await;
        for _ in 0..2 {
            tasks::go_on(&shop.harness.app).await.unwrap();
        }
        assert_eq!(found(&db).await, Vec::<String>::new());
        assert_eq!(counted(&shop.harness, HIDDEN).await, Some((1, 0)));
    })
    .await;
}

#[tokio::test]
async fn heard_twice_it_does_nothing_the_second_time() {
    engines(&MIGRATIONS, |db| async move {
        let shop = set(db.clone()).await;
        erased(&shop).await;
        let before = shop.get("o1").await.unwrap();
        // As the very event, and as another one that says the same.
        hear(100, &shop).await;
        hear(101, &shop).await;
        let app = &shop.harness.app;
        assert!(!commands::proceed(app, &Tenant::default(), HIDDEN).await.unwrap(), "nothing is to be done");
        assert_eq!(shop.get("o1").await.unwrap(), before);
        assert_eq!(counted(&shop.harness, HIDDEN).await, Some((2, 1)));
    })
    .await;
}

#[tokio::test]
async fn it_goes_on_where_it_was_and_after_every_part_the_limits_are_right() {
    engines(&MIGRATIONS, |db| async move {
        let shop = set(db.clone()).await;
        // More than one part of orders.
        for number in 0..120 {
            let claims = tandem_proto::common::v1::QuoteClaims { offers: Vec::new(), ..shop.claims(ADA, 0) };
            shop.commit_as(&format!("many-{number}"), &format!("many-{number}"), &claims).await.unwrap();
        }
        hear(100, &shop).await;
        let mut parts = 0;
        // Each part is a transaction of its own, done by whichever process is there: here a new one each time.
        loop {
            let (own, hidden) = (counted(&shop.harness, ADA).await, counted(&shop.harness, HIDDEN).await);
            let (own, hidden) = (own.unwrap_or_default(), hidden.unwrap_or_default());
            assert_eq!((own.0 + hidden.0, own.1 + hidden.1), (2, 1), "after {parts} parts");
            parts += 1;
            let another = Harness::new(testing::second_handle(&db));
            if !commands::proceed(&another.app, &Tenant::default(), HIDDEN).await.unwrap() {
                break;
            }
        }
        assert!(parts > Step::ALL.len(), "{parts}");
        assert_eq!(found(&db).await, KNOWING);
        let of = async |customer: &str| {
            let customer = format!("customers/{customer}");
            let request = ListOrdersRequest { customer, page_size: 1_000, ..Default::default() };
            shop.orders().list_orders(request).await.unwrap().into_inner().orders.len()
        };
        assert_eq!((of(ADA).await, of(HIDDEN).await), (0, 125));
    })
    .await;
}

#[tokio::test]
async fn one_that_cannot_go_on_fails_alone() {
    engines(&MIGRATIONS, |db| async move {
        let shop = set(db.clone()).await;
        let other = Tenant::parse("another").unwrap();
        hear(100, &shop).await;
        take_in(&shop.harness, &other, &[tells(200, &shop)], Cursor::after(1)).await;
        // Nobody can read it, and so nobody can tell whether it names her.
        const SPOIL: tandem_platform::Statement = tandem_platform::Statement::same(
            "UPDATE request_claim SET outcome = 'ada-17' WHERE tenant = $1 AND method = 'HoldOrder'",
        );
        let spoil = async {
            transact!(db, |tx| {
                on_engine!(tx, SPOIL, |sql, conn| {
                    sqlx::query(sql).bind("default").execute(conn).await.map(|_| ())
                })?;
                Ok(())
            })
        };
        spoil.await.unwrap();
        tasks::go_on(&shop.harness.app).await.unwrap_err();
        let done = async |tenant: &Tenant| {
            let found = transact!(db, |tx| { crate::erased::store::lock(tx, tenant, HIDDEN).await });
            found.unwrap().unwrap().step.is_none()
        };
        assert_eq!((done(&Tenant::default()).await, done(&other).await), (false, true));
    })
    .await;
}

#[tokio::test]
async fn redemptions_that_are_told_late_are_the_pseudonyms_and_the_total_of_customers_stays() {
    engines(&MIGRATIONS, |db| async move {
        let shop = set(db.clone()).await;
        let name = format!("customers/{ADA}");
        erased(&shop).await;
        let told = [
            redeemed(201, redemption(7, "o7", &name, 500), 4_500),
            redeemed(202, redemption(8, "o8", "customers/eve", 500), 4_500),
        ];
        take_in(&shop.harness, &Tenant::default(), &told, Cursor::after(2)).await;
        assert_eq!(found(&db).await, KNOWING);
        let mut reader = db.read().await.unwrap();
        let sums =
            crate::redemption::store::sums(&mut reader, &Tenant::default(), &["spring"]).await.unwrap();
        assert_eq!((sums.redemptions, sums.customers), (4, 2));
    })
    .await;
}

#[tokio::test]
async fn one_that_is_heard_of_when_nobody_says_any_more_whose_it_is_changes_nothing() {
    engines(&MIGRATIONS, |db| async move {
        let shop = set(db.clone()).await;
        let before = found(&db).await;
        let old = tandem_proto::relationship::v1::CustomerErased {
            customer: String::new(),
            pseudonym: format!("customers/{HIDDEN}"),
            erase_time: Some(tandem_proto::convert::to_timestamp(shop.now())),
        };
        let taken =
            take_in(&shop.harness, &Tenant::default(), &[event(300, TYPES[2], &old)], Cursor::after(1)).await;
        assert_eq!(taken.set_aside, 0);
        tasks::go_on(&shop.harness.app).await.unwrap();
        assert_eq!(found(&db).await, before);
        assert_eq!(shop.get("o1").await.unwrap().state(), OrderState::Committed);
    })
    .await;
}
