//! What was kept for long enough goes.

use jiff::{SignedDuration, Timestamp};
use tandem_platform::{Fault, Outcome, Tenant, transact};

use super::super::Kind;
use super::super::store::due;
use crate::App;

/// How many one transaction forgets at most.
const FORGOTTEN: u32 = 5_000;
/// No transaction runs for so long.
const WRITING: SignedDuration = SignedDuration::from_mins(2);

/// Forgets what a tenant has kept of a kind for as long as it keeps that, some of it, and finds out when it is to be looked
/// again; answers how many are forgotten.
pub async fn forget(app: &App, tenant: &Tenant, kind: Kind, now: Timestamp) -> Outcome<u64> {
    transact!(app.db, |tx| {
        let Some(row) = due::lock(tx, tenant, kind, now).await? else { return Ok(0) };
        // Who changes it waits for the lock of the row, and has it looked at again.
        let retention = app.tenancy.within(tx, tenant).await?.retention;
        let for_good = || Fault::internal("what is kept for good is never over");
        let kept = retention.of(kind).ok_or_else(for_good)?;
        let forgotten = due::forget(tx, tenant, kind, now - kept, FORGOTTEN).await?;
        if forgotten < u64::from(FORGOTTEN) {
            let (known, found) = (row.oldest.timestamp(), due::oldest(tx, tenant, kind).await?);
            let (oldest, due) = next(known, found.unwrap_or(now), kept, now);
            due::save(kind, oldest, due).run(tx, tenant).await?;
        }
        Ok(forgotten)
    })
}

/// What is known of the oldest from now on, and when it is looked again.
fn next(known: Timestamp, found: Timestamp, kept: SignedDuration, now: Timestamp) -> (Timestamp, Timestamp) {
    let over = found + kept;
    // What is older than this may be on its way, written by what was known before.
    let due = if found > known { over.min(now + WRITING) } else { over };
    (found, due)
}
