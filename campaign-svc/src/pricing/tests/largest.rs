//! What cannot be cut into pages stays small enough for every client: one quote, one order, a batch of quotes.

use prost::Message;
use tandem_platform::grpc::ANSWER_BYTES;
use tandem_platform::testing::engines;
use tandem_proto::campaign::v1::order_service_client::OrderServiceClient;
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::{
    self as wire, BatchQuoteRequest, CommitOrderRequest, ExplainOrderRequest, GetOrderRequest, QuoteRequest,
    QuoteResponse,
};
use tandem_proto::common::v1;
use tonic::Code as Grpc;
use tonic_types::StatusExt;

use super::*;
use crate::MIGRATIONS;
use crate::testing::Harness;

const LINES: usize = 500;

/// As many bytes as 64 characters have at most, and those that tell it apart.
fn widest(number: usize) -> String {
    format!("{number:03}{}", "𝕏".repeat(61))
}

/// 64 characters of a name.
fn long(kind: &str, number: usize) -> String {
    format!("{kind}-{number:0width$}", width = 63 - kind.len())
}

/// As long as it may be, for its objective is called after it.
fn campaign(number: usize) -> String {
    format!("c{number:060}")
}

/// A basket of the most lines, with these ids.
fn basket(id: fn(usize) -> String) -> QuoteRequest {
    let line = |at: usize| v1::Line {
        unit_price: Some(api::euros(9_999_999)),
        ..api::line(&id(at), &long("product", at), 9)
    };
    api::asked((0..LINES).map(line).collect())
}

fn offer(number: usize, minimum: i64) -> wire::Offer {
    let discount = v1::Discount {
        kind: Some(v1::discount::Kind::Percent(v1::PercentDiscount { rate_ppm: 10_000 })),
        minimum_spend: vec![api::euros(minimum)],
        ..v1::Discount::default()
    };
    let titles = [(String::new(), "𝕏".repeat(200))].into();
    wire::Offer { titles, ..api::offer(&long("offer", number), discount) }
}

/// So many offers that apply to everything, and hundreds that say that they do not.
async fn shop(db: tandem_platform::Db, applying: usize) -> Harness {
    let harness = Harness::new(db);
    let rule = wire::PriceRule {
        id: long("rule", 0),
        change: Some(wire::price_rule::Change::RatePpm(100_000)),
        ..wire::PriceRule::default()
    };
    let mut applying: Vec<_> = (0..applying).map(|number| offer(number, 1)).collect();
    for number in 0..4 {
        let offers = (100..200 - applying.len()).map(|other| offer(other, 900_000_000_000_000));
        let mix = api::mix(applying.drain(..).chain(offers).collect(), vec![rule.clone()]);
        let campaign = campaign(number);
        api::draft(&harness, &campaign, &[], mix).await;
        api::launch(&harness, &campaign).await;
    }
    api::refresh(&harness).await;
    harness
}

fn last_applying(applying: usize) -> String {
    format!("campaigns/{}/offers/{}", campaign(0), long("offer", applying - 1))
}

/// The largest quote that there is over lines with these ids; one offer more is refused.
async fn largest(harness: &Harness, id: fn(usize) -> String, applying: usize) -> QuoteResponse {
    let refused = api::quote(harness, basket(id)).await.unwrap_err();
    let info = refused.get_details_error_info().unwrap();
    assert_eq!((refused.code(), info.reason.as_str()), (Grpc::FailedPrecondition, "QUOTE_TOO_COSTLY"));
    assert_eq!(info.metadata["limit_bytes"], "2000000");
    let request = QuoteRequest { without_offers: vec![last_applying(applying)], ..basket(id) };
    let quote = api::quote(harness, request).await.unwrap();
    let of = |outcome| quote.decisions.iter().filter(|one| one.outcome() == outcome).count();
    assert_eq!(of(wire::DecisionOutcome::Applied), applying - 1);
    let left_out = usize::try_from(quote.decisions_left_out).unwrap();
    assert_eq!(quote.decisions.len() + left_out, 400);
    assert!(left_out > 100, "{left_out} are left out");
    quote
}

#[tokio::test]
async fn the_largest_quote_and_the_largest_order_fit_into_an_answer() {
    engines(&MIGRATIONS, |db| async move {
        let applying = 14;
        let harness = shop(db, applying).await;
        let quote = largest(&harness, widest, applying).await;
        let bytes = quote.encoded_len();
        assert!((2_500_000..ANSWER_BYTES).contains(&bytes), "a quote of {bytes} bytes");
        let order = committed(&harness, quote).await;
        assert!(order < ANSWER_BYTES, "an order of {order} bytes");
    })
    .await;
}

#[tokio::test]
async fn an_order_tells_the_name_of_each_share_and_fits_too() {
    engines(&MIGRATIONS, |db| async move {
        let applying = 20;
        let harness = shop(db, applying).await;
        let quote = largest(&harness, |at| format!("{at}"), applying).await;
        let order = committed(&harness, quote).await;
        assert!((1_500_000..ANSWER_BYTES).contains(&order), "an order of {order} bytes");
    })
    .await;
}

/// Bytes of the order that it becomes.
async fn committed(harness: &Harness, quote: QuoteResponse) -> usize {
    let mut orders = OrderServiceClient::new(harness.channel());
    let request = CommitOrderRequest {
        order_id: "largest".to_owned(),
        quote_token: quote.quote_token,
        request_id: "once".to_owned(),
        ..CommitOrderRequest::default()
    };
    let order = orders.commit_order(request).await.unwrap().into_inner().order.unwrap();
    let read = orders.get_order(GetOrderRequest { name: order.name.clone() }).await.unwrap().into_inner();
    assert_eq!(read.order.as_ref(), Some(&order));
    let why =
        orders.explain_order(ExplainOrderRequest { name: order.name.clone() }).await.unwrap().into_inner();
    assert!(why.encoded_len() < ANSWER_BYTES, "{} bytes explain it", why.encoded_len());
    let all = why.decisions.len() + usize::try_from(why.decisions_left_out).unwrap();
    assert_eq!((all, why.only_applied), (400, false));
    read.encoded_len()
}

#[tokio::test]
async fn quotes_that_no_longer_fit_into_a_batch_say_so_one_by_one() {
    engines(&MIGRATIONS, |db| async move {
        let applying = 14;
        let harness = shop(db, applying).await;
        let large = QuoteRequest { without_offers: vec![last_applying(applying)], ..basket(widest) };
        let small =
            api::asked(vec![v1::Line { unit_price: Some(api::euros(1_000)), ..api::line("a", "other", 1) }]);
        let wrong = QuoteRequest::default();
        let requests = vec![large.clone(), large.clone(), wrong, small, large];
        let mut client = PricingServiceClient::new(harness.channel());
        let answer = client.batch_quote(BatchQuoteRequest { requests }).await.unwrap().into_inner();
        assert!(answer.encoded_len() <= ANSWER_BYTES, "{} bytes", answer.encoded_len());
        let codes: Vec<_> = answer.results.iter().map(|one| one.status.as_ref().unwrap().code).collect();
        let (full, invalid) = (Grpc::ResourceExhausted as i32, Grpc::InvalidArgument as i32);
        assert_eq!(codes, [0, full, invalid, 0, full]);
        let quoted: Vec<_> = answer.results.iter().map(|one| one.quote.is_some()).collect();
        assert_eq!(quoted, [true, false, false, true, false]);
    })
    .await;
}
