//! From the stored catalogue to a snapshot, beside the threads that serve calls.
//!
//! A catalogue that is not known yet is read whole: products, list prices and campaigns side by side, page by page, so
//! that no statement runs for long and none holds a connection for long. Of one that is known, what is new is read.
//!
//! The version is read before and after. Where both are the same, everything in between is one state of the catalogue,
//! and the snapshot was current at the second look; where somebody has written meanwhile, that is read on top.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tandem_platform::{Fault, Outcome, Tenant};

use super::compile;
use super::prior::LOOK_BACK;
use super::product::{ListChange, Product};
use super::snapshot::{Campaign, Changes, Snapshot};
use crate::campaign::revisions::Revision;
use crate::catalogue::store::Stand;
use crate::product::{PriceEntry, store as products};
use crate::{App, campaign, catalogue};

/// Rows of products or list prices in one statement.
const PAGE: usize = 10_000;
/// Campaigns in one statement; each has its whole mix in every revision.
const CAMPAIGNS: usize = 256;
/// How often what was written meanwhile is read on top. Whoever writes without pause is answered from the last of them.
const LOOKS: usize = 4;

/// A catalogue as it was read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub snapshot: Arc<Snapshot>,
    /// When it was last known to be the catalogue.
    pub current: Timestamp,
    /// When prices of the tenant were last asked for, as far as it is stored.
    pub used: Option<Timestamp>,
}

/// Before this, prices open to everyone can no longer matter: the longest campaign may have begun after another one of
/// that length, and 30 days are looked back from there.
pub(super) fn horizon(campaign_max_days: u32, now: Timestamp) -> Timestamp {
    let campaigns = SignedDuration::from_hours(2 * 24 * i64::from(campaign_max_days));
    now.checked_sub(LOOK_BACK + campaigns).unwrap_or(Timestamp::MIN)
}

/// The catalogue of `tenant` as it is; `known` is what was read of it before.
pub(super) async fn load(app: &Arc<App>, tenant: &Tenant, known: Option<Arc<Snapshot>>) -> Outcome<Loaded> {
    let days = app.tenancy.of(app, tenant).await?.campaign_max_days;
    let mut reading =
        Reading { app: app.clone(), tenant: tenant.clone(), days, now: app.clock.now(), snapshot: known };
    let mut used = None;
    for look in 0..LOOKS {
        reading.now = app.clock.now();
        let stand = reading.stand().await?;
        used = stand.used;
        // Where the known version is the higher one the database was set back, and what is known was never written. Where
        // campaigns may be longer than they might, too little of the past is known.
        let known = reading.snapshot.take();
        let known = known.filter(|known| known.version <= stand.version && known.reaches_for(days));
        let next = match known {
            Some(known) if known.version < stand.version => reading.on_top(known, stand.version).await?,
            Some(known) => {
                let known = if look == 0 { reading.without_past(known).await? } else { known };
                reading.snapshot = Some(known);
                break;
            }
            None => reading.whole(stand.version).await?,
        };
        reading.snapshot = Some(Arc::new(next.reaching_for(days)));
    }
    let snapshot =
        reading.snapshot.ok_or_else(|| Fault::internal("a catalogue was read and is not there"))?;
    Ok(Loaded { snapshot, current: reading.now, used })
}

/// One loading, which the threads that take part in it share.
#[derive(Clone)]
struct Reading {
    app: Arc<App>,
    tenant: Tenant,
    /// How long a campaign may last.
    days: u32,
    now: Timestamp,
    snapshot: Option<Arc<Snapshot>>,
}

type Compiled = (Arc<str>, Option<Campaign>);

impl Reading {
    async fn stand(&self) -> Outcome<Stand> {
        let mut reader = self.app.db.read().await?;
        catalogue::store::stand(&mut reader, &self.tenant).await
    }

    fn horizon(&self) -> Timestamp {
        horizon(self.days, self.now)
    }

    /// Everything.
    async fn whole(&self, version: i64) -> Outcome<Snapshot> {
        if version == 0 {
            return Ok(Snapshot::default());
        }
        let (tasks, horizon) = (&self.app.tasks, self.horizon());
        let [first, second, third] = [(); 3].map(|()| self.clone());
        // All three end before the first failure is answered: none is left reading.
        let (products, prices, campaigns) = futures::join!(
            tasks.aside(async move { first.products().await }),
            tasks.aside(async move { second.prices().await }),
            tasks.aside(async move { third.campaigns().await }),
        );
        let changes = Changes { products: products?, prices: prices?, campaigns: campaigns? };
        tasks.aside(async move { Ok(Snapshot::default().with(changes, version, horizon)) }).await
    }

    /// `known`, and what is new since.
    async fn on_top(&self, known: Arc<Snapshot>, version: i64) -> Outcome<Snapshot> {
        let (this, horizon) = (self.clone(), self.horizon());
        let reading = async move {
            let changes = this.since(known.version).await?;
            Ok(known.with(changes, version, horizon))
        };
        self.app.tasks.aside(reading).await
    }

    /// `known` without what has been over for long: looked for where nothing else is to be done.
    async fn without_past(&self, known: Arc<Snapshot>) -> Outcome<Arc<Snapshot>> {
        let (now, horizon, days) = (self.now, self.horizon(), self.days);
        let rest = move |known: &Snapshot| Some(known.without_past(now, horizon)?.reaching_for(days));
        let look = async move { Ok(rest(&known).map_or(known, Arc::new)) };
        self.app.tasks.aside(look).await
    }

    /// What was stamped above `version`.
    async fn since(&self, version: i64) -> Outcome<Changes> {
        let products = async {
            let mut reader = self.app.db.read().await?;
            products::sold_since(&mut reader, &self.tenant, version).await
        };
        let prices = async {
            let mut reader = self.app.db.read().await?;
            products::changes_since(&mut reader, &self.tenant, version).await
        };
        let campaigns = async {
            let mut reader = self.app.db.read().await?;
            let horizon = self.horizon();
            campaign::store::campaigns_since(&mut reader, &self.tenant, version, horizon).await
        };
        let (products, prices, campaigns) = futures::join!(products, prices, campaigns);
        let mut changes = Changes {
            products: products?.into_iter().map(Product::from).collect(),
            prices: courses(prices?),
            campaigns: Vec::new(),
        };
        for some in campaigns?.chunks(CAMPAIGNS) {
            changes.campaigns.extend(self.compiled(some).await?);
        }
        Ok(changes)
    }

    async fn products(&self) -> Outcome<Vec<Product>> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            self.check_stop()?;
            let mut reader = self.app.db.read().await?;
            let page = products::sold_page(&mut reader, &self.tenant, &after, PAGE).await?;
            drop(reader);
            let ends = page.len() < PAGE;
            after = page.last().map(|last| last.id.clone()).unwrap_or_default();
            all.extend(page.into_iter().map(Product::from));
            if ends {
                return Ok(all);
            }
        }
    }

    async fn prices(&self) -> Outcome<Vec<(String, Vec<ListChange>)>> {
        let (mut all, mut after) = (Vec::<(String, Vec<ListChange>)>::new(), None);
        loop {
            self.check_stop()?;
            let mut reader = self.app.db.read().await?;
            let page = products::changes_page(&mut reader, &self.tenant, after.as_ref(), PAGE).await?;
            drop(reader);
            after = page.last().cloned();
            let ends = page.len() < PAGE;
            let mut page = courses(page);
            // A page may end within a product.
            if let (Some((last, known)), Some((next, news))) = (all.last_mut(), page.first_mut())
                && last == next
            {
                known.append(news);
                page.remove(0);
            }
            all.append(&mut page);
            if ends {
                return Ok(all);
            }
        }
    }

    async fn campaigns(&self) -> Outcome<Vec<Compiled>> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            self.check_stop()?;
            let mut reader = self.app.db.read().await?;
            let (tenant, horizon) = (&self.tenant, self.horizon());
            let page =
                campaign::store::campaigns_page(&mut reader, tenant, &after, horizon, CAMPAIGNS).await?;
            drop(reader);
            after = page.last().map(|last| last.id.clone()).unwrap_or_default();
            all.extend(self.compiled(&page).await?);
            if page.len() < CAMPAIGNS {
                return Ok(all);
            }
        }
    }

    /// These campaigns with their revisions, compiled.
    async fn compiled(&self, campaigns: &[campaign::Campaign]) -> Outcome<Vec<Compiled>> {
        let there = campaigns.iter().filter(|campaign| !campaign.deleted);
        let ids: Vec<&str> = there.map(|campaign| campaign.id.as_str()).collect();
        let mut revisions: HashMap<String, Vec<Revision>> = HashMap::new();
        if !ids.is_empty() {
            let mut reader = self.app.db.read().await?;
            let rows = campaign::store::revisions_of(&mut reader, &self.tenant, ids.into_iter()).await?;
            for (campaign, revision) in rows {
                revisions.entry(campaign).or_default().push(revision);
            }
        }
        let compiled = campaigns.iter().map(|campaign| {
            let revisions = revisions.get(&campaign.id).map(Vec::as_slice).unwrap_or_default();
            let compiled = compile::campaign(campaign, revisions, self.now, self.horizon());
            (Arc::from(campaign.id.as_str()), compiled.filter(|_| !campaign.deleted))
        });
        Ok(compiled.collect())
    }

    /// A process that stops does not read on.
    fn check_stop(&self) -> Outcome<()> {
        if self.app.tasks.soft().is_cancelled() { Err(Fault::shutting_down()) } else { Ok(()) }
    }
}

/// List prices as they are read, by product: those of one stand together.
fn courses(entries: Vec<(String, PriceEntry)>) -> Vec<(String, Vec<ListChange>)> {
    let mut all: Vec<(String, Vec<ListChange>)> = Vec::with_capacity(entries.len());
    for (product, entry) in entries {
        let change = compile::price(entry);
        match all.last_mut() {
            Some((last, changes)) if *last == product => changes.push(change),
            _ => all.push((product, vec![change])),
        }
    }
    all
}
