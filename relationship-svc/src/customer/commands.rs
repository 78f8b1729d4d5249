//! What can be done with customers.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_platform::db::Writes;
use tandem_platform::outbox::{self, Batch, Recorded};
use tandem_platform::resource::{Change, New};
use tandem_platform::service::{Asked, Core};
use tandem_platform::{Call, Outcome, Tenant, Tx, once, transact};

use super::{Customer, Profile, events, store};

/// What became of one customer of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upserted {
    /// It did not exist before.
    pub created: bool,
}

/// Creates a customer.
pub async fn create(core: Core, asked: Asked<New<Profile>>) -> Outcome<Customer> {
    once!(core, asked, |unit, new| {
        unit.create(Customer::new(new.id.clone(), new.given.clone(), unit.now()), events::created).await
    })
}

/// Changes the named fields of a customer.
pub async fn update(core: Core, asked: Asked<Change<Profile>>) -> Outcome<Customer> {
    once!(core, asked, |unit, change| {
        let customer: Customer = unit.lock(&change.touch).await?;
        let profile = change.of(&customer.profile);
        unit.save(customer.known(profile, unit.now()), events::updated)
    })
}

/// Creates customers or changes those that are there, each id once; answers in their order.
pub async fn upsert(core: Core, asked: Asked<Vec<Change<Profile>>>) -> Outcome<Vec<Upserted>> {
    let asked = asked.map(Block::new);
    once!(core, asked, |unit, block| {
        let (tenant, now) = (unit.tenant(), unit.now());
        let (upserted, customers) = block.apply(unit.tx(), tenant, now).await?;
        unit.write(store::CUSTOMERS.save(&customers, None)?.or_replay());
        customers.iter().for_each(|customer| unit.tell(told(customer)));
        Ok(upserted)
    })
}

/// Writes one block of an import as [`upsert`] does; of an id that comes twice the later row is done to what the earlier one
/// made. No request_id: sending a block again changes nothing but versions.
pub async fn import(core: &Core, call: &Call, customers: Vec<Change<Profile>>) -> Outcome<Vec<Upserted>> {
    let (now, tenant) = (core.clock.now(), &call.tenant);
    let block = Block::new(customers);
    transact!(core.db, |tx| {
        let (upserted, customers) = block.apply(tx, tenant, now).await?;
        let mut events = Batch::new(call, &*core.ids, now);
        customers.iter().for_each(|customer| events.push(told(customer)));
        let mut writes = Writes::of(tenant);
        writes.push(store::CUSTOMERS.save(&customers, None)?.or_replay());
        writes.push(outbox::write(events));
        writes.run(tx).await?;
        Ok(upserted)
    })
}

fn told(customer: &Customer) -> Recorded {
    if customer.version == 1 { events::created(customer) } else { events::updated(customer) }
}

/// Rows that are written together.
struct Block {
    /// Of each row as it came: where its id stands in `rows`, and whether it is the first of its id.
    places: Vec<(usize, bool)>,
    /// Sorted by id, each once, with what is done to it in the order it came.
    rows: Vec<(String, Vec<Change<Profile>>)>,
}

impl Block {
    fn new(changes: Vec<Change<Profile>>) -> Self {
        let ids: Vec<String> = changes.iter().map(|change| change.touch.id.clone()).collect();
        let mut rows: BTreeMap<String, Vec<Change<Profile>>> = BTreeMap::new();
        for change in changes {
            rows.entry(change.touch.id.clone()).or_default().push(change);
        }
        let rows: Vec<_> = rows.into_iter().collect();
        let mut seen = vec![false; rows.len()];
        let places = ids.iter().map(|id| {
            let place = rows.partition_point(|row| row.0 < *id);
            (place, !std::mem::replace(&mut seen[place], true))
        });
        Self { places: places.collect(), rows }
    }

    /// What is there, which is locked, as its next versions, and what is new; and what becomes of each row as it came.
    async fn apply(
        &self,
        tx: &mut Tx,
        tenant: &Tenant,
        now: Timestamp,
    ) -> Outcome<(Vec<Upserted>, Vec<Customer>)> {
        let ids = self.rows.iter().map(|(id, _)| id.clone()).collect();
        let found = store::CUSTOMERS.lock_many(tx, tenant, ids).await?;
        let mut found: HashMap<String, Customer> =
            found.into_iter().map(|customer| (customer.id.clone(), customer)).collect();
        let next = |(id, changes): &(String, Vec<Change<Profile>>)| match found.remove(id) {
            Some(customer) => {
                let profile = changed(customer.profile.clone(), changes);
                customer.known(profile, now)
            }
            None => {
                let profile = changes.split_first().map(|(first, rest)| changed(first.whole().clone(), rest));
                Customer::new(id.clone(), profile.unwrap_or_default(), now)
            }
        };
        let customers: Vec<Customer> = self.rows.iter().map(next).collect();
        let outcome =
            |(place, first): &(usize, bool)| Upserted { created: *first && customers[*place].version == 1 };
        Ok((self.places.iter().map(outcome).collect(), customers))
    }
}

fn changed(profile: Profile, changes: &[Change<Profile>]) -> Profile {
    changes.iter().fold(profile, |profile, change| change.of(&profile))
}
