//! What can be done with customers.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_platform::db::Writes;
use tandem_platform::outbox::{self, Batch, Recorded};
use tandem_platform::resource::{Change, New};
use tandem_platform::service::{Asked, Core};
use tandem_platform::{Call, Fault, Outcome, Tenant, Tx, once, transact};

use super::{Customer, MAX_ATTRIBUTES, Profile, events, store};

/// What became of one customer of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upserted {
    /// It did not exist before.
    pub created: bool,
    /// It would have had too many attributes, and stayed as it was.
    #[serde(default)]
    pub full: bool,
}

impl Upserted {
    /// Whether it did not exist before.
    ///
    /// # Errors
    /// Why it stayed as it was.
    pub fn stored(self) -> Outcome<bool> {
        if self.full { Err(full("attributes")) } else { Ok(self.created) }
    }
}

fn full(field: &str) -> Fault {
    let most = format!("must have at most {MAX_ATTRIBUTES} entries, with those that are there");
    Fault::invalid_field(field, most)
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
        if !profile.fits() {
            return Err(full("customer.attributes"));
        }
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
    /// Of each row as it came: where its id stands in `rows`, and the how many-th it is of its id.
    places: Vec<(usize, usize)>,
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
        let mut seen = vec![0; rows.len()];
        let places = ids.iter().map(|id| {
            let place = rows.partition_point(|row| row.0 < *id);
            seen[place] += 1;
            (place, seen[place] - 1)
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
        let (mut fits, mut is_new, mut customers) = (Vec::new(), Vec::new(), Vec::new());
        for (id, changes) in &self.rows {
            let there = found.remove(id);
            let before = there.as_ref().map(|customer| customer.profile.clone());
            is_new.push(before.is_none());
            let (profile, taken) = changed(before, changes);
            let customer = match there {
                Some(customer) => customer.known(profile, now),
                None => Customer::new(id.clone(), profile, now),
            };
            customers.extend(taken.contains(&true).then_some(customer));
            fits.push(taken);
        }
        let outcome = |(place, number): &(usize, usize)| Upserted {
            created: *number == 0 && is_new[*place],
            full: !fits[*place][*number],
        };
        Ok((self.places.iter().map(outcome).collect(), customers))
    }
}

/// What a profile becomes by these changes, one after the other, and which of them were taken. What is new begins with all that
/// the first says.
fn changed(before: Option<Profile>, changes: &[Change<Profile>]) -> (Profile, Vec<bool>) {
    let (mut profile, mut taken) = (before, Vec::new());
    for change in changes {
        let next = profile.as_ref().map_or_else(|| change.whole().clone(), |profile| change.of(profile));
        taken.push(next.fits());
        if next.fits() {
            profile = Some(next);
        }
    }
    (profile.unwrap_or_default(), taken)
}
