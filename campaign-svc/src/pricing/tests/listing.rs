//! The offers that run, and what a basket lacks for each.

use tandem_platform::testing::engines;
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::{self as wire, *};
use tandem_proto::common::v1;
use tonic::Status;
use tonic_types::StatusExt;

use super::api::{
    asked, draft, euros, launch, line, mix, offer, percent, price_rule, refresh, store_product,
};
use crate::MIGRATIONS;
use crate::testing::Harness;

async fn listed(
    harness: &Harness,
    request: ListApplicableOffersRequest,
) -> Result<ListApplicableOffersResponse, Status> {
    let answer = PricingServiceClient::new(harness.channel()).list_applicable_offers(request).await;
    answer.map(tonic::Response::into_inner)
}

/// A list for a mug at 100.00, half of it after a price rule.
fn for_a_mug() -> ListApplicableOffersRequest {
    ListApplicableOffersRequest {
        basket: asked(vec![line("a", "mug", 1)]).basket,
        ..ListApplicableOffersRequest::default()
    }
}

fn of_products(ids: &[&str]) -> v1::Scope {
    let products = ids.iter().map(|id| format!("products/{id}")).collect();
    v1::Scope { products, ..v1::Scope::default() }
}

/// One offer for each thing that can be missing, and one for which nothing is.
fn offers() -> Vec<wire::Offer> {
    let scoped = |ids: &[&str]| v1::Discount { scope: Some(of_products(ids)), ..percent(100_000) };
    let minimum = v1::Discount { minimum_spend: vec![euros(6_250)], ..percent(100_000) };
    let part = |id: &str, quantity| v1::BundlePart { scope: Some(of_products(&[id])), quantity };
    let bundle = v1::BundleDiscount {
        parts: vec![part("mug", 1), part("cup", 2)],
        prices: vec![euros(1_000)],
        max_sets: None,
    };
    let bundle = v1::Discount { kind: Some(v1::discount::Kind::Bundle(bundle)), ..v1::Discount::default() };
    let once = v1::Limits { max_uses_per_customer: Some(1), ..v1::Limits::default() };
    let late = "now.hour < 6".to_owned();
    vec![
        offer("applies", percent(100_000)),
        offer("bundle", bundle),
        wire::Offer { limits: Some(once), ..offer("customer", percent(100_000)) },
        offer("goods", scoped(&["cup"])),
        wire::Offer { condition: late, ..offer("hours", percent(100_000)) },
        offer("spend", minimum),
    ]
}

async fn shop(db: tandem_platform::Db) -> Harness {
    let harness = Harness::new(db);
    store_product(&harness, "mug", 10_000).await;
    draft(&harness, "c", &[], mix(offers(), vec![price_rule("half", 5_000)])).await;
    launch(&harness, "c").await;
    refresh(&harness).await;
    harness
}

#[tokio::test]
async fn what_a_basket_lacks_for_each_offer_is_told_and_for_each_alone() {
    engines(&MIGRATIONS, |db| async move {
        let harness = shop(db).await;
        let page = listed(&harness, for_a_mug()).await.unwrap();
        let decisions: Vec<Decision> = page.offers.into_iter().map(|offer| offer.decision.unwrap()).collect();
        let reasons: Vec<DecisionReason> = decisions.iter().map(Decision::reason).collect();
        assert_eq!(
            reasons,
            [
                DecisionReason::Unspecified,
                DecisionReason::SetIncomplete,
                DecisionReason::CustomerRequired,
                DecisionReason::NoEligibleGoods,
                DecisionReason::ConditionNotMet,
                DecisionReason::MinimumSpend,
            ]
        );
        assert_eq!(decisions[0].amount, Some(euros(500)), "10 % of what the price rule leaves");
        assert_eq!(decisions[1].missing_units, [MissingUnits { part: 1, quantity: 2 }]);
        assert_eq!(decisions[5].missing, Some(euros(1_250)), "whatever the others would take off");
        let without = listed(&harness, ListApplicableOffersRequest::default()).await.unwrap();
        assert!(without.offers.len() == 6 && without.offers.iter().all(|offer| offer.decision.is_none()));
    })
    .await;
}

#[tokio::test]
async fn a_list_for_a_basket_goes_on_page_by_page_for_the_same_basket() {
    engines(&MIGRATIONS, |db| async move {
        let harness = shop(db).await;
        let (mut seen, mut request) =
            (Vec::new(), ListApplicableOffersRequest { page_size: 4, ..for_a_mug() });
        let first = listed(&harness, request.clone()).await.unwrap();
        request.page_token = first.next_page_token.clone();
        let second = listed(&harness, request.clone()).await.unwrap();
        seen.extend(first.offers.iter().chain(&second.offers).map(|offer| offer.name.clone()));
        assert_eq!((seen.len(), second.next_page_token.as_str()), (6, ""));
        assert!(second.offers.iter().all(|offer| offer.decision.is_some()));
        let basket = asked(vec![line("a", "mug", 2)]).basket;
        let other = listed(&harness, ListApplicableOffersRequest { basket, ..request }).await.unwrap_err();
        assert_eq!(other.get_details_error_info().unwrap().reason, "INVALID_PAGE_TOKEN");
    })
    .await;
}

#[tokio::test]
async fn a_large_basket_makes_shorter_pages_and_every_offer_is_told() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let pairs = |at: usize| {
            let kind = v1::discount::Kind::FixedPrice(v1::FixedPriceDiscount {
                prices: vec![euros(10)],
                per: v1::Per::Set.into(),
                set_quantity: 2,
            });
            offer(&format!("p{at:02}"), v1::Discount { kind: Some(kind), ..v1::Discount::default() })
        };
        for id in ["a", "b", "c", "d", "e", "f"] {
            draft(&harness, id, &[], mix((0..90).map(pairs).collect(), Vec::new())).await;
            launch(&harness, id).await;
        }
        refresh(&harness).await;
        let line = |at: i64| v1::Line {
            unit_price: Some(euros(1_009 + 2 * at)),
            ..line(&format!("l{at}"), &format!("p{at}"), 3 + 2 * at)
        };
        let basket = asked((0..500).map(line).collect()).basket;
        let mut request = ListApplicableOffersRequest { basket, page_size: 1_000, ..Default::default() };
        let (mut names, mut pages) = (Vec::new(), 0);
        loop {
            let page = listed(&harness, request.clone()).await.unwrap();
            assert!(!page.offers.is_empty() && page.offers.iter().all(|offer| offer.decision.is_some()));
            names.extend(page.offers.into_iter().map(|offer| offer.name));
            pages += 1;
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert!(pages > 1, "{pages}");
        assert!(names.len() == 6 * 90 && names.is_sorted());
    })
    .await;
}

#[tokio::test]
async fn every_fault_of_a_list_is_named_at_once() {
    engines(&MIGRATIONS, |db| async move {
        let harness = shop(db).await;
        let request = ListApplicableOffersRequest {
            basket: asked(vec![line("a", "none", 1)]).basket,
            place: "nowhere/at/all".to_owned(),
            customer: "persons/1".to_owned(),
            ..ListApplicableOffersRequest::default()
        };
        let violations = listed(&harness, request).await.unwrap_err();
        let violations = violations.get_details_bad_request().unwrap().field_violations;
        let mut fields: Vec<String> = violations.into_iter().map(|violation| violation.field).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["basket.lines[0].unit_price", "customer", "place"]);
        let foreign = ListApplicableOffersRequest { currency_code: "USD".to_owned(), ..for_a_mug() };
        let violations = listed(&harness, foreign).await.unwrap_err();
        assert_eq!(violations.get_details_bad_request().unwrap().field_violations[0].field, "currency_code");
    })
    .await;
}
