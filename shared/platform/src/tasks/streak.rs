//! A failure that goes on for hours is one failure: said when it begins, counted while it lasts, told when it ends.

use std::time::Duration;

use tokio::time::Instant;

/// How often a failure that goes on is said again, with the count.
const REMIND: Duration = Duration::from_secs(60);

/// Failures in a row of something that is tried again and again.
#[derive(Debug, Default)]
pub(super) struct Streak(Option<Going>);

#[derive(Debug)]
struct Going {
    /// What was said already: an outage may have two names that take turns.
    reasons: Vec<&'static str>,
    said: Instant,
    so_far: Lasted,
    began: Instant,
}

/// What a failure that goes on has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lasted {
    /// Failures.
    pub(super) count: u64,
    /// In whole seconds.
    pub(super) seconds: u64,
}

/// What the log is to hear of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    /// It is the first for its reason.
    New,
    /// It has gone on for so long.
    Still(Lasted),
    /// It has been said.
    Nothing,
}

impl Streak {
    /// It failed, for `reason`.
    pub(super) fn failed(&mut self, reason: &'static str) -> Say {
        let now = Instant::now();
        let going = self.0.get_or_insert_with(|| Going {
            reasons: Vec::new(),
            said: now,
            so_far: Lasted { count: 0, seconds: 0 },
            began: now,
        });
        going.so_far = Lasted { count: going.so_far.count + 1, seconds: (now - going.began).as_secs() };
        if !going.reasons.contains(&reason) {
            going.reasons.push(reason);
            return Say::New;
        }
        if now - going.said < REMIND {
            return Say::Nothing;
        }
        going.said = now;
        Say::Still(going.so_far)
    }

    /// It succeeded; answers what it had come to where it had failed before.
    pub(super) fn succeeded(&mut self) -> Option<Lasted> {
        let going = self.0.take()?;
        Some(Lasted { seconds: going.began.elapsed().as_secs(), ..going.so_far })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_said_once_per_reason_then_counted_by_the_minute_and_told_when_it_ends() {
        let mut streak = Streak::default();
        assert_eq!(streak.succeeded(), None);
        let mut said = Vec::new();
        for turn in 0..1_210 {
            let reason = if turn % 7 == 3 { "CONTENTION" } else { "STORAGE_FULL" };
            match streak.failed(reason) {
                Say::Nothing => {}
                say => said.push(say),
            }
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        let still = |count, seconds| Say::Still(Lasted { count, seconds });
        assert_eq!(said, [Say::New, Say::New, still(601, 60), still(1_201, 120)]);
        assert_eq!(streak.succeeded(), Some(Lasted { count: 1_210, seconds: 121 }));
        assert_eq!(streak.succeeded(), None);
        assert_eq!(streak.failed("STORAGE_FULL"), Say::New);
    }
}
