//! Events that cannot be taken in hold up nobody, are told of, and count once they can be.

use tandem_platform::db::Statement;
use tandem_platform::{on_engine, transact};
use tandem_proto::campaign::v1::feedback_service_client::FeedbackServiceClient;
use tandem_proto::campaign::v1::{EventSetAside, ListSetAsideEventsRequest, RetrySetAsideEventsRequest};
use tonic::Code;

use super::*;
use crate::tests::fields;

fn tenant(name: &str) -> Tenant {
    Tenant::parse(name).unwrap()
}

/// An event whose payload is not the message that its type names.
fn strange(id: u128) -> Event {
    Event {
        payload: None,
        aggregate: "redemptions/strange".to_owned(),
        ..redeemed(id, redemption(1, "o-1", "", 500), 4_500)
    }
}

async fn count(db: &Db, tenant: &Tenant) -> i64 {
    store::sums(&mut db.read().await.unwrap(), tenant, &["spring"]).await.unwrap().redemptions
}

#[tokio::test]
async fn an_event_that_is_not_understood_is_set_aside_with_an_event_of_our_own() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let (mine, other) = (Tenant::default(), tenant("other"));
        let good = |id: u32| redeemed(id.into(), redemption(id, &format!("o-{id}"), "", 100), 900);
        let delivered =
            [told(&mine, &[strange(1), good(2)], upto(2)), told(&other, &[good(3)], upto(1))].concat();
        assert_eq!(consumer::take_in(&*harness.app, delivered).await.unwrap().set_aside, 1);
        assert_eq!((count(&db, &mine).await, count(&db, &other).await), (1, 1));
        assert_eq!(cursor(&harness, &mine).await, Some(upto(2)));

        let events = harness.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].r#type.as_str(), events[0].tenant.as_str()),
            ("tandem.campaign.v1.EventSetAside", "default")
        );
        let told = EventSetAside::decode(events[0].payload.as_ref().unwrap().value.as_slice()).unwrap();
        assert_eq!((told.event_id, told.aggregate.as_str()), (strange(1).id, "redemptions/strange"));
        // Delivered again it is neither set aside nor told of again.
        assert_eq!(take_in(&harness, &mine, &[strange(1)], upto(2)).await.set_aside, 0);
        assert_eq!(harness.events().await.len(), 1);
    })
    .await;
}

const SPOIL: Statement = Statement::pair(
    "CREATE UNIQUE INDEX spoiled ON redemption_feedback (order_id) WHERE order_id = 'poison'",
    "CREATE UNIQUE INDEX spoiled ON redemption_feedback (order_id) WHERE order_id = 'poison'",
);
const MEND: Statement = Statement::same("DROP INDEX spoiled");

async fn run(db: &Db, statement: Statement) {
    transact!(*db, |tx| {
        on_engine!(tx, statement, |sql, conn| sqlx::query(sql).execute(conn).await.map(|_| ()))?;
        Ok(())
    })
    .unwrap();
}

#[tokio::test]
async fn an_event_that_the_database_refuses_is_set_aside_alone_and_counts_when_tried_again() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let mut client = FeedbackServiceClient::new(harness.channel());
        run(&db, SPOIL).await;
        let (mine, other) = (Tenant::default(), tenant("other"));
        let event = |id: u32, order: &str| redeemed(id.into(), redemption(id, order, "", 100), 900);
        // The second of the two cannot go in beside the first.
        let delivered = [
            told(&mine, &[event(1, "o-1"), event(2, "poison"), event(3, "poison"), event(4, "o-4")], upto(4)),
            told(&other, &[event(5, "o-5")], upto(1)),
        ]
        .concat();
        assert_eq!(consumer::take_in(&*harness.app, delivered).await.unwrap().set_aside, 1);
        assert_eq!((count(&db, &mine).await, count(&db, &other).await), (3, 1));
        assert_eq!(cursor(&harness, &mine).await, Some(upto(4)));

        let listed =
            client.list_set_aside_events(ListSetAsideEventsRequest::default()).await.unwrap().into_inner();
        let [aside] = listed.events.as_slice() else { panic!("{listed:?}") };
        assert_eq!(aside.event.as_ref().unwrap().id, event(3, "poison").id);
        assert!(aside.reason.contains("database"), "{}", aside.reason);

        let all = RetrySetAsideEventsRequest::default();
        let tried = client.retry_set_aside_events(all.clone()).await.unwrap().into_inner();
        assert_eq!((tried.taken_in.len(), tried.still_set_aside.len()), (0, 1), "the cause is still there");
        run(&db, MEND).await;
        let tried = client.retry_set_aside_events(all.clone()).await.unwrap().into_inner();
        assert_eq!(tried.taken_in, [event(3, "poison").id]);
        assert_eq!(count(&db, &mine).await, 4);
        let tried = client.retry_set_aside_events(all).await.unwrap().into_inner();
        assert_eq!((tried.taken_in.len(), tried.still_set_aside.len()), (0, 0), "it counts once");
    })
    .await;
}

#[tokio::test]
async fn what_is_set_aside_is_listed_by_pages_and_tried_by_id() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let mut client = FeedbackServiceClient::new(harness.channel());
        let events: Vec<Event> = (1..=5).map(strange).collect();
        assert_eq!(take_in(&harness, &Tenant::default(), &events, upto(5)).await.set_aside, 5);
        assert_eq!(take_in(&harness, &tenant("other"), &[strange(9)], upto(1)).await.set_aside, 1);
        let (mut token, mut seen) = (String::new(), Vec::new());
        loop {
            let request = ListSetAsideEventsRequest { page_size: 2, page_token: token };
            let page = client.list_set_aside_events(request).await.unwrap().into_inner();
            seen.extend(page.events.into_iter().map(|one| one.event.unwrap().id));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, events.iter().map(|event| event.id.clone()).collect::<Vec<_>>());
        let named = vec![events[3].id.clone(), Uuid::from_u128(77).to_string()];
        let tried =
            client.retry_set_aside_events(RetrySetAsideEventsRequest { event_ids: named }).await.unwrap();
        let still: Vec<String> =
            tried.into_inner().still_set_aside.into_iter().map(|one| one.event.unwrap().id).collect();
        assert_eq!(still, [events[3].id.clone()]);
        let wrong = RetrySetAsideEventsRequest { event_ids: vec![events[0].id.clone(), "mine".to_owned()] };
        let refused = client.retry_set_aside_events(wrong).await.unwrap_err();
        assert_eq!(
            (refused.code(), fields(&refused)),
            (Code::InvalidArgument, vec!["event_ids[1]".to_owned()])
        );
    })
    .await;
}
