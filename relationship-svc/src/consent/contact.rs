//! May I write to this person now, and why not: one decision, in one order. The first that forbids it is the answer.
//!
//! erased → suppressed → consent → no address. What comes behind consent when messages are sent (the relationship campaign is
//! open, the message still matters, hold-out, quiet hours, frequency) joins here.

use jiff::Timestamp;

use super::Channel;
use super::State;
use super::current::Current;
use super::suppression::{self, Suppression};

/// What somebody is to be written to for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact<'a> {
    /// One purpose.
    pub purpose: &'a str,
    /// One channel.
    pub channel: Channel,
    /// Serves an order or a request of the person's own: needs no consent.
    pub transactional: bool,
}

/// What is known of the person, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Had themselves erased, and did not come back.
    pub erased: bool,
    /// Their profile has an address for the channel, or the channel needs none of it.
    pub reachable: bool,
    /// Every row of that address and channel.
    pub suppressions: Vec<Suppression>,
    /// Of this purpose and channel, with what wider ones refuse taken in.
    pub consent: Current,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// They had themselves erased.
    Erased,
    /// Their address is suppressed.
    Suppressed(suppression::Reason),
    /// They never said anything of it.
    NoConsent,
    /// They said no.
    Denied,
    /// They took it back.
    Withdrawn,
    /// They have not confirmed yet.
    Pending,
    /// What they granted is over.
    Expired,
    /// The channel needs an address that is not known.
    NoAddress,
}

/// Decides.
pub fn may_contact(now: Timestamp, contact: Contact<'_>, known: &Known) -> Result<(), Reason> {
    if known.erased {
        return Err(Reason::Erased);
    }
    let marketing = !contact.transactional;
    if let Some(reason) = suppression::verdict(&known.suppressions, contact.purpose, marketing) {
        return Err(Reason::Suppressed(reason));
    }
    if marketing {
        consent(now, &known.consent)?;
    }
    if known.reachable { Ok(()) } else { Err(Reason::NoAddress) }
}

fn consent(now: Timestamp, current: &Current) -> Result<(), Reason> {
    match current.state(now).map(|(state, _)| state) {
        Some(State::Granted) => Ok(()),
        Some(State::Denied) => Err(Reason::Denied),
        Some(State::Withdrawn) => Err(Reason::Withdrawn),
        Some(State::Pending) => Err(Reason::Pending),
        Some(State::Expired) => Err(Reason::Expired),
        None => Err(Reason::NoConsent),
    }
}
