//! Why an order cost what it cost, for as long as there is the order.

use super::*;
use crate::pricing::tests::api::{asked, line, quote as quote_of, refresh, store_product};

async fn explain(shop: &Shop, order: &str) -> ExplainOrderResponse {
    let request = ExplainOrderRequest { name: format!("orders/{order}") };
    shop.orders().explain_order(request).await.unwrap().into_inner()
}

/// As the order tells it: without titles, what applied first.
fn kept(quote: &QuoteResponse) -> Vec<Decision> {
    let mut decisions = quote.decisions.clone();
    decisions.iter_mut().for_each(|one| one.title.clear());
    decisions.sort_by_key(|one| one.outcome() != DecisionOutcome::Applied);
    decisions
}

#[tokio::test]
async fn an_order_tells_the_decisions_of_its_quote_whatever_becomes_of_it_and_of_its_offers() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(100)).await;
        store_product(&shop.harness, "mug", 1_000).await;
        let dear = common::Discount { minimum_spend: vec![euros(9_900)], ..percent(50_000) };
        draft(&shop.harness, "summer", &[], mix(vec![offer("dear", dear)], vec![])).await;
        launch(&shop.harness, "summer").await;
        refresh(&shop.harness).await;
        let quote = quote_of(&shop.harness, asked(vec![line("a", "mug", 3)])).await.unwrap();
        let outcomes: Vec<_> = quote.decisions.iter().map(Decision::outcome).collect();
        assert_eq!(outcomes, [DecisionOutcome::Applied, DecisionOutcome::Inapplicable]);
        let commit = CommitOrderRequest {
            order_id: "o1".to_owned(),
            quote_token: quote.quote_token.clone(),
            request_id: "commit".to_owned(),
            ..CommitOrderRequest::default()
        };
        shop.orders().commit_order(commit).await.unwrap();
        let told = explain(&shop, "o1").await;
        assert_eq!(told.decisions, kept(&quote));
        assert_eq!((told.decisions_left_out, told.only_applied), (0, false));
        assert_eq!(told.quote_time, Some(to_timestamp(shop.now())));
        shop.pause().await;
        shop.take_back("o1", "one", 1).await.unwrap();
        shop.take_back("o1", "rest", 2).await.unwrap();
        assert_eq!(explain(&shop, "o1").await, told);
        let missing = ExplainOrderRequest { name: "orders/none".to_owned() };
        assert_eq!(shop.orders().explain_order(missing).await.unwrap_err().code(), tonic::Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn an_order_of_a_quote_from_before_tells_what_applied_and_says_that_it_knows_no_more() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(100)).await;
        shop.commit("o1", "7", 300).await.unwrap();
        let told = explain(&shop, "o1").await;
        assert!(told.only_applied);
        let [applied] = &told.decisions[..] else { panic!("{told:?}") };
        assert_eq!((applied.source.as_str(), applied.revision), ("campaigns/spring/offers/ten", 1));
        assert_eq!((applied.amount.clone(), applied.lines.len()), (Some(euros(300)), 1));
        let known = QuoteClaims { explanation: Some(Vec::new().into()), ..shop.claims("7", 200) };
        shop.commit_as("o2", "known", &known).await.unwrap();
        assert!(!explain(&shop, "o2").await.only_applied, "nothing else was there");
    })
    .await;
}
