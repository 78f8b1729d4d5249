//! The side that follows another service's events: how far it has come, and what it has taken in already.
//!
//! Deliveries repeat: a cursor is stored with the effects of what it has passed, but another replica may follow the
//! same stream. So the effects of an event are made in the transaction that first names it here.

use std::collections::HashSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::Cursor;
use crate::db::{BindColumns, Column, Db, Instant, Session, Statement, Tx};
use crate::fault::Outcome;
use crate::{on_engine, transact};

pub(super) const LOAD: Statement =
    Statement::same("SELECT position, seq FROM consumer_cursor WHERE consumer = $1");

pub(super) const ADVANCE: Statement = Statement::same(
    "INSERT INTO consumer_cursor (consumer, position, seq, updated) VALUES ($1, $2, $3, $4)
     ON CONFLICT (consumer) DO UPDATE
        SET position = excluded.position, seq = excluded.seq, updated = excluded.updated
      WHERE (excluded.position, excluded.seq) > (consumer_cursor.position, consumer_cursor.seq)",
);

pub(super) const FIRST_TIME: Statement = Statement::pair(
    "INSERT INTO consumed_event (consumer, event_id, consumed)
     SELECT $1, event_id, $2 FROM UNNEST($3::uuid[]) AS fresh (event_id)
     ON CONFLICT DO NOTHING RETURNING event_id",
    "INSERT INTO consumed_event (consumer, event_id, consumed)
     SELECT $1, unhex(value->>0), $2 FROM json_each($3) WHERE true
     ON CONFLICT DO NOTHING RETURNING event_id",
);

pub(super) const FORGET: Statement = Statement::pair(
    "DELETE FROM consumed_event WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM consumed_event WHERE consumed < $1 ORDER BY consumed LIMIT $2))",
    "DELETE FROM consumed_event WHERE (consumer, event_id) IN
        (SELECT consumer, event_id FROM consumed_event WHERE consumed < $1 ORDER BY consumed LIMIT $2)",
);

/// How far `consumer` has come; `None` where it has not begun.
pub async fn load_cursor(session: &mut impl Session, consumer: &str) -> Outcome<Option<Cursor>> {
    let row: Option<(i64, i32)> = on_engine!(session, LOAD, |sql, conn| {
        sqlx::query_as(sql).bind(consumer).fetch_optional(conn).await
    })?;
    Ok(row.map(|(position, seq)| Cursor { position, seq }))
}

/// Stores that `consumer` has passed `cursor`, with the effects of what it has passed. Never moves it back.
pub async fn advance(tx: &mut Tx, consumer: &str, cursor: Cursor, now: Timestamp) -> Outcome<()> {
    on_engine!(tx, ADVANCE, |sql, conn| {
        let query = sqlx::query(sql).bind(consumer).bind(cursor.position).bind(cursor.seq);
        query.bind(Instant(now)).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Which of `events` `consumer` has not taken in yet; from now on it has. A second consumer of the same name that
/// names one of them waits until this transaction ends.
pub async fn first_time(
    tx: &mut Tx,
    consumer: &str,
    events: &[Uuid],
    now: Timestamp,
) -> Outcome<HashSet<Uuid>> {
    // Sorted, so that two replicas that take in the same events do not wait for each other in a circle.
    let mut distinct = events.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.is_empty() {
        return Ok(HashSet::new());
    }
    let columns = [Column::Uuid(distinct)];
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
