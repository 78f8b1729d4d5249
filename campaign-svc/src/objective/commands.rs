//! What can be done to objectives.

mod refusal;

use tandem_platform::idempotency::{self, Claim, Request};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Fault, Outcome, Tx, grpc, transact};

use super::{Change, Definition, Objective, State, events, name, store};
use crate::{App, campaign, field};

/// Opens an objective.
pub async fn create(
    app: &App,
    call: &Call,
    request: &Request,
    id: &str,
    definition: &Definition,
) -> Outcome<Objective> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let objective = Objective::create(id.to_owned(), definition.clone(), now);
        if !store::insert(tx, &call.tenant, &objective).await? {
            return Err(Fault::already_exists(objective.name()));
        }
        let mut batch = Batch::new(call, app.ids.as_ref(), now);
        batch.push(events::created(&objective));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &objective).await?;
        Ok(objective)
    })
}

/// Changes fields of an objective that is not archived. Where nothing differs, nothing happens.
pub async fn update(
    app: &App,
    call: &Call,
    request: &Request,
    id: &str,
    etag: &str,
    change: &Change,
) -> Outcome<Objective> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let before = locked(tx, call, id, etag).await?;
        before.active().map_err(|refusal| refusal.fault(id))?;
        let definition = before.definition.clone().with(change.clone());
        field::refuse("objective", definition.problems())?;
        let objective = if definition == before.definition {
            before
        } else {
            let objective = before.define(definition, now);
            store::update(tx, &call.tenant, &objective).await?;
            let mut batch = Batch::new(call, app.ids.as_ref(), now);
            batch.push(events::updated(&objective));
            outbox::append(tx, batch).await?;
            objective
        };
        idempotency::finish(tx, &call.tenant, request, &objective).await?;
        Ok(objective)
    })
}

/// Closes an objective whose campaigns have all ended.
pub async fn archive(app: &App, call: &Call, request: &Request, id: &str, etag: &str) -> Outcome<Objective> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let before = locked(tx, call, id, etag).await?;
        let objective = if before.state == State::Archived {
            before
        } else {
            // Whoever creates a campaign for it meanwhile waits for the lock, or was waited for.
            let unended = campaign::store::unended(tx, &call.tenant, id, now).await?;
            let objective = before.archive(unended, now).map_err(|refusal| refusal.fault(id))?;
            store::update(tx, &call.tenant, &objective).await?;
            let mut batch = Batch::new(call, app.ids.as_ref(), now);
            batch.push(events::archived(&objective));
            outbox::append(tx, batch).await?;
            objective
        };
        idempotency::finish(tx, &call.tenant, request, &objective).await?;
        Ok(objective)
    })
}

async fn locked(tx: &mut Tx, call: &Call, id: &str, etag: &str) -> Outcome<Objective> {
    let found = store::lock(tx, &call.tenant, id).await?;
    let objective = found.ok_or_else(|| Fault::not_found(name(id)))?;
    grpc::check_etag(etag, objective.version, name(id))?;
    Ok(objective)
}
