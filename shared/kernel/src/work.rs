//! Work is counted in steps, never in time: whether there was too much of it is a property of what was asked, the same
//! on every machine and in every replay.
//!
//! One step is about what it takes to look at one line of a basket once: some 10 ns on one core of a server of 2025.
//! Every loop whose length callers or operators decide says beforehand how many steps it takes. Once a limit is
//! passed nothing costly is begun any more, and the answer, which would be half of one, is withheld.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many steps something may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// For trying alternatives; past it groups are decided one by one.
    pub search: u64,
    /// For everything together, the search included; past it there is no answer.
    pub total: u64,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// More steps than were allowed: so it is whenever the same is asked.
    #[error("more than {limit} steps of work")]
    TooMuch {
        /// The allowance.
        limit: u64,
    },
    /// Nobody waits for the answer any more.
    #[error("nobody waits for the answer")]
    Gone,
}

/// After so many steps the flag is looked at again: at most half a millisecond is worked for nobody.
const LOOK: u64 = 50_000;

/// The steps of one evaluation.
#[derive(Debug)]
pub struct Work {
    spent: u64,
    allowance: Allowance,
    searched: u64,
    gone: Option<Arc<AtomicBool>>,
    next_look: u64,
    stopped: Option<Stop>,
}

impl Work {
    /// Nothing done yet.
    pub fn new(allowance: Allowance) -> Self {
        Self { spent: 0, allowance, searched: 0, gone: None, next_look: 0, stopped: None }
    }

    /// The same, but ended once `gone` is set.
    #[must_use]
    pub fn until(self, gone: Arc<AtomicBool>) -> Self {
        Self { gone: Some(gone), ..self }
    }

    /// So many steps are about to be taken.
    pub fn spend(&mut self, steps: u64) {
        self.spent = self.spent.saturating_add(steps);
        if self.stopped.is_some() {
            return;
        }
        if self.spent > self.allowance.total {
            self.stopped = Some(Stop::TooMuch { limit: self.allowance.total });
        } else if self.spent >= self.next_look {
            self.next_look = self.spent.saturating_add(LOOK);
            if self.gone.as_ref().is_some_and(|gone| gone.load(Ordering::Relaxed)) {
                self.stopped = Some(Stop::Gone);
            }
        }
    }

    /// How many were taken.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// Whether nothing costly is to be begun any more.
    pub fn is_over(&self) -> bool {
        self.stopped.is_some()
    }

    /// Whether what was made may be used.
    ///
    /// # Errors
    /// The reason why it is not complete.
    pub fn end(&self) -> Result<(), Stop> {
        self.stopped.map_or(Ok(()), Err)
    }

    /// The steps that searches may still take.
    pub(crate) fn left_to_search(&self) -> u64 {
        self.allowance.search.saturating_sub(self.searched)
    }

    /// A search has taken so many, which were spent already.
    pub(crate) fn searched(&mut self, steps: u64) {
        self.searched = self.searched.saturating_add(steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Allowance = Allowance { search: 10, total: 1_000_000 };

    #[test]
    fn past_the_allowance_it_is_over_and_says_so() {
        let mut work = Work::new(SOME);
        work.spend(1_000_000);
        assert_eq!((work.is_over(), work.end()), (false, Ok(())));
        work.spend(1);
        assert_eq!(work.end(), Err(Stop::TooMuch { limit: 1_000_000 }));
        work.spend(u64::MAX);
        assert_eq!(work.spent(), u64::MAX);
    }

    #[test]
    fn who_is_gone_is_noticed_within_so_many_steps() {
        let gone = Arc::new(AtomicBool::new(false));
        let mut work = Work::new(SOME).until(gone.clone());
        work.spend(1);
        gone.store(true, Ordering::Relaxed);
        work.spend(LOOK - 1);
        assert!(!work.is_over());
        work.spend(1);
        assert_eq!(work.end(), Err(Stop::Gone));
    }

    #[test]
    fn searches_share_what_they_may_take() {
        let mut work = Work::new(SOME);
        work.searched(4);
        assert_eq!(work.left_to_search(), 6);
        work.searched(40);
        assert_eq!(work.left_to_search(), 0);
    }
}
