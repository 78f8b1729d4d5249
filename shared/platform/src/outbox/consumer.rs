//! The side that follows another service's events: how far it has come with each tenant, what it has taken in already,
//! and what it could not take in ([`aside`]).
//!
//! A service says what it makes of an event ([`Follower`]). One stream carries the events of all tenants, to the one replica
//! that leads ([`lead`]); they are taken in grouped by tenant ([`take_in`]). One that cannot be taken in is set aside: it holds
//! up neither its tenant nor another.
//!
//! Deliveries repeat: a cursor is stored with the effects of what it has passed, but another replica may follow the
//! same stream. So the effects of an event are made in the transaction that first names it here. A transaction may take
//! in events of several tenants.

pub mod aside;
mod follow;
pub mod lead;
mod retry;
mod take;

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::Cursor;
use crate::call::Tenant;
use crate::db::{BindColumns, Column, Db, Instant, Session, Statement, Tx};
use crate::fault::Outcome;
use crate::{on_engine, transact};

pub use follow::{said, start};
pub use retry::{Retried, page, retry, wanted};
pub use take::{Delivered, Follower, NOT_UNDERSTOOD, Taken, take_in};

pub(super) const LOAD: Statement = Statement::same(
    "SELECT tenant, position, seq FROM consumer_cursor
      WHERE consumer = $1 AND tenant > $2 ORDER BY tenant LIMIT $3",
);

pub(super) const ADVANCE: Statement = Statement::pair(
    "INSERT INTO consumer_cursor AS known (tenant, consumer, position, seq, updated)
     SELECT tenant, $1, position, seq, $2
       FROM UNNEST($3::text[], $4::bigint[], $5::bigint[]) AS passed (tenant, position, seq)
     ON CONFLICT (tenant, consumer) DO UPDATE
        SET position = excluded.position, seq = excluded.seq, updated = excluded.updated
      WHERE (excluded.position, excluded.seq) > (known.position, known.seq)",
    "INSERT INTO consumer_cursor AS known (tenant, consumer, position, seq, updated)
     SELECT value->>0, $1, value->>1, value->>2, $2 FROM json_each($3) WHERE true
     ON CONFLICT (tenant, consumer) DO UPDATE
        SET position = excluded.position, seq = excluded.seq, updated = excluded.updated
      WHERE (excluded.position, excluded.seq) > (known.position, known.seq)",
);

pub(super) const RESET: Statement =
    Statement::same("DELETE FROM consumer_cursor WHERE tenant = $1 AND consumer = $2");

pub(super) const FIRST_TIME: Statement = Statement::pair(
    "INSERT INTO consumed_event (tenant, consumer, event_id, consumed)
     SELECT tenant, $1, event_id, $2 FROM UNNEST($3::text[], $4::uuid[]) AS fresh (tenant, event_id)
     ON CONFLICT DO NOTHING RETURNING event_id",
    "INSERT INTO consumed_event (tenant, consumer, event_id, consumed)
     SELECT value->>0, $1, unhex(value->>1), $2 FROM json_each($3) WHERE true
     ON CONFLICT DO NOTHING RETURNING event_id",
);

pub(super) const FORGET: Statement = Statement::pair(
    "DELETE FROM consumed_event WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM consumed_event WHERE consumed < $1 ORDER BY consumed LIMIT $2))",
    "DELETE FROM consumed_event WHERE (tenant, consumer, event_id) IN
        (SELECT tenant, consumer, event_id FROM consumed_event WHERE consumed < $1 ORDER BY consumed LIMIT $2)",
);

/// Cursors read at once.
const PAGE_SIZE: i64 = 1_000;

/// How far `consumer` has come with every tenant with which it has begun.
pub async fn load_cursors(session: &mut impl Session, consumer: &str) -> Outcome<HashMap<Tenant, Cursor>> {
    let (mut cursors, mut after) = (HashMap::new(), String::new());
    loop {
        let rows: Vec<(String, i64, i32)> = on_engine!(session, LOAD, |sql, conn| {
            let query = sqlx::query_as(sql).bind(consumer).bind(&after).bind(PAGE_SIZE);
            query.fetch_all(conn).await
        })?;
        let Some((last, ..)) = rows.last() else { return Ok(cursors) };
        after.clone_from(last);
        cursors.extend(
            rows.into_iter().filter_map(|(tenant, position, seq)| {
                Some((Tenant::parse(&tenant)?, Cursor { position, seq }))
            }),
        );
    }
}

/// Stores that `consumer` has passed these cursors, with the effects of what it has passed. Never moves one back. Each
/// tenant once, in order.
pub async fn advance(
    tx: &mut Tx,
    consumer: &str,
    passed: &[(&Tenant, Cursor)],
    now: Timestamp,
) -> Outcome<()> {
    if passed.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::text(passed.iter().map(|(tenant, _)| tenant.as_str())),
        Column::int(passed.iter().map(|(_, cursor)| cursor.position)),
        Column::int(passed.iter().map(|(_, cursor)| cursor.seq.into())),
    ];
    on_engine!(tx, ADVANCE, |sql, conn| {
        let query = sqlx::query(sql).bind(consumer).bind(Instant(now)).bind_columns(&columns);
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Forgets how far `consumer` has come with a tenant whose cursor the other service does not know any more: it begins
/// again with the oldest event that is left.
pub async fn reset(tx: &mut Tx, consumer: &str, tenant: &Tenant) -> Outcome<()> {
    on_engine!(tx, RESET, |sql, conn| {
        sqlx::query(sql).bind(tenant.as_str()).bind(consumer).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Which of `events` `consumer` has not taken in yet; from now on it has. A second consumer of the same name that
/// names one of them waits until this transaction ends.
pub async fn first_time(
    tx: &mut Tx,
    consumer: &str,
    events: &[(&Tenant, Uuid)],
    now: Timestamp,
) -> Outcome<HashSet<Uuid>> {
    // Sorted, so that two replicas that take in the same events do not wait for each other in a circle.
    let mut distinct = events.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.is_empty() {
        return Ok(HashSet::new());
    }
    let columns = [
        Column::text(distinct.iter().map(|(tenant, _)| tenant.as_str())),
        Column::uuid(distinct.iter().map(|(_, event)| *event)),
    ];
    let fresh: Vec<Uuid> = on_engine!(tx, FIRST_TIME, |sql, conn| {
        let query = sqlx::query_scalar(sql).bind(consumer).bind(Instant(now)).bind_columns(&columns);
        query.fetch_all(conn).await
    })?;
    Ok(fresh.into_iter().collect())
}

/// Forgets which events were taken in before `older_than`, at most `limit` at a time; answers how many. Keep them
/// longer than the other service keeps its events.
pub async fn sweep(db: &Db, older_than: Timestamp, limit: u32) -> Outcome<u64> {
    transact!(db, |tx| {
        Ok(on_engine!(tx, FORGET, |sql, conn| {
            let query = sqlx::query(sql).bind(Instant(older_than)).bind(i64::from(limit));
            query.execute(conn).await.map(|done| done.rows_affected())
        })?)
    })
}
