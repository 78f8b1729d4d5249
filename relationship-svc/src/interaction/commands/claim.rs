//! A customer claims a guest.

use std::sync::Arc;

use tandem_platform::resource::Unit;
use tandem_platform::service::Asked;
use tandem_platform::{Fault, Kind, Outcome, once};
use tandem_proto::relationship::v1::ErrorReason;

use super::super::claim::{Claim, Claimed};
use super::super::store;
use crate::App;
use crate::customer;
use crate::customer::alias::{Alias, MAX_ALIASES};
use crate::customer::store::alias;
use crate::relationship::{self, Relationship, Who, events};

/// Gives a customer all that a guest did, as if it had come for the customer, and whatever comes of the guest from now on. What
/// came before is moved in this transaction; who records something of the guest meanwhile waits for it, and finds the customer.
///
/// Locks orders, then the guest, then the customer, as a batch of interactions does. What the guest has redeemed counts for the
/// customer from then on, and moves behind it: see [`crate::customer::alias`].
pub async fn claim(app: Arc<App>, asked: Asked<Claim>) -> Outcome<Claimed> {
    let rules = app.tenancy.of(&app, &asked.call.tenant).await?.stages;
    let claimed = once!(app.core, asked, |unit, claim| {
        let (tenant, now, from) = (unit.tenant(), unit.now(), claim.from());
        store::order::lock_of(unit.tx(), tenant, &from).await?;
        let guest = relationship::store::lock(unit.tx(), tenant, vec![from.clone()]).await?.pop();
        if let Some(other) = guest.as_ref().and_then(|guest| guest.merged_into.as_ref()) {
            let into = alias::into(unit.tx(), tenant, &claim.customer).await?;
            let ours = *other == claim.customer || into.as_ref() == Some(other);
            return if ours { Ok(Claimed { orders: 0, again: true }) } else { Err(taken()) };
        }
        let customer = locked(unit, &claim.customer).await?;
        let to = Who::Customer(customer.clone());
        let names = alias::of(unit.tx(), tenant, &customer).await?.len();
        if names >= MAX_ALIASES {
            let message = format!("{} ids and guests stand for the customer, which is the most", names);
            return Err(Fault::precondition(ErrorReason::MergedTooOften, message));
        }
        let stored = relationship::store::lock(unit.tx(), tenant, vec![to.clone()]).await?.pop();
        let (known_guest, known_customer) = (guest.is_some(), stored.is_some());
        let mut guest = guest.unwrap_or_else(|| Relationship::new(from.clone()));
        let mut person = stored.unwrap_or_else(|| Relationship::new(to.clone()));
        let mut changes = person.tell(&rules, now);
        person.claim(&guest);
        changes.extend(person.tell(&rules, now));
        let orders = guest.orders;
        guest = guest.merged(&customer);
        changes.iter().for_each(|change| unit.tell(events::stage_changed(&to, change)));
        unit.tell(events::guest_claimed(&to, &guest));
        unit.write(store::hand_over(&from, &to));
        unit.write(store::order::hand_over(&from, &to));
        let principal = unit.principal();
        unit.write(alias::save(&Alias::new(from.key(), &customer, principal, now)));
        unit.write(customer::store::look(vec![customer.clone()], now));
        for (row, known) in [(&guest, known_guest), (&person, known_customer)] {
            let write = if known { relationship::store::update } else { relationship::store::insert };
            unit.write(write(&[row])?);
        }
        Ok(Claimed { orders, again: false })
    })?;
    app.merges.notify_one();
    Ok(claimed)
}

/// The customer, or the one whom they were merged into, locked.
async fn locked(unit: &mut Unit<'_>, id: &str) -> Outcome<String> {
    let tenant = unit.tenant();
    let id = alias::into(unit.tx(), tenant, id).await?.unwrap_or_else(|| id.to_owned());
    let known = customer::store::lock_ids(unit.tx(), tenant, std::slice::from_ref(&id)).await?;
    known.into_iter().next().ok_or_else(|| missing(&id))
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
