//! Addresses that are not written to: suppressed, and lifted by hand.

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::person::Address;
use tandem_platform::service::Asked;
use tandem_platform::{Fault, Outcome, once};
use uuid::Uuid;

use super::super::link::Unsubscribe;
use super::super::suppression::{Place, Reason, Suppression};
use super::super::{Basis, Channel, Consent, Key, Proof, State, events, store};
use super::take;
use crate::App;

/// An address that is not to be written to.
#[derive(Debug, Clone)]
pub struct Suppress {
    /// Which.
    pub address: Address,
    /// By what, never all.
    pub channels: Vec<Channel>,
    /// What for, or all.
    pub purpose: String,
    /// Why.
    pub reason: Reason,
    /// When that happened.
    pub at: Timestamp,
    /// What is said of it.
    pub note: String,
}

/// An address that may be written to again.
#[derive(Debug, Clone)]
pub struct Clear {
    /// Which.
    pub address: Address,
    /// By what, never all.
    pub channels: Vec<Channel>,
    /// Of what is lifted.
    pub reasons: Vec<Reason>,
    /// Why.
    pub note: String,
}

/// Suppresses an address; one row for each channel.
pub async fn suppress(app: Arc<App>, asked: Asked<Suppress>) -> Outcome<Vec<Suppression>> {
    once!(app.core, asked, |unit, asked| {
        let (tenant, principal) = (unit.tenant(), unit.principal().to_owned());
        let hashes = app.people.hashes(tenant.as_str(), &asked.address);
        let found = store::suppression::of(unit.tx(), tenant, &hashes).await?;
        let Some(current) = hashes.first() else { return Ok(Vec::new()) };
        let row = |channel: &Channel| {
            let fresh = Suppression::new(current, *channel, &asked.purpose, asked.reason);
            at_place(&found, fresh).suppressed(asked.at, &asked.note, &principal)
        };
        let rows: Vec<Suppression> = asked.channels.iter().map(row).collect();
        unit.write(store::suppression::save(&rows));
        rows.iter().for_each(|row| unit.tell(events::suppressed(row)));
        Ok(rows)
    })
}

/// Lifts by hand what holds of an address for some reasons.
pub async fn clear(app: Arc<App>, asked: Asked<Clear>) -> Outcome<Vec<Suppression>> {
    once!(app.core, asked, |unit, asked| {
        let (tenant, now, principal) = (unit.tenant(), unit.now(), unit.principal().to_owned());
        let hashes = app.people.hashes(tenant.as_str(), &asked.address);
        let found = store::suppression::of(unit.tx(), tenant, &hashes).await?;
        let named =
            |place: &Place| asked.channels.contains(&place.channel) && asked.reasons.contains(&place.reason);
        let holding = found.into_iter().filter(|row| row.holds() && named(&row.place));
        let after = |row: &Suppression| row.suppressed.filter(|at| *at >= now).map_or(now, just_after);
        let rows: Vec<Suppression> = holding
            .map(|row| {
                let at = after(&row);
                row.cleared(at, &asked.note, &principal)
            })
            .collect();
        if rows.is_empty() {
            return Err(Fault::not_found("a suppression of this address, channel and reason"));
        }
        unit.write(store::suppression::save(&rows));
        rows.iter().for_each(|row| unit.tell(events::cleared(row)));
        Ok(rows)
    })
}

/// The next moment that is kept apart: what is lifted is lifted, although the clock of whoever suppressed it was ahead.
fn just_after(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond() + 1).unwrap_or(at)
}

/// Takes an unsubscribe: the address is suppressed, and the person, if still there, has withdrawn.
pub async fn unsubscribe(app: Arc<App>, asked: Asked<Unsubscribe>) -> Outcome<Suppression> {
    let id = app.ids.next(app.clock.now());
    once!(app.core, asked, |unit, link| {
        let (tenant, now, principal) = (unit.tenant(), unit.now(), unit.principal().to_owned());
        let hashed = link.address()?;
        let found = store::suppression::of(unit.tx(), tenant, std::slice::from_ref(&hashed)).await?;
        let fresh = Suppression::new(&hashed, link.channel, &link.purpose, Reason::Unsubscribe);
        let row = at_place(&found, fresh).suppressed(now, "", &principal);
        take::take(&app, unit, vec![withdrawn(link, id, now, principal)]).await?;
        unit.write(store::suppression::save(std::slice::from_ref(&row)));
        unit.tell(events::suppressed(&row));
        Ok(row)
    })
}

fn withdrawn(link: &Unsubscribe, id: Uuid, now: Timestamp, principal: String) -> Consent {
    let (customer, purpose, channel) = (link.customer.clone(), link.purpose.clone(), link.channel);
    Consent {
        id,
        key: Key { customer, purpose, channel },
        state: State::Withdrawn,
        basis: Basis::None,
        text_version: String::new(),
        source: "unsubscribe-link".to_owned(),
        proof: Proof::default(),
        at: now,
        expires: None,
        confirms: None,
        recorded: now,
        principal,
    }
}

/// What is known at the place of `fresh`.
fn at_place(found: &[Suppression], fresh: Suppression) -> Suppression {
    found.iter().find(|row| row.place == fresh.place).cloned().unwrap_or(fresh)
}
