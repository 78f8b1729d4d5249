//! Limits that hold for every segment of an audience: "at most two students and two teachers".

use tandem_kernel::limits::CounterKind;
use tandem_platform::counters;
use tandem_proto::campaign::v1::UpdateCampaignRequest;
use tandem_proto::common::v1::{LimitDimension, ValueLimit};

use super::*;

const AUDIENCE: [&str; 2] = ["students", "teachers"];

fn per_segment(max_uses: i64) -> common::Limits {
    let limit = ValueLimit {
        dimension: LimitDimension::Segment.into(),
        max_uses: Some(max_uses),
        ..ValueLimit::default()
    };
    common::Limits { per_value: vec![limit], ..common::Limits::default() }
}

/// The campaign and its offer are for students and teachers; of the offer so many uses per segment.
async fn open(db: Db, max_uses: i64) -> Shop {
    let harness = Harness::with(db, Config::default());
    let offer = api::Offer { limits: Some(per_segment(max_uses)), ..offer("ten", percent(100_000)) };
    draft(&harness, "spring", &AUDIENCE, mix(vec![offer], vec![])).await;
    launch(&harness, "spring").await;
    Shop { harness }
}

impl Shop {
    async fn sell_to(&self, segments: &[&str], order: &str) -> Result<Order, Status> {
        let mut claims = self.claims("7", 100);
        claims.offers[0].segments = segments.iter().map(|id| (*id).to_owned()).collect();
        self.commit_as(order, &format!("commit-{order}"), &claims).await
    }

    /// Uses of the offer by segment, and of the campaign.
    async fn of_segments(&self, owner: &str) -> Vec<(String, i64)> {
        let mut reader = self.harness.app.db.read().await.unwrap();
        let rows = counters::all(&mut reader, &self.harness.call.tenant).await.unwrap();
        let mut told: Vec<(String, i64)> = rows
            .into_iter()
            .filter(|(key, _)| key.kind == CounterKind::ValueUses && &*key.owner == owner)
            .map(|(key, tally)| (key.subject.to_string(), tally.used))
            .collect();
        told.sort_unstable();
        told
    }

    async fn limit_campaign(&self, limits: common::Limits, segments: &[&str]) -> Result<(), Status> {
        let campaign = api::Campaign {
            limits: Some(limits),
            segments: segments.iter().map(|id| format!("segments/{id}")).collect(),
            ..api::Campaign::default()
        };
        let paths = ["limits", "segments"].map(str::to_owned).to_vec();
        let request = UpdateCampaignRequest {
            campaign: Some(api::Campaign { name: "campaigns/spring".to_owned(), ..campaign }),
            update_mask: Some(prost_types::FieldMask { paths }),
            ..UpdateCampaignRequest::default()
        };
        CampaignServiceClient::new(self.harness.channel()).update_campaign(request).await.map(|_| ())
    }
}

fn count(segment: &str, uses: i64) -> (String, i64) {
    (format!("segment={segment}"), uses)
}

const OFFER: &str = "campaigns/spring/offers/ten";

#[tokio::test]
async fn who_is_in_two_segments_counts_in_both_and_is_refused_where_either_is_full() {
    engines(&MIGRATIONS, |db| async move {
        let shop = open(db, 2).await;
        shop.sell_to(&["students", "teachers"], "o1").await.unwrap();
        shop.sell_to(&["students"], "o2").await.unwrap();
        assert_eq!(refused(shop.sell_to(&["students"], "o3").await), "OFFER_EXHAUSTED");
        assert_eq!(refused(shop.sell_to(&["students", "teachers"], "o3").await), "OFFER_EXHAUSTED");
        shop.sell_to(&["teachers"], "o4").await.unwrap();
        assert_eq!(shop.of_segments(OFFER).await, [count("students", 2), count("teachers", 2)]);
        shop.cancel("o1").await.unwrap();
        assert_eq!(shop.of_segments(OFFER).await, [count("students", 1), count("teachers", 1)]);
        shop.sell_to(&["students", "teachers"], "o5").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_quote_that_does_not_say_in_which_segments_its_customer_was_is_refused() {
    engines(&MIGRATIONS, |db| async move {
        let shop = open(db, 2).await;
        let status = shop.commit("o1", "7", 100).await.unwrap_err();
        assert_eq!(reason(&status), "LIMIT_VALUE_REQUIRED");
        assert_eq!(&*status.get_error_details().error_info().unwrap().metadata["dimension"], "segment");
    })
    .await;
}

#[tokio::test]
async fn a_campaign_is_limited_by_segment_over_all_its_offers() {
    engines(&MIGRATIONS, |db| async move {
        let shop = open(db, 9).await;
        shop.limit_campaign(per_segment(1), &AUDIENCE).await.unwrap();
        shop.sell_to(&["students"], "o1").await.unwrap();
        assert_eq!(refused(shop.sell_to(&["students", "teachers"], "o2").await), "OFFER_EXHAUSTED");
        shop.sell_to(&["teachers"], "o2").await.unwrap();
        let both = [count("students", 1), count("teachers", 1)];
        assert_eq!(shop.of_segments("campaigns/spring").await, both);
        assert_eq!(shop.of_segments(OFFER).await, both);
    })
    .await;
}

#[tokio::test]
async fn what_is_for_everyone_cannot_be_limited_by_segment() {
    engines(&MIGRATIONS, |db| async move {
        let shop = open(db, 2).await;
        let status = shop.limit_campaign(per_segment(1), &[]).await.unwrap_err();
        let details = status.get_error_details();
        let mut fields: Vec<&str> =
            details.bad_request().unwrap().field_violations.iter().map(|one| one.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            ["campaign.mix.price.offers[0].limits.per_value[0].dimension", "campaign.segments"]
        );
        // Nothing has changed.
        shop.sell_to(&["students"], "o1").await.unwrap();
        assert!(shop.of_segments("campaigns/spring").await.is_empty());
    })
    .await;
}
