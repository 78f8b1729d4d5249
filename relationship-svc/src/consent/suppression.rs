//! Which addresses are not written to.
//!
//! A row is of one address, channel, purpose and reason, and holds when it was suppressed last and when that was lifted last.
//! What is later of both holds, at the same moment the suppression: so it does not matter in which order they arrive. An opt-in
//! for one purpose is written on the row of that purpose and lifts, for it alone, what holds for all.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::person::{Address, Hashed, PersonKeys};

use super::{ALL, Channel};

/// Why an address is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// There is no such mailbox.
    Bounce,
    /// Somebody there called a message spam.
    Complaint,
    /// By hand.
    Manual,
    /// Somebody there wants no more.
    Unsubscribe,
    /// Whose it was had themselves erased.
    Erasure,
}

impl Reason {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Bounce, "BOUNCE"),
        (Self::Complaint, "COMPLAINT"),
        (Self::Manual, "MANUAL"),
        (Self::Unsubscribe, "UNSUBSCRIBE"),
        (Self::Erasure, "ERASURE"),
    ];

    /// As stored.
    pub fn name(self) -> &'static str {
        super::named(&Self::NAMES, self)
    }

    /// Of a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        super::of_name(&Self::NAMES, name)
    }

    /// Lifted by an opt-in with proof, and by nothing else; stands against direct marketing only.
    pub fn yields_to_opt_in(self) -> bool {
        matches!(self, Self::Unsubscribe | Self::Erasure)
    }
}

/// Which row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The keyed hash of the address.
    pub address: Vec<u8>,
    /// One channel, never all.
    pub channel: Channel,
    /// A word, or [`ALL`].
    pub purpose: String,
    /// Why.
    pub reason: Reason,
}

/// An address that is not written to, or that may be again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// Which.
    pub place: Place,
    /// Id of the key that hashed the address.
    pub key: String,
    /// When it was suppressed last.
    pub suppressed: Option<Timestamp>,
    /// When that was lifted last.
    pub cleared: Option<Timestamp>,
    /// What was said of it by hand.
    pub note: String,
    /// Who wrote it last.
    pub principal: String,
}

impl Suppression {
    /// One of which nothing is known yet.
    pub fn new(hashed: &Hashed, channel: Channel, purpose: &str, reason: Reason) -> Self {
        let place = Place { address: hashed.hash.clone(), channel, purpose: purpose.to_owned(), reason };
        Self {
            place,
            key: hashed.key.clone(),
            suppressed: None,
            cleared: None,
            note: String::new(),
            principal: String::new(),
        }
    }

    /// It holds.
    pub fn holds(&self) -> bool {
        self.suppressed.is_some() && self.suppressed >= self.cleared
    }

    /// Suppressed at this time, if it was not so already later.
    #[must_use]
    pub fn suppressed(self, at: Timestamp, note: &str, principal: &str) -> Self {
        let suppressed = self.suppressed.max(Some(at));
        Self { suppressed, note: note.to_owned(), principal: principal.to_owned(), ..self }
    }

    /// Lifted at this time, if it was not so already later.
    #[must_use]
    pub fn cleared(self, at: Timestamp, note: &str, principal: &str) -> Self {
        Self {
            cleared: self.cleared.max(Some(at)),
            note: note.to_owned(),
            principal: principal.to_owned(),
            ..self
        }
    }
}

/// Why an address may not be written to for `purpose`, of all its rows of one channel. `marketing`: what yields to an opt-in
/// stands against it too.
pub fn verdict(rows: &[Suppression], purpose: &str, marketing: bool) -> Option<Reason> {
    let hard = rows.iter().filter(|row| !row.place.reason.yields_to_opt_in() && row.holds());
    let hard = hard.map(|row| row.place.reason).min();
    hard.or_else(|| if marketing { unsubscribed(rows, purpose) } else { None })
}

/// Of everything that was said of this purpose and of all: the last that suppressed, against the last that lifted.
fn unsubscribed(rows: &[Suppression], purpose: &str) -> Option<Reason> {
    let of = |row: &&Suppression| {
        row.place.reason.yields_to_opt_in() && [purpose, ALL].contains(&row.place.purpose.as_str())
    };
    let last = rows.iter().filter(of).max_by_key(|row| row.suppressed)?;
    let cleared = rows.iter().filter(of).filter_map(|row| row.cleared).max();
    (last.suppressed.is_some() && last.suppressed >= cleared).then_some(last.place.reason)
}

/// What an erasure leaves of addresses: they are not written to for any purpose until somebody opts in anew.
pub fn erased(
    keys: &PersonKeys,
    tenant: &str,
    addresses: &[Address],
    at: Timestamp,
    principal: &str,
) -> Vec<Suppression> {
    let mut rows = Vec::new();
    for address in addresses {
        let Some(current) = keys.hashes(tenant, address).into_iter().next() else { continue };
        for channel in Channel::of(address) {
            let row = Suppression::new(&current, *channel, ALL, Reason::Erasure);
            rows.push(row.suppressed(at, "", principal));
        }
    }
    rows
}
