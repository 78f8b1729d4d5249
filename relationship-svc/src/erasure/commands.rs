//! Erasing somebody: the first transaction, and every one after it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tandem_kernel::person::Address;
use tandem_platform::db::Writes;
use tandem_platform::erasing::kept::{self, Page};
use tandem_platform::erasing::scrub::answer;
use tandem_platform::erasing::{Person, Went};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::service::Asked;
use tandem_platform::{Fault, Outcome, Tenant, Tx, once, rewrite, transact};
use tandem_proto::common::v1::Event;

use super::scrub::{self, Ours};
use super::{Erasure, Step, Told, events, list, store};
use crate::customer::Profile;
use crate::customer::store::{CUSTOMERS, alias};
use crate::relationship::{self, Relationship, StageRules, Who};
use crate::{App, consent, customer, interaction, redemption};

/// Rows that one transaction goes through at most.
const PART: i64 = 500;

/// Erases the customer of an id, under all ids that they are called by. Who was erased before and left nothing since is told so.
pub async fn erase(app: Arc<App>, asked: Asked<String>) -> Outcome<Told> {
    let told = once!(app.core, asked, |unit, id| {
        let (tenant, now, principal) = (unit.tenant(), unit.now(), unit.principal().to_owned());
        let into = alias::into(unit.tx(), tenant, id).await?;
        let id = into.as_ref().unwrap_or(id);
        let pseudonym = app.people.pseudonym(tenant.as_str(), id);
        let person = CUSTOMERS.lock_any(unit.tx(), tenant, id).await?;
        let before = store::lock(unit.tx(), tenant, &pseudonym).await?;
        // What is going on takes whatever is left; it does not begin anew for being asked for again.
        let goes_on = before.as_ref().is_some_and(|before| before.step.is_some());
        if person.is_none() && (goes_on || !store::left(unit.tx(), tenant, id).await?) {
            let known = before.ok_or_else(|| Fault::not_found(customer::name(id)))?;
            return Ok(known.told());
        }
        let addresses = person.map(|person| addresses(&person.profile)).unwrap_or_default();
        let mut events = Batch::new(&asked.call, &*app.ids, now);
        let forget = Some(now + SignedDuration::from_hours(app.config.event_retention_h.into()));
        let told = events.id();
        let begun = |id: &str, pseudonym: String| Erasure {
            pseudonym,
            customer: Some(id.to_owned()),
            principal: principal.clone(),
            erased: now,
            step: Some(Step::FIRST),
            place: String::new(),
            done: None,
            told,
            forget,
        };
        let erasure = begun(id, pseudonym);
        events.push(events::erased(id, &erasure));
        for name in called(&app, unit.tx(), tenant, id, &erasure.pseudonym).await? {
            let theirs = begun(&name, app.people.pseudonym(tenant.as_str(), &name));
            events.push(events::erased(&name, &theirs));
            store::forget(&name).into_iter().for_each(|write| unit.write(write));
            unit.write(store::begin(&theirs)?);
        }
        let rows =
            consent::suppression::erased(&app.people, tenant.as_str(), &addresses, now, &erasure.principal);
        store::forget(id).into_iter().for_each(|write| unit.write(write));
        unit.write(consent::store::suppression::save(&rows));
        unit.write(store::begin(&erasure)?);
        unit.write(outbox::write(events));
        Ok(erasure.told())
    })?;
    app.erasures.notify_one();
    Ok(told)
}

/// Other ids of somebody, who is erased under each of them; that they are one stays, hidden.
async fn called(app: &App, tx: &mut Tx, tenant: &Tenant, id: &str, hidden: &str) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for one in alias::of(tx, tenant, id).await? {
        let name = one.person.strip_prefix("c/").map(str::to_owned);
        let pseudonym = name.as_ref().map(|name| app.people.pseudonym(tenant.as_str(), name));
        let person =
            pseudonym.map_or_else(|| one.person.clone(), |pseudonym| customer::alias::person(&pseudonym));
        alias::hide(tx, tenant, &one.person, &person, hidden).await?;
        names.extend(name);
    }
    Ok(names)
}

/// Where somebody can be reached, as far as it is known here.
fn addresses(profile: &Profile) -> Vec<Address> {
    let known = [Address::email(&profile.email), Address::phone(&profile.phone)];
    known.into_iter().flatten().collect()
}

/// Does the next part of an erasure; answers whether there is more to do.
pub async fn proceed(app: &App, tenant: &Tenant, pseudonym: &str, now: Timestamp) -> Outcome<bool> {
    transact!(app.db, |tx| {
        let found = store::lock(tx, tenant, pseudonym).await?;
        let Some((erasure, step)) = found.and_then(|one| one.step.map(|step| (one, step))) else {
            return Ok(false);
        };
        let went = match &erasure.customer {
            Some(id) => part(app, tx, tenant, step, &scrub::person(id, pseudonym), &erasure).await?,
            None => Went::Through,
        };
        let next = erasure.gone(went, now);
        store::save(tx, tenant, &next).await?;
        Ok(next.step.is_some())
    })
}

/// Has the event that told of an erasure, and its row, lose the id.
pub async fn forget(app: &App, tenant: &Tenant, pseudonym: &str, now: Timestamp) -> Outcome<()> {
    transact!(app.db, |tx| {
        let found = store::lock(tx, tenant, pseudonym).await?;
        let Some(erasure) = found.filter(|erasure| erasure.may_forget(now)) else { return Ok(()) };
        if let Some(payload) = rewrite::event(tx, tenant, erasure.told).await?
            && let Some(payload) = scrub::forgotten(&payload, pseudonym)?
        {
            rewrite::save_event(tx, tenant, erasure.told, payload).await?;
        }
        store::save(tx, tenant, &erasure.forgotten()).await
    })
}

/// One part of one step, from a place on.
async fn part(
    app: &App,
    tx: &mut Tx,
    tenant: &Tenant,
    step: Step,
    person: &Person,
    erasure: &Erasure,
) -> Outcome<Went> {
    let place = erasure.place.as_str();
    let (from, to) = (person.id(), person.pseudonym());
    let (was, is) = (Who::Customer(from.to_owned()), Who::Customer(to.to_owned()));
    // What these have gone through is found no more.
    let again = |done: u64| if done < PART.unsigned_abs() { Went::Through } else { Went::On(String::new()) };
    let page = || Page { tenant, person, rules: &Ours, place, limit: PART };
    match step {
        Step::Consents => {
            let done = store::rename_consents(tx, tenant, from, to, PART).await?;
            Ok(again(u64::try_from(done).unwrap_or(u64::MAX)))
        }
        Step::Vouchers => store::rename_vouchers(tx, tenant, from, to, PART).await.map(again),
        Step::Interactions => store::forget_interactions(tx, tenant, &was, PART).await.map(again),
        Step::Orders => store::rename_orders(tx, tenant, &was, &is, PART).await.map(again),
        Step::Relationship => {
            let rules = app.tenancy.within(tx, tenant).await?.stages;
            stands(tx, tenant, person, &rules, app.clock.now()).await.map(|()| Went::Through)
        }
        // Whole orders at a time, so that a part may be more than it was asked for; less than one is the last.
        Step::Redemptions => {
            let done = redemption::rename::rename(tx, tenant, &was, to, PART).await?;
            Ok(if done == 0 { Went::Through } else { Went::On(String::new()) })
        }
        Step::Counters => kept::counters(tx, tenant, person, place).await,
        Step::Changes => changes(tx, tenant, person, place).await,
        Step::Answers => kept::answers(tx, page()).await,
        // What tells others of this erasure stays.
        Step::Events => {
            let tells = |id, event: &Event| id == erasure.told && event.r#type == list::TELLS_OF_ERASURE;
            kept::events(tx, page(), tells).await
        }
        Step::SetAside => kept::aside(tx, page()).await,
    }
}

/// Adds the figures of somebody to those of the pseudonym, whose orders theirs are by now.
async fn stands(
    tx: &mut Tx,
    tenant: &Tenant,
    person: &Person,
    rules: &StageRules,
    now: Timestamp,
) -> Outcome<()> {
    let (from, to) = (person.id(), person.pseudonym());
    let (was, is) = (Who::Customer(from.to_owned()), Who::Customer(to.to_owned()));
    let mut found = relationship::store::lock(tx, tenant, vec![was.clone(), is.clone()]).await?;
    let Some(at) = found.iter().position(|row| row.who == was) else { return Ok(()) };
    let theirs = found.swap_remove(at);
    let stored = found.pop();
    let write = if stored.is_some() { relationship::store::update } else { relationship::store::insert };
    let mut hidden = stored.unwrap_or_else(|| Relationship::new(is.clone()));
    hidden.claim(&theirs);
    let (dates, first) = interaction::store::order::dates(tx, tenant, &is).await?;
    hidden.read_again(dates, first);
    // Nobody hears where a pseudonym stands.
    hidden.tell(rules, now);
    hidden.next_change = None;
    let mut writes = Writes::of(tenant);
    store::forget_relationship(from, to).into_iter().for_each(|write| writes.push(write));
    writes.push(write(&[&hidden])?);
    writes.run(tx).await
}

async fn changes(tx: &mut Tx, tenant: &Tenant, person: &Person, place: &str) -> Outcome<Went> {
    let (code, id) = kept::two(place);
    let page = store::changes(tx, tenant, &(code, kept::uuid(&id)), person.id(), PART).await?;
    for (code, id, fields) in &page {
        let Some(fields) = fields else { continue };
        if let Some(fields) = answer(&Ours, person, fields)? {
            store::save_change(tx, tenant, code, *id, &fields).await?;
        }
    }
    Ok(Went::behind(&page, PART, |(code, id, _)| format!("{code}\n{id}")))
}
