//! Segments that are kept as lists, on both engines.

use futures::TryStreamExt;
use tandem_platform::testing;
use tandem_proto::relationship::v1::{
    AddSegmentMembersRequest, CountSegmentRequest, CreateSegmentRequest, DeleteSegmentRequest,
    ExplainSegmentRequest, ImportSegmentMembersRequest, ImportSegmentMembersResponse,
    RemoveSegmentMembersRequest, Segment as Message, SegmentKind, SegmentMemberResult,
    StreamSegmentMembersRequest,
};
use tonic::{Code, Status};

use super::{client, create_segment, membership, open_customers, update};
use crate::MIGRATIONS;
use crate::testing::{Harness, fields, reason};

pub async fn create_list(harness: &Harness, id: &str, is_watched: bool) -> Result<Message, Status> {
    let segment = Message { kind: SegmentKind::List.into(), watched: is_watched, ..Message::default() };
    let request =
        CreateSegmentRequest { segment: Some(segment), segment_id: id.to_owned(), request_id: String::new() };
    client(harness).create_segment(request).await.map(|answer| answer.into_inner().segment.unwrap())
}

fn names(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| format!("customers/{id}")).collect()
}

pub async fn add(harness: &Harness, list: &str, ids: &[&str]) -> Result<Vec<SegmentMemberResult>, Status> {
    let request = AddSegmentMembersRequest {
        name: format!("segments/{list}"),
        customers: names(ids),
        request_id: String::new(),
    };
    client(harness).add_segment_members(request).await.map(|answer| answer.into_inner().results)
}

pub async fn remove(harness: &Harness, list: &str, ids: &[&str]) -> Result<Vec<SegmentMemberResult>, Status> {
    let request = RemoveSegmentMembersRequest {
        name: format!("segments/{list}"),
        customers: names(ids),
        request_id: String::new(),
    };
    client(harness).remove_segment_members(request).await.map(|answer| answer.into_inner().results)
}

async fn import(
    harness: &Harness,
    messages: Vec<ImportSegmentMembersRequest>,
) -> Result<Vec<ImportSegmentMembersResponse>, Status> {
    let answers = client(harness).import_segment_members(futures::stream::iter(messages)).await?;
    answers.into_inner().try_collect().await
}

fn told(results: &[SegmentMemberResult]) -> Vec<(i32, bool)> {
    results.iter().map(|one| (one.status.as_ref().unwrap().code, one.changed)).collect()
}

#[tokio::test]
async fn a_list_has_those_who_are_put_on_it_and_are_customers() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        open_customers(&harness, 5).await;
        create_list(&harness, "friends", false).await.unwrap();
        let added = add(&harness, "friends", &["c3", "c1", "nobody", "c3"]).await.unwrap();
        assert_eq!(told(&added), [(0, true), (0, true), (5, false), (0, false)]);
        assert_eq!(membership(&mut client(&harness), "c1", &[]).await.unwrap(), ["segments/friends"]);
        assert!(membership(&mut client(&harness), "c2", &["friends"]).await.unwrap().is_empty());
        let saved = CountSegmentRequest { name: "segments/friends".to_owned(), ..Default::default() };
        let count = client(&harness).count_segment(saved).await.unwrap().into_inner();
        assert_eq!((count.members, count.customers), (2, 5));
        let request = StreamSegmentMembersRequest { name: "segments/friends".to_owned() };
        let blocks: Vec<_> = client(&harness)
            .stream_segment_members(request)
            .await
            .unwrap()
            .into_inner()
            .try_collect()
            .await
            .unwrap();
        assert_eq!(
            blocks.into_iter().flat_map(|one| one.customers).collect::<Vec<_>>(),
            names(&["c1", "c3"])
        );
        let removed = remove(&harness, "friends", &["c1", "c2", "c1"]).await.unwrap();
        assert_eq!(told(&removed), [(0, true), (0, false), (0, false)]);
        assert!(membership(&mut client(&harness), "c1", &[]).await.unwrap().is_empty());
        let explained = ExplainSegmentRequest { name: "segments/friends".to_owned(), ..Default::default() };
        let explained = client(&harness).explain_segment(explained).await.unwrap().into_inner();
        assert!(explained.statement.contains("segment_member") && explained.kept.is_empty());
        // Made again under the same name it is empty.
        let delete = DeleteSegmentRequest { name: "segments/friends".to_owned(), ..Default::default() };
        client(&harness).delete_segment(delete).await.unwrap();
        create_list(&harness, "friends", false).await.unwrap();
        assert!(membership(&mut client(&harness), "c3", &[]).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_import_tells_each_that_cannot_be_put_on_the_list() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        open_customers(&harness, 3_000).await;
        create_list(&harness, "all", false).await.unwrap();
        let message = |from: usize, bad: &str| {
            let mut customers: Vec<String> =
                (from..from + 999).map(|at| format!("customers/c{at}")).collect();
            customers.insert(7, bad.to_owned());
            ImportSegmentMembersRequest { name: "segments/all".to_owned(), customers }
        };
        let messages =
            vec![message(0, "customers/nobody"), message(999, "c1"), message(500, "customers/c3000")];
        let answers = import(&harness, messages).await.unwrap();
        let answer = answers.last().unwrap();
        assert_eq!((answer.added, answer.existing, answer.failed, answer.done), (1_998, 999, 3, 3_000));
        let failures = answers.iter().flat_map(|answer| &answer.failures);
        let places: Vec<_> = failures.map(|one| (one.index, one.customer.as_str())).collect();
        assert_eq!(places, [(7, "customers/nobody"), (1_007, "c1"), (2_007, "customers/c3000")]);
        let missing =
            ImportSegmentMembersRequest { name: "segments/none".to_owned(), customers: names(&["c1"]) };
        let refused = import(&harness, vec![missing]).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_list_has_no_rule_and_a_rule_no_list() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        open_customers(&harness, 1).await;
        create_segment(&harness, "ruled", "true").await.unwrap();
        let refused = add(&harness, "ruled", &["c0"]).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::FailedPrecondition, "SEGMENT_NOT_A_LIST")
        );
        let both = Message { kind: SegmentKind::List.into(), rule: "true".to_owned(), ..Message::default() };
        let request = CreateSegmentRequest {
            segment: Some(both),
            segment_id: "both".to_owned(),
            ..CreateSegmentRequest::default()
        };
        assert_eq!(fields(&client(&harness).create_segment(request).await.unwrap_err()), ["segment.rule"]);
        create_list(&harness, "listed", false).await.unwrap();
        let change =
            Message { name: "segments/listed".to_owned(), rule: "true".to_owned(), ..Message::default() };
        assert_eq!(
            fields(&update(&mut client(&harness), change, &["rule"]).await.unwrap_err()),
            ["segment.rule"]
        );
        let none = AddSegmentMembersRequest { name: "segments/listed".to_owned(), ..Default::default() };
        assert_eq!(fields(&client(&harness).add_segment_members(none).await.unwrap_err()), ["customers"]);
        let wrong = AddSegmentMembersRequest {
            name: "listed".to_owned(),
            customers: vec!["c0".to_owned()],
            ..Default::default()
        };
        let refused = client(&harness).add_segment_members(wrong).await.unwrap_err();
        assert_eq!(fields(&refused), ["name", "customers[0]"]);
    })
    .await;
}
