//! Whom the business may write to: what people said, and which addresses are never written to.
//!
//! # Rules
//! - What was said is only added to. No record is no permission.
//! - What was said later holds, whenever it arrives; of two things said at one moment the stricter ([`current`]).
//! - PENDING asks (double opt-in) and undoes nothing. Its link grants once, until its end, unless the person said no after it.
//! - What is granted until a time is over at that time, by the clock; that it is over is told afterwards, and nothing waits
//!   for it.
//! - A suppression is of an address, never of a person: of bounces and complaints and by hand for everything, of an unsubscribe
//!   or an erasure for a purpose or all. Only a keyed hash of the address is kept, so it outlives erasure and import
//!   ([`suppression`]).
//! - Only an opt-in with proof that is later lifts an unsubscribe, for its purpose and channel: a link that was opened, or a
//!   grant that rests on CONSENT with a proof. Bounces, complaints and what was done by hand are lifted by hand.
//! - Whether somebody may be written to is one pure decision: [`contact`].

pub mod commands;
pub mod contact;
pub mod current;
pub mod events;
pub mod link;
pub mod look;
pub mod rpc;
pub mod store;
pub mod suppression;
pub mod tasks;
#[cfg(test)]
pub(crate) mod tests;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tandem_kernel::person::Address;
use uuid::Uuid;

use crate::customer::Profile;

/// The most records of one batch.
pub const MAX_BATCH: usize = 1_000;
/// How long a link of double opt-in lasts where nothing is said, and at most.
pub const LINK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// See [`LINK`].
pub const LONGEST_LINK: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The word for every purpose.
pub const ALL: &str = "all";
/// The longest word for one.
pub const MAX_PURPOSE: usize = 64;

/// By what somebody is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Channel {
    /// Every one.
    All,
    /// To the e-mail address.
    Email,
    /// To the telephone number.
    Sms,
    /// To a device.
    Push,
    /// By letter.
    Post,
    /// A call to the telephone number.
    Phone,
    /// To the telephone number.
    Whatsapp,
}

impl Channel {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::All, "ALL"),
        (Self::Email, "EMAIL"),
        (Self::Sms, "SMS"),
        (Self::Push, "PUSH"),
        (Self::Post, "POST"),
        (Self::Phone, "PHONE"),
        (Self::Whatsapp, "WHATSAPP"),
    ];

    /// All but [`Channel::All`].
    pub const EACH: [Self; 6] = [Self::Email, Self::Sms, Self::Push, Self::Post, Self::Phone, Self::Whatsapp];

    /// The names of these.
    pub const ONES: [&'static str; 6] = ["EMAIL", "SMS", "PUSH", "POST", "PHONE", "WHATSAPP"];

    /// As stored.
    pub fn name(self) -> &'static str {
        named(&Self::NAMES, self)
    }

    /// Of a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        of_name(&Self::NAMES, name)
    }

    /// Those by which this address is written to.
    pub fn of(address: &Address) -> &'static [Self] {
        match address {
            Address::Email(_) => &[Self::Email],
            Address::Phone(_) => &[Self::Sms, Self::Phone, Self::Whatsapp],
            Address::Device(_) => &[Self::Push],
        }
    }

    /// Where this channel reaches somebody, as far as it is known here.
    pub fn address(self, profile: &Profile) -> Option<Address> {
        let known = match self {
            Self::Email => Address::email(&profile.email),
            Self::Sms | Self::Phone | Self::Whatsapp => Address::phone(&profile.phone),
            Self::All | Self::Push | Self::Post => return None,
        };
        known.ok()
    }

    /// Whether somebody whose profile has no address for it cannot be reached by it.
    pub fn needs_profile(self) -> bool {
        matches!(self, Self::Email | Self::Sms | Self::Phone | Self::Whatsapp)
    }
}

/// Where a consent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// May be written to.
    Granted,
    /// Is asked.
    Pending,
    /// What was granted is over.
    Expired,
    /// Said no.
    Denied,
    /// Said yes once, and no later.
    Withdrawn,
}

impl State {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Granted, "GRANTED"),
        (Self::Pending, "PENDING"),
        (Self::Expired, "EXPIRED"),
        (Self::Denied, "DENIED"),
        (Self::Withdrawn, "WITHDRAWN"),
    ];

    /// As stored.
    pub fn name(self) -> &'static str {
        named(&Self::NAMES, self)
    }

    /// Of a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        of_name(&Self::NAMES, name)
    }

    /// Of two that were said at one moment the higher one holds.
    fn strictness(self) -> usize {
        Self::NAMES.iter().position(|(state, _)| *state == self).unwrap_or_default()
    }

    /// Says no.
    pub fn refuses(self) -> bool {
        matches!(self, Self::Denied | Self::Withdrawn)
    }
}

/// What a grant rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Basis {
    /// Nothing: it is no grant.
    None,
    /// The person said so.
    Consent,
    /// Needed to do what was agreed.
    Contract,
    /// The sender's interest outweighs.
    LegitimateInterest,
    /// A law demands it.
    LegalObligation,
}

impl Basis {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::None, ""),
        (Self::Consent, "CONSENT"),
        (Self::Contract, "CONTRACT"),
        (Self::LegitimateInterest, "LEGITIMATE_INTEREST"),
        (Self::LegalObligation, "LEGAL_OBLIGATION"),
    ];

    /// As stored.
    pub fn name(self) -> &'static str {
        named(&Self::NAMES, self)
    }

    /// Of a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        of_name(&Self::NAMES, name)
    }
}

fn named<T: Copy + PartialEq>(names: &[(T, &'static str)], of: T) -> &'static str {
    names.iter().find(|(one, _)| *one == of).map_or("", |(_, name)| name)
}

fn of_name<T: Copy>(names: &[(T, &'static str)], name: &str) -> Option<T> {
    names.iter().find(|(_, known)| *known == name).map(|(one, _)| *one)
}

/// What shows that somebody said it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Where it can be looked up.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// The IP address that it came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub client_address: String,
    /// The program that it came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
}

impl Proof {
    /// Nothing shows it.
    pub fn is_empty(&self) -> bool {
        self.reference.is_empty() && self.client_address.is_empty() && self.user_agent.is_empty()
    }
}

/// Whose consent, what for, by which channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Id of the customer.
    pub customer: String,
    /// A word, or [`ALL`].
    pub purpose: String,
    /// By which.
    pub channel: Channel,
}

/// One thing that a person said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Its id, ascending with the time of recording.
    pub id: Uuid,
    /// Whose and what for.
    #[serde(flatten)]
    pub key: Key,
    /// What was said.
    pub state: State,
    /// What a grant rests on.
    pub basis: Basis,
    /// Which text the person saw, or empty.
    pub text_version: String,
    /// Where it was said.
    pub source: String,
    /// What shows it.
    pub proof: Proof,
    /// When it was said.
    pub at: Timestamp,
    /// Of GRANTED its end, if it has one; of PENDING the end of the link.
    pub expires: Option<Timestamp>,
    /// Of a grant by a link: the PENDING record.
    pub confirms: Option<Uuid>,
    /// When it arrived here.
    pub recorded: Timestamp,
    /// Who recorded it.
    pub principal: String,
}

impl Consent {
    /// An explicit opt-in that can be shown: it lifts an unsubscribe from before.
    pub fn is_proven(&self) -> bool {
        let shown = self.confirms.is_some() || !self.proof.is_empty();
        self.state == State::Granted && self.basis == Basis::Consent && shown
    }
}

/// Whether a text is the word for a purpose: 1 to 64 of a-z 0-9 - _, beginning with a letter.
pub fn is_purpose(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let begins_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    begins_well && text.len() <= MAX_PURPOSE && text.bytes().all(known)
}
