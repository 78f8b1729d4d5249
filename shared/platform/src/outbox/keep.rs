//! What keeps an outbox going without a caller: the relay that numbers events, and the sweep that forgets old ones.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tandem_kernel::clock::Clock;

use super::{Relay, RelayConfig, sweep};
use crate::tasks::Tasks;
use crate::{Db, Outcome, idempotency};

/// How long a request_id is remembered.
const CLAIM_RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How often old rows are looked for.
const SWEEP_POLL: Duration = Duration::from_secs(60);
/// Rows that one sweep deletes at most.
const SWEEP_LIMIT: u32 = 10_000;

/// Starts the relay and the sweep; events are kept for `retention`. What a consumer of another outbox remembers is its
/// own to forget.
pub fn keep(db: &Db, clock: &Arc<dyn Clock>, tasks: &Tasks, retention: SignedDuration) {
    Relay::new(db.clone(), clock.clone(), RelayConfig::default()).start(tasks);
    let (db, clock) = (db.clone(), clock.clone());
    tasks.every("sweep", SWEEP_POLL, None, move || forget(db.clone(), clock.clone(), retention));
}

async fn forget(db: Db, clock: Arc<dyn Clock>, retention: SignedDuration) -> Outcome<()> {
    let now = clock.now();
    sweep(&db, now - retention, SWEEP_LIMIT).await?;
    idempotency::sweep(&db, now - CLAIM_RETENTION, SWEEP_LIMIT).await?;
    Ok(())
}
