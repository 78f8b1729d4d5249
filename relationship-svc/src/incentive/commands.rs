//! What can be done with incentives.

use std::sync::Arc;

use tandem_kernel::problem::Problem;
use tandem_platform::counters::tracks;
use tandem_platform::fault::FieldViolation;
use tandem_platform::resource::{Change, New, Resource, Touch, Unit};
use tandem_platform::service::{Asked, Core};
use tandem_platform::{Fault, Outcome, once};
use tandem_proto::relationship::v1::ErrorReason;

use super::{Definition, Incentive, State, events, store};
use crate::segment;

/// Creates an incentive.
pub async fn create(core: Core, asked: Asked<New<Definition>>) -> Outcome<Incentive> {
    once!(core, asked, |unit, new| {
        let incentive = Incentive::new(new.id.clone(), new.given.clone(), unit.now());
        let incentive = unit.create(incentive, events::created).await?;
        unit.write(store::keep_revision(&incentive)?);
        name_segments(unit, &incentive).await?;
        Ok(incentive)
    })
}

/// Changes the named fields of an incentive that still gives. Where nothing differs, nothing happens.
pub async fn update(core: Core, asked: Asked<Change<Definition>>) -> Outcome<Incentive> {
    once!(core, asked, |unit, change| {
        let incentive = lock_active(unit, &change.touch).await?;
        let definition = change.of(&incentive.definition);
        if definition == incentive.definition {
            return Ok(incentive);
        }
        let mut problems = definition.problems();
        if definition.is_tender() != incentive.definition.is_tender() {
            problems.push(Problem::new("discount", "whether an incentive pays or reduces cannot change"));
        }
        refuse(problems)?;
        count_values(unit, &incentive, &definition).await?;
        let incentive = unit.save(incentive.revised(definition, unit.now()), events::updated)?;
        unit.write(store::keep_revision(&incentive)?);
        name_segments(unit, &incentive).await?;
        Ok(incentive)
    })
}

/// Ends an incentive for good.
pub async fn archive(core: Core, asked: Asked<Touch>) -> Outcome<Incentive> {
    once!(core, asked, |unit, touch| {
        let tenant = unit.tenant();
        let incentive = lock_active(unit, touch).await?.archived(unit.now());
        let incentive = unit.save(incentive, events::archived)?;
        unit.write(store::keep_revision(&incentive)?);
        store::name_segments(unit.tx(), tenant, &incentive.id, &[]).await?;
        Ok(incentive)
    })
}

/// Limits per value begin to count with the transaction that writes them.
async fn count_values(unit: &mut Unit<'_>, before: &Incentive, after: &Definition) -> Outcome<()> {
    let (tenant, owner) = (unit.tenant(), Arc::from(before.id.as_str()));
    let was = Some(&before.definition.limits);
    let Some(late) = tracks::turn(unit.tx(), tenant, &owner, was, &after.limits).await? else {
        return Ok(());
    };
    let message = "what has been used of it is not known by that value: add the limit to a new incentive";
    let fault = Fault::precondition(ErrorReason::LimitValueLate, message);
    Err(fault.violating(before.name(), "LIMIT_VALUE_LATE", message).with("dimension", late))
}

async fn lock_active(unit: &mut Unit<'_>, touch: &Touch) -> Outcome<Incentive> {
    let incentive: Incentive = unit.lock(touch).await?;
    if incentive.state == State::Archived {
        let message = format!("{} is archived and cannot change", incentive.name());
        let refusal =
            Fault::precondition(ErrorReason::WrongState, message).with("resource", incentive.name());
        return Err(refusal.violating(incentive.name(), "STATE", "archived"));
    }
    Ok(incentive)
}

/// What the fields of a definition may not be together.
fn refuse(problems: Vec<Problem>) -> Outcome<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let violation = |Problem { field, message }| FieldViolation::new(format!("incentive.{field}"), message);
    Err(Fault::invalid(problems.into_iter().map(violation).collect()))
}

/// Remembers which segments the incentive names, and keeps them from being deleted meanwhile. Refuses those that do not
/// exist.
async fn name_segments(unit: &mut Unit<'_>, incentive: &Incentive) -> Outcome<()> {
    let (tenant, named) = (unit.tenant(), &incentive.definition.segments);
    if !named.is_empty() {
        let known = segment::store::share_many(unit.tx(), tenant, named).await?;
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
    store::name_segments(unit.tx(), tenant, &incentive.id, named).await
}
