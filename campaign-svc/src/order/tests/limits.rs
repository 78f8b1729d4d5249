//! Limits hold, whatever the concurrency.

use futures::future::join_all;
use prost::Message;
use tandem_proto::common::v1::Overrun;
use tonic_types::StatusExt;

use super::*;

/// Writes one field of the campaign.
pub async fn change(shop: &Shop, campaign: api::Campaign, field: &str) {
    let request = UpdateCampaignRequest {
        campaign: Some(campaign),
        update_mask: Some(prost_types::FieldMask { paths: vec![field.to_owned()] }),
        ..UpdateCampaignRequest::default()
    };
    CampaignServiceClient::new(shop.harness.channel()).update_campaign(request).await.unwrap();
}

#[tokio::test]
async fn of_200_orders_on_an_offer_of_60_uses_exactly_60_are_committed() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(60)).await;
        let names: Vec<String> = (0..200).map(|number| format!("o{number}")).collect();
        let answers = join_all(names.iter().map(|name| shop.commit(name, "7", 10))).await;
        let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((taken.len(), refused.len()), (60, 140));
        assert!(refused.into_iter().all(|answer| super::refused(answer) == "OFFER_EXHAUSTED"));
        assert_eq!(shop.taken().await, [60, 600, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn a_campaigns_budget_is_kept_after_what_its_media_plan_takes() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let placement = Placement {
            id: "letter".to_owned(),
            medium: Medium::Digital.into(),
            channel: api::Channel::Email.into(),
            planned_spend: Some(euros(4_000)),
            ..Placement::default()
        };
        let campaign = api::Campaign {
            name: "campaigns/spring".to_owned(),
            budgets: vec![euros(4_500)],
            ..api::Campaign::default()
        };
        change(&shop, campaign, "budgets").await;
        shop.commit("o1", "7", 3_000).await.unwrap();
        let promotion = Some(PromotionMix { placements: vec![placement] });
        let request = AdaptCampaignRequest {
            name: "campaigns/spring".to_owned(),
            mix: Some(MarketingMix { promotion, ..mix(vec![offer("ten", percent(100_000))], vec![]) }),
            reason: "a letter".to_owned(),
            ..AdaptCampaignRequest::default()
        };
        CampaignServiceClient::new(shop.harness.channel()).adapt_campaign(request).await.unwrap();
        let status = shop.commit("o2", "7", 100).await.unwrap_err();
        assert_eq!(reason(&status), "BUDGET_EXHAUSTED");
        let subject = &status.get_details_precondition_failure().unwrap().violations[0].subject;
        assert_eq!(subject, "campaigns/spring");
    })
    .await;
}

#[tokio::test]
async fn subscribers_are_told_once_of_80_95_and_100_per_cent() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(20)).await;
        for number in 0..20 {
            shop.commit(&format!("o{number}"), "7", 10).await.unwrap();
        }
        shop.cancel("o0").await.unwrap();
        shop.commit("late", "7", 10).await.unwrap();
        let events = shop.harness.events().await;
        let told = events.iter().filter(|event| event.r#type.ends_with("OfferThresholdReached"));
        let told: Vec<(String, i32, i64)> = told
            .map(|event| {
                let payload = event.payload.as_ref().unwrap().value.as_slice();
                let OfferThresholdReached { name, percent, uses, .. } = Message::decode(payload).unwrap();
                (name, percent, uses)
            })
            .collect();
        let of_offer = |percent, uses| ("campaigns/spring/offers/ten".to_owned(), percent, uses);
        assert_eq!(told, [of_offer(80, 16), of_offer(95, 19), of_offer(100, 20)]);
    })
    .await;
}

#[tokio::test]
async fn a_budget_rejects_what_it_does_not_cover() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, budget(1_000, Overrun::Reject)).await;
        shop.commit("o1", "7", 700).await.unwrap();
        let status = shop.commit("o2", "7", 400).await.unwrap_err();
        assert_eq!(reason(&status), "BUDGET_EXHAUSTED");
        let subject = &status.get_details_precondition_failure().unwrap().violations[0].subject;
        assert_eq!(subject, "campaigns/spring/offers/ten");
        shop.commit("o3", "7", 300).await.unwrap();
        assert_eq!(shop.taken().await, [2, 1_000, 0, 0]);
        assert_eq!(shop.get("o2").await.unwrap_err().code(), tonic::Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_budget_that_caps_says_what_the_price_would_be() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, budget(1_000, Overrun::Cap)).await;
        shop.commit("o1", "7", 700).await.unwrap();
        let status = shop.commit("o2", "7", 400).await.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.reason, "PRICE_CHANGED");
        assert_eq!(
            (&*info.metadata["quoted_total"], &*info.metadata["current_total"]),
            ("26.00 EUR", "27.00 EUR")
        );
    })
    .await;
}

#[tokio::test]
async fn a_limit_per_customer_counts_customers_and_guests_and_needs_either() {
    engines(&MIGRATIONS, |db| async move {
        let limits = common::Limits { max_uses_per_customer: Some(1), ..common::Limits::default() };
        let shop = Shop::open(db, limits).await;
        shop.commit("o1", "7", 100).await.unwrap();
        assert_eq!(refused(shop.commit("o2", "7", 100).await), "CUSTOMER_LIMIT_REACHED");
        shop.commit("o3", "8", 100).await.unwrap();
        assert_eq!(refused(shop.commit("o4", "", 100).await), "CUSTOMER_REQUIRED");
        let guest = QuoteClaims { guest_key: "g".repeat(22), ..shop.claims("", 100) };
        shop.commit_as("o5", "r5", &guest).await.unwrap();
        assert_eq!(refused(shop.commit_as("o6", "r6", &guest).await), "CUSTOMER_LIMIT_REACHED");
    })
    .await;
}

#[tokio::test]
async fn a_limit_per_period_starts_anew_with_the_period() {
    engines(&MIGRATIONS, |db| async move {
        let limits = common::Limits {
            max_uses_per_customer_period: Some(1),
            customer_period: common::Recurrence::Day.into(),
            ..common::Limits::default()
        };
        let shop = Shop::open(db, limits).await;
        shop.commit("o1", "7", 100).await.unwrap();
        assert_eq!(refused(shop.commit("o2", "7", 100).await), "CUSTOMER_PERIOD_LIMIT_REACHED");
        shop.harness.clock.advance(SignedDuration::from_hours(12));
        shop.commit("o3", "7", 100).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_campaign_counts_all_its_offers_together() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let campaign = api::Campaign {
            name: "campaigns/spring".to_owned(),
            limits: Some(uses(1)),
            ..api::Campaign::default()
        };
        change(&shop, campaign, "limits").await;
        shop.commit("o1", "7", 100).await.unwrap();
        let status = shop.commit("o2", "7", 100).await.unwrap_err();
        assert_eq!(reason(&status), "OFFER_EXHAUSTED");
        let subject = &status.get_details_precondition_failure().unwrap().violations[0].subject;
        assert_eq!(subject, "campaigns/spring");
    })
    .await;
}

#[tokio::test]
async fn what_limits_have_used_is_told_with_what_is_held_and_left_and_the_customers_own() {
    engines(&MIGRATIONS, |db| async move {
        let limits = common::Limits {
            max_uses_per_customer: Some(2),
            recurrence: common::Recurrence::Day.into(),
            budgets: vec![euros(1_000)],
            ..uses(5)
        };
        let shop = Shop::open(db, limits).await;
        shop.commit("o1", "7", 300).await.unwrap();
        shop.hold("o2", "7", 200).await.unwrap();
        shop.hold("o3", "8", 100).await.unwrap();
        let told = async |name: &str, customer: &str| {
            let request = GetLimitsRequest {
                name: name.to_owned(),
                customer: customer.to_owned(),
                ..GetLimitsRequest::default()
            };
            let mut client = CampaignServiceClient::new(shop.harness.channel());
            client.get_limits(request).await.map(|answer| answer.into_inner().limits)
        };
        let offer = "campaigns/spring/offers/ten";
        let limits = told(offer, "customers/7").await.unwrap();
        let uses =
            |limit: &common::LimitUsage| (limit.max_uses, limit.uses, limit.uses_held, limit.uses_left);
        assert_eq!(uses(&limits[0]), (5, 1, 2, 2));
        assert!(limits[0].period_end_time.unwrap().seconds > shop.now().as_second());
        assert_eq!((limits[1].spent.clone(), limits[1].left.clone()), (Some(euros(300)), Some(euros(400))));
        assert_eq!(uses(&limits[2]), (2, 1, 1, 0));
        // Holds that have lapsed keep nothing, swept or not.
        shop.harness.clock.advance(SignedDuration::from_mins(15));
        assert_eq!(uses(&told(offer, "").await.unwrap()[0]), (5, 1, 0, 4));
        assert_eq!(told("campaigns/spring/offers/-", "").await.unwrap().len(), 2);
        assert_eq!(told("campaigns/spring", "").await.unwrap(), Vec::new());
        assert_eq!(refused(told("campaigns/spring/offers/none", "").await), "NOT_FOUND");
        assert_eq!(refused(told("campaigns/spring/rules/none", "").await), "INVALID_ARGUMENT");
    })
    .await;
}
