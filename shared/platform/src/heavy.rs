//! Long computations leave the threads that serve calls.
//!
//! Those threads are few, and each serves one call at a time between two waits: what computes for milliseconds there
//! holds up everybody behind it. Such work is handed to threads of its own, so many at once as a setting says, in
//! order of arrival. What finds the queue full is refused at once ([`Fault::overloaded`]), so that those inside keep
//! their deadlines.
//!
//! Whoever stops waiting (gone away, or past the deadline) drops the future: what still queues leaves the queue, what
//! runs finds its flag set and may end. A place is free again when the work has really ended, not when nobody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault::{Fault, Outcome};

/// Set once nobody waits for the result any more.
pub type Gone = Arc<AtomicBool>;

/// Threads for long computations. Clones share them.
#[derive(Debug, Clone)]
pub struct Heavy(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    capacity: usize,
}

impl Heavy {
    /// `threads` computations at once, at least one; `capacity` more may wait.
    pub fn new(threads: usize, capacity: usize) -> Self {
        let places = Arc::new(Semaphore::new(threads.clamp(1, Semaphore::MAX_PERMITS)));
        Self(Arc::new(Pool { places, waiting: AtomicUsize::new(0), capacity }))
    }

    /// Computes elsewhere.
    ///
    /// # Errors
    /// OVERLOADED where as many wait as may; INTERNAL where the computation panics.
    pub async fn run<T, F>(&self, compute: F) -> Outcome<T>
    where
        F: FnOnce(Gone) -> T + Send + 'static,
        T: Send + 'static,
    {
        let place = self.place().await?;
        let gone = Gone::default();
        let told = Absent(gone.clone());
        let span = tracing::Span::current();
        let computed = tokio::task::spawn_blocking(move || {
            let computed = span.in_scope(|| compute(gone));
            drop(place);
            computed
        });
        let computed = computed.await;
        drop(told);
        computed.map_err(|error| Fault::internal("a long computation panicked").caused_by(error))
    }

    async fn place(&self) -> Outcome<OwnedSemaphorePermit> {
        let places = &self.0.places;
        if let Ok(place) = places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = Waiting::begin(&self.0).ok_or_else(|| {
            Fault::overloaded("too many long computations").with("waiting", self.0.capacity)
        })?;
        places.clone().acquire_owned().await.map_err(|_| Fault::shutting_down())
    }
}

/// Computes where it is, and has other calls served by another thread meanwhile: for what cannot be sent elsewhere,
/// because it borrows. Its caller sees to it that few do so at once. On a runtime of one thread it just computes.
pub fn in_place<T>(compute: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(compute),
        _ => compute(),
    }
}

/// Sets the flag when it is dropped.
struct Absent(Gone);

impl Drop for Absent {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A place in the queue.
struct Waiting<'p>(&'p Pool);

impl<'p> Waiting<'p> {
    fn begin(pool: &'p Pool) -> Option<Self> {
        // Counted before it is judged: what overshoots is taken back by the drop.
        let before = pool.waiting.fetch_add(1, Ordering::AcqRel);
        let waiting = Self(pool);
        (before < pool.capacity).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use futures::poll;
    use tokio::sync::oneshot;

    use super::*;
    use crate::fault::Kind;

    /// Only waited for where a test fails.
    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn the_thread_that_serves_calls_serves_them_while_something_long_is_computed() {
        let (go, gate) = mpsc::channel();
        let heavy = Heavy::new(1, 0);
        let long = heavy.run(move |_| gate.recv_timeout(LONG));
        let short = async { go.send(7) };
        let (long, _) = tokio::join!(long, short);
        assert_eq!(long.unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn one_more_than_may_wait_is_refused_at_once_and_the_others_are_not() {
        let (go, gate) = mpsc::channel::<()>();
        let heavy = Heavy::new(1, 1);
        let mut first = Box::pin(heavy.run(move |_| gate.recv_timeout(LONG).is_ok()));
        assert!(poll!(&mut first).is_pending());
        let mut second = Box::pin(heavy.run(|_| "second"));
        assert!(poll!(&mut second).is_pending());
        let third = heavy.run(|_| "third").await.unwrap_err();
        assert_eq!((third.kind(), third.reason()), (Kind::Exhausted, "OVERLOADED"));
        drop(second);
        let mut fourth = Box::pin(heavy.run(|_| "fourth"));
        assert!(poll!(&mut fourth).is_pending(), "who has gone away leaves the queue");
        go.send(()).unwrap();
        assert!(first.await.unwrap());
        assert_eq!(fourth.await.unwrap(), "fourth");
    }

    #[tokio::test]
    async fn who_goes_away_is_noticed_and_the_place_is_free_once_the_work_has_ended() {
        let heavy = Heavy::new(1, 1);
        let (begun, begins) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let mut long = Box::pin(heavy.run(move |gone| {
            begun.send(()).unwrap();
            while !gone.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            ended.send(()).unwrap();
        }));
        assert!(poll!(&mut long).is_pending());
        begins.await.unwrap();
        drop(long);
        end.await.unwrap();
        assert_eq!(heavy.run(|_| "next").await.unwrap(), "next");
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_fault_and_costs_no_place() {
        let heavy = Heavy::new(1, 0);
        let fault = heavy.run::<(), _>(|_| panic!("no")).await.unwrap_err();
        assert_eq!(fault.reason(), "INTERNAL");
        assert_eq!(heavy.run(|_| 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn in_place_computes_on_a_runtime_of_one_thread_too() {
        assert_eq!(in_place(|| 1), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_computes_in_place_leaves_its_thread_to_others() {
        let (go, gate) = mpsc::channel();
        let tasks = crate::tasks::Tasks::new();
        let computed = tasks.spawn("long", async move {
            assert_eq!(in_place(|| gate.recv_timeout(LONG)), Ok(7));
        });
        tasks.spawn("short", async move { go.send(7).unwrap() });
        computed.await.unwrap();
    }
}
