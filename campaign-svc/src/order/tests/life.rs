//! An order's life: what may be tried again, what is final, and what a pause stops.

use super::*;

#[tokio::test]
async fn a_hold_that_was_given_back_may_be_held_again_and_committed() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.hold("o1", "7", 300).await.unwrap();
        shop.cancel("o1").await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_mins(1));
        assert_eq!(shop.hold("o1", "7", 200).await.unwrap().state(), OrderState::Held);
        assert_eq!(shop.taken().await, [0, 0, 1, 200]);
        assert_eq!(shop.commit("o1", "7", 200).await.unwrap().state(), OrderState::Committed);
        assert_eq!(shop.taken().await, [1, 200, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn what_was_committed_and_cancelled_is_final_and_says_how_to_go_on() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        shop.commit("o1", "7", 300).await.unwrap();
        shop.cancel("o1").await.unwrap();
        let status = shop.hold("o1", "7", 300).await.unwrap_err();
        assert_eq!(reason(&status), "WRONG_ORDER_STATE");
        assert!(status.message().contains("another order_id"), "{status}");
    })
    .await;
}

#[tokio::test]
async fn a_pause_refuses_tokens_that_are_not_held_and_honours_holds() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(9)).await;
        shop.hold("held", "7", 300).await.unwrap();
        let claims = shop.claims("7", 300);
        shop.pause().await;
        assert_eq!(refused(shop.commit_as("quoted", "c", &claims).await), "OFFER_NOT_RUNNING");
        assert_eq!(refused(shop.hold("late", "7", 300).await), "OFFER_NOT_RUNNING");
        assert_eq!(shop.commit_as("held", "h", &claims).await.unwrap().state(), OrderState::Committed);
    })
    .await;
}

#[tokio::test]
async fn a_pause_refuses_the_prices_of_its_rules_too() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(9)).await;
        let mut claims = shop.claims("7", 300);
        claims.offers.clear();
        claims.lines[0].price_rule = "campaigns/spring/priceRules/cut".to_owned();
        claims.lines[0].revision = 1;
        shop.commit_as("before", "b", &claims).await.unwrap();
        shop.pause().await;
        assert_eq!(refused(shop.commit_as("after", "a", &claims).await), "OFFER_NOT_RUNNING");
    })
    .await;
}

#[tokio::test]
async fn ids_that_shops_have_are_taken_and_encoded_in_names() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(9)).await;
        for (id, name) in [
            ("#1001", "orders/%231001"),
            ("SO/2026/001", "orders/SO%2F2026%2F001"),
            ("100000123-1", "orders/100000123-1"),
        ] {
            let order = shop.commit(id, "7", 300).await.unwrap();
            assert_eq!(order.name, name);
            let request = GetOrderRequest { name: name.to_owned() };
            assert_eq!(shop.orders().get_order(request).await.unwrap().into_inner().order.unwrap(), order);
        }
        let newer = shop.replace("#1002", "%231001", 200).await.unwrap();
        assert_eq!(newer.replaces, "orders/%231001");
        assert_eq!(shop.cancel("SO%2F2026%2F001").await.unwrap().state(), OrderState::Cancelled);
        let claims = shop.claims("7", 300);
        for id in ["", " 1", "1\n", &"x".repeat(65)] {
            let status = shop.commit_as(id, "bad", &claims).await.unwrap_err();
            assert_eq!(tandem_platform::testing::fields(&status), ["order_id"], "{id:?}");
        }
    })
    .await;
}
