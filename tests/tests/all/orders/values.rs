//! A code whose incentive is limited per value, from the quote to the ledger: what the basket says is asked for, sealed and counted.

use tandem_proto::campaign::v1::{CommitOrderRequest, DecisionReason, QuoteRequest, QuoteResponse};
use tandem_proto::common::v1::{LimitDimension, Limits, Overrun, ValueLimit};
use tandem_proto::relationship::v1::{GetLimitsRequest, Incentive};
use tandem_tests::database::Engine;
use tandem_tests::stage::orders::{Shop, Step, cancel};
use tandem_tests::stage::{Campaigns, basket, eur, incentive, minor, off};

/// 15.00 per till, 10.00 off each.
async fn shop(engine: Engine) -> Shop {
    let shop = Shop::open(engine, Limits::default()).await;
    let limit = ValueLimit {
        dimension: LimitDimension::Attribute.into(),
        attribute: "till".to_owned(),
        budgets: vec![eur(1_500)],
        max_uses: None,
    };
    let limits = Limits { per_value: vec![limit], overrun: Overrun::Cap.into(), ..Limits::default() };
    let (limits, relationship) = (Some(limits), shop.relationship(0));
    relationship.incentive("tills", Incentive { limits, ..incentive(off(1_000)) }).await;
    relationship.codes("tills", &["TILL"], 100).await;
    shop
}

fn asked(till: &str) -> QuoteRequest {
    let mut basket = basket(&[("1", 1, 10_000)]);
    basket.attributes.insert("colour".to_owned(), "red".to_owned());
    if !till.is_empty() {
        basket.attributes.insert("till".to_owned(), till.to_owned());
    }
    let codes = vec!["TILL".to_owned()];
    QuoteRequest { basket: Some(basket), codes, require_incentives: true, ..QuoteRequest::default() }
}

/// What the code takes off.
fn taken(quote: &QuoteResponse) -> i64 {
    let of_code = |source: &str| source == "vouchers/TILL";
    let decision = quote.decisions.iter().find(|one| of_code(&one.source)).expect("a decision");
    minor(decision.amount.as_ref())
}

fn commit(order: &str, quote: &QuoteResponse) -> Step {
    Step::Commit(CommitOrderRequest {
        order_id: order.to_owned(),
        quote_token: quote.quote_token.clone(),
        request_id: format!("commit-{order}"),
        replaces: String::new(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_limited_per_value_is_quoted_sealed_counted_and_given_back_by_the_value() {
    for engine in Engine::BOTH {
        let shop = shop(engine).await;
        let (campaigns, orders) = (Campaigns::of(&shop.campaigns[0]), shop.orders(0));
        let without = campaigns.quote(asked("")).await;
        let refused = without.decisions.iter().find(|one| one.source == "vouchers/TILL").expect("a decision");
        assert_eq!(refused.reason(), DecisionReason::CodeRefused);
        assert_eq!(refused.code_refusal, "LIMIT_VALUE_REQUIRED");
        let (first, second) = (campaigns.quote(asked("1")).await, campaigns.quote(asked("1")).await);
        assert_eq!((taken(&first), taken(&second)), (1_000, 1_000));
        orders.send(&commit("o1", &first)).await.expect("committed");
        let status = orders.send(&commit("o2", &second)).await.expect_err("500 are left");
        assert!(status.message().contains("quote again"), "{status:?}");
        let third = campaigns.quote(asked("1")).await;
        assert_eq!(taken(&third), 500, "what is left of this till");
        orders.send(&commit("o3", &third)).await.expect("committed");
        let other = campaigns.quote(asked("2")).await;
        assert_eq!(taken(&other), 1_000);
        orders.send(&commit("o4", &other)).await.expect("committed");
        orders.send(&cancel("o1")).await.expect("cancelled");
        let request = GetLimitsRequest { name: "incentives/tills".to_owned(), ..GetLimitsRequest::default() };
        let told = shop.relationship(0).incentives.clone().get_limits(request).await.expect("limits");
        let told: Vec<(String, i64)> =
            told.into_inner().limits.into_iter().map(|one| (one.value, minor(one.spent.as_ref()))).collect();
        assert_eq!(told, [("1".to_owned(), 500), ("2".to_owned(), 1_000)]);
        let books = shop.books().await;
        assert_eq!(books.orders["o1"].state, "CANCELLED");
    }
}
