//! What can be done with consents and suppressions. Whatever is about a person locks the person first.

pub mod suppress;
mod take;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_platform::db::Writes;
use tandem_platform::outbox::{self, Batch};
use tandem_platform::resource::Unit;
use tandem_platform::service::Asked;
use tandem_platform::{Call, Fault, Outcome, Tenant, once, transact};
use tandem_proto::relationship::v1::ErrorReason;
use uuid::Uuid;

use super::current::Current;
use super::link::{self, Confirmation};
use super::look::holding;
use super::{Basis, Consent, Key, Proof, State, events, store};
use crate::App;
use crate::customer;
use crate::customer::store::alias;

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recorded {
    /// It is kept, or was already.
    Kept {
        /// As kept.
        consent: Box<Consent>,
        /// Something newer is known.
        superseded: bool,
    },
    /// Nobody is known under the id.
    Unknown,
}

/// Somebody opened a link.
#[derive(Debug, Clone)]
pub struct Confirm {
    /// What it carries.
    pub confirmation: Confirmation,
    /// Who opened it.
    pub proof: Proof,
}

/// Takes down what one person said. NOT_FOUND.
pub async fn record(app: Arc<App>, asked: Asked<Consent>) -> Outcome<Recorded> {
    once!(app.core, asked, |unit, given| {
        let given = signed(unit, given);
        let customer = given.key.customer.clone();
        match take::take(&app, unit, vec![given]).await?.pop() {
            Some(kept @ Recorded::Kept { .. }) => Ok(kept),
            _ => Err(Fault::not_found(customer::name(&customer))),
        }
    })
}

/// Takes down what people said; answers in the order of the records.
pub async fn record_many(app: Arc<App>, asked: Asked<Vec<Consent>>) -> Outcome<Vec<Recorded>> {
    once!(app.core, asked, |unit, given| {
        let given = given.iter().map(|one| signed(unit, one)).collect();
        take::take(&app, unit, given).await
    })
}

fn signed(unit: &Unit<'_>, given: &Consent) -> Consent {
    Consent { recorded: unit.now(), principal: unit.principal().to_owned(), ..given.clone() }
}

/// Grants what was asked for.
pub async fn confirm(app: Arc<App>, asked: Asked<Confirm>) -> Outcome<Consent> {
    let id = app.ids.next(app.clock.now());
    once!(app.core, asked, |unit, asked| {
        let (tenant, now, principal) = (unit.tenant(), unit.now(), unit.principal().to_owned());
        let pending = store::find(unit.tx(), tenant, asked.confirmation.record).await?;
        let mut pending = pending.filter(|one| one.state == State::Pending).ok_or_else(link::invalid)?;
        pending.key.customer = addressee(unit, &asked.confirmation, &pending).await?;
        customer::store::lock_ids(unit.tx(), tenant, std::slice::from_ref(&pending.key.customer)).await?;
        if let Some(grant) = store::confirmed_by(unit.tx(), tenant, pending.id).await? {
            let message = "the link has granted already, and grants once";
            return Err(Fault::precondition(ErrorReason::ConsentLinkUsed, message).with("consent", grant));
        }
        let said = store::current(unit.tx(), tenant, vec![pending.key.customer.clone()]).await?;
        if refused_after(&holding(&said, &pending.key), &pending) {
            let message = "the person said no after the link was sent: ask anew";
            return Err(Fault::precondition(ErrorReason::ConsentLinkSuperseded, message));
        }
        let grant = Consent {
            id,
            state: State::Granted,
            proof: asked.proof.clone(),
            at: now,
            expires: None,
            confirms: Some(pending.id),
            recorded: now,
            principal,
            ..pending
        };
        match take::take(&app, unit, vec![grant]).await?.pop() {
            Some(Recorded::Kept { consent, .. }) => Ok(*consent),
            _ => Err(link::invalid()),
        }
    })
}

/// Whose link it is: the customer's, by whatever id they were called when it was sent.
async fn addressee(unit: &mut Unit<'_>, sent: &Confirmation, pending: &Consent) -> Outcome<String> {
    let (tenant, id) = (unit.tenant(), pending.key.customer.clone());
    let kept = alias::into(unit.tx(), tenant, &id).await?.unwrap_or_else(|| id.clone());
    if sent.check(tenant, pending).is_ok() {
        return Ok(kept);
    }
    let names = alias::of(unit.tx(), tenant, &kept).await?;
    let mut names = names.iter().filter_map(|one| one.person.strip_prefix("c/"));
    let called = |name: &str| Consent {
        key: Key { customer: name.to_owned(), ..pending.key.clone() },
        ..pending.clone()
    };
    if names.any(|name| sent.check(tenant, &called(name)).is_ok()) { Ok(kept) } else { Err(link::invalid()) }
}

fn refused_after(holding: &Current, pending: &Consent) -> bool {
    holding.decided.is_some_and(|mark| mark.state.refuses() && mark.at > pending.at)
}

/// Tells of one person what is over `now`; answers how much that was.
pub async fn expire(app: &App, tenant: &Tenant, customer: &str, now: Timestamp) -> Outcome<usize> {
    let call = Call::system(tenant.as_str());
    let ids: Vec<Uuid> = std::iter::repeat_with(|| app.ids.next(now)).take(MOST_OVER).collect();
    transact!(app.db, |tx| {
        customer::store::lock_ids(tx, tenant, &[customer.to_owned()]).await?;
        let said = store::current(tx, tenant, vec![customer.to_owned()]).await?;
        let over = said.into_iter().filter(|(_, current)| current.due.is_some_and(|due| due <= now));
        let mut records = Vec::new();
        let mut rows = Vec::new();
        for ((key, mut current), id) in over.zip(&ids) {
            let Some(due) = current.due.take() else { continue };
            records.push(ended(key.clone(), *id, due, now));
            rows.push((key, current));
        }
        let mut events = Batch::new(&call, &*app.ids, now);
        records.iter().for_each(|one| events.push(events::expired(one)));
        let mut writes = Writes::of(tenant);
        writes.push(store::insert(&records.iter().collect::<Vec<_>>())?);
        writes.push(store::save(&rows));
        writes.push(outbox::write(events));
        writes.run(tx).await?;
        Ok(records.len())
    })
}

/// What of one person is told in one transaction at most; the rest follows in the next.
const MOST_OVER: usize = 100;

/// The record that says that something is over: of the clock's, so nothing shows it.
fn ended(key: Key, id: Uuid, due: Timestamp, now: Timestamp) -> Consent {
    Consent {
        id,
        key,
        state: State::Expired,
        basis: Basis::None,
        text_version: String::new(),
        source: "expire_time".to_owned(),
        proof: Proof::default(),
        at: due,
        expires: None,
        confirms: None,
        recorded: now,
        principal: String::new(),
    }
}
