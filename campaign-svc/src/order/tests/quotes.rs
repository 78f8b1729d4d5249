//! What is spent is not offered any more: a quote and the order it becomes.

use tandem_proto::common::v1::Overrun;

use super::*;
use crate::pricing::tests::api::{asked, line, quote as quote_of, refresh, store_product};

/// A quote of one mug at 30.00, or of what is asked for: what the offer takes off, and why it takes nothing.
pub async fn offered(shop: &Shop, request: QuoteRequest) -> (QuoteResponse, i64, DecisionReason) {
    refresh(&shop.harness).await;
    let quote = quote_of(&shop.harness, request).await.unwrap();
    let decision = quote.decisions[0].clone();
    let off = decision.amount.as_ref().map_or(0, |off| off.units * 100 + i64::from(off.nanos / 10_000_000));
    (quote, off, decision.reason())
}

pub async fn shop(db: Db, limits: common::Limits) -> (Shop, QuoteRequest) {
    let shop = Shop::open(db, limits).await;
    store_product(&shop.harness, "mug", 3_000).await;
    (shop, asked(vec![line("a", "mug", 1)]))
}

pub async fn commit(shop: &Shop, order: &str, quote: &QuoteResponse) -> Result<Order, Status> {
    let request = CommitOrderRequest {
        order_id: order.to_owned(),
        quote_token: quote.quote_token.clone(),
        request_id: format!("commit-{order}"),
        replaces: String::new(),
    };
    Ok(shop.orders().commit_order(request).await?.into_inner().order.unwrap())
}

#[tokio::test]
async fn an_offer_whose_uses_are_spent_or_held_leaves_quotes_and_comes_back() {
    engines(&MIGRATIONS, |db| async move {
        let (shop, request) = shop(db, uses(1)).await;
        let (first, off, _) = offered(&shop, request.clone()).await;
        assert_eq!(off, 300);
        commit(&shop, "o1", &first).await.unwrap();
        let (second, off, reason) = offered(&shop, request.clone()).await;
        assert_eq!((off, reason), (0, DecisionReason::UsesExhausted));
        commit(&shop, "o2", &second).await.unwrap();
        shop.cancel("o1").await.unwrap();
        assert_eq!(offered(&shop, request.clone()).await.1, 300);
        shop.hold("o3", "7", 300).await.unwrap();
        assert_eq!(offered(&shop, request).await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_budget_that_caps_shrinks_the_discount_and_the_order_counts_what_was_left() {
    engines(&MIGRATIONS, |db| async move {
        let (shop, request) = shop(db, budget(400, Overrun::Cap)).await;
        let (first, ..) = offered(&shop, request.clone()).await;
        let (stale, ..) = offered(&shop, request.clone()).await;
        commit(&shop, "o1", &first).await.unwrap();
        assert_eq!(refused(commit(&shop, "o2", &stale).await), "PRICE_CHANGED");
        let (second, off, _) = offered(&shop, request.clone()).await;
        assert_eq!(off, 100);
        commit(&shop, "o2", &second).await.unwrap();
        assert_eq!(shop.taken().await, [2, 400, 0, 0]);
        let (_, off, reason) = offered(&shop, request).await;
        assert_eq!((off, reason), (0, DecisionReason::BudgetExhausted));
    })
    .await;
}

#[tokio::test]
async fn a_budget_that_rejects_leaves_out_what_it_does_not_cover() {
    engines(&MIGRATIONS, |db| async move {
        let (shop, request) = shop(db, budget(400, Overrun::Reject)).await;
        let (first, ..) = offered(&shop, request.clone()).await;
        commit(&shop, "o1", &first).await.unwrap();
        // 1.00 is left, and three quarters are gone: nobody has told of that, but it is known.
        let twice = asked(vec![line("a", "mug", 2)]);
        let (_, off, reason) = offered(&shop, twice).await;
        assert_eq!((off, reason), (0, DecisionReason::BudgetExhausted));
    })
    .await;
}

#[tokio::test]
async fn a_quote_without_an_offer_does_what_an_order_was_refused_for() {
    engines(&MIGRATIONS, |db| async move {
        let limits = common::Limits { max_uses_per_customer: Some(1), ..common::Limits::default() };
        let (shop, request) = shop(db, limits).await;
        let request = QuoteRequest { guest_key: "g".repeat(22), ..request };
        let (quote, ..) = offered(&shop, request.clone()).await;
        commit(&shop, "o1", &quote).await.unwrap();
        assert_eq!(refused(commit(&shop, "o2", &quote).await), "CUSTOMER_LIMIT_REACHED");
        let without_offers = vec!["campaigns/spring/offers/ten".to_owned()];
        let request = QuoteRequest { without_offers, ..request };
        let (quote, off, reason) = offered(&shop, request.clone()).await;
        assert_eq!((off, reason), (0, DecisionReason::Excluded));
        commit(&shop, "o2", &quote).await.unwrap();
        let wrong = QuoteRequest { without_offers: vec!["ten".to_owned()], ..request };
        let status = quote_of(&shop.harness, wrong).await.unwrap_err();
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "without_offers[0]");
    })
    .await;
}
