//! Interactions, on both engines: what is taken and what is not, timelines, claims, and a second program that reads all of it
//! sorted.

mod claims;
mod order;
mod retention;
mod second;
mod taken;
mod timeline;
mod told;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tandem_platform::{Db, testing};
use tandem_proto::common::v1::Money;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::interaction_service_client::InteractionServiceClient;
use tandem_proto::relationship::v1::relationship_service_client::RelationshipServiceClient;
use tandem_proto::relationship::v1::{
    BatchUpsertCustomersRequest, Customer, GetRelationshipRequest, Interaction, InteractionType,
    ListInteractionsRequest, RecordInteractionsRequest, RecordResult, Relationship, TimelineEntry,
    timeline_entry,
};
use tonic::Status;

use crate::testing::{Channel, Harness};

const GUEST: &str = "guest-0123456789abcdef";

type Client = InteractionServiceClient<Channel>;

fn client(harness: &Harness) -> Client {
    InteractionServiceClient::new(harness.channel())
}

fn euros(minor: i64) -> Money {
    let nanos = i32::try_from(minor % 100 * 10_000_000).unwrap();
    Money { currency_code: "EUR".to_owned(), units: minor / 100, nanos }
}

/// So many days before the harness began.
fn ago(days: i64) -> Timestamp {
    Timestamp::from_second(1_782_907_200).unwrap() - SignedDuration::from_hours(days * 24)
}

fn at(time: Timestamp) -> Option<prost_types::Timestamp> {
    Some(to_timestamp(time))
}

fn of(id: &str, kind: InteractionType, time: Timestamp) -> Interaction {
    Interaction {
        event_id: id.to_owned(),
        r#type: kind.into(),
        event_time: at(time),
        customer: "customers/ada".to_owned(),
        ..Interaction::default()
    }
}

fn visit(id: &str, time: Timestamp) -> Interaction {
    of(id, InteractionType::Visit, time)
}

fn order(id: &str, time: Timestamp, minor: i64) -> Interaction {
    let order = of("", InteractionType::Order, time);
    Interaction { order_id: id.to_owned(), amount: Some(euros(minor)), ..order }
}

fn by_guest(one: Interaction) -> Interaction {
    Interaction { customer: String::new(), guest_key: GUEST.to_owned(), ..one }
}

/// A harness in which these customers exist.
async fn with(db: Db, customers: &[&str]) -> Harness {
    let harness = Harness::new(db);
    people(&harness, customers).await;
    harness
}

/// Another process on the database of `db`. Its clock is ahead, so that its ids are its own.
fn another(db: &Db, ahead_ms: i64) -> Harness {
    let harness = Harness::new(testing::second_handle(db));
    harness.clock.advance(SignedDuration::from_millis(ahead_ms));
    harness
}

async fn people(harness: &Harness, customers: &[&str]) {
    let customers =
        customers.iter().map(|id| Customer { name: format!("customers/{id}"), ..Customer::default() });
    let request = BatchUpsertCustomersRequest {
        customers: customers.collect(),
        ..BatchUpsertCustomersRequest::default()
    };
    CustomerServiceClient::new(harness.channel()).batch_upsert_customers(request).await.unwrap();
}

async fn record(harness: &Harness, interactions: Vec<Interaction>) -> Vec<RecordResult> {
    let request = RecordInteractionsRequest { interactions };
    client(harness).record_interactions(request).await.unwrap().into_inner().results
}

/// Records, all of which must be right; answers which are new.
async fn recorded(harness: &Harness, interactions: Vec<Interaction>) -> Vec<bool> {
    let results = record(harness, interactions).await;
    for result in &results {
        assert_eq!(result.status.as_ref().unwrap().code, 0, "{result:?}");
    }
    results.into_iter().map(|result| result.created).collect()
}

async fn relationship(harness: &Harness, customer: &str) -> Relationship {
    asked(harness, customer, "").await.unwrap()
}

async fn asked(harness: &Harness, customer: &str, guest_key: &str) -> Result<Relationship, Status> {
    let request = GetRelationshipRequest { customer: customer.to_owned(), guest_key: guest_key.to_owned() };
    let mut client = RelationshipServiceClient::new(harness.channel());
    client.get_relationship(request).await.map(|response| response.into_inner().relationship.unwrap())
}

async fn page(harness: &Harness, request: ListInteractionsRequest) -> (Vec<TimelineEntry>, String) {
    let page = client(harness).list_interactions(request).await.unwrap().into_inner();
    (page.entries, page.next_page_token)
}

fn ids(entries: &[TimelineEntry]) -> Vec<String> {
    let id = |entry: &TimelineEntry| match entry.what.as_ref().unwrap() {
        timeline_entry::What::Interaction(one) if one.r#type() == InteractionType::Order => {
            one.order_id.clone()
        }
        timeline_entry::What::Interaction(one) => one.event_id.clone(),
        timeline_entry::What::Redemption(one) => one.code.clone(),
        timeline_entry::What::Consent(one) => one.purpose.clone(),
    };
    entries.iter().map(id).collect()
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
