//! A customer claims a guest.

use std::sync::Arc;

use tandem_platform::service::Asked;
use tandem_platform::{Fault, Kind, Outcome, once};
use tandem_proto::relationship::v1::ErrorReason;

use super::super::claim::{Claim, Claimed};
use super::super::store;
use crate::App;
use crate::customer;
use crate::relationship::{self, Relationship, events};

/// Gives a customer all that a guest did, as if it had come for the customer, and whatever comes of the guest from now on. What
/// came before is moved in this transaction; who records something of the guest meanwhile waits for it, and finds the customer.
///
/// Locks orders, then the guest, then the customer, as a batch of interactions does. What else belongs to a guest (codes,
/// holds, limits) is to be moved here, before the end.
pub async fn claim(app: Arc<App>, asked: Asked<Claim>) -> Outcome<Claimed> {
    let rules = app.tenancy.of(&app, &asked.call.tenant).await?.stages;
    once!(app.core, asked, |unit, claim| {
        let (tenant, now, from, to) = (unit.tenant(), unit.now(), claim.from(), claim.to());
        store::order::lock_of(unit.tx(), tenant, &from).await?;
        let guest = relationship::store::lock(unit.tx(), tenant, vec![from.clone()]).await?.pop();
        if let Some(other) = guest.as_ref().and_then(|guest| guest.merged_into.as_ref()) {
            return if *other == claim.customer {
                Ok(Claimed { orders: 0, again: true })
            } else {
                Err(taken())
            };
        }
        let known =
            customer::store::lock_ids(unit.tx(), tenant, std::slice::from_ref(&claim.customer)).await?;
        if known.is_empty() {
            return Err(missing(&claim.customer));
        }
        let stored = relationship::store::lock(unit.tx(), tenant, vec![to.clone()]).await?.pop();
        let (known_guest, known_customer) = (guest.is_some(), stored.is_some());
        let mut guest = guest.unwrap_or_else(|| Relationship::new(from.clone()));
        let mut person = stored.unwrap_or_else(|| Relationship::new(to.clone()));
        let mut changes = person.tell(&rules, now);
        person.claim(&guest);
        changes.extend(person.tell(&rules, now));
        let orders = guest.orders;
        guest = guest.merged(&claim.customer);
        changes.iter().for_each(|change| unit.tell(events::stage_changed(&to, change)));
        unit.tell(events::guest_claimed(&to, &guest));
        unit.write(store::hand_over(&from, &to));
        unit.write(store::order::hand_over(&from, &to));
        unit.write(customer::store::look(vec![claim.customer.clone()], now));
        for (row, known) in [(&guest, known_guest), (&person, known_customer)] {
            let write = if known { relationship::store::update } else { relationship::store::insert };
            unit.write(write(&[row])?);
        }
        Ok(Claimed { orders, again: false })
    })
}

fn missing(customer: &str) -> Fault {
    let name = customer::name(customer);
    let message = format!("{name} does not exist");
    Fault::new(Kind::NotFound, ErrorReason::CustomerNotFound, message).with("resource", name)
}

/// Which customer has it, another one need not know.
fn taken() -> Fault {
    Fault::precondition(ErrorReason::GuestClaimed, "another customer has claimed this guest")
}
