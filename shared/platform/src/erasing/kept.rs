//! A person in what is kept for a while, and in counters that count nothing of them any more: a page of it in one transaction,
//! from a place on.

use tandem_kernel::limits;
use tandem_proto::common::v1::Event;
use uuid::Uuid;

use super::scrub::{self, Rules};
use super::{Person, Went};
use crate::call::Tenant;
use crate::counters::moved;
use crate::db::Tx;
use crate::fault::Outcome;
use crate::rewrite;

/// Owners of limits whose counters one transaction looks at.
const OWNERS: usize = 100;

/// Which texts are gone through.
#[derive(Debug)]
pub struct Page<'p, R> {
    /// Whose.
    pub tenant: &'p Tenant,
    /// Who is taken out.
    pub person: &'p Person,
    /// What the service says of its own.
    pub rules: &'p R,
    /// Behind which.
    pub place: &'p str,
    /// How many at most.
    pub limit: i64,
}

/// A place of two keys.
pub fn two(place: &str) -> (String, String) {
    let (first, second) = place.split_once('\n').unwrap_or((place, ""));
    (first.to_owned(), second.to_owned())
}

/// A place, or a part of one, that is an id of ours.
pub fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap_or_default()
}

/// Answers by request_id.
pub async fn answers<R: Rules>(tx: &mut Tx, of: Page<'_, R>) -> Outcome<Went> {
    let Page { tenant, person, rules, place, limit } = of;
    let page = rewrite::answers(tx, tenant, &two(place), person.id(), limit).await?;
    for (method, request_id, outcome) in &page {
        let Some(outcome) = outcome else { continue };
        if let Some(outcome) = scrub::answer(rules, person, outcome)? {
            rewrite::save_answer(tx, tenant, method, request_id, &outcome).await?;
        }
    }
    Ok(Went::behind(&page, limit, |(method, request_id, _)| format!("{method}\n{request_id}")))
}

/// Events, but those that stay as they are.
pub async fn events<R: Rules>(
    tx: &mut Tx,
    of: Page<'_, R>,
    stays: impl Fn(Uuid, &Event) -> bool + Send,
) -> Outcome<Went> {
    let Page { tenant, person, rules, place, limit } = of;
    let page = rewrite::events(tx, tenant, uuid(place), person.id(), limit).await?;
    for (id, payload) in &page {
        let Some(payload) = payload else { continue };
        if let Some(payload) = scrub::events(rules, person, payload, |event| stays(*id, event))? {
            rewrite::save_event(tx, tenant, *id, payload).await?;
        }
    }
    Ok(Went::behind(&page, limit, |(id, _)| id.to_string()))
}

/// Events that were set aside.
pub async fn aside<R: Rules>(tx: &mut Tx, of: Page<'_, R>) -> Outcome<Went> {
    let Page { tenant, person, rules, place, limit } = of;
    let (consumer, id) = two(place);
    let page = rewrite::aside(tx, tenant, &(consumer, uuid(&id)), person.id(), limit).await?;
    for (consumer, id, payload) in &page {
        let Some(payload) = payload else { continue };
        if let Some(payload) = scrub::aside(rules, person, payload)? {
            rewrite::save_aside(tx, tenant, consumer, *id, payload).await?;
        }
    }
    Ok(Went::behind(&page, limit, |(consumer, id, _)| format!("{consumer}\n{id}")))
}

/// Counters of theirs that are left with nothing: whatever has come back of a sale leaves its row.
pub async fn counters(tx: &mut Tx, tenant: &Tenant, person: &Person, place: &str) -> Outcome<Went> {
    let Some(subject) = limits::subject(Some(person.id()), None) else { return Ok(Went::Through) };
    let (kind, owner) = two(place);
    let behind = kind.parse().ok().map(|kind| (kind, owner));
    let last = moved::forget_empty(tx, tenant, &subject, behind, OWNERS).await?;
    Ok(last.map_or(Went::Through, |(kind, owner)| Went::On(format!("{kind}\n{owner}"))))
}
