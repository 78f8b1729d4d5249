//! What keeps an outbox going without a caller: the relay that numbers events, and the sweep that forgets old ones.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tandem_kernel::clock::Clock;

use super::{Relay, RelayConfig};
use crate::db::{Instant, Statement, Tx};
use crate::tasks::Tasks;
use crate::{Db, Outcome, idempotency, on_engine, transact};

pub(super) const DUE: Statement =
    Statement::same("SELECT tenant FROM relay WHERE second < $1 ORDER BY second LIMIT $2");

// The relay numbers under the same lock.
pub(super) const HOLD: Statement = Statement::pair(
    "SELECT 1 FROM relay WHERE tenant = $1 FOR UPDATE",
    "SELECT 1 FROM relay WHERE tenant = $1",
);

pub(super) const OLDEST: Statement = Statement::same(
    "SELECT position, created FROM event_batch
      WHERE tenant = $1 AND position IS NOT NULL ORDER BY position LIMIT $2",
);

pub(super) const FORGET: Statement =
    Statement::same("DELETE FROM event_batch WHERE tenant = $1 AND position <= $2");

pub(super) const REMEMBER: Statement = Statement::same(
    "UPDATE relay SET forgotten = CASE WHEN forgotten < $2 THEN $2 ELSE forgotten END, second = $3
      WHERE tenant = $1",
);

/// How long a request_id is remembered.
const CLAIM_RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How often old rows are looked for.
const SWEEP_POLL: Duration = Duration::from_secs(60);
/// Rows that one turn of a sweep deletes at most, and tenants that it goes through.
const SWEEP_LIMIT: u32 = 10_000;
/// Rows that it deletes in one transaction.
const SWEEP_STEP: u32 = 1_000;

/// Starts the relay and the sweep; events are kept for `retention`. What a consumer of another outbox remembers is its
/// own to forget.
pub fn keep(db: &Db, clock: &Arc<dyn Clock>, tasks: &Tasks, relay: RelayConfig, retention: SignedDuration) {
    Relay::new(db.clone(), clock.clone(), relay).start(tasks);
    let (db, clock) = (db.clone(), clock.clone());
    tasks.every("sweep", SWEEP_POLL, None, move || forget(db.clone(), clock.clone(), retention));
}

async fn forget(db: Db, clock: Arc<dyn Clock>, retention: SignedDuration) -> Outcome<()> {
    let now = clock.now();
    // Turn by turn, so that it keeps up with whatever comes and no transaction of it is long.
    let forgotten = loop {
        match sweep(&db, now - retention, SWEEP_LIMIT).await {
            Ok(forgotten) if forgotten >= u64::from(SWEEP_LIMIT) => {}
            ended => break ended,
        }
    };
    while idempotency::sweep(&db, now - CLAIM_RETENTION, SWEEP_LIMIT).await? >= u64::from(SWEEP_LIMIT) {}
    forgotten.map(drop)
}

/// Forgets the oldest transactions of each tenant that were decided before `older_than`, about `limit` at a time;
/// answers how many. A tenant of which that fails is passed over, and its fault the answer once the others are done. Only
/// from the low end, so that what is kept has no hole, and never the newest of the old ones, so
/// that a cursor whose next event is kept stays valid however old itself is. Tenants that have nothing to forget are not
/// looked at.
pub async fn sweep(db: &Db, older_than: Timestamp, limit: u32) -> Outcome<u64> {
    let due: Vec<String> = {
        let mut reader = db.read().await?;
        on_engine!(&mut reader, DUE, |sql, conn| {
            sqlx::query_scalar(sql).bind(Instant(older_than)).bind(i64::from(limit)).fetch_all(conn).await
        })?
    };
    let (mut forgotten, mut failed) = (0, None);
    for tenant in due {
        loop {
            let step = match transact!(db, |tx| { sweep_one(tx, &tenant, older_than).await }) {
                Ok(step) => step,
                Err(fault) if fault.is_statement_error() => {
                    failed = Some(fault.with("tenant", &tenant));
                    break;
                }
                Err(fault) => return Err(fault),
            };
            forgotten += step;
            if step < u64::from(SWEEP_STEP) || forgotten >= u64::from(limit) {
                break;
            }
        }
        if forgotten >= u64::from(limit) {
            break;
        }
    }
    failed.map_or(Ok(forgotten), Err)
}

async fn sweep_one(tx: &mut Tx, tenant: &str, older_than: Timestamp) -> Outcome<u64> {
    on_engine!(tx, HOLD, |sql, conn| sqlx::query(sql).bind(tenant).execute(conn).await.map(|_| ()))?;
    let oldest: Vec<(i64, Instant)> = on_engine!(tx, OLDEST, |sql, conn| {
        sqlx::query_as(sql).bind(tenant).bind(i64::from(SWEEP_STEP) + 2).fetch_all(conn).await
    })?;
    let most = usize::try_from(SWEEP_STEP).unwrap_or(usize::MAX);
    let old = oldest.iter().take_while(|(_, created)| created.0 < older_than).count();
    // Of the old ones the newest stays.
    let gone = old.saturating_sub(1).min(most);
    let edge = oldest[..gone].last().map_or(0, |(position, _)| *position);
    let second = oldest.get(gone + 1).map(|(_, created)| *created);
    let forgotten = on_engine!(tx, FORGET, |sql, conn| {
        sqlx::query(sql).bind(tenant).bind(edge).execute(conn).await.map(|done| done.rows_affected())
    })?;
    on_engine!(tx, REMEMBER, |sql, conn| {
        sqlx::query(sql).bind(tenant).bind(edge).bind(second).execute(conn).await.map(|_| ())
    })?;
    Ok(forgotten)
}
