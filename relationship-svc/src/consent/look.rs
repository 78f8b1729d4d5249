//! What is known of somebody, as far as it matters for writing to them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tandem_kernel::person::{Address, Hashed};
use tandem_platform::db::Session;
use tandem_platform::{Outcome, Tenant};

use super::contact::{Contact, Known, Reason, may_contact};
use super::current::Current;
use super::suppression::Suppression;
use super::{ALL, Channel, Key, store};
use crate::App;
use crate::customer::Customer;

/// What holds of one purpose and channel, of everything that holds of a person: its own, with what is refused for every
/// purpose or channel taken in.
pub fn holding(said: &[(Key, Current)], of: &Key) -> Current {
    let place = |purpose: &str, channel| {
        let at = said
            .iter()
            .find(|(key, _)| key.customer == of.customer && key.purpose == purpose && key.channel == channel);
        at.map(|(_, current)| *current).unwrap_or_default()
    };
    let mut holding = place(&of.purpose, of.channel);
    for wider in [place(ALL, of.channel), place(&of.purpose, Channel::All), place(ALL, Channel::All)] {
        holding.take_wider(&wider);
    }
    holding
}

/// What is known of somebody who is there, as far as it matters for writing to them.
pub async fn known(
    app: &App,
    session: &mut impl Session,
    tenant: &Tenant,
    customer: &Customer,
    contact: Contact<'_>,
) -> Outcome<Known> {
    let addresses = Addresses::of(app, session, tenant, customer, &[contact.channel]).await?;
    let said = store::current(session, tenant, vec![customer.id.clone()]).await?;
    Ok(addresses.known(customer, &said, contact))
}

/// Verdicts on one purpose and channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What for; empty: for an order of theirs.
    pub purpose: String,
    /// By what.
    pub channel: Channel,
    /// Whether they may be written to, and why not.
    pub verdict: Result<(), Reason>,
}

/// Verdicts on what serves an order of somebody's, and on at most `limit` purposes of which they said anything, in their order,
/// by every channel. Two statements.
pub async fn verdicts(
    app: &App,
    session: &mut impl Session,
    tenant: &Tenant,
    customer: &Customer,
    limit: usize,
    now: Timestamp,
) -> Outcome<Vec<Verdict>> {
    let said = store::current(session, tenant, vec![customer.id.clone()]).await?;
    let purposes: BTreeSet<&str> = said.iter().map(|(key, _)| key.purpose.as_str()).collect();
    let purposes = purposes.into_iter().filter(|one| *one != ALL).take(limit);
    let addresses = Addresses::of(app, session, tenant, customer, &Channel::EACH).await?;
    let purposes = std::iter::once("").chain(purposes);
    let contacts = purposes.flat_map(|purpose| Channel::EACH.map(|channel| (purpose, channel)));
    let verdict = |(purpose, channel): (&str, Channel)| {
        let contact = Contact { purpose, channel, transactional: purpose.is_empty() };
        let verdict = may_contact(now, contact, &addresses.known(customer, &said, contact));
        Verdict { purpose: purpose.to_owned(), channel, verdict }
    };
    Ok(contacts.map(verdict).collect())
}

/// Where somebody can be reached, and what stands against that.
struct Addresses {
    /// By channel.
    known: Vec<(Channel, Option<Address>, Vec<Hashed>)>,
    suppressions: Vec<Suppression>,
}

impl Addresses {
    async fn of(
        app: &App,
        session: &mut impl Session,
        tenant: &Tenant,
        customer: &Customer,
        channels: &[Channel],
    ) -> Outcome<Self> {
        let reached = |channel: &Channel| {
            let address = channel.address(&customer.profile);
            let hashes = address.as_ref().map(|address| app.people.hashes(tenant.as_str(), address));
            (*channel, address, hashes.unwrap_or_default())
        };
        let known: Vec<_> = channels.iter().map(reached).collect();
        let hashes: Vec<Hashed> = known.iter().flat_map(|(_, _, hashes)| hashes.clone()).collect();
        let suppressions = store::suppression::of(session, tenant, &hashes).await?;
        Ok(Self { known, suppressions })
    }

    fn known(&self, customer: &Customer, said: &[(Key, Current)], contact: Contact<'_>) -> Known {
        let found = self.known.iter().find(|(channel, ..)| *channel == contact.channel);
        let (address, hashes) =
            found.map_or((None, &[][..]), |(_, address, hashes)| (address.as_ref(), hashes.as_slice()));
        let stands = |row: &&Suppression| {
            let place = &row.place;
            place.channel == contact.channel && hashes.iter().any(|hashed| hashed.hash == place.address)
        };
        let suppressions = self.suppressions.iter().filter(stands).cloned().collect();
        let reachable = address.is_some() || !contact.channel.needs_profile();
        let (purpose, channel) = (contact.purpose.to_owned(), contact.channel);
        let key = Key { customer: customer.id.clone(), purpose, channel };
        Known { erased: false, reachable, suppressions, consent: holding(said, &key) }
    }
}
