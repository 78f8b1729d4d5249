//! Orders of somebody who was erased: what comes back of them, what was on its way, and who comes back.

use jiff::SignedDuration;
use tandem_platform::testing::engines;
use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::{DecisionReason, GetLimitsRequest, OrderState, QuoteRequest};

use super::stage::*;
use crate::MIGRATIONS;
use crate::order::tests::quotes::{offered, shop as shop_of};
use crate::order::tests::{Shop, refused};

#[tokio::test]
async fn what_comes_back_of_their_orders_gives_back_where_it_counted() {
    engines(&MIGRATIONS, |db| async move {
        let shop = set(db).await;
        assert_eq!(counted(&shop.harness, ADA).await, Some((2, 1)));
        let total = shop.taken().await;
        erased(&shop).await;
        assert_eq!(counted(&shop.harness, ADA).await, None);
        assert_eq!(counted(&shop.harness, HIDDEN).await, Some((2, 1)));
        assert_eq!(shop.taken().await, total, "nothing was given back");
        // Cancelled, returned in whole, and a hold that is given back.
        shop.cancel("o1").await.unwrap();
        assert_eq!(counted(&shop.harness, HIDDEN).await, Some((1, 1)));
        let back = shop.take_back("o3", "rest-o3", 2).await.unwrap();
        assert_eq!(back.state(), OrderState::Returned);
        assert_eq!(counted(&shop.harness, HIDDEN).await, Some((0, 1)));
        shop.cancel("o2").await.unwrap();
        assert_eq!(counted(&shop.harness, HIDDEN).await, Some((0, 0)));
        assert_eq!(shop.taken().await, [1, 300, 0, 0], "eve's");
    })
    .await;
}

#[tokio::test]
async fn a_hold_that_lapses_gives_back_where_it_held() {
    engines(&MIGRATIONS, |db| async move {
        let shop = set(db).await;
        erased(&shop).await;
        shop.harness.clock.advance(SignedDuration::from_hours(25));
        crate::order::tasks::sweep(&shop.harness.app).await.unwrap();
        assert_eq!(shop.get("o2").await.unwrap().state(), OrderState::Expired);
        assert_eq!(counted(&shop.harness, HIDDEN).await, Some((2, 0)));
    })
    .await;
}

#[tokio::test]
async fn what_was_quoted_before_is_the_pseudonyms_whenever_it_is_ordered() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db.clone(), per_customer(3)).await;
        shop.hold("held", ADA, 300).await.unwrap();
        let (hold, fresh) = (shop.claims(ADA, 300), shop.claims(ADA, 300));
        erased(&shop).await;
        shop.harness.clock.advance(SignedDuration::from_mins(5));
        let hidden = format!("customers/{HIDDEN}");
        let held = shop.commit_as("held", "commit-held", &hold).await.unwrap();
        assert_eq!((held.customer.as_str(), held.state()), (hidden.as_str(), OrderState::Committed));
        let order = shop.commit_as("o9", "commit-o9", &fresh).await.unwrap();
        assert_eq!(order.customer, hidden);
        let again = shop.commit_as("o9", "commit-o9-again", &fresh).await.unwrap();
        assert_eq!(again, order, "it is the same order, and the same person");
        assert_eq!(counted(&shop.harness, HIDDEN).await, Some((2, 0)));
        assert_eq!(found(&db).await, ["erasure.customer"]);
    })
    .await;
}

#[tokio::test]
async fn limits_per_customer_stand_as_they_stood_for_who_comes_back() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db.clone(), per_customer(2)).await;
        shop.commit("o1", ADA, 300).await.unwrap();
        erased(&shop).await;
        shop.harness.clock.advance(SignedDuration::from_mins(20));
        let second = shop.commit("o2", ADA, 300).await.unwrap();
        assert_eq!(second.customer, format!("customers/{ADA}"), "they are known by their id again");
        assert_eq!(
            refused(shop.commit("o3", ADA, 300).await),
            "CUSTOMER_LIMIT_REACHED",
            "one before, one after"
        );
        shop.commit("o4", "eve", 300).await.unwrap();
        let look = GetLimitsRequest {
            name: "campaigns/spring/offers/ten".to_owned(),
            customer: format!("customers/{ADA}"),
            ..GetLimitsRequest::default()
        };
        let mut client = CampaignServiceClient::new(shop.harness.channel());
        let limits = client.get_limits(look).await.unwrap().into_inner().limits;
        assert_eq!(
            limits.iter().map(|limit| (limit.uses, limit.uses_left)).collect::<Vec<_>>(),
            [(2, 0), (2, 0)]
        );
        // What comes back of the order from before gives its use back.
        shop.cancel("o1").await.unwrap();
        shop.commit("o3", ADA, 300).await.unwrap();
        // Erased once more, everything counts under the one pseudonym.
        hear(110, &shop).await;
        crate::erasure::tasks::go_on(&shop.harness.app).await.unwrap();
        assert_eq!(counted(&shop.harness, ADA).await, None);
        assert_eq!(counted(&shop.harness, HIDDEN).await, Some((2, 0)));
    })
    .await;
}

#[tokio::test]
async fn limits_per_customer_are_judged_by_both_while_it_goes_on() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db.clone(), per_customer(1)).await;
        shop.commit("o1", ADA, 300).await.unwrap();
        let on_its_way = shop.claims(ADA, 300);
        // Heard of, and nothing is done yet.
        hear(100, &shop).await;
        assert_eq!(counted(&shop.harness, ADA).await, Some((1, 0)));
        let late = shop.commit_as("o2", "r2", &on_its_way).await;
        assert_eq!(refused(late), "CUSTOMER_LIMIT_REACHED");
        shop.harness.clock.advance(SignedDuration::from_mins(20));
        assert_eq!(refused(shop.commit("o3", ADA, 300).await), "CUSTOMER_LIMIT_REACHED");
    })
    .await;
}

#[tokio::test]
async fn a_quote_for_who_comes_back_says_what_their_order_would_hear() {
    engines(&MIGRATIONS, |db| async move {
        let (shop, request) = shop_of(db, per_customer(1)).await;
        shop.commit("o1", ADA, 300).await.unwrap();
        erased(&shop).await;
        shop.harness.clock.advance(SignedDuration::from_mins(20));
        let request =
            |customer: &str| QuoteRequest { customer: format!("customers/{customer}"), ..request.clone() };
        let (_, off, reason) = offered(&shop, request(ADA)).await;
        assert_eq!((off, reason), (0, DecisionReason::CustomerLimitReached));
        assert_eq!(offered(&shop, request("eve")).await.1, 300);
    })
    .await;
}
