//! From one number for all tenants to a number each: nothing is lost, nothing comes twice, cursors stay.

use std::collections::HashMap;

use futures::StreamExt;
use tandem_platform::db::Statement;
use tandem_platform::outbox::{
    Batch, Delivery, Filter, Recorded, Relay, RelayConfig, append, follow, head, merge,
};
use tandem_platform::testing::{engines, older};
use tandem_platform::{Call, Fault, on_engine, transact};
use tandem_proto::common::v1::EventBatch;

use super::*;

/// The last migration under which one number was for all tenants.
const BEFORE: i64 = 7;

const OLD_EVENT: Statement =
    Statement::same("INSERT INTO event_batch (id, position, created, payload) VALUES ($1, $2, $3, $4)");
const OLD_RELAY: Statement = Statement::same("UPDATE relay SET position = $1 WHERE name = 'events'");
const OLD_CURSOR: Statement = Statement::same(
    "INSERT INTO consumer_cursor (consumer, position, seq, updated) VALUES ('redemption/' || $1, $2, 0, $3)",
);
const OLD_CONSUMED: Statement = Statement::same(
    "INSERT INTO consumed_event (consumer, event_id, consumed) VALUES ('redemption/' || $1, $2, $3)",
);

fn tenant(name: &str) -> Tenant {
    Tenant::parse(name).unwrap()
}

fn at(second: i64) -> tandem_platform::db::Instant {
    tandem_platform::db::Instant(jiff::Timestamp::from_second(1_782_900_000 + second).unwrap())
}

/// What a transaction of `tenant` left: `count` events, the first of `bytes` more bytes than it needs.
fn batch(tenant: &str, id: u128, count: u128, bytes: usize) -> Vec<u8> {
    let event = |seq: u128| Event {
        id: Uuid::from_u128(1_000 * id + seq).to_string(),
        seq: seq.try_into().unwrap(),
        tenant: tenant.to_owned(),
        r#type: "tandem.test.v1.Told".to_owned(),
        aggregate: format!("{tenant}/{id}{}", "x".repeat(bytes)),
        ..Event::default()
    };
    EventBatch { events: (0..count).map(event).collect() }.encode_to_vec()
}

/// Three tenants' events under one number, the first two positions forgotten, the last three not numbered yet. Payloads
/// of every length of length.
async fn old_world(db: &Db) {
    let long = "a".repeat(63);
    let rows: [(i64, &str, usize); 8] = [
        (3, "shop", 0),
        (4, "other", 300),
        (5, "shop", 20_000),
        (6, &long, 0),
        (7, "other", 0),
        (0, "shop", 0),
        (0, "new", 0),
        (0, "shop", 130),
    ];
    transact!(*db, |tx| {
        for (index, (position, tenant, bytes)) in rows.iter().enumerate() {
            let id = 1 + index as u128;
            let payload = batch(tenant, id, 2, *bytes);
            let position = Some(*position).filter(|position| *position > 0);
            on_engine!(tx, OLD_EVENT, |sql, conn| {
                let query = sqlx::query(sql).bind(Uuid::from_u128(id)).bind(position);
                query.bind(at(index as i64)).bind(payload.clone()).execute(conn).await.map(|_| ())
            })?;
        }
        on_engine!(tx, OLD_RELAY, |sql, conn| sqlx::query(sql).bind(7_i64).execute(conn).await.map(|_| ()))?;
        on_engine!(tx, OLD_CURSOR, |sql, conn| {
            sqlx::query(sql).bind("shop").bind(3_i64).bind(at(0)).execute(conn).await.map(|_| ())
        })?;
        on_engine!(tx, OLD_CONSUMED, |sql, conn| {
            sqlx::query(sql).bind("shop").bind(Uuid::from_u128(1)).bind(at(0)).execute(conn).await.map(|_| ())
        })?;
        Ok(())
    })
    .unwrap();
}

async fn number(db: &Db) {
    let clock = std::sync::Arc::new(tandem_kernel::clock::FixedClock::at(at(60).0));
    Relay::new(db.clone(), clock, RelayConfig::default()).pass().await.unwrap();
}

/// Where the next `count` deliveries after `cursor` stand.
async fn positions(db: &Db, name: &str, cursor: Option<Cursor>, count: usize) -> Vec<(i64, i32)> {
    let mut found = Vec::new();
    let mut stream = std::pin::pin!(follow(db, &tenant(name), cursor, Filter::default()));
    while found.len() < count {
        match stream.next().await.unwrap().unwrap() {
            Delivery::Event(event) => found.push((event.position, event.seq)),
            Delivery::Progress(_) => {}
        }
    }
    found
}

async fn refused(db: &Db, cursor: Cursor) -> Fault {
    let mut stream = std::pin::pin!(follow(db, &tenant("shop"), Some(cursor), Filter::default()));
    stream.next().await.unwrap().unwrap_err()
}

#[tokio::test]
async fn an_upgrade_loses_and_repeats_no_event_and_every_cursor_stays_valid() {
    engines(older(&MIGRATIONS, BEFORE), |db| async move {
        old_world(&db).await;
        db.migrate(&MIGRATIONS).await.unwrap();
        number(&db).await;
        // What was numbered keeps its number; what was not goes on after the last one given to anybody.
        let both = |positions: &[i64]| -> Vec<(i64, i32)> {
            positions.iter().flat_map(|position| [(*position, 0), (*position, 1)]).collect()
        };
        assert_eq!(positions(&db, "shop", None, 8).await, both(&[3, 5, 8, 9]));
        assert_eq!(positions(&db, "other", None, 4).await, both(&[4, 7]));
        assert_eq!(positions(&db, "new", None, 2).await, both(&[8]));
        assert_eq!(positions(&db, &"a".repeat(63), None, 2).await, both(&[6]));
        // Given cursors: within a transaction, at one of another tenant, behind everything.
        let cursor = |position, seq| Some(Cursor { position, seq });
        assert_eq!(positions(&db, "shop", cursor(5, 0), 5).await, [(5, 1), (8, 0), (8, 1), (9, 0), (9, 1)]);
        assert_eq!(positions(&db, "shop", cursor(4, i32::MAX), 6).await, both(&[5, 8, 9]));
        assert_eq!(positions(&db, "shop", cursor(7, i32::MAX), 4).await, both(&[8, 9]));
        assert_eq!(head(&db, &tenant("silent")).await.unwrap(), Cursor::after(7));
        for gone in [Cursor::START, Cursor { position: 2, seq: 0 }, Cursor::after(99)] {
            assert_eq!(refused(&db, gone).await.reason(), "CURSOR_EXPIRED", "{gone}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_follower_of_all_that_was_behind_goes_on_where_it_was() {
    engines(older(&MIGRATIONS, BEFORE), |db| async move {
        old_world(&db).await;
        db.migrate(&MIGRATIONS).await.unwrap();
        let harness = Harness::new(db.clone());
        let known =
            consumer::load_cursors(&mut harness.app.db.read().await.unwrap(), CONSUMER).await.unwrap();
        assert_eq!(known, HashMap::from([(tenant("shop"), Cursor { position: 3, seq: 0 })]));
        number(&db).await;
        // The rest of position 3, then 5, 8 and 9 of shop; everything of the others.
        let told: Vec<_> =
            merge(&db, known, Filter::default(), 64).take(15).map(Result::unwrap).collect().await;
        let mut seen: Vec<(String, i64, i32)> = told
            .iter()
            .map(|told| (told.tenant.to_string(), told.cursor.position, told.cursor.seq))
            .collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 15, "each once");
        assert!(told.iter().all(|told| told.event.is_some() && told.gap.is_none()));
        assert!(!seen.contains(&("shop".to_owned(), 3, 0)), "taken in before the upgrade");
        // What was taken in before the upgrade counts as taken in after it.
        let shop = tenant("shop");
        let fresh = transact!(db, |tx| {
            let again = [(&shop, Uuid::from_u128(1)), (&shop, Uuid::from_u128(2))];
            tandem_platform::outbox::consumer::first_time(tx, crate::redemption::CONSUMER, &again, at(0).0)
                .await
        });
        assert_eq!(fresh.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_comes_after_the_upgrade_is_told_with_what_came_before() {
    engines(older(&MIGRATIONS, BEFORE), |db| async move {
        old_world(&db).await;
        db.migrate(&MIGRATIONS).await.unwrap();
        for name in ["shop", "newer"] {
            let call = Call::of(tenant(name), Call::anonymous());
            transact!(db, |tx| {
                let mut batch = Batch::new(&call, &tandem_kernel::clock::SystemIds, at(30).0);
                let payload = prost_types::Any::default();
                batch.push(Recorded {
                    type_: "tandem.test.v1.Told",
                    aggregate: name.to_owned(),
                    version: 1,
                    payload,
                });
                append(tx, batch).await
            })
            .unwrap();
        }
        number(&db).await;
        assert_eq!(
            positions(&db, "shop", Some(Cursor::after(5)), 5).await,
            [(8, 0), (8, 1), (9, 0), (9, 1), (10, 0)]
        );
        assert_eq!(positions(&db, "newer", None, 1).await, [(8, 0)]);
    })
    .await;
}
