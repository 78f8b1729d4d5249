//! When the other service counts as gone, so that only the first to find out has to wait for it.
//!
//! # Rules
//! - Any answer is a sign of life, refusals and overload included: whoever is slow, full or wrong is not gone.
//! - It is gone once somebody has waited for it as long as anybody ever does, and nobody has heard of it meanwhile. Who
//!   waits less, because his own caller does, learns nothing: a slow answer may still be on its way for others.
//! - It is gone once two questions in a row have not reached it, the second asked after the first had failed: one
//!   connection that breaks takes all its questions with it, and the next one may stand.
//! - Of a service that is gone nobody asks anything for a pause; then one question at a time finds out whether it is
//!   back. The first answer, whoever hears it, ends the pause.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Questions in a row that do not reach a service before it counts as gone.
const LOST_MAX: u32 = 2;

/// What became of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// There was an answer, whatever it said.
    Heard,
    /// It did not get there.
    Unreachable,
    /// Nothing came back while it was waited for.
    Silent,
}

/// How what is known of the service has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is gone.
    Gone,
    /// It is back.
    Back,
}

/// The breaker. Pure: time is an argument.
#[derive(Debug)]
pub struct Breaker {
    /// The longest anybody waits.
    patience: Duration,
    /// How long nobody asks.
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The last sign of life.
    heard: Option<Instant>,
    /// Questions in a row that did not get there, and when the last of them was known to be lost.
    lost: (u32, Option<Instant>),
    /// It is gone, and nobody asks before this.
    pause_ends: Option<Instant>,
}

impl Breaker {
    /// Of a service that nothing is known of.
    pub fn new(patience: Duration, pause: Duration) -> Self {
        Self { patience, pause, state: Mutex::default() }
    }

    /// Whether to ask at `now`. Each yes of a pause that is over begins the next one: others wait for what becomes of
    /// that question.
    pub fn admits(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.pause_ends {
            Some(end) if now < end => false,
            Some(_) => {
                state.pause_ends = Some(now + self.pause);
                true
            }
            None => true,
        }
    }

    /// Takes in what became at `now` of a question that was asked at `asked`.
    pub fn note(&self, asked: Instant, sign: Sign, now: Instant) -> Option<Turn> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let known_gone = state.pause_ends.is_some();
        if sign == Sign::Heard {
            *state = State { heard: Some(now), ..State::default() };
            return known_gone.then_some(Turn::Back);
        }
        if state.heard.is_some_and(|heard| heard >= asked) {
            return None;
        }
        let gone = match sign {
            Sign::Silent => now.duration_since(asked) >= self.patience,
            Sign::Unreachable | Sign::Heard => state.lose(asked, now) >= LOST_MAX,
        };
        if !gone {
            return None;
        }
        state.pause_ends = Some(now + self.pause);
        (!known_gone).then_some(Turn::Gone)
    }
}

impl State {
    /// Counts a question that did not get there; answers how many have not, in a row.
    fn lose(&mut self, asked: Instant, now: Instant) -> u32 {
        let (count, known) = self.lost;
        if known.is_none_or(|known| known <= asked) {
            self.lost = (count.saturating_add(1), Some(now));
        }
        self.lost.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(1_000);
    const PAUSE: Duration = Duration::from_millis(500);

    /// A breaker and its time.
    struct World(Breaker, Instant);

    impl World {
        fn new() -> Self {
            Self(Breaker::new(PATIENCE, PAUSE), Instant::now())
        }

        fn at(&self, ms: u64) -> Instant {
            self.1 + Duration::from_millis(ms)
        }

        fn admits(&self, ms: u64) -> bool {
            self.0.admits(self.at(ms))
        }

        fn note(&self, asked: u64, sign: Sign, now: u64) -> Option<Turn> {
            self.0.note(self.at(asked), sign, self.at(now))
        }
    }

    #[test]
    fn who_waited_for_as_long_as_anybody_does_and_heard_nothing_opens_it_and_the_next_are_not_asked() {
        let world = World::new();
        assert!(world.admits(0));
        assert_eq!(world.note(0, Sign::Silent, 1_000), Some(Turn::Gone));
        assert!(!world.admits(1_000) && !world.admits(1_499));
    }

    #[test]
    fn short_waits_in_vain_open_nothing_however_many() {
        let world = World::new();
        for at in 0..1_000 {
            assert!(world.admits(at));
            assert_eq!(world.note(at, Sign::Silent, at + 999), None);
        }
    }

    #[test]
    fn nobody_is_gone_whom_somebody_has_heard_meanwhile() {
        let world = World::new();
        assert_eq!(world.note(900, Sign::Heard, 950), None);
        assert_eq!(world.note(0, Sign::Silent, 1_000), None);
        assert_eq!(world.note(0, Sign::Unreachable, 1_000), None);
        assert_eq!(world.note(100, Sign::Unreachable, 1_000), None);
        assert!(world.admits(1_000));
        assert_eq!(world.note(1_000, Sign::Silent, 2_000), Some(Turn::Gone));
    }

    #[test]
    fn a_connection_that_breaks_with_all_its_questions_is_one_loss_and_the_next_one_opens() {
        let world = World::new();
        for asked in 0..100 {
            assert_eq!(world.note(asked, Sign::Unreachable, 100 + asked), None);
        }
        assert_eq!(world.note(200, Sign::Unreachable, 201), Some(Turn::Gone));
        assert!(!world.admits(202));
    }

    #[test]
    fn losses_with_an_answer_between_them_are_not_in_a_row() {
        let world = World::new();
        assert_eq!(world.note(0, Sign::Unreachable, 1), None);
        assert_eq!(world.note(2, Sign::Heard, 3), None);
        assert_eq!(world.note(4, Sign::Unreachable, 5), None);
        assert!(world.admits(6));
    }

    #[test]
    fn after_the_pause_one_question_at_a_time_asks_and_its_failure_prolongs_it() {
        let world = World::new();
        world.note(0, Sign::Silent, 1_000);
        assert!(world.admits(1_500), "one");
        assert!(!world.admits(1_500) && !world.admits(1_999), "and no other");
        assert_eq!(world.note(1_500, Sign::Silent, 2_500), None, "that is no news");
        assert!(!world.admits(2_999));
        assert!(world.admits(3_000));
    }

    #[test]
    fn a_question_whose_fate_nobody_learns_does_not_keep_it_open() {
        let world = World::new();
        world.note(0, Sign::Silent, 1_000);
        assert!(world.admits(1_500));
        assert!(world.admits(2_000), "its caller went away");
    }

    #[test]
    fn the_first_answer_ends_the_pause_whoever_hears_it() {
        let world = World::new();
        world.note(0, Sign::Silent, 1_000);
        assert_eq!(world.note(10, Sign::Heard, 1_001), Some(Turn::Back));
        assert!(world.admits(1_001) && world.admits(1_001));
    }
}
