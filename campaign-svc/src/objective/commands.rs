//! What can be done to objectives.

mod refusal;

use tandem_platform::idempotency::Request;
use tandem_platform::{Call, Core, Outcome, once};

use super::{Change, Definition, Objective, State, events, store};
use crate::field;

/// Opens an objective.
pub async fn create(
    core: &Core,
    call: &Call,
    request: &Request,
    id: &str,
    definition: &Definition,
) -> Outcome<Objective> {
    once!(core, call, request, |unit| {
        let objective = Objective::create(id.to_owned(), definition.clone(), unit.now());
        unit.create(objective, events::created).await
    })
}

/// Changes fields of an objective that is not archived. Where nothing differs, nothing happens.
pub async fn update(
    core: &Core,
    call: &Call,
    request: &Request,
    id: &str,
    etag: &str,
    change: &Change,
) -> Outcome<Objective> {
    once!(core, call, request, |unit| {
        let before: Objective = unit.lock(id, etag).await?;
        before.active().map_err(|refusal| refusal.fault(id))?;
        let definition = before.definition.clone().with(change.clone());
        field::refuse("objective", definition.problems())?;
        let next = before.define(definition, unit.now());
        unit.save_change(before, next, events::updated)
    })
}

/// Closes an objective whose campaigns have all ended.
pub async fn archive(
    core: &Core,
    call: &Call,
    request: &Request,
    id: &str,
    etag: &str,
) -> Outcome<Objective> {
    once!(core, call, request, |unit| {
        let before: Objective = unit.lock(id, etag).await?;
        if before.state == State::Archived {
            return Ok(before);
        }
        // Whoever creates a campaign for it meanwhile waits for the lock, or was waited for.
        let (tenant, now) = (unit.tenant(), unit.now());
        let unended = store::unended(unit.tx(), tenant, id, now).await?;
        unit.save(before.archive(unended, now).map_err(|refusal| refusal.fault(id))?, events::archived)
    })
}
