//! Limits per value begin to count with the transaction that writes them.

use std::sync::Arc;

use tandem_kernel::limits::{Dimension, Limits};
use tandem_platform::counters::tracks;
use tandem_platform::resource::Unit;
use tandem_platform::{Fault, Outcome};
use tandem_proto::campaign::v1::ErrorReason;

use super::super::mix::Mix;
use super::super::revisions::Revision;
use super::super::{Campaign, State, limits, name};

/// Those of a changed campaign, over all its offers together.
pub async fn of_campaign(unit: &mut Unit<'_>, before: &Campaign, after: &Campaign) -> Outcome<()> {
    if before.state(unit.now()) == State::Draft {
        return Ok(());
    }
    let (was, is) = (&before.definition.limits, &after.definition.limits);
    turn(unit, name(&before.id), Some(was), is).await
}

/// Those of the offers of a new mix. Until it is in effect nobody would be counted by what is new in it.
pub async fn of_offers(unit: &mut Unit<'_>, id: &str, newest: &Mix, revision: &Revision) -> Outcome<()> {
    let at_once = revision.effective <= unit.now();
    for (index, offer) in revision.mix.price.offers.iter().enumerate() {
        let before = newest.price.offers.iter().find(|before| before.id == offer.id);
        let before = before.map(|before| &before.limits);
        if !at_once && offer.limits.new_dimensions(before).next().is_some() {
            let field = format!("mix.price.offers[{index}].limits.per_value");
            let message = "counts by what the offer does not count by yet: that takes effect at once, or in a new campaign";
            return Err(Fault::invalid_field(&field, message));
        }
        turn(unit, limits::offer_name(id, &offer.id), before, &offer.limits).await?;
    }
    Ok(())
}

async fn turn(unit: &mut Unit<'_>, owner: String, before: Option<&Limits>, after: &Limits) -> Outcome<()> {
    let (tenant, name) = (unit.tenant(), Arc::from(owner.as_str()));
    let late = tracks::turn(unit.tx(), tenant, &name, before, after).await?;
    late.map_or(Ok(()), |dimension| Err(too_late(owner, &dimension)))
}

fn too_late(owner: String, dimension: &Dimension) -> Fault {
    let message =
        "what has been used of it is not known by that value: add the limit to a new offer or a new campaign";
    let fault = Fault::precondition(ErrorReason::LimitValueLate, message);
    fault.violating(owner, "LIMIT_VALUE_LATE", message).with("dimension", dimension)
}
