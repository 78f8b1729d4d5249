//! What stands for people where they are not to be read: the keyed hash of an address, and the pseudonym of an id.
//!
//! Both come from one ring of keys. **Addresses** are hashed by the first key and looked for by all, so that a key is changed
//! by putting a new one first; the old one stays as long as anything is hashed by it. **Pseudonyms** are made by the last
//! key, which therefore stays the last: with another one the same person would be another one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::seal::{Keyring, SUM_BYTES};
use crate::{email, phone};

/// With what every pseudonym begins.
pub const PSEUDONYM_PREFIX: &str = "erased~";
/// The longest token of a device.
const MAX_DEVICE_CHARS: usize = 512;
/// Bytes of a hash that make a pseudonym: enough that no two people share one, few enough for an id.
const PSEUDONYM_BYTES: usize = 24;

/// Where somebody can be reached, in the one form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A mailbox; see [`email::mailbox`].
    Email(String),
    /// A telephone number in E.164.
    Phone(String),
    /// A device, as the service that pushes to it calls it.
    Device(String),
}

/// Why a text is no address. Never says the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Of e-mail.
    #[error("must be an e-mail address, such as ada@example.org")]
    Email,
    /// Of a telephone.
    #[error("must be a telephone number with its country code, such as +436601234567")]
    Phone,
    /// Of a device.
    #[error("must be the token of a device, 1 to {MAX_DEVICE_CHARS} visible characters")]
    Device,
}

impl Address {
    /// A mailbox.
    ///
    /// # Errors
    /// [`AddressError::Email`].
    pub fn email(text: &str) -> Result<Self, AddressError> {
        email::mailbox(text).map(Self::Email).map_err(|_| AddressError::Email)
    }

    /// A telephone, with its country code.
    ///
    /// # Errors
    /// [`AddressError::Phone`].
    pub fn phone(text: &str) -> Result<Self, AddressError> {
        phone::canonical(text, None).map(Self::Phone).map_err(|_| AddressError::Phone)
    }

    /// A device: its token, as it is.
    ///
    /// # Errors
    /// [`AddressError::Device`].
    pub fn device(text: &str) -> Result<Self, AddressError> {
        let (text, length) = (text.trim(), text.trim().chars().count());
        let fits = (1..=MAX_DEVICE_CHARS).contains(&length) && text.chars().all(|one| !one.is_control());
        if fits { Ok(Self::Device(text.to_owned())) } else { Err(AddressError::Device) }
    }

    /// The text, and what kind of one it is.
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Email(text) => ("email", text),
            Self::Phone(text) => ("phone", text),
            Self::Device(text) => ("device", text),
        }
    }

    /// The text that is compared.
    pub fn text(&self) -> &str {
        self.parts().1
    }
}

/// A keyed hash, and which key made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hashed {
    /// Id of the key.
    pub key: String,
    /// The hash.
    pub hash: Vec<u8>,
}

impl Hashed {
    /// The hash as a text: base64url.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.hash)
    }

    /// Of a key's id and such a text.
    pub fn of_text(key: &str, text: &str) -> Option<Self> {
        let hash = URL_SAFE_NO_PAD.decode(text).ok().filter(|hash| hash.len() == SUM_BYTES)?;
        Some(Self { key: key.to_owned(), hash })
    }
}

/// The keys that hide people.
#[derive(Debug)]
pub struct PersonKeys {
    addresses: Keyring,
    pseudonyms: Keyring,
}

impl PersonKeys {
    /// Of this ring.
    pub fn of(ring: &Keyring) -> Self {
        Self { addresses: ring.derived("address"), pseudonyms: ring.derived("pseudonym") }
    }

    /// An address of a tenant by every key, the one that hashes what is new first.
    pub fn hashes(&self, tenant: &str, address: &Address) -> Vec<Hashed> {
        let (kind, text) = address.parts();
        let value = format!("{tenant}\n{kind}\n{text}");
        let hashes = self.addresses.hashes(value.as_bytes());
        hashes.map(|(key, hash)| Hashed { key: key.to_owned(), hash: hash.to_vec() }).collect()
    }

    /// What stands for a customer of a tenant once their id may not be read any more: the same for the same id, and itself
    /// an id.
    pub fn pseudonym(&self, tenant: &str, customer: &str) -> String {
        let value = format!("{tenant}\n{customer}");
        let hash = self.pseudonyms.hashes(value.as_bytes()).last().map_or([0; SUM_BYTES], |(_, hash)| hash);
        format!("{PSEUDONYM_PREFIX}{}", URL_SAFE_NO_PAD.encode(&hash[..PSEUDONYM_BYTES]))
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::id;

    fn keys(ids: &[(&str, u8)]) -> PersonKeys {
        let one = |(id, byte): &(&str, u8)| format!("{id}:{}", STANDARD.encode([*byte; 32]));
        PersonKeys::of(&Keyring::parse(&ids.iter().map(one).collect::<Vec<_>>().join(",")).unwrap())
    }

    #[test]
    fn an_address_is_found_however_it_is_written_and_by_no_other_tenant() {
        let keys = keys(&[("a", 1)]);
        let email = |text: &str| keys.hashes("shop", &Address::email(text).unwrap());
        assert_eq!(email("Ada@BÜCHER.de"), email(" ada@xn--bcher-kva.DE"));
        assert_ne!(email("ada@example.org"), email("eve@example.org"));
        assert_ne!(
            email("ada@example.org"),
            keys.hashes("other", &Address::email("ada@example.org").unwrap())
        );
        let hashed = email("ada@example.org").remove(0);
        assert_eq!(Hashed::of_text(&hashed.key, &hashed.text()), Some(hashed));
        assert_eq!(Hashed::of_text("a", "AAAA"), None);
        let phone = |text: &str| keys.hashes("shop", &Address::phone(text).unwrap());
        assert_eq!(phone("+43 (0)660 123 45 67"), phone("0043 660 1234567"));
        assert_eq!(Address::phone("0660 1234567"), Err(AddressError::Phone));
        assert_eq!(Address::email("ada"), Err(AddressError::Email));
        for (device, right) in [(" tok ", true), ("", false), ("a\0", false)] {
            assert_eq!(Address::device(device).is_ok(), right, "{device:?}");
        }
    }

    #[test]
    fn a_new_key_hashes_what_is_new_and_finds_what_is_old_and_pseudonyms_stay() {
        let (old, both) = (keys(&[("a", 1)]), keys(&[("b", 2), ("a", 1)]));
        let ada = Address::email("ada@example.org").unwrap();
        let hashes = both.hashes("shop", &ada);
        assert_eq!((hashes[0].key.as_str(), &hashes[1]), ("b", &old.hashes("shop", &ada)[0]));
        assert_eq!(old.pseudonym("shop", "ada"), both.pseudonym("shop", "ada"));
        assert_ne!(old.pseudonym("shop", "ada"), old.pseudonym("other", "ada"));
        assert!(id::check(&old.pseudonym("shop", &"x".repeat(id::MAX_LEN))).is_ok());
    }
}
