//! Time and ids as arguments: the two things a decision may not make by itself.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;
use uuid::Uuid;

/// Where the present comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present, to the microsecond (what both databases keep).
    fn now(&self) -> Timestamp;
}

/// Where fresh ids come from: UUIDs, version 7, ascending within one process.
pub trait Ids: Send + Sync + 'static {
    /// A fresh id stamped with `now`.
    fn next(&self, now: Timestamp) -> Uuid;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one room that reads the wall clock")]
    fn now(&self) -> Timestamp {
        whole_micros(Timestamp::now())
    }
}

/// Random ids of the machine.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "the one room that draws random ids")]
    fn next(&self, _now: Timestamp) -> Uuid {
        Uuid::now_v7()
    }
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// Stands at `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_microsecond()))
    }

    /// Moves to `at`.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_microsecond(), Ordering::SeqCst);
    }

    /// Moves by `span`, which may be negative.
    pub fn advance(&self, span: jiff::SignedDuration) {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

/// Ids that count up, for tests that compare whole answers.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl Ids for CountingIds {
    fn next(&self, now: Timestamp) -> Uuid {
        let count = self.0.fetch_add(1, Ordering::SeqCst);
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let mut tail = [0; 10];
        tail[2..].copy_from_slice(&count.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}

/// Cuts what neither database keeps.
pub fn whole_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}
