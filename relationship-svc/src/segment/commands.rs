//! What can be done with segments.

use tandem_kernel::rule::Rule;
use tandem_platform::idempotency::{self, Claim, Request};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Fault, Outcome, grpc, transact};
use tandem_proto::relationship::v1::ErrorReason;

use super::{Definition, Field, Segment, events, facts, name, store};
use crate::customer::Customer;
use crate::{App, customer, incentive};

/// Customers judged at once where all of them are.
const BLOCK: i64 = 1_000;
/// Incentives that a refusal to delete names.
const NAMED: i64 = 10;

/// What an update asks for.
#[derive(Debug, Clone)]
pub struct Change {
    /// Which segment.
    pub id: String,
    /// Of the version the caller has read, or empty.
    pub etag: String,
    /// What is written.
    pub fields: Vec<Field>,
    /// Where it is taken from.
    pub definition: Definition,
}

/// Creates a segment.
pub async fn create(
    app: &App,
    call: &Call,
    request: &Request,
    id: String,
    definition: Definition,
) -> Outcome<Segment> {
    let now = app.clock.now();
    let segment = Segment::new(id, definition, now);
    transact!(app.db, |tx| {
        if let Claim::Repeat(segment) = idempotency::claim(tx, call, request, now).await? {
            return Ok(segment);
        }
        if !store::insert(tx, &call.tenant, &segment).await? {
            return Err(Fault::already_exists(segment.name()));
        }
        store::raise(tx, &call.tenant).await?;
        let mut batch = Batch::new(call, &*app.ids, now);
        batch.push(events::created(&segment));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &segment).await?;
        Ok(segment.clone())
    })
}

/// Changes the named fields of a segment.
pub async fn update(app: &App, call: &Call, request: &Request, change: Change) -> Outcome<Segment> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(segment) = idempotency::claim(tx, call, request, now).await? {
            return Ok(segment);
        }
        let found = store::lock(tx, &call.tenant, &change.id).await?;
        let segment = found.ok_or_else(|| Fault::not_found(name(&change.id)))?;
        grpc::check_etag(&change.etag, segment.version, segment.name())?;
        let definition = segment.definition.clone().with(&change.fields, change.definition.clone());
        let segment = segment.revised(definition, now);
        store::update(tx, &call.tenant, &segment).await?;
        store::raise(tx, &call.tenant).await?;
        let mut batch = Batch::new(call, &*app.ids, now);
        batch.push(events::updated(&segment));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &segment).await?;
        Ok(segment)
    })
}

/// Deletes a segment that no active incentive names.
pub async fn delete(app: &App, call: &Call, request: &Request, id: &str, etag: &str) -> Outcome<()> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(()) = idempotency::claim(tx, call, request, now).await? {
            return Ok(());
        }
        let found = store::lock(tx, &call.tenant, id).await?;
        let segment = found.ok_or_else(|| Fault::not_found(name(id)))?;
        grpc::check_etag(etag, segment.version, segment.name())?;
        let naming = incentive::store::naming_segment(tx, &call.tenant, id, NAMED).await?;
        if !naming.is_empty() {
            return Err(in_use(&segment, &naming));
        }
        store::delete(tx, &call.tenant, id).await?;
        store::raise(tx, &call.tenant).await?;
        let mut batch = Batch::new(call, &*app.ids, now);
        batch.push(events::deleted(&segment));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &()).await
    })
}

fn in_use(segment: &Segment, naming: &[String]) -> Fault {
    let message = format!("{} is named by active incentives", segment.name());
    let refusal = Fault::precondition(ErrorReason::SegmentInUse, message).with("resource", segment.name());
    naming.iter().fold(refusal, |refusal, id| {
        refusal.violating(incentive::name(id), "SEGMENT_IN_USE", "names the segment")
    })
}

/// The rule of a segment that exists.
pub async fn rule(app: &App, call: &Call, id: &str) -> Outcome<Rule> {
    let mut reader = app.db.read().await?;
    let found = store::find(&mut reader, &call.tenant, id).await?;
    let segment = found.ok_or_else(|| Fault::not_found(name(id)))?;
    super::compile(&segment.definition.rule)
        .map_err(|error| Fault::internal("a stored rule does not compile").caused_by(error))
}

/// How many customers there are, and of how many the rule holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Of them the rule holds.
    pub members: i64,
    /// All.
    pub customers: i64,
}

/// Counts the customers of whom the rule holds now.
pub async fn count(app: &App, call: &Call, rule: &Rule) -> Outcome<Count> {
    let mut count = Count::default();
    let mut after = String::new();
    loop {
        call.check_deadline()?;
        let block = customers_after(app, call, &after).await?;
        let now = app.clock.now();
        let members = block.iter().filter(|customer| rule.matches(&facts(customer, now, &app.zone))).count();
        count.members += i64::try_from(members).unwrap_or(i64::MAX);
        count.customers += i64::try_from(block.len()).unwrap_or(i64::MAX);
        match next(block) {
            Some(last) => after = last,
            None => return Ok(count),
        }
    }
}

/// Some members of a segment, and the id behind which the others are; `None` where there are none.
pub async fn members(
    app: &App,
    call: &Call,
    rule: &Rule,
    after: &str,
) -> Outcome<(Vec<String>, Option<String>)> {
    let block = customers_after(app, call, after).await?;
    let now = app.clock.now();
    let members = block.iter().filter(|customer| rule.matches(&facts(customer, now, &app.zone)));
    Ok((members.map(Customer::name).collect(), next(block)))
}

/// A block is read with a connection of its own: whoever reads the stream slowly must not hold one.
async fn customers_after(app: &App, call: &Call, after: &str) -> Outcome<Vec<Customer>> {
    let mut reader = app.db.read().await?;
    customer::store::after(&mut reader, &call.tenant, after, BLOCK).await
}

/// The last id of a full block.
fn next(mut block: Vec<Customer>) -> Option<String> {
    let full = i64::try_from(block.len()) == Ok(BLOCK);
    block.pop().filter(|_| full).map(|last| last.id)
}

/// The ids of those of the `asked` segments that a customer is in; of all, where none are asked for.
pub async fn membership(app: &App, call: &Call, customer: &str, asked: &[String]) -> Outcome<Vec<String>> {
    let mut reader = app.db.read().await?;
    let found = app.catalogues.customers(&mut reader, &call.tenant, vec![customer.to_owned()]).await?;
    let facts = found.facts(customer, app.clock.now(), &app.zone);
    let facts = facts.ok_or_else(|| Fault::not_found(customer::name(customer)))?;
    let catalogue = &found.catalogue;
    if let Some(unknown) = asked.iter().find(|id| !catalogue.contains(id)) {
        return Err(Fault::not_found(name(unknown)));
    }
    let members = match asked {
        [] => catalogue.all_of(&facts),
        asked => catalogue.of(asked.iter().map(String::as_str), &facts),
    };
    Ok(members.into_iter().map(str::to_owned).collect())
}
