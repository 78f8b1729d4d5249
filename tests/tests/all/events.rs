//! Subscriptions over two processes that write at once: nothing is skipped, nothing comes twice.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tandem_proto::common::v1::Event;
use tandem_proto::relationship::v1::SubscribeRequest;
use tandem_tests::answer::Tally;
use tandem_tests::database::until_somebody_waits_for_a_lock;
use tandem_tests::load::at_once;
use tandem_tests::stage::{Relationship, Request, Twins, incentive, percent, quoted, redeem_quote};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(30);
const ORDERS: usize = 300;
const REDEEMED: &str = "tandem.relationship.v1.VoucherRedeemed";

/// What one subscriber heard: cursors and events.
type Heard = Vec<(String, Event)>;

fn subscribe(cursor: &str) -> SubscribeRequest {
    let types = vec![REDEEMED.to_owned()];
    SubscribeRequest { cursor: cursor.to_owned(), types, ..SubscribeRequest::default() }
}

/// Listens until `wanted` events have come, reconnecting to the next of `callers` after every `per_connection`.
async fn listen(callers: Vec<Relationship>, wanted: usize, per_connection: usize) -> Heard {
    let (mut heard, mut cursor, mut connections) = (Heard::new(), String::new(), 0);
    while heard.len() < wanted {
        let mut events = callers[connections % callers.len()].events.clone();
        let mut stream = events.subscribe(subscribe(&cursor)).await.expect("a subscription").into_inner();
        let mut here = 0;
        while here < per_connection && heard.len() < wanted {
            let next = tokio::time::timeout(PATIENCE, stream.message()).await;
            let next = next.unwrap_or_else(|_| panic!("only {} of {wanted} events came", heard.len()));
            let response = next.expect("the stream goes on").expect("the stream goes on");
            cursor.clone_from(&response.cursor);
            if let Some(event) = response.event {
                heard.push((response.cursor, event));
                here += 1;
            }
        }
        connections += 1;
    }
    heard
}

fn assert_in_order(heard: &Heard) {
    let places: Vec<(i64, i32)> = heard.iter().map(|(_, event)| (event.position, event.seq)).collect();
    let mut sorted = places.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(places, sorted, "in order of position and seq, each once");
    let ids: BTreeSet<&str> = heard.iter().map(|(_, event)| event.id.as_str()).collect();
    assert_eq!(ids.len(), heard.len(), "each id once");
}

fn order(event: &Event) -> String {
    use prost::Message;
    let payload = event.payload.as_ref().expect("a payload").value.as_slice();
    let told =
        tandem_proto::relationship::v1::VoucherRedeemed::decode(payload).expect("the message named by type");
    told.redemption.expect("a redemption").order_id
}

fn redeem(order: String) -> Request {
    let codes = ["EVENT-A", "EVENT-B", "EVENT-C"];
    let code = codes[order.bytes().last().map_or(0, usize::from) % codes.len()];
    redeem_quote(&order, &quoted(&order, "", &[(code, "event", 100)])).into()
}

async fn stage() -> (Twins, Vec<Relationship>) {
    let twins = Twins::start().await;
    let callers = twins.callers();
    callers[0].incentive("event", incentive(percent(100_000))).await;
    callers[0].codes("event", &["EVENT-A", "EVENT-B", "EVENT-C"], 0).await;
    (twins, callers)
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_of_two_processes_hear_the_same_events_in_the_same_order_and_miss_none() {
    let (twins, callers) = stage().await;
    let (first, second) = (Relationship::of(&twins.first), Relationship::of(&twins.second));
    let mut listeners = JoinSet::new();
    listeners.spawn(listen(vec![first.clone()], ORDERS, usize::MAX));
    listeners.spawn(listen(vec![second.clone()], ORDERS, usize::MAX));
    // One that loses its connection again and again, and goes on at the other process with its cursor.
    listeners.spawn(listen(vec![first.clone(), second.clone()], ORDERS, 7));

    let answers =
        at_once(&callers, (0..ORDERS).map(|index| redeem(format!("order-{index}"))).collect()).await;
    assert_eq!(Tally::of(&answers), Tally::expected([("OK", ORDERS)]));

    let heard = listeners.join_all().await;
    let afterwards = listen(vec![second], ORDERS, usize::MAX).await;
    let orders: BTreeSet<String> = afterwards.iter().map(|(_, event)| order(event)).collect();
    assert_eq!(orders.len(), ORDERS);
    for one in &heard {
        assert_in_order(one);
        assert!(*one == afterwards, "two subscribers heard different things");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_commits_late_is_still_heard_by_who_has_read_past_its_beginning() {
    let (twins, callers) = stage().await;
    let mut holder = PgConnection::connect(twins.database.url()).await.unwrap();
    let lock = "BEGIN; SELECT 1 FROM voucher WHERE code = 'EVENT-A' FOR UPDATE";
    sqlx::raw_sql(lock).execute(&mut holder).await.unwrap();
    let late = redeem_quote("late", &quoted("late", "", &[("EVENT-A", "event", 100)]));
    let mut waiting = JoinSet::new();
    let caller = callers[0].clone();
    waiting.spawn(async move { caller.send(&late.into()).await });
    until_somebody_waits_for_a_lock(twins.database.url()).await;

    // Others begin later, commit earlier, and are heard.
    let early = redeem_quote("early", &quoted("early", "", &[("EVENT-B", "event", 100)]));
    callers[1].send(&early.into()).await.unwrap();
    let before = listen(vec![callers[1].clone()], 1, usize::MAX).await;
    assert_eq!(order(&before[0].1), "early");
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    waiting.join_next().await.expect("a caller").unwrap().unwrap();

    let mut events = callers[1].events.clone();
    let mut stream = events.subscribe(subscribe(&before[0].0)).await.unwrap().into_inner();
    let response =
        tokio::time::timeout(PATIENCE, stream.message()).await.expect("the late one comes").unwrap().unwrap();
    assert_eq!(order(&response.event.expect("an event")), "late");
}
