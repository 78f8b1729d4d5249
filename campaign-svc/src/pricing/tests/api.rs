//! PricingService through every layer of the server but the socket, on both engines.

use tandem_platform::testing::engines;
use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::objective_service_client::ObjectiveServiceClient;
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::{self as api, *};
use tandem_proto::common::v1;
use tandem_proto::convert::open_claims;
use tonic::{Code as Grpc, Status};
use tonic_types::StatusExt;

use crate::MIGRATIONS;
use crate::testing::Harness;

pub fn euros(minor: i64) -> v1::Money {
    let nanos = i32::try_from(minor % 100 * 10_000_000).unwrap();
    v1::Money { currency_code: "EUR".to_owned(), units: minor / 100, nanos }
}

pub fn instant(text: &str) -> prost_types::Timestamp {
    tandem_proto::convert::to_timestamp(text.parse().unwrap())
}

pub fn percent(rate_ppm: i32) -> v1::Discount {
    let kind = v1::discount::Kind::Percent(v1::PercentDiscount { rate_ppm });
    v1::Discount { kind: Some(kind), ..v1::Discount::default() }
}

pub fn offer(id: &str, discount: v1::Discount) -> api::Offer {
    let titles = [(String::new(), format!("title of {id}"))].into();
    api::Offer { id: id.to_owned(), titles, discount: Some(discount), ..api::Offer::default() }
}

pub fn mix(offers: Vec<api::Offer>, price_rules: Vec<api::PriceRule>) -> MarketingMix {
    MarketingMix {
        product: Some(ProductMix { categories: vec!["goods".to_owned()], ..ProductMix::default() }),
        price: Some(PriceMix { offers, price_rules, margin_floor_ppm: 0 }),
        ..MarketingMix::default()
    }
}

pub fn price_rule(id: &str, price: i64) -> api::PriceRule {
    let prices = v1::MoneyList { amounts: vec![euros(price)] };
    api::PriceRule {
        id: id.to_owned(),
        change: Some(api::price_rule::Change::Prices(prices)),
        ..api::PriceRule::default()
    }
}

/// Stores a product of one price; its category is "goods".
pub async fn store_product(harness: &Harness, id: &str, price: i64) {
    let product = Product {
        categories: vec!["goods".to_owned()],
        prices: vec![ListPrice { place: String::new(), price: Some(euros(price)) }],
        unit_costs: vec![euros(price / 2)],
        ..Product::default()
    };
    let request = CreateProductRequest {
        product: Some(product),
        product_id: id.to_owned(),
        ..CreateProductRequest::default()
    };
    ProductServiceClient::new(harness.channel()).create_product(request).await.unwrap();
}

/// Drafts a campaign from 1 July to 1 August 2026.
pub async fn draft(harness: &Harness, id: &str, segments: &[&str], mix: MarketingMix) {
    let objective = Objective {
        display_name: "More orders".to_owned(),
        metric: ObjectiveMetric::Orders.into(),
        target_count: 100,
        ..Objective::default()
    };
    let request = CreateObjectiveRequest {
        objective: Some(objective),
        objective_id: format!("of-{id}"),
        ..CreateObjectiveRequest::default()
    };
    ObjectiveServiceClient::new(harness.channel()).create_objective(request).await.unwrap();
    let campaign = Campaign {
        display_name: id.to_owned(),
        objective: format!("objectives/of-{id}"),
        window: Some(v1::Interval {
            start_time: Some(instant("2026-07-01T00:00:00Z")),
            end_time: Some(instant("2026-08-01T00:00:00Z")),
        }),
        segments: segments.iter().map(|id| format!("segments/{id}")).collect(),
        mix: Some(mix),
        ..Campaign::default()
    };
    let request = CreateCampaignRequest {
        campaign: Some(campaign),
        campaign_id: id.to_owned(),
        ..CreateCampaignRequest::default()
    };
    CampaignServiceClient::new(harness.channel()).create_campaign(request).await.unwrap();
}

pub async fn launch(harness: &Harness, id: &str) {
    let request =
        LaunchCampaignRequest { name: format!("campaigns/{id}"), ..LaunchCampaignRequest::default() };
    CampaignServiceClient::new(harness.channel()).launch_campaign(request).await.unwrap();
}

pub async fn refresh(harness: &Harness) {
    harness.app.snapshots.refresh(&harness.app).await.unwrap();
    harness.app.spending.refresh(&harness.app).await.unwrap();
}

pub fn line(id: &str, product: &str, quantity: i64) -> v1::Line {
    v1::Line { id: id.to_owned(), product: format!("products/{product}"), quantity, ..v1::Line::default() }
}

pub fn asked(lines: Vec<v1::Line>) -> QuoteRequest {
    let basket = v1::Basket { currency_code: "EUR".to_owned(), lines, ..v1::Basket::default() };
    QuoteRequest { basket: Some(basket), ..QuoteRequest::default() }
}

pub async fn quote(harness: &Harness, request: QuoteRequest) -> Result<QuoteResponse, Status> {
    PricingServiceClient::new(harness.channel()).quote(request).await.map(tonic::Response::into_inner)
}

fn total(response: &QuoteResponse) -> v1::Money {
    response.totals.clone().unwrap().total.unwrap()
}

#[tokio::test]
async fn a_basket_is_priced_under_the_running_campaigns() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "1", 10_000).await;
        draft(
            &harness,
            "sale",
            &[],
            mix(vec![offer("ten", percent(100_000))], vec![price_rule("cut", 8_000)]),
        )
        .await;
        refresh(&harness).await;
        assert_eq!(total(&quote(&harness, asked(vec![line("a", "1", 2)])).await.unwrap()), euros(20_000));
        launch(&harness, "sale").await;
        refresh(&harness).await;

        let response = quote(&harness, asked(vec![line("a", "1", 2)])).await.unwrap();
        assert_eq!(total(&response), euros(14_400));
        let priced = &response.lines[0];
        assert_eq!(
            (priced.list_unit_price.clone(), priced.unit_price.clone()),
            (Some(euros(10_000)), Some(euros(8_000)))
        );
        assert_eq!((&*priced.price_rule, priced.revision), ("campaigns/sale/priceRules/cut", 1));
        assert_eq!(priced.discount_amount, Some(euros(1_600)));
        assert_eq!(response.decisions.len(), 1);
        assert_eq!(response.decisions[0].source, "campaigns/sale/offers/ten");
        assert_eq!(response.decisions[0].title, "title of ten");
        assert_eq!(response.decisions[0].outcome(), DecisionOutcome::Applied);
        assert_eq!(response.valid_until, Some(instant("2026-07-01T12:15:00Z")));
        assert_eq!(response.incentives_status(), IncentivesStatus::NotAsked);
        assert_eq!(response.snapshot_age, Some(prost_types::Duration::default()));
        let claims = open_claims(&response.quote_token, &harness.app.keys).unwrap();
        assert_eq!((claims.total_minor, claims.offers[0].amount_minor), (14_400, 1_600));
        let hex: String = claims.order_digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(response.order_digest, hex);
    })
    .await;
}

#[tokio::test]
async fn list_100_on_day_5_of_a_campaign_at_80_has_the_prior_price_100() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        harness.clock.set("2026-05-01T00:00:00Z".parse().unwrap());
        store_product(&harness, "1", 10_000).await;
        harness.clock.set("2026-07-01T12:00:00Z".parse().unwrap());
        draft(&harness, "sale", &[], mix(Vec::new(), vec![price_rule("cut", 8_000)])).await;
        launch(&harness, "sale").await;
        harness.clock.set("2026-07-05T12:00:00Z".parse().unwrap());
        refresh(&harness).await;
        let response = quote(&harness, asked(vec![line("a", "1", 1)])).await.unwrap();
        assert_eq!(total(&response), euros(8_000));
        assert_eq!(response.lines[0].prior_price, Some(euros(10_000)));
    })
    .await;
}

#[tokio::test]
async fn all_violations_are_named_at_once() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "1", 100).await;
        refresh(&harness).await;
        let mut lines = vec![line("a", "1", 0), line("a", "none", 1), line("c", "1", 1)];
        lines[2].unit_price = Some(v1::Money { currency_code: "EUR".to_owned(), units: -1, nanos: 0 });
        let request = QuoteRequest {
            place: "nowhere/at/all".to_owned(),
            customer: "persons/1".to_owned(),
            guest_key: "short".to_owned(),
            codes: vec![String::new()],
            order_id: " o".to_owned(),
            replaces_order_id: " o".to_owned(),
            ..asked(lines)
        };
        let refused = quote(&harness, request).await.unwrap_err();
        assert_eq!(refused.code(), Grpc::InvalidArgument);
        let mut fields: Vec<String> = refused
            .get_details_bad_request()
            .unwrap()
            .field_violations
            .into_iter()
            .map(|violation| violation.field)
            .collect();
        fields.sort();
        fields.dedup();
        assert_eq!(
            fields,
            [
                "basket.lines[0].quantity",
                "basket.lines[1].id",
                "basket.lines[1].unit_price",
                "basket.lines[2].unit_price",
                "customer",
                "guest_key",
                "order_id",
                "place",
                "replaces_order_id"
            ]
        );

        let fields = |refused: Status| -> Vec<String> {
            let violations = refused.get_details_bad_request().unwrap().field_violations;
            violations.into_iter().map(|violation| violation.field).collect()
        };
        let unpriced = quote(&harness, asked(vec![line("a", "none", 1)])).await.unwrap_err();
        assert_eq!(fields(unpriced), ["basket.lines[0].unit_price"]);
        let many = (0..501).map(|index| line(&format!("l{index}"), "1", 1)).collect();
        assert_eq!(fields(quote(&harness, asked(many)).await.unwrap_err()), ["basket.lines"]);
        let mut large = vec![line("a", "1", 1_000_000)];
        large[0].unit_price = Some(v1::Money { currency_code: "EUR".to_owned(), units: i64::MAX, nanos: 0 });
        assert_eq!(fields(quote(&harness, asked(large)).await.unwrap_err()).len(), 1);
        let mut foreign = vec![line("a", "1", 1)];
        foreign[0].unit_price = Some(v1::Money { currency_code: "USD".to_owned(), units: 1, nanos: 0 });
        let refused = quote(&harness, asked(foreign)).await.unwrap_err();
        assert_eq!(fields(refused), ["basket.lines[0].unit_price.currency_code"]);
        assert_eq!(fields(quote(&harness, QuoteRequest::default()).await.unwrap_err()), ["basket"]);
    })
    .await;
}

#[tokio::test]
async fn each_item_of_a_batch_stands_for_itself() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "1", 100).await;
        refresh(&harness).await;
        let requests = vec![
            asked(vec![line("a", "1", 1)]),
            asked(vec![line("a", "none", 1)]),
            asked(vec![line("a", "1", 2)]),
        ];
        let mut client = PricingServiceClient::new(harness.channel());
        let results = client.batch_quote(BatchQuoteRequest { requests }).await.unwrap().into_inner().results;
        let codes: Vec<i32> = results.iter().map(|result| result.status.as_ref().unwrap().code).collect();
        assert_eq!(codes, [0, 3, 0]);
        assert_eq!(total(results[2].quote.as_ref().unwrap()), euros(200));
        assert!(results[1].quote.is_none() && !results[1].status.as_ref().unwrap().details.is_empty());
        for wrong in [0, 51] {
            let requests = vec![QuoteRequest::default(); wrong];
            let refused = client.batch_quote(BatchQuoteRequest { requests }).await.unwrap_err();
            assert_eq!(refused.code(), Grpc::InvalidArgument);
        }
    })
    .await;
}

#[tokio::test]
async fn the_offers_that_run_are_listed_page_by_page_in_the_order_of_their_names() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "1", 100).await;
        for id in ["b", "a", "a-1"] {
            let in_yen = v1::discount::Kind::Amount(v1::AmountDiscount {
                amounts: vec![v1::Money { currency_code: "JPY".to_owned(), units: 100, nanos: 0 }],
                per: 0,
            });
            let yen = v1::Discount { kind: Some(in_yen), ..v1::Discount::default() };
            let scope = v1::Scope { products: vec!["products/2".to_owned()], ..v1::Scope::default() };
            let other = v1::Discount { scope: Some(scope), ..percent(100_000) };
            let offers = vec![offer("z", percent(100_000)), offer("y", other), offer("yen", yen)];
            draft(&harness, id, &[], mix(offers, Vec::new())).await;
            launch(&harness, id).await;
        }
        draft(&harness, "vip", &["gold"], mix(vec![offer("z", percent(100_000))], Vec::new())).await;
        launch(&harness, "vip").await;
        draft(&harness, "c-draft", &[], mix(vec![offer("z", percent(100_000))], Vec::new())).await;
        refresh(&harness).await;

        let mut client = PricingServiceClient::new(harness.channel());
        let mut names = Vec::new();
        let mut request =
            ListApplicableOffersRequest { page_size: 4, ..ListApplicableOffersRequest::default() };
        loop {
            let page = client.list_applicable_offers(request.clone()).await.unwrap().into_inner();
            assert!(page.offers.len() <= 4);
            names.extend(page.offers.into_iter().map(|offer| offer.name.replace("campaigns/", "")));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let expected = [
            "a-1/offers/y",
            "a-1/offers/yen",
            "a-1/offers/z",
            "a/offers/y",
            "a/offers/yen",
            "a/offers/z",
            "b/offers/y",
            "b/offers/yen",
            "b/offers/z",
        ];
        assert_eq!(names, expected);

        let foreign = ListApplicableOffersRequest { place: "AT".to_owned(), ..request };
        let refused = client.list_applicable_offers(foreign).await.unwrap_err();
        assert_eq!(refused.get_details_error_info().unwrap().reason, "INVALID_PAGE_TOKEN");

        let narrow = ListApplicableOffersRequest {
            currency_code: "EUR".to_owned(),
            product: "products/1".to_owned(),
            ..ListApplicableOffersRequest::default()
        };
        let page = client.list_applicable_offers(narrow).await.unwrap().into_inner();
        let names: Vec<_> = page.offers.iter().map(|offer| offer.name.as_str()).collect();
        assert_eq!(names, ["campaigns/a-1/offers/z", "campaigns/a/offers/z", "campaigns/b/offers/z"]);
        assert_eq!(page.offers[0].end_time, Some(instant("2026-08-01T00:00:00Z")));

        let of_customer = ListApplicableOffersRequest {
            customer: "customers/7".to_owned(),
            ..ListApplicableOffersRequest::default()
        };
        let refused = client.list_applicable_offers(of_customer).await.unwrap_err();
        assert_eq!(refused.get_details_error_info().unwrap().reason, "PEER_UNAVAILABLE");
    })
    .await;
}

#[tokio::test]
async fn any_offer_is_explained_also_one_that_does_not_run() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "1", 100).await;
        let scope = v1::Scope { products: vec!["products/2".to_owned()], ..v1::Scope::default() };
        let narrow = v1::Discount { scope: Some(scope), ..percent(100_000) };
        let mut running = mix(vec![offer("all", percent(100_000)), offer("narrow", narrow)], Vec::new());
        draft(&harness, "run", &[], running.clone()).await;
        launch(&harness, "run").await;
        running.place = Some(PlaceMix { countries: vec!["AT".to_owned()], ..PlaceMix::default() });
        draft(&harness, "austria", &[], running.clone()).await;
        launch(&harness, "austria").await;
        draft(&harness, "vip", &["gold"], mix(vec![offer("all", percent(100_000))], Vec::new())).await;
        launch(&harness, "vip").await;
        draft(&harness, "draft", &[], running).await;
        refresh(&harness).await;

        let explain = async |name: &str| {
            let quote = Some(asked(vec![line("a", "1", 1)]));
            let request = ExplainOfferRequest { offer: format!("campaigns/{name}"), quote };
            let answer = PricingServiceClient::new(harness.channel()).explain_offer(request).await;
            answer.map(|answer| {
                let decision = answer.into_inner().decision.unwrap();
                (decision.outcome(), decision.reason())
            })
        };
        let no = DecisionOutcome::Inapplicable;
        assert_eq!(
            explain("run/offers/all").await.unwrap(),
            (DecisionOutcome::Applied, DecisionReason::Unspecified)
        );
        assert_eq!(explain("run/offers/narrow").await.unwrap(), (no, DecisionReason::NoEligibleGoods));
        assert_eq!(explain("austria/offers/all").await.unwrap(), (no, DecisionReason::WrongPlace));
        assert_eq!(explain("vip/offers/all").await.unwrap(), (no, DecisionReason::NotInSegment));
        assert_eq!(explain("draft/offers/all").await.unwrap(), (no, DecisionReason::NotRunning));
        assert_eq!(explain("run/offers/none").await.unwrap_err().code(), Grpc::NotFound);
        assert_eq!(explain("none/offers/all").await.unwrap_err().code(), Grpc::NotFound);
        assert_eq!(explain("run").await.unwrap_err().code(), Grpc::InvalidArgument);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_that_has_never_written_is_priced_without_offers() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut lines = vec![line("a", "1", 1)];
        lines[0].unit_price = Some(euros(100));
        assert_eq!(total(&quote(&harness, asked(lines)).await.unwrap()), euros(100));
    })
    .await;
}
