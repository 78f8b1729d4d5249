//! Events of interleaved transactions on several processes, cursors, retention, consumers.

mod consumers;
mod merged;
mod tenants;

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::SignedDuration;
use tandem_kernel::clock::{CountingIds, FixedClock, SystemIds};
use tokio::sync::{Barrier, Notify};

use super::*;
use crate::db::tests::test_migrations;
use crate::db::{Db, Instant, Session};
use crate::fault::Kind;
use crate::tasks::Tasks;
use crate::{on_engine, testing, transact};

const SOON: Duration = Duration::from_secs(20);

fn now() -> Timestamp {
    Timestamp::from_second(1_750_000_000).unwrap()
}

fn relay(db: &Db) -> Relay {
    Relay::new(db.clone(), Arc::new(FixedClock::at(now())), RelayConfig::default())
}

fn recorded(type_: &'static str, aggregate: &str, version: i64) -> Recorded {
    let payload = prost_types::Any { type_url: format!("type.googleapis.com/{type_}"), value: vec![1, 2, 3] };
    Recorded { type_, aggregate: aggregate.to_owned(), version, payload }
}

/// The tenant of most tests.
fn shop() -> Tenant {
    Tenant::default()
}

/// One event about `aggregate` in a transaction of its own.
async fn tell(db: &Db, aggregate: &str) {
    tell_at(db, aggregate, now()).await;
}

async fn tell_at(db: &Db, aggregate: &str, at: Timestamp) {
    tell_of(db, &shop(), aggregate, at).await;
}

async fn tell_of(db: &Db, tenant: &Tenant, aggregate: &str, at: Timestamp) {
    let call = Call::of(tenant.clone(), Call::anonymous());
    transact!(db, |tx| {
        let mut batch = Batch::new(&call, &SystemIds, at);
        batch.push(recorded("tandem.test.v1.Told", aggregate, 1));
        append(tx, batch).await
    })
    .unwrap();
}

async fn take(stream: impl Stream<Item = Outcome<Event>>, count: usize) -> Vec<Event> {
    let events = stream.take(count).map(Result::unwrap).collect::<Vec<_>>();
    tokio::time::timeout(SOON, events).await.unwrap()
}

fn aggregates(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.aggregate.as_str()).collect()
}

#[tokio::test]
async fn the_events_of_a_transaction_are_one_row_and_arrive_in_order_with_their_envelope() {
    testing::engines(test_migrations(), |db| async move {
        let call = Call::system("shop");
        let ids = CountingIds::default();
        transact!(db, |tx| {
            let mut batch = Batch::new(&call, &ids, now());
            batch.push(recorded("tandem.test.v1.Redeemed", "redemptions/1", 4));
            batch.push_as("till-7", recorded("tandem.test.v1.Spent", "vouchers/X", 9));
            append(tx, batch).await
        })
        .unwrap();
        assert_eq!(relay(&db).pass().await.unwrap(), 1);
        let events = take(subscribe(&db, &call.tenant, None, Filter::default()), 2).await;
        let places: Vec<Cursor> = events.iter().map(Cursor::of).collect();
        assert_eq!(places, [Cursor { position: 1, seq: 0 }, Cursor { position: 1, seq: 1 }]);
        assert_eq!(aggregates(&events), ["redemptions/1", "vouchers/X"]);
        assert_eq!((events[0].principal.as_str(), events[1].principal.as_str()), ("system", "till-7"));
        assert_eq!((events[0].tenant.as_str(), events[1].aggregate_version), ("shop", 9));
        assert_eq!(events[0].occur_time.as_ref().unwrap().seconds, 1_750_000_000);
        assert_eq!(events[1].payload.as_ref().unwrap().type_url, "type.googleapis.com/tandem.test.v1.Spent");
        assert_ne!(events[0].id, events[1].id);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_without_events_leaves_no_row() {
    testing::engines(test_migrations(), |db| async move {
        let call = Call::system("default");
        transact!(db, |tx| { append(tx, Batch::new(&call, &SystemIds, now())).await }).unwrap();
        assert_eq!(relay(&db).pass().await.unwrap(), 0);
        assert_eq!(head(&db, &shop()).await.unwrap(), Cursor::after(0));
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_began_first_and_commits_last_is_never_skipped() {
    testing::postgres(test_migrations(), |database| async move {
        let (here, there) = (database.db.clone(), database.another().await);
        let (late_has_written, late_may_commit) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let late = {
            let (db, written, commit) = (here.clone(), late_has_written.clone(), late_may_commit.clone());
            let call = Call::system("default");
            async move {
                transact!(db, |tx| {
                    let mut batch = Batch::new(&call, &SystemIds, now() - SignedDuration::from_secs(60));
                    batch.push(recorded("tandem.test.v1.Told", "late", 1));
                    append(tx, batch).await?;
                    written.notify_one();
                    commit.notified().await;
                    Ok(())
                })
                .unwrap();
            }
        };
        let follower = async {
            late_has_written.notified().await;
            let mut events = pin!(subscribe(&there, &shop(), None, Filter::default()));
            tell(&there, "early").await;
            relay(&there).pass().await.unwrap();
            assert_eq!(aggregates(&take(events.as_mut(), 1).await), ["early"]);
            late_may_commit.notify_one();
            loop {
                if relay(&here).pass().await.unwrap() == 1 {
                    break;
                }
            }
            assert_eq!(aggregates(&take(events.as_mut(), 1).await), ["late"]);
        };
        tokio::join!(late, follower);
        there.close().await;
    })
    .await;
}

#[tokio::test]
async fn two_processes_with_interleaved_commits_and_two_relays_tell_everything_once_in_order() {
    testing::postgres(test_migrations(), |database| async move {
        let (here, there) = (database.db.clone(), database.another().await);
        let tasks = Tasks::new();
        let config = RelayConfig { poll_ms: 1, gather_ms: 0, ..RelayConfig::default() };
        for db in [&here, &there] {
            Relay::new(db.clone(), Arc::new(FixedClock::at(now())), config).start(&tasks);
        }
        let writers = (0..8).map(|writer| {
            let db = if writer % 2 == 0 { here.clone() } else { there.clone() };
            async move {
                for turn in 0..25 {
                    tell(&db, &format!("{writer}-{turn}")).await;
                }
            }
        });
        let (_, seen, elsewhere) = tokio::join!(
            futures::future::join_all(writers),
            take(subscribe(&here, &shop(), None, Filter::default()), 200),
            take(subscribe(&there, &shop(), None, Filter::default()), 200),
        );
        assert_eq!(aggregates(&seen).into_iter().collect::<HashSet<_>>().len(), 200);
        assert!(seen.iter().map(|event| event.position).eq(1..=200));
        assert_eq!(seen, elsewhere);
        assert!(tasks.finish_background(SOON).await);
        there.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_pass_that_is_not_elected_does_not_wait() {
    testing::postgres(test_migrations(), |database| async move {
        tell(&database.db, "a").await;
        relay(&database.db).pass().await.unwrap();
        tell(&database.db, "b").await;
        let mut other = database.connect().await;
        sqlx::query("BEGIN").execute(&mut other).await.unwrap();
        sqlx::query("SELECT 1 FROM relay FOR UPDATE").execute(&mut other).await.unwrap();
        let relay = relay(&database.db);
        assert_eq!(relay.pass().await.unwrap(), 0);
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        assert_eq!(relay.pass().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn more_than_one_pass_can_number_is_numbered_in_several() {
    testing::engines(test_migrations(), |db| async move {
        const MANY: Statement = Statement::pair(
            "INSERT INTO event_batch (tenant, id, created, payload)
             SELECT 'default', gen_random_uuid(), $1, '' FROM generate_series(1, 2500)",
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
             INSERT INTO event_batch (tenant, id, created, payload)
             SELECT 'default', randomblob(16), $1, x'' FROM n",
        );
        transact!(db, |tx| {
            on_engine!(tx, MANY, |sql, conn| sqlx::query(sql)
                .bind(Instant(now()))
                .execute(conn)
                .await
                .map(|_| ()))?;
            Ok(())
        })
        .unwrap();
        let relay = relay(&db);
        assert_eq!(relay.pass().await.unwrap(), 2_500);
        assert_eq!(head(&db, &shop()).await.unwrap(), Cursor::after(2_500));
        assert_eq!(relay.pass().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_lag_is_the_age_of_the_oldest_event_without_a_position() {
    testing::engines(test_migrations(), |db| async move {
        let relay = relay(&db);
        assert_eq!(relay.lag().await.unwrap(), SignedDuration::ZERO);
        tell_at(&db, "a", now() - SignedDuration::from_secs(3)).await;
        assert_eq!(relay.lag().await.unwrap(), SignedDuration::from_secs(3));
        relay.pass().await.unwrap();
        assert_eq!(relay.lag().await.unwrap(), SignedDuration::ZERO);
    })
    .await;
}

#[tokio::test]
async fn a_commit_wakes_the_relay_and_the_relay_its_followers() {
    testing::engines(test_migrations(), |db| async move {
        let tasks = Tasks::new();
        let never = RelayConfig { poll_ms: 3_600_000, ..RelayConfig::default() };
        Relay::new(db.clone(), Arc::new(FixedClock::at(now())), never).start(&tasks);
        let mut events = pin!(subscribe(&db, &shop(), None, Filter::default()));
        for name in ["a", "b", "c"] {
            let (seen, ()) = tokio::join!(take(events.as_mut(), 1), tell(&db, name));
            assert_eq!(aggregates(&seen), [name]);
        }
        assert!(tasks.finish_background(SOON).await);
    })
    .await;
}

#[tokio::test]
async fn a_follower_resumes_after_its_cursor_also_within_a_transaction() {
    testing::engines(test_migrations(), |db| async move {
        let call = Call::system("default");
        tell(&db, "a").await;
        relay(&db).pass().await.unwrap();
        transact!(db, |tx| {
            let mut batch = Batch::new(&call, &SystemIds, now());
            for name in ["b", "c", "d"] {
                batch.push(recorded("tandem.test.v1.Told", name, 1));
            }
            append(tx, batch).await
        })
        .unwrap();
        relay(&db).pass().await.unwrap();
        let from = |cursor: Cursor, count: usize| {
            take(subscribe(&db, &shop(), Some(cursor), Filter::default()), count)
        };
        assert_eq!(aggregates(&from(Cursor::START, 4).await), ["a", "b", "c", "d"]);
        assert_eq!(aggregates(&from(Cursor { position: 1, seq: 0 }, 3).await), ["b", "c", "d"]);
        assert_eq!(aggregates(&from(Cursor { position: 2, seq: 1 }, 1).await), ["d"]);
        let end = head(&db, &shop()).await.unwrap();
        let mut to_come = pin!(subscribe(&db, &shop(), Some(end), Filter::default()));
        tell(&db, "e").await;
        relay(&db).pass().await.unwrap();
        assert_eq!(aggregates(&take(to_come.as_mut(), 1).await), ["e"]);
    })
    .await;
}

#[tokio::test]
async fn a_filter_leaves_out_and_says_how_far_it_has_looked() {
    testing::engines(test_migrations(), |db| async move {
        for aggregate in ["vouchers/A", "customers/1", "vouchers/B", "customers/2"] {
            tell(&db, aggregate).await;
            relay(&db).pass().await.unwrap();
        }
        let filter = Filter { aggregates: vec!["vouchers/".to_owned()], ..Filter::default() };
        let seen: Vec<Delivery> =
            follow(&db, &shop(), None, filter).take(3).map(Result::unwrap).collect().await;
        let event = |delivery: &Delivery| match delivery {
            Delivery::Event(event) => event.aggregate.clone(),
            Delivery::Progress(cursor) => cursor.to_string(),
        };
        let end = Cursor::after(4).to_string();
        assert_eq!(seen.iter().map(event).collect::<Vec<_>>(), ["vouchers/A", "vouchers/B", end.as_str()]);
    })
    .await;
}

#[test]
fn a_filter_admits_by_type_and_aggregate() {
    let event = Event {
        r#type: "tandem.relationship.v1.VoucherRedeemed".to_owned(),
        aggregate: "redemptions/1".to_owned(),
        ..Event::default()
    };
    let filter = |types: &[&str], aggregates: &[&str]| Filter {
        types: types.iter().map(|&t| t.to_owned()).collect(),
        aggregates: aggregates.iter().map(|&a| a.to_owned()).collect(),
    };
    assert!(filter(&[], &[]).admits(&event));
    assert!(filter(&["tandem.relationship.v1.Voucher"], &["x/", "redemptions/"]).admits(&event));
    assert!(!filter(&["tandem.campaign."], &[]).admits(&event));
    assert!(!filter(&[], &["vouchers/"]).admits(&event));
}

#[tokio::test]
async fn a_cursor_older_than_the_retention_or_from_elsewhere_is_expired() {
    testing::engines(test_migrations(), |db| async move {
        for (name, day) in [("a", 0), ("b", 1), ("c", 2), ("d", 9)] {
            tell_at(&db, name, now() + SignedDuration::from_hours(24 * day)).await;
            relay(&db).pass().await.unwrap();
        }
        let limit = now() + SignedDuration::from_hours(24 * 8);
        assert_eq!(sweep(&db, limit, 100).await.unwrap(), 2);
        assert_eq!(sweep(&db, limit, 100).await.unwrap(), 0);
        let first = async |cursor: Option<Cursor>| {
            let mut events = pin!(subscribe(&db, &shop(), cursor, Filter::default()));
            tokio::time::timeout(SOON, events.next()).await.unwrap().unwrap()
        };
        assert_eq!(first(None).await.unwrap().aggregate, "c");
        let at = |position: i64| Some(Cursor { position, seq: 0 });
        assert_eq!(first(at(3)).await.unwrap().aggregate, "d");
        for gone in [Some(Cursor::START), at(1), at(2), at(99)] {
            let fault = first(gone).await.unwrap_err();
            assert_eq!((fault.kind(), fault.reason()), (Kind::OutOfRange, "CURSOR_EXPIRED"), "{gone:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_idle_followers_cursor_stays_valid_however_old_it_is() {
    testing::engines(test_migrations(), |db| async move {
        tell(&db, "a").await;
        relay(&db).pass().await.unwrap();
        let much_later = now() + SignedDuration::from_hours(24 * 365);
        assert_eq!(sweep(&db, much_later, 100).await.unwrap(), 0);
        tell_at(&db, "b", much_later).await;
        relay(&db).pass().await.unwrap();
        assert_eq!(sweep(&db, much_later, 100).await.unwrap(), 0);
        let cursor = Cursor { position: 1, seq: 0 };
        assert_eq!(
            aggregates(&take(subscribe(&db, &shop(), Some(cursor), Filter::default()), 1).await),
            ["b"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_follower_that_falls_behind_the_retention_is_told() {
    testing::engines(test_migrations(), |db| async move {
        tell(&db, "a").await;
        relay(&db).pass().await.unwrap();
        let mut events = pin!(subscribe(&db, &shop(), None, Filter::default()));
        assert_eq!(aggregates(&take(events.as_mut(), 1).await), ["a"]);
        for name in ["b", "c"] {
            tell(&db, name).await;
        }
        relay(&db).pass().await.unwrap();
        sweep(&db, now() + SignedDuration::from_secs(1), 100).await.unwrap();
        let told = tokio::time::timeout(SOON, events.next()).await.unwrap().unwrap();
        assert_eq!(told.unwrap_err().reason(), "CURSOR_EXPIRED");
        assert!(events.next().await.is_none());
    })
    .await;
}

#[test]
fn a_cursor_is_written_and_read_as_position_and_seq() {
    let cursor = Cursor { position: 42, seq: 7 };
    assert_eq!(cursor.to_string(), "42.7");
    assert_eq!("42.7".parse(), Ok(cursor));
    for bad in
        ["", "42", "42.", ".7", "-1.0", "+1.0", "1.2.3", "1.2147483648", "9223372036854775808.0", " 1.0"]
    {
        assert_eq!(bad.parse::<Cursor>(), Err(NotACursor), "{bad}");
    }
    assert!(Cursor::START < Cursor { position: 1, seq: 0 });
    assert!(Cursor { position: 1, seq: 9 } < Cursor::after(1));
}
