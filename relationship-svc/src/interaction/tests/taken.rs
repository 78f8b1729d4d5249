//! What is taken, what was known, and what is refused, item by item.

use tandem_platform::testing;
use tandem_proto::relationship::v1::{
    Interaction, InteractionType, Rating, Stage, StreamInteractionsRequest, StreamInteractionsResponse,
};
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt};

use super::{
    GUEST, ago, at, by_guest, client, euros, labels, of, order, record, recorded, relationship, visit, with,
};
use crate::MIGRATIONS;
use crate::interaction::tasks;
use crate::testing::Harness;

/// Code, reason, and the fields named.
fn refusal(status: &tonic_types::Status) -> (Code, String, Vec<String>) {
    let details = prost::Message::encode_to_vec(status);
    let status = tonic::Status::with_details(Code::from(status.code), status.message.clone(), details.into());
    let found: ErrorDetails = status.get_error_details();
    let fields =
        found.bad_request().map(|bad| bad.field_violations.iter().map(|one| one.field.clone()).collect());
    let reason = found.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    (status.code(), reason, fields.unwrap_or_default())
}

#[tokio::test]
async fn an_id_counts_once_and_stands_for_one_content() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada"]).await;
        let sent = vec![visit("v1", ago(3)), order("o-1", ago(2), 1_000), visit("v1", ago(3))];
        assert_eq!(recorded(&harness, sent.clone()).await, [true, true, false]);
        assert_eq!(recorded(&harness, sent).await, [false; 3]);
        let other = vec![visit("v1", ago(4)), order("o-1", ago(2), 999), visit("v2", ago(1))];
        let results = record(&harness, other).await;
        for differs in &results[..2] {
            let (code, reason, _) = refusal(differs.status.as_ref().unwrap());
            assert_eq!((code, reason.as_str()), (Code::AlreadyExists, "INTERACTION_DIFFERS"));
        }
        assert!(results[2].created, "one bad item holds up no other");
        let ada = relationship(&harness, "customers/ada").await;
        assert_eq!((ada.orders, ada.stage(), ada.monetary), (1, Stage::FirstPurchase, vec![euros(1_000)]));
        assert_eq!((ada.recency_days, ada.last_activity_time), (Some(2), at(ago(1))));
    })
    .await;
}

#[tokio::test]
async fn a_customer_must_exist_and_a_guest_need_not() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada"]).await;
        let nobody = Interaction { customer: "customers/eve".to_owned(), ..visit("v1", ago(1)) };
        let results = record(&harness, vec![nobody, by_guest(visit("v2", ago(1)))]).await;
        let (code, reason, _) = refusal(results[0].status.as_ref().unwrap());
        assert_eq!((code, reason.as_str()), (Code::NotFound, "CUSTOMER_NOT_FOUND"));
        assert!(results[1].created);
        let guest = super::asked(&harness, "", GUEST).await.unwrap();
        assert_eq!((guest.stage(), guest.last_activity_time), (Stage::Prospect, at(ago(1))));
        let missing = super::asked(&harness, "customers/eve", "").await.unwrap_err();
        assert_eq!(missing.code(), Code::NotFound);
        let ada = relationship(&harness, "customers/ada").await;
        assert_eq!((ada.stage(), ada.stage_why.as_str()), (Stage::Prospect, "has not ordered yet"));
    })
    .await;
}

#[tokio::test]
async fn every_wrong_field_of_an_item_is_named_and_the_others_are_taken() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada"]).await;
        let long = "x".repeat(129);
        let rated = |value, lowest, highest| Interaction {
            rating: Some(Rating { value, lowest, highest }),
            ..of("r", InteractionType::Review, ago(1))
        };
        let without = |mut money: tandem_proto::common::v1::Money| {
            money.currency_code.clear();
            Some(money)
        };
        let bad: Vec<(Interaction, &[&str])> = vec![
            (Interaction { r#type: 99, ..visit("a", ago(1)) }, &["type"]),
            (Interaction { r#type: 0, ..visit("a", ago(1)) }, &["type"]),
            (visit("a", ago(-1)), &["event_time"]),
            (visit("a", ago(396)), &["event_time"]),
            (Interaction { event_time: None, ..visit("a", ago(1)) }, &["event_time"]),
            (visit("", ago(1)), &["event_id"]),
            (visit(&long, ago(1)), &["event_id"]),
            (visit("a b", ago(1)), &["event_id"]),
            (Interaction { guest_key: GUEST.to_owned(), ..visit("a", ago(1)) }, &["guest_key"]),
            (Interaction { customer: String::new(), ..visit("a", ago(1)) }, &["customer"]),
            (Interaction { customer: "ada".to_owned(), ..visit("a", ago(1)) }, &["customer"]),
            (Interaction { amount: Some(euros(1)), ..visit("a", ago(1)) }, &["amount"]),
            (Interaction { amount: without(euros(1)), ..order("o", ago(1), 1) }, &["amount.currency_code"]),
            (Interaction { amount: None, ..order("", ago(1), 1) }, &["amount", "order_id"]),
            (Interaction { amount: Some(euros(-5)), ..order("o", ago(1), 1) }, &["amount"]),
            (of("a", InteractionType::Return, ago(1)), &["amount"]),
            (
                Interaction {
                    rating: Some(Rating { value: 1, lowest: 1, highest: 5 }),
                    ..visit("a", ago(1))
                },
                &["rating"],
            ),
            (rated(6, 1, 5), &["rating.value"]),
            (rated(1, 5, 5), &["rating.highest"]),
            (Interaction { product: "shoes".to_owned(), ..visit("a", ago(1)) }, &["product"]),
            (Interaction { medium: long.clone(), ..visit("a", ago(1)) }, &["medium"]),
            (Interaction { place: "UK".to_owned(), ..visit("a", ago(1)) }, &["place"]),
            (Interaction { attributes: labels(&[("", "v")]), ..visit("a", ago(1)) }, &["attributes"]),
        ];
        let sent: Vec<Interaction> =
            bad.iter().map(|(one, _)| one.clone()).chain([visit("good", ago(1))]).collect();
        let results = record(&harness, sent).await;
        for ((one, expected), result) in bad.iter().zip(&results) {
            let (code, _, fields) = refusal(result.status.as_ref().unwrap());
            assert_eq!(
                (code, fields.as_slice()),
                (Code::InvalidArgument, expected.map_owned().as_slice()),
                "{one:?}"
            );
        }
        assert!(results.last().unwrap().created);
    })
    .await;
}

trait Owned {
    fn map_owned(&self) -> Vec<String>;
}

impl Owned for &[&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|one| (*one).to_owned()).collect()
    }
}

#[tokio::test]
async fn returns_reduce_what_was_spent_whichever_comes_first() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada", "eve"]).await;
        let back = |id: &str, order: &str, minor: i64| Interaction {
            order_id: order.to_owned(),
            amount: Some(euros(minor)),
            ..of(id, InteractionType::Return, ago(1))
        };
        recorded(&harness, vec![back("r1", "o-1", 300)]).await;
        let before = relationship(&harness, "customers/ada").await;
        assert_eq!((before.orders, before.monetary.len()), (0, 0), "its order is not known yet");
        recorded(&harness, vec![order("o-1", ago(5), 1_000), back("r2", "o-1", 200)]).await;
        let ada = relationship(&harness, "customers/ada").await;
        assert_eq!((ada.orders, ada.monetary), (1, vec![euros(500)]));
        recorded(&harness, vec![back("r3", "", 100)]).await;
        assert_eq!(relationship(&harness, "customers/ada").await.monetary, [euros(400)], "of no order");
    })
    .await;
}

#[tokio::test]
async fn a_stream_answers_each_message_once_it_is_durable_and_ends_with_what_it_cannot_read() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada"]).await;
        let message = |interactions| StreamInteractionsRequest { interactions };
        let sent: Vec<StreamInteractionsRequest> = (0..7)
            .map(|block| {
                let visits = (0..300).map(|one| visit(&format!("{block}-{one}"), ago(1)));
                message(visits.chain([visit("same", ago(1)), visit("", ago(1))]).collect())
            })
            .collect();
        let stream = client(&harness).stream_interactions(futures::stream::iter(sent)).await.unwrap();
        let answers: Vec<StreamInteractionsResponse> =
            all(stream.into_inner()).await.into_iter().map(Result::unwrap).collect();
        let created: i32 = answers.iter().map(|answer| answer.created).sum();
        let known: i32 = answers.iter().map(|answer| answer.known).sum();
        assert_eq!((answers.len(), created, known), (7, 2_101, 6));
        assert!(answers.iter().all(|answer| answer.failures.len() == 1 && answer.failures[0].index == 301));

        let sent = vec![
            message(vec![visit("last", ago(1))]),
            message(vec![visit("x", ago(1)); 1_001]),
            message(vec![]),
        ];
        let stream = client(&harness).stream_interactions(futures::stream::iter(sent)).await.unwrap();
        let answers = all(stream.into_inner()).await;
        assert_eq!(answers.len(), 2, "nothing is answered behind an error");
        assert_eq!(answers[0].as_ref().unwrap().created, 1);
        assert_eq!(crate::testing::fields(answers[1].as_ref().unwrap_err()), ["interactions"]);
    })
    .await;
}

async fn all<T>(mut stream: tonic::Streaming<T>) -> Vec<Result<T, tonic::Status>> {
    let mut found = Vec::new();
    while let Some(next) = futures::StreamExt::next(&mut stream).await {
        found.push(next);
    }
    found
}

#[tokio::test]
async fn what_is_older_than_its_type_is_kept_is_forgotten_and_its_figures_stay() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness: Harness = with(db, &["ada"]).await;
        let sent = vec![visit("v1", ago(390)), visit("v2", ago(1)), order("o-1", ago(5_000), 100)];
        recorded(&harness, sent).await;
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 0);
        harness.clock.advance(jiff::SignedDuration::from_hours(10 * 24));
        assert_eq!(tasks::forget(&harness.app).await.unwrap(), 1);
        let request = tandem_proto::relationship::v1::ListInteractionsRequest {
            customer: "customers/ada".to_owned(),
            ..Default::default()
        };
        assert_eq!(super::ids(&super::page(&harness, request).await.0), ["v2", "o-1"]);
        assert_eq!(relationship(&harness, "customers/ada").await.orders, 1);
    })
    .await;
}
