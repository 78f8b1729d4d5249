//! Whether the disk under the database has room, as the writes tell that were refused for want of it.
//!
//! Nobody else can tell: the disk may be another machine's, and what fits depends on what is written. Every write is tried,
//! so that writing goes on by itself. The log hears of a full disk once, then how many writes it has cost, and when it is
//! over: when no write has been refused for [`CALM`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Without a refused write for so long, there is taken to be room. Longer than callers wait between two tries.
const CALM: Duration = Duration::from_secs(5);
/// How often the log hears that the disk is still full.
const REMIND: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub struct Storage {
    full: Mutex<Option<Full>>,
    refused: AtomicU64,
    changed: Arc<Notify>,
}

#[derive(Clone, Copy, Debug)]
struct Full {
    began: Instant,
    last: Instant,
    said: Instant,
    refused: u64,
}

impl Storage {
    /// A write was refused for want of room.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut full = self.lock();
        match full.as_mut() {
            Some(full) => (full.last, full.refused) = (now, full.refused + 1),
            None => {
                *full = Some(Full { began: now, last: now, said: now, refused: 1 });
                tracing::error!("the disk under the database is full: writes are refused, reads go on");
                self.changed.notify_one();
            }
        }
    }

    /// Whether there is room, as far as anybody knows. To be asked now and then: it also tells the log.
    pub fn has_room(&self) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        let Some(full) = state.as_mut() else { return true };
        let (refused, full_s) = (full.refused, (full.last - full.began).as_secs());
        if now - full.last >= CALM {
            tracing::warn!(refused, full_s, "the disk under the database has room again");
            *state = None;
            return true;
        }
        if now - full.said >= REMIND {
            full.said = now;
            tracing::error!(refused, full_s, "the disk under the database is still full: writes are refused");
        }
        false
    }

    /// Writes that were refused for want of room since the start.
    pub fn refusals(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Notified when the disk is found full.
    pub(crate) fn changed(&self) -> Arc<Notify> {
        self.changed.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Full>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_disk_is_full_from_the_first_refused_write_until_none_was_refused_for_a_while() {
        let storage = Storage::default();
        assert!(storage.has_room());
        storage.refused();
        for _ in 0..100 {
            tokio::time::advance(CALM - Duration::from_millis(1)).await;
            assert!(!storage.has_room());
            storage.refused();
        }
        tokio::time::advance(CALM).await;
        assert!(storage.has_room());
        assert_eq!(storage.refusals(), 101);
    }
}
