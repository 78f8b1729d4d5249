//! Orders as campaign-svc tells of them: each once, whatever is delivered twice, late, or also sent by hand.

use prost::Message;
use tandem_platform::outbox::Cursor;
use tandem_platform::outbox::consumer::{self, Delivered, Taken};
use tandem_platform::{Tenant, testing};
use tandem_proto::campaign::v1::{
    Order, OrderCancelled, OrderCommitted, OrderLinesReturned, OrderState, Refund, RefundCause,
};
use tandem_proto::common::v1::Event;
use tandem_proto::relationship::v1::feedback_service_client::FeedbackServiceClient;
use tandem_proto::relationship::v1::{
    Interaction, ListInteractionsRequest, ListSetAsideEventsRequest, RetrySetAsideEventsRequest,
    timeline_entry::What,
};
use uuid::Uuid;

use super::{GUEST, ago, asked, at, euros, ids, order, page, recorded, relationship, with};
use crate::MIGRATIONS;
use crate::testing::Harness;

fn committed(id: &str, days: i64, minor: i64) -> Order {
    Order {
        name: format!("orders/{id}"),
        state: OrderState::Committed.into(),
        customer: "customers/ada".to_owned(),
        total: Some(euros(minor)),
        commit_time: at(ago(days)),
        version: 2,
        ..Order::default()
    }
}

fn back(minor: i64) -> Refund {
    Refund {
        time: at(ago(1)),
        cause: RefundCause::Returned.into(),
        amount: Some(euros(minor)),
        ..Refund::default()
    }
}

fn event(id: u128, type_: &str, payload: &impl Message) -> Event {
    Event {
        id: Uuid::from_u128(id).to_string(),
        r#type: format!("tandem.campaign.v1.{type_}"),
        aggregate: "orders/o".to_owned(),
        payload: Some(prost_types::Any { type_url: String::new(), value: payload.encode_to_vec() }),
        ..Event::default()
    }
}

fn commits(id: u128, order: &Order) -> Event {
    event(id, "OrderCommitted", &OrderCommitted { order: Some(order.clone()) })
}

fn returns(id: u128, order: &Order, minor: i64) -> Event {
    let order = Order {
        state: OrderState::PartiallyReturned.into(),
        refunds: vec![back(minor)],
        version: order.version + 1,
        ..order.clone()
    };
    let told =
        OrderLinesReturned { order: Some(order), refund: Some(back(minor)), ..OrderLinesReturned::default() };
    event(id, "OrderLinesReturned", &told)
}

fn cancels(id: u128, order: &Order) -> Event {
    let order = Order { state: OrderState::Cancelled.into(), version: order.version + 5, ..order.clone() };
    event(id, "OrderCancelled", &OrderCancelled { order: Some(order), ..OrderCancelled::default() })
}

async fn take_in(harness: &Harness, events: &[Event]) -> Taken {
    let delivered = events.iter().map(|event| Delivered {
        tenant: Tenant::default(),
        cursor: Cursor::START,
        event: Some(event.clone()),
        gap: None,
    });
    consumer::take_in(&*harness.app, delivered.collect()).await.unwrap()
}

#[tokio::test]
async fn an_order_counts_once_with_what_came_back_whatever_is_told_twice_or_late() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada"]).await;
        let (one, two) = (committed("o-1", 9, 1_000), committed("%232", 5, 500));
        let told = [commits(1, &one), returns(2, &one, 300), commits(3, &two), cancels(4, &two)];
        take_in(&harness, &[told[1].clone(), told[1].clone(), told[3].clone()]).await;
        take_in(&harness, &told).await;
        // Of another database, with ids of its own.
        take_in(&harness, &[commits(11, &one), returns(12, &one, 300), commits(13, &two)]).await;
        let ada = relationship(&harness, "customers/ada").await;
        assert_eq!((ada.orders, ada.monetary, ada.last_order_time), (1, vec![euros(700)], at(ago(9))));
        let request = ListInteractionsRequest { customer: "customers/ada".to_owned(), ..Default::default() };
        let (entries, _) = page(&harness, request).await;
        assert_eq!(ids(&entries), ["return 3 o-1", "#2", "o-1"]);
        let Some(What::Interaction(cancelled)) = &entries[1].what else { panic!("{entries:?}") };
        assert!(cancelled.cancelled && cancelled.from_campaign);
        let Some(What::Interaction(returned)) = &entries[2].what else { panic!("{entries:?}") };
        assert_eq!(returned.returned, Some(euros(300)));
    })
    .await;
}

#[tokio::test]
async fn an_order_that_is_also_sent_by_hand_is_the_same_and_campaign_svcs_word_counts() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada"]).await;
        let by_hand = |id: &str| order(id, ago(8), 999);
        assert_eq!(recorded(&harness, vec![by_hand("before")]).await, [true]);
        take_in(
            &harness,
            &[commits(1, &committed("before", 9, 1_000)), commits(2, &committed("after", 9, 1_000))],
        )
        .await;
        assert_eq!(recorded(&harness, vec![by_hand("after"), by_hand("before")]).await, [false, false]);
        let ada = relationship(&harness, "customers/ada").await;
        assert_eq!((ada.orders, ada.monetary), (2, vec![euros(2_000)]));
        assert_eq!((ada.first_order_time, ada.last_activity_time), (at(ago(9)), at(ago(8))));
        let other = Interaction { amount: Some(euros(1)), ..by_hand("before") };
        assert_eq!(recorded(&harness, vec![other]).await, [false], "what was sent by hand counts no more");
    })
    .await;
}

#[tokio::test]
async fn orders_of_guests_and_of_customers_who_come_later_count_and_nobodys_do_not() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let guest = Order { customer: String::new(), guest_key: GUEST.to_owned(), ..committed("o-1", 2, 10) };
        let nobody = Order { customer: String::new(), ..committed("o-2", 2, 10) };
        let never = Order { commit_time: None, ..committed("o-3", 2, 10) };
        let events = [
            commits(1, &guest),
            commits(2, &nobody),
            cancels(3, &never),
            commits(4, &committed("o-4", 2, 10)),
        ];
        assert_eq!(take_in(&harness, &events).await, Taken::default());
        assert_eq!(asked(&harness, "", GUEST).await.unwrap().orders, 1);
        assert!(asked(&harness, "customers/ada", "").await.is_err());
        super::people(&harness, &["ada"]).await;
        assert_eq!(relationship(&harness, "customers/ada").await.orders, 1);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_is_not_understood_is_set_aside_and_counts_when_it_is() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = with(db, &["ada"]).await;
        let strange = Event { payload: None, ..commits(1, &committed("o-1", 2, 10)) };
        let good = commits(2, &committed("o-2", 2, 10));
        assert_eq!(take_in(&harness, &[strange, good]).await.set_aside, 1);
        assert_eq!(relationship(&harness, "customers/ada").await.orders, 1);
        let mut client = FeedbackServiceClient::new(harness.channel());
        let listed =
            client.list_set_aside_events(ListSetAsideEventsRequest::default()).await.unwrap().into_inner();
        assert_eq!(listed.events.len(), 1);
        let tried =
            client.retry_set_aside_events(RetrySetAsideEventsRequest::default()).await.unwrap().into_inner();
        assert_eq!((tried.taken_in.len(), tried.still_set_aside.len()), (0, 1));
        let told: Vec<String> = harness.events().await.into_iter().map(|event| event.r#type).collect();
        assert!(told.contains(&"tandem.relationship.v1.EventSetAside".to_owned()), "{told:?}");
    })
    .await;
}
