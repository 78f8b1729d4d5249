//! The way of an order: written down in a batch of its lane, asked of relationship-svc where there are codes, written
//! down again.

mod batch;
mod hidden;
mod limits;
mod own;
mod settled;

use std::sync::{Arc, OnceLock, Weak};

use jiff::{SignedDuration, Timestamp};
use tandem_platform::counters::tracks::Known;
use tandem_platform::idempotency::Request;
use tandem_platform::lanes::{self, Group, Lanes, LanesConfig, Runner};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::service::Asked;
use tandem_platform::{Call, Fault, Kind, Outcome, Tenant, transact};
use tandem_proto::campaign::v1::ErrorReason;
use uuid::Uuid;

use super::decide::{Command, Settle, Verdict};
use super::remote::Said;
use super::{Order, Pending, Refusal, Sold, Step, events, remote, store, terms};
use crate::App;

pub use own::own;
pub use settled::forget_what_is_over;

/// What orders need beside the database: their lanes, and the limits of revisions.
#[derive(Default)]
pub struct Orders {
    lanes: OnceLock<Lanes<Orderer>>,
    revisions: terms::Revisions,
    /// Offers and campaigns whose uses are counted in more than their limits ask for.
    tracks: Arc<Known>,
}

impl std::fmt::Debug for Orders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Orders").finish_non_exhaustive()
    }
}

impl Orders {
    fn lanes(&self, app: &Arc<App>) -> &Lanes<Orderer> {
        self.lanes.get_or_init(|| {
            let config = &app.config.order.lanes;
            // One more than there are cores, because one of them always waits for the disk.
            let wanted = if config.lanes == 0 { lanes::cores() + 1 } else { config.lanes };
            let config = LanesConfig { lanes: app.db.writers(wanted), ..config.clone() };
            Lanes::start(&config, &app.tasks, Orderer(Arc::downgrade(app)))
        })
    }
}

/// One step of one order in its lane.
#[derive(Debug)]
struct Item {
    /// Whose outcome is stored with the step; `None` for our own tasks.
    request: Option<Request>,
    principal: Arc<str>,
    command: Command,
}

impl Item {
    /// It brings an answer of relationship-svc. Such an item is always decided: whether its step is still open says what
    /// it is worth.
    fn settles(&self) -> bool {
        matches!(self.command, Command::Settle(_))
    }
}

/// Decides batches. Holds the service weakly, which holds it.
#[derive(Debug)]
struct Orderer(Weak<App>);

impl Runner for Orderer {
    type Item = Item;
    type Output = Result<Arc<Order>, Refusal>;

    async fn run(&self, groups: &[Group<'_, Item>]) -> Outcome<Vec<Outcome<Self::Output>>> {
        let app = self.0.upgrade().ok_or_else(Fault::shutting_down)?;
        // Drawn before the transaction, so that a replay decides the same.
        let now = app.clock.now();
        let two = |_: &Item| [app.ids.next(now), app.ids.next(now)];
        let fresh: Vec<Vec<[Uuid; 2]>> = groups.iter().map(|of| of.items.iter().map(two).collect()).collect();
        batch::run(&app, groups, now, &fresh).await
    }
}

/// Does what `command` asks for, on both sides.
///
/// # Errors
/// FAILED_PRECONDITION where this service or relationship-svc refuses; then nothing is counted anywhere. UNAVAILABLE
/// `ORDER_PENDING` where relationship-svc has not answered: the order goes on by itself, and the same call may be sent
/// again.
pub async fn order(app: Arc<App>, asked: Asked<Command>) -> Outcome<Arc<Order>> {
    let Asked { call, request, what: command } = asked;
    if !command.may_ask() {
        return Ok(submit(&app, &call, Some(request), command).await??);
    }
    let order = loop {
        match submit(&app, &call, Some(request.clone()), command.clone()).await? {
            // The next batch finds what this one has written down.
            Err(Refusal::Underway) => call.check_deadline()?,
            decided => break decided?,
        }
    };
    if order.pending.is_none() {
        return Ok(order);
    }
    // In a box of its own: the way to relationship-svc is long, and most orders do not take it.
    Box::pin(finish(&app, &call, order)).await
}

/// Ends a hold that has lapsed.
pub async fn expire(app: &Arc<App>, tenant: &Tenant, order: String) -> Outcome<()> {
    submit(app, &Call::system(tenant.as_str()), None, Command::Expire { order }).await??;
    Ok(())
}

/// Leases orders of any tenant whose open step is due, for as long as one try may take: (tenant, order, number of the
/// try). Nobody else looks after them meanwhile.
pub async fn lease(app: &App, limit: i64) -> Outcome<Vec<(String, String, i64)>> {
    let now = app.clock.now();
    if !store::step::any_due(&mut app.db.read().await?, now).await? {
        return Ok(Vec::new());
    }
    let until = left_alone(app, now);
    transact!(app.db, |tx| { store::step::lease(tx, now, until, limit).await })
}

/// Finishes the open step of an order that a crash or a cut left open. The try past the time that is set tells that the
/// order is stuck, once.
pub async fn resume(app: &Arc<App>, tenant: &Tenant, order: &str, tries: i64) -> Outcome<()> {
    let found = store::find(&mut app.db.read().await?, tenant, order).await?;
    let Some(order) = found else { return Ok(()) };
    let Some(pending) = &order.pending else { return Ok(()) };
    let call = Call::of(tenant.clone(), pending.principal.as_str().into());
    if tries == stuck_at(app) {
        tell_stuck(app, &call, &order, pending).await?;
    }
    finish(app, &call, Arc::new(order)).await.map(drop)
}

/// The number of the try from which on an order is stuck.
pub fn stuck_at(app: &App) -> i64 {
    (app.config.order.stuck_after_ms / app.config.order.retry_ms).max(1)
}

async fn tell_stuck(app: &App, call: &Call, order: &Order, pending: &Pending) -> Outcome<()> {
    let now = app.clock.now();
    let waited = now.duration_since(pending.since).as_secs();
    tracing::warn!(tenant = %call.tenant, order = order.id, waited_s = waited, "an order waits for relationship-svc");
    transact!(app.db, |tx| {
        let mut batch = Batch::new(call, &*app.ids, now);
        batch.push(events::stuck(order, waited));
        outbox::append(tx, batch).await
    })
}

/// Asks relationship-svc what the open step asks for, and writes its answer down.
async fn finish(app: &Arc<App>, call: &Call, order: Arc<Order>) -> Outcome<Arc<Order>> {
    let Some(pending) = &order.pending else { return Ok(order) };
    let said = remote::ask(app, call, &order, pending).await;
    let (verdict, refusal) = match said {
        Said::Done => (Verdict::Accepted, None),
        Said::Refused(fault) => (Verdict::Refused(fault.reason().to_owned()), Some(fault)),
        Said::Nothing => return Err(unanswered(&order)),
    };
    let (request, step) = (request_of(pending), pending.step);
    let settle = Settle { attempt: pending.attempt, order, verdict };
    let call = Call { deadline: None, ..call.clone() };
    let settled = submit(app, &call, request, Command::Settle(settle)).await??;
    match refusal {
        Some(fault) if matches!(step, Step::Hold | Step::Redeem) => Err(fault),
        _ if settled.pending.is_some() => Err(unanswered(&settled)),
        _ => Ok(settled),
    }
}

/// The call that waits for a step, so that its outcome is stored with it.
fn request_of(pending: &Pending) -> Option<Request> {
    let method = match pending.step {
        Step::Hold => "HoldOrder",
        Step::Redeem => "CommitOrder",
        Step::Release | Step::RollBack => "CancelOrder",
        Step::Return => "ReturnOrderLines",
    };
    let (id, hash) = pending.request.clone();
    (!id.is_empty()).then_some(Request { method, id, hash })
}

fn unanswered(order: &Order) -> Fault {
    let message = "relationship-svc has not answered yet: retry with the same request_id, or read the order";
    Fault::new(Kind::Unavailable, ErrorReason::OrderPending, message)
        .with("order", super::name(&order.id))
        .with("state", order.state.text())
}

async fn submit(
    app: &Arc<App>,
    call: &Call,
    request: Option<Request>,
    command: Command,
) -> Outcome<Result<Arc<Order>, Refusal>> {
    let lane = contention(&command);
    let item = Item { request, principal: call.principal.clone(), command };
    let decided = app.orders.lanes(app).submit(call, lane, item).await?;
    if decided.as_ref().is_err_and(|refusal| refusal.limit().is_some()) {
        // The caller quotes again at once: what is spent is to be known by then.
        app.spending.wake();
    }
    Ok(decided)
}

/// What a command will contend for, as far as it says so itself.
fn contention(command: &Command) -> String {
    match command {
        Command::Begin(begin) => lane(&begin.order, &begin.sold),
        Command::Settle(Settle { order, .. }) => lane(&order.id, &order.sold),
        Command::Cancel { order } | Command::Return { order, .. } | Command::Expire { order } => {
            order.clone()
        }
    }
}

/// The lane of an order: where the counters of its first offer's campaign are worked on, else its own.
fn lane(order: &str, sold: &Sold) -> String {
    let offer = sold.offers.first().and_then(|offer| terms::parts(&offer.source));
    offer.map_or(order, |(campaign, _)| campaign).to_owned()
}

/// How long somebody who has begun a step is left alone with it.
fn left_alone(app: &App, now: Timestamp) -> Timestamp {
    let patience = SignedDuration::from_millis(app.config.order.retry_ms);
    now.saturating_add(patience).unwrap_or(Timestamp::MAX)
}
