//! What can be done to objectives.

mod refusal;

use tandem_platform::resource::{Change, New, Touch};
use tandem_platform::service::{Asked, Core};
use tandem_platform::{Outcome, once};

use super::{Definition, Objective, State, events, store};
use crate::field;

/// Opens an objective.
pub async fn create(core: Core, asked: Asked<New<Definition>>) -> Outcome<Objective> {
    once!(core, asked, |unit, new| {
        unit.create(Objective::create(new.id.clone(), new.given.clone(), unit.now()), events::created).await
    })
}

/// Changes fields of an objective that is not archived. Where nothing differs, nothing happens.
pub async fn update(core: Core, asked: Asked<Change<Definition>>) -> Outcome<Objective> {
    once!(core, asked, |unit, change| {
        let before: Objective = unit.lock(&change.touch).await?;
        before.active().map_err(|refusal| refusal.fault(&before.id))?;
        let definition = change.of(&before.definition);
        field::refuse("objective", definition.problems())?;
        let next = before.define(definition, unit.now());
        unit.save_change(before, next, events::updated)
    })
}

/// Closes an objective whose campaigns have all ended.
pub async fn archive(core: Core, asked: Asked<Touch>) -> Outcome<Objective> {
    once!(core, asked, |unit, touch| {
        let before: Objective = unit.lock(touch).await?;
        if before.state == State::Archived {
            return Ok(before);
        }
        // Whoever creates a campaign for it meanwhile waits for the lock, or was waited for.
        let (tenant, now) = (unit.tenant(), unit.now());
        let unended = store::unended(unit.tx(), tenant, &touch.id, now).await?;
        let closed = before.archive(unended, now).map_err(|refusal| refusal.fault(&before.id))?;
        unit.save(closed, events::archived)
    })
}
