//! What can be done with incentives.

mod evaluate;

use tandem_kernel::problem::Problem;
use tandem_platform::fault::FieldViolation;
use tandem_platform::idempotency::{self, Claim, Request};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Fault, Outcome, Tx, grpc, transact};
use tandem_proto::relationship::v1::ErrorReason;

use super::{Definition, Edit, Incentive, State, events, name, store};
use crate::{App, segment};

pub use evaluate::{Asked, Evaluated, Evaluations, evaluate};

/// What an update asks for.
#[derive(Debug, Clone)]
pub struct Change {
    /// Which incentive.
    pub id: String,
    /// Of the version the caller has read, or empty.
    pub etag: String,
    /// What is written.
    pub edits: Vec<Edit>,
}

/// Creates an incentive.
pub async fn create(
    app: &App,
    call: &Call,
    request: &Request,
    id: String,
    definition: Definition,
) -> Outcome<Incentive> {
    let now = app.clock.now();
    let incentive = Incentive::new(id, definition, now);
    check(&incentive.definition)?;
    transact!(app.db, |tx| {
        if let Claim::Repeat(incentive) = idempotency::claim(tx, call, request, now).await? {
            return Ok(incentive);
        }
        if !store::insert(tx, &call.tenant, &incentive).await? {
            return Err(Fault::already_exists(incentive.name()));
        }
        name_segments(tx, call, &incentive).await?;
        let mut batch = Batch::new(call, &*app.ids, now);
        batch.push(events::created(&incentive));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &incentive).await?;
        Ok(incentive.clone())
    })
}

/// Changes the named fields of an incentive that still gives.
pub async fn update(app: &App, call: &Call, request: &Request, change: Change) -> Outcome<Incentive> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(incentive) = idempotency::claim(tx, call, request, now).await? {
            return Ok(incentive);
        }
        let incentive = lock_active(tx, call, &change.id, &change.etag).await?;
        let definition = incentive.definition.clone().edited(change.edits.clone());
        if definition.is_tender() != incentive.definition.is_tender() {
            let description = "whether an incentive pays or reduces cannot change";
            return Err(Fault::invalid_field("incentive.discount", description));
        }
        check(&definition)?;
        let incentive = incentive.revised(definition, now);
        store::update(tx, &call.tenant, &incentive).await?;
        name_segments(tx, call, &incentive).await?;
        let mut batch = Batch::new(call, &*app.ids, now);
        batch.push(events::updated(&incentive));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &incentive).await?;
        Ok(incentive)
    })
}

/// Ends an incentive for good.
pub async fn archive(app: &App, call: &Call, request: &Request, id: &str, etag: &str) -> Outcome<Incentive> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(incentive) = idempotency::claim(tx, call, request, now).await? {
            return Ok(incentive);
        }
        let incentive = lock_active(tx, call, id, etag).await?.archived(now);
        store::update(tx, &call.tenant, &incentive).await?;
        store::name_segments(tx, &call.tenant, &incentive.id, &[]).await?;
        let mut batch = Batch::new(call, &*app.ids, now);
        batch.push(events::archived(&incentive));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &incentive).await?;
        Ok(incentive)
    })
}

async fn lock_active(tx: &mut Tx, call: &Call, id: &str, etag: &str) -> Outcome<Incentive> {
    let found = store::lock(tx, &call.tenant, id).await?;
    let incentive = found.ok_or_else(|| Fault::not_found(name(id)))?;
    grpc::check_etag(etag, incentive.version, incentive.name())?;
    if incentive.state == State::Archived {
        let message = format!("{} is archived and cannot change", incentive.name());
        let refusal =
            Fault::precondition(ErrorReason::WrongState, message).with("resource", incentive.name());
        return Err(refusal.violating(incentive.name(), "STATE", "archived"));
    }
    Ok(incentive)
}

/// What the fields of a definition may not be together.
fn check(definition: &Definition) -> Outcome<()> {
    let problems = definition.problems();
    if problems.is_empty() {
        return Ok(());
    }
    let violation = |Problem { field, message }| FieldViolation::new(format!("incentive.{field}"), message);
    Err(Fault::invalid(problems.into_iter().map(violation).collect()))
}

/// Remembers which segments the incentive names, and keeps them from being deleted meanwhile. Refuses those that do not
/// exist.
async fn name_segments(tx: &mut Tx, call: &Call, incentive: &Incentive) -> Outcome<()> {
    let named = &incentive.definition.segments;
    if !named.is_empty() {
        let known = segment::store::share_many(tx, &call.tenant, named).await?;
        let unknown = named.iter().enumerate().filter(|(_, id)| !known.contains(id));
        let violation = |(index, id): (usize, &String)| {
            FieldViolation::new(
                format!("incentive.segments[{index}]"),
                format!("{} does not exist", segment::name(id)),
            )
        };
        let violations: Vec<FieldViolation> = unknown.map(violation).collect();
        if !violations.is_empty() {
            return Err(Fault::invalid(violations));
        }
    }
    store::name_segments(tx, &call.tenant, &incentive.id, named).await
}
