//! Merging two customers: the first transaction.

use std::sync::Arc;

use tandem_platform::db::Session;
use tandem_platform::service::Asked;
use tandem_platform::{Fault, Outcome, Tenant, Tx, once};
use tandem_proto::relationship::v1::ErrorReason;

use super::{Merge, Merged, events, profile, store};
use crate::consent::current;
use crate::customer::alias::{Alias, MAX_ALIASES, person, refused};
use crate::customer::store::{CUSTOMERS, alias};
use crate::customer::{self, Customer};
use crate::relationship::{self, Relationship, Who};
use crate::{App, consent, erasure};

/// Source and target, or what is so already.
pub(super) enum Found {
    /// Both are there.
    Both(Box<(Customer, Customer)>),
    /// They are one.
    One(Box<(Customer, Alias)>),
}

/// Merges a customer into another one. Locks the customers, then their relationships.
pub async fn merge(app: Arc<App>, asked: Asked<Merge>) -> Outcome<Merged> {
    let rules = app.tenancy.of(&app, &asked.call.tenant).await?.stages;
    let merged = once!(app.core, asked, |unit, merge| {
        let (tenant, now, principal) = (unit.tenant(), unit.now(), unit.principal().to_owned());
        let ids = vec![merge.source.clone(), merge.target.clone()];
        let people = CUSTOMERS.lock_many(unit.tx(), tenant, ids).await?;
        let (source, target) = match found(unit.tx(), tenant, merge, people).await? {
            Found::Both(both) => *both,
            Found::One(one) => return Ok(again(*one)),
        };
        let former = alias::of(unit.tx(), tenant, &source.id).await?;
        let theirs = alias::of(unit.tx(), tenant, &target.id).await?.len();
        room(former.len() + theirs + 1)?;
        let profile = profile::together(&source, &target, &merge.rules);
        profile::check(&profile)?;
        let profile = customer::commands::declared_kept(unit.tx(), tenant, profile).await?;
        let said = consents(unit.tx(), tenant, &source.id, &target.id).await?;
        let (from, to) = (Who::Customer(source.id.clone()), Who::Customer(target.id.clone()));
        let stand = figures(unit.tx(), tenant, [&from, &to]).await?;
        let [(gone, known_gone), (mut kept, known_kept)] = stand;
        let mut changes = kept.tell(&rules, now);
        kept.claim(&gone);
        changes.extend(kept.tell(&rules, now));
        let gone = gone.merged(&target.id);
        unit.write(store::lists(&source.id, &target.id));
        erasure::store::forget(&source.id).into_iter().for_each(|write| unit.write(write));
        unit.write(consent::store::save(&said));
        unit.write(alias::repoint(&source.id, &target.id));
        unit.write(alias::save(&Alias::new(person(&source.id), &target.id, &principal, now)));
        unit.write(erasure::store::rename_claimed(&source.id, &target.id));
        for (row, known) in [(&gone, known_gone), (&kept, known_kept)] {
            let write = if known { relationship::store::update } else { relationship::store::insert };
            unit.write(write(&[row])?);
        }
        unit.write(customer::store::look(vec![target.id.clone()], now));
        changes.iter().for_each(|change| unit.tell(relationship::events::stage_changed(&to, change)));
        let customer = unit.save(target.known(profile, now), customer::events::updated)?;
        unit.tell(events::merged(&source.id, &customer, &former, now));
        Ok(Merged { customer, merged: now, again: false, done: false })
    })?;
    app.merges.notify_one();
    Ok(merged)
}

fn again((customer, alias): (Customer, Alias)) -> Merged {
    Merged { customer, merged: alias.merged, again: true, done: alias.open.is_none() }
}

/// Refuses more names than one customer may have.
pub(super) fn room(names: usize) -> Outcome<()> {
    if names <= MAX_ALIASES {
        return Ok(());
    }
    let message = format!("{names} ids and guests would stand for the target, at most {MAX_ALIASES} may");
    Err(Fault::precondition(ErrorReason::MergedTooOften, message))
}

/// Who is there of the two, or why they cannot be merged.
pub(super) async fn found(
    session: &mut impl Session,
    tenant: &Tenant,
    merge: &Merge,
    people: Vec<Customer>,
) -> Outcome<Found> {
    if merge.source == merge.target {
        let message = "source and target are the same customer";
        return Err(Fault::precondition(ErrorReason::MergeIntoSelf, message));
    }
    let (mut source, mut target) = (None, None);
    for one in people {
        if one.id == merge.source {
            source = Some(one);
        } else {
            target = Some(one);
        }
    }
    match (source, target) {
        (Some(source), Some(target)) => Ok(Found::Both(Box::new((source, target)))),
        (None, Some(target)) => match alias::find(session, tenant, &person(&merge.source)).await? {
            Some(alias) if alias.into == merge.target => Ok(Found::One(Box::new((target, alias)))),
            Some(alias) => Err(refused(&merge.source, &alias.into)),
            None => Err(Fault::not_found(customer::name(&merge.source))),
        },
        (_, None) => match alias::find(session, tenant, &person(&merge.target)).await? {
            Some(alias) if alias.into == merge.source => Err(circle(merge)),
            Some(alias) => Err(refused(&merge.target, &alias.into)),
            None => Err(Fault::not_found(customer::name(&merge.target))),
        },
    }
}

fn circle(merge: &Merge) -> Fault {
    let (kept, gone) = (customer::name(&merge.source), customer::name(&merge.target));
    let message = format!("{gone} was merged into {kept} before");
    Fault::precondition(ErrorReason::MergeInACircle, message).with("customer", kept)
}

/// What holds of what both have said, of every purpose and channel: as if one had said all of it.
async fn consents(
    tx: &mut Tx,
    tenant: &Tenant,
    from: &str,
    to: &str,
) -> Outcome<Vec<(consent::Key, current::Current)>> {
    let held = consent::store::current(tx, tenant, vec![from.to_owned(), to.to_owned()]).await?;
    Ok(current::together(held, to))
}

/// How both stand, and whether that is stored.
async fn figures(tx: &mut Tx, tenant: &Tenant, of: [&Who; 2]) -> Outcome<[(Relationship, bool); 2]> {
    let mut rows = relationship::store::lock(tx, tenant, of.map(Clone::clone).to_vec()).await?;
    Ok(of.map(|who| {
        let at = rows.iter().position(|row| row.who == *who);
        at.map_or_else(|| (Relationship::new(who.clone()), false), |at| (rows.swap_remove(at), true))
    }))
}
