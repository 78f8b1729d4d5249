//! The same request twice, in parallel, with another body, and in batches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tandem_proto::common::v1::{Line, Money};
use tokio::sync::{Barrier, Notify};

use super::*;
use crate::call::Deadline;
use crate::db::tests::test_migrations;
use crate::fault::Kind;
use crate::tasks::Tasks;
use crate::testing;

const ADD: Statement = Statement::same(
    "INSERT INTO tally (name, value) VALUES ('n', 1) ON CONFLICT (name) DO UPDATE SET value = tally.value + 1",
);
const COUNT: Statement = Statement::same("SELECT value FROM tally WHERE name = 'n'");

fn now() -> Timestamp {
    Timestamp::from_second(1_750_000_000).unwrap()
}

fn request(id: &str, units: i64) -> Request {
    Request::new("Redeem", id, &Money { currency_code: "EUR".to_owned(), units, nanos: 0 })
}

async fn add(tx: &mut Tx) -> Outcome<()> {
    on_engine!(tx, ADD, |sql, conn| sqlx::query(sql).execute(conn).await.map(|_| ()))?;
    Ok(())
}

async fn count(db: &Db) -> i64 {
    let mut reader = db.read().await.unwrap();
    on_engine!(&mut reader, COUNT, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await).unwrap()
}

/// A whole command: claim, change, finish. Answers the outcome and whether it was a repetition.
async fn command(db: &Db, request: &Request, outcome: &str) -> Outcome<(String, bool)> {
    let (tenant, call) = (Tenant::default(), Call::system("default"));
    transact!(db, |tx| {
        match claim::<String>(tx, &call, request, now()).await? {
            Claim::Repeat(stored) => Ok((stored, true)),
            Claim::Fresh => {
                add(tx).await?;
                finish(tx, &tenant, request, &outcome).await?;
                Ok((outcome.to_owned(), false))
            }
        }
    })
}

#[tokio::test]
async fn a_repeated_request_is_answered_with_the_first_outcome_and_changes_nothing() {
    testing::engines(test_migrations(), |db| async move {
        let first = command(&db, &request("a", 1), "first \"outcome\"").await.unwrap();
        let second = command(&db, &request("a", 1), "second").await.unwrap();
        assert_eq!(first, ("first \"outcome\"".to_owned(), false));
        assert_eq!(second, ("first \"outcome\"".to_owned(), true));
        assert_eq!(count(&db).await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_same_id_with_another_body_is_refused_and_with_another_method_or_tenant_is_another_request() {
    testing::engines(test_migrations(), |db| async move {
        command(&db, &request("a", 1), "first").await.unwrap();
        let reused = command(&db, &request("a", 2), "second").await.unwrap_err();
        assert_eq!((reused.kind(), reused.reason()), (Kind::Invalid, "REQUEST_ID_REUSED"));
        let other = Request { method: "Hold", ..request("a", 1) };
        assert!(!command(&db, &other, "third").await.unwrap().1);
        let (tenant, call) = (Tenant::parse("other").unwrap(), Call::system("other"));
        let fresh = transact!(db, |tx| {
            let claim = claim::<String>(tx, &call, &request("a", 2), now()).await?;
            finish(tx, &tenant, &request("a", 2), &"fourth").await?;
            Ok(claim)
        });
        assert_eq!(fresh.unwrap(), Claim::Fresh);
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_leaves_no_claim_and_is_judged_anew() {
    testing::engines(test_migrations(), |db| async move {
        let call = Call::system("default");
        let refused: Outcome<()> = transact!(db, |tx| {
            claim::<String>(tx, &call, &request("a", 1), now()).await?;
            Err(Fault::not_found("vouchers/x"))
        });
        assert_eq!(refused.unwrap_err().kind(), Kind::NotFound);
        assert!(!command(&db, &request("a", 1), "later").await.unwrap().1);
    })
    .await;
}

#[tokio::test]
async fn of_many_equal_requests_at_once_one_takes_effect() {
    testing::engines(test_migrations(), |db| async move { race(&db).await }).await;
}

#[tokio::test]
async fn of_many_equal_requests_at_once_one_takes_effect_where_transactions_are_serialisable() {
    testing::postgres(test_migrations(), |database| async move {
        let name = "ALTER DATABASE CURRENT SET default_transaction_isolation = serializable";
        let sql = name.replace("CURRENT", &database_name(&mut database.connect().await).await);
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut database.connect().await).await.unwrap();
        let db = database.another().await;
        race(&db).await;
        db.close().await;
    })
    .await;
}

async fn database_name(connection: &mut PgConnection) -> String {
    sqlx::query_scalar("SELECT current_database()::text").fetch_one(connection).await.unwrap()
}

async fn race(db: &Db) {
    let tasks = Tasks::new();
    let start = Arc::new(Barrier::new(6));
    let racers = (0..6).map(|_| {
        let (db, start, tasks) = (db.clone(), start.clone(), tasks.clone());
        async move {
            tasks
                .write(async move {
                    start.wait().await;
                    command(&db, &request("same", 1), "the one outcome").await
                })
                .await
        }
    });
    let outcomes = futures::future::join_all(racers).await;
    let fresh = outcomes.iter().filter(|outcome| !outcome.as_ref().unwrap().1).count();
    assert_eq!(fresh, 1);
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap().0 == "the one outcome"));
    assert_eq!(count(db).await, 1);
}

#[tokio::test]
async fn the_second_waits_for_the_first_and_reads_what_it_left() {
    for first_commits in [true, false] {
        testing::postgres(test_migrations(), |database| async move {
            let db = database.db.clone();
            let (claimed, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let first = {
                let (db, claimed, go_on) = (db.clone(), claimed.clone(), go_on.clone());
                async move {
                    let (tenant, call) = (Tenant::default(), Call::system("default"));
                    transact!(db, |tx| {
                        claim::<String>(tx, &call, &request("a", 1), now()).await?;
                        claimed.notify_one();
                        go_on.notified().await;
                        finish(tx, &tenant, &request("a", 1), &"first").await?;
                        if first_commits { Ok(()) } else { Err(Fault::not_found("vouchers/x")) }
                    })
                }
            };
            let second = async {
                claimed.notified().await;
                let same = request("a", 1);
                let command = command(&db, &same, "second");
                let release = async {
                    database.until_somebody_waits().await;
                    go_on.notify_one();
                };
                tokio::join!(command, release).0
            };
            let (first, second) = tokio::join!(first, second);
            assert_eq!(first.is_ok(), first_commits);
            let expected =
                if first_commits { ("first".to_owned(), true) } else { ("second".to_owned(), false) };
            assert_eq!(second.unwrap(), expected);
        })
        .await;
    }
}

#[tokio::test]
async fn the_second_waits_longer_than_for_any_other_lock_while_its_caller_does() {
    testing::postgres(test_migrations(), |database| async move {
        let hasty = database.hasty(50).await;
        let (claimed, go_on) = (Notify::new(), Notify::new());
        let call = Call::system("default");
        let first = async {
            transact!(database.db, |tx| {
                claim::<String>(tx, &call, &request("a", 1), now()).await?;
                claimed.notify_one();
                go_on.notified().await;
                finish(tx, &call.tenant, &request("a", 1), &"first").await
            })
        };
        let second = async {
            claimed.notified().await;
            let late = Call { deadline: Some(Deadline::after(Duration::ZERO)), ..call.clone() };
            let nobody_waits =
                transact!(hasty, |tx| { claim::<String>(tx, &late, &request("a", 1), now()).await });
            assert_eq!(nobody_waits.unwrap_err().kind(), Kind::DeadlineExceeded);
            let same = request("a", 1);
            let command = command(&hasty, &same, "second");
            let release = async {
                database.until_somebody_waits().await;
                database.until_nobody_waits().await;
                database.until_somebody_waits().await;
                go_on.notify_one();
            };
            tokio::join!(command, release).0
        };
        let (first, second) = tokio::join!(first, second);
        first.unwrap();
        assert_eq!(second.unwrap(), ("first".to_owned(), true));
        hasty.close().await;
    })
    .await;
}

#[test]
fn within_a_batch_equal_requests_share_and_unequal_ones_of_one_id_are_refused() {
    let batch = [request("a", 1), request("b", 1), request("a", 1), request("a", 2), request("b", 1)];
    let expected =
        [Duplicate::First, Duplicate::First, Duplicate::Of(0), Duplicate::Reused, Duplicate::Of(1)];
    assert_eq!(duplicates(&batch), expected);
}

/// A whole batch: look up, change once for each that is fresh, store. Answers how many were.
async fn batch(db: &Db, requests: &[Request], outcome: &str) -> Outcome<usize> {
    let tenant = Tenant::default();
    transact!(db, |tx| {
        let known = look_up_many(tx, &tenant, &requests.iter().collect::<Vec<_>>()).await?;
        let fresh = requests.iter().zip(known).filter(|(_, known)| *known == Claimed::Fresh);
        let done: Vec<(&Request, String)> =
            fresh.map(|(request, _)| Ok((request, to_json(&outcome)?))).collect::<Outcome<_>>()?;
        for _ in &done {
            add(tx).await?;
        }
        let count = done.len();
        store_many(done, now()).run(tx, &tenant).await?;
        Ok(count)
    })
}

#[tokio::test]
async fn a_batch_finds_what_was_done_and_what_was_reused_and_stores_the_rest() {
    testing::engines(test_migrations(), |db| async move {
        command(&db, &request("c-done", 1), "stored").await.unwrap();
        command(&db, &request("a-reused", 1), "stored").await.unwrap();
        let requests = [request("d-new", 1), request("a-reused", 9), request("c-done", 1)];
        let tenant = Tenant::default();
        let asked: Vec<&Request> = requests.iter().collect();
        let known = transact!(db, |tx| { look_up_many(tx, &tenant, &asked).await }).unwrap();
        let stored = Claimed::Repeat("\"stored\"".to_owned());
        assert_eq!(known, [Claimed::Fresh, Claimed::Reused, stored]);
        assert_eq!(outcome_of::<String>("\"stored\"").unwrap(), "stored");
        assert_eq!(batch(&db, &requests, "new").await.unwrap(), 1);
        assert_eq!(command(&db, &requests[0], "again").await.unwrap(), ("new".to_owned(), true));
        assert_eq!(count(&db).await, 3);
    })
    .await;
}

#[tokio::test]
async fn batches_that_share_requests_take_effect_once() {
    testing::engines(test_migrations(), |db| async move {
        let tasks = Tasks::new();
        let run = |reverse: bool| {
            let mut requests: Vec<Request> = (0..20).map(|n| request(&format!("r{n:02}"), 1)).collect();
            if reverse {
                requests.reverse();
            }
            let (db, tasks) = (db.clone(), tasks.clone());
            async move { tasks.write(async move { batch(&db, &requests, "x").await }).await }
        };
        let (one, two, three) = tokio::join!(run(false), run(true), run(false));
        assert_eq!(one.unwrap() + two.unwrap() + three.unwrap(), 20);
        assert_eq!(count(&db).await, 20);
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_was_never_finished_is_a_fault_of_ours() {
    testing::engines(test_migrations(), |db| async move {
        let (tenant, call) = (Tenant::default(), Call::system("default"));
        transact!(db, |tx| { claim::<String>(tx, &call, &request("a", 1), now()).await.map(|_| ()) })
            .unwrap();
        assert_eq!(command(&db, &request("a", 1), "x").await.unwrap_err().kind(), Kind::Internal);
        let never_claimed = transact!(db, |tx| { finish(tx, &tenant, &request("b", 1), &1).await });
        assert_eq!(never_claimed.unwrap_err().kind(), Kind::Internal);
    })
    .await;
}

#[tokio::test]
async fn old_claims_are_swept_and_young_ones_kept() {
    testing::engines(test_migrations(), |db| async move {
        command(&db, &request("a", 1), "x").await.unwrap();
        command(&db, &request("b", 1), "x").await.unwrap();
        assert_eq!(sweep(&db, now(), 100).await.unwrap(), 0);
        let later = now() + jiff::SignedDuration::from_secs(1);
        assert_eq!(sweep(&db, later, 1).await.unwrap(), 1);
        assert_eq!(sweep(&db, later, 100).await.unwrap(), 1);
        assert!(!command(&db, &request("a", 2), "x").await.unwrap().1);
    })
    .await;
}

#[test]
fn the_order_of_a_maps_entries_does_not_make_another_request() {
    let entry = |key: &str| (key.to_owned(), "v".to_owned());
    // Sorted maps: a hashed one would encode one message in many ways.
    let line = |attributes: BTreeMap<String, String>| Line { attributes, ..Line::default() };
    let one = Request::new("Redeem", "a", &line([entry("x"), entry("y"), entry("z")].into()));
    let other = Request::new("Redeem", "a", &line([entry("z"), entry("y"), entry("x")].into()));
    assert_eq!(one, other);
}
