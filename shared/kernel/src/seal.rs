//! The seal: what one service promises and the other trusts, carried by a caller who cannot alter it. And the keyed
//! hash that stands for a guest's address.
//!
//! A token is `v1.{key id}.{base64url of payload and HMAC-SHA256}`; the seal covers the version and the key id. It is
//! authenticated, not encrypted: nothing secret goes into it.
//!
//! Rotation: give the new key to every process as a second one, then make it the first, then drop the old one when
//! nothing sealed with it can still be valid.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{email, phone};

type HmacSha256 = Hmac<Sha256>;

/// The shortest key.
pub const MIN_KEY_BYTES: usize = 32;
const MAX_KEY_ID_LEN: usize = 16;
const VERSION: &str = "v1";
/// With what the input of a derived key begins; no other input does.
const DERIVED: &str = "derived.";
/// Bytes of a keyed hash.
pub const SUM_BYTES: usize = 32;
const GUEST_PREFIX: &str = "g1";

/// Why a token is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not shaped like a token.
    #[error("not a sealed token")]
    Malformed,
    /// Sealed with a key that this process does not have.
    #[error("sealed with an unknown key")]
    UnknownKey,
    /// Altered, or never sealed by us.
    #[error("the seal does not fit")]
    Forged,
}

/// Why a text of the configuration is not a key. Never says what the key is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No key at all.
    #[error("at least one key is needed, as `id:base64`")]
    NoKey,
    /// Not `id:base64`.
    #[error("key {0}: must be `id:base64`, the id 1 to {MAX_KEY_ID_LEN} of A-Z a-z 0-9 _ -")]
    Malformed(usize),
    /// Too easy to guess.
    #[error("key {0}: must have at least {MIN_KEY_BYTES} bytes")]
    TooShort(usize),
    /// Two keys of one id.
    #[error("key {0}: its id is used twice")]
    Twice(usize),
}

struct Key {
    id: String,
    mac: HmacSha256,
}

/// The keys of a process: the first seals, all of them open.
pub struct Keyring {
    current: Key,
    others: Vec<Key>,
}

impl fmt::Debug for Keyring {
    /// Key ids only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys().map(|key| &key.id)).finish()
    }
}

fn mac_of(secret: &[u8]) -> Option<HmacSha256> {
    if secret.len() < MIN_KEY_BYTES { None } else { HmacSha256::new_from_slice(secret).ok() }
}

impl Key {
    fn parse(number: usize, text: &str) -> Result<Self, KeyError> {
        let (id, secret) = text.split_once(':').ok_or(KeyError::Malformed(number))?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if id.is_empty() || id.len() > MAX_KEY_ID_LEN || !id.bytes().all(known) {
            return Err(KeyError::Malformed(number));
        }
        let secret = STANDARD.decode(secret).map_err(|_| KeyError::Malformed(number))?;
        let mac = mac_of(&secret).ok_or(KeyError::TooShort(number))?;
        Ok(Self { id: id.to_owned(), mac })
    }

    /// The same key for one purpose only: it has taken in the purpose before whatever it covers.
    fn derived(&self, purpose: &str) -> Self {
        let mut mac = self.mac.clone();
        mac.update(DERIVED.as_bytes());
        mac.update(purpose.as_bytes());
        mac.update(b".");
        Self { id: self.id.clone(), mac }
    }

    fn covering(&self, payload: &[u8]) -> HmacSha256 {
        let mut mac = self.mac.clone();
        mac.update(VERSION.as_bytes());
        mac.update(b".");
        mac.update(self.id.as_bytes());
        mac.update(b".");
        mac.update(payload);
        mac
    }
}

impl Keyring {
    /// Keys as `id:base64`, separated by commas or white space; the first one seals. Standard base64 with padding, as
    /// `openssl rand -base64 32` prints it.
    ///
    /// # Errors
    /// [`KeyError`], with the number of the key, from 1.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys: Vec<Key> = Vec::new();
        let texts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|text| !text.is_empty());
        for (number, text) in (1..).zip(texts) {
            let key = Key::parse(number, text)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(KeyError::Twice(number));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or(KeyError::NoKey)?;
        Ok(Self { current, others: keys.collect() })
    }

    /// The same keys for one purpose, a word without a dot: what is sealed or hashed for it is of no use for another.
    #[must_use]
    pub fn derived(&self, purpose: &str) -> Self {
        let others = self.others.iter().map(|key| key.derived(purpose)).collect();
        Self { current: self.current.derived(purpose), others }
    }

    /// The keyed hash of a value by each key, with the key's id: the current one first.
    pub fn hashes<'k>(&'k self, value: &'k [u8]) -> impl Iterator<Item = (&'k str, [u8; SUM_BYTES])> + 'k {
        self.keys().map(move |key| {
            let mut mac = key.mac.clone();
            mac.update(value);
            (key.id.as_str(), mac.finalize().into_bytes().into())
        })
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.others)
    }

    /// The id of the key that seals.
    pub fn current(&self) -> &str {
        &self.current.id
    }

    /// Seals `payload` with the current key.
    pub fn seal(&self, payload: &[u8]) -> String {
        let sum = self.current.covering(payload).finalize().into_bytes();
        let sealed = [payload, &sum].concat();
        format!("{VERSION}.{}.{}", self.current.id, URL_SAFE_NO_PAD.encode(sealed))
    }

    /// What was sealed, whichever of our keys did it. The seal is compared in constant time.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, token: &str) -> Result<Vec<u8>, SealError> {
        let mut parts = token.split('.');
        let (version, id, sealed) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(version), Some(id), Some(sealed), None) => (version, id, sealed),
            _ => return Err(SealError::Malformed),
        };
        if version != VERSION {
            return Err(SealError::Malformed);
        }
        let mut payload = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SealError::Malformed)?;
        let split = payload.len().checked_sub(SUM_BYTES).ok_or(SealError::Malformed)?;
        let key = self.keys().find(|key| key.id == id).ok_or(SealError::UnknownKey)?;
        let sum = payload.split_off(split);
        key.covering(&payload).verify_slice(&sum).map_err(|_| SealError::Forged)?;
        Ok(payload)
    }
}

/// Turns a guest's e-mail or phone into the key that stands for the guest. It has a key of its own that is not
/// rotated: with another key the same guest would be another one, and could use a limited incentive again.
pub struct GuestKeys(HmacSha256);

impl fmt::Debug for GuestKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuestKeys")
    }
}

impl GuestKeys {
    /// From a key in standard base64.
    ///
    /// # Errors
    /// [`KeyError::Malformed`], [`KeyError::TooShort`].
    pub fn parse(secret: &str) -> Result<Self, KeyError> {
        let secret = STANDARD.decode(secret.trim()).map_err(|_| KeyError::Malformed(1))?;
        mac_of(&secret).map(Self).ok_or(KeyError::TooShort(1))
    }

    /// The key of an e-mail address; `None` where it is none. White space around it and the case of its letters do not
    /// count; nothing else is guessed about how a provider reads an address.
    pub fn email(&self, address: &str) -> Option<String> {
        email::canonical(address).ok().map(|address| self.hash("email", &address.to_lowercase()))
    }

    /// The key of a phone number with its country code (`+49 30 1234567`, `0049…`), however it is written; `None` where
    /// it is none.
    pub fn phone(&self, number: &str) -> Option<String> {
        phone::canonical(number, None).ok().map(|number| self.hash("phone", &number))
    }

    fn hash(&self, kind: &str, address: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(GUEST_PREFIX.as_bytes());
        mac.update(b".");
        mac.update(kind.as_bytes());
        mac.update(b".");
        mac.update(address.as_bytes());
        format!("{GUEST_PREFIX}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    fn ring(ids: &[(&str, u8)]) -> Keyring {
        let texts: Vec<String> = ids.iter().map(|(id, byte)| format!("{id}:{}", key(*byte))).collect();
        Keyring::parse(&texts.join(",")).unwrap()
    }

    #[test]
    fn what_is_sealed_opens() {
        let ring = ring(&[("a", 1)]);
        let token = ring.seal(b"promise");
        assert!(token.starts_with("v1.a."));
        assert_eq!(ring.open(&token), Ok(b"promise".to_vec()));
        assert_eq!(ring.open(&ring.seal(b"")), Ok(Vec::new()));
    }

    #[test]
    fn an_old_key_still_opens_and_the_first_one_seals() {
        let (old, both, new) = (ring(&[("a", 1)]), ring(&[("b", 2), ("a", 1)]), ring(&[("b", 2)]));
        let token = old.seal(b"promise");
        assert_eq!(both.open(&token), Ok(b"promise".to_vec()));
        assert_eq!(new.open(&token), Err(SealError::UnknownKey));
        assert_eq!(both.current(), "b");
        assert_eq!(new.open(&both.seal(b"promise")), Ok(b"promise".to_vec()));
    }

    #[test]
    fn an_altered_or_foreign_token_is_refused() {
        let (ours, theirs) = (ring(&[("a", 1), ("b", 2)]), ring(&[("a", 9)]));
        assert_eq!(ours.open(&theirs.seal(b"promise")), Err(SealError::Forged));
        let token = ours.seal(b"promise");
        assert_eq!(
            ours.open(&token.replace("v1.a.", "v1.b.")),
            Err(SealError::Forged),
            "the key id is covered"
        );
        for place in "v1.a.".len()..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            assert!(ours.open(&String::from_utf8(altered).unwrap()).is_err(), "{place}");
        }
        for other in [
            "",
            "v1",
            "v1.a",
            "v1.a.",
            "v2.a.AAAA",
            "v1.a.AAAA",
            "v1.a.ä",
            &format!("{token}."),
            &format!("{token}="),
        ] {
            assert_eq!(ours.open(other), Err(SealError::Malformed), "{other:?}");
        }
    }

    #[test]
    fn what_is_sealed_for_one_purpose_does_not_open_for_another() {
        let ring = ring(&[("b", 2), ("a", 1)]);
        let (links, others) = (ring.derived("link"), ring.derived("other"));
        let token = links.seal(b"promise");
        assert_eq!(links.open(&token), Ok(b"promise".to_vec()));
        assert_eq!(
            (ring.open(&token), others.open(&token)),
            (Err(SealError::Forged), Err(SealError::Forged))
        );
        assert_eq!(links.open(&ring.seal(b"promise")), Err(SealError::Forged));
        let by = |ring: &Keyring| -> Vec<(String, [u8; SUM_BYTES])> {
            ring.hashes(b"ada").map(|(id, hash)| (id.to_owned(), hash)).collect()
        };
        assert_eq!(by(&links).iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert_ne!(by(&links)[0].1, by(&links)[1].1);
        assert_ne!(by(&links), by(&others));
    }

    #[test]
    fn keys_come_from_the_configuration_and_are_never_shown() {
        let good = key(1);
        assert_eq!(Keyring::parse(" , ").unwrap_err(), KeyError::NoKey);
        assert_eq!(Keyring::parse(&format!("a:{good} b")).unwrap_err(), KeyError::Malformed(2));
        assert_eq!(Keyring::parse(&format!(":{good}")).unwrap_err(), KeyError::Malformed(1));
        assert_eq!(Keyring::parse(&format!("a.b:{good}")).unwrap_err(), KeyError::Malformed(1));
        assert_eq!(Keyring::parse("a:not base64!").unwrap_err(), KeyError::Malformed(1));
        assert_eq!(
            Keyring::parse(&format!("a:{}", STANDARD.encode([1; 31]))).unwrap_err(),
            KeyError::TooShort(1)
        );
        assert_eq!(Keyring::parse(&format!("a:{good},a:{good}")).unwrap_err(), KeyError::Twice(2));
        assert_eq!(format!("{:?}", ring(&[("a", 1), ("b", 2)])), r#"["a", "b"]"#);
    }

    #[test]
    fn a_guest_is_known_again_however_the_address_is_written() {
        let guests = GuestKeys::parse(&key(3)).unwrap();
        let known = guests.email("Ada@Example.org").unwrap();
        // Keys that checkouts have made stay the keys of the same people.
        assert_eq!(known, "g1.4oGkrglaiY3MequBs0yi2hEzSDKj146cGFnLyKcdIj0");
        assert_eq!(guests.email("  ada@example.ORG\n"), Some(known.clone()));
        assert_ne!(guests.email("ada+1@example.org"), Some(known.clone()));
        assert_ne!(GuestKeys::parse(&key(4)).unwrap().email("ada@example.org"), Some(known));
        let called = guests.phone("+49 (30) 123-45.67").unwrap();
        assert_eq!(called, "g1.YICMf99aNJLHeEXXZt4iPwie5vQqI8p6zgvQf_5xixg");
        for same in ["0049301234567", "+49 (0)30 1234567"] {
            assert_eq!(guests.phone(same), Some(called.clone()), "{same}");
        }
        for bad in ["", "ada", "@example.org", "ada@", "a@b@c.de", "ada lovelace@example.org"] {
            assert_eq!(guests.email(bad), None, "{bad:?}");
        }
        for bad in ["", "030 1234567", "+49", "+4930123456789012", "+0123456789"] {
            assert_eq!(guests.phone(bad), None, "{bad:?}");
        }
        assert_eq!(GuestKeys::parse("short").unwrap_err(), KeyError::Malformed(1));
        assert_eq!(GuestKeys::parse("c2hvcnQ=").unwrap_err(), KeyError::TooShort(1));
    }

    proptest! {
        #[test]
        fn any_payload_comes_back(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let ring = ring(&[("a", 1)]);
            prop_assert_eq!(ring.open(&ring.seal(&payload)), Ok(payload));
        }

        #[test]
        fn no_text_opens_or_panics(token in "(v1\\.a\\.)?[A-Za-z0-9_.-]{0,120}") {
            prop_assert!(ring(&[("a", 1)]).open(&token).is_err());
        }
    }
}
