//! What limits have counted, in the memory of this replica. A tenant's is read when its first quote asks; from then on
//! only what orders have written since is read again, for all tenants together: where nothing is sold nothing is read,
//! and what is over is never read at all.
//!
//! News is what was written since the last look, and a little before it ([`OVERLAP`]): an order is stamped before its
//! transaction begins and seen after it ends. What comes later than that, because a clock is wrong or a transaction
//! hung, is found by the look at everything now and then ([`WHOLE`]), which also drops what is over and gives back the
//! memory of tenants that nobody has asked for since the one before.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use foldhash::fast::RandomState;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::limits::periods_at;
use tandem_platform::{Outcome, Tenant};
use tokio::sync::{Mutex, Notify};

use super::near::{self, Near};
use super::spent::Spent;
use crate::App;

/// How long before the last look news may be stamped: the longest transaction, and the clocks of replicas that differ.
const OVERLAP: SignedDuration = SignedDuration::from_secs(10);
/// How often everything is read again.
const WHOLE: SignedDuration = SignedDuration::from_mins(10);
/// After what time that is tried again where it fails.
const RETRY: SignedDuration = SignedDuration::from_secs(30);

type Map<V> = HashMap<Tenant, V, RandomState>;

/// What limits of every tenant that quotes have asked for have counted.
#[derive(Debug)]
pub struct Spending {
    tenants: RwLock<Map<Known>>,
    /// When news was last read, and when everything was, in microseconds.
    read: AtomicI64,
    whole: AtomicI64,
    wake: Arc<Notify>,
    /// One look at a time.
    looking: Mutex<()>,
    /// Tenants that are being read for their first quote: one reading each.
    reading: std::sync::Mutex<HashMap<Tenant, Weak<Mutex<()>>, RandomState>>,
}

/// What is known of one tenant.
#[derive(Debug, Default)]
struct Known {
    spent: Arc<Spent>,
    /// Since the last look at everything.
    asked: AtomicBool,
}

impl Spending {
    /// Nothing is known; `now` is when the replica starts.
    pub fn new(now: Timestamp) -> Self {
        Self {
            tenants: RwLock::default(),
            read: AtomicI64::new(now.as_microsecond()),
            whole: AtomicI64::new(now.as_microsecond()),
            wake: Arc::default(),
            looking: Mutex::new(()),
            reading: std::sync::Mutex::default(),
        }
    }

    /// What limits of a tenant have counted. Read from the database where it is not known, which is one statement for all
    /// who ask meanwhile.
    pub async fn of(&self, app: &App, tenant: &Tenant) -> Outcome<Arc<Spent>> {
        if let Some(spent) = self.known(tenant) {
            return Ok(spent);
        }
        let turn = self.turn(tenant);
        let _turn = turn.lock().await;
        if let Some(spent) = self.known(tenant) {
            return Ok(spent);
        }
        let periods = periods_at(app.clock.now()).into_iter().collect();
        let rows = near::of_tenant(&mut app.db.read().await?, tenant, periods).await?;
        let spent = Arc::new(Spent::of(rows.into_iter().map(|(_, owner, taken)| (owner, taken))));
        let known = Known { spent: spent.clone(), asked: AtomicBool::new(true) };
        self.tenants.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), known);
        Ok(spent)
    }

    fn turn(&self, tenant: &Tenant) -> Arc<Mutex<()>> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = reading.get(tenant).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::<Mutex<()>>::default();
        reading.insert(tenant.clone(), Arc::downgrade(&turn));
        turn
    }

    fn known(&self, tenant: &Tenant) -> Option<Arc<Spent>> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let known = tenants.get(tenant)?;
        known.asked.store(true, Ordering::Relaxed);
        Some(known.spent.clone())
    }

    /// Has the poller look at once: this replica has just refused an order for a limit.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// What [`Spending::wake`] notifies.
    pub(super) fn waker(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// Takes in what orders have written since the last time; now and then everything. Answers how many rows were read.
    pub async fn refresh(&self, app: &App) -> Outcome<usize> {
        let _one = self.looking.lock().await;
        let now = app.clock.now();
        let at = |instant: &AtomicI64| {
            Timestamp::from_microsecond(instant.load(Ordering::Relaxed)).unwrap_or(Timestamp::MIN)
        };
        let rows = if now.duration_since(at(&self.whole)) >= WHOLE {
            // Where it fails, news is read until the next try.
            let again = now.checked_sub(WHOLE - RETRY).unwrap_or(now);
            self.whole.store(again.as_microsecond(), Ordering::Relaxed);
            let rows = self.take_all(app, now).await?;
            self.whole.store(now.as_microsecond(), Ordering::Relaxed);
            rows
        } else {
            let since = at(&self.read).saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN);
            let news = near::news(&mut app.db.read().await?, since).await?;
            let rows = news.len();
            self.take_in(news);
            rows
        };
        self.read.store(now.as_microsecond(), Ordering::Relaxed);
        Ok(rows)
    }

    /// Of tenants that nobody has asked for, nothing is kept.
    fn take_in(&self, news: Vec<Near>) {
        let mut changed: Map<Spent> = Map::default();
        for (tenant, owner, taken) in news {
            if let Some(spent) = changed.get_mut(&tenant) {
                spent.put(owner, taken);
                continue;
            }
            let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
            let known = tenants.get(&tenant).map(|known| known.spent.clone());
            drop(tenants);
            // Copied outside of the lock that every quote takes.
            if let Some(known) = known.filter(|known| !known.has(&owner, &taken)) {
                let mut spent = Spent::clone(&known);
                spent.put(owner, taken);
                changed.insert(tenant, spent);
            }
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        for (tenant, spent) in changed {
            if let Some(known) = tenants.get_mut(&tenant) {
                known.spent = Arc::new(spent);
            }
        }
    }

    async fn take_all(&self, app: &App, now: Timestamp) -> Outcome<usize> {
        // Whoever is loaded meanwhile is left as it was loaded.
        let kept: Vec<Tenant> =
            self.tenants.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        if kept.is_empty() {
            return Ok(0);
        }
        let rows = near::news(&mut app.db.read().await?, Timestamp::UNIX_EPOCH).await?;
        let (read, periods) = (rows.len(), periods_at(now));
        let mut fresh: Map<Spent> = kept.into_iter().map(|tenant| (tenant, Spent::default())).collect();
        for (tenant, owner, taken) in rows {
            if let Some(spent) = fresh.get_mut(&tenant).filter(|_| periods.contains(&taken.period)) {
                spent.put(owner, taken);
            }
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|_, known| known.asked.swap(false, Ordering::Relaxed));
        for (tenant, spent) in fresh {
            if let Some(known) = tenants.get_mut(&tenant) {
                known.spent = Arc::new(spent);
            }
        }
        Ok(read)
    }
}
