//! What a link carries: a token that nobody can make, alter or use for anything else.
//!
//! Sealed by the links' keys, which come from the keys of quotes (the key's id is in the token, so keys rotate as those do). A
//! **confirmation** names the record that it confirms and is bound to whose it is, what for, by which channel, to which text and
//! until when; nobody can read the person off it. An **unsubscribe** carries what it needs to work for as long as the message
//! lies in a mailbox: the address's hash, the purpose, the channel and the customer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tandem_kernel::person::Hashed;
use tandem_kernel::seal::Keyring;
use tandem_platform::{Fault, Outcome, Tenant};
use tandem_proto::relationship::v1::ErrorReason;
use uuid::Uuid;

use super::{Channel, Consent};

/// The longest token that is looked at.
const MAX_TOKEN: usize = 1_000;
const CONFIRM: &str = "confirm";
const UNSUBSCRIBE: &str = "unsubscribe";

/// A confirmation, opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// The PENDING record.
    pub record: Uuid,
    /// The end of the link.
    pub expires: Timestamp,
    bound: [u8; BOUND],
}

/// Bytes of the hash of what a confirmation is bound to.
const BOUND: usize = 32;

/// An unsubscribe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsubscribe {
    #[serde(rename = "t")]
    tenant: String,
    /// Id of the customer.
    #[serde(rename = "c")]
    pub customer: String,
    /// What for, or all.
    #[serde(rename = "p")]
    pub purpose: String,
    /// By which.
    #[serde(rename = "h")]
    pub channel: Channel,
    #[serde(rename = "k")]
    key: String,
    #[serde(rename = "a")]
    address: String,
}

impl Unsubscribe {
    /// Of this customer's address.
    pub fn new(tenant: &Tenant, customer: &str, purpose: &str, channel: Channel, address: Hashed) -> Self {
        let (tenant, customer) = (tenant.to_string(), customer.to_owned());
        let text = address.text();
        Self { tenant, customer, purpose: purpose.to_owned(), channel, key: address.key, address: text }
    }

    /// The hash of the address, and the key that made it.
    pub fn address(&self) -> Outcome<Hashed> {
        Hashed::of_text(&self.key, &self.address).ok_or_else(invalid)
    }

    /// As a token.
    pub fn token(&self, keys: &Keyring) -> Outcome<String> {
        let payload = serde_json::to_vec(self)
            .map_err(|error| Fault::internal("a link cannot be written").caused_by(error))?;
        Ok(keys.derived(UNSUBSCRIBE).seal(&payload))
    }

    /// Of a token of this tenant's.
    pub fn open(keys: &Keyring, tenant: &Tenant, token: &str) -> Outcome<Self> {
        let opened: Self =
            serde_json::from_slice(&opened(keys, UNSUBSCRIBE, token)?).map_err(|_| invalid())?;
        if opened.tenant == tenant.as_str() { Ok(opened) } else { Err(invalid()) }
    }
}

/// The token that confirms a PENDING record, until its end.
pub fn confirmation(keys: &Keyring, tenant: &Tenant, pending: &Consent) -> String {
    let expires = pending.expires.unwrap_or(pending.at).as_microsecond();
    let payload =
        [&pending.id.as_bytes()[..], &expires.to_be_bytes()[..], &bound(tenant, pending)[..]].concat();
    keys.derived(CONFIRM).seal(&payload)
}

impl Confirmation {
    /// Of a token that is not over `now`.
    pub fn open(keys: &Keyring, token: &str, now: Timestamp) -> Outcome<Self> {
        let payload = opened(keys, CONFIRM, token)?;
        let parts = payload.split_first_chunk::<16>().and_then(|(record, rest)| {
            let (expires, bound) = rest.split_first_chunk::<8>()?;
            Some((
                Uuid::from_bytes(*record),
                i64::from_be_bytes(*expires),
                <[u8; BOUND]>::try_from(bound).ok()?,
            ))
        });
        let (record, expires, bound) = parts.ok_or_else(invalid)?;
        let expires = Timestamp::from_microsecond(expires).map_err(|_| invalid())?;
        if expires <= now {
            let message = format!("the link ended at {expires}: ask anew");
            return Err(Fault::precondition(ErrorReason::ConsentLinkExpired, message));
        }
        Ok(Self { record, expires, bound })
    }

    /// Refuses a record that it was not made for: it is of another tenant, or says something else.
    pub fn check(&self, tenant: &Tenant, pending: &Consent) -> Outcome<()> {
        let same = pending.expires == Some(self.expires) && bound(tenant, pending) == self.bound;
        if same { Ok(()) } else { Err(invalid()) }
    }
}

/// The token is of no use.
pub fn invalid() -> Fault {
    let message = "the token is not one of ours, was altered, or is of another tenant";
    Fault::precondition(ErrorReason::ConsentLinkInvalid, message)
}

fn opened(keys: &Keyring, purpose: &str, token: &str) -> Outcome<Vec<u8>> {
    if token.len() > MAX_TOKEN {
        return Err(invalid());
    }
    keys.derived(purpose).open(token).map_err(|_| invalid())
}

/// What a confirmation is bound to, each part behind its length.
fn bound(tenant: &Tenant, pending: &Consent) -> [u8; BOUND] {
    let key = &pending.key;
    let parts = [tenant.as_str(), &key.customer, &key.purpose, key.channel.name(), &pending.text_version];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}
