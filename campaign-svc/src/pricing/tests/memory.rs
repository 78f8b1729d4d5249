//! Nothing is answered from a catalogue that was not read: starts, silent tenants, and those that cannot be loaded.

use std::time::Duration;

use futures::join;
use jiff::SignedDuration;
use tandem_platform::db::Statement;
use tandem_platform::grpc::Serving;
use tandem_platform::lifecycle::readiness;
use tandem_platform::testing::{engines, second_handle};
use tandem_platform::{Db, grpc, on_engine, transact};
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::*;
use tokio::sync::{SemaphorePermit, oneshot};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::api::{asked, draft, euros, launch, line, mix, offer, percent, quote, refresh, store_product};
use crate::MIGRATIONS;
use crate::pricing::tasks;
use crate::testing::Harness;

/// A product of 100.00 and 5 % off everything.
async fn five_percent(harness: &Harness) {
    store_product(harness, "1", 10_000).await;
    draft(harness, "sale", &[], mix(vec![offer("five", percent(50_000))], Vec::new())).await;
    launch(harness, "sale").await;
}

/// Another replica, just started.
fn started(db: &Db) -> Harness {
    Harness::new(second_handle(db))
}

/// Keeps every load of a replica from beginning.
fn gate(harness: &Harness) -> SemaphorePermit<'_> {
    let loads = &harness.app.snapshots.loads;
    loads.try_acquire_many(loads.available_permits().try_into().unwrap()).unwrap()
}

fn one() -> QuoteRequest {
    asked(vec![line("a", "1", 1)])
}

/// By another tenant.
fn by<T>(tenant: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(grpc::TENANT, tenant.parse().unwrap());
    request
}

/// By a caller who waits a little.
fn briefly<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_millis(200));
    request
}

fn minor(money: Option<tandem_proto::common::v1::Money>) -> i64 {
    let money = money.unwrap();
    money.units * 100 + i64::from(money.nanos / 10_000_000)
}

async fn total(harness: &Harness) -> i64 {
    minor(quote(harness, one()).await.unwrap().totals.unwrap().total)
}

async fn total_of(harness: &Harness, tenant: &'static str) -> Result<i64, Status> {
    let answer = PricingServiceClient::new(harness.channel()).quote(by(tenant, one())).await?;
    Ok(minor(answer.into_inner().totals.unwrap().total))
}

async fn age(harness: &Harness) -> i64 {
    quote(harness, one()).await.unwrap().snapshot_age.unwrap().seconds
}

fn assert_loading(refused: &Status) {
    let info = refused.get_details_error_info().unwrap();
    assert_eq!((refused.code(), info.reason.as_str()), (Code::Unavailable, "CATALOGUE_LOADING"));
    assert!(refused.get_details_retry_info().unwrap().retry_delay.unwrap() > Duration::ZERO);
}

/// Writes something no release can read, and mends it.
async fn set_categories(db: &Db, tenant: &str, categories: &str) {
    const SET: Statement = Statement::pair(
        "UPDATE product SET categories = $2::jsonb, catalogue_version = 1000 WHERE tenant = $1",
        "UPDATE product SET categories = $2, catalogue_version = 1000 WHERE tenant = $1",
    );
    transact!(*db, |tx| {
        on_engine!(tx, SET, |sql, conn| {
            sqlx::query(sql).bind(tenant).bind(categories).execute(conn).await.map(|_| ())
        })?;
        Ok(())
    })
    .unwrap();
}

async fn store_for(harness: &Harness, tenant: &'static str) {
    let product = Product {
        prices: vec![ListPrice { place: String::new(), price: Some(euros(700)) }],
        ..Product::default()
    };
    let request = CreateProductRequest {
        product: Some(product),
        product_id: "1".to_owned(),
        ..CreateProductRequest::default()
    };
    ProductServiceClient::new(harness.channel()).create_product(by(tenant, request)).await.unwrap();
}

#[tokio::test]
async fn the_first_answer_after_a_start_knows_the_catalogue() {
    engines(&MIGRATIONS, |db| async move {
        five_percent(&Harness::new(db.clone())).await;
        assert_eq!(total(&started(&db)).await, 9_500);

        let first = started(&db);
        let request = BatchQuoteRequest { requests: vec![one(), one()] };
        let answer = PricingServiceClient::new(first.channel()).batch_quote(request).await.unwrap();
        for result in answer.into_inner().results {
            assert_eq!(minor(result.quote.unwrap().totals.unwrap().total), 9_500);
        }

        let first = started(&db);
        let request = ListApplicableOffersRequest::default();
        let answer =
            PricingServiceClient::new(first.channel()).list_applicable_offers(request).await.unwrap();
        assert_eq!(answer.into_inner().offers.len(), 1);

        let first = started(&db);
        let request =
            ExplainOfferRequest { offer: "campaigns/sale/offers/five".to_owned(), quote: Some(one()) };
        let answer = PricingServiceClient::new(first.channel()).explain_offer(request).await.unwrap();
        assert_eq!(answer.into_inner().decision.unwrap().outcome(), DecisionOutcome::Applied);
    })
    .await;
}

#[tokio::test]
async fn a_replica_is_ready_once_the_catalogues_that_are_used_are_read() {
    engines(&MIGRATIONS, |db| async move {
        five_percent(&Harness::new(db.clone())).await;
        let replica = started(&db);
        let (app, closed) = (&replica.app, gate(&replica));
        tasks::start(app);
        let (health, address) = (
            tandem_platform::shell::Program::services(app).with_health().await.1,
            ([127, 0, 0, 1], 1).into(),
        );
        let (ready, mut told) = oneshot::channel();
        let ready = move |_| ready.send(()).unwrap();
        readiness::watch(&app.db, &MIGRATIONS, &app.tasks, &health, &app.first_loads, address, ready);
        // The database answers, its schema is current, and still:
        assert_eq!(
            readiness::can_serve(&app.db, &MIGRATIONS, &app.first_loads).await.unwrap(),
            Serving::Nothing
        );
        assert!(told.try_recv().is_err());
        drop(closed);
        told.await.unwrap();
        assert_eq!(
            readiness::can_serve(&app.db, &MIGRATIONS, &app.first_loads).await.unwrap(),
            Serving::Everything
        );
        // What is held needs no load.
        let _closed = gate(&replica);
        assert_eq!(total(&replica).await, 9_500);
        app.tasks.finish_background(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test]
async fn whoever_was_silent_for_long_does_not_hold_up_a_start() {
    engines(&MIGRATIONS, |db| async move {
        five_percent(&Harness::new(db.clone())).await;
        let tenant = Harness::new(db.clone()).call.tenant;
        let later = started(&db);
        later.clock.advance(SignedDuration::from_hours(8 * 24));
        later.app.snapshots.first_load(&later.app).await.unwrap();
        assert!(later.app.snapshots.known(&tenant).is_none());
        assert_eq!(total(&later).await, 9_500);
        // Which is written down: the next one that starts has it ready.
        let held = later.app.snapshots.known(&tenant).unwrap();
        while held.use_to_note().is_some() {
            tokio::task::yield_now().await;
        }
        let next = started(&db);
        next.clock.set(later.app.clock.now() + SignedDuration::from_hours(6 * 24));
        next.app.snapshots.first_load(&next.app).await.unwrap();
        let held = next.app.snapshots.known(&tenant).unwrap();
        assert!(held.has_catalogue());
        assert_eq!(held.use_to_note(), None, "a start is not somebody who asks");
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_cannot_wait_is_told_to_come_back_and_the_load_goes_on() {
    engines(&MIGRATIONS, |db| async move {
        five_percent(&Harness::new(db.clone())).await;
        let replica = started(&db);
        let closed = gate(&replica);
        let mut client = PricingServiceClient::new(replica.channel());
        assert_loading(&client.quote(briefly(one())).await.unwrap_err());
        let mut own = one();
        own.basket.as_mut().unwrap().lines[0].unit_price = Some(euros(10_000));
        assert_loading(&client.quote(briefly(own)).await.unwrap_err());
        let each = client.batch_quote(briefly(BatchQuoteRequest { requests: vec![one()] })).await.unwrap();
        assert_eq!(each.into_inner().results[0].status.as_ref().unwrap().code, Code::Unavailable as i32);
        let list = ListApplicableOffersRequest::default();
        assert_loading(&client.list_applicable_offers(briefly(list)).await.unwrap_err());
        drop(closed);
        let held = replica.app.snapshots.known(&replica.call.tenant).unwrap();
        assert!(held.ended(1, None).await, "nobody waits for it any more");
        assert_eq!(total(&replica).await, 9_500);
    })
    .await;
}

#[tokio::test]
async fn first_quotes_of_a_tenant_share_one_load() {
    engines(&MIGRATIONS, |db| async move {
        five_percent(&Harness::new(db.clone())).await;
        let replica = started(&db);
        let closed = gate(&replica);
        let (mut first, mut second) = (Box::pin(total(&replica)), Box::pin(total(&replica)));
        assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut second).is_pending());
        drop(closed);
        assert_eq!(join!(first, second), (9_500, 9_500));
        let held = replica.app.snapshots.known(&replica.call.tenant).unwrap();
        assert_eq!(held.want().round, 2, "one has been");
    })
    .await;
}

#[tokio::test]
async fn a_catalogue_that_cannot_be_read_holds_up_its_tenant_alone() {
    engines(&MIGRATIONS, |db| async move {
        let before = Harness::new(db.clone());
        five_percent(&before).await;
        store_for(&before, "broken").await;
        set_categories(&db, "broken", "17").await;

        let replica = started(&db);
        replica.app.snapshots.first_load(&replica.app).await.unwrap();
        assert!(replica.app.first_loads.are_done());
        assert_eq!(total(&replica).await, 9_500);
        assert_loading(&total_of(&replica, "broken").await.unwrap_err());
        store_product(&before, "2", 200).await;
        refresh(&replica).await;
        let second = quote(&replica, asked(vec![line("a", "2", 1)])).await.unwrap();
        assert_eq!(minor(second.totals.unwrap().total), 190);

        set_categories(&db, "broken", "[]").await;
        assert_loading(&total_of(&replica, "broken").await.unwrap_err());
        replica.clock.advance(SignedDuration::from_secs(1));
        assert_eq!(total_of(&replica, "broken").await.unwrap(), 700, "it is tried again");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_taken_in_leaves_the_last_snapshot_and_its_age() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        store_for(&harness, "broken").await;
        five_percent(&harness).await;
        assert_eq!(total_of(&harness, "broken").await.unwrap(), 700);
        assert_eq!(total(&harness).await, 9_500);
        refresh(&harness).await;
        harness.clock.advance(SignedDuration::from_secs(20));
        let other = tandem_platform::Tenant::parse("broken").unwrap();
        let now = harness.app.clock.now();
        transact!(db, |tx| { crate::catalogue::store::bump(tx, &other, now).await }).unwrap();
        set_categories(&db, "broken", "17").await;
        refresh(&harness).await;
        let mut client = PricingServiceClient::new(harness.channel());
        let answer = client.quote(by("broken", one())).await.unwrap().into_inner();
        assert_eq!(minor(answer.totals.unwrap().total), 700);
        assert_eq!(answer.snapshot_age.unwrap().seconds, 20);
        assert_eq!(age(&harness).await, 0);

        set_categories(&db, "broken", "[]").await;
        harness.clock.advance(SignedDuration::from_secs(1));
        refresh(&harness).await;
        let answer = client.quote(by("broken", one())).await.unwrap().into_inner();
        assert_eq!(answer.snapshot_age.unwrap().seconds, 0, "it was tried again");
    })
    .await;
}

#[tokio::test]
async fn the_age_counts_from_the_load() {
    engines(&MIGRATIONS, |db| async move {
        five_percent(&Harness::new(db.clone())).await;
        let replica = started(&db);
        replica.clock.advance(SignedDuration::from_secs(100));
        assert_eq!(age(&replica).await, 0);
        replica.clock.advance(SignedDuration::from_secs(30));
        assert_eq!(age(&replica).await, 30);
        refresh(&replica).await;
        assert_eq!(age(&replica).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_starts_without_its_database_prices_nothing() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        db.close().await;
        let mut own = one();
        own.basket.as_mut().unwrap().lines[0].unit_price = Some(euros(10_000));
        assert_loading(&quote(&harness, own.clone()).await.unwrap_err());
        assert_loading(&quote(&harness, own).await.unwrap_err());
        assert!(harness.app.snapshots.first_load(&harness.app).await.is_err());
        assert!(!harness.app.first_loads.are_done());
    })
    .await;
}

#[tokio::test]
async fn what_nobody_asks_for_is_given_back_and_read_again() {
    engines(&MIGRATIONS, |db| async move {
        let replica = started(&db);
        five_percent(&replica).await;
        assert_eq!(total(&replica).await, 9_500);
        refresh(&replica).await;
        let tenant = &replica.call.tenant;
        replica.clock.advance(SignedDuration::from_mins(14));
        refresh(&replica).await;
        assert!(replica.app.snapshots.known(tenant).is_some());
        assert_eq!(total(&replica).await, 9_500);
        replica.clock.advance(SignedDuration::from_mins(16));
        refresh(&replica).await;
        assert!(replica.app.snapshots.known(tenant).is_none());

        let name = "campaigns/sale".to_owned();
        let pause = PauseCampaignRequest { name, ..PauseCampaignRequest::default() };
        let mut other = campaign_service_client::CampaignServiceClient::new(started(&db).channel());
        other.pause_campaign(pause).await.unwrap();
        assert_eq!(total(&replica).await, 10_000);
    })
    .await;
}

#[tokio::test]
async fn names_without_a_catalogue_are_given_back_soon() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        assert_eq!(total_of(&harness, "made-up").await.unwrap_err().code(), Code::InvalidArgument);
        let made_up = tandem_platform::Tenant::parse("made-up").unwrap();
        assert!(harness.app.snapshots.known(&made_up).is_some());
        harness.clock.advance(SignedDuration::from_mins(2));
        refresh(&harness).await;
        assert!(harness.app.snapshots.known(&made_up).is_none());
    })
    .await;
}
