//! How the snapshot follows the catalogue.

use std::sync::Arc;

use jiff::SignedDuration;
use tandem_platform::testing::{engines, postgres, second_handle};
use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::*;

use super::api::{asked, draft, launch, line, mix, offer, percent, quote, refresh, store_product};
use crate::MIGRATIONS;
use crate::pricing::snapshot::Snapshot;
use crate::testing::Harness;

async fn held(harness: &Harness) -> Arc<Snapshot> {
    harness.app.snapshots.of(&harness.app, &harness.call).await.unwrap()
}

async fn total(harness: &Harness) -> i64 {
    let response = quote(harness, asked(vec![line("a", "1", 1)])).await.unwrap();
    let total = response.totals.unwrap().total.unwrap();
    total.units * 100 + i64::from(total.nanos / 10_000_000)
}

#[tokio::test]
async fn every_change_is_taken_in_and_nothing_else_is_loaded_again() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "1", 1_000).await;
        refresh(&harness).await;
        assert_eq!(total(&harness).await, 1_000);
        let before = held(&harness).await;
        refresh(&harness).await;
        assert!(Arc::ptr_eq(&before, &held(&harness).await));

        draft(&harness, "c", &[], mix(vec![offer("ten", percent(100_000))], Vec::new())).await;
        launch(&harness, "c").await;
        refresh(&harness).await;
        assert_eq!(total(&harness).await, 900);

        let mut campaigns = CampaignServiceClient::new(harness.channel());
        let name = || "campaigns/c".to_owned();
        let later = jiff::Timestamp::from_second(1_782_907_200 + 3_600).unwrap();
        let adapt = AdaptCampaignRequest {
            name: name(),
            mix: Some(mix(vec![offer("ten", percent(200_000))], Vec::new())),
            effective_time: Some(tandem_proto::convert::to_timestamp(later)),
            reason: "it goes well".to_owned(),
            ..AdaptCampaignRequest::default()
        };
        campaigns.adapt_campaign(adapt).await.unwrap();
        refresh(&harness).await;
        assert_eq!(total(&harness).await, 900);
        harness.clock.set(later);
        assert_eq!(total(&harness).await, 800, "the clock alone brings the revision into effect");

        campaigns.pause_campaign(PauseCampaignRequest { name: name(), ..Default::default() }).await.unwrap();
        refresh(&harness).await;
        assert_eq!(total(&harness).await, 1_000);
        campaigns
            .resume_campaign(ResumeCampaignRequest { name: name(), ..Default::default() })
            .await
            .unwrap();
        refresh(&harness).await;
        assert_eq!(total(&harness).await, 800);
        campaigns.end_campaign(EndCampaignRequest { name: name(), ..Default::default() }).await.unwrap();
        refresh(&harness).await;
        assert_eq!(total(&harness).await, 1_000);

        let archive = ArchiveProductRequest { name: "products/1".to_owned(), ..Default::default() };
        ProductServiceClient::new(harness.channel()).archive_product(archive).await.unwrap();
        refresh(&harness).await;
        assert!(quote(&harness, asked(vec![line("a", "1", 1)])).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_deleted_draft_is_gone() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        draft(&harness, "c", &[], mix(vec![offer("ten", percent(100_000))], Vec::new())).await;
        refresh(&harness).await;
        let request = DeleteCampaignRequest { name: "campaigns/c".to_owned(), ..Default::default() };
        CampaignServiceClient::new(harness.channel()).delete_campaign(request).await.unwrap();
        refresh(&harness).await;
        assert!(held(&harness).await.campaign("c").is_none());
    })
    .await;
}

#[tokio::test]
async fn another_replica_finds_what_was_changed_here() {
    postgres(&MIGRATIONS, |database| async move {
        let here = Harness::new(database.db.clone());
        let there = Harness::new(second_handle(&database.db));
        store_product(&here, "1", 1_000).await;
        refresh(&there).await;
        assert_eq!(total(&there).await, 1_000);
        draft(&here, "c", &[], mix(vec![offer("ten", percent(100_000))], Vec::new())).await;
        launch(&here, "c").await;
        refresh(&there).await;
        assert_eq!(total(&there).await, 900);
    })
    .await;
}

#[tokio::test]
async fn without_the_database_the_last_snapshot_serves_and_says_its_age() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        store_product(&harness, "1", 1_000).await;
        assert_eq!(total(&harness).await, 1_000);
        refresh(&harness).await;
        assert_eq!(total(&harness).await, 1_000);
        db.close().await;
        harness.clock.advance(SignedDuration::from_secs(90));
        assert!(harness.app.snapshots.refresh(&harness.app).await.is_err());
        let response = quote(&harness, asked(vec![line("a", "1", 1)])).await.unwrap();
        assert_eq!(response.totals.unwrap().total.unwrap().units, 10);
        assert_eq!(response.snapshot_age.unwrap().seconds, 90);
    })
    .await;
}
