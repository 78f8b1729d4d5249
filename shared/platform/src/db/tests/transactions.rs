//! Commit, rollback, replay, and the outcome that nobody knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::PgConnection;
use tokio::sync::Barrier;

use super::*;
use crate::fault::Kind;
use crate::tasks::Tasks;

pub(super) const PUT: Statement = Statement::same("INSERT INTO tally (name, value) VALUES ($1, $2)");
const GET: Statement = Statement::same("SELECT value FROM tally WHERE name = $1");
const SET: Statement = Statement::same("UPDATE tally SET value = $2 WHERE name = $1");

pub(super) async fn put(tx: &mut Tx, name: &str, value: i64) -> Outcome<()> {
    on_engine!(tx, PUT, |sql, conn| {
        sqlx::query(sql).bind(name).bind(value).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

pub(super) async fn get(session: &mut impl Session, name: &str) -> Outcome<Option<i64>> {
    Ok(on_engine!(session, GET, |sql, conn| sqlx::query_scalar(sql).bind(name).fetch_optional(conn).await)?)
}

async fn set(tx: &mut Tx, name: &str, value: i64) -> Outcome<()> {
    on_engine!(tx, SET, |sql, conn| {
        sqlx::query(sql).bind(name).bind(value).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

pub(super) async fn stored(db: &Db, name: &str) -> Option<i64> {
    get(&mut db.read().await.unwrap(), name).await.unwrap()
}

#[tokio::test]
async fn a_body_that_succeeds_commits_and_one_that_fails_rolls_back() {
    testing::engines(test_migrations(), |db| async move {
        let kept = transact!(db, |tx| {
            put(tx, "kept", 1).await?;
            Ok(7)
        });
        assert_eq!(kept.unwrap(), 7);
        let refused: Outcome<()> = transact!(db, |tx| {
            put(tx, "refused", 1).await?;
            Err(Fault::not_found("things/1"))
        });
        assert_eq!(refused.unwrap_err().kind(), Kind::NotFound);
        assert_eq!((stored(&db, "kept").await, stored(&db, "refused").await), (Some(1), None));
    })
    .await;
}

#[tokio::test]
async fn a_body_that_swallows_a_failed_statement_cannot_commit() {
    testing::engines(test_migrations(), |db| async move {
        transact!(db, |tx| { put(tx, "twice", 1).await }).unwrap();
        let outcome = transact!(db, |tx| {
            put(tx, "other", 1).await?;
            let _ = put(tx, "twice", 2).await;
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().kind(), Kind::Internal);
        assert_eq!(stored(&db, "other").await, None);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_always_loses_is_told_of_contention() {
    testing::engines(test_migrations(), |db| async move {
        let attempts = AtomicU32::new(0);
        let outcome: Outcome<()> = transact!(db, |tx| {
            attempts.fetch_add(1, Ordering::SeqCst);
            put(tx, "never", 1).await?;
            tx.replay();
            Ok(())
        });
        let fault = outcome.unwrap_err();
        assert_eq!((fault.kind(), fault.reason()), (Kind::Aborted, "CONTENTION"));
        assert_eq!(attempts.load(Ordering::SeqCst), 13);
        assert_eq!(stored(&db, "never").await, None);
    })
    .await;
}

#[tokio::test]
async fn a_serialisation_failure_is_replayed_until_both_have_counted() {
    testing::postgres(test_migrations(), |database| async move {
        let db = serialisable(&database).await;
        transact!(db, |tx| { put(tx, "n", 0).await }).unwrap();
        let attempts = Arc::new(AtomicU32::new(0));
        let both_have_read = Arc::new(Barrier::new(2));
        let count = |db: Db| {
            let (attempts, barrier) = (attempts.clone(), both_have_read.clone());
            async move {
                let first = AtomicU32::new(0);
                transact!(db, |tx| {
                    attempts.fetch_add(1, Ordering::SeqCst);
                    let value = get(tx, "n").await?.unwrap_or_default();
                    if first.fetch_add(1, Ordering::SeqCst) == 0 {
                        barrier.wait().await;
                    }
                    set(tx, "n", value + 1).await
                })
            }
        };
        let (one, other) = tokio::join!(count(db.clone()), count(db.clone()));
        one.unwrap();
        other.unwrap();
        assert_eq!(stored(&db, "n").await, Some(2));
        assert_eq!(attempts.load(Ordering::SeqCst), 3);
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_failure_that_only_the_commit_reports_is_replayed_too() {
    testing::postgres(test_migrations(), |database| async move {
        let db = serialisable(&database).await;
        transact!(db, |tx| {
            put(tx, "a", 0).await?;
            put(tx, "b", 0).await
        })
        .unwrap();
        // Write skew: each reads what the other writes; no statement fails, the second COMMIT does.
        let attempts = Arc::new(AtomicU32::new(0));
        let (both_have_read, both_have_written) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let cross = |db: Db, read: &'static str, write: &'static str| {
            let (attempts, read_gate, write_gate) =
                (attempts.clone(), both_have_read.clone(), both_have_written.clone());
            async move {
                let first = AtomicU32::new(0);
                transact!(db, |tx| {
                    attempts.fetch_add(1, Ordering::SeqCst);
                    let seen = get(tx, read).await?.unwrap_or_default();
                    let first = first.fetch_add(1, Ordering::SeqCst) == 0;
                    if first {
                        read_gate.wait().await;
                    }
                    set(tx, write, seen + 1).await?;
                    if first {
                        write_gate.wait().await;
                    }
                    Ok(())
                })
            }
        };
        let (one, other) = tokio::join!(cross(db.clone(), "a", "b"), cross(db.clone(), "b", "a"));
        one.unwrap();
        other.unwrap();
        let mut values = [stored(&db, "a").await, stored(&db, "b").await];
        values.sort();
        assert_eq!(values, [Some(1), Some(2)]);
        assert!(attempts.load(Ordering::SeqCst) >= 3);
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_deadlock_is_replayed() {
    testing::postgres(test_migrations(), |database| async move {
        let db = database.db.clone();
        transact!(db, |tx| {
            put(tx, "a", 0).await?;
            put(tx, "b", 0).await
        })
        .unwrap();
        let both_hold_one = Arc::new(Barrier::new(2));
        let lock = |db: Db, one: &'static str, other: &'static str| {
            let gate = both_hold_one.clone();
            async move {
                let first = AtomicU32::new(0);
                transact!(db, |tx| {
                    set(tx, one, 1).await?;
                    if first.fetch_add(1, Ordering::SeqCst) == 0 {
                        gate.wait().await;
                    }
                    set(tx, other, 1).await
                })
            }
        };
        let (one, other) = tokio::join!(lock(db.clone(), "a", "b"), lock(db.clone(), "b", "a"));
        one.unwrap();
        other.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_commit_without_an_answer_is_unknown_and_never_run_again() {
    testing::postgres(test_migrations(), |database| async move {
        let admin = tokio::sync::Mutex::new(database.connect().await);
        let attempts = AtomicU32::new(0);
        let outcome: Outcome<()> = transact!(database.db, |tx| {
            attempts.fetch_add(1, Ordering::SeqCst);
            put(tx, "lost", 1).await?;
            let mut admin = admin.lock().await;
            kill(tx, &mut admin).await;
            Ok(())
        });
        let fault = outcome.unwrap_err();
        assert_eq!((fault.kind(), fault.reason()), (Kind::UnknownOutcome, "OUTCOME_UNKNOWN"));
        assert_eq!(attempts.load(Ordering::SeqCst), 1);
        transact!(database.db, |tx| { put(tx, "after", 1).await }).unwrap();
        assert_eq!(stored(&database.db, "lost").await, None);
    })
    .await;
}

#[tokio::test]
async fn a_connection_lost_before_the_commit_is_unavailable_and_known() {
    testing::postgres(test_migrations(), |database| async move {
        let admin = tokio::sync::Mutex::new(database.connect().await);
        let outcome: Outcome<()> = transact!(database.db, |tx| {
            let mut admin = admin.lock().await;
            kill(tx, &mut admin).await;
            put(tx, "lost", 1).await
        });
        assert_eq!(outcome.unwrap_err().reason(), "DATABASE_UNAVAILABLE");
        transact!(database.db, |tx| { put(tx, "after", 1).await }).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_panic_in_the_body_rolls_back_and_frees_the_connection() {
    testing::engines(test_migrations(), |db| async move {
        let tasks = Tasks::new();
        let inner = db.clone();
        let fault = tasks
            .write(async move {
                transact!(inner, |tx| {
                    put(tx, "panicked", 1).await?;
                    if stored_in(tx, "panicked").await {
                        panic!("a bug");
                    }
                    Ok(())
                })
            })
            .await
            .unwrap_err();
        assert_eq!(fault.kind(), Kind::Internal);
        transact!(db, |tx| { put(tx, "after", 1).await }).unwrap();
        assert_eq!(stored(&db, "panicked").await, None);
    })
    .await;
}

#[tokio::test]
async fn a_begin_that_is_cancelled_at_any_point_leaves_a_clean_connection() {
    testing::postgres(test_migrations(), |database| async move {
        let db = database.narrow(1).await;
        for polls in 0..12 {
            rested(&db).await;
            let mut begin = Box::pin(db.begin());
            for _ in 0..polls {
                if futures::poll!(&mut begin).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(begin);
            assert_clean(&db, polls).await;
        }
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_is_cancelled_half_way_leaves_a_clean_connection() {
    testing::postgres(test_migrations(), |database| async move {
        let db = database.narrow(1).await;
        for polls in 0..24 {
            rested(&db).await;
            let mut write = Box::pin(async {
                transact!(db, |tx| {
                    put(tx, "gone", 1).await?;
                    std::future::pending::<()>().await;
                    Ok(())
                })
            });
            for _ in 0..polls {
                assert!(futures::poll!(&mut write).is_pending());
                tokio::task::yield_now().await;
            }
            drop(write);
            assert_clean(&db, polls).await;
            assert_eq!(stored(&db, "gone").await, None);
        }
        db.close().await;
    })
    .await;
}

/// Waits until nobody has a connection, so that the next borrower's first step is its own.
async fn rested(db: &Db) {
    while db.pool_use().idle != db.pool_use().open {
        tokio::task::yield_now().await;
    }
}

/// Outside a transaction every statement has a transaction, and so a time, of its own.
async fn assert_clean(db: &Db, polls: u32) {
    const NOW: Statement = Statement::same("SELECT now()");
    let mut reader = db.read().await.unwrap();
    let mut now = async || -> Instant {
        on_engine!(&mut reader, NOW, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await).unwrap()
    };
    let (first, second) = (now().await, now().await);
    assert!(first < second, "after {polls} polls the next borrower stood in a stranger's transaction");
}

async fn stored_in(tx: &mut Tx, name: &str) -> bool {
    get(tx, name).await.is_ok_and(|value| value.is_some())
}

async fn serialisable(database: &testing::Postgres) -> Db {
    let separator = if database.url.contains('?') { '&' } else { '?' };
    let isolation = "options=-c%20default_transaction_isolation=serializable";
    let url = format!("{}{separator}{isolation}", database.url);
    Db::connect(&DatabaseConfig { url: url.into(), ..DatabaseConfig::default() }).await.unwrap()
}

/// Ends the server process behind `tx` and waits until it is gone.
async fn kill(tx: &mut Tx, admin: &mut PgConnection) {
    const PID: Statement = Statement::same("SELECT pg_backend_pid()");
    let pid: i32 = on_engine!(tx, PID, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await).unwrap();
    let gone: bool = sqlx::query_scalar("SELECT pg_terminate_backend($1, 10000)")
        .bind(pid)
        .fetch_one(admin)
        .await
        .unwrap();
    assert!(gone);
}
