//! One transaction over a batch, tenant by tenant: look up, lock, load, decide, write back, claim.

use std::sync::Arc;

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tandem_kernel::work::Work;
use tandem_platform::db::{Session, Write, Writes};
use tandem_platform::idempotency::{self, Claimed, Recalled, Request};
use tandem_platform::lanes::Group;
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Fault, Outcome, Tenant, Tx, heavy, transact};
use uuid::Uuid;

use super::super::decide::{self, Plan};
use super::super::world::{Setting, World, distinct};
use super::super::{
    Answer, CodeOutcome, Command, Person, Refused, Shared, State, Take, Taken, Terms, events, store,
};
use super::Item;
use crate::App;
use crate::customer::alias::Known;
use crate::customer::store::alias;
use crate::settings::InForce;
use crate::voucher;

type Decided = Result<Answer, Refused>;

/// Decides `groups`, one after the other. `ids` are fresh, drawn per item.
pub(super) async fn run(
    app: &App,
    groups: &[Group<'_, Item>],
    now: Timestamp,
    ids: &[Vec<Vec<Uuid>>],
) -> Outcome<Vec<Outcome<Decided>>> {
    let tenants = groups.iter().map(|group| app.tenancy.of(app, group.tenant));
    let settings = try_join_all(tenants).await?;
    transact!(app.db, |tx| {
        let mut answers = Vec::new();
        for ((group, ids), settings) in groups.iter().zip(ids).zip(&settings) {
            let setting = setting(app, group.tenant, settings, now);
            answers.extend(run_one(app, tx, *group, setting, ids).await?);
        }
        Ok(answers)
    })
}

async fn run_one(
    app: &App,
    tx: &mut Tx,
    Group { tenant, items }: Group<'_, Item>,
    setting: Setting,
    ids: &[Vec<Uuid>],
) -> Outcome<Vec<Outcome<Decided>>> {
    let now = setting.now;
    let mut outcomes = look_up(tx, tenant, items).await?;
    let fresh: Vec<usize> = (0..items.len()).filter(|at| outcomes[*at].is_none()).collect();
    let commands: Vec<&Command> = fresh.iter().map(|at| &*items[*at].command).collect();
    let (mut world, plans) = load(app, tx, tenant, setting, &commands).await?;
    for (at, plan) in fresh.iter().zip(&plans) {
        let decided = decided(&mut world, *at, &items[*at], plan, &ids[*at]);
        outcomes[*at] = Some(Settled::Fresh(decided));
    }
    confirm_refusals(tx, tenant, items, &outcomes, &world).await?;
    let mut writes = Writes::of(tenant);
    write_back(tx, &mut writes, &world).await?;
    writes.push(events_of(app, tenant, items, &world));
    writes.push(idempotency::store_many(done(items, &outcomes)?, now));
    writes.run(tx).await?;
    Ok(idempotency::answers(outcomes))
}

/// An item among others has a small allowance of work; one that has its transaction for itself has all there is, and
/// other calls are served by another thread meanwhile.
fn decided(world: &mut World, at: usize, item: &Item, plan: &Plan<'_>, ids: &[Uuid]) -> Decided {
    let mut decide =
        |allowance| decide::decide(world, at, &item.command, plan, ids, &mut Work::new(allowance));
    if item.alone { heavy::in_place(|| decide(decide::BASKET)) } else { decide(decide::AT_ONCE) }
}

pub(super) fn setting(app: &App, tenant: &Tenant, settings: &InForce, now: Timestamp) -> Setting {
    Setting {
        now,
        tenant: tenant.clone(),
        people: app.people.clone(),
        zone: settings.zone.rules().clone(),
        tracks: app.tracks.of_tenant(tenant),
        restored: settings.restored,
        hold_max: SignedDuration::from_secs(app.config.redemption.hold_max_s.into()),
    }
}

type Settled = idempotency::Settled<Decided>;

/// What was decided, as it is stored with its request.
#[derive(Debug, Serialize, Deserialize)]
enum Stored {
    /// Redeemed afresh and without a refusal: all the rest stands in the redemptions with these ids.
    #[serde(rename = "r")]
    Redeemed(Vec<Uuid>),
    #[serde(rename = "a")]
    Answer(Box<Answer>),
    /// Of a conclusive request only.
    #[serde(rename = "f")]
    Refused(Refused),
}

/// Finds the answers that were given before; items without an outcome are to be decided.
async fn look_up(tx: &mut Tx, tenant: &Tenant, items: &[Item]) -> Outcome<Vec<Option<Settled>>> {
    let requests: Vec<Option<&Request>> = items.iter().map(|item| item.request.as_ref()).collect();
    let mut outcomes = Vec::with_capacity(items.len());
    for recalled in idempotency::recall(tx, tenant, &requests).await? {
        outcomes.push(match recalled {
            Recalled::Fresh => None,
            Recalled::Repeat(stored) => Some(Settled::Repeat(restore(tx, tenant, &stored).await?)),
            Recalled::Same(first) => Some(Settled::Same(first)),
            Recalled::Reused => Some(Settled::Reused),
        });
    }
    Ok(outcomes)
}

/// What was answered before.
async fn restore(tx: &mut Tx, tenant: &Tenant, stored: &str) -> Outcome<Decided> {
    let ids = match idempotency::outcome_of(stored)? {
        Stored::Answer(answer) => return Ok(Ok(*answer)),
        Stored::Refused(refused) => return Ok(Err(refused)),
        Stored::Redeemed(ids) => ids,
    };
    let mut redemptions = store::find_many(tx, tenant, &ids).await?;
    redemptions.sort_by_key(|one| ids.iter().position(|id| *id == one.id));
    let mut taken = Taken::default();
    for mut redemption in redemptions {
        // As it was then, whatever has come back meanwhile.
        (redemption.state, redemption.returned, redemption.version) = (State::Redeemed, 0, 1);
        redemption.updated = redemption.created;
        redemption.details.use_restored = false;
        redemption.details.lines.iter_mut().for_each(|share| share.back = 0);
        taken.codes.push(CodeOutcome::accepted(redemption.code.as_str(), redemption.amount));
        taken.redemptions.push(Shared(Arc::new(redemption)));
    }
    Ok(Ok(Answer::Taken(taken)))
}

fn stored(answer: &Answer) -> Outcome<String> {
    if let Answer::Taken(taken) = answer
        && taken.codes.len() == taken.redemptions.len()
        && taken.redemptions.iter().all(|one| one.0.version == 1 && one.0.state == State::Redeemed)
    {
        let ids = taken.redemptions.iter().map(|one| one.0.id).collect();
        return idempotency::to_json(&Stored::Redeemed(ids));
    }
    idempotency::to_json(&Stored::Answer(Box::new(answer.clone())))
}

/// Locks and loads everything that the commands may touch, in lock order.
async fn load<'i>(
    app: &App,
    tx: &mut Tx,
    tenant: &Tenant,
    setting: Setting,
    commands: &[&'i Command],
) -> Outcome<(World, Vec<Plan<'i>>)> {
    let mut world = World::new(setting);
    if commands.is_empty() {
        return Ok((world, Vec::new()));
    }
    let mut orders: Vec<String> =
        commands.iter().flat_map(|one| decide::orders(one)).map(str::to_owned).collect();
    let ended: Vec<String> = commands.iter().filter_map(|one| disabled_code(one)).collect();
    if !ended.is_empty() {
        orders.extend(store::orders_holding(tx, tenant, &ended).await?);
    }
    if !orders.is_empty() {
        world.load_redemptions(store::lock_orders(tx, tenant, distinct(orders)).await?);
    }
    let mut codes = Vec::with_capacity(commands.len());
    commands.iter().for_each(|command| decide::codes(command, &mut codes));
    codes.extend(world.codes_that_may_change());
    let mut codes = distinct(codes);
    codes.sort_unstable();
    world.load_vouchers(voucher::store::lock_many(tx, tenant, codes).await?);
    let wanted = decide::incentives(&world);
    if !wanted.is_empty() {
        let (current, merged) = app.definitions.current_and_merged(tx, tenant, &wanted).await?;
        if merged {
            world.names = names(tx, tenant, &world, commands).await?;
        }
        world.terms = current.into_iter().map(|(id, ready)| (id, Arc::new(Terms::of(ready)))).collect();
    }
    let plans = commands.iter().map(|command| decide::plan(&mut world, command)).collect();
    decide::reach_of_redemptions(&mut world);
    world.ledger.lock(tx, tenant).await?;
    world.setting.tracks.catch_up(tx, &world.ledger)?;
    world.load_claims(tx, tenant).await?;
    Ok((world, plans))
}

/// Who counts for the people that commands are about and whose redemptions were read.
pub(super) async fn names(
    session: &mut impl Session,
    tenant: &Tenant,
    world: &World,
    commands: &[&Command],
) -> Outcome<Known> {
    let takers = commands.iter().filter_map(|command| match command {
        Command::Take(take) => Some(&take.person),
        _ => None,
    });
    let people: Vec<&Person> =
        takers.chain(world.redemptions.iter().map(|slot| &slot.current.person)).collect();
    let mut customers = distinct(people.iter().filter_map(|person| person.customer.clone()));
    // Who was erased stands, hidden, for whoever they were merged into.
    let hidden = customers.iter().map(|id| world.setting.people.pseudonym(tenant.as_str(), id));
    customers.extend(hidden.collect::<Vec<_>>());
    let guests = people.iter().filter(|person| person.customer.is_none());
    let guests = distinct(guests.filter_map(|person| person.guest.clone()));
    alias::known(session, tenant, customers, guests).await
}

fn disabled_code(command: &Command) -> Option<String> {
    match command {
        Command::Disable { code } => Some(code.clone()),
        _ => None,
    }
}

/// Looks again at what was refused. The order and the request were read before the locks; while this transaction waited
/// for a voucher or a counter, the very same call may have been done by another one, and its use may be the one that is
/// missing now. Then the transaction is replayed and finds it.
async fn confirm_refusals(
    tx: &mut Tx,
    tenant: &Tenant,
    items: &[Item],
    outcomes: &[Option<Settled>],
    world: &World,
) -> Outcome<()> {
    let is_refused = |item: &Item, outcome: &Option<Settled>| match outcome {
        Some(Settled::Fresh(Err(refused))) => !item.goes_on(refused),
        _ => false,
    };
    let refused = items.iter().zip(outcomes).filter(|(item, outcome)| is_refused(item, outcome));
    let refused: Vec<&Item> = refused.map(|(item, _)| item).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let requests: Vec<&Request> = refused.iter().filter_map(|item| item.request.as_ref()).collect();
    let claims = idempotency::look_up_many(tx, tenant, &requests).await?;
    let orders = distinct(refused.iter().flat_map(|item| decide::orders(&item.command)).map(str::to_owned));
    let counts = store::count_orders(tx, tenant, orders).await?;
    // Nothing of this batch is written yet.
    let grown = counts.iter().any(|(order, count)| *count > world.loaded_ordinals(order));
    if grown || claims.iter().any(|claim| *claim != Claimed::Fresh) {
        tx.replay();
        return Err(Fault::contention());
    }
    Ok(())
}

/// Writes back what the decisions have changed, one write per table.
async fn write_back(tx: &mut Tx, writes: &mut Writes<'_>, world: &World) -> Outcome<()> {
    world.ledger.write_back(tx, writes, &world.vouchers).await?;
    let used = world.vouchers.slots.iter().filter(|slot| slot.voucher.usage != slot.loaded);
    let used: Vec<_> = used.map(|slot| (slot.voucher.code.as_str(), slot.voucher.usage)).collect();
    writes.push(voucher::store::save_usage(&used));

    let (mut changed, mut added) = (Vec::new(), Vec::new());
    for slot in &world.redemptions {
        match &slot.loaded {
            Some(loaded) if !Arc::ptr_eq(loaded, &slot.current) => changed.push(&*slot.current),
            None => added.push(&*slot.current),
            _ => {}
        }
    }
    writes.push(store::update(&changed)?);
    writes.push(store::insert(&added)?);
    Ok(())
}

/// The events of the batch, each on behalf of its own caller.
fn events_of(app: &App, tenant: &Tenant, items: &[Item], world: &World) -> Option<Write> {
    let (first, _) = world.happened.first()?;
    let call = Call::of(tenant.clone(), items[*first].principal.clone());
    let mut batch = Batch::new(&call, &*app.ids, world.now());
    for (item, happened) in &world.happened {
        batch.push_as(&items[*item].principal, events::of(happened));
    }
    outbox::write(batch)
}

/// The outcomes to be stored with their requests. A refused request leaves nothing, so that it may be judged anew, unless it is
/// conclusive: whoever acts on its refusal must be sure that no late repetition of it is accepted.
fn done<'i>(items: &'i [Item], outcomes: &[Option<Settled>]) -> Outcome<Vec<(&'i Request, String)>> {
    let mut done = Vec::with_capacity(items.len());
    for (item, outcome) in items.iter().zip(outcomes) {
        let (Some(request), Some(Settled::Fresh(decided))) = (&item.request, outcome) else { continue };
        match decided {
            Ok(answer) => done.push((request, stored(answer)?)),
            Err(refused) if is_conclusive(&item.command) && !item.goes_on(refused) => {
                done.push((request, idempotency::to_json(&Stored::Refused(refused.clone()))?));
            }
            Err(_) => {}
        }
    }
    Ok(done)
}

fn is_conclusive(command: &Command) -> bool {
    matches!(command, Command::Take(Take { conclusive: true, .. }))
}
