//! Coalesces hot writes: many callers, one transaction.
//!
//! A caller joins the lane that the hash of its contention key names. A lane takes what queued while its previous
//! transaction ran, and has the [`Runner`] decide all of it in one transaction. There is no timer: an idle lane takes a
//! single item at once, a busy one takes ever larger batches. Batches of a few items take turns with those of other
//! lanes, half of the lanes at a time, because the fixed cost of a transaction is what they would multiply; large ones
//! run beside anything.
//!
//! One transaction serves several tenants ([`LanesConfig::tenants_per_transaction`]), one after the other in the order
//! of their names, each statement naming one of them. All that a tenant locks is locked before anything of the next, so
//! two lanes that share tenants never wait for each other in a circle.
//!
//! Lanes give throughput only. Correctness rests on the rows that the runner locks, so two lanes, two processes and a
//! plain command may meet on any of them.

mod worker;

use std::hash::{BuildHasher, Hash};
use std::num::NonZero;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::call::{Call, Deadline, Tenant};
use crate::fault::{Fault, Outcome};
use crate::tasks::Tasks;

/// Decides batches.
pub trait Runner: Send + Sync + 'static {
    /// What a caller asks for. Kept until its outcome is known, because a batch may be run again in parts.
    type Item: Send + Sync + 'static;
    /// What a caller is answered.
    type Output: Send + 'static;

    /// Runs one transaction over `groups`, each group to its end before the next is begun, its items in their order, and
    /// answers one outcome per item, in that order. A refusal of one item is an `Err` inside the vector, after its claim
    /// has been released; the items beside it commit.
    ///
    /// An `Err` for the whole batch says that nothing was stored (or that nobody knows). After an absent database and an
    /// unknown outcome every caller is told so, after contention every caller of a batch of one tenant: `transact!` has
    /// replayed already. Contention among several tenants is one tenant's: each is run again by itself. After any other
    /// fault the batch is run again in halves, until the item that causes it fails alone.
    fn run(
        &self,
        groups: &[Group<'_, Self::Item>],
    ) -> impl Future<Output = Outcome<Vec<Outcome<Self::Output>>>> + Send;
}

/// What one tenant's callers ask of a transaction.
#[derive(Debug)]
pub struct Group<'b, I> {
    /// Whose they are; no other group of the transaction has the same.
    pub tenant: &'b Tenant,
    /// In their order of arrival, at least one.
    pub items: &'b [I],
}

impl<I> Clone for Group<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Group<'_, I> {}

/// The shape of a set of lanes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LanesConfig {
    /// Lanes, each of which holds at most one connection. On SQLite always 1.
    pub lanes: usize,
    /// Items that wait in one lane; one more is refused with RESOURCE_EXHAUSTED.
    pub capacity: usize,
    /// Items in one transaction.
    pub max_batch: usize,
    /// Tenants in one transaction. More share the cost of a commit where callers are spread over many tenants; locks of
    /// the first are kept until the last is done. 1 on a distributed engine, where each tenant may be on another node.
    pub tenants_per_transaction: usize,
}

/// Tenants that share a transaction by default: docs/adr/0019.
pub const TENANTS_PER_TRANSACTION: usize = 32;

impl Default for LanesConfig {
    fn default() -> Self {
        Self { lanes: 4, capacity: 2_048, max_batch: 512, tenants_per_transaction: TENANTS_PER_TRANSACTION }
    }
}

/// The cores of this machine, 16 at most: what numbers of lanes are reckoned from. More lanes than keep the cores busy
/// make batches smaller, not the service faster.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, NonZero::get).min(16)
}

/// The way into a set of lanes. Clones share them.
pub struct Lanes<R: Runner>(Arc<[mpsc::Sender<Job<R>>]>);

impl<R: Runner> Clone for Lanes<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// One item on its way.
struct Job<R: Runner> {
    tenant: Tenant,
    deadline: Option<Deadline>,
    item: R::Item,
    reply: oneshot::Sender<Outcome<R::Output>>,
}

impl<R: Runner> Lanes<R> {
    /// Starts the lanes. They end after [`Tasks::soft`], once all that queued until then has been answered.
    pub fn start(config: &LanesConfig, tasks: &Tasks, runner: R) -> Self {
        let runner = Arc::new(runner);
        let turns = Arc::new(Semaphore::new((config.lanes / 2).max(1)));
        let lane = |_| {
            let (sender, receiver) = mpsc::channel(config.capacity.max(1));
            let (runner, turns) = (runner.clone(), turns.clone());
            let worker = worker::Worker::new(receiver, runner, turns, config, tasks);
            tasks.spawn("lane", worker.work());
            sender
        };
        Self((0..config.lanes.max(1)).map(lane).collect())
    }

    /// Has `item` decided in some transaction of the lane of (tenant, `key`) and answers its outcome.
    ///
    /// RESOURCE_EXHAUSTED at once where the lane is full; DEADLINE_EXCEEDED, and nothing done, where the deadline of
    /// `call` passes before the item's turn; UNAVAILABLE where the process is stopping.
    pub async fn submit(&self, call: &Call, key: impl Hash, item: R::Item) -> Outcome<R::Output> {
        let hash = foldhash::fast::FixedState::default().hash_one((&call.tenant, key));
        let lanes = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        let lane = usize::try_from(hash % lanes).unwrap_or(0);
        let (reply, answer) = oneshot::channel();
        let job = Job { tenant: call.tenant.clone(), deadline: call.deadline, item, reply };
        self.0[lane].try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                Fault::overloaded("the queue of this kind of write is full")
            }
            mpsc::error::TrySendError::Closed(_) => Fault::shutting_down(),
        })?;
        answer.await.unwrap_or_else(|_| Err(Fault::internal("a lane ended without an answer")))
    }

    /// Items that wait, in all lanes.
    pub fn waiting(&self) -> usize {
        self.0.iter().map(|lane| lane.max_capacity() - lane.capacity()).sum()
    }
}

#[cfg(test)]
mod tests;
