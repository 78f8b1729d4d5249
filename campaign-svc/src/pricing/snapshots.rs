//! The catalogues that this replica holds, and the one door to them. Nobody is answered from one that was not read: who
//! asks for a tenant that is not held waits until it is, as long as he can, and is told to come back otherwise.
//!
//! - A poller looks at which catalogues have moved, and has those taken in that are held. It asks for what was written
//!   lately, so that it costs nothing where nothing happens; what a transaction wrote that took longer than that is
//!   found by the full look that follows every few seconds.
//! - Each tenant is loaded by itself: one that cannot be loaded, or takes long, holds up nobody else.
//! - What nobody has asked for in a while is given back.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use foldhash::fast::RandomState;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tandem_platform::lifecycle::readiness::{FirstLoad, FirstLoads};
use tandem_platform::{Call, Db, Fault, Outcome, Tenant, transact};
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::time::Instant;

use super::held::{Held, loading};
use super::load;
use super::snapshot::Snapshot;
use crate::{App, catalogue};

/// How long a transaction that writes the catalogue takes at most, and how far the clocks of replicas differ, for a
/// look to find what it wrote. What is later than that is found by the full look.
const OVERLAP: SignedDuration = SignedDuration::from_secs(5);
/// How often every catalogue is looked at.
const FULL: SignedDuration = SignedDuration::from_secs(10);
/// How often what is over is dropped and what is silent given back.
const TIDY: SignedDuration = SignedDuration::from_mins(1);
/// Whoever was asked for within this is loaded before the replica is ready.
const LATELY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a writer waits until this replica quotes by what he wrote.
const WRITTEN: Duration = Duration::from_secs(1);
/// Each load reads over three connections: no more of them side by side than leave others their share.
const CONNECTIONS_PER_LOAD: u32 = 4;

/// The compiled catalogues of this replica.
#[derive(Debug)]
pub struct Snapshots {
    held: RwLock<HashMap<Tenant, Arc<Held>, RandomState>>,
    /// Those whose last load failed.
    failing: std::sync::Mutex<BTreeSet<Tenant>>,
    /// When all catalogues were last looked at, in microseconds; `i64::MIN`: never.
    looked: AtomicI64,
    /// One look at a time.
    looking: Mutex<Looking>,
    wake: Arc<Notify>,
    /// Loads side by side.
    pub(super) loads: Semaphore,
    first: FirstLoad,
}

/// What a look goes by.
#[derive(Debug)]
struct Looking {
    /// When every catalogue was last looked at.
    full: Option<Timestamp>,
    tidied: Timestamp,
}

impl Snapshots {
    /// Nothing is held yet; `now` is when the replica starts.
    pub fn new(db: &Db, loads: &FirstLoads, now: Timestamp) -> Self {
        let side_by_side = db.pool_use().max / CONNECTIONS_PER_LOAD;
        Self {
            held: RwLock::default(),
            failing: std::sync::Mutex::default(),
            looked: AtomicI64::new(i64::MIN),
            looking: Mutex::new(Looking { full: None, tidied: now }),
            wake: Arc::default(),
            loads: Semaphore::new(side_by_side.clamp(1, 8) as usize),
            first: loads.expect("catalogues"),
        }
    }

    /// The catalogue of the caller's tenant, which is loaded first where it is not held.
    ///
    /// # Errors
    /// CATALOGUE_LOADING where that takes longer than the caller waits, or fails.
    pub async fn of(&self, app: &Arc<App>, call: &Call) -> Outcome<Arc<Snapshot>> {
        let now = app.clock.now();
        let held = self.held(&call.tenant, now);
        held.asked(now);
        if let Some(snapshot) = held.snapshot() {
            return Ok(snapshot);
        }
        held.may_try(now)?;
        let round = want(app, &held);
        // An eighth is left for the answer.
        let limit = call.deadline.map(|deadline| Instant::now() + deadline.remaining() / 8 * 7);
        held.ended(round, limit).await;
        held.snapshot().ok_or_else(loading)
    }

    /// How long ago what is held of a tenant was last known to be its catalogue.
    pub fn age(&self, tenant: &Tenant, now: Timestamp) -> Duration {
        let looked = self.looked();
        let current = self.known(tenant).map(|held| held.current(looked)).or(looked);
        let age = current.map(|current| now.duration_since(current)).unwrap_or_default();
        Duration::try_from(age).unwrap_or_default()
    }

    /// Waits until this replica quotes by what the caller has just written: a second at most, and not past the time
    /// that he waits. Whether it does. What is not held is loaded before its next quote.
    pub async fn follows(&self, app: &Arc<App>, call: &Call) -> bool {
        let Some(held) = self.known(&call.tenant) else { return true };
        let round = want(app, &held);
        let granted = call.deadline.map_or(WRITTEN, |deadline| deadline.remaining() / 8 * 7);
        held.ended(round, Some(Instant::now() + granted.min(WRITTEN))).await
    }

    /// How many catalogues are held, and how many of them cannot be loaded.
    pub(super) fn counts(&self) -> (usize, usize) {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).len();
        (held, self.failing.lock().unwrap_or_else(PoisonError::into_inner).len())
    }

    /// Has the poller look at once.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// What [`Snapshots::wake`] notifies.
    pub(super) fn waker(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// Looks, and waits until what has moved is taken in or has failed. The poller does not wait; tests do.
    pub async fn refresh(&self, app: &Arc<App>) -> Outcome<()> {
        for (held, round) in self.look(app).await? {
            held.ended(round, None).await;
        }
        Ok(())
    }

    /// Finds out which catalogues have moved, and has those loaded that are held. Answers what it has begun.
    pub(super) async fn look(&self, app: &Arc<App>) -> Outcome<Vec<(Arc<Held>, u64)>> {
        let mut looking = self.looking.lock().await;
        let (now, before) = (app.clock.now(), self.looked());
        // A clock that was set back asks for all.
        let due = |full: &Timestamp| (*full..*full + FULL).contains(&now);
        let since = before.filter(|_| looking.full.as_ref().is_some_and(due));
        let moved = {
            let mut reader = app.db.read().await?;
            match since {
                Some(since) => catalogue::store::changed(&mut reader, since - OVERLAP).await?,
                None => catalogue::store::versions(&mut reader).await?,
            }
        };
        if since.is_none() {
            looking.full = Some(now);
        }
        let moved = moved
            .into_iter()
            .filter_map(|(tenant, version)| self.known(&tenant).filter(|held| held.moved(version, before)));
        let mut begun: Vec<Arc<Held>> = moved.collect();
        self.looked.store(now.as_microsecond(), Ordering::Relaxed);
        begun.extend(self.to_retry(now));
        if now.duration_since(looking.tidied).abs() >= TIDY {
            looking.tidied = now;
            begun.extend(self.tidy(app, now));
        }
        Ok(begun.into_iter().map(|held| (held.clone(), want(app, &held))).collect())
    }

    /// Loads the catalogues that were lately asked for, so that their first quotes need not wait, and says so to
    /// whoever waits for it. One that takes too long holds up itself alone.
    pub(super) async fn first_load(&self, app: &Arc<App>) -> Outcome<()> {
        let since = app.clock.now().checked_sub(LATELY).unwrap_or(Timestamp::MIN);
        let tenants = catalogue::store::used(&mut app.db.read().await?, since).await?;
        let limit = Duration::from_millis(app.config.pricing.first_load_ms);
        let side_by_side = self.loads.available_permits().max(1);
        let load = |tenant: Tenant| async move {
            let held = self.held(&tenant, app.clock.now());
            if held.snapshot().is_none() {
                held.ended(want(app, &held), Some(Instant::now() + limit)).await;
            }
            if let Err(fault) = app.spending.of(app, &held.tenant).await {
                tracing::debug!(tenant = %held.tenant, ?fault, "limits are read with the first quote");
            }
        };
        futures::stream::iter(tenants).for_each_concurrent(side_by_side, load).await;
        self.first.done();
        Ok(())
    }

    /// Notes what became of a load: told of once, however often it is tried.
    fn note(&self, held: &Held, outcome: Result<(), &Fault>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(()) => {
                if failing.remove(&held.tenant) {
                    tracing::info!(tenant = %held.tenant, "a catalogue that could not be loaded is loaded");
                }
            }
            Err(fault) => {
                if failing.insert(held.tenant.clone()) {
                    tracing::warn!(tenant = %held.tenant, ?fault, "a catalogue cannot be loaded; it is tried again");
                }
            }
        }
    }

    fn to_retry(&self, now: Timestamp) -> Vec<Arc<Held>> {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.retain(|tenant| self.known(tenant).is_some());
        let held = failing.iter().filter_map(|tenant| self.known(tenant));
        held.filter(|held| held.may_try(now).is_ok()).collect()
    }

    /// Gives back what nobody has asked for, and answers what has something to drop or to note.
    fn tidy(&self, app: &App, now: Timestamp) -> Vec<Arc<Held>> {
        let before = |age| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        let silent = before(SignedDuration::from_secs(app.config.pricing.snapshot_idle_s.into()));
        let held: Vec<Arc<Held>> = {
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            // Whoever has no catalogue costs one statement to be known again, and names can be made up.
            held.retain(|_, held| !held.is_silent(if held.has_catalogue() { silent } else { before(TIDY) }));
            held.values().cloned().collect()
        };
        let is_to_be_loaded = |tenant: &Tenant, snapshot: &Snapshot| {
            let days = app.tenancy.known(tenant).map_or(0, |settings| settings.campaign_max_days);
            let horizon = load::horizon(snapshot.campaign_max_days(), now);
            !snapshot.reaches_for(days) || snapshot.has_past(now, horizon)
        };
        let due = |held: &Arc<Held>| {
            held.use_to_note().is_some()
                || held.snapshot().is_some_and(|snapshot| is_to_be_loaded(&held.tenant, &snapshot))
        };
        held.into_iter().filter(due).collect()
    }

    fn looked(&self) -> Option<Timestamp> {
        match self.looked.load(Ordering::Relaxed) {
            i64::MIN => None,
            micros => Timestamp::from_microsecond(micros).ok(),
        }
    }

    /// What is held of a tenant.
    pub(super) fn known(&self, tenant: &Tenant) -> Option<Arc<Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    fn held(&self, tenant: &Tenant, now: Timestamp) -> Arc<Held> {
        if let Some(held) = self.known(tenant) {
            return held;
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.entry(tenant.clone()).or_insert_with(|| Arc::new(Held::new(tenant.clone(), now))).clone()
    }
}

/// Wants a round of loading that begins from now on; answers its number. It goes on whatever becomes of the caller.
fn want(app: &Arc<App>, held: &Arc<Held>) -> u64 {
    let wanted = held.want();
    if wanted.idle {
        let (app, held) = (app.clone(), held.clone());
        app.clone().tasks.spawn("catalogue", async move { while round(&app, &held).await {} });
    }
    wanted.round
}

/// One round. Whether another one is wanted.
async fn round(app: &Arc<App>, held: &Held) -> bool {
    // Never closed: an error would mean that nobody limits loads any more.
    let _permit = app.snapshots.loads.acquire().await;
    held.begin();
    let outcome = load::load(app, &held.tenant, held.snapshot()).await;
    // A process that stops ends its loads itself.
    if outcome.is_ok() || !app.tasks.soft().is_cancelled() {
        app.snapshots.note(held, outcome.as_ref().map(|_| ()));
    }
    let more = held.end(&outcome, app.clock.now());
    if let (Ok(_), Some(at)) = (&outcome, held.use_to_note()) {
        note_use(app, held, at).await;
    }
    more
}

/// Writes down that somebody has asked: once a day for each tenant that is alive.
async fn note_use(app: &App, held: &Held, at: Timestamp) {
    match transact!(app.db, |tx| { catalogue::store::note_use(tx, &held.tenant, at).await }) {
        Ok(()) => held.noted(at),
        // Tried again when the next is due; meanwhile this tenant is loaded by its first quote after a start.
        Err(fault) => {
            tracing::debug!(tenant = %held.tenant, ?fault, "the use of a catalogue is not written down")
        }
    }
}
