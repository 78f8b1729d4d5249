//! One lane: takes a batch, has it run, answers it.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Group, Job, LanesConfig, Runner};
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
    /// Taken from the queue and not run yet, in order of arrival: what belongs to other tenants than those of the last
    /// batch.
    held: VecDeque<Job<R>>,
    runner: Arc<R>,
    /// One permit for every two lanes: what small batches run under.
    turns: Arc<Semaphore>,
    max_batch: usize,
    max_tenants: usize,
    soft: CancellationToken,
    hard: CancellationToken,
}

impl<R: Runner> Worker<R> {
    pub(super) fn new(
        queue: mpsc::Receiver<Job<R>>,
        runner: Arc<R>,
        turns: Arc<Semaphore>,
        config: &LanesConfig,
        tasks: &Tasks,
    ) -> Self {
        let (soft, hard) = (tasks.soft().clone(), tasks.hard().clone());
        let (max_batch, max_tenants) = (config.max_batch.max(1), config.tenants_per_transaction.max(1));
        Self { queue, held: VecDeque::new(), runner, turns, max_batch, max_tenants, soft, hard }
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
            let batch = self.take_batch();
            if !batch.is_empty() {
                let groups = batch.iter().map(|(tenant, of)| Group { tenant, items: &of.items }).collect();
                let outcomes = run(self.runner.as_ref(), groups).await;
                let replies = batch.into_values().flat_map(|of| of.replies);
                for (reply, outcome) in replies.zip(outcomes) {
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

    /// Everything held of the tenants whose turn it is, without what nobody waits for any more.
    fn take_batch(&mut self) -> Batch<R> {
        let mut batch = Batch::<R>::new();
        for job in std::mem::take(&mut self.held) {
            if job.reply.is_closed() {
                continue;
            }
            if job.deadline.is_some_and(|deadline| deadline.passed()) {
                let _ = job.reply.send(Err(Fault::deadline_exceeded()));
            } else if batch.len() < self.max_tenants || batch.contains_key(&job.tenant) {
                let of = batch
                    .entry(job.tenant)
                    .or_insert_with(|| OfTenant { items: Vec::new(), replies: Vec::new() });
                of.items.push(job.item);
                of.replies.push(job.reply);
            } else {
                self.held.push_back(job);
            }
        }
        batch
    }
}

/// By tenant, in the order in which all lanes lock them.
type Batch<R> = BTreeMap<Tenant, OfTenant<R>>;

/// What one tenant's callers wait for.
struct OfTenant<R: Runner> {
    items: Vec<R::Item>,
    replies: Vec<oneshot::Sender<Outcome<R::Output>>>,
}

/// Part of a batch.
type Part<'b, R> = Vec<Group<'b, <R as Runner>::Item>>;

/// Runs a batch, in parts where one of its items fails the whole; always as many outcomes as items, in their order.
async fn run<R: Runner>(runner: &R, batch: Part<'_, R>) -> Vec<Outcome<R::Output>> {
    let mut outcomes = Vec::with_capacity(count::<R>(&batch));
    let mut parts = PARTS_MAX;
    // Parts still to run, the next one last, so that items are decided in order of arrival.
    let mut open = vec![batch];
    while let Some(part) = open.pop() {
        match run_once(runner, &part).await {
            Ok(decided) => outcomes.extend(decided),
            Err(fault) if fault.kind() == Kind::Aborted && part.len() > 1 => {
                open.extend(part.into_iter().rev().map(|group| vec![group]));
            }
            Err(fault) if count::<R>(&part) > 1 && is_one_items(&fault) && parts > 0 => {
                parts -= 1;
                let (first, second) = halves::<R>(part);
                open.push(second);
                open.push(first);
            }
            Err(fault) => outcomes.extend((0..count::<R>(&part)).map(|_| Err(fault.clone()))),
        }
    }
    outcomes
}

fn count<R: Runner>(part: &[Group<'_, R::Item>]) -> usize {
    part.iter().map(|group| group.items.len()).sum()
}

/// Half of the tenants each; of a single one, half of its items.
fn halves<R: Runner>(mut part: Part<'_, R>) -> (Part<'_, R>, Part<'_, R>) {
    match part.as_slice() {
        [Group { tenant, items }] => {
            let (first, second) = items.split_at(items.len() / 2);
            (vec![Group { tenant, items: first }], vec![Group { tenant, items: second }])
        }
        groups => {
            let second = part.split_off(groups.len() / 2);
            (part, second)
        }
    }
}

async fn run_once<R: Runner>(runner: &R, part: &[Group<'_, R::Item>]) -> Outcome<Vec<Outcome<R::Output>>> {
    let items = count::<R>(part);
    let decided = match AssertUnwindSafe(runner.run(part)).catch_unwind().await {
        Ok(decided) => decided?,
        Err(_) => {
            tracing::error!(tenants = part.len(), items, "a batch panicked");
            // Before or after its commit: nobody knows, so nobody may run it again without its request_ids.
            return Err(Fault::outcome_unknown());
        }
    };
    if decided.len() == items {
        Ok(decided)
    } else {
        tracing::error!(tenants = part.len(), items, outcomes = decided.len(), "a batch lost outcomes");
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
