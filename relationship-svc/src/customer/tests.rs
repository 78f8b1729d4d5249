//! The rules of customers, on both engines.

mod filters;
mod people;

use std::collections::BTreeMap;

use proptest::prelude::*;
use tandem_kernel::problem::Problem;
use tandem_kernel::rule::{Facts, Rule};
use tandem_platform::testing;
use tandem_proto::common::v1::Date;
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::{
    BatchUpsertCustomersRequest, CreateCustomerRequest, Customer as Message, GetCustomerRequest,
    ImportCustomersRequest, ListCustomersRequest, UpdateCustomerRequest,
};
use tonic::{Code, Status};

use super::{Profile, fact, vocabulary};
use crate::MIGRATIONS;
use crate::testing::{Channel, Harness, fields, import_customers, reason};

type Client = CustomerServiceClient<Channel>;

fn client(harness: &Harness) -> Client {
    CustomerServiceClient::new(harness.channel())
}

fn ada() -> Message {
    Message {
        name: "customers/ada".to_owned(),
        display_name: "Ada".to_owned(),
        email: "  Ada@Example.ORG ".to_owned(),
        phone: "+49 (170) 123-4567".to_owned(),
        locale: "DE-at".to_owned(),
        time_zone: "europe/vienna".to_owned(),
        country: "at".to_owned(),
        birthday: Some(Date { year: 0, month: 2, day: 29 }),
        attributes: BTreeMap::from([("channel".to_owned(), "web".to_owned())]),
        tags: vec!["vip".to_owned(), "new".to_owned(), "vip".to_owned()],
        ..Message::default()
    }
}

fn named(id: &str) -> Message {
    Message { name: format!("customers/{id}"), ..Message::default() }
}

async fn create(client: &mut Client, customer: Message) -> Result<Message, Status> {
    let request = CreateCustomerRequest { customer: Some(customer), ..CreateCustomerRequest::default() };
    client.create_customer(request).await.map(|response| response.into_inner().customer.unwrap())
}

async fn update(client: &mut Client, customer: Message, paths: &[&str]) -> Result<Message, Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateCustomerRequest {
        customer: Some(customer),
        update_mask: Some(prost_types::FieldMask { paths }),
        request_id: String::new(),
    };
    client.update_customer(request).await.map(|response| response.into_inner().customer.unwrap())
}

#[tokio::test]
async fn what_is_stored_is_normalised_and_read_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let created = create(&mut client, ada()).await.unwrap();
        assert_eq!(created.email, "Ada@example.org");
        assert_eq!(created.phone, "+491701234567");
        assert_eq!((created.locale.as_str(), created.country.as_str()), ("de-AT", "AT"));
        assert_eq!(created.time_zone, "Europe/Vienna");
        assert_eq!(created.tags, ["new", "vip"]);
        assert_eq!(created.birthday, Some(Date { year: 0, month: 2, day: 29 }));
        assert_eq!(created.since_time, created.create_time);
        let read =
            client.get_customer(GetCustomerRequest { name: "customers/ada".to_owned() }).await.unwrap();
        assert_eq!(read.into_inner().customer.unwrap(), created);
        let events = harness.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].r#type, "tandem.relationship.v1.CustomerCreated");
        assert_eq!((events[0].aggregate.as_str(), events[0].aggregate_version), ("customers/ada", 1));
    })
    .await;
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once_and_nothing_is_stored() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let wrong = Message {
            display_name: "x".repeat(201),
            email: "nobody".to_owned(),
            phone: "+49 1".to_owned(),
            locale: "d".to_owned(),
            time_zone: "Europe/Atlantis".to_owned(),
            country: "AUT".to_owned(),
            birthday: Some(Date { year: 2023, month: 2, day: 29 }),
            attributes: BTreeMap::from([("k".repeat(65), "v".to_owned())]),
            tags: vec![String::new()],
            since_time: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
            ..named("a/b")
        };
        let request = CreateCustomerRequest {
            customer: Some(wrong),
            customer_id: String::new(),
            request_id: "not visible".to_owned(),
        };
        let status = client.create_customer(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "INVALID_ARGUMENT"));
        let key = format!("customer.attributes[\"{}\"]", "k".repeat(64));
        let mut expected = vec!["request_id", "name"];
        expected.extend([
            "customer.birthday",
            "customer.since_time",
            "customer.display_name",
            "customer.email",
        ]);
        expected.extend(["customer.locale", "customer.time_zone", "customer.country", "customer.phone"]);
        expected.extend([key.as_str(), "customer.tags[0]"]);
        assert_eq!(fields(&status), expected);
        assert!(harness.events().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_taken_id_and_a_missing_customer_are_named() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        create(&mut client, named("ada")).await.unwrap();
        let status = create(&mut client, named("ada")).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "ALREADY_EXISTS"));
        let status =
            client.get_customer(GetCustomerRequest { name: "customers/eve".to_owned() }).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "NOT_FOUND"));
        let status = update(&mut client, named("eve"), &["country"]).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let anonymous = create(&mut client, Message::default()).await.unwrap();
        assert!(anonymous.name.starts_with("customers/") && anonymous.name.len() > 20, "{}", anonymous.name);
    })
    .await;
}

#[tokio::test]
async fn an_update_writes_the_named_fields_and_looks_at_no_other() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let before = create(&mut client, ada()).await.unwrap();
        harness.clock.advance(jiff::SignedDuration::from_secs(60));
        let change = Message { country: "de".to_owned(), email: "wrong".to_owned(), ..named("ada") };
        let after = update(&mut client, change, &["country"]).await.unwrap();
        assert_eq!((after.country.as_str(), after.email.as_str()), ("DE", "Ada@example.org"));
        assert_eq!(after.create_time, before.create_time);
        assert_ne!((&after.etag, after.update_time), (&before.etag, before.update_time));
        let titled = Message { display_name: "A".to_owned(), ..named("ada") };
        let said = update(&mut client, titled.clone(), &[]).await.unwrap();
        assert_eq!((said.display_name.as_str(), said.country.as_str()), ("A", "DE"));
        assert_eq!(said.birthday, before.birthday);
        let all = update(&mut client, titled, &["*"]).await.unwrap();
        assert_eq!((all.display_name.as_str(), all.country.as_str(), all.birthday), ("A", "", None));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_field_in_a_mask_is_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        create(&mut client, ada()).await.unwrap();
        let status =
            update(&mut client, ada(), &["country", "create_time", "birthday.year"]).await.unwrap_err();
        assert_eq!(fields(&status), ["update_mask", "update_mask"]);
    })
    .await;
}

#[tokio::test]
async fn a_stale_etag_changes_nothing() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let first = create(&mut client, ada()).await.unwrap();
        let fresh = Message { country: "DE".to_owned(), etag: first.etag.clone(), ..named("ada") };
        let second = update(&mut client, fresh.clone(), &["country"]).await.unwrap();
        let status = update(&mut client, fresh, &["country"]).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
        let read = client.get_customer(GetCustomerRequest { name: first.name }).await.unwrap();
        assert_eq!(read.into_inner().customer.unwrap(), second);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_answers_the_same_and_another_body_is_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let request = |customer| CreateCustomerRequest {
            customer: Some(customer),
            request_id: "r-1".to_owned(),
            ..CreateCustomerRequest::default()
        };
        let unnamed = Message { name: String::new(), ..ada() };
        let first = client.create_customer(request(unnamed.clone())).await.unwrap().into_inner();
        let again = client.create_customer(request(unnamed)).await.unwrap().into_inner();
        assert_eq!(first, again);
        assert_eq!(harness.events().await.len(), 1);
        let status = client.create_customer(request(named("eve"))).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_is_judged_anew() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let request = UpdateCustomerRequest {
            customer: Some(Message { country: "AT".to_owned(), ..named("ada") }),
            request_id: "r-1".to_owned(),
            ..UpdateCustomerRequest::default()
        };
        assert_eq!(client.update_customer(request.clone()).await.unwrap_err().code(), Code::NotFound);
        create(&mut client, named("ada")).await.unwrap();
        assert!(client.update_customer(request).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn pages_follow_the_order_and_the_filter_they_began_with() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        for (place, id) in ["b", "d", "a", "c", "e"].into_iter().enumerate() {
            let country = if place % 2 == 0 { "AT" } else { "DE" };
            create(&mut client, Message { country: country.to_owned(), ..named(id) }).await.unwrap();
            harness.clock.advance(jiff::SignedDuration::from_secs(1));
        }
        for (order_by, filter, expected) in [
            ("", "", "abcde"),
            ("name desc", "", "edcba"),
            ("create_time", "", "bdace"),
            ("create_time desc", "", "ecadb"),
            ("name", "customer.country == 'AT'", "abe"),
        ] {
            let mut request = ListCustomersRequest {
                page_size: 2,
                filter: filter.to_owned(),
                order_by: order_by.to_owned(),
                ..ListCustomersRequest::default()
            };
            let mut seen = String::new();
            loop {
                let page = client.list_customers(request.clone()).await.unwrap().into_inner();
                assert!(page.customers.len() <= 2);
                seen.extend(page.customers.iter().map(|one| one.name.trim_start_matches("customers/")));
                request.page_token = page.next_page_token;
                if request.page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, expected, "{order_by} {filter}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_token_of_another_filter_is_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        for id in ["a", "b"] {
            create(&mut client, named(id)).await.unwrap();
        }
        let first = ListCustomersRequest { page_size: 1, ..ListCustomersRequest::default() };
        let token = client.list_customers(first.clone()).await.unwrap().into_inner().next_page_token;
        let filter = "customer.country == ''".to_owned();
        let other = ListCustomersRequest { page_token: token, filter, ..first.clone() };
        let status = client.list_customers(other).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "INVALID_PAGE_TOKEN"));
        let wrong = ListCustomersRequest {
            page_size: -1,
            filter: "customer.shoe_size == 42".to_owned(),
            order_by: "email".to_owned(),
            ..first
        };
        let status = client.list_customers(wrong).await.unwrap_err();
        assert_eq!(fields(&status), ["page_size", "order_by", "filter"]);
    })
    .await;
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        create(&mut client, named("ada")).await.unwrap();
        let mut request = tonic::Request::new(GetCustomerRequest { name: "customers/ada".to_owned() });
        request.metadata_mut().insert("tandem-tenant", "other".parse().unwrap());
        assert_eq!(client.get_customer(request).await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn each_item_of_a_batch_succeeds_or_fails_by_itself() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        create(&mut client, ada()).await.unwrap();
        let wrong = Message { country: "AUT".to_owned(), ..named("eve") };
        let request = BatchUpsertCustomersRequest {
            customers: vec![named("zoe"), wrong, named("ada"), named("no/name")],
            request_id: "r-1".to_owned(),
            update_mask: None,
        };
        let first = client.batch_upsert_customers(request.clone()).await.unwrap().into_inner();
        let codes: Vec<i32> = first.results.iter().map(|one| one.status.as_ref().unwrap().code).collect();
        assert_eq!(codes, [0, 3, 0, 3]);
        let created: Vec<bool> = first.results.iter().map(|one| one.created).collect();
        assert_eq!(created, [true, false, false, false]);
        assert_eq!(first.results[1].name, "customers/eve");
        let again = client.batch_upsert_customers(request).await.unwrap().into_inner();
        assert_eq!(first, again, "created stays true on a retry");
        let changed =
            client.get_customer(GetCustomerRequest { name: "customers/ada".to_owned() }).await.unwrap();
        assert_eq!(changed.into_inner().customer.unwrap().email, "Ada@example.org", "what is not said stays");
        assert_eq!(harness.events().await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_batch_has_1_to_1000_customers_each_once() {
    testing::sqlite(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let batch = |customers| BatchUpsertCustomersRequest {
            customers,
            request_id: String::new(),
            update_mask: None,
        };
        let status = client.batch_upsert_customers(batch(Vec::new())).await.unwrap_err();
        assert_eq!(fields(&status), ["customers"]);
        let many = (0..1_001).map(|place| named(&format!("c{place}"))).collect();
        assert_eq!(fields(&client.batch_upsert_customers(batch(many)).await.unwrap_err()), ["customers"]);
        let twice = client.batch_upsert_customers(batch(vec![named("a"), named("b"), named("a")])).await;
        assert_eq!(fields(&twice.unwrap_err()), ["customers[2].name"]);
    })
    .await;
}

#[tokio::test]
async fn an_import_of_10_000_rows_counts_what_became_of_each() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let row = |place: usize| match place {
            // 150 rows with an unknown zone, and one customer who comes twice.
            0..150 => Message { time_zone: "Mars/Olympus".to_owned(), ..named(&format!("bad{place}")) },
            150 => named("c9999"),
            _ => Message { country: "AT".to_owned(), ..named(&format!("c{place}")) },
        };
        let rows: Vec<Message> = (0..10_000).map(row).collect();
        let messages: Vec<_> = rows
            .chunks(700)
            .map(|chunk| ImportCustomersRequest { customers: chunk.to_vec(), update_mask: None })
            .collect();
        let answer = import_customers(&mut client, messages.clone()).await.unwrap();
        assert_eq!((answer.created, answer.updated, answer.failed), (9_849, 1, 150));
        assert_eq!((answer.done, answer.failures.len()), (10_000, 150), "every refusal is told");
        assert_eq!(
            (answer.failures[149].index, answer.failures[149].name.as_str()),
            (149, "customers/bad149")
        );
        assert_eq!(answer.failures[0].status.as_ref().unwrap().code, 3);
        let read =
            client.get_customer(GetCustomerRequest { name: "customers/c9999".to_owned() }).await.unwrap();
        assert_eq!(read.into_inner().customer.unwrap().country, "AT", "the later row counts");
        let again = import_customers(&mut client, messages).await.unwrap();
        assert_eq!((again.created, again.updated, again.failed), (0, 9_850, 150));
    })
    .await;
}

#[tokio::test]
async fn a_customer_twice_in_one_block_is_written_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let later = Message { country: "AT".to_owned(), ..named("a") };
        let block =
            ImportCustomersRequest { customers: vec![named("a"), named("b"), later], update_mask: None };
        let answer = import_customers(&mut client, vec![block]).await.unwrap();
        assert_eq!((answer.created, answer.updated, answer.failed), (2, 1, 0));
        let events = harness.events().await;
        assert_eq!(
            events.iter().map(|event| event.aggregate.as_str()).collect::<Vec<_>>(),
            ["customers/a", "customers/b"]
        );
    })
    .await;
}

#[test]
fn a_rule_reads_what_is_known_of_a_customer() {
    let now = "2026-07-01T12:00:00Z".parse().unwrap();
    let draft = Profile {
        country: "AT".to_owned(),
        birthday: Some(tandem_kernel::period::Date::new(None, 2, 29).unwrap()),
        tags: vec!["vip".to_owned()],
        since: Some("2026-06-01T13:00:00Z".parse().unwrap()),
        ..Profile::default()
    };
    let customer = super::Customer::new("ada".to_owned(), kept(draft).unwrap(), now);
    let facts = Facts::new().with("customer", fact(&customer, now));
    for (rule, expected) in [
        ("customer.country == 'AT' && 'vip' in customer.tags", true),
        ("customer.birthday_month == 2 && customer.birthday_day == 29", true),
        ("customer.age_days == 29", true),
        ("customer.id == 'ada' && customer.email == ''", true),
        ("customer.attributes.channel == 'web'", false),
        ("customer.attributes.channel != 'web'", false),
        ("!has(customer.attributes.channel)", true),
    ] {
        assert_eq!(Rule::compile(rule, &vocabulary()).unwrap().matches(&facts), expected, "{rule}");
    }
}

/// What is kept of what was sent, or what is wrong with it.
fn kept(sent: Profile) -> Result<Profile, Vec<Problem>> {
    let mut problems = Vec::new();
    let profile = sent.normalised(&mut problems);
    if problems.is_empty() { Ok(profile) } else { Err(problems) }
}

proptest! {
    #[test]
    fn normalising_twice_is_normalising_once(
        email in "[ ]?[a-zA-Z.+]{1,8}@[a-zA-Z.]{1,8}[ ]?",
        phone in "\\+[1-9][0-9 ().-]{6,20}",
        locale in "[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8}){0,2}",
    ) {
        let draft = |email, phone, locale| Profile { email, phone, locale, ..Profile::default() };
        if let Ok(once) = kept(draft(email, phone, locale)) {
            let twice = kept(draft(once.email.clone(), once.phone.clone(), once.locale.clone()));
            prop_assert_eq!(twice, Ok(once));
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,40}") {
        let draft = Profile {
            display_name: text.clone(),
            email: text.clone(),
            phone: text.clone(),
            locale: text.clone(),
            time_zone: text.clone(),
            country: text.clone(),
            tags: vec![text],
            ..Profile::default()
        };
        let _ = kept(draft);
    }
}
