//! What is known of somebody, as far as it matters for writing to them.

use tandem_platform::db::Session;
use tandem_platform::{Outcome, Tenant};

use super::contact::{Contact, Known};
use super::current::Current;
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
    let address = contact.channel.address(&customer.profile);
    let hashes = address.as_ref().map(|address| app.people.hashes(tenant.as_str(), address));
    let mut suppressions =
        store::suppression::of(session, tenant, hashes.as_deref().unwrap_or_default()).await?;
    suppressions.retain(|row| row.place.channel == contact.channel);
    let said = store::current(session, tenant, vec![customer.id.clone()]).await?;
    let key =
        Key { customer: customer.id.clone(), purpose: contact.purpose.to_owned(), channel: contact.channel };
    let reachable = address.is_some() || !contact.channel.needs_profile();
    Ok(Known { erased: false, reachable, suppressions, consent: holding(&said, &key) })
}
