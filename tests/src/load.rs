//! Many callers at once, and what became of each of their calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::answer::Refusal;
use crate::stage::{Answer, Relationship, Request};

/// How long a caller rests after a call that was not answered, so that an outage is not a flood.
const REST: Duration = Duration::from_millis(50);
/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Calls at once while settling.
const SETTLERS: usize = 64;

/// Sends `requests` at one moment, each as a caller of its own, to `callers` in turn; answers in their order.
///
/// # Panics
/// Where a caller panics.
pub async fn at_once(callers: &[Relationship], requests: Vec<Request>) -> Vec<Result<Answer, Status>> {
    at_once_after(callers, requests.into_iter().map(|request| (Duration::ZERO, request)).collect()).await
}

/// Like [`at_once`], each after a delay of its own.
///
/// # Panics
/// Where a caller panics.
pub async fn at_once_after(
    callers: &[Relationship],
    requests: Vec<(Duration, Request)>,
) -> Vec<Result<Answer, Status>> {
    let barrier = Arc::new(Barrier::new(requests.len()));
    let mut tasks = JoinSet::new();
    for (index, (delay, request)) in requests.into_iter().enumerate() {
        let (caller, barrier) = (callers[index % callers.len()].clone(), barrier.clone());
        tasks.spawn(async move {
            barrier.wait().await;
            tokio::time::sleep(delay).await;
            (index, caller.send(&request).await)
        });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_unstable_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// One call of a load.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What was asked.
    pub request: Request,
    /// What was answered.
    pub answer: Result<Answer, Status>,
    /// When it was sent.
    pub began: Instant,
    /// When it was answered.
    pub ended: Instant,
}

impl Attempt {
    /// Whether it says what became of the call for good: done, or refused by a rule.
    pub fn is_settled(&self) -> bool {
        let by_a_rule = |status: &Status| matches!(status.code(), Code::FailedPrecondition | Code::NotFound);
        self.answer.as_ref().map_or_else(by_a_rule, |_| true)
    }

    /// The refusal, where it is one.
    pub fn refusal(&self) -> Option<Refusal> {
        self.answer.as_ref().err().map(Refusal::of)
    }
}

/// Callers that go on until they are told to stop.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    tasks: JoinSet<Vec<Attempt>>,
}

impl Load {
    /// Starts so many callers; `make` says what a caller sends at its n-th turn, to each of `callers` in turn.
    pub fn start(
        callers: &[Relationship],
        count: usize,
        make: impl Fn(usize, usize) -> Request + Send + Sync + 'static,
    ) -> Self {
        let (stop, acknowledged, failed) = (Arc::new(AtomicBool::new(false)), Arc::default(), Arc::default());
        let make = Arc::new(make);
        let mut load = Self { stop, acknowledged, failed, tasks: JoinSet::new() };
        for caller in 0..count {
            let (callers, make) = (callers.to_vec(), make.clone());
            let (stop, acknowledged, failed) =
                (load.stop.clone(), load.acknowledged.clone(), load.failed.clone());
            load.tasks.spawn(async move {
                let mut attempts = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let request = make(caller, attempts.len());
                    let began = Instant::now();
                    let at = (caller + attempts.len()) % callers.len();
                    let answer = callers[at].send(&request).await;
                    let attempt = Attempt { request, answer, began, ended: Instant::now() };
                    if attempt.answer.is_ok() {
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                    if !attempt.is_settled() {
                        failed.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(REST).await;
                    }
                    attempts.push(attempt);
                }
                attempts
            });
        }
        load
    }

    /// Waits until so many more calls have been acknowledged.
    ///
    /// # Panics
    /// Where that takes longer than a minute.
    pub async fn more_acknowledged(&self, more: usize) {
        until(&self.acknowledged, self.acknowledged.load(Ordering::Relaxed) + more, "acknowledged").await;
    }

    /// Waits until so many calls have failed in all.
    ///
    /// # Panics
    /// Where that takes longer than a minute.
    pub async fn failed(&self, count: usize) {
        until(&self.failed, count, "failed").await;
    }

    /// Tells the callers to stop, and answers every call they made.
    ///
    /// # Panics
    /// Where a caller panicked.
    pub async fn stop(self) -> Vec<Attempt> {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await.into_iter().flatten().collect()
    }
}

async fn until(count: &AtomicUsize, wanted: usize, what: &str) {
    let end = Instant::now() + LIMIT;
    while count.load(Ordering::Relaxed) < wanted {
        assert!(Instant::now() < end, "{} of {wanted} calls {what}", count.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Repeats every call that is not settled, with its own request_id, until it is. Answers all of them, settled.
///
/// # Panics
/// Where one is not settled within a minute.
pub async fn settle(callers: &[Relationship], attempts: Vec<Attempt>) -> Vec<Attempt> {
    let end = Instant::now() + LIMIT;
    let settled = stream::iter(attempts.into_iter().enumerate()).map(|(index, mut attempt)| async move {
        let mut at = index;
        while !attempt.is_settled() {
            assert!(Instant::now() < end, "{:?} is not settled", attempt.answer);
            attempt.answer = callers[at % callers.len()].send(&attempt.request).await;
            attempt.ended = Instant::now();
            if !attempt.is_settled() {
                at += 1;
                tokio::time::sleep(REST).await;
            }
        }
        attempt
    });
    settled.buffer_unordered(SETTLERS).collect().await
}

/// Repeats every call that was done, and compares: the same request_id gets the same answer.
///
/// # Panics
/// Where an answer differs.
pub async fn repeat(callers: &[Relationship], attempts: &[Attempt]) {
    let done = attempts.iter().filter(|attempt| attempt.answer.is_ok()).enumerate();
    let repeated = stream::iter(done).map(|(index, attempt)| async move {
        let again = callers[index % callers.len()].send(&attempt.request).await;
        (attempt, again)
    });
    let mut repeated = std::pin::pin!(repeated.buffer_unordered(SETTLERS));
    while let Some((attempt, again)) = repeated.next().await {
        let (first, again) = (attempt.answer.as_ref().ok(), again.expect("a repeat is answered"));
        assert_eq!(first, Some(&again), "the answer to a repeat of {:?}", attempt.request);
    }
}
