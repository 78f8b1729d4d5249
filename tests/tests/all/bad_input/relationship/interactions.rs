//! What a shop gets wrong when it tells what people do. What is wrong with an item of a batch is said of the item: see the
//! tests of the room.

use tandem_proto::relationship::v1::interaction_service_client::InteractionServiceClient;
use tandem_proto::relationship::v1::relationship_service_client::RelationshipServiceClient;
use tandem_proto::relationship::v1::{
    ClaimGuestRequest, GetRelationshipRequest, Interaction, InteractionType, ListInteractionsRequest,
    RecordInteractionsRequest,
};

use super::super::Expected;
use super::*;

fn visit(id: &str) -> Interaction {
    Interaction {
        event_id: id.to_owned(),
        r#type: InteractionType::Visit.into(),
        event_time: Some(in_seconds(-60)),
        customer: "customers/ada".to_owned(),
        ..Interaction::default()
    }
}

pub async fn calls_about_what_people_do(caller: &Relationship, table: &mut Table) {
    let mut client = InteractionServiceClient::new(caller.channel.clone());
    for (what, interactions) in [("an empty batch", vec![]), ("a batch too large", vec![visit("a"); 1_001])] {
        let answer = client.record_interactions(RecordInteractionsRequest { interactions }).await;
        table.refuses(what, answer, invalid(&["interactions"])).await;
    }
    let bad = vec![
        Interaction { r#type: 99, ..visit("a") },
        Interaction { event_time: Some(in_seconds(3_600)), ..visit("a") },
        Interaction { customer: "customers/nobody".to_owned(), ..visit("a") },
    ];
    let answer = client.record_interactions(RecordInteractionsRequest { interactions: bad }).await;
    let codes: Vec<i32> = answer
        .expect("an answer by item")
        .into_inner()
        .results
        .iter()
        .map(|result| result.status.as_ref().map_or(0, |status| status.code))
        .collect();
    assert_eq!(codes, [Code::InvalidArgument as i32, Code::InvalidArgument as i32, Code::NotFound as i32]);
    lists(caller, table).await;
    claims(caller, table).await;
}

async fn lists(caller: &Relationship, table: &mut Table) {
    let mut client = InteractionServiceClient::new(caller.channel.clone());
    let of = |customer: &str, guest: &str| ListInteractionsRequest {
        customer: customer.to_owned(),
        guest_key: guest.to_owned(),
        ..ListInteractionsRequest::default()
    };
    for (what, request, expected) in [
        ("a timeline of nobody", of("", ""), invalid(&["customer"])),
        ("a timeline of two", of("customers/ada", "guest-0123456789abcdef"), invalid(&["guest_key"])),
        (
            "a timeline of nonsense",
            ListInteractionsRequest { page_size: -1, types: vec![99], sources: vec![0], ..of("ada", "") },
            invalid(&["page_size", "customer", "types[0]", "sources[0]"]),
        ),
        (
            "a page of another timeline",
            ListInteractionsRequest { page_token: "x".to_owned(), ..of("customers/ada", "") },
            platform(Code::InvalidArgument, "INVALID_PAGE_TOKEN"),
        ),
    ] {
        table.refuses(what, client.list_interactions(request).await, expected).await;
    }
}

async fn claims(caller: &Relationship, table: &mut Table) {
    let mut client = InteractionServiceClient::new(caller.channel.clone());
    let claim = |customer: &str, guest: &str, request_id: &str| ClaimGuestRequest {
        customer: customer.to_owned(),
        guest_key: guest.to_owned(),
        request_id: request_id.to_owned(),
    };
    let missing =
        Expected { domain: "tandem.relationship.v1", ..platform(Code::NotFound, "CUSTOMER_NOT_FOUND") };
    for (what, request, expected) in [
        (
            "a claim of nonsense",
            claim("ada", "short", "has a space"),
            invalid(&["request_id", "customer", "guest_key"]),
        ),
        ("a claim by nobody", claim("customers/nobody", "guest-0123456789abcdef", ""), missing),
    ] {
        table.refuses(what, client.claim_guest(request).await, expected).await;
    }
    let mut client = RelationshipServiceClient::new(caller.channel.clone());
    for (what, customer, expected) in [
        ("a relationship of nobody", "", invalid(&["customer"])),
        ("a relationship of no name", "ada", invalid(&["customer"])),
        ("a relationship of a stranger", "customers/nobody", platform(Code::NotFound, "NOT_FOUND")),
    ] {
        let request = GetRelationshipRequest { customer: customer.to_owned(), guest_key: String::new() };
        table.refuses(what, client.get_relationship(request).await, expected).await;
    }
}
