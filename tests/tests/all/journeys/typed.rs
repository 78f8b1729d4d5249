//! What a customer types, from the till to the order and back.

use tandem_proto::campaign::v1::order_service_client::OrderServiceClient;
use tandem_proto::campaign::v1::{
    CancelOrderRequest, CommitOrderRequest, DecisionOutcome, ExplainOrderRequest, QuoteRequest,
};
use tandem_proto::common::v1::{Basket, Line};
use tandem_tests::answer::Refusal;
use tandem_tests::database::Engine;
use tandem_tests::ledger::Ledger;
use tandem_tests::stage::{amount, incentive, percent};

use super::stage::{Shop, ask, shop, total};

/// What is typed, and the code that is meant.
const TYPED: [(&str, &str); 11] = [
    ("SPRING-24\n", "SPRING-24"),
    ("\u{200b}SPRING-24", "SPRING-24"),
    ("SPRING–24", "SPRING-24"),
    ("ＳＰＲＩＮＧ-24", "SPRING-24"),
    ("spring‑24", "SPRING-24"),
    ("vip", "VIP"),
    (" 10 ", "10"),
    ("e\u{301}té-2026", "ÉTÉ-2026"),
    ("夏のｾｰﾙ", "夏のセール"),
    ("a_b", "A_B"),
    ("50%off", "50%OFF"),
];

/// What became of each code.
async fn quoted(shop: &Shop, typed: &[&str]) -> Vec<(DecisionOutcome, String)> {
    let quote = shop.campaigns.quote(ask("eve", "", typed)).await;
    let codes = quote.decisions.iter().filter(|one| one.source.starts_with("vouchers/"));
    codes.map(|one| (one.outcome(), one.code_refusal.clone())).collect()
}

async fn whatever_is_typed(engine: Engine) {
    let shop = shop(engine).await;
    shop.relationship.incentive("typed", incentive(percent(100_000))).await;
    let mut codes: Vec<&str> = TYPED.iter().map(|(_, meant)| *meant).collect();
    codes.dedup();
    shop.relationship.codes("typed", &codes, 10).await;
    for (typed, meant) in TYPED {
        let applied = (DecisionOutcome::Applied, String::new());
        assert_eq!(quoted(&shop, &["", typed, "\u{feff}"]).await, [applied], "{typed:?}");
        sold_and_taken_back(&shop, typed, meant).await;
    }
    let long = "x".repeat(65);
    let unknown = (DecisionOutcome::Inapplicable, "CODE_UNKNOWN".to_owned());
    assert_eq!(quoted(&shop, &["two words", &long, "NO-SUCH"]).await, vec![unknown; 3]);
    Ledger::checked(shop.pair.relationship_database.url()).await;
    every_violation(&shop).await;
}

/// The token, the order, its explanation and its redemption say the code that is meant.
async fn sold_and_taken_back(shop: &Shop, typed: &str, meant: &str) {
    let mut orders = OrderServiceClient::new(shop.campaigns.channel.clone());
    let order = format!("of {meant} typed {}", typed.escape_unicode());
    let order: String = order.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
    let quote = shop.campaigns.quote(ask("eve", &order, &[typed])).await;
    assert_eq!(total(&quote), 11_700, "{typed:?}");
    let request = CommitOrderRequest {
        order_id: order.clone(),
        quote_token: quote.quote_token,
        request_id: format!("commit-{order}"),
        ..CommitOrderRequest::default()
    };
    let sold = orders.commit_order(request).await.unwrap().into_inner().order.unwrap();
    assert_eq!(sold.codes.iter().map(|code| &*code.code).collect::<Vec<_>>(), [meant]);
    let explain = ExplainOrderRequest { name: sold.name.clone() };
    let explained = orders.explain_order(explain).await.unwrap().into_inner();
    assert!(explained.decisions.iter().any(|one| one.source == format!("vouchers/{meant}")), "{explained:?}");
    let request = CancelOrderRequest { name: sold.name, request_id: format!("cancel-{order}") };
    orders.cancel_order(request).await.unwrap();
}

/// A basket whose currency is none is judged in all the rest.
async fn every_violation(shop: &Shop) {
    let mug = Line { product: "mug".to_owned(), unit_price: Some(amount(900, "USD")), ..Line::default() };
    let basket = Basket { currency_code: "eur".to_owned(), lines: vec![mug], ..Basket::default() };
    let request = QuoteRequest { basket: Some(basket), ..QuoteRequest::default() };
    let refused = shop.campaigns.pricing.clone().quote(request).await.unwrap_err();
    let five = [
        "basket.currency_code",
        "basket.lines[0].id",
        "basket.lines[0].product",
        "basket.lines[0].quantity",
        "basket.lines[0].unit_price.currency_code",
    ];
    assert_eq!(Refusal::of(&refused).fields, five);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_typed_is_read_as_it_was_meant_and_fails_no_call_on_sqlite() {
    whatever_is_typed(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_typed_is_read_as_it_was_meant_and_fails_no_call_on_postgres() {
    whatever_is_typed(Engine::Postgres).await;
}
