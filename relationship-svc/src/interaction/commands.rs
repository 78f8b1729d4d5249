//! The way of interactions: queue, batch, transaction, answer.

mod claim;
mod forget;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, Weak};

use jiff::Timestamp;
use tandem_platform::db::{Write, Writes};
use tandem_platform::lanes::{self, Group, Lanes, LanesConfig, Runner};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Core, Fault, Outcome, Tenant, Tx, transact};

use super::world::World;
pub use super::world::{Recorded, What};
use super::{Interaction, store};
use crate::App;
use crate::customer;
use crate::relationship::{self, Relationship, StageRules, Who, events};
pub use claim::claim;
pub use forget::forget;

/// Interactions that one place of a lane holds: of larger batches several places, in one lane.
const BLOCK: usize = 100;

/// What interactions need beside the database: their lanes.
#[derive(Default)]
pub struct Interactions(OnceLock<Lanes<Recorder>>);

impl std::fmt::Debug for Interactions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interactions").finish_non_exhaustive()
    }
}

impl Interactions {
    fn lanes(&self, app: &Arc<App>) -> &Lanes<Recorder> {
        self.0.get_or_init(|| {
            let config = &app.config.interaction;
            // One more than there are cores, because one of them always waits for the disk.
            let lanes = if config.lanes == 0 { lanes::cores() + 1 } else { config.lanes };
            let config = LanesConfig { lanes: app.db.writers(lanes), ..config.clone() };
            Lanes::start(&config, &app.tasks, Recorder(Arc::downgrade(app)))
        })
    }
}

/// Some interactions of one call, in their order.
type Item = Arc<Vec<What>>;

/// Decides batches. Holds the service weakly, which holds it.
#[derive(Debug)]
struct Recorder(Weak<App>);

impl Runner for Recorder {
    type Item = Item;
    type Output = Vec<Recorded>;

    async fn run(&self, groups: &[Group<'_, Item>]) -> Outcome<Vec<Outcome<Self::Output>>> {
        let app = self.0.upgrade().ok_or_else(Fault::shutting_down)?;
        // Drawn before the transaction, so that a replay decides the same.
        let now = app.clock.now();
        let mut rules = Vec::with_capacity(groups.len());
        for group in groups {
            rules.push(app.tenancy.of(&app, group.tenant).await?.stages);
        }
        transact!(app.db, |tx| {
            let mut answers = Vec::new();
            for (Group { tenant, items }, rules) in groups.iter().zip(&rules) {
                let sent: Vec<&[What]> = items.iter().map(|item| item.as_slice()).collect();
                answers.extend(take(&app, tx, tenant, &sent, rules, now).await?.into_iter().map(Ok));
            }
            Ok(answers)
        })
    }
}

/// Records interactions that were found right, in their order; answers what became of each. They are durable when it answers.
/// Interactions of one call go through one lane; where the database refuses a block each is tried by itself.
pub async fn record(app: &Arc<App>, call: &Call, sent: Vec<Interaction>) -> Outcome<Vec<Outcome<Recorded>>> {
    let Some(first) = sent.first() else { return Ok(Vec::new()) };
    let (lane, count) = (first.who.key(), sent.len());
    let mut rest = sent.into_iter().map(What::Sent).peekable();
    let mut blocks = Vec::with_capacity(count.div_ceil(BLOCK));
    while rest.peek().is_some() {
        blocks.push(Item::new(rest.by_ref().take(BLOCK).collect()));
    }
    let lanes = app.interactions.lanes(app);
    let submitted = blocks.iter().map(|item| lanes.submit(call, &lane, item.clone()));
    let mut answers = Vec::with_capacity(count);
    for (item, outcome) in blocks.iter().zip(futures::future::join_all(submitted).await) {
        match outcome {
            Ok(recorded) => answers.extend(decided(recorded)),
            Err(fault) if fault.is_statement_error() => {
                for one in item.iter() {
                    let alone = lanes.submit(call, &lane, Item::new(vec![one.clone()])).await;
                    answers.extend(alone.map_or_else(|fault| vec![Err(fault)], decided));
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(answers)
}

fn decided(recorded: Vec<Recorded>) -> Vec<Outcome<Recorded>> {
    recorded.into_iter().map(Ok).collect()
}

/// Takes in what several callers of a tenant send, in their order: locks, decides, writes back. The transaction is the
/// caller's.
pub async fn take(
    core: &Core,
    tx: &mut Tx,
    tenant: &Tenant,
    sent: &[&[What]],
    rules: &StageRules,
    now: Timestamp,
) -> Outcome<Vec<Vec<Recorded>>> {
    let all: Vec<&What> = sent.iter().copied().flatten().collect();
    let mut world = World::new(*rules, now);
    load(tx, tenant, &mut world, &all).await?;
    let decided = sent.iter().map(|some| some.iter().map(|one| world.decide(one)).collect()).collect();
    write_back(core, tx, tenant, world).await?;
    Ok(decided)
}

/// Locks and loads what the batch is about: orders, guests, customers.
async fn load(tx: &mut Tx, tenant: &Tenant, world: &mut World, all: &[&What]) -> Outcome<()> {
    let ids: BTreeSet<String> = all.iter().filter_map(|one| one.event_id()).collect();
    let orders: BTreeSet<String> = all.iter().filter_map(|one| one.order()).map(str::to_owned).collect();
    world.load_orders(store::order::lock(tx, tenant, orders.into_iter().collect()).await?);
    world.known = store::known(tx, tenant, ids.into_iter().collect()).await?.into_iter().collect();
    let mut people: BTreeSet<Who> = all.iter().map(|one| one.who().clone()).collect();
    people.extend(world.orders.values().map(|slot| slot.row.who.clone()));
    lock_people(tx, tenant, world, people).await?;
    let asked = all.iter().filter_map(|one| match one {
        What::Sent(Interaction { who: who @ Who::Customer(_), .. }) => {
            world.resolve(who).id().map(str::to_owned)
        }
        _ => None,
    });
    let asked: BTreeSet<String> = asked.collect();
    let known = customer::store::known_ids(tx, tenant, &asked.into_iter().collect::<Vec<_>>()).await?;
    world.customers = known.into_iter().collect();
    Ok(())
}

/// Guests first: only then is it known which customers they are. Then customers, some of whom were merged into others.
async fn lock_people(tx: &mut Tx, tenant: &Tenant, world: &mut World, people: BTreeSet<Who>) -> Outcome<()> {
    let (guests, mut customers): (Vec<Who>, Vec<Who>) =
        people.into_iter().partition(|who| matches!(who, Who::Guest(_)));
    world.load_people(relationship::store::lock(tx, tenant, guests.clone()).await?);
    customers.extend(guests.iter().map(|guest| world.resolve(guest)));
    customers.retain(|who| matches!(who, Who::Customer(_)));
    customers.sort_unstable();
    customers.dedup();
    world.load_people(relationship::store::lock(tx, tenant, customers.clone()).await?);
    let kept = customers.iter().map(|who| world.resolve(who)).filter(|who| !customers.contains(who));
    let kept: BTreeSet<Who> = kept.collect();
    world.load_people(relationship::store::lock(tx, tenant, kept.into_iter().collect()).await?);
    Ok(())
}

/// Writes what was decided, one write per table. Where dates of orders must be read again, the orders are written before.
async fn write_back(core: &Core, tx: &mut Tx, tenant: &Tenant, mut world: World) -> Outcome<()> {
    let mut writes = Writes::of(tenant);
    writes.push(store::insert(&world.fresh, world.now)?);
    writes.push(store::due::older(&world.fresh, world.now));
    for write in of_orders(&world)? {
        writes.push(write);
    }
    if !world.read_again.is_empty() {
        writes.run(tx).await?;
        writes = Writes::of(tenant);
        for who in std::mem::take(&mut world.read_again) {
            let (dates, first) = store::order::dates(tx, tenant, &who).await?;
            if let Some(slot) = world.people.get_mut(&who) {
                slot.row.read_again(dates, first);
            }
        }
    }
    world.tell();
    for write in of_people(&world)? {
        writes.push(write);
    }
    let changed = world.people.values().filter(|slot| slot.changed).filter_map(|slot| slot.row.who.id());
    writes.push(customer::store::look(changed.map(str::to_owned).collect(), world.now));
    // A stage changes by what several callers have sent, or by the clock.
    let call = Call::system(tenant.as_str());
    let mut batch = Batch::new(&call, &*core.ids, world.now);
    for (who, change) in &world.changes {
        batch.push(events::stage_changed(who, change));
    }
    writes.push(outbox::write(batch));
    writes.run(tx).await
}

fn of_orders(world: &World) -> Outcome<[Write; 2]> {
    let changed = || world.orders.values().filter(|slot| slot.changed);
    let stored: Vec<_> = changed().filter(|slot| slot.stored).map(|slot| &slot.row).collect();
    let fresh: Vec<_> = changed().filter(|slot| !slot.stored).map(|slot| &slot.row).collect();
    Ok([store::order::update(&stored)?, store::order::insert(&fresh)?])
}

fn of_people(world: &World) -> Outcome<[Write; 2]> {
    let changed = || world.people.values().filter(|slot| slot.changed);
    let stored: Vec<&Relationship> = changed().filter(|slot| slot.stored).map(|slot| &slot.row).collect();
    let fresh: Vec<&Relationship> = changed().filter(|slot| !slot.stored).map(|slot| &slot.row).collect();
    Ok([relationship::store::update(&stored)?, relationship::store::insert(&fresh)?])
}
