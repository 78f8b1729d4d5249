//! What can be done with the list of a segment.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tandem_platform::db::Writes;
use tandem_platform::resource::{Resource, Touch};
use tandem_platform::service::{Asked, Core};
use tandem_platform::{Call, Fault, Outcome, Tenant, Tx, once, transact};
use tandem_proto::relationship::v1::ErrorReason;

use super::super::store::SEGMENTS;
use super::super::store::lists;
use super::super::{Kind, Segment, name};
use crate::customer;

/// Customers to be put on a list or taken off it.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Which list.
    pub touch: Touch,
    /// Ids, as they came.
    pub customers: Vec<String>,
}

/// What became of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listed {
    /// It was not so before.
    Changed,
    /// It was so.
    Same,
    /// There is no such customer.
    Unknown,
}

/// Puts customers on a list; answers in their order.
pub async fn add(core: Core, asked: Asked<Listing>) -> Outcome<Vec<Listed>> {
    once!(core, asked, |unit, what| {
        let (tenant, now) = (unit.tenant(), unit.now());
        unit.lock::<Segment>(&what.touch).await.and_then(|segment| is_list(&segment))?;
        let (listed, added) = added(unit.tx(), tenant, what).await?;
        unit.write(lists::add(&what.touch.id, added.clone()));
        unit.write(customer::store::look(added, now));
        Ok(listed)
    })
}

/// Takes customers off a list; answers in their order.
pub async fn remove(core: Core, asked: Asked<Listing>) -> Outcome<Vec<Listed>> {
    once!(core, asked, |unit, what| {
        let (tenant, now) = (unit.tenant(), unit.now());
        unit.lock::<Segment>(&what.touch).await.and_then(|segment| is_list(&segment))?;
        let on = lists::among(unit.tx(), tenant, &what.touch.id, &what.customers).await?;
        let gone: Vec<String> = on.iter().cloned().collect();
        unit.write(lists::remove(&what.touch.id, gone.clone()));
        unit.write(customer::store::look(gone, now));
        let mut on = on;
        let listed = |id: &String| if on.remove(id) { Listed::Changed } else { Listed::Same };
        Ok(what.customers.iter().map(listed).collect())
    })
}

/// Puts one block of an import on a list as [`add`] does. No request_id: sending it again changes nothing.
pub async fn import(core: &Core, call: &Call, what: Listing) -> Outcome<Vec<Listed>> {
    let (now, tenant) = (core.clock.now(), &call.tenant);
    transact!(core.db, |tx| {
        let segment = SEGMENTS.lock(tx, tenant, &what.touch.id).await?;
        let segment = segment.ok_or_else(|| Fault::not_found(name(&what.touch.id)))?;
        is_list(&segment)?;
        let (listed, added) = added(tx, tenant, &what).await?;
        let mut writes = Writes::of(tenant);
        writes.push(lists::add(&what.touch.id, added.clone()));
        writes.push(customer::store::look(added, now));
        writes.run(tx).await?;
        Ok(listed)
    })
}

/// What becomes of each, and who is to be added, in order and once each.
async fn added(tx: &mut Tx, tenant: &Tenant, what: &Listing) -> Outcome<(Vec<Listed>, Vec<String>)> {
    let known = customer::store::known_ids(tx, tenant, &what.customers).await?;
    let known: BTreeSet<String> = known.into_iter().collect();
    let mut on = lists::among(tx, tenant, &what.touch.id, &what.customers).await?;
    let mut added = BTreeSet::new();
    let listed = what.customers.iter().map(|id| match (known.contains(id), on.insert(id.clone())) {
        (false, _) => Listed::Unknown,
        (true, false) => Listed::Same,
        (true, true) => {
            added.insert(id.clone());
            Listed::Changed
        }
    });
    let listed = listed.collect();
    Ok((listed, added.into_iter().collect()))
}

fn is_list(segment: &Segment) -> Outcome<()> {
    match segment.definition.kind {
        Kind::List => Ok(()),
        Kind::Rule => {
            let message = format!("{} is found by a rule and has no list", segment.name());
            let fault = Fault::precondition(ErrorReason::SegmentNotAList, message);
            Err(fault.with("resource", segment.name()))
        }
    }
}
