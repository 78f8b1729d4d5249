//! Failures that every call shares while they last, a database that is away or a disk that is full: one line of the log
//! by the minute and reason, with the number of calls that left none.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// After a line, calls that fail for the same reason leave none for so long.
const QUIET: Duration = Duration::from_secs(60);
/// More reasons than the contracts have: the rest shares one line.
const MOST_REASONS: usize = 256;

/// What was said, by reason.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<String, Said>>);

#[derive(Debug)]
struct Said {
    at: Instant,
    unsaid: u64,
}

impl Repeats {
    /// Whether a call that failed for `reason` leaves a line, and how many before it did not.
    pub(super) fn say(&self, reason: &str) -> Option<u64> {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = if known.len() < MOST_REASONS || known.contains_key(reason) { reason } else { "" };
        let Some(said) = known.get_mut(reason) else {
            known.insert(reason.to_owned(), Said { at: now, unsaid: 0 });
            return Some(0);
        };
        if now - said.at < QUIET {
            said.unsaid += 1;
            return None;
        }
        said.at = now;
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_that_fail_for_one_reason_leave_a_line_a_minute_which_counts_the_others() {
        let repeats = Repeats::default();
        let mut said = Vec::new();
        for _ in 0..121 {
            said.extend(repeats.say("STORAGE_FULL"));
            said.extend(repeats.say("ORDER_PENDING"));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(said, [0, 0, 59, 59, 59, 59]);
    }

    #[tokio::test(start_paused = true)]
    async fn made_up_reasons_are_one() {
        let repeats = Repeats::default();
        let said = (0..10 * MOST_REASONS).filter_map(|at| repeats.say(&at.to_string())).count();
        assert_eq!(said, MOST_REASONS + 1);
    }
}
