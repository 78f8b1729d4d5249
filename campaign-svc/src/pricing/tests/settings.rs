//! What of a quote a tenant sets, and what a snapshot reaches back for.

use jiff::SignedDuration;
use tandem_platform::testing::{engines, postgres, second_handle};
use tandem_proto::campaign::v1::{QuoteResponse, Settings};

use super::api::{
    asked, draft, launch, line, mix, offer, percent, price_rule, quote, refresh, store_product,
};
use crate::MIGRATIONS;
use crate::settings::tests::{seconds, set};
use crate::testing::Harness;

/// A basket of one product.
async fn priced(harness: &Harness) -> QuoteResponse {
    quote(harness, asked(vec![line("a", "1", 1)])).await.unwrap()
}

/// For how many seconds a quote holds.
async fn holds_for(harness: &Harness) -> i64 {
    let until = priced(harness).await.valid_until.unwrap().seconds;
    until - harness.app.clock.now().as_second()
}

async fn set_ttl(harness: &Harness, ttl: i64) {
    set(harness, Settings { quote_ttl: seconds(ttl), ..Settings::default() }, &[]).await.unwrap();
}

#[tokio::test]
async fn a_quote_holds_for_as_long_as_the_tenant_says_also_while_the_database_is_away() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        store_product(&harness, "1", 1_000).await;
        assert_eq!(holds_for(&harness).await, 900);
        set_ttl(&harness, 60).await;
        assert_eq!(holds_for(&harness).await, 60);
        set(&harness, Settings::default(), &["quote_ttl"]).await.unwrap();
        assert_eq!(holds_for(&harness).await, 900);
        set_ttl(&harness, 30).await;
        db.close().await;
        harness.clock.advance(SignedDuration::from_secs(600));
        assert_eq!(holds_for(&harness).await, 30);
    })
    .await;
}

#[tokio::test]
async fn another_replica_goes_by_what_was_set_here() {
    postgres(&MIGRATIONS, |database| async move {
        let here = Harness::new(database.db.clone());
        let there = Harness::new(second_handle(&database.db));
        store_product(&here, "1", 1_000).await;
        assert_eq!(holds_for(&there).await, 900);
        set_ttl(&here, 60).await;
        assert_eq!(holds_for(&there).await, 60);
    })
    .await;
}

#[tokio::test]
async fn a_quote_that_says_no_locale_is_told_titles_in_the_tenants() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "1", 1_000).await;
        let mut ten = offer("ten", percent(100_000));
        ten.titles.insert("de".to_owned(), "Zehn".to_owned());
        draft(&harness, "c", &[], mix(vec![ten], Vec::new())).await;
        launch(&harness, "c").await;
        let titled = async |locale: &str| {
            let mut request = asked(vec![line("a", "1", 1)]);
            request.locale = locale.to_owned();
            quote(&harness, request).await.unwrap().decisions[0].title.clone()
        };
        assert_eq!(titled("").await, "title of ten");
        set(&harness, Settings { locale: "de-AT".to_owned(), ..Settings::default() }, &[]).await.unwrap();
        assert_eq!((titled("").await, titled("en").await), ("Zehn".to_owned(), "title of ten".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn where_campaigns_may_be_longer_more_of_the_past_is_read() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let limit = async |days| {
            let settings = Settings { campaign_max_days: Some(days), ..Settings::default() };
            set(&harness, settings, &[]).await.unwrap();
        };
        let held = async || harness.app.snapshots.of(&harness.app, &harness.call).await.unwrap();
        store_product(&harness, "1", 1_000).await;
        draft(&harness, "old", &[], mix(Vec::new(), vec![price_rule("cut", 800)])).await;
        launch(&harness, "old").await;
        limit(7).await;
        // July is over for 50 days: twice 7 and 30 reach less far back, twice 31 and 30 further.
        harness.clock.advance(SignedDuration::from_hours(24 * 81));
        refresh(&harness).await;
        assert!(held().await.campaign("old").is_none());
        limit(31).await;
        harness.clock.advance(SignedDuration::from_mins(1));
        refresh(&harness).await;
        let known = held().await;
        assert!(known.campaign("old").is_some_and(|campaign| !campaign.open_prices.is_empty()));
        refresh(&harness).await;
        assert!(std::sync::Arc::ptr_eq(&known, &held().await), "it is read once");
        limit(7).await;
        harness.clock.advance(SignedDuration::from_mins(1));
        refresh(&harness).await;
        store_product(&harness, "2", 1_000).await;
        refresh(&harness).await;
        limit(31).await;
        harness.clock.advance(SignedDuration::from_mins(1));
        refresh(&harness).await;
        assert!(held().await.campaign("old").is_some(), "and again where less was kept meanwhile");
    })
    .await;
}
