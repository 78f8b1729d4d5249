//! The way of a redemption: queue, batch, transaction, answer.

mod batch;
mod look;
mod stand;
mod usable;
mod usage;

use std::sync::{Arc, OnceLock, Weak};

use jiff::Timestamp;
use tandem_kernel::code::Typed;
use tandem_platform::idempotency::Request;
use tandem_platform::lanes::{self, Group, Lanes, LanesConfig, Runner};
use tandem_platform::{Call, Fault, Outcome};
use uuid::Uuid;

use super::guesses::{Guesser, Guesses, Leave};
use super::{Answer, CodeOutcome, Command, MAX_CODES, Refused, Take, What};
use crate::App;
use crate::config::RedemptionConfig;
use crate::voucher::formats;

pub use super::Standing;
pub use look::{Validated, validate};
pub use stand::{Question, standing};
pub use usable::{Rank, Usable, usable};
pub use usage::usage;

/// What redemptions need beside the database: their lanes, and who guesses codes.
pub struct Redemptions {
    lanes: OnceLock<Lanes<Redeemer>>,
    /// Of baskets that take long to price: one at a time, in a transaction of its own.
    long_lane: OnceLock<Lanes<Redeemer>>,
    /// The unknown codes that were tried lately.
    pub guesses: Guesses,
}

impl std::fmt::Debug for Redemptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redemptions").finish_non_exhaustive()
    }
}

impl Redemptions {
    /// Nothing runs before the first call.
    pub fn new(config: &RedemptionConfig) -> Self {
        Self {
            lanes: OnceLock::new(),
            long_lane: OnceLock::new(),
            guesses: Guesses::new(config.guesses_per_minute),
        }
    }

    /// Says which of its codes a command may look up: those of a quote always, those on a plain basket unless too many were
    /// guessed. Decided with the batch, because a call that was answered before is answered the same.
    fn judge(&self, call: &Call, command: &mut Command, now: Timestamp) -> Option<(Guesser, Leave)> {
        let Command::Take(Take { what: What::Plain(plain), person, .. }) = command else { return None };
        let guesser = self.guesses.guesser(call, person, &plain.client_id);
        plain.leave = self.guesses.leave(&guesser, now);
        Some((guesser, plain.leave))
    }

    fn lanes(&self, app: &Arc<App>) -> &Lanes<Redeemer> {
        self.lanes.get_or_init(|| {
            let config = &app.config.redemption;
            let config = LanesConfig {
                // One more than there are cores, because one of them always waits for the disk.
                lanes: app.db.writers(if config.lanes == 0 { lanes::cores() + 1 } else { config.lanes }),
                capacity: config.lane_capacity,
                max_batch: config.max_batch,
                tenants_per_transaction: config.tenants_per_transaction,
            };
            Lanes::start(&config, &app.tasks, Redeemer(Arc::downgrade(app)))
        })
    }

    fn long_lane(&self, app: &Arc<App>) -> &Lanes<Redeemer> {
        self.long_lane.get_or_init(|| {
            let config =
                LanesConfig { lanes: 1, capacity: LONG_CAPACITY, max_batch: 1, tenants_per_transaction: 1 };
            Lanes::start(&config, &app.tasks, Redeemer(Arc::downgrade(app)))
        })
    }
}

/// Baskets that may wait to be priced at length, each some ten milliseconds; one more is refused with
/// RESOURCE_EXHAUSTED.
const LONG_CAPACITY: usize = 64;

/// One call in its lane.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// `None` for our own tasks.
    pub request: Option<Request>,
    pub principal: Arc<str>,
    pub command: Arc<Command>,
    /// It has its transaction for itself.
    pub alone: bool,
}

impl Item {
    /// Whether it is to be decided once more, alone: nothing is final yet.
    pub fn goes_on(&self, refused: &Refused) -> bool {
        !self.alone && refused.is_unpriced()
    }
}

/// Decides batches. Holds the service weakly, which holds it.
#[derive(Debug)]
pub(super) struct Redeemer(Weak<App>);

impl Runner for Redeemer {
    type Item = Item;
    type Output = Result<Answer, Refused>;

    async fn run(&self, groups: &[Group<'_, Item>]) -> Outcome<Vec<Outcome<Self::Output>>> {
        let app = self.0.upgrade().ok_or_else(Fault::shutting_down)?;
        // Drawn before the transaction, so that a replay decides the same.
        let now = app.clock.now();
        let of_item = |item: &Item| fresh_ids(&app, now, &item.command);
        let ids: Vec<Vec<Vec<Uuid>>> =
            groups.iter().map(|group| group.items.iter().map(of_item).collect()).collect();
        batch::run(&app, groups, now, &ids).await
    }
}

fn fresh_ids(app: &App, now: jiff::Timestamp, command: &Command) -> Vec<Uuid> {
    let codes = match command {
        Command::Take(Take { what: What::Quote(quote), .. }) => quote.codes.len(),
        Command::Take(Take { what: What::Plain(plain), .. }) => plain.codes.len().min(MAX_CODES),
        _ => 0,
    };
    (0..codes).map(|_| app.ids.next(now)).collect()
}

/// Has a command decided, in some batch of its lane. A refusal is FAILED_PRECONDITION with a violation per code, and
/// changes nothing.
pub async fn decide(
    app: &Arc<App>,
    call: &Call,
    request: Option<Request>,
    mut command: Command,
) -> Outcome<Answer> {
    if let Command::Take(Take { what: What::Plain(plain), .. }) = &mut command {
        formats::rule_out(app, &call.tenant, &mut plain.codes).await?;
    }
    let guesser = app.redemptions.judge(call, &mut command, app.clock.now());
    let lane = contention(&command);
    let item = Item { request, principal: call.principal.clone(), command: Arc::new(command), alone: false };
    let mut decided = app.redemptions.lanes(app).submit(call, lane.clone(), item.clone()).await?;
    if decided.as_ref().is_err_and(|refused| item.goes_on(refused)) {
        let item = Item { alone: true, ..item };
        decided = app.redemptions.long_lane(app).submit(call, lane, item).await?;
    }
    if let Some((guesser, leave)) = guesser {
        let codes = match &decided {
            Ok(Answer::Taken(taken)) => taken.codes.as_slice(),
            Ok(_) => &[],
            Err(refused) => refused.codes.as_slice(),
        };
        let guesses = leave.guesses(codes.iter().filter_map(CodeOutcome::looked_up));
        app.redemptions.guesses.count(&guesser, guesses, app.clock.now());
    }
    decided.map_err(Fault::from)
}

/// What a command will contend for: of a quote the incentive of its first code, whose counters are shared by all its
/// codes; of a plain basket its smallest code; else the order.
fn contention(command: &Command) -> String {
    match command {
        Command::Take(take) => {
            let first = match &take.what {
                What::Quote(quote) => quote.codes.first().map(|sealed| sealed.incentive.clone()),
                What::Plain(plain) => plain.codes.iter().map(Typed::folded).min().map(str::to_owned),
                What::Held => None,
            };
            first.unwrap_or_else(|| take.order.clone())
        }
        Command::Release { order, .. } | Command::Expire { order } => order.clone(),
        Command::RollBack(roll_back) => roll_back.order.clone(),
        Command::Disable { code } => code.clone(),
    }
}
