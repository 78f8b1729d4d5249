//! A writer reads what it wrote, and no write is missed, however long its transaction took.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tandem_platform::testing::{engines, postgres};
use tandem_platform::{Tenant, transact};
use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::*;
use tonic::{Request, Response};

use super::api::{asked, draft, euros, launch, line, mix, offer, percent, quote, refresh, store_product};
use crate::catalogue::written::{HEADER, PENDING};
use crate::testing::Harness;
use crate::{MIGRATIONS, catalogue};

async fn total(harness: &Harness, product: &str) -> i64 {
    let answer = quote(harness, asked(vec![line("a", product, 1)])).await.unwrap();
    let money = answer.totals.unwrap().total.unwrap();
    money.units * 100 + i64::from(money.nanos / 10_000_000)
}

fn is_pending<T>(answer: &Response<T>) -> bool {
    answer.metadata().get(HEADER).is_some_and(|value| value == PENDING)
}

fn a_product(id: &str, price: i64) -> CreateProductRequest {
    let prices = vec![ListPrice { place: String::new(), price: Some(euros(price)) }];
    let product = Product { prices, ..Product::default() };
    CreateProductRequest {
        product: Some(product),
        product_id: id.to_owned(),
        ..CreateProductRequest::default()
    }
}

#[tokio::test]
async fn every_write_of_the_catalogue_is_quoted_by_when_it_is_answered() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut products = ProductServiceClient::new(harness.channel());
        let mut campaigns = CampaignServiceClient::new(harness.channel());
        store_product(&harness, "0", 100).await;
        assert_eq!(total(&harness, "0").await, 100);

        let created = products.create_product(a_product("1", 1_000)).await.unwrap();
        assert!(!is_pending(&created));
        assert_eq!(total(&harness, "1").await, 1_000);
        let mut product = created.into_inner().product.unwrap();
        product.prices[0].price = Some(euros(2_000));
        let update = UpdateProductRequest { product: Some(product), ..UpdateProductRequest::default() };
        products.update_product(update).await.unwrap();
        assert_eq!(total(&harness, "1").await, 2_000);
        let batch = Product { name: "products/2".to_owned(), ..a_product("2", 300).product.unwrap() };
        let batch =
            BatchUpsertProductsRequest { products: vec![batch], ..BatchUpsertProductsRequest::default() };
        products.batch_upsert_products(batch).await.unwrap();
        assert_eq!(total(&harness, "2").await, 300);
        let name = "products/2".to_owned();
        products.archive_product(ArchiveProductRequest { name, ..Default::default() }).await.unwrap();
        assert!(quote(&harness, asked(vec![line("a", "2", 1)])).await.is_err());

        draft(&harness, "sale", &[], mix(vec![offer("ten", percent(100_000))], Vec::new())).await;
        let name = || "campaigns/sale".to_owned();
        launch(&harness, "sale").await;
        assert_eq!(total(&harness, "0").await, 90);
        let mix = Some(mix(vec![offer("ten", percent(200_000))], Vec::new()));
        let reason = "better".to_owned();
        let adapt = AdaptCampaignRequest { name: name(), mix, reason, ..Default::default() };
        campaigns.adapt_campaign(adapt).await.unwrap();
        assert_eq!(total(&harness, "0").await, 80);
        campaigns.pause_campaign(PauseCampaignRequest { name: name(), ..Default::default() }).await.unwrap();
        assert_eq!(total(&harness, "0").await, 100);
        campaigns
            .resume_campaign(ResumeCampaignRequest { name: name(), ..Default::default() })
            .await
            .unwrap();
        assert_eq!(total(&harness, "0").await, 80);
        campaigns.end_campaign(EndCampaignRequest { name: name(), ..Default::default() }).await.unwrap();
        assert_eq!(total(&harness, "0").await, 100);
    })
    .await;
}

#[tokio::test]
async fn a_write_that_quotes_do_not_follow_in_time_says_so_and_is_stored() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "0", 100).await;
        assert_eq!(total(&harness, "0").await, 100);
        let loads = &harness.app.snapshots.loads;
        let closed = loads.try_acquire_many(loads.available_permits().try_into().unwrap()).unwrap();
        let mut request = Request::new(a_product("1", 1_000));
        // The writer's own patience ends before ours.
        request.set_timeout(Duration::from_millis(800));
        let mut products = ProductServiceClient::new(harness.channel());
        let created = products.create_product(request).await.unwrap();
        assert!(is_pending(&created));
        drop(closed);
        refresh(&harness).await;
        assert_eq!(total(&harness, "1").await, 1_000);
    })
    .await;
}

#[tokio::test]
async fn who_writes_for_a_tenant_that_nobody_quotes_does_not_wait() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let loads = &harness.app.snapshots.loads;
        let _closed = loads.try_acquire_many(loads.available_permits().try_into().unwrap()).unwrap();
        let created = ProductServiceClient::new(harness.channel()).create_product(a_product("1", 1)).await;
        assert!(!is_pending(&created.unwrap()), "it is read before its first quote");
    })
    .await;
}

/// Changes a price as a command would that began at `began`.
async fn reprice(harness: &Harness, price: i64, began: Timestamp) {
    let tenant = Tenant::default();
    transact!(harness.app.db, |tx| {
        let version = catalogue::store::bump(tx, &tenant, began).await?;
        let product = crate::product::store::PRODUCTS.lock(tx, &tenant, "1").await?.unwrap();
        let mut definition = product.definition.clone();
        definition.prices[0].price.minor = price;
        let next = [product.define(definition, began)];
        crate::product::store::PRODUCTS.save(&next, Some(version))?.run(tx, &tenant).await
    })
    .unwrap();
}

#[tokio::test]
async fn a_write_that_took_long_is_found_and_one_that_took_too_long_by_the_full_look() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "1", 1_000).await;
        assert_eq!(total(&harness, "1").await, 1_000);
        refresh(&harness).await;
        let began = harness.app.clock.now();
        harness.clock.advance(SignedDuration::from_secs(2));
        refresh(&harness).await;
        harness.clock.advance(SignedDuration::from_secs(2));
        refresh(&harness).await;
        reprice(&harness, 2_000, began).await;
        refresh(&harness).await;
        assert_eq!(total(&harness, "1").await, 2_000);

        harness.clock.advance(SignedDuration::from_secs(5));
        refresh(&harness).await;
        reprice(&harness, 3_000, began).await;
        refresh(&harness).await;
        assert_eq!(total(&harness, "1").await, 2_000, "it is stamped with when it began");
        harness.clock.advance(SignedDuration::from_secs(1));
        refresh(&harness).await;
        assert_eq!(total(&harness, "1").await, 3_000, "every catalogue is looked at each ten seconds");
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_is_open_while_others_are_looked_at_is_not_missed() {
    postgres(&MIGRATIONS, |database| async move {
        let harness = Harness::new(database.db.clone());
        store_product(&harness, "1", 1_000).await;
        assert_eq!(total(&harness, "1").await, 1_000);
        refresh(&harness).await;
        let mut slow = database.connect().await;
        sqlx::query("BEGIN").execute(&mut slow).await.unwrap();
        let bump =
            "UPDATE catalogue_version SET version = version + 1, changed = $1 WHERE tenant = 'default'";
        let began = tandem_platform::db::Instant(harness.app.clock.now());
        sqlx::query(bump).bind(began).execute(&mut slow).await.unwrap();
        let archive = "UPDATE product SET state = 'ARCHIVED', catalogue_version = 2 WHERE tenant = 'default'";
        sqlx::query(archive).execute(&mut slow).await.unwrap();
        for _ in 0..4 {
            harness.clock.advance(SignedDuration::from_secs(1));
            refresh(&harness).await;
            assert_eq!(total(&harness, "1").await, 1_000);
        }
        sqlx::query("COMMIT").execute(&mut slow).await.unwrap();
        refresh(&harness).await;
        assert!(quote(&harness, asked(vec![line("a", "1", 1)])).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_database_that_was_set_back_is_read_anew() {
    engines(&MIGRATIONS, |db| async move {
        const SET_BACK: tandem_platform::db::Statement = tandem_platform::db::Statement::same(
            "UPDATE catalogue_version SET version = 1 WHERE tenant = 'default'",
        );
        let harness = Harness::new(db.clone());
        store_product(&harness, "1", 1_000).await;
        store_product(&harness, "2", 1_000).await;
        assert_eq!(total(&harness, "2").await, 1_000);
        transact!(db, |tx| {
            tandem_platform::on_engine!(tx, SET_BACK, |sql, conn| sqlx::query(sql)
                .execute(conn)
                .await
                .map(|_| ()))?;
            Ok(())
        })
        .unwrap();
        let before = harness.app.snapshots.known(&harness.call.tenant).unwrap().snapshot().unwrap();
        refresh(&harness).await;
        let after = harness.app.snapshots.known(&harness.call.tenant).unwrap().snapshot().unwrap();
        assert_eq!((before.version, after.version), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn quotes_answer_while_the_catalogue_is_read_again() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        store_product(&harness, "1", 1_000).await;
        assert_eq!(total(&harness, "1").await, 1_000);
        let loads = &harness.app.snapshots.loads;
        let _closed = loads.try_acquire_many(loads.available_permits().try_into().unwrap()).unwrap();
        let mut client = PricingServiceClient::new(harness.channel());
        client.quote(asked(vec![line("a", "1", 1)])).await.unwrap();
    })
    .await;
}
