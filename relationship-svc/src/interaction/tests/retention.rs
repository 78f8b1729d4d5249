//! How long tenants keep what happened: each by its own settings, at once where they change.

use jiff::SignedDuration;
use tandem_platform::{Tenant, testing, transact};
use tandem_proto::relationship::v1::{
    Interaction, InteractionType, ListInteractionsRequest, RecordInteractionsRequest, RecordResult,
    Retention, Settings,
};

use super::super::store::due;
use super::super::{Details, Kind, store, tasks};
use super::{GUEST, ago, by_guest, client, ids, of, visit};
use crate::MIGRATIONS;
use crate::relationship::{Who, days};
use crate::testing::{Harness, of_tenant, set};

fn traces(days: i32) -> Settings {
    let retention = Retention { trace_days: Some(days), ..Retention::default() };
    Settings { retention: Some(retention), ..Settings::default() }
}

async fn sent(harness: &Harness, tenant: &'static str, interactions: Vec<Interaction>) -> Vec<RecordResult> {
    let interactions = interactions.into_iter().map(by_guest).collect();
    let request = of_tenant(tenant, RecordInteractionsRequest { interactions });
    client(harness).record_interactions(request).await.unwrap().into_inner().results
}

async fn recorded(harness: &Harness, tenant: &'static str, interactions: Vec<Interaction>) {
    for result in sent(harness, tenant, interactions).await {
        assert!(result.created, "{result:?}");
    }
}

async fn kept(harness: &Harness, tenant: &'static str) -> Vec<String> {
    let request =
        ListInteractionsRequest { guest_key: GUEST.to_owned(), ..ListInteractionsRequest::default() };
    let page = client(harness).list_interactions(of_tenant(tenant, request)).await.unwrap().into_inner();
    ids(&page.entries)
}

/// Types at which the next pass looks.
async fn due(harness: &Harness) -> Vec<(Tenant, Kind)> {
    due::due(&mut harness.app.db.read().await.unwrap(), harness.app.clock.now(), 100).await.unwrap()
}

#[tokio::test]
async fn two_tenants_keep_what_happened_for_as_long_as_each_says() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let said = || of("r1", InteractionType::Review, ago(40));
        for tenant in ["default", "shop-7"] {
            recorded(&harness, tenant, vec![visit("v1", ago(40)), visit("v2", ago(29)), said()]).await;
        }
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 0);
        set(&harness, "shop-7", traces(30)).await.unwrap();
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 1, "what is there too, at once");
        assert_eq!(kept(&harness, "shop-7").await, ["v2", "r1"]);
        assert_eq!(kept(&harness, "default").await, ["v2", "v1", "r1"]);
        let refused = sent(&harness, "shop-7", vec![visit("v3", ago(30)), visit("v4", ago(1))]).await;
        let message = &refused[0].status.as_ref().unwrap().message;
        assert!(message.contains("30 days") && refused[1].created, "{message}");
        recorded(&harness, "default", vec![visit("v3", ago(30))]).await;
        harness.clock.advance(days(1));
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 1);
        assert_eq!(kept(&harness, "shop-7").await, ["v4", "r1"]);
        set(&harness, "default", traces(1_000)).await.unwrap();
        recorded(&harness, "default", vec![visit("v0", ago(900))]).await;
        harness.clock.advance(days(98));
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 1, "the last visit of the other tenant");
        harness.clock.advance(days(1));
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 1);
        assert_eq!(kept(&harness, "default").await, ["v2", "v3", "v1", "r1"]);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_looked_at_until_something_is_over() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        recorded(&harness, "default", vec![visit("v1", ago(10))]).await;
        assert_eq!(due(&harness).await, [(Tenant::default(), Kind::Visit)], "the first of its type");
        tasks::forget(&harness.app).await.unwrap();
        assert!(due(&harness).await.is_empty());
        recorded(&harness, "default", vec![visit("v2", ago(10)), visit("v3", ago(0))]).await;
        assert!(due(&harness).await.is_empty(), "nothing older came");
        recorded(&harness, "default", vec![visit("v4", ago(11))]).await;
        assert_eq!(due(&harness).await.len(), 1, "something older did");
        tasks::forget(&harness.app).await.unwrap();
        harness.clock.advance(days(384) - SignedDuration::from_secs(1));
        assert!(due(&harness).await.is_empty());
        harness.clock.advance(SignedDuration::from_secs(1));
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 1, "at the moment when it is over");
    })
    .await;
}

#[tokio::test]
async fn what_was_on_its_way_when_it_was_looked_is_found() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        recorded(&harness, "default", vec![visit("v1", ago(394))]).await;
        tasks::forget(&harness.app).await.unwrap();
        harness.clock.advance(days(1));
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 1);
        // It was told while what was forgotten was the oldest, and is written after the look.
        let late = super::super::Interaction {
            event_id: "late".to_owned(),
            kind: Kind::Visit,
            at: ago(390),
            who: Who::Guest(GUEST.to_owned()),
            amount: None,
            order: None,
            rating: None,
            details: Details::default(),
            hash: [0; 32],
        };
        let (rows, now) = ([(late.who.clone(), late)], harness.app.clock.now());
        transact!(harness.app.db, |tx| { store::insert(&rows, now)?.run(tx, &Tenant::default()).await })
            .unwrap();
        harness.clock.advance(SignedDuration::from_mins(3));
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 0);
        harness.clock.advance(days(4));
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 1);
    })
    .await;
}
