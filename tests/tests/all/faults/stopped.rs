//! relationship-svc is told to stop.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::{Connection, PgConnection};
use tandem_proto::relationship::v1::{ImportCustomersRequest, SubscribeRequest};
use tandem_tests::answer::Tally;
use tandem_tests::database::{Database, Engine, until_somebody_waits_for_a_lock};
use tandem_tests::ledger::Ledger;
use tandem_tests::load::{Load, at_once, settle};
use tandem_tests::stage::{Relationship, Request, Twins, quoted, redeem_quote, start_relationship};
use tokio::task::JoinSet;
use tonic::Code;

use super::{CALLERS, set_stage, turn};

const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that a call is on its way to the service.
const ON_THE_WAY: Duration = Duration::from_millis(50);
/// The drain, the detached writes and the rest of the way, as set below, and what a busy machine adds.
const SETTINGS: &[(&str, &str)] = &[
    ("SERVER__DRAIN_MS", "3000"),
    ("SERVER__FINISH_WRITES_MS", "2000"),
    ("SERVER__FINISH_BACKGROUND_MS", "2000"),
];
const EXIT_LIMIT: Duration = Duration::from_secs(3 + 2 + 2 + 2 + 3);

/// Calls that were not answered: only such as never reached a handler, or were told that the service is stopping.
fn assert_turned_away(code: Code, reason: &str) {
    let stopping = code == Code::Unavailable && reason == "SHUTTING_DOWN";
    // hyper names a connection that ended before the call in more ways than one; none of them has a word of ours.
    let connection = reason.is_empty()
        && matches!(code, Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal);
    assert!(stopping || connection, "{code:?} {reason}");
}

async fn a_stopped_process_loses_nothing(engine: Engine) {
    let database = Database::new(engine).await;
    let mut service = start_relationship(database.url(), SETTINGS);
    let callers: Vec<Relationship> = (0..4).map(|_| Relationship::of(&service)).collect();
    set_stage(&callers[0]).await;
    let load = Load::start(&callers, CALLERS, turn);
    load.more_acknowledged(200).await;

    let told = Instant::now();
    service.signal(Signal::SIGTERM);
    let status = tokio::task::block_in_place(|| service.wait(EXIT_LIMIT)).expect("it exits within its limit");
    assert!(status.success(), "{status}");
    load.failed(CALLERS).await;
    let attempts = load.stop().await;

    let accepted = |began: Instant| began + ON_THE_WAY < told;
    let lost: Vec<_> = attempts.iter().filter(|one| !one.is_settled() && accepted(one.began)).collect();
    assert!(lost.is_empty(), "accepted before the drain, and not answered: {lost:?}");
    for attempt in attempts.iter().filter(|one| !one.is_settled()) {
        let refusal = attempt.refusal().expect("it failed");
        assert_turned_away(refusal.code, &refusal.reason);
    }
    // Nobody has repeated anything yet: what was turned away is not in the ledger.
    let ledger = Ledger::checked(database.url()).await;
    let settled: Vec<_> = attempts.iter().filter(|one| one.is_settled()).cloned().collect();
    ledger.tells_the_same(&settled);

    service.restart();
    let settled = settle(&callers, attempts).await;
    Ledger::checked(database.url()).await.tells_the_same(&settled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_told_to_stop_under_load_answers_what_it_accepted_and_nothing_it_refused_is_done_on_sqlite()
{
    a_stopped_process_loses_nothing(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_told_to_stop_under_load_answers_what_it_accepted_and_nothing_it_refused_is_done_on_postgres()
 {
    a_stopped_process_loses_nothing(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_accepted_before_the_drain_are_answered_although_they_wait_for_a_lock() {
    let twins = Twins::start().await;
    let callers = [Relationship::of(&twins.first), Relationship::of(&twins.first)];
    set_stage(&callers[0]).await;
    let mut holder = PgConnection::connect(twins.database.url()).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT 1 FROM voucher FOR UPDATE").execute(&mut holder).await.unwrap();
    let request = |index: usize| -> Request {
        let order = format!("order-{index}");
        redeem_quote(&order, &quoted(&order, "customers/ada", &[("LOAD-A", "load", 100)])).into()
    };
    let mut waiting = JoinSet::new();
    let requests = (0..100).map(request).collect();
    waiting.spawn(async move { at_once(&callers, requests).await });
    until_somebody_waits_for_a_lock(twins.database.url()).await;

    let mut first = twins.first;
    first.signal(Signal::SIGTERM);
    let address = first.address().to_owned();
    until("new connections are refused", || TcpStream::connect(&address).is_err()).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();

    let answers = waiting.join_next().await.expect("the callers").unwrap();
    assert_eq!(Tally::of(&answers), Tally::expected([("OK", 100)]));
    let status = tokio::task::block_in_place(|| first.wait(PATIENCE)).expect("it exits");
    assert!(status.success(), "{status}");
    assert_eq!(Ledger::checked(twins.database.url()).await.redemptions.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_close_do_not_keep_a_process_from_stopping() {
    let database = Database::new(Engine::Sqlite).await;
    let mut service = start_relationship(database.url(), SETTINGS);
    let caller = Relationship::of(&service);
    let mut subscription =
        caller.events.clone().subscribe(SubscribeRequest::default()).await.unwrap().into_inner();
    let (keep, endless) = tokio::sync::mpsc::channel::<ImportCustomersRequest>(1);
    let mut tasks = JoinSet::new();
    let import = caller.clone();
    tasks.spawn(async move {
        let stream = tokio_stream::wrappers::ReceiverStream::new(endless);
        let mut answers = import.customers.clone().import_customers(stream).await?.into_inner();
        while answers.message().await?.is_some() {}
        Ok::<(), tonic::Status>(())
    });
    // Speaks HTTP/2 as far as it must, and then listens to nothing.
    let mut silent = TcpStream::connect(service.address()).unwrap();
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    keep.send(ImportCustomersRequest::default()).await.unwrap();

    service.signal(Signal::SIGTERM);
    let status = tokio::task::block_in_place(|| service.wait(EXIT_LIMIT)).expect("it exits within its limit");

    assert!(status.success(), "{status}");
    let ended =
        tokio::time::timeout(PATIENCE, async { while let Ok(Some(_)) = subscription.message().await {} });
    ended.await.expect("the subscription ends");
    let import = tokio::time::timeout(PATIENCE, tasks.join_next()).await.expect("the import ends");
    assert!(import.is_some_and(|joined| joined.is_ok_and(|answer| answer.is_err())));
    drop((silent, keep));
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
