//! The snapshots of this replica: loaded through the stores of the catalogue, compiled, swapped in. A quote never waits
//! for one: it takes the snapshot that is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use jiff::{SignedDuration, Timestamp};
use tandem_platform::{Outcome, Tenant};
use tokio::sync::{Mutex, Notify};

use super::compile;
use super::prior::LOOK_BACK;
use super::snapshot::{Changes, Snapshot};
use crate::campaign::revisions::Revision;
use crate::{App, campaign, catalogue, product};

/// How often what is over is dropped.
const TIDY: SignedDuration = SignedDuration::from_mins(1);
/// Campaigns compiled without letting others on: a fraction of a millisecond.
const CHUNK: usize = 16;

type Map = HashMap<Tenant, Arc<Snapshot>, RandomState>;

/// The compiled catalogue of every tenant.
#[derive(Debug)]
pub struct Snapshots {
    tenants: ArcSwap<Map>,
    unknown: Arc<Snapshot>,
    /// When the catalogue was last found to be what the snapshots say, in microseconds.
    fresh: AtomicI64,
    tidied: AtomicI64,
    wake: Arc<Notify>,
    /// One refresh at a time.
    refreshing: Mutex<()>,
}

impl Snapshots {
    /// No catalogue yet; `now` is when the replica starts.
    pub fn new(now: Timestamp) -> Self {
        Self {
            tenants: ArcSwap::default(),
            unknown: Arc::default(),
            fresh: AtomicI64::new(now.as_microsecond()),
            tidied: AtomicI64::new(now.as_microsecond()),
            wake: Arc::default(),
            refreshing: Mutex::new(()),
        }
    }

    /// The catalogue of a tenant; an empty one where the tenant has none.
    pub fn of(&self, tenant: &Tenant) -> Arc<Snapshot> {
        self.tenants.load().get(tenant).unwrap_or(&self.unknown).clone()
    }

    /// The tenants that have a catalogue.
    pub fn tenants(&self) -> Vec<Tenant> {
        self.tenants.load().keys().cloned().collect()
    }

    /// How long ago the snapshots were last known to be the catalogue.
    pub fn age(&self, now: Timestamp) -> Duration {
        let micros = now.as_microsecond().saturating_sub(self.fresh.load(Ordering::Relaxed));
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Has the poller look at once: this replica has just changed the catalogue.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// What [`Snapshots::wake`] notifies.
    pub(super) fn waker(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// Takes in what has changed since the last time.
    pub async fn refresh(&self, app: &App) -> Outcome<()> {
        let _one = self.refreshing.lock().await;
        let now = app.clock.now();
        let versions = catalogue::store::versions(&mut app.db.read().await?).await?;
        for (tenant, version) in versions {
            let known = self.tenants.load().get(&tenant).cloned();
            if known.as_ref().is_some_and(|known| known.version >= version) {
                continue;
            }
            let known = known.unwrap_or_default();
            let changes = changes(app, &tenant, known.version, now).await?;
            self.put(tenant, known.with(changes, version, horizon(app, now)));
        }
        self.tidy(app, now);
        self.fresh.store(now.as_microsecond(), Ordering::Relaxed);
        Ok(())
    }

    /// Drops what has been over for long, now and then.
    fn tidy(&self, app: &App, now: Timestamp) {
        let last = self.tidied.load(Ordering::Relaxed);
        if now.as_microsecond() - last < i64::try_from(TIDY.as_micros()).unwrap_or(i64::MAX) {
            return;
        }
        self.tidied.store(now.as_microsecond(), Ordering::Relaxed);
        for (tenant, snapshot) in self.tenants.load_full().iter() {
            if let Some(rest) = snapshot.without_past(now, horizon(app, now)) {
                self.put(tenant.clone(), rest);
            }
        }
    }

    fn put(&self, tenant: Tenant, snapshot: Snapshot) {
        let mut tenants = Map::clone(&self.tenants.load());
        tenants.insert(tenant, Arc::new(snapshot));
        self.tenants.store(Arc::new(tenants));
    }
}

/// Before this, prices open to everyone can no longer matter: the longest campaign may have begun after another one of
/// that length, and 30 days are looked back from there.
fn horizon(app: &App, now: Timestamp) -> Timestamp {
    let campaigns = SignedDuration::from_hours(2 * 24 * i64::from(app.config.pricing.campaign_max_days));
    now.checked_sub(LOOK_BACK + campaigns).unwrap_or(Timestamp::MIN)
}

/// Loads and compiles the rows above `version`. Lets others on between chunks.
async fn changes(app: &App, tenant: &Tenant, version: i64, now: Timestamp) -> Outcome<Changes> {
    let horizon = horizon(app, now);
    let (products, prices, campaigns, revisions) = {
        let mut reader = app.db.read().await?;
        let products = product::store::products_since(&mut reader, tenant, version).await?;
        let prices = product::store::price_history_since(&mut reader, tenant, version).await?;
        let campaigns = campaign::store::campaigns_since(&mut reader, tenant, version, horizon).await?;
        let revisions = campaign::store::revisions_since(&mut reader, tenant, version, horizon).await?;
        (products, prices, campaigns, revisions)
    };
    let mut by_campaign: HashMap<String, Vec<Revision>> = HashMap::new();
    for (campaign, revision) in revisions {
        by_campaign.entry(campaign).or_default().push(revision);
    }
    let mut changes = Changes {
        products: products.iter().map(super::product::Product::from).collect(),
        prices: prices.into_iter().map(compile::price).collect(),
        campaigns: Vec::with_capacity(campaigns.len()),
    };
    for chunk in campaigns.chunks(CHUNK) {
        changes.campaigns.extend(chunk.iter().map(|stored| {
            let campaign = &stored.campaign;
            let revisions = by_campaign.get(&campaign.id).map(Vec::as_slice).unwrap_or_default();
            let compiled = compile::campaign(campaign, revisions, now, horizon).filter(|_| !stored.deleted);
            (Arc::from(campaign.id.as_str()), compiled)
        }));
        tokio::task::yield_now().await;
    }
    Ok(changes)
}
