//! Following the peer's events: all tenants by one stream, on the one replica that leads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use jiff::SignedDuration;
use opentelemetry::metrics::{Counter, Gauge};
use tokio::time::Instant;
use uuid::Uuid;

use super::super::Cursor;
use super::take::{Delivered, Follower, Taken, take_in};
use super::{aside, lead, load_cursors, sweep};
use crate::call::Tenant;
use crate::fault::{Fault, Outcome};
use crate::service::Core;

/// How long a replica leads without renewing.
const LEASE: SignedDuration = SignedDuration::from_secs(6);
/// How often it renews, and how often the others look whether it still does.
const RENEW: Duration = Duration::from_secs(2);
/// The wait after a stream broke.
const RETRY: Duration = Duration::from_millis(500);
/// The wait after each taking in that left nothing behind, so that the next one takes in more: figures may be late by
/// so much.
const GATHER: Duration = Duration::from_millis(50);
/// How long the peer may take to begin its stream.
const OPENING: Duration = Duration::from_secs(10);
/// How long the peer may be away before the log hears of it, so that the two may start in any order; and how often it hears
/// while that lasts.
const PATIENCE: Duration = Duration::from_secs(5);
const REMINDER: Duration = Duration::from_secs(60);
/// Deliveries that are taken in together.
const BATCH: usize = 256;
/// Cursors in one message.
const CURSORS: usize = 1_000;
/// Longer than any service keeps its events.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);
const SWEEP: Duration = Duration::from_secs(60);
const SWEEP_LIMIT: u32 = 10_000;

/// Starts to follow, and to forget what was taken in long ago.
pub fn start<F: Follower>(follower: &Arc<F>) {
    let core = follower.core();
    let (led, holder, told) = (follower.clone(), core.ids.next(core.clock.now()), Told::new::<F>(core));
    let counted = told.clone();
    core.tasks.spawn(F::WHAT, async move { follow(&*led, holder, &told).await });
    let swept = core.clone();
    core.tasks.every("consumed events: sweep", SWEEP, None, move || {
        let (core, told) = (swept.clone(), counted.clone());
        async move {
            let before = core.clock.now() - REMEMBERED;
            while sweep(&core.db, before, SWEEP_LIMIT).await? >= u64::from(SWEEP_LIMIT) {}
            told.waiting(aside::count(&core.db).await?);
            Ok(())
        }
    });
}

/// What a follower says to the peer: what it is about, then how far it is with each tenant, in several parts. Of the messages
/// of its contract, `part` makes one of some cursors, and of types in the first.
pub fn said<M>(
    known: HashMap<Tenant, Cursor>,
    types: &[&str],
    part: impl Fn(Vec<(String, String)>, Vec<String>) -> M,
) -> Vec<M> {
    let cursors: Vec<(String, String)> =
        known.into_iter().map(|(tenant, cursor)| (tenant.to_string(), cursor.to_string())).collect();
    let types = types.iter().map(|one| (*one).to_owned()).collect();
    let parts = cursors.chunks(CURSORS).map(|some| part(some.to_vec(), Vec::new()));
    std::iter::once(part(Vec::new(), types)).chain(parts).collect()
}

/// What went wrong, in numbers.
#[derive(Debug, Clone)]
struct Told {
    waiting: Gauge<u64>,
    set_aside: Counter<u64>,
    missed: Counter<u64>,
    followed: Gauge<u64>,
}

impl Told {
    fn new<F: Follower>(core: &Core) -> Self {
        let (meter, peer) = (core.telemetry.meter(), F::PEER);
        let counter = |name, description: String| {
            meter.u64_counter(name).with_unit("{event}").with_description(description).build()
        };
        Self {
            waiting: meter
                .u64_gauge("tandem.events.waiting")
                .with_unit("{event}")
                .with_description(format!("Events of {peer} that are set aside, of all tenants."))
                .build(),
            set_aside: counter(
                "tandem.events.set_aside",
                format!("Events of {peer} that could not be taken in and were set aside."),
            ),
            missed: counter(
                "tandem.events.missed",
                format!("Times that {peer} could not tell of a tenant's events any more."),
            ),
            followed: meter
                .u64_gauge("tandem.events.followed")
                .with_description(format!("Whether this replica hears the events of {peer}."))
                .build(),
        }
    }

    fn waiting(&self, count: i64) {
        self.waiting.record(u64::try_from(count).unwrap_or_default(), &[]);
    }

    fn followed(&self, hears: bool) {
        self.followed.record(hears.into(), &[]);
    }

    fn count(&self, taken: Taken) {
        self.set_aside.add(taken.set_aside, &[]);
        self.missed.add(taken.missed, &[]);
    }
}

/// While the peer is not followed by the one who leads.
#[derive(Debug, Default)]
struct Outage {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Outage {
    fn failed<F: Follower>(&mut self, fault: &Fault) {
        let now = Instant::now();
        let lasts = now - *self.since.get_or_insert(now);
        if lasts >= PATIENCE && self.told.is_none_or(|told| now - told >= REMINDER) {
            self.told = Some(now);
            let (what, peer, seconds) = (F::WHAT, F::PEER, lasts.as_secs());
            tracing::warn!(what, peer, seconds, ?fault, "the other service is not followed at the moment");
        }
    }

    fn is_over<F: Follower>(&mut self) {
        if std::mem::take(self).told.is_some() {
            tracing::info!(what = F::WHAT, peer = F::PEER, "the other service is followed again");
        }
    }
}

/// Follows until the process stops.
async fn follow<F: Follower>(follower: &F, holder: Uuid, told: &Told) {
    let (core, what) = (follower.core(), F::WHAT);
    let mut outage = Outage::default();
    while !core.tasks.soft().is_cancelled() {
        let wait = match lead::lead(core, F::CONSUMER, holder, LEASE).await {
            Ok(true) => match listen(follower, holder, told, &mut outage).await {
                Ok(()) => RENEW,
                Err(fault) => {
                    outage.failed::<F>(&fault);
                    RETRY
                }
            },
            Ok(false) => RENEW,
            Err(fault) => {
                tracing::debug!(what, ?fault, "nobody knows who follows");
                RENEW
            }
        };
        told.followed(false);
        tokio::select! {
            () = core.tasks.soft().cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    if let Err(fault) = lead::resign(core, F::CONSUMER, holder).await {
        tracing::debug!(what, ?fault, "the lease runs out by itself");
    }
}

/// Takes in what comes until another replica leads, the process stops (`Ok`) or the stream breaks.
async fn listen<F: Follower>(follower: &F, holder: Uuid, told: &Told, outage: &mut Outage) -> Outcome<()> {
    let core = follower.core();
    let known = load_cursors(&mut core.db.read().await?, F::CONSUMER).await?;
    let mut stream = tokio::select! {
        opened = follower.open(known) => opened?,
        () = core.tasks.soft().cancelled() => return Ok(()),
        () = tokio::time::sleep(OPENING) => return Err(Fault::deadline_exceeded()),
    };
    told.followed(true);
    let opened = Instant::now();
    let mut renew = tokio::time::interval(RENEW);
    renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let first = tokio::select! {
            () = core.tasks.soft().cancelled() => return Ok(()),
            _ = renew.tick() => {
                if !lead::lead(core, F::CONSUMER, holder, LEASE).await? {
                    return Ok(());
                }
                // A stream that tells of nothing stands as well.
                if opened.elapsed() >= RENEW {
                    outage.is_over::<F>();
                }
                continue;
            }
            next = stream.next() => next,
        };
        let mut delivered = vec![expected(first)?];
        while delivered.len() < BATCH
            && let Some(next) = stream.next().now_or_never()
        {
            delivered.push(expected(next)?);
        }
        let full = delivered.len() == BATCH;
        told.count(take_in(follower, delivered).await?);
        outage.is_over::<F>();
        if !full {
            tokio::time::sleep(GATHER).await;
        }
    }
}

fn expected(next: Option<Outcome<Delivered>>) -> Outcome<Delivered> {
    next.unwrap_or_else(|| Err(Fault::shutting_down()))
}
