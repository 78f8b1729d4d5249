//! Two people who are one, on both engines: nothing of either is lost, nothing counts twice, and limits are judged over both from
//! the first moment.

mod chance;
mod claimed;
mod refused;
mod whole;

use jiff::SignedDuration;
use tandem_proto::relationship::v1::relationship_service_client::RelationshipServiceClient;
use tandem_proto::relationship::v1::*;
use tonic::Status;

use super::tasks;
use crate::customer::alias::WRITING;
use crate::erasure::tests::stage::customers;
use crate::testing::{Harness, audit};

/// Merges one into the other by the default rules.
async fn merge(harness: &Harness, source: &str, target: &str) -> Result<MergeCustomersResponse, Status> {
    ask(
        harness,
        MergeCustomersRequest { source: source.to_owned(), target: target.to_owned(), ..Default::default() },
    )
    .await
}

async fn ask(harness: &Harness, request: MergeCustomersRequest) -> Result<MergeCustomersResponse, Status> {
    customers(harness).merge_customers(request).await.map(tonic::Response::into_inner)
}

/// Everything that is to move has moved.
async fn moved(harness: &Harness) {
    tasks::go_on(&harness.app).await.unwrap();
    harness.clock.advance(WRITING + SignedDuration::from_secs(1));
    tasks::go_on(&harness.app).await.unwrap();
}

async fn get(harness: &Harness, name: &str) -> Result<Customer, Status> {
    let request = GetCustomerRequest { name: name.to_owned() };
    customers(harness).get_customer(request).await.map(|answer| answer.into_inner().customer.unwrap())
}

async fn relationship(harness: &Harness, name: &str) -> Relationship {
    let request = GetRelationshipRequest { customer: name.to_owned(), ..Default::default() };
    let mut client = RelationshipServiceClient::new(harness.channel());
    client.get_relationship(request).await.unwrap().into_inner().relationship.unwrap()
}

/// The counters say what the ledger says.
async fn right(harness: &Harness) {
    let audit = audit(&harness.app.db, &harness.call.tenant).await.unwrap();
    assert_eq!(audit.faults, Vec::<String>::new());
}
