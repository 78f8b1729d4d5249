//! Interactions over processes: streams that are killed and sent again, and orders that come by themselves.

mod imported;
mod typed;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use tandem_proto::campaign::v1::{Order, OrderState};
use tandem_proto::common::v1::Money;
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::interaction_service_client::InteractionServiceClient;
use tandem_proto::relationship::v1::relationship_service_client::RelationshipServiceClient;
use tandem_proto::relationship::v1::{
    BatchUpsertCustomersRequest, Customer, GetRelationshipRequest, Interaction, InteractionType,
    ListInteractionsRequest, RecordInteractionsRequest, Relationship, Stage, StreamInteractionsRequest,
};
use tandem_tests::database::{Database, Engine};
use tandem_tests::process::Service;
use tandem_tests::stage::orders::{Shop, cancel, take_back};
use tandem_tests::stage::{eur, in_seconds, minor, start_relationship};
use tokio::task::JoinSet;
use tonic::transport::Channel;

const SETTLE: Duration = Duration::from_secs(60);
const ADA: &str = "customers/ada";
const DAY: i64 = 86_400;

async fn customers(channel: Channel, ids: &[&str]) {
    let customers = ids.iter().map(|id| Customer { name: format!("customers/{id}"), ..Customer::default() });
    let request = BatchUpsertCustomersRequest {
        customers: customers.collect(),
        ..BatchUpsertCustomersRequest::default()
    };
    CustomerServiceClient::new(channel).batch_upsert_customers(request).await.expect("customers are made");
}

async fn relationship(channel: Channel) -> Option<Relationship> {
    let request = GetRelationshipRequest { customer: ADA.to_owned(), guest_key: String::new() };
    let answer = RelationshipServiceClient::new(channel).get_relationship(request).await.ok()?;
    answer.into_inner().relationship
}

async fn timeline(channel: Channel) -> Vec<Interaction> {
    use tandem_proto::relationship::v1::timeline_entry::What;
    let (mut found, mut page_token) = (Vec::new(), String::new());
    let mut client = InteractionServiceClient::new(channel);
    loop {
        let request = ListInteractionsRequest { customer: ADA.to_owned(), page_token, ..Default::default() };
        let page = client.list_interactions(request).await.expect("a page").into_inner();
        found.extend(page.entries.into_iter().filter_map(|entry| match entry.what? {
            What::Interaction(one) => Some(one),
            What::Redemption(_) | What::Consent(_) => None,
        }));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

fn of(id: &str, kind: InteractionType, seconds_ago: i64) -> Interaction {
    Interaction {
        event_id: id.to_owned(),
        r#type: kind.into(),
        event_time: Some(in_seconds(-seconds_ago)),
        customer: ADA.to_owned(),
        ..Interaction::default()
    }
}

/// Orders and visits, in no order.
fn things() -> Vec<Interaction> {
    let thing = |n: i64| match n % 3 {
        0 => Interaction {
            order_id: format!("o-{n}"),
            amount: Some(eur(100 + n)),
            ..of("", InteractionType::Order, (n * 7 % 100) * DAY + n)
        },
        _ => of(&format!("v-{n}"), InteractionType::Visit, (n * 13 % 300) * DAY + n),
    };
    (0..3_000).map(thing).collect()
}

/// Sends all by one stream; answers how many messages were confirmed.
async fn send(channel: Channel, things: &[Interaction]) -> usize {
    let messages: Vec<StreamInteractionsRequest> =
        things.chunks(60).map(|some| StreamInteractionsRequest { interactions: some.to_vec() }).collect();
    let mut client = InteractionServiceClient::new(channel);
    let Ok(stream) = client.stream_interactions(futures::stream::iter(messages)).await else { return 0 };
    let answers = stream.into_inner().take_while(|answer| futures::future::ready(answer.is_ok()));
    let answers: Vec<_> = answers.collect().await;
    assert!(answers.iter().flatten().all(|answer| answer.failures.is_empty()));
    answers.len()
}

/// Streams that break are sent again from what was not confirmed, until all is.
async fn insist(service: &Service, things: &[Interaction]) {
    let (mut confirmed, end) = (0, Instant::now() + SETTLE);
    while confirmed < things.len() {
        confirmed += send(service.channel(), &things[confirmed..]).await * 60;
        assert!(Instant::now() < end, "{confirmed} of {} are confirmed", things.len());
    }
}

async fn assert_all_counted_once(channel: Channel, things: &[Interaction]) {
    let found = relationship(channel.clone()).await.expect("an answer");
    let orders: Vec<&Interaction> = things.iter().filter(|one| !one.order_id.is_empty()).collect();
    let sum: i64 = orders.iter().map(|one| minor(one.amount.as_ref())).sum();
    assert_eq!(found.orders, i64::try_from(orders.len()).unwrap());
    assert_eq!(found.monetary, [eur(sum)]);
    assert_eq!(found.stage(), Stage::Loyal);
    let told: Vec<i64> = timeline(channel).await.iter().map(|one| one.event_time.unwrap().seconds).collect();
    let mut sorted: Vec<i64> = things.iter().map(|one| one.event_time.unwrap().seconds).collect();
    sorted.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(told, sorted, "each once, newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_service_that_is_killed_and_started_again_counts_everything_once() {
    let database = Database::new(Engine::Sqlite).await;
    let mut service = start_relationship(database.url(), &[]);
    customers(service.channel(), &["ada"]).await;
    let things = things();
    for part in [700, 1_500] {
        let (channel, some) = (service.channel(), things[..part].to_vec());
        let mut sending = JoinSet::new();
        sending.spawn(async move { send(channel, &some).await });
        tokio::time::sleep(Duration::from_millis(60)).await;
        service.kill();
        sending.join_all().await;
        service.restart();
    }
    insist(&service, &things).await;
    assert_all_counted_once(service.channel(), &things).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_two_processes_of_which_one_is_killed_everything_counts_once() {
    let database = Database::new(Engine::Postgres).await;
    let mut first = start_relationship(database.url(), &[]);
    let second = start_relationship(database.url(), &[]);
    customers(first.channel(), &["ada"]).await;
    let things = things();
    let mut sending = JoinSet::new();
    for service in [&first, &second] {
        let (channel, mut some) = (service.channel(), things.clone());
        some.rotate_left(if service.pid() == first.pid() { 0 } else { 1_300 });
        sending.spawn(async move { send(channel, &some).await });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    first.kill();
    sending.join_all().await;
    first.restart();
    insist(&first, &things).await;
    insist(&second, &things[..600]).await;
    assert_all_counted_once(second.channel(), &things).await;
}

/// An order as a shop sends it by hand.
fn by_hand(order: &Order) -> Interaction {
    let id = tandem_kernel::order_id::parse(&order.name).unwrap();
    Interaction {
        order_id: id,
        event_time: order.create_time,
        amount: order.total.clone(),
        ..of("", InteractionType::Order, 0)
    }
}

/// What relationship-svc should find of the orders.
fn expected(orders: &BTreeMap<String, Order>) -> (i64, Vec<Money>) {
    let counts = |order: &&Order| order.state() != OrderState::Cancelled;
    let net = |order: &Order| {
        let back: i64 = order.refunds.iter().map(|refund| minor(refund.amount.as_ref())).sum();
        minor(order.total.as_ref()) - back
    };
    let standing: Vec<&Order> = orders.values().filter(counts).collect();
    let sum: i64 = standing.iter().map(|order| net(order)).sum();
    (i64::try_from(standing.len()).unwrap(), vec![eur(sum)])
}

async fn until(channel: impl Fn() -> Channel, wanted: &(i64, Vec<Money>)) {
    let end = Instant::now() + SETTLE;
    loop {
        let found = relationship(channel()).await.map(|found| (found.orders, found.monetary));
        if found.as_ref() == Some(wanted) {
            return;
        }
        assert!(Instant::now() < end, "{found:?} in place of {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn orders_come_by_themselves(engine: Engine, replicas: usize) {
    let mut shop = Shop::following(engine, replicas).await;
    customers(shop.relationships[0].channel(), &["ada"]).await;
    let mut known = BTreeMap::new();
    for n in 0..40 {
        let id = format!("o-{n}");
        let mut order = shop.orders(0).insist(&shop.commit(&id, &[])).await.unwrap();
        if n % 4 == 1 {
            order = shop.orders(0).insist(&take_back(&id, &format!("back-{n}"), 1)).await.unwrap();
        }
        if n % 5 == 2 {
            order = shop.orders(0).insist(&cancel(&id)).await.unwrap();
        }
        if n % 3 == 0 {
            // Before campaign-svc's word comes, or after it.
            let request = RecordInteractionsRequest { interactions: vec![by_hand(&order)] };
            let mut client = InteractionServiceClient::new(shop.relationships[0].channel());
            let _ = client.record_interactions(request).await;
        }
        known.insert(id, order);
        match n {
            8 => shop.stream.as_ref().unwrap().cut(true),
            14 => shop.stream.as_ref().unwrap().cut(false),
            20 => {
                shop.relationships[0].kill();
                shop.relationships[0].restart();
            }
            28 => {
                shop.campaigns[0].kill();
                shop.campaigns[0].restart();
            }
            _ => {}
        }
    }
    let wanted = expected(&known);
    let last = shop.relationships.len() - 1;
    until(|| shop.relationships[last].channel(), &wanted).await;
    // Told all over again it is the same.
    shop.relationships[0].kill();
    shop.relationships[0].restart();
    shop.stream.as_ref().unwrap().cut(true);
    shop.stream.as_ref().unwrap().cut(false);
    let one_more = shop.orders(0).insist(&shop.commit("last", &[])).await.unwrap();
    known.insert("last".to_owned(), one_more);
    until(|| shop.relationships[last].channel(), &expected(&known)).await;
    let told = timeline(shop.relationships[last].channel()).await;
    let of_kind = |kind: InteractionType| told.iter().filter(|one| one.r#type() == kind).count();
    assert_eq!(of_kind(InteractionType::Order), known.len(), "each order once");
    assert_eq!(of_kind(InteractionType::Return), 10, "each return once");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_orders_come_by_themselves_whatever_breaks_and_count_once() {
    orders_come_by_themselves(Engine::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_orders_come_by_themselves_to_two_replicas_and_count_once() {
    orders_come_by_themselves(Engine::Postgres, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_thousand_interactions_with_one_in_a_hundred_bad_the_rest_is_in() {
    let database = Database::new(Engine::Sqlite).await;
    let service = start_relationship(database.url(), &[]);
    customers(service.channel(), &["ada"]).await;
    let thing = |n: i64| {
        let mut one = of(&format!("v-{n}"), InteractionType::Visit, n);
        match n % 400 {
            7 => one.r#type = 99,
            107 => one.event_time = Some(in_seconds(3_600)),
            207 => one.customer = "customers/nobody".to_owned(),
            307 => one.event_id.clear(),
            _ => {}
        }
        one
    };
    let messages = (0..200).map(move |block| StreamInteractionsRequest {
        interactions: (block * 500..(block + 1) * 500).map(thing).collect(),
    });
    let mut client = InteractionServiceClient::new(service.channel());
    let answers = client.stream_interactions(futures::stream::iter(messages)).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(|answer| answer.expect("an answer")).collect().await;
    let created: i32 = answers.iter().map(|answer| answer.created).sum();
    assert_eq!((answers.len(), created), (200, 99_000));
    for (block, answer) in answers.iter().enumerate() {
        let places: Vec<i32> = answer.failures.iter().map(|failure| failure.index).collect();
        let first = i32::try_from(block).unwrap() * 500;
        let bad: Vec<i32> = (0..500).filter(|at| (first + at) % 100 == 7).collect();
        assert_eq!(places, bad, "told by their places");
    }
}
