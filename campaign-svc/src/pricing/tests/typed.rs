//! What people type: codes, words in two forms, and several wrong fields at once.

use tandem_platform::testing::engines;
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::*;
use tandem_proto::common::v1;

use super::api::{asked, draft, euros, launch, line, mix, offer, percent, quote, refresh, store_product};
use crate::MIGRATIONS;
use crate::testing::Harness;
use crate::tests::fields;

#[tokio::test]
async fn codes_are_read_as_they_were_meant_and_fail_no_quote() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "1", 100).await;
        refresh(&harness).await;
        let long = "x".repeat(65);
        let typed =
            ["", "SPRING-24\n", "\u{200b}", "spring–24", "ＳＰＲＩＮＧ-24", "two words", &long, "夏のｾｰﾙ"];
        let request =
            QuoteRequest { codes: typed.map(str::to_owned).to_vec(), ..asked(vec![line("a", "1", 1)]) };
        let quoted = quote(&harness, request).await.unwrap();
        let told: Vec<(String, DecisionReason)> =
            quoted.decisions.iter().map(|one| (one.source.clone(), one.reason())).collect();
        let cut = format!("vouchers/{}…", "x".repeat(64));
        let (duplicate, silent) = (DecisionReason::DuplicateCode, DecisionReason::PeerUnavailable);
        let expected = [
            ("vouchers/SPRING-24", silent),
            ("vouchers/spring-24", duplicate),
            ("vouchers/SPRING-24", duplicate),
            ("vouchers/two words", silent),
            (&cut, silent),
            ("vouchers/夏のセール", silent),
        ];
        assert_eq!(told, expected.map(|(source, reason)| (source.to_owned(), reason)));
        let nothing = QuoteRequest { codes: vec![String::new(); 50], ..asked(vec![line("a", "1", 1)]) };
        let quoted = quote(&harness, nothing).await.unwrap();
        assert_eq!(quoted.incentives_status(), IncentivesStatus::NotAsked, "no code was given");
    })
    .await;
}

#[tokio::test]
async fn words_that_look_the_same_are_the_same_in_products_scopes_rules_and_baskets() {
    // The same words, the accents as characters of their own.
    let (cafe, cafe_apart) = ("Café", "Cafe\u{301}");
    let rule = |key: &str, value: &str| {
        format!("'{value}' in line.categories && line.attributes['{key}'] == '{value}'")
    };
    for apart in [false, true] {
        let (one, other) = if apart { (cafe, cafe_apart) } else { (cafe_apart, cafe) };
        engines(&MIGRATIONS, |db| async move {
            let harness = Harness::new(db);
            let product = Product {
                categories: vec![one.to_owned()],
                prices: vec![ListPrice { place: String::new(), price: Some(euros(1_000)) }],
                ..Product::default()
            };
            let request = CreateProductRequest {
                product: Some(product),
                product_id: "1".to_owned(),
                ..CreateProductRequest::default()
            };
            ProductServiceClient::new(harness.channel()).create_product(request).await.unwrap();
            let scope = v1::Scope {
                categories: vec![other.to_owned()],
                condition: rule(other, other),
                ..v1::Scope::default()
            };
            let discount = v1::Discount { scope: Some(scope), ..percent(100_000) };
            draft(&harness, "sale", &[], mix(vec![offer("ten", discount)], Vec::new())).await;
            launch(&harness, "sale").await;
            refresh(&harness).await;
            for (typed, given) in
                [(one, Vec::new()), (other, vec![one.to_owned()]), (one, vec![other.to_owned()])]
            {
                let attributes = [(typed.to_owned(), typed.to_owned())].into();
                let line = v1::Line { attributes, categories: given, ..line("a", "1", 1) };
                let quoted = quote(&harness, asked(vec![line])).await.unwrap();
                assert_eq!(quoted.totals.unwrap().total, Some(euros(900)));
            }
        })
        .await;
    }
}

#[tokio::test]
async fn everything_wrong_with_an_offer_to_be_explained_and_its_basket_is_told_at_once() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        refresh(&harness).await;
        let mug = v1::Line {
            product: "mug".to_owned(),
            unit_price: Some(v1::Money { currency_code: "USD".to_owned(), units: 1, nanos: 0 }),
            ..line("", "", 0)
        };
        let mut wrong = asked(vec![mug]);
        wrong.basket.as_mut().unwrap().currency_code = "eur".to_owned();
        let five = [
            "basket.currency_code",
            "basket.lines[0].product",
            "basket.lines[0].unit_price.currency_code",
            "basket.lines[0].id",
            "basket.lines[0].quantity",
        ];
        assert_eq!(fields(&quote(&harness, wrong.clone()).await.unwrap_err()), five);
        let request = ExplainOfferRequest { offer: "offers/x".to_owned(), quote: Some(wrong) };
        let mut client = PricingServiceClient::new(harness.channel());
        let found = fields(&client.explain_offer(request).await.unwrap_err());
        let all: Vec<String> =
            ["offer".to_owned()].into_iter().chain(five.map(|field| format!("quote.{field}"))).collect();
        assert_eq!(found, all);
    })
    .await;
}
