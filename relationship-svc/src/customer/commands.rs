//! What can be done with customers.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_platform::idempotency::{self, Claim, Request};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Fault, Outcome, Tx, grpc, transact};

use super::{Customer, Field, Profile, events, name, store};
use crate::App;

/// What an update asks for.
#[derive(Debug, Clone)]
pub struct Change {
    /// Which customer.
    pub id: String,
    /// Of the version the caller has read, or empty.
    pub etag: String,
    /// What is written.
    pub fields: Vec<Field>,
    /// Where it is taken from.
    pub profile: Profile,
}

/// What became of one customer of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upserted {
    /// It did not exist before.
    pub created: bool,
}

/// Creates a customer.
pub async fn create(
    app: &App,
    call: &Call,
    request: &Request,
    id: String,
    profile: Profile,
) -> Outcome<Customer> {
    let now = app.clock.now();
    let customer = Customer::new(id, profile, now);
    transact!(app.db, |tx| {
        if let Claim::Repeat(customer) = idempotency::claim(tx, call, request, now).await? {
            return Ok(customer);
        }
        if !store::insert(tx, &call.tenant, &customer).await? {
            return Err(Fault::already_exists(customer.name()));
        }
        let mut batch = Batch::new(call, &*app.ids, now);
        batch.push(events::created(&customer));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &customer).await?;
        Ok(customer.clone())
    })
}

/// Changes the named fields of a customer.
pub async fn update(app: &App, call: &Call, request: &Request, change: Change) -> Outcome<Customer> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(customer) = idempotency::claim(tx, call, request, now).await? {
            return Ok(customer);
        }
        let found = store::lock(tx, &call.tenant, &change.id).await?;
        let customer = found.ok_or_else(|| Fault::not_found(name(&change.id)))?;
        grpc::check_etag(&change.etag, customer.version, customer.name())?;
        let customer = customer.updated(&change.fields, change.profile.clone(), now);
        store::update(tx, &call.tenant, &customer).await?;
        let mut batch = Batch::new(call, &*app.ids, now);
        batch.push(events::updated(&customer));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &customer).await?;
        Ok(customer)
    })
}

/// Creates or replaces customers, each id once; answers in their order.
pub async fn upsert(
    app: &App,
    call: &Call,
    request: &Request,
    customers: Vec<(String, Profile)>,
) -> Outcome<Vec<Upserted>> {
    let now = app.clock.now();
    let block = Block::new(customers);
    transact!(app.db, |tx| {
        if let Claim::Repeat(upserted) = idempotency::claim(tx, call, request, now).await? {
            return Ok(upserted);
        }
        let upserted = block.write(app, call, tx, now).await?;
        idempotency::finish(tx, &call.tenant, request, &upserted).await?;
        Ok(upserted)
    })
}

/// Creates or replaces one block of an import; of an id that comes twice the later row counts, and the earlier one as
/// replaced by it. No request_id: sending a block again changes nothing but versions.
pub async fn import(app: &App, call: &Call, customers: Vec<(String, Profile)>) -> Outcome<Vec<Upserted>> {
    let now = app.clock.now();
    let block = Block::new(customers);
    transact!(app.db, |tx| { block.write(app, call, tx, now).await })
}

/// Rows that are written by one statement.
struct Block {
    /// Of each row as it came: where its id stands in `rows`, and whether it is the first of its id.
    places: Vec<(usize, bool)>,
    /// Sorted by id, each once.
    rows: Vec<(String, Profile)>,
}

impl Block {
    fn new(customers: Vec<(String, Profile)>) -> Self {
        let ids: Vec<String> = customers.iter().map(|(id, _)| id.clone()).collect();
        let latest: HashMap<String, Profile> = customers.into_iter().collect();
        let mut rows: Vec<(String, Profile)> = latest.into_iter().collect();
        rows.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let mut seen = vec![false; rows.len()];
        let places = ids.iter().map(|id| {
            let place = rows.partition_point(|row| row.0 < *id);
            (place, !std::mem::replace(&mut seen[place], true))
        });
        Self { places: places.collect(), rows }
    }

    /// Stores the rows with their events; answers for each row as it came.
    async fn write(&self, app: &App, call: &Call, tx: &mut Tx, now: Timestamp) -> Outcome<Vec<Upserted>> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut written = store::upsert_many(tx, &call.tenant, &self.rows, now).await?;
        if written.len() != self.rows.len() {
            return Err(Fault::internal("a set-based write lost a row"));
        }
        written.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let mut batch = Batch::new(call, &*app.ids, now);
        for (row, (_, profile)) in written.iter().zip(&self.rows) {
            let (id, created) = (row.id.clone(), row.created());
            let customer =
                Customer { id, version: row.version, profile: profile.clone(), created, updated: now };
            batch.push(if row.version == 1 {
                events::created(&customer)
            } else {
                events::updated(&customer)
            });
        }
        outbox::append(tx, batch).await?;
        let outcome =
            |(place, first): &(usize, bool)| Upserted { created: *first && written[*place].version == 1 };
        Ok(self.places.iter().map(outcome).collect())
    }
}
