//! One lane: takes a batch, has it run, answers it.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Job, Runner};
use crate::call::Tenant;
use crate::fault::{Fault, Kind, Outcome};
use crate::tasks::Tasks;

/// Transactions spent on isolating the bad items of one batch: enough for a dozen of them. Past it the rest of the
/// batch shares the last fault, because a statement that fails for every item must not cost two transactions each.
const PARTS_MAX: usize = 128;

/// A batch of so many items is worth a transaction of its own beside others; fewer take turns with other lanes' few,
/// and grow while they wait. What a transaction costs whatever it decides would else be paid for a handful of items.
const CROWD: usize = 32;

pub(super) struct Worker<R: Runner> {
    queue: mpsc::Receiver<Job<R>>,
    /// Taken from the queue and not run yet, in order of arrival: what belongs to other tenants than the last batch.
    held: VecDeque<Job<R>>,
    runner: Arc<R>,
    /// One permit for every two lanes: what small batches run under.
    turns: Arc<Semaphore>,
    max_batch: usize,
    soft: CancellationToken,
    hard: CancellationToken,
}

impl<R: Runner> Worker<R> {
    pub(super) fn new(
        queue: mpsc::Receiver<Job<R>>,
        runner: Arc<R>,
        turns: Arc<Semaphore>,
        max_batch: usize,
        tasks: &Tasks,
    ) -> Self {
        let (soft, hard) = (tasks.soft().clone(), tasks.hard().clone());
        Self { queue, held: VecDeque::new(), runner, turns, max_batch, soft, hard }
    }

    pub(super) async fn work(mut self) {
        let turns = self.turns.clone();
        while self.refill().await {
            let turn = self.gather(&turns).await;
            if self.hard.is_cancelled() {
                for job in self.held.drain(..) {
                    let _ = job.reply.send(Err(Fault::shutting_down()));
                }
                continue;
            }
            if let Some((tenant, items, replies)) = self.take_batch() {
                let mut parts = PARTS_MAX;
                let outcomes = run(self.runner.as_ref(), &tenant, &items, &mut parts).await;
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    // A caller that is gone will find the outcome by its request_id.
                    let _ = reply.send(outcome);
                }
            }
            drop(turn);
        }
    }

    /// Waits for the turn of a small batch. `None`: it is, or has become, a crowd.
    async fn gather<'t>(&mut self, turns: &'t Semaphore) -> Option<SemaphorePermit<'t>> {
        if self.held.len() >= CROWD {
            return None;
        }
        let turn = turns.acquire().await.ok()?;
        self.top_up();
        (self.held.len() < CROWD).then_some(turn)
    }

    /// Tops up what is held, waiting only where nothing is; false once the queue is closed and empty.
    async fn refill(&mut self) -> bool {
        if self.held.is_empty() {
            let mut taken = Vec::with_capacity(self.max_batch.min(64));
            tokio::select! {
                biased;
                count = self.queue.recv_many(&mut taken, self.max_batch) => {
                    if count == 0 {
                        return false;
                    }
                }
                () = self.soft.cancelled(), if !self.queue.is_closed() => self.queue.close(),
            }
            self.held.extend(taken);
        }
        self.top_up();
        true
    }

    /// Takes what has queued, as far as one transaction takes it.
    fn top_up(&mut self) {
        while self.held.len() < self.max_batch {
            match self.queue.try_recv() {
                Ok(job) => self.held.push_back(job),
                Err(_) => break,
            }
        }
    }

    /// Everything held of the tenant whose turn it is, without what nobody waits for any more.
    fn take_batch(&mut self) -> Option<Batch<R>> {
        let tenant = self.held.front()?.tenant.clone();
        let (mut items, mut replies) = (Vec::new(), Vec::new());
        for job in std::mem::take(&mut self.held) {
            if job.reply.is_closed() {
                continue;
            }
            if job.deadline.is_some_and(|deadline| deadline.passed()) {
                let _ = job.reply.send(Err(Fault::deadline_exceeded()));
            } else if job.tenant == tenant {
                items.push(job.item);
                replies.push(job.reply);
            } else {
                self.held.push_back(job);
            }
        }
        (!items.is_empty()).then_some((tenant, items, replies))
    }
}

type Batch<R> = (Tenant, Vec<<R as Runner>::Item>, Vec<oneshot::Sender<Outcome<<R as Runner>::Output>>>);

/// Runs the items, in parts where one of them fails the whole; always as many outcomes as items.
async fn run<R: Runner>(
    runner: &R,
    tenant: &Tenant,
    items: &[R::Item],
    parts: &mut usize,
) -> Vec<Outcome<R::Output>> {
    let mut outcomes = Vec::with_capacity(items.len());
    // Parts still to run, the next one last, so that items are decided in order of arrival.
    let mut open = vec![items];
    while let Some(part) = open.pop() {
        match run_once(runner, tenant, part).await {
            Ok(decided) => outcomes.extend(decided),
            Err(fault) if part.len() > 1 && is_one_items(&fault) && *parts > 0 => {
                *parts -= 1;
                let (first, second) = part.split_at(part.len() / 2);
                open.push(second);
                open.push(first);
            }
            Err(fault) => outcomes.extend(part.iter().map(|_| Err(fault.clone()))),
        }
    }
    outcomes
}

async fn run_once<R: Runner>(
    runner: &R,
    tenant: &Tenant,
    items: &[R::Item],
) -> Outcome<Vec<Outcome<R::Output>>> {
    let decided = match AssertUnwindSafe(runner.run(tenant, items)).catch_unwind().await {
        Ok(decided) => decided?,
        Err(_) => {
            tracing::error!(%tenant, items = items.len(), "a batch panicked");
            // Before or after its commit: nobody knows, so nobody may run it again without its request_ids.
            return Err(Fault::outcome_unknown());
        }
    };
    if decided.len() == items.len() {
        Ok(decided)
    } else {
        tracing::error!(%tenant, items = items.len(), outcomes = decided.len(), "a batch lost outcomes");
        Err(Fault::outcome_unknown())
    }
}

/// Whether a part of the batch may succeed where the whole has failed.
fn is_one_items(fault: &Fault) -> bool {
    let of_all = matches!(
        fault.kind(),
        Kind::UnknownOutcome | Kind::Aborted | Kind::Unavailable | Kind::DeadlineExceeded | Kind::Exhausted
    );
    !of_all && !fault.is_retryable()
}
