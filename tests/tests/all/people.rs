//! People whom one may write to, or not any more: as an operator types it, and where a process dies in the midst of it.

use std::time::Duration;

use tandem_platform::Db;
use tandem_platform::config::DatabaseConfig;
use tandem_platform::testing::holding;
use tandem_proto::campaign::v1::{CommitOrderRequest, OrderState};
use tandem_proto::common::v1::Limits;
use tandem_proto::relationship::v1::consent_service_client::ConsentServiceClient;
use tandem_proto::relationship::v1::*;
use tandem_tests::answer::named;
use tandem_tests::database::{Database, Engine};
use tandem_tests::process::Service;
use tandem_tests::stage::orders::{OFFER, Shop, Step, cancel};
use tandem_tests::stage::{Relationship, start_relationship};

use crate::cli::Up;

#[test]
fn a_customer_is_asked_opts_in_unsubscribes_and_is_erased_from_the_command_line() {
    let up = Up::start();
    let table = up.file("people.csv", "id,display_name,email\n7,Ada,Ada@example.org\n");
    up.tandem(&["customers", "import", "--file", &table]);
    let newsletter = ["--purpose", "newsletter", "--channel", "email"];
    let check = || up.tandem(&[&["consents", "check", "7"][..], &newsletter].concat()).trim().to_owned();
    assert_eq!(check(), "no: no consent");
    let record = |state: &str| {
        let said = ["--state", state, "--text", "2026-01", "--source", "web-form"];
        up.tandem(&[&["consents", "record", "7"][..], &newsletter, &said].concat())
    };
    let token = record("pending").lines().last().unwrap().to_owned();
    assert_eq!(check(), "no: pending");
    up.tandem(&["consents", "confirm", &token, "--client-address", "192.0.2.7"]);
    assert_eq!(check(), "yes");
    assert!(up.refused(&["consents", "confirm", &token]).contains("grants once"));
    let click = up.tandem(&[&["consents", "token", "7"][..], &newsletter].concat());
    up.tandem(&["consents", "unsubscribe", click.trim()]);
    assert_eq!(check(), "no: suppressed, unsubscribe");
    let history = up.tandem(&["consents", "list", "7"]);
    assert!(["withdrawn", "granted", "pending"].iter().all(|state| history.contains(state)), "{history}");
    let data = up.tandem(&["customers", "data", "7"]);
    assert!(data.lines().count() > 5 && data.contains("Ada@example.org"), "{data}");
    assert!(up.refused(&["customers", "erase", "7"]).contains("--yes"));
    let erased = up.tandem(&["customers", "erase", "7", "--yes"]);
    assert!(erased.contains("customers/erased~") && erased.contains("taken out"), "{erased}");
    assert_eq!(check(), "no: erased");
    assert!(up.refused(&["customers", "show", "7"]).contains("was erased at"));
    up.tandem(&["customers", "import", "--file", &table]);
    assert_eq!(check(), "no: suppressed, erasure");
    let rows = up.tandem(&["consents", "suppressions", "--email", "ADA@EXAMPLE.ORG"]);
    assert!(rows.contains("erasure") && !rows.to_lowercase().contains("example"), "{rows}");
    up.stop();
}

/// Somebody who said so much that an erasure is many parts.
async fn talkative(service: &Service) {
    let caller = Relationship::of(service);
    let ada = Customer {
        name: "customers/ada-17".to_owned(),
        email: "ada-17@example.org".to_owned(),
        ..Customer::default()
    };
    caller.make_customers(vec![ada]).await;
    let mut consents = ConsentServiceClient::new(service.channel());
    for turn in 0..4 {
        let said = |number: i64| Consent {
            customer: "customers/ada-17".to_owned(),
            purpose: "newsletter".to_owned(),
            channel: Channel::Email.into(),
            state: ConsentState::Withdrawn.into(),
            source: "import".to_owned(),
            time: Some(prost_types::Timestamp { seconds: 1_700_000_000 + turn * 1_000 + number, nanos: 0 }),
            ..Consent::default()
        };
        let request =
            RecordConsentsRequest { consents: (0..1_000).map(said).collect(), request_id: String::new() };
        consents.record_consents(request).await.expect("all are recorded");
    }
}

async fn erase(service: &Service) -> Erasure {
    let mut customers = Relationship::of(service).customers;
    let request = EraseCustomerRequest { name: "customers/ada-17".to_owned(), request_id: String::new() };
    customers.erase_customer(request).await.expect("it is erased").into_inner().erasure.expect("an erasure")
}

async fn killed_in_the_midst(engine: Engine) {
    let database = Database::new(engine).await;
    let mut service = start_relationship(database.url(), &[]);
    talkative(&service).await;
    let begun = erase(&service).await;
    service.kill();
    service.restart();
    let mut now = erase(&service).await;
    for _ in 0..300 {
        if now.done_time.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        now = erase(&service).await;
    }
    assert!(now.done_time.is_some(), "{engine:?}: it does not end");
    assert_eq!(
        (now.pseudonym, now.erase_time),
        (begun.pseudonym, begun.erase_time),
        "it is the one that was begun"
    );
    let mut customers = Relationship::of(&service).customers;
    let request = GetCustomerRequest { name: "customers/ada-17".to_owned() };
    let gone = customers.get_customer(request).await.expect_err("nobody is there");
    assert_eq!(named(&gone), "NotFound CUSTOMER_ERASED");
    service.kill();
    let config = DatabaseConfig { url: database.url().into(), ..DatabaseConfig::default() };
    let db = Db::connect(&config).await.expect("the database opens");
    assert_eq!(holding(&db, "ada-17@example.org").await, Vec::<String>::new());
    assert_eq!(holding(&db, "ada-17").await, ["erasure.customer", "event_batch.payload"]);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_done_although_its_process_was_killed_on_sqlite() {
    killed_in_the_midst(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_done_although_its_process_was_killed_on_postgres() {
    killed_in_the_midst(Engine::Postgres).await;
}

/// Where somebody's id stands in a database, as soon as it stands nowhere but there.
async fn left(database: &Database, columns: &[&str]) -> Vec<String> {
    let config = DatabaseConfig { url: database.url().into(), ..DatabaseConfig::default() };
    let db = Db::connect(&config).await.expect("the database opens");
    let mut found = holding(&db, "ada-17").await;
    for _ in 0..300 {
        if found == columns {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        found = holding(&db, "ada-17").await;
    }
    db.close().await;
    found
}

/// An order of hers is counted on both sides, campaign-svc dies, she is erased, it comes back: it hears of it, and what is
/// given back of her order is so on both sides.
async fn erased_on_both_sides(engine: Engine) {
    let limits = Limits { max_uses_per_customer: Some(1), ..Limits::default() };
    let mut shop = Shop::open(engine, limits).await;
    let ada = Customer { name: "customers/ada-17".to_owned(), ..Customer::default() };
    shop.relationship(0).make_customers(vec![ada]).await;
    shop.codes(&["CODE-A"], 1).await;
    let commit = |order: &str| {
        Step::Commit(CommitOrderRequest {
            order_id: order.to_owned(),
            quote_token: shop.quotes().token("customers/ada-17", &["CODE-A"]),
            request_id: format!("commit-{order}"),
            replaces: String::new(),
        })
    };
    let (sold, late) = (commit("o1"), commit("o2"));
    shop.orders(0).send(&sold).await.expect("committed");
    shop.campaigns[0].kill();
    let erasure = erase(&shop.relationships[0]).await;
    shop.campaigns[0].restart();
    let left = left(&shop.campaign_database, &["erasure.customer"]).await;
    assert_eq!(left, ["erasure.customer"], "{engine:?}: until it was gone through twice");
    let refused = shop.orders(0).send(&late).await.expect_err("the pseudonym has had its use");
    assert_eq!(named(&refused), "FailedPrecondition CUSTOMER_LIMIT_REACHED");
    let cancelled = shop.orders(0).send(&cancel("o1")).await.expect("cancelled");
    assert_eq!((cancelled.state(), cancelled.customer), (OrderState::Cancelled, erasure.pseudonym));
    let books = shop.books().await;
    assert_eq!((books.counted(OFFER), books.ledger.voucher("CODE-A").uses), ((0, 0), 0), "{engine:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_is_taken_out_of_both_services_and_their_order_gives_back_in_both() {
    for engine in Engine::BOTH {
        erased_on_both_sides(engine).await;
    }
}
