//! What can be done with declarations.

use std::sync::Arc;

use tandem_platform::resource::{Change, New, Resource, Touch, Unit};
use tandem_platform::service::Asked;
use tandem_platform::{Fault, Outcome, once};
use tandem_proto::relationship::v1::ErrorReason;

use super::readers::{House, Readers};
use super::{Attribute, Declared, Definition, MAX_DECLARED, events, store};

/// Declares an attribute.
pub async fn create<R: Readers>(house: Arc<House<R>>, asked: Asked<New<Definition>>) -> Outcome<Attribute> {
    once!(house.core, asked, |unit, new| {
        let (tenant, now) = (unit.tenant(), unit.now());
        house.readers.hold(unit.tx(), tenant, now).await?;
        let declared = store::declared(unit.tx(), tenant).await?;
        if declared.0.len() >= MAX_DECLARED {
            let message = format!("a tenant declares at most {MAX_DECLARED} attributes");
            return Err(Fault::precondition(ErrorReason::TooManyAttributes, message));
        }
        let attribute = Attribute::new(new.id.clone(), new.given.clone(), unit.now());
        judge(&house.readers, unit, &attribute, declared).await?;
        unit.create(attribute, events::created).await
    })
}

/// Changes the named fields of a declaration. Where nothing differs, nothing happens.
pub async fn update<R: Readers>(
    house: Arc<House<R>>,
    asked: Asked<Change<Definition>>,
) -> Outcome<Attribute> {
    once!(house.core, asked, |unit, change| {
        let (tenant, now) = (unit.tenant(), unit.now());
        let attribute: Attribute = unit.lock(&change.touch).await?;
        let definition = change.of(&attribute.definition);
        if definition == attribute.definition {
            return Ok(attribute);
        }
        let is_retyped = definition.reading != attribute.definition.reading;
        let next = attribute.revised(definition, unit.now());
        if is_retyped {
            house.readers.hold(unit.tx(), tenant, now).await?;
            let declared = store::declared(unit.tx(), tenant).await?;
            judge(&house.readers, unit, &next, declared).await?;
        }
        unit.save(next, events::updated)
    })
}

/// Takes a declaration back.
pub async fn delete<R: Readers>(house: Arc<House<R>>, asked: Asked<Touch>) -> Outcome<()> {
    once!(house.core, asked, |unit, touch| {
        let (tenant, now) = (unit.tenant(), unit.now());
        let attribute: Attribute = unit.lock(touch).await?;
        house.readers.hold(unit.tx(), tenant, now).await?;
        let declared = store::declared(unit.tx(), tenant).await?.without(&touch.id);
        let against = house.readers.against(unit.tx(), tenant, &declared).await?;
        if !against.is_empty() {
            return Err(in_use(&attribute, &against));
        }
        unit.write(store::delete(&touch.id));
        unit.tell(events::deleted(&attribute));
        Ok(())
    })
}

/// Whether rules and customers admit what is to be declared.
async fn judge<R: Readers>(
    readers: &R,
    unit: &mut Unit<'_>,
    attribute: &Attribute,
    declared: Declared,
) -> Outcome<()> {
    let (tenant, reading) = (unit.tenant(), attribute.definition.reading);
    let declared = declared.with(&attribute.id, reading);
    let against = readers.against(unit.tx(), tenant, &declared).await?;
    if !against.is_empty() {
        return Err(in_use(attribute, &against));
    }
    match readers.unfit(unit.tx(), tenant, &attribute.id, reading).await? {
        0 => Ok(()),
        values => {
            let message =
                format!("{values} customers have a value of {} that is not {}", attribute.id, reading.word());
            let fault = Fault::precondition(ErrorReason::AttributeValuesDiffer, message);
            Err(fault.with("resource", attribute.name()).with("values", values))
        }
    }
}

fn in_use(attribute: &Attribute, against: &[String]) -> Fault {
    let message = format!("rules read {} otherwise", attribute.name());
    let refusal =
        Fault::precondition(ErrorReason::AttributeInUse, message).with("resource", attribute.name());
    against.iter().fold(refusal, |refusal, one| {
        refusal.violating(one.clone(), "ATTRIBUTE_IN_USE", "reads the attribute as something else")
    })
}
