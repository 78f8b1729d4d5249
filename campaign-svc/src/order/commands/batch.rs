//! One transaction over a batch, tenant by tenant: look up, lock, load, decide, write back, claim.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tandem_kernel::limits::CounterKey;
use tandem_platform::db::{Write, Writes};
use tandem_platform::idempotency::{self, Claimed, Recalled, Request};
use tandem_platform::lanes::Group;
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Fault, Outcome, Tenant, Tx, transact};
use uuid::Uuid;

use super::super::decide::{self, Change, Command, Setting, World};
use super::super::{Order, Refusal, State, events};
use super::super::{store, watched};
use super::{Item, hidden, left_alone, limits};
use crate::App;
use crate::pricing::near;

type Decided = Result<Arc<Order>, Refusal>;

/// Decides `groups`, one after the other. `fresh` are ids, drawn per item.
pub(super) async fn run(
    app: &App,
    groups: &[Group<'_, Item>],
    now: Timestamp,
    fresh: &[Vec<[Uuid; 2]>],
) -> Outcome<Vec<Outcome<Decided>>> {
    transact!(app.db, |tx| {
        let mut answers = Vec::new();
        for (group, fresh) in groups.iter().zip(fresh) {
            answers.extend(run_one(app, tx, *group, now, fresh).await?);
        }
        Ok(answers)
    })
}

async fn run_one(
    app: &App,
    tx: &mut Tx,
    Group { tenant, items }: Group<'_, Item>,
    now: Timestamp,
    fresh: &[[Uuid; 2]],
) -> Outcome<Vec<Outcome<Decided>>> {
    let mut outcomes = look_up(tx, tenant, items).await?;
    let open: Vec<usize> = (0..items.len()).filter(|at| outcomes[*at].is_none()).collect();
    let mut commands: Vec<Command> = open.iter().map(|at| items[*at].command.clone()).collect();
    let mut world = load(app, tx, tenant, now, &mut commands).await?;
    for (at, command) in open.iter().zip(&commands) {
        let item = &items[*at];
        let caller = item.request.as_ref().map(|request| (request.id.clone(), request.hash));
        let item = decide::Item { index: *at, caller, principal: &item.principal, fresh: fresh[*at] };
        outcomes[*at] = Some(Settled::Fresh(decide::decide(&mut world, &item, command)));
    }
    repeat_late(tx, tenant, items, &mut outcomes, &world).await?;
    confirm(tx, tenant, items, &outcomes, &world).await?;
    let mut writes = Writes::of(tenant);
    write_back(app, tx, &mut writes, &world).await?;
    writes.push(events_of(app, tenant, items, &world));
    writes.push(idempotency::store_many(done(items, &outcomes, &world)?, now));
    writes.run(tx).await?;
    Ok(idempotency::answers(outcomes))
}

type Settled = idempotency::Settled<Decided>;

/// An answer as it is stored with its request.
#[derive(Debug, Serialize, Deserialize)]
enum Stored {
    /// Committed: all the rest stands in the order of this id, which had this version then.
    #[serde(rename = "c")]
    Committed(String, i64),
    #[serde(rename = "o")]
    Order(Arc<Order>),
}

/// Finds the answers that were given before; items without an outcome are to be decided. What relationship-svc has
/// answered always is, whatever is stored.
async fn look_up(tx: &mut Tx, tenant: &Tenant, items: &[Item]) -> Outcome<Vec<Option<Settled>>> {
    let settling: HashSet<&Request> =
        items.iter().filter(|item| item.settles()).filter_map(|item| item.request.as_ref()).collect();
    let asked = |item: &'_ &Item| !item.settles();
    let requests: Vec<Option<&Request>> =
        items.iter().map(|item| Some(item).filter(asked).and_then(|item| item.request.as_ref())).collect();
    let mut outcomes = Vec::with_capacity(items.len());
    for (request, recalled) in requests.iter().zip(idempotency::recall(tx, tenant, &requests).await?) {
        outcomes.push(match recalled {
            // The answer that its step waits for is in this very batch: the caller comes back when it is written down.
            Recalled::Fresh if request.is_some_and(|request| settling.contains(request)) => {
                Some(Settled::Fresh(Err(Refusal::Underway)))
            }
            Recalled::Fresh => None,
            Recalled::Repeat(stored) => Some(Settled::Repeat(Ok(restore(tx, tenant, &stored).await?))),
            Recalled::Same(first) => Some(Settled::Same(first)),
            Recalled::Reused => Some(Settled::Reused),
        });
    }
    Ok(outcomes)
}

/// The answer that was given before.
async fn restore(tx: &mut Tx, tenant: &Tenant, stored: &str) -> Outcome<Arc<Order>> {
    let (id, version) = match idempotency::outcome_of(stored)? {
        Stored::Order(order) => return Ok(order),
        Stored::Committed(id, version) => (id, version),
    };
    let order = store::find(tx, tenant, &id).await?;
    let mut order = order.ok_or_else(|| Fault::internal("a stored order is gone"))?;
    // As it was then, whatever has come back meanwhile.
    (order.state, order.version) = (State::Committed, version);
    order.updated = order.committed.unwrap_or(order.created);
    (order.pending, order.replaced_by) = (None, None);
    let sold = Arc::make_mut(&mut order.sold);
    sold.lines.iter_mut().for_each(|line| line.back = 0);
    sold.refunds.clear();
    sold.charges.iter_mut().for_each(|charge| (charge.returned, charge.restored) = (0, false));
    Ok(Arc::new(order))
}

/// Locks and loads everything that the commands may touch, in lock order.
async fn load(
    app: &App,
    tx: &mut Tx,
    tenant: &Tenant,
    now: Timestamp,
    commands: &mut [Command],
) -> Outcome<World> {
    let hold_max = SignedDuration::from_secs(app.config.order.hold_max_s.into());
    let tracks = app.orders.tracks.of_tenant(tenant);
    let beside = hidden::hide(app, tx, tenant, commands).await?;
    let mut world = World::new(Setting { now, hold_max, tracks, beside });
    let wanted = wanted(commands);
    if wanted.is_empty() {
        return Ok(world);
    }
    for order in store::lock_many(tx, tenant, &wanted).await? {
        world.load(order);
    }
    world.terms = limits::load(app, tx, tenant, now, commands).await?;
    commands.iter_mut().for_each(|command| decide::place(&mut world, command));
    world.ledger.lock(tx, tenant).await?;
    world.setting.tracks.catch_up(tx, &world.ledger)?;
    let own: Vec<Uuid> = world.orders().map(|order| order.holder).collect();
    world.ledger.load_claims(tx, tenant, &(), &own, now).await?;
    Ok(world)
}

/// The orders that the commands touch, and those of them that they bring along.
fn wanted(commands: &[Command]) -> BTreeMap<&str, Option<&Arc<Order>>> {
    let mut wanted: BTreeMap<&str, Option<&Arc<Order>>> =
        commands.iter().flat_map(decide::orders).map(|id| (id, None)).collect();
    let known = commands.iter().filter_map(decide::known);
    wanted.extend(known.map(|order| (order.id.as_str(), Some(order))));
    wanted
}

/// Has an answer of relationship-svc that came second say what the first has written down for the same call, whatever has
/// become of the order since.
async fn repeat_late(
    tx: &mut Tx,
    tenant: &Tenant,
    items: &[Item],
    outcomes: &mut [Option<Settled>],
    world: &World,
) -> Outcome<()> {
    let late = |item: &'_ Item| match &item.command {
        Command::Settle(settle) => !world.had_open(&settle.order.id, settle.attempt),
        _ => false,
    };
    let late = items.iter().enumerate().filter(|(_, item)| late(item));
    let late: Vec<(usize, &Request)> =
        late.filter_map(|(at, item)| Some((at, item.request.as_ref()?))).collect();
    let requests: Vec<&Request> = late.iter().map(|(_, request)| *request).collect();
    let claims = idempotency::look_up_many(tx, tenant, &requests).await?;
    for ((at, _), claimed) in late.into_iter().zip(claims) {
        if let Claimed::Repeat(stored) = claimed {
            outcomes[at] = Some(Settled::Repeat(Ok(restore(tx, tenant, &stored).await?)));
        }
    }
    Ok(())
}

/// Looks again at what was refused, and at what begins a step of an order that was there. Orders that do not exist and
/// requests were read before the locks; while this transaction waited for them, the very same call may have been done by
/// another one: its use may be the one that is missing now, and what it did must not be begun again. Then the transaction
/// is replayed and finds it. Of an order that two make, the second cannot be inserted.
async fn confirm(
    tx: &mut Tx,
    tenant: &Tenant,
    items: &[Item],
    outcomes: &[Option<Settled>],
    world: &World,
) -> Outcome<()> {
    let doubtful = |one: &Option<Settled>| match one {
        Some(Settled::Fresh(Err(_))) => true,
        Some(Settled::Fresh(Ok(order))) => order.pending.is_some() && world.was_loaded(&order.id),
        _ => false,
    };
    let doubtful = items.iter().zip(outcomes).filter(|(item, one)| !item.settles() && doubtful(one));
    let doubtful: Vec<&Item> = doubtful.map(|(item, _)| item).collect();
    if doubtful.is_empty() {
        return Ok(());
    }
    let requests: Vec<&Request> = doubtful.iter().filter_map(|item| item.request.as_ref()).collect();
    let claims = idempotency::look_up_many(tx, tenant, &requests).await?;
    let unknown: Vec<String> = doubtful
        .iter()
        .flat_map(|item| decide::orders(&item.command))
        .filter(|id| !world.was_loaded(id))
        .map(str::to_owned)
        .collect();
    // Nothing of this batch is written yet.
    let appeared = !unknown.is_empty() && store::any_of(tx, tenant, unknown).await?;
    if appeared || claims.iter().any(|claim| *claim != Claimed::Fresh) {
        tx.replay();
        return Err(Fault::contention());
    }
    Ok(())
}

/// Writes back what the decisions have changed, one write per table.
async fn write_back(app: &App, tx: &mut Tx, writes: &mut Writes<'_>, world: &World) -> Outcome<()> {
    world.ledger.write_back(tx, writes, &()).await?;
    let near: Vec<&CounterKey> = watched::near(&world.ledger, &world.refused).collect();
    writes.push(near::mark(&near, world.setting.now));
    write_orders(app, writes, world)
}

fn write_orders(app: &App, writes: &mut Writes<'_>, world: &World) -> Outcome<()> {
    let (mut made, mut changed, mut moved) = (Vec::new(), Vec::new(), Vec::new());
    let (mut begun, mut ended) = (Vec::new(), Vec::new());
    for Change { from, to } in world.changes() {
        let written = match from {
            None => &mut made,
            Some(from) if Arc::ptr_eq(&from.sold, &to.sold) && from.person == to.person => &mut moved,
            Some(_) => &mut changed,
        };
        written.push(to);
        match (from.and_then(|from| from.pending.as_ref()), &to.pending) {
            (Some(was), Some(is)) if was.attempt == is.attempt => {}
            (_, Some(pending)) => begun.push((to.id.as_str(), pending)),
            (Some(_), None) => ended.push(to.id.as_str()),
            (None, None) => {}
        }
    }
    // Two replicas that make the same orders wait for each other in one direction only.
    made.sort_unstable_by(|a: &&Order, b| a.id.cmp(&b.id));
    writes.push(store::update(&changed)?);
    writes.push(store::move_on(&moved));
    writes.push(store::insert(&made)?);
    writes.push(store::step::delete(&ended));
    writes.push(store::step::write(&begun, left_alone(app, world.setting.now))?);
    Ok(())
}

/// The events of the batch, each on behalf of its own caller.
fn events_of(app: &App, tenant: &Tenant, items: &[Item], world: &World) -> Option<Write> {
    let (first, _) = world.happened.first()?;
    let call = Call::of(tenant.clone(), items[*first].principal.clone());
    let mut batch = Batch::new(&call, &*app.ids, world.setting.now);
    for (item, happened) in &world.happened {
        batch.push_as(&items[*item].principal, events::of(happened));
    }
    outbox::write(batch)
}

/// The outcomes to be stored with their requests. A refused request leaves nothing, so that it may be judged anew; one with an
/// open step is stored when the step ends.
fn done<'i>(
    items: &'i [Item],
    outcomes: &[Option<Settled>],
    world: &World,
) -> Outcome<Vec<(&'i Request, String)>> {
    let mut done: Vec<(&Request, String)> = Vec::with_capacity(items.len());
    let mut closed: HashSet<&Request> = HashSet::with_capacity(items.len());
    for (item, outcome) in items.iter().zip(outcomes) {
        // An answer that came second says nothing about the call whose step it answers.
        let ended = match &item.command {
            Command::Settle(settle) => world.had_open(&settle.order.id, settle.attempt),
            _ => true,
        };
        if let (Some(request), Some(Settled::Fresh(Ok(order)))) = (&item.request, outcome)
            && ended
            && order.pending.is_none()
            && order.state != State::Refused
            && closed.insert(request)
        {
            let stored = match order.state {
                State::Committed => Stored::Committed(order.id.clone(), order.version),
                _ => Stored::Order(order.clone()),
            };
            done.push((request, idempotency::to_json(&stored)?));
        }
    }
    Ok(done)
}
