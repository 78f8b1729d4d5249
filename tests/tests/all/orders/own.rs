//! A quote for an order asks both services with the order's own room: what it was quoted it is granted, held, quoted again,
//! committed and replaced, on the last use of an offer and a code and the whole balance of a gift card.

use tandem_proto::campaign::v1::{
    CommitOrderRequest, DecisionOutcome, HoldOrderRequest, OrderState, QuoteRequest, QuoteResponse,
};
use tandem_proto::common::v1::Limits;
use tandem_tests::database::Engine;
use tandem_tests::stage::orders::{OFFER, Step};
use tandem_tests::stage::{Campaigns, basket, minor};

use super::refunds::{CARD, with_card_under};

fn asked() -> QuoteRequest {
    QuoteRequest {
        basket: Some(basket(&[("1", 1, 10_000)])),
        codes: vec!["CODE-A".to_owned(), CARD.to_owned()],
        require_incentives: true,
        ..QuoteRequest::default()
    }
}

/// What is left to pay, and how many offers and codes count.
fn told(quote: &QuoteResponse) -> (i64, usize) {
    let totals = quote.totals.as_ref().expect("totals");
    let applied = quote.decisions.iter().filter(|one| one.outcome() == DecisionOutcome::Applied).count();
    (minor(totals.payable.as_ref()), applied)
}

fn commit(order: &str, quote: &QuoteResponse, replaces: &str) -> Step {
    Step::Commit(CommitOrderRequest {
        order_id: order.to_owned(),
        quote_token: quote.quote_token.clone(),
        request_id: format!("commit-{order}"),
        replaces: replaces.to_owned(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_quoted_with_what_it_holds_and_with_what_it_replaces_on_both_sides() {
    for engine in Engine::BOTH {
        let shop = with_card_under(engine, Limits { max_uses: Some(1), ..Limits::default() }).await;
        shop.codes(&["CODE-A"], 1).await;
        let (campaigns, orders) = (Campaigns::of(&shop.campaigns[0]), shop.orders(0));
        let for_order = |order: &str| QuoteRequest { order_id: order.to_owned(), ..asked() };
        let first = campaigns.quote(for_order("o1")).await;
        // 100.00 less 10 % by the offer and 10 % by the code, 50.00 by the card.
        assert_eq!(told(&first), (3_100, 3));
        let hold = HoldOrderRequest {
            order_id: "o1".to_owned(),
            quote_token: first.quote_token.clone(),
            request_id: "hold-o1".to_owned(),
            ttl: None,
        };
        orders.send(&Step::Hold(hold)).await.expect("held");
        let stranger = campaigns.quote(for_order("o2")).await;
        let refusals: Vec<_> = stranger.decisions.iter().map(|one| one.code_refusal.as_str()).collect();
        assert_eq!(refusals[0], "CODE_EXHAUSTED");
        assert!(stranger.decisions[1].outcome() != DecisionOutcome::Applied, "the card is held");
        let again = campaigns.quote(for_order("o1")).await;
        assert_eq!(told(&again), (3_100, 3));
        let committed = orders.send(&commit("o1", &again, "")).await.expect("committed");
        assert_eq!(committed.state(), OrderState::Committed);

        let replacing = QuoteRequest { replaces_order_id: "o1".to_owned(), ..for_order("o1-b") };
        let amended = campaigns.quote(replacing).await;
        assert_eq!(told(&amended), (3_100, 3));
        let new = orders.send(&commit("o1-b", &amended, "orders/o1")).await.expect("replaced");
        assert_eq!(new.state(), OrderState::Committed);
        let books = shop.books().await;
        assert_eq!(books.orders["o1"].state, "CANCELLED");
        assert_eq!((books.counted(OFFER), books.ledger.voucher("CODE-A").uses), ((1, 1_000), 1));
        let late = campaigns.quote(for_order("o1-b")).await;
        assert_eq!(late.decisions[0].code_refusal, "ORDER_ALREADY_REDEEMED");
    }
}
