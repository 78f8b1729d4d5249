//! Quotes that are no longer, or never were, what an order may count.

use tonic_types::StatusExt;

use super::*;

#[tokio::test]
async fn a_quote_that_was_altered_or_is_of_somebody_else_is_refused() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let token = shop.seal(&shop.claims("7", 300));
        let commit = async |token: String| {
            let request = CommitOrderRequest {
                order_id: "o1".to_owned(),
                quote_token: token,
                request_id: "r1".to_owned(),
                replaces: String::new(),
            };
            refused(shop.orders().commit_order(request).await)
        };
        let altered = format!("{}A", &token[..token.len() - 1]);
        let altered = if altered == token { format!("{}B", &token[..token.len() - 1]) } else { altered };
        assert_eq!(commit(altered).await, "QUOTE_TOKEN_INVALID");
        assert_eq!(commit("nonsense".to_owned()).await, "QUOTE_TOKEN_INVALID");
        let foreign = QuoteClaims { tenant: "other".to_owned(), ..shop.claims("7", 300) };
        assert_eq!(commit(shop.seal(&foreign)).await, "QUOTE_TOKEN_MISMATCH");
        let other = QuoteClaims { order_id: "o2".to_owned(), ..shop.claims("7", 300) };
        assert_eq!(commit(shop.seal(&other)).await, "QUOTE_TOKEN_MISMATCH");
        shop.harness.clock.advance(SignedDuration::from_mins(15));
        assert_eq!(commit(token).await, "PRICE_CHANGED");
        assert_eq!(shop.taken().await, [0, 0, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn an_order_is_committed_with_one_quote_only() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        shop.commit("o1", "7", 300).await.unwrap();
        assert_eq!(
            refused(shop.commit_as("o1", "r2", &shop.claims("7", 400)).await),
            "ORDER_ALREADY_COMMITTED"
        );
        assert_eq!(
            refused(shop.commit_as("o1", "r3", &shop.claims("8", 300)).await),
            "ORDER_ALREADY_COMMITTED"
        );
        assert_eq!(refused(shop.hold("o1", "7", 300).await), "ORDER_ALREADY_COMMITTED");
        assert_eq!(shop.taken().await, [1, 300, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn a_paused_campaign_takes_no_new_orders_and_honours_holds() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        shop.hold("held", "7", 300).await.unwrap();
        shop.pause().await;
        assert_eq!(refused(shop.commit("new", "7", 300).await), "OFFER_NOT_RUNNING");
        assert_eq!(refused(shop.hold("new", "7", 300).await), "OFFER_NOT_RUNNING");
        shop.commit("held", "7", 300).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_request_is_named_at_once() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let fields = |status: Status| -> Vec<String> {
            let violations = status.get_details_bad_request().unwrap().field_violations;
            violations.into_iter().map(|violation| violation.field).collect()
        };
        let ttl = Some(prost_types::Duration { seconds: 0, nanos: 5 });
        let hold = HoldOrderRequest { ttl, ..HoldOrderRequest::default() };
        let status = shop.orders().hold_order(hold).await.unwrap_err();
        assert_eq!(fields(status), ["request_id", "ttl", "order_id", "quote_token"]);
        let commit = CommitOrderRequest {
            order_id: "o1".to_owned(),
            quote_token: "x".to_owned(),
            request_id: "r".to_owned(),
            replaces: "orders/o1".to_owned(),
        };
        assert_eq!(fields(shop.orders().commit_order(commit).await.unwrap_err()), ["replaces"]);
        let line = |line_id: &str, quantity| ReturnedOrderLine { line_id: line_id.to_owned(), quantity };
        let back = ReturnOrderLinesRequest {
            name: "order".to_owned(),
            lines: vec![line("a", 1), line("a", 0), line("", 1)],
            request_id: String::new(),
            ..Default::default()
        };
        let status = shop.orders().return_order_lines(back).await.unwrap_err();
        let expected = ["request_id", "name", "lines[1].line_id", "lines[1].quantity", "lines[2].line_id"];
        assert_eq!(fields(status), expected);
    })
    .await;
}
