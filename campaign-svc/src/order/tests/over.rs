//! Counters by which nothing can be refused any more are forgotten; what comes back of their sales harms nothing.

use tandem_platform::testing::count;

use super::*;
use crate::order::commands::forget_what_is_over;

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn rows(shop: &Shop, table: &str) -> i64 {
    count(&mut shop.harness.app.db.read().await.unwrap(), table).await
}

#[tokio::test]
async fn what_comes_back_of_a_period_long_over_gives_nothing_back() {
    engines(&MIGRATIONS, |db| async move {
        let daily = common::Limits { recurrence: common::Recurrence::Day.into(), ..uses(5) };
        let shop = Shop::open(db, daily).await;
        shop.commit("o1", "7", 1_000).await.unwrap();
        shop.commit("o2", "7", 1_000).await.unwrap();
        assert_eq!(forget_what_is_over(&shop.harness.app).await.unwrap(), 0);
        shop.harness.clock.advance(DAY * 30);
        shop.cancel("o1").await.unwrap();
        assert_eq!(
            rows(&shop, "counter").await,
            6,
            "uses and money of the offer, for the day and for ever, and of the campaign"
        );
        shop.harness.clock.advance(DAY * 3);
        assert_eq!(
            forget_what_is_over(&shop.harness.app).await.unwrap(),
            2,
            "what counts without a period stays"
        );
        let order = shop.take_back("o2", "r1", 1).await.unwrap();
        assert_eq!(order.state(), OrderState::PartiallyReturned);
        assert_eq!(shop.cancel("o2").await.unwrap().state(), OrderState::Cancelled);
        assert_eq!(shop.counted("campaigns/spring").await, [0, 0, 0, 0]);
        assert_eq!(rows(&shop, "counter").await, 4, "none comes back, least of all below zero");
    })
    .await;
}

#[tokio::test]
async fn a_campaign_long_over_leaves_no_counter() {
    engines(&MIGRATIONS, |db| async move {
        let limits = common::Limits { max_uses_per_customer: Some(1), ..uses(2) };
        let shop = Shop::open(db, limits).await;
        shop.commit("o1", "7", 1_000).await.unwrap();
        shop.commit("o2", "8", 1_000).await.unwrap();
        assert_eq!((rows(&shop, "counter").await, rows(&shop, "near_limit").await), (6, 1));
        // It ends on 1 August; for a month somebody may want to look.
        shop.harness.clock.set("2026-08-31T12:00:00Z".parse().unwrap());
        assert_eq!(forget_what_is_over(&shop.harness.app).await.unwrap(), 0);
        shop.harness.clock.advance(DAY * 2);
        assert_eq!(forget_what_is_over(&shop.harness.app).await.unwrap(), 6);
        assert_eq!((rows(&shop, "counter").await, rows(&shop, "near_limit").await), (0, 0));
        shop.take_back("o1", "r1", 3).await.unwrap();
        shop.cancel("o2").await.unwrap();
        assert_eq!(forget_what_is_over(&shop.harness.app).await.unwrap(), 0);
        assert_eq!(rows(&shop, "counter").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_hold_that_cannot_be_cleaned_up_holds_up_no_other() {
    postgres(&MIGRATIONS, |database| async move {
        let shop = Shop::open(database.db.clone(), uses(5)).await;
        for order in ["o1", "o2", "o3"] {
            shop.hold(order, "7", 300).await.unwrap();
        }
        let spoil = "UPDATE sales_order SET sold = '{}' WHERE id = 'o1'";
        sqlx::query(spoil).execute(&mut database.connect().await).await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_mins(15));
        super::super::tasks::sweep(&shop.harness.app).await.unwrap_err();
        for order in ["o2", "o3"] {
            assert_eq!(shop.get(order).await.unwrap().state(), OrderState::Expired);
        }
    })
    .await;
}
