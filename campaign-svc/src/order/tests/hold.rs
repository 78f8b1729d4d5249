//! Holds keep room until they lapse.

use super::*;

#[tokio::test]
async fn a_hold_keeps_its_place_until_it_is_committed() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        let claims = shop.claims("7", 300);
        let held = shop.hold("o1", "7", 300).await.unwrap();
        assert_eq!(held.state(), OrderState::Held);
        assert_eq!(shop.taken().await, [0, 0, 1, 300]);
        assert_eq!(refused(shop.commit("o2", "7", 300).await), "OFFER_EXHAUSTED");
        // Past the promise of the quote, within the hold: taken in time.
        shop.harness.clock.advance(SignedDuration::from_mins(14));
        let committed = shop.commit_as("o1", "c1", &claims).await.unwrap();
        assert_eq!(committed.state(), OrderState::Committed);
        assert_eq!(shop.taken().await, [1, 300, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn a_hold_that_has_lapsed_is_as_if_there_were_none() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.hold("o1", "7", 300).await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_mins(15));
        shop.commit("o2", "7", 300).await.unwrap();
        assert_eq!(shop.taken().await, [1, 300, 0, 0], "judged by the clock, without a sweeper");
        assert_eq!(refused(shop.commit("o1", "7", 300).await), "OFFER_EXHAUSTED");
        assert_eq!(super::super::tasks::sweep(&shop.harness.app).await.unwrap(), 1);
        assert_eq!(shop.get("o1").await.unwrap().state(), OrderState::Expired);
        assert_eq!(super::super::tasks::sweep(&shop.harness.app).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_order_replaces_its_own_hold() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.hold("o1", "7", 300).await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_mins(10));
        shop.hold("o1", "7", 200).await.unwrap();
        assert_eq!(shop.taken().await, [0, 0, 1, 200]);
        shop.harness.clock.advance(SignedDuration::from_mins(10));
        shop.commit("o1", "7", 100).await.unwrap();
        assert_eq!(shop.taken().await, [1, 100, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn nobody_holds_an_order_for_longer_than_24_hours() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        for _ in 0..24 * 6 {
            shop.hold("o1", "7", 300).await.unwrap();
            shop.harness.clock.advance(SignedDuration::from_mins(10));
        }
        assert_eq!(refused(shop.hold("o1", "7", 300).await), "HOLD_OVER");
    })
    .await;
}

#[tokio::test]
async fn a_hold_is_given_back_when_it_is_cancelled() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.hold("o1", "7", 300).await.unwrap();
        assert_eq!(shop.cancel("o1").await.unwrap().state(), OrderState::Cancelled);
        assert_eq!(shop.taken().await, [0, 0, 0, 0]);
        assert_eq!(shop.cancel("o1").await.unwrap().state(), OrderState::Cancelled);
    })
    .await;
}

#[tokio::test]
async fn a_hold_that_is_committed_the_next_day_counts_in_the_day_whose_room_it_had() {
    engines(&MIGRATIONS, |db| async move {
        let limits = common::Limits { recurrence: common::Recurrence::Day.into(), ..uses(1) };
        let shop = Shop::open(db, limits).await;
        shop.harness.clock.advance(SignedDuration::from_mins(12 * 60 - 5));
        let claims = shop.claims("7", 300);
        shop.hold("o1", "7", 300).await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_mins(6));
        shop.commit("o2", "7", 200).await.unwrap();
        shop.commit_as("o1", "c1", &claims).await.unwrap();
        shop.cancel("o2").await.unwrap();
        shop.commit("o3", "7", 200).await.unwrap();
        assert_eq!(refused(shop.commit("o4", "7", 200).await), "OFFER_EXHAUSTED");
    })
    .await;
}

#[tokio::test]
async fn a_hold_lends_its_place_to_the_very_quote_it_was_taken_for() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let mut cheaper = shop.claims("7", 300);
        cheaper.total_minor -= 100;
        cheaper.expire_time = Some(to_timestamp(shop.now() + SignedDuration::from_mins(1)));
        shop.hold("o1", "7", 300).await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_mins(2));
        assert_eq!(refused(shop.commit_as("o1", "c1", &cheaper).await), "PRICE_CHANGED");
    })
    .await;
}
