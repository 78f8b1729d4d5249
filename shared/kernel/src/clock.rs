//! Time and ids as arguments: the two things a decision may not make by itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;
use uuid::{ContextV7, Uuid};

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

/// A clock that runs beside another one, as far from it as somebody has moved it, which is forward only.
#[derive(Debug)]
pub struct MovedClock<C = SystemClock> {
    beside: C,
    /// Microseconds that it is ahead.
    ahead: AtomicI64,
}

/// Why a clock is not moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmoved {
    /// It is later already: so late.
    GoesBack(Timestamp),
    /// Before 1970, or 2200 and later: what is computed from there would leave the calendar.
    OutOfReach,
}

/// The first microsecond of 2200.
const REACH: i64 = 7_258_118_400_000_000;

impl<C: Clock> MovedClock<C> {
    /// Says `at`, and runs on as `beside` does.
    ///
    /// # Errors
    /// Where that is out of reach.
    pub fn starting(beside: C, at: Timestamp) -> Result<Self, Unmoved> {
        let ahead = within_reach(at)? - beside.now().as_microsecond();
        Ok(Self { beside, ahead: AtomicI64::new(ahead) })
    }

    /// Moves it to `at`, from where it runs on.
    ///
    /// # Errors
    /// Where it is later already, or that is out of reach.
    pub fn forward(&self, at: Timestamp) -> Result<(), Unmoved> {
        let wanted = within_reach(at)? - self.beside.now().as_microsecond();
        let later = |ahead| (wanted >= ahead).then_some(wanted);
        let moved = self.ahead.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
        moved.map(|_| ()).map_err(|_| Unmoved::GoesBack(self.now()))
    }
}

fn within_reach(at: Timestamp) -> Result<i64, Unmoved> {
    let micros = at.as_microsecond();
    if (0..REACH).contains(&micros) { Ok(micros) } else { Err(Unmoved::OutOfReach) }
}

impl<C: Clock> Clock for MovedClock<C> {
    fn now(&self) -> Timestamp {
        let micros = self.beside.now().as_microsecond().saturating_add(self.ahead.load(Ordering::SeqCst));
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
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

/// Random ids that say when they were asked for, by a clock that is not the machine's: what is listed by its id is listed by that
/// clock's time.
#[derive(Debug, Default)]
pub struct StampedIds(Mutex<ContextV7>);

impl Ids for StampedIds {
    fn next(&self, now: Timestamp) -> Uuid {
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(&self.0, seconds, nanos))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::SignedDuration;

    use super::*;

    impl Clock for Arc<FixedClock> {
        fn now(&self) -> Timestamp {
            self.as_ref().now()
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_moved_clock_starts_where_it_is_told_and_runs_on_beside_the_other() {
        for start in ["2025-03-01T00:00:00Z", "2026-07-01T00:00:00Z", "2031-01-01T00:00:00Z"] {
            let machine = Arc::new(FixedClock::at(at("2026-07-01T00:00:00Z")));
            let clock = MovedClock::starting(machine.clone(), at(start)).unwrap();
            assert_eq!(clock.now(), at(start));
            machine.advance(SignedDuration::from_secs(7));
            assert_eq!(clock.now(), at(start) + SignedDuration::from_secs(7));
            clock.forward(at("2032-02-29T12:00:00.5Z")).unwrap();
            machine.advance(SignedDuration::from_millis(1_500));
            assert_eq!(clock.now(), at("2032-02-29T12:00:02Z"));
        }
    }

    #[test]
    fn a_moved_clock_goes_back_never() {
        let machine = Arc::new(FixedClock::at(at("2026-07-01T00:00:00Z")));
        let clock = MovedClock::starting(machine.clone(), at("2027-01-01T00:00:00Z")).unwrap();
        let now = at("2027-01-01T00:00:01Z");
        machine.advance(SignedDuration::from_secs(1));
        assert_eq!(clock.forward(at("2027-01-01T00:00:00.999999Z")), Err(Unmoved::GoesBack(now)));
        assert_eq!((clock.now(), clock.forward(now)), (now, Ok(())), "where it is it may be moved to");
    }

    #[test]
    fn a_moved_clock_stays_where_times_can_be_computed() {
        let machine = Arc::new(FixedClock::at(at("2026-07-01T00:00:00Z")));
        let clock = MovedClock::starting(machine.clone(), at("2199-12-31T23:59:59.999999Z")).unwrap();
        for wrong in ["1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "9999-01-01T00:00:00Z"] {
            assert_eq!(clock.forward(at(wrong)), Err(Unmoved::OutOfReach), "{wrong}");
            let refused = MovedClock::starting(machine.clone(), at(wrong)).map(|_| ());
            assert_eq!(refused, Err(Unmoved::OutOfReach), "{wrong}");
        }
    }
    #[test]
    fn an_id_says_when_it_was_asked_for_and_ids_ascend() {
        let ids = StampedIds::default();
        let (year, later) = (at("2031-03-01T00:00:00.007Z"), at("2031-03-01T00:00:00.008Z"));
        let drawn: Vec<Uuid> =
            [vec![year; 1_000], vec![later; 2]].concat().into_iter().map(|now| ids.next(now)).collect();
        assert!(drawn.is_sorted_by(|one, other| one < other));
        let millis = |id: &Uuid| (id.as_u128() >> 80).cast_signed();
        assert_eq!(millis(&drawn[0]), i128::from(year.as_millisecond()));
        assert_eq!(millis(&drawn[1_001]), i128::from(later.as_millisecond()));
    }
}
