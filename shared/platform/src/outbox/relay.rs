//! Gives positions to what has committed, in passes.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use std::ops::ControlFlow;
use tandem_kernel::clock::Clock;

use super::Cursor;
use crate::db::{Db, Instant, Replays, Statement, Tx, conclude};
use crate::fault::{Fault, Outcome};
use crate::tasks::Tasks;
use crate::{on_engine, transact};

pub(super) const PEEK: Statement = Statement::same(
    "SELECT position, EXISTS (SELECT 1 FROM event_batch WHERE position IS NULL) FROM relay WHERE name = 'events'",
);

pub(super) const ELECT: Statement = Statement::pair(
    "SELECT position FROM relay WHERE name = 'events' FOR UPDATE SKIP LOCKED",
    "SELECT position FROM relay WHERE name = 'events'",
);

// An update in the clothes of an insert: every row is there, and ON CONFLICT finds it by its key, where a join would be
// planned anew, and at times over the whole table, as that grows.
pub(super) const NUMBER: Statement = Statement::same(
    "INSERT INTO event_batch (id, position, created, payload)
     SELECT id, $1 + row_number() OVER (ORDER BY created, id), created, ''
       FROM (SELECT id, created FROM event_batch
              WHERE position IS NULL ORDER BY created, id LIMIT $2) AS free
      WHERE true
     ON CONFLICT (id) DO UPDATE SET position = excluded.position",
);

pub(super) const ADVANCE: Statement = Statement::same("UPDATE relay SET position = $1 WHERE name = 'events'");

pub(super) const LAG: Statement =
    Statement::same("SELECT min(created) FROM event_batch WHERE position IS NULL");

pub(super) const OLDEST: Statement = Statement::same(
    "SELECT position, created FROM event_batch WHERE position IS NOT NULL ORDER BY position LIMIT $1",
);

pub(super) const FORGET: Statement = Statement::same("DELETE FROM event_batch WHERE position < $1");

/// Transactions that one pass numbers.
const PASS: i64 = 1_000;

/// How the relay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// How often it looks for the commits of other processes; those of this one wake it at once.
    pub poll: Duration,
    /// The pause after a pass that had work: how many commits one numbering gathers under load.
    pub gather: Duration,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self { poll: Duration::from_millis(100), gather: Duration::from_millis(10) }
    }
}

/// The relay of one process.
#[derive(Clone)]
pub struct Relay {
    db: Db,
    clock: Arc<dyn Clock>,
    config: RelayConfig,
}

impl Relay {
    /// A relay that does nothing yet.
    pub fn new(db: Db, clock: Arc<dyn Clock>, config: RelayConfig) -> Self {
        Self { db, clock, config }
    }

    /// Runs until the tasks are told to stop. Every replica runs one.
    pub fn start(&self, tasks: &Tasks) {
        let wake = self.db.signals().appended.clone();
        let relay = self.clone();
        tasks.every("relay", self.config.poll, Some(wake), move || {
            let relay = relay.clone();
            async move {
                if relay.pass().await? > 0 {
                    tokio::time::sleep(relay.config.gather).await;
                }
                Ok(())
            }
        });
    }

    /// Numbers what has committed, unless another process does so right now; answers how many transactions it
    /// numbered. Wakes the followers of this process for what any process has numbered.
    pub async fn pass(&self) -> Outcome<u64> {
        let mut numbered = 0;
        loop {
            let (head, work) = self.peek().await?;
            self.db.signals().announce(head);
            if !work {
                return Ok(numbered);
            }
            let Some((count, head)) = self.number().await? else { return Ok(numbered) };
            self.db.signals().announce(head);
            numbered += count;
            if count < PASS.unsigned_abs() {
                return Ok(numbered);
            }
        }
    }

    /// The age of the oldest committed transaction without a position; zero where all have one.
    pub async fn lag(&self) -> Outcome<SignedDuration> {
        let mut reader = self.db.read().await?;
        let oldest: Option<Instant> =
            on_engine!(&mut reader, LAG, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await)?;
        Ok(oldest.map_or(SignedDuration::ZERO, |oldest| self.clock.now().duration_since(oldest.0)))
    }

    async fn peek(&self) -> Outcome<(i64, bool)> {
        let mut reader = self.db.read().await?;
        let row: Option<(i64, bool)> =
            on_engine!(&mut reader, PEEK, |sql, conn| sqlx::query_as(sql).fetch_optional(conn).await)?;
        row.ok_or_else(no_relay)
    }

    /// One pass in a transaction of its own; `None` where another process holds the election.
    async fn number(&self) -> Outcome<Option<(u64, i64)>> {
        let mut replays = Replays::default();
        loop {
            // Read committed: each statement sees what has committed before it, which is what a pass is about, and
            // serialisable writers are not made to fail because the relay looks at their rows.
            let mut tx = self.db.begin_read_committed().await?;
            let outcome = number(&mut tx).await;
            if let ControlFlow::Break(outcome) = conclude(&self.db, tx, outcome, &mut replays).await {
                return outcome;
            }
        }
    }
}

async fn number(tx: &mut Tx) -> Outcome<Option<(u64, i64)>> {
    let base: Option<i64> =
        on_engine!(tx, ELECT, |sql, conn| sqlx::query_scalar(sql).fetch_optional(conn).await)?;
    let Some(base) = base else { return Ok(None) };
    let count = on_engine!(tx, NUMBER, |sql, conn| {
        sqlx::query(sql).bind(base).bind(PASS).execute(conn).await.map(|done| done.rows_affected())
    })?;
    let head = base + i64::try_from(count).unwrap_or(i64::MAX);
    on_engine!(tx, ADVANCE, |sql, conn| sqlx::query(sql).bind(head).execute(conn).await.map(|_| ()))?;
    Ok(Some((count, head)))
}

/// The end of what has been numbered: where a follower starts that wants only what is to come.
pub async fn head(db: &Db) -> Outcome<Cursor> {
    let mut reader = db.read().await?;
    let row: Option<(i64, bool)> =
        on_engine!(&mut reader, PEEK, |sql, conn| sqlx::query_as(sql).fetch_optional(conn).await)?;
    row.map(|(position, _)| Cursor::after(position)).ok_or_else(no_relay)
}

fn no_relay() -> Fault {
    Fault::internal("the table relay has lost its row")
}

/// Forgets the oldest transactions that were decided before `older_than`, at most `limit` at a time; answers how many.
/// Only from the low end, so that positions stay without gaps, and never the newest of the old ones, so that a cursor
/// whose next event is kept stays valid however old itself is.
pub async fn sweep(db: &Db, older_than: Timestamp, limit: u32) -> Outcome<u64> {
    transact!(db, |tx| {
        let oldest: Vec<(i64, Instant)> = on_engine!(tx, OLDEST, |sql, conn| {
            sqlx::query_as(sql).bind(i64::from(limit) + 1).fetch_all(conn).await
        })?;
        let expired = oldest.iter().take_while(|(_, created)| created.0 < older_than);
        let Some((edge, _)) = expired.last() else { return Ok(0) };
        let forgotten = on_engine!(tx, FORGET, |sql, conn| {
            sqlx::query(sql).bind(*edge).execute(conn).await.map(|done| done.rows_affected())
        })?;
        Ok(forgotten)
    })
}
