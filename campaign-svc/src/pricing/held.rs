//! What this replica holds of one tenant: its snapshot, and how the loading of it goes.
//!
//! Loading goes in rounds, one at a time. Whoever needs what is stored *now* wants a round that has not begun yet: one
//! that is under way may have looked before. Everybody who wants one while another is under way shares the next, so
//! any number of writers and readers cost two rounds at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use tandem_platform::{Fault, Kind, Outcome, Tenant};
use tandem_proto::campaign::v1::ErrorReason;
use tokio::sync::watch;
use tokio::time::Instant;

use super::load::Loaded;
use super::snapshot::Snapshot;

/// The wait after the first failure; it doubles with each.
const RETRY_MIN: SignedDuration = SignedDuration::from_millis(250);
/// The longest wait between two tries.
const RETRY_MAX: SignedDuration = SignedDuration::from_secs(30);
/// When a caller may try again where nothing has failed: most catalogues are read by then.
const RETRY_SOON: Duration = Duration::from_millis(500);
/// How exactly it is written down that somebody has asked.
const NOTED: SignedDuration = SignedDuration::from_hours(24);
/// How exactly it is kept in memory, in microseconds: not every quote writes where all of them read.
const ASKED: u64 = 1_000_000;

/// One tenant.
#[derive(Debug)]
pub(super) struct Held {
    pub tenant: Tenant,
    snapshot: ArcSwapOption<Snapshot>,
    since: Timestamp,
    /// When somebody last asked for it, in microseconds; `i64::MIN`: nobody has.
    asked: AtomicI64,
    progress: watch::Sender<Progress>,
}

/// How the loading goes.
#[derive(Debug)]
struct Progress {
    /// Rounds that have begun, and those of them that have ended.
    begun: u64,
    ended: u64,
    /// The round that somebody waits for; where it has not ended, the loader is at work.
    wanted: u64,
    /// In a row.
    failures: u32,
    /// Not before this, after a failure.
    retry: Timestamp,
    /// When the snapshot was last known to be the catalogue, where it is known to lag behind.
    current: Timestamp,
    /// The catalogue has moved on.
    lags: bool,
    /// What is stored of when somebody asked.
    used: Option<Timestamp>,
}

/// A round that was wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Its number.
    pub round: u64,
    /// Nobody is at work yet.
    pub idle: bool,
}

impl Held {
    /// Nothing is loaded yet, and nobody has asked.
    pub fn new(tenant: Tenant, now: Timestamp) -> Self {
        let progress = Progress {
            begun: 0,
            ended: 0,
            wanted: 0,
            failures: 0,
            retry: now,
            current: now,
            lags: false,
            used: None,
        };
        let (progress, asked) = (watch::Sender::new(progress), AtomicI64::new(i64::MIN));
        Self { tenant, snapshot: ArcSwapOption::empty(), since: now, asked, progress }
    }

    /// The snapshot, once there is one.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Whether the tenant was loaded and has ever written something.
    pub fn has_catalogue(&self) -> bool {
        self.snapshot.load().as_ref().is_some_and(|snapshot| snapshot.version > 0)
    }

    /// Notes that somebody asks.
    pub fn asked(&self, now: Timestamp) {
        let now = now.as_microsecond();
        if now.abs_diff(self.asked.load(Ordering::Relaxed)) >= ASKED {
            self.asked.store(now, Ordering::Relaxed);
        }
    }

    fn last_asked(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.asked.load(Ordering::Relaxed)).ok()
    }

    /// Whether nobody has asked since `since` and nobody is at work.
    pub fn is_silent(&self, since: Timestamp) -> bool {
        let progress = self.progress.borrow();
        progress.wanted == progress.ended && self.last_asked().max(Some(self.since)) < Some(since)
    }

    /// Whether it is to be written down that somebody has asked, and when.
    pub fn use_to_note(&self) -> Option<Timestamp> {
        let (asked, stored) = (self.last_asked()?, self.progress.borrow().used?);
        (asked.duration_since(stored) >= NOTED).then_some(asked)
    }

    /// It was written down.
    pub fn noted(&self, at: Timestamp) {
        self.progress.send_if_modified(|progress| {
            progress.used = Some(at);
            false
        });
    }

    /// Wants a round that begins from now on.
    pub fn want(&self) -> Wanted {
        let mut wanted = Wanted { round: 0, idle: false };
        self.progress.send_if_modified(|progress| {
            wanted = Wanted { round: progress.begun + 1, idle: progress.wanted == progress.ended };
            progress.wanted = wanted.round;
            false
        });
        wanted
    }

    /// Begins a round.
    pub fn begin(&self) {
        self.progress.send_if_modified(|progress| {
            progress.begun += 1;
            false
        });
    }

    /// Ends the round that has begun, and tells whoever waits. False where no other is wanted; a failure ends all that
    /// are, since the next one would be likely to fail too.
    pub fn end(&self, outcome: &Outcome<Loaded>, now: Timestamp) -> bool {
        if let Ok(loaded) = outcome {
            self.snapshot.store(Some(loaded.snapshot.clone()));
        }
        let mut more = false;
        self.progress.send_modify(|progress| {
            progress.ended = progress.begun;
            match outcome {
                Ok(loaded) => {
                    more = progress.wanted > progress.ended;
                    progress.failures = 0;
                    progress.current = loaded.current;
                    progress.lags = more;
                    progress.used = progress.used.max(loaded.used);
                }
                Err(_) => {
                    let wait = RETRY_MIN * 2_i32.pow(progress.failures.min(10));
                    progress.failures = progress.failures.saturating_add(1);
                    progress.retry = now.saturating_add(wait.min(RETRY_MAX)).unwrap_or(Timestamp::MAX);
                    progress.begun = progress.wanted;
                    progress.ended = progress.wanted;
                }
            }
        });
        more
    }

    /// Fails where the last round did and it is too early for another one.
    pub fn may_try(&self, now: Timestamp) -> Outcome<()> {
        let progress = self.progress.borrow();
        if progress.failures > 0 && now < progress.retry {
            let left = Duration::try_from(progress.retry.duration_since(now)).unwrap_or(RETRY_SOON);
            return Err(loading().retry_after(left));
        }
        Ok(())
    }

    /// Waits for a round, until `limit` at most. Whether it has ended, and well.
    pub async fn ended(&self, round: u64, limit: Option<Instant>) -> bool {
        let mut progress = self.progress.subscribe();
        let waiting = async {
            let ended = progress.wait_for(|progress| progress.ended >= round).await;
            ended.is_ok_and(|progress| progress.failures == 0)
        };
        match limit {
            Some(limit) => tokio::time::timeout_at(limit, waiting).await.unwrap_or(false),
            None => waiting.await,
        }
    }

    /// Notes that the catalogue has moved on to `version` and was last looked at, before, at `looked`. Whether it is
    /// to be loaded.
    pub fn moved(&self, version: i64, looked: Option<Timestamp>) -> bool {
        match self.snapshot.load().as_ref() {
            // Perhaps one that is set back.
            Some(snapshot) if snapshot.version >= version => snapshot.version > version,
            Some(_) => {
                self.progress.send_if_modified(|progress| {
                    if !progress.lags {
                        progress.lags = true;
                        progress.current = progress.current.max(looked.unwrap_or(progress.current));
                    }
                    false
                });
                true
            }
            None => true,
        }
    }

    /// When the snapshot was last known to be the catalogue; `looked` is when all were last looked at.
    pub fn current(&self, looked: Option<Timestamp>) -> Timestamp {
        let progress = self.progress.borrow();
        if progress.lags {
            progress.current
        } else {
            progress.current.max(looked.unwrap_or(progress.current))
        }
    }
}

/// What a caller hears whose tenant's catalogue is not there yet.
pub(super) fn loading() -> Fault {
    let message = "the tenant's catalogue is being read into memory: try again";
    Fault::new(Kind::Unavailable, ErrorReason::CatalogueLoading, message).retry_after(RETRY_SOON)
}
