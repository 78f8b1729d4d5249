//! What is in force, in memory, and how it is known to be.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::{Document, Settings, store};
use crate::call::Tenant;
use crate::fault::Outcome;
use crate::kept::Kept;
use crate::service::Core;

/// Tenants kept at least; twice as many at most.
const TENANTS: usize = 8_192;
/// How long the last look vouches for what is kept.
const VOUCHED: SignedDuration = SignedDuration::from_secs(5);
/// After what time it is read again anyway.
const OLD: SignedDuration = SignedDuration::from_mins(1);
/// How long a transaction that sets something takes at most, and how far the clocks of replicas differ, for a look to find
/// it. What is later than that is found when what is kept is old.
const OVERLAP: SignedDuration = SignedDuration::from_mins(1);
/// For so long after somebody has asked it is looked.
const WANTED: SignedDuration = SignedDuration::from_mins(1);
/// How long whoever asks waits for a row where something is kept.
const PATIENCE: Duration = Duration::from_secs(1);

/// See [`Tenancy`](super::Tenancy).
pub struct Memory<D: Document> {
    defaults: D,
    kept: Kept<Tenant, Arc<Entry<D>>>,
    /// When the last look that succeeded began.
    looked: Moment,
    /// When somebody asked last, to within a second.
    asked: Moment,
}

/// Of one tenant.
struct Entry<D: Document> {
    version: i64,
    in_force: Arc<D::InForce>,
    /// When the reading of it began last.
    read: Moment,
    reading: AtomicBool,
}

/// Reads for an entry; there is one at a time.
struct Turn<D: Document>(Arc<Entry<D>>);

/// A point in time that threads share.
struct Moment(AtomicI64);

impl Moment {
    const NEVER: i64 = i64::MIN;

    fn of(at: Option<Timestamp>) -> Self {
        Self(AtomicI64::new(at.map_or(Self::NEVER, Timestamp::as_microsecond)))
    }

    fn get(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).ok()
    }

    fn set(&self, at: Timestamp) {
        self.0.store(at.as_microsecond(), Ordering::Relaxed);
    }

    /// Whether it is no further from `now` than that.
    fn is_within(&self, of: SignedDuration, now: Timestamp) -> bool {
        self.get().is_some_and(|at| now.duration_since(at).abs() <= of)
    }
}

impl<D: Document> Memory<D> {
    pub fn new(defaults: D) -> Self {
        Self { defaults, kept: Kept::new(TENANTS), looked: Moment::of(None), asked: Moment::of(None) }
    }

    pub fn defaults(&self) -> &D {
        &self.defaults
    }

    pub fn known(&self, tenant: &Tenant) -> Option<Arc<D::InForce>> {
        self.kept.get(tenant).map(|entry| entry.in_force.clone())
    }

    pub async fn of(self: &Arc<Self>, core: &Core, tenant: &Tenant) -> Outcome<Arc<D::InForce>> {
        let now = core.clock.now();
        if !self.asked.is_within(SignedDuration::from_secs(1), now) {
            self.asked.set(now);
        }
        let Some(entry) = self.kept.get(tenant) else {
            return self.read(core, tenant).await;
        };
        let vouched = self.looked.is_within(VOUCHED, now);
        if vouched && entry.read.is_within(OLD, now) {
            return Ok(entry.in_force.clone());
        }
        if let Some(turn) = entry.turn() {
            let ended = self.read_beside(core, tenant, turn);
            if !vouched {
                // Not within the time: what is kept serves, and the reading goes on.
                let _ = tokio::time::timeout(PATIENCE, ended).await;
            }
        }
        Ok(self.known(tenant).unwrap_or_else(|| entry.in_force.clone()))
    }

    /// Reads beside the caller, who may go away, or wait for the end.
    fn read_beside(self: &Arc<Self>, core: &Core, tenant: &Tenant, turn: Turn<D>) -> oneshot::Receiver<()> {
        let (end, ended) = oneshot::channel();
        let (memory, state, tenant) = (self.clone(), core.clone(), tenant.clone());
        core.tasks.spawn("settings of a tenant", async move {
            if let Err(fault) = memory.read(&state, &tenant).await {
                tracing::debug!(%tenant, ?fault, "settings cannot be read: what is kept serves");
            }
            drop(turn);
            // Whoever waited may be gone.
            let _ = end.send(());
        });
        ended
    }

    async fn read(&self, core: &Core, tenant: &Tenant) -> Outcome<Arc<D::InForce>> {
        let now = core.clock.now();
        let found = {
            let mut reader = core.db.read().await?;
            store::find(&mut reader, tenant).await?
        };
        Ok(self.take(tenant, &found, now))
    }

    /// Takes in what other replicas have set, for the tenants that are kept, where anybody asks.
    pub async fn look(&self, core: &Core) -> Outcome<()> {
        let now = core.clock.now();
        if !self.asked.is_within(WANTED, now) {
            return Ok(());
        }
        // What is kept was read within a minute, or is read again before it serves.
        let lately = now.checked_sub(OLD).unwrap_or(now);
        let since =
            self.looked.get().filter(|looked| *looked <= now).map_or(lately, |looked| looked.max(lately));
        let since = since.checked_sub(OVERLAP).unwrap_or(since);
        let changed = {
            let mut reader = core.db.read().await?;
            store::changed(&mut reader, since).await?
        };
        for row in changed {
            let Some(tenant) = row.tenant() else { continue };
            if self.kept.get(&tenant).is_none_or(|entry| entry.version >= row.version) {
                continue;
            }
            match row.settings() {
                Ok(settings) => drop(self.take(&tenant, &settings, now)),
                // Others must not wait for what a newer release has written.
                Err(fault) => tracing::warn!(%tenant, ?fault, "settings cannot be read"),
            }
        }
        self.looked.set(now);
        Ok(())
    }

    pub fn put(&self, tenant: &Tenant, settings: &Settings<D>) {
        if let Some(updated) = settings.updated {
            self.take(tenant, settings, updated);
        }
    }

    /// Keeps what was read, from `now` on, unless something newer is kept; answers what is.
    fn take(&self, tenant: &Tenant, found: &Settings<D>, now: Timestamp) -> Arc<D::InForce> {
        let kept = self.kept.change(tenant, |kept| match kept {
            Some(kept) if kept.version >= found.version => {
                kept.read.set(now);
                kept.clone()
            }
            _ => Arc::new(Entry {
                version: found.version,
                in_force: Arc::new(found.own.over(&self.defaults).in_force()),
                read: Moment::of(Some(now)),
                reading: AtomicBool::new(false),
            }),
        });
        kept.in_force.clone()
    }
}

impl<D: Document> Entry<D> {
    /// The turn to read, where nobody else has it.
    fn turn(self: &Arc<Self>) -> Option<Turn<D>> {
        let taken = self.reading.swap(true, Ordering::Relaxed);
        (!taken).then(|| Turn(self.clone()))
    }
}

impl<D: Document> Drop for Turn<D> {
    fn drop(&mut self) {
        self.0.reading.store(false, Ordering::Relaxed);
    }
}

impl<D: Document> fmt::Debug for Memory<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("defaults", &self.defaults).finish_non_exhaustive()
    }
}
