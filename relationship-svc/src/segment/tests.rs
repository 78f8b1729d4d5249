//! The rules of segments, on both engines.

pub mod lists;
mod ruled;
mod said;
pub mod watched;

use futures::TryStreamExt;
use tandem_platform::testing;
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::segment_service_client::SegmentServiceClient;
use tandem_proto::relationship::v1::{
    ArchiveIncentiveRequest, CountSegmentRequest, CreateSegmentRequest, Customer, DeleteSegmentRequest,
    EvaluateMembershipRequest, GetSegmentRequest, ImportCustomersRequest, ListSegmentsRequest,
    Segment as Message, StreamSegmentMembersRequest, UpdateSegmentRequest,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::MIGRATIONS;
use crate::incentive::tests::{create_incentive, percent};
use crate::testing::{Channel, Harness, fields, import_customers, preconditions, reason};

type Client = SegmentServiceClient<Channel>;

fn client(harness: &Harness) -> Client {
    SegmentServiceClient::new(harness.channel())
}

/// Creates a segment; used by the tests of incentives too.
pub async fn create_segment(harness: &Harness, id: &str, rule: &str) -> Result<Message, Status> {
    let segment = Message { rule: rule.to_owned(), ..Message::default() };
    let request =
        CreateSegmentRequest { segment: Some(segment), segment_id: id.to_owned(), request_id: String::new() };
    client(harness).create_segment(request).await.map(|response| response.into_inner().segment.unwrap())
}

/// The same of another tenant than the default one.
pub async fn create_segment_of(harness: &Harness, tenant: &str, id: &str, rule: &str) -> Result<(), Status> {
    let segment = Message { rule: rule.to_owned(), ..Message::default() };
    let request =
        CreateSegmentRequest { segment: Some(segment), segment_id: id.to_owned(), request_id: String::new() };
    let mut request = tonic::Request::new(request);
    request.metadata_mut().insert("tandem-tenant", tenant.parse().unwrap());
    client(harness).create_segment(request).await.map(drop)
}

/// Imports customers `c0`, `c1`, …, every third of them in Austria, the others in Germany.
pub async fn open_customers(harness: &Harness, count: usize) {
    let customer = |place: usize| Customer {
        name: format!("customers/c{place}"),
        country: if place.is_multiple_of(3) { "AT" } else { "DE" }.to_owned(),
        ..Customer::default()
    };
    let customers: Vec<Customer> = (0..count).map(customer).collect();
    let messages: Vec<_> = customers
        .chunks(1_000)
        .map(|chunk| ImportCustomersRequest { customers: chunk.to_vec(), update_mask: None })
        .collect();
    let mut client = CustomerServiceClient::new(harness.channel());
    import_customers(&mut client, messages).await.unwrap();
}

async fn update(client: &mut Client, segment: Message, paths: &[&str]) -> Result<Message, Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateSegmentRequest {
        segment: Some(segment),
        update_mask: Some(prost_types::FieldMask { paths }),
        request_id: String::new(),
    };
    client.update_segment(request).await.map(|response| response.into_inner().segment.unwrap())
}

async fn membership(client: &mut Client, customer: &str, segments: &[&str]) -> Result<Vec<String>, Status> {
    let request = EvaluateMembershipRequest {
        customer: format!("customers/{customer}"),
        segments: segments.iter().map(|id| format!("segments/{id}")).collect(),
    };
    client.evaluate_membership(request).await.map(|response| response.into_inner().segments)
}

#[tokio::test]
async fn a_segment_lives_from_its_creation_to_its_deletion() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let created = create_segment(&harness, "austria", "customer.country == 'AT'").await.unwrap();
        assert_eq!((created.name.as_str(), created.etag.as_str()), ("segments/austria", "v1"));
        let read = client.get_segment(GetSegmentRequest { name: created.name.clone() }).await.unwrap();
        assert_eq!(read.into_inner().segment.unwrap(), created);
        let change = Message { display_name: "Austria".to_owned(), rule: "(".to_owned(), ..created.clone() };
        let updated = update(&mut client, change, &["display_name"]).await.unwrap();
        assert_eq!((updated.display_name.as_str(), &updated.rule), ("Austria", &created.rule));
        let stale = DeleteSegmentRequest {
            name: created.name.clone(),
            etag: created.etag.clone(),
            ..DeleteSegmentRequest::default()
        };
        let status = client.delete_segment(stale.clone()).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
        let delete = DeleteSegmentRequest { etag: updated.etag, request_id: "d-1".to_owned(), ..stale };
        client.delete_segment(delete.clone()).await.unwrap();
        client.delete_segment(delete).await.expect("a repetition answers the same");
        let status = client.get_segment(GetSegmentRequest { name: created.name.clone() }).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let events = harness.events().await;
        let told: Vec<_> =
            events.iter().map(|event| (event.r#type.as_str(), event.aggregate_version)).collect();
        assert_eq!(
            told,
            [
                ("tandem.relationship.v1.SegmentCreated", 1),
                ("tandem.relationship.v1.SegmentUpdated", 2),
                ("tandem.relationship.v1.SegmentDeleted", 3)
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_rule_that_cannot_be_judged_is_refused_when_it_is_saved() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let costly = vec!["customer.tags.exists(a, customer.tags.exists(b, a + 'x' == b))"; 60].join(" || ");
        let long = format!("customer.country == '{}'", "A".repeat(4_096));
        for bad in
            ["", "customer.country ==", "basket.amount > 1", "customer.income > 1", "1 + 1", &costly, &long]
        {
            let status = create_segment(&harness, "bad", bad).await.unwrap_err();
            assert_eq!(
                (status.code(), fields(&status).as_slice()),
                (Code::InvalidArgument, &["segment.rule".to_owned()][..])
            );
            let refused = client(&harness)
                .count_segment(CountSegmentRequest { rule: bad.to_owned(), ..CountSegmentRequest::default() })
                .await;
            assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
        }
        create_segment(&harness, "good", "'vip' in customer.tags && now.month == 7").await.unwrap();
        let change =
            Message { name: "segments/good".to_owned(), rule: "nobody".to_owned(), ..Message::default() };
        let status = update(&mut client(&harness), change, &["rule"]).await.unwrap_err();
        assert_eq!(fields(&status), ["segment.rule"]);
        assert_eq!(harness.events().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn membership_is_judged_when_it_is_asked_for() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        open_customers(&harness, 2).await;
        create_segment(&harness, "austria", "customer.country == 'AT'").await.unwrap();
        create_segment(&harness, "germany", "customer.country == 'DE'").await.unwrap();
        assert_eq!(membership(&mut client, "c0", &[]).await.unwrap(), ["segments/austria"]);
        assert_eq!(
            membership(&mut client, "c1", &["germany", "austria"]).await.unwrap(),
            ["segments/germany"]
        );
        // The rule changes, and so does what was compiled of it.
        let change =
            Message { name: "segments/austria".to_owned(), rule: "true".to_owned(), ..Message::default() };
        update(&mut client, change, &["rule"]).await.unwrap();
        assert_eq!(
            membership(&mut client, "c1", &[]).await.unwrap(),
            ["segments/austria", "segments/germany"]
        );
        client
            .delete_segment(DeleteSegmentRequest {
                name: "segments/austria".to_owned(),
                ..DeleteSegmentRequest::default()
            })
            .await
            .unwrap();
        create_segment(&harness, "austria", "customer.country == 'AT'").await.unwrap();
        assert_eq!(membership(&mut client, "c1", &[]).await.unwrap(), ["segments/germany"]);
        for (customer, segments) in [("nobody", &[][..]), ("c1", &["nowhere"][..])] {
            assert_eq!(membership(&mut client, customer, segments).await.unwrap_err().code(), Code::NotFound);
        }
    })
    .await;
}

#[tokio::test]
async fn members_are_counted_and_streamed_over_many_blocks() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        open_customers(&harness, 3_000).await;
        create_segment(&harness, "austria", "customer.country == 'AT'").await.unwrap();
        let saved =
            CountSegmentRequest { name: "segments/austria".to_owned(), ..CountSegmentRequest::default() };
        let count = client.count_segment(saved).await.unwrap().into_inner();
        assert_eq!((count.members, count.customers), (1_000, 3_000));
        let unsaved =
            CountSegmentRequest { rule: "customer.id < 'c2'".to_owned(), ..CountSegmentRequest::default() };
        let count = client.count_segment(unsaved).await.unwrap().into_inner();
        assert_eq!((count.members, count.customers), (2 + 10 + 100 + 1_000, 3_000));
        let request = StreamSegmentMembersRequest { name: "segments/austria".to_owned() };
        let blocks: Vec<_> =
            client.stream_segment_members(request).await.unwrap().into_inner().try_collect().await.unwrap();
        let members: Vec<String> = blocks.into_iter().flat_map(|block| block.customers).collect();
        assert_eq!(members.len(), 1_000);
        assert!(members.is_sorted(), "in the order of their names");
        let none = CountSegmentRequest::default();
        assert_eq!(fields(&client.count_segment(none).await.unwrap_err()), ["name"]);
        let both = CountSegmentRequest { name: "segments/austria".to_owned(), rule: "true".to_owned() };
        assert_eq!(fields(&client.count_segment(both).await.unwrap_err()), ["rule"]);
        let missing = StreamSegmentMembersRequest { name: "segments/nowhere".to_owned() };
        assert_eq!(client.stream_segment_members(missing).await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_segment_that_an_active_incentive_names_stays() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        create_segment(&harness, "austria", "customer.country == 'AT'").await.unwrap();
        let incentive = tandem_proto::relationship::v1::Incentive {
            segments: vec!["segments/austria".to_owned()],
            ..percent(100_000)
        };
        create_incentive(&harness, "spring", incentive).await.unwrap();
        let delete =
            DeleteSegmentRequest { name: "segments/austria".to_owned(), ..DeleteSegmentRequest::default() };
        let status = client.delete_segment(delete.clone()).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "SEGMENT_IN_USE"));
        assert_eq!(status.get_details_error_info().unwrap().domain, "tandem.relationship.v1");
        assert_eq!(preconditions(&status), [("incentives/spring".to_owned(), "SEGMENT_IN_USE".to_owned())]);
        let archive = ArchiveIncentiveRequest {
            name: "incentives/spring".to_owned(),
            ..ArchiveIncentiveRequest::default()
        };
        IncentiveServiceClient::new(harness.channel()).archive_incentive(archive).await.unwrap();
        client.delete_segment(delete).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn segments_are_listed_by_page_and_filter() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        for id in ["b", "a", "c"] {
            create_segment(&harness, id, "true").await.unwrap();
        }
        let request = ListSegmentsRequest {
            filter: "segment.id != 'b'".to_owned(),
            order_by: "name desc".to_owned(),
            ..ListSegmentsRequest::default()
        };
        let page = client.list_segments(request).await.unwrap().into_inner();
        assert_eq!(
            page.segments.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["segments/c", "segments/a"]
        );
        assert_eq!(page.next_page_token, "");
    })
    .await;
}

/// Holds of everybody and takes some 800,000 steps on a customer of 64 tags.
const COSTLY: &str =
    "customer.tags.all(a, customer.tags.all(b, a + b != 'x' && a + b != 'y' && a + b != 'z'))";

/// Imports customers `t0`, `t1`, …, each of so many tags.
async fn import_tagged(harness: &Harness, count: usize, tags: usize) {
    let tags: Vec<String> = (0..tags).map(|at| format!("tag{at:02}")).collect();
    let customer =
        |at: usize| Customer { name: format!("customers/t{at}"), tags: tags.clone(), ..Customer::default() };
    let message =
        ImportCustomersRequest { customers: (0..count).map(customer).collect(), ..Default::default() };
    let mut client = CustomerServiceClient::new(harness.channel());
    import_customers(&mut client, vec![message]).await.unwrap();
}

#[tokio::test]
async fn costly_rules_are_judged_apart_from_calls_and_too_many_are_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        import_tagged(&harness, 1, 64).await;
        open_customers(&harness, 1).await;
        for at in 0..12 {
            create_segment(&harness, &format!("s{at:02}"), COSTLY).await.unwrap();
        }
        let places = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).clamp(1, 8);
        let mut gates = Vec::new();
        let mut busy = Vec::new();
        for _ in 0..places {
            let (go, gate) = std::sync::mpsc::channel::<()>();
            gates.push(go);
            let mut held = Box::pin(harness.app.heavy.run(move |_| gate.recv().is_ok()));
            assert!(futures::poll!(&mut held).is_pending());
            busy.push(held);
        }
        let (mut one, mut other) = (client(&harness), client(&harness));
        let mut costly = Box::pin(membership(&mut one, "t0", &["s03"]));
        tokio::select! {
            biased;
            _ = &mut costly => panic!("a costly rule was judged where calls are served"),
            ordinary = membership(&mut other, "c0", &["s03"]) => assert_eq!(ordinary.unwrap(), ["segments/s03"]),
        }
        drop(gates);
        assert_eq!(costly.await.unwrap(), ["segments/s03"]);
        let refused = membership(&mut other, "t0", &[]).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "SEGMENTS_TOO_COSTLY"));
        assert_eq!(membership(&mut other, "c0", &[]).await.unwrap().len(), 12);
    })
    .await;
}

#[tokio::test]
async fn members_of_a_costly_segment_are_counted_slice_by_slice() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        import_tagged(&harness, 5, 64).await;
        open_customers(&harness, 2).await;
        create_segment(&harness, "s", COSTLY).await.unwrap();
        let mut client = client(&harness);
        let request = CountSegmentRequest { name: "segments/s".to_owned(), ..CountSegmentRequest::default() };
        let count = client.count_segment(request).await.unwrap().into_inner();
        assert_eq!((count.members, count.customers), (7, 7));
        let request = StreamSegmentMembersRequest { name: "segments/s".to_owned() };
        let blocks: Vec<_> =
            client.stream_segment_members(request).await.unwrap().into_inner().try_collect().await.unwrap();
        assert_eq!(blocks.iter().map(|block| block.customers.len()).sum::<usize>(), 7);
    })
    .await;
}
