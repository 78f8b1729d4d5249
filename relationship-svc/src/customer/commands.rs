//! What can be done with customers.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::problem::Problem;
use tandem_platform::db::{Session, Writes};
use tandem_platform::outbox::{self, Batch, Recorded};
use tandem_platform::resource::{Change, New};
use tandem_platform::service::{Asked, Core};
use tandem_platform::{Call, Kind, Outcome, Tenant, Tx, Violations, field, once, transact};

use super::{Customer, MAX_ATTRIBUTES, Profile, alias, events, store};
use crate::attribute::{self, Declared};

/// What became of one customer of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upserted {
    /// It did not exist before.
    pub created: bool,
    /// What is wrong with it by what its tenant declares, and by what it has already; where there is anything, it was not
    /// written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// It was merged into this one: its id, and that of the other one. It was not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Renamed>,
}

/// An id that stands for another customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renamed {
    customer: String,
    into: String,
}

impl Upserted {
    /// Whether it did not exist before.
    ///
    /// # Errors
    /// Why it stayed as it was.
    pub fn stored(self) -> Outcome<bool> {
        if let Some(Renamed { customer, into }) = &self.merged {
            return Err(alias::refused(customer, into));
        }
        let mut v = Violations::new();
        field::problems(&mut v, self.problems);
        v.finish().map(|()| self.created)
    }
}

/// Creates a customer.
pub async fn create(core: Core, asked: Asked<New<Profile>>) -> Outcome<Customer> {
    once!(core, asked, |unit, new| {
        let tenant = unit.tenant();
        let declared = declared(unit.tx(), tenant, &new.given).await?;
        let profile = kept(&declared, new.given.clone())?;
        let now = unit.now();
        unit.write(store::look(vec![new.id.clone()], now));
        let created = unit.create(Customer::new(new.id.clone(), profile, now), events::created).await?;
        // Behind the row, which waits for a merge that takes the id away.
        match store::alias::into(unit.tx(), tenant, &new.id).await? {
            Some(into) => Err(alias::refused(&new.id, &into)),
            None => Ok(created),
        }
    })
}

/// Changes the named fields of a customer.
pub async fn update(core: Core, asked: Asked<Change<Profile>>) -> Outcome<Customer> {
    once!(core, asked, |unit, change| {
        let customer: Customer = match unit.lock(&change.touch).await {
            Err(fault) if fault.kind() == Kind::NotFound => {
                let tenant = unit.tenant();
                let into = store::alias::into(unit.tx(), tenant, &change.touch.id).await?;
                return Err(into.map_or(fault, |into| alias::refused(&change.touch.id, &into)));
            }
            found => found?,
        };
        let mut profile = change.of(&customer.profile);
        if profile.attributes != customer.profile.attributes {
            let tenant = unit.tenant();
            profile = kept(&declared(unit.tx(), tenant, &profile).await?, profile)?;
        }
        let now = unit.now();
        unit.write(store::look(vec![customer.id.clone()], now));
        unit.save(customer.known(profile, now), events::updated)
    })
}

/// What the tenant declares of attributes, read where a profile has any.
async fn declared(session: &mut impl Session, tenant: &Tenant, profile: &Profile) -> Outcome<Declared> {
    if profile.attributes.is_empty() {
        return Ok(Declared::default());
    }
    attribute::store::declared(session, tenant).await
}

/// A profile as it is kept by what the tenant declares now.
pub async fn declared_kept(
    session: &mut impl Session,
    tenant: &Tenant,
    profile: Profile,
) -> Outcome<Profile> {
    let declared = declared(session, tenant, &profile).await?;
    kept(&declared, profile)
}

/// A profile as it is kept by what is declared.
fn kept(declared: &Declared, mut profile: Profile) -> Outcome<Profile> {
    let problems = keep(declared, &mut profile);
    let mut v = Violations::new();
    field::problems(&mut v.nest("customer"), problems);
    v.finish()?;
    Ok(profile)
}

/// Brings attributes into the form in which they are kept; answers what is wrong with them.
fn keep(declared: &Declared, profile: &mut Profile) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !profile.fits() {
        let most = format!("must have at most {MAX_ATTRIBUTES} entries, with those that are there");
        problems.push(Problem::new("attributes", most));
    }
    declared.keep(&mut profile.attributes, &mut problems);
    problems
}

/// Creates customers or changes those that are there, each id once; answers in their order.
pub async fn upsert(core: Core, asked: Asked<Vec<Change<Profile>>>) -> Outcome<Vec<Upserted>> {
    let asked = asked.map(Block::new);
    once!(core, asked, |unit, block| {
        let (tenant, now) = (unit.tenant(), unit.now());
        let (upserted, customers) = block.apply(unit.tx(), tenant, now).await?;
        unit.write(store::CUSTOMERS.save(&customers, None)?.or_replay());
        unit.write(store::look(ids(&customers), now));
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
        writes.push(store::look(ids(&customers), now));
        writes.push(outbox::write(events));
        writes.run(tx).await?;
        Ok(upserted)
    })
}

fn ids(customers: &[Customer]) -> Vec<String> {
    customers.iter().map(|customer| customer.id.clone()).collect()
}

fn told(customer: &Customer) -> Recorded {
    if customer.version == 1 { events::created(customer) } else { events::updated(customer) }
}

/// What is done to one customer, in the order it came, and where that stood.
type Placed = Vec<(usize, Change<Profile>)>;

/// Rows that are written together.
struct Block {
    /// How many rows came.
    count: usize,
    /// Sorted by id, each once.
    rows: Vec<(String, Placed)>,
}

impl Block {
    fn new(changes: Vec<Change<Profile>>) -> Self {
        let count = changes.len();
        let mut rows: BTreeMap<String, Placed> = BTreeMap::new();
        for (place, change) in changes.into_iter().enumerate() {
            rows.entry(change.touch.id.clone()).or_default().push((place, change));
        }
        Self { count, rows: rows.into_iter().collect() }
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
        let fresh = self.rows.iter().map(|(id, _)| id).filter(|id| !found.contains_key(*id));
        let renamed = store::alias::known(tx, tenant, fresh.cloned().collect(), Vec::new()).await?;
        let mut changes = self.rows.iter().flat_map(|(_, changes)| changes);
        let declared = match changes.find(|(_, change)| !change.whole().attributes.is_empty()) {
            None => Declared::default(),
            Some((_, change)) => declared(tx, tenant, change.whole()).await?,
        };
        let mut upserted = vec![Upserted::default(); self.count];
        let mut customers = Vec::with_capacity(self.rows.len());
        for (id, changes) in &self.rows {
            let before = found.remove(id);
            if let Some(into) = renamed.customer(id).filter(|_| before.is_none()) {
                let merged = Renamed { customer: id.clone(), into: into.to_owned() };
                changes.iter().for_each(|(place, _)| upserted[*place].merged = Some(merged.clone()));
                continue;
            }
            let is_new = before.is_none();
            let (mut profile, mut is_changed) = (before.as_ref().map(|one| one.profile.clone()), false);
            for (place, change) in changes {
                match changed(&declared, profile.as_ref(), change) {
                    Err(problems) => upserted[*place].problems = problems,
                    Ok(next) => {
                        upserted[*place].created = is_new && !is_changed;
                        (profile, is_changed) = (Some(next), true);
                    }
                }
            }
            let next = profile.filter(|_| is_changed);
            customers.extend(next.map(|profile| match before {
                Some(customer) => customer.known(profile, now),
                None => Customer::new(id.clone(), profile, now),
            }));
        }
        Ok((upserted, customers))
    }
}

/// What a change makes of a profile, or of nothing; or what is wrong with it.
fn changed(
    declared: &Declared,
    before: Option<&Profile>,
    change: &Change<Profile>,
) -> Result<Profile, Vec<Problem>> {
    let mut next = before.map_or_else(|| change.whole().clone(), |before| change.of(before));
    let is_written = before.is_none_or(|before| before.attributes != next.attributes);
    let problems = if is_written { keep(declared, &mut next) } else { Vec::new() };
    if problems.is_empty() { Ok(next) } else { Err(problems) }
}
