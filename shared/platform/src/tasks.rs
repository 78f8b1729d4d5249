//! Every task that runs without a caller waiting on the same thread: tracked, so that a stopping process knows what it
//! waits for, and named, so that the log says which one died.
//!
//! Three signals, in the order in which [`crate::lifecycle`] gives them: `draining` (streams without end say goodbye),
//! `soft` (pollers and lanes finish their pass and stop), `hard` (everything lets go at once).

mod streak;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use self::streak::{Lasted, Say, Streak};
use crate::fault::{Fault, Outcome};

/// The tasks of one process (or of one test). Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tasks(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    writes: TaskTracker,
    background: TaskTracker,
    writes_refused: AtomicBool,
    draining: CancellationToken,
    soft: CancellationToken,
    hard: CancellationToken,
    look: Notify,
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fires when the server has stopped accepting: streams without end close now.
    pub fn draining(&self) -> &CancellationToken {
        &self.0.draining
    }

    /// Fires when nobody submits work any more: pollers and lanes finish what they hold and stop.
    pub fn soft(&self) -> &CancellationToken {
        &self.0.soft
    }

    /// Fires when the limit of an orderly stop is over.
    pub fn hard(&self) -> &CancellationToken {
        &self.0.hard
    }

    /// Runs `future` to its end, whatever becomes of the returned handle. For loops that watch [`Tasks::soft`]; a panic
    /// is logged under `name`.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        start(self.0.background.track_future(async move {
            if AssertUnwindSafe(future).catch_unwind().await.is_err() {
                tracing::error!(task = name, "a background task panicked");
            }
        }))
    }

    /// Has everything that runs by a period look once, now or after the pass that it is in: a clock was moved.
    pub fn look(&self) {
        self.0.look.notify_waiters();
    }

    /// Runs `pass` at once, then every `period` or as soon as `wake` is notified, until [`Tasks::soft`]. A pass that
    /// fails or panics is tried again at the next turn; a running pass is never cancelled. The log hears of a failure
    /// when it begins, by the minute while it goes on, and when it ends.
    pub fn every<P, F>(
        &self,
        name: &'static str,
        period: Duration,
        wake: Option<Arc<Notify>>,
        mut pass: P,
    ) -> JoinHandle<()>
    where
        P: FnMut() -> F + Send + 'static,
        F: Future<Output = Outcome<()>> + Send + 'static,
    {
        let (soft, shared) = (self.0.soft.clone(), self.0.clone());
        self.spawn(name, async move {
            let mut streak = Streak::default();
            while !soft.is_cancelled() {
                // Hears of it from here on, whether it comes during the pass or after it.
                let mut look = pin!(shared.look.notified());
                look.as_mut().enable();
                match AssertUnwindSafe(async { pass().await }).catch_unwind().await {
                    Ok(Ok(())) => tell_end(name, streak.succeeded()),
                    Ok(Err(fault)) => tell(name, &fault, streak.failed(fault.reason())),
                    Err(_) => tracing::error!(task = name, "a background pass panicked"),
                }
                let woken = async {
                    match &wake {
                        Some(wake) => wake.notified().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = soft.cancelled() => {}
                    () = woken => {}
                    () = look => {}
                    () = tokio::time::sleep(period) => {}
                }
            }
        })
    }

    /// Runs a write to its end even where the returned future is dropped because its caller went away. Refused with
    /// SHUTTING_DOWN once the server has drained.
    pub async fn write<F, T>(&self, future: F) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>> + Send + 'static,
        T: Send + 'static,
    {
        // The token is taken before the flag is read: whoever sets the flag afterwards waits for this write.
        let tracked = self.0.writes.token();
        if self.0.writes_refused.load(Ordering::SeqCst) {
            return Err(Fault::shutting_down());
        }
        let handle = start(async move {
            let outcome = future.await;
            drop(tracked);
            outcome
        });
        handle.await.unwrap_or_else(|_| Err(Fault::internal("a detached write panicked")))
    }

    /// Runs `future` to its end on a thread beside those that serve calls, whatever becomes of the returned future: for
    /// long reading and computing, which would keep calls waiting. Whoever calls bounds how many there are.
    pub async fn aside<F, T>(&self, future: F) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>> + Send + 'static,
        T: Send + 'static,
    {
        let (tracked, runtime) = (self.0.background.token(), Handle::current());
        let thread = tokio::task::spawn_blocking(move || {
            let outcome = runtime.block_on(future);
            drop(tracked);
            outcome
        });
        thread.await.unwrap_or_else(|_| Err(Fault::internal("work beside the calls panicked")))
    }

    /// Refuses new writes and waits at most `limit` for those that run; false where some still do.
    pub async fn finish_writes(&self, limit: Duration) -> bool {
        self.0.writes_refused.store(true, Ordering::SeqCst);
        finished(&self.0.writes, limit).await
    }

    /// Tells pollers and lanes to stop and waits at most `limit` for them; false where some still run.
    pub async fn finish_background(&self, limit: Duration) -> bool {
        self.0.soft.cancel();
        finished(&self.0.background, limit).await
    }
}

fn tell(task: &'static str, fault: &Fault, say: Say) {
    match say {
        Say::New => tracing::warn!(task, ?fault, "a background pass failed"),
        Say::Still(Lasted { count, seconds }) => {
            tracing::warn!(task, count, seconds, ?fault, "a background pass still fails");
        }
        Say::Nothing => {}
    }
}

fn tell_end(task: &'static str, lasted: Option<Lasted>) {
    if let Some(Lasted { count, seconds }) = lasted {
        tracing::info!(task, count, seconds, "a background pass succeeds again");
    }
}

async fn finished(tracker: &TaskTracker, limit: Duration) -> bool {
    tracker.close();
    tokio::time::timeout(limit, tracker.wait()).await.is_ok()
}

#[expect(clippy::disallowed_methods, reason = "the one room that spawns: its callers track what they pass")]
fn start<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // What two services of one process log says which of them it was.
    tokio::spawn(future.in_current_span())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use tokio::sync::oneshot;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_write_ends_although_its_caller_goes_away() {
        let tasks = Tasks::new();
        let (go, gate) = oneshot::channel::<()>();
        let done = Arc::new(AtomicBool::new(false));
        let seen = done.clone();
        let mut write = Box::pin(tasks.write(async move {
            let _ = gate.await;
            seen.store(true, Ordering::SeqCst);
            Ok(())
        }));
        assert!(futures::poll!(&mut write).is_pending());
        drop(write);
        go.send(()).unwrap();
        assert!(tasks.finish_writes(SOON).await);
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_drained_process_refuses_new_writes() {
        let tasks = Tasks::new();
        assert!(tasks.finish_writes(SOON).await);
        let refused = tasks.write(async { Ok(()) }).await.unwrap_err();
        assert_eq!(refused.reason(), "SHUTTING_DOWN");
    }

    #[tokio::test]
    async fn waiting_for_writes_is_bounded() {
        let tasks = Tasks::new();
        let mut write = Box::pin(tasks.write(std::future::pending::<Outcome<()>>()));
        assert!(futures::poll!(&mut write).is_pending());
        assert!(!tasks.finish_writes(Duration::from_millis(1)).await);
    }

    #[tokio::test]
    async fn a_panicking_write_is_an_internal_fault() {
        let fault = Tasks::new().write(async { panic!("no") as Outcome<()> }).await.unwrap_err();
        assert_eq!(fault.reason(), "INTERNAL");
    }

    #[tokio::test]
    async fn work_beside_the_calls_ends_although_its_caller_goes_away_and_may_panic() {
        let tasks = Tasks::new();
        let (go, gate) = oneshot::channel::<()>();
        let done = Arc::new(AtomicBool::new(false));
        let seen = done.clone();
        let mut work = Box::pin(tasks.aside(async move {
            let _ = gate.await;
            seen.store(true, Ordering::SeqCst);
            Ok(())
        }));
        assert!(futures::poll!(&mut work).is_pending());
        drop(work);
        go.send(()).unwrap();
        assert!(tasks.finish_background(SOON).await);
        assert!(done.load(Ordering::SeqCst));
        let fault = tasks.aside(async { panic!("no") as Outcome<()> }).await.unwrap_err();
        assert_eq!(fault.reason(), "INTERNAL");
    }

    #[tokio::test]
    async fn a_poller_outlives_a_failing_and_a_panicking_pass_and_stops_when_told() {
        let tasks = Tasks::new();
        let wake = Arc::new(Notify::new());
        let (report, mut passes) = tokio::sync::mpsc::unbounded_channel();
        let count = AtomicU32::new(0);
        tasks.every("test", Duration::from_secs(3_600), Some(wake.clone()), move || {
            let pass = count.fetch_add(1, Ordering::SeqCst);
            let report = report.clone();
            async move {
                report.send(pass).unwrap();
                match pass {
                    0 => Err(Fault::internal("first")),
                    1 => panic!("second"),
                    _ => Ok(()),
                }
            }
        });
        for pass in 0..3 {
            assert_eq!(passes.recv().await, Some(pass));
            wake.notify_one();
        }
        assert!(tasks.finish_background(SOON).await);
    }
    #[tokio::test]
    async fn whoever_is_told_to_look_does_so_once_during_a_pass_too() {
        let tasks = Tasks::new();
        let (report, mut passes) = tokio::sync::mpsc::unbounded_channel();
        let (go, gate) = tokio::sync::watch::channel(false);
        tasks.every("test", Duration::from_secs(3_600), None, move || {
            let (report, mut gate) = (report.clone(), gate.clone());
            async move {
                report.send(()).unwrap();
                gate.wait_for(|open| *open).await.unwrap();
                Ok(())
            }
        });
        passes.recv().await.unwrap();
        tasks.look();
        assert!(passes.try_recv().is_err(), "a pass that runs is not disturbed");
        go.send(true).unwrap();
        passes.recv().await.unwrap();
        assert!(tasks.finish_background(SOON).await);
        assert!(passes.try_recv().is_err(), "once");
    }
}
