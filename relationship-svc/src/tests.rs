//! What holds for the crate as a whole: the schema, and the stream of events.

use futures::StreamExt;
use tandem_platform::outbox::{Relay, RelayConfig};
use tandem_platform::testing;
use tandem_proto::relationship::v1::event_service_client::EventServiceClient;
use tandem_proto::relationship::v1::{
    SubscribeAllRequest, SubscribeAllResponse, SubscribeRequest, SubscribeResponse, TenantCursor,
};
use tonic::{Code, Streaming};

use crate::segment::tests::{create_segment, create_segment_of};
use crate::testing::{Channel, Harness, fields, reason};
use crate::{
    MIGRATIONS, attribute, consent, customer, erasure, incentive, interaction, merge, redemption,
    relationship, segment, voucher,
};

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    testing::parity(&MIGRATIONS).await;
}

#[tokio::test]
async fn every_statement_prepares_on_both_engines() {
    testing::engines(&MIGRATIONS, |db| async move {
        for statements in [
            &attribute::store::statements()[..],
            &customer::store::statements(),
            customer::store::alias::STATEMENTS,
            consent::store::STATEMENTS,
            consent::store::suppression::STATEMENTS,
            erasure::store::STATEMENTS,
            &incentive::store::statements(),
            interaction::store::STATEMENTS,
            interaction::store::due::STATEMENTS,
            interaction::store::order::STATEMENTS,
            merge::store::STATEMENTS,
            redemption::store::STATEMENTS,
            redemption::store::audit::STATEMENTS,
            redemption::store::savings::STATEMENTS,
            relationship::store::STATEMENTS,
            relationship::store::sweep::STATEMENTS,
            &segment::store::statements(),
            segment::store::beside::STATEMENTS,
            segment::store::lists::STATEMENTS,
            segment::store::members::STATEMENTS,
            segment::store::watch::STATEMENTS,
            voucher::store::STATEMENTS,
            voucher::store::assignment::STATEMENTS,
            voucher::store::batch::STATEMENTS,
            voucher::store::change::STATEMENTS,
            voucher::store::format::STATEMENTS,
            voucher::store::import::STATEMENTS,
            voucher::store::list::STATEMENTS,
        ] {
            testing::prepare_all(&db, statements).await;
        }
    })
    .await;
}

#[tokio::test]
async fn every_table_says_what_bounds_it() {
    testing::bounded(&MIGRATIONS, "relationship-svc", include_str!("../../docs/tables.md")).await;
}

#[tokio::test]
async fn a_database_of_an_earlier_release_comes_to_the_schema_that_a_new_one_begins_with() {
    testing::upgraded(&MIGRATIONS).await;
}

/// Numbers what was recorded so far.
async fn number(harness: &Harness) {
    let (db, clock) = (harness.app.db.clone(), harness.app.clock.clone());
    Relay::new(db, clock, RelayConfig::default()).pass().await.unwrap();
}

async fn subscribe(
    client: &mut EventServiceClient<Channel>,
    cursor: &str,
    types: &[&str],
) -> Streaming<SubscribeResponse> {
    let types = types.iter().map(|prefix| (*prefix).to_owned()).collect();
    let request =
        SubscribeRequest { cursor: cursor.to_owned(), types, aggregate_prefix: "segments/".to_owned() };
    client.subscribe(request).await.unwrap().into_inner()
}

/// The aggregates of the next `count` events.
async fn next(stream: &mut Streaming<SubscribeResponse>, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let response = stream.next().await.unwrap().unwrap();
        seen.extend(response.event.map(|event| event.aggregate));
    }
    seen
}

#[tokio::test]
async fn a_subscriber_sees_every_event_of_its_tenant_once_and_goes_on_where_it_stopped() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = EventServiceClient::new(harness.channel());
        for id in ["a", "b", "c"] {
            create_segment(&harness, id, "true").await.unwrap();
        }
        number(&harness).await;
        let mut all = subscribe(&mut client, "", &[]).await;
        let first = all.next().await.unwrap().unwrap();
        let event = first.event.unwrap();
        assert_eq!((event.aggregate.as_str(), event.principal.as_str()), ("segments/a", "anonymous"));
        assert_eq!(
            event.payload.unwrap().type_url,
            "type.googleapis.com/tandem.relationship.v1.SegmentCreated"
        );
        assert_eq!(next(&mut all, 2).await, ["segments/b", "segments/c"]);
        let mut rest = subscribe(&mut client, &first.cursor, &[]).await;
        assert_eq!(next(&mut rest, 2).await, ["segments/b", "segments/c"]);
        let mut end = subscribe(&mut client, "end", &["tandem.relationship.v1.Segment"]).await;
        create_segment(&harness, "d", "true").await.unwrap();
        number(&harness).await;
        for stream in [&mut all, &mut rest, &mut end] {
            assert_eq!(next(stream, 1).await, ["segments/d"]);
        }
        let mut request = tonic::Request::new(SubscribeRequest::default());
        request.metadata_mut().insert("tandem-tenant", "other".parse().unwrap());
        let mut other = client.subscribe(request).await.unwrap().into_inner();
        create_segment_of(&harness, "other", "theirs", "true").await.unwrap();
        number(&harness).await;
        assert_eq!(next(&mut other, 1).await, ["segments/theirs"], "none of another tenant's before it");
        harness.app.tasks.draining().cancel();
        let goodbye = all.next().await.unwrap().unwrap_err();
        assert_eq!((goodbye.code(), reason(&goodbye).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    })
    .await;
}

#[tokio::test]
async fn a_subscription_that_cannot_be_read_is_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = EventServiceClient::new(harness.channel());
        let wrong = SubscribeRequest {
            cursor: "yesterday".to_owned(),
            types: vec![String::new()],
            aggregate_prefix: "x".repeat(257),
        };
        let status = client.subscribe(wrong).await.unwrap_err();
        assert_eq!(fields(&status), ["cursor", "types[0]", "aggregate_prefix"]);
        let mut ahead = subscribe(&mut client, "7.0", &[]).await;
        let status = ahead.next().await.unwrap().unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::OutOfRange, "CURSOR_EXPIRED"));
    })
    .await;
}

async fn subscribe_all(
    client: &mut EventServiceClient<Channel>,
    said: Vec<SubscribeAllRequest>,
) -> Result<Streaming<SubscribeAllResponse>, tonic::Status> {
    client.subscribe_all(futures::stream::iter(said)).await.map(tonic::Response::into_inner)
}

fn known(cursors: &[(&str, &str)]) -> SubscribeAllRequest {
    let cursor = |(tenant, cursor): &(&str, &str)| TenantCursor {
        tenant: (*tenant).to_owned(),
        cursor: (*cursor).to_owned(),
    };
    SubscribeAllRequest { cursors: cursors.iter().map(cursor).collect(), types: vec![] }
}

#[tokio::test]
async fn the_other_service_follows_all_tenants_each_from_where_it_says_it_is() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = EventServiceClient::new(harness.channel());
        for (tenant, id) in [("shop", "a"), ("other", "a"), ("shop", "b"), ("third", "a")] {
            create_segment_of(&harness, tenant, id, "true").await.unwrap();
        }
        number(&harness).await;
        let types =
            SubscribeAllRequest { cursors: vec![], types: vec!["tandem.relationship.v1.Segment".into()] };
        let said = vec![types, known(&[("shop", "1.0")]), known(&[("third", "1.0"), ("gone", "7.0")])];
        let mut stream = subscribe_all(&mut client, said).await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..2 {
            let response = stream.next().await.unwrap().unwrap();
            let event = response.event.unwrap();
            assert_eq!(response.reached.unwrap().tenant, event.tenant);
            seen.push((event.tenant, event.aggregate, event.position));
        }
        seen.sort();
        let expected = [("other", "segments/a", 1), ("shop", "segments/b", 2)];
        assert_eq!(seen, expected.map(|(tenant, id, position)| (tenant.into(), id.into(), position)));
        create_segment_of(&harness, "third", "b", "true").await.unwrap();
        number(&harness).await;
        let response = stream.next().await.unwrap().unwrap();
        assert_eq!(response.event.unwrap().aggregate, "segments/b");
    })
    .await;
}

#[tokio::test]
async fn what_a_follower_of_all_says_wrongly_is_named() {
    testing::sqlite(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = EventServiceClient::new(harness.channel());
        let wrong = known(&[("shop", "1.0"), ("No Such", "yesterday")]);
        let refused = subscribe_all(&mut client, vec![wrong]).await.unwrap_err();
        assert_eq!(fields(&refused), ["cursors[1].tenant", "cursors[1].cursor"]);
    })
    .await;
}
