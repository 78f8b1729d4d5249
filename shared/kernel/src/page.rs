//! Page tokens: where the next page of a list goes on. Opaque to callers, bound to the list, its parent, filter and
//! order, and to the tenant; a token used with anything else is an error, never a wrong page.
//!
//! The binding is a checksum, not a secret: what a token may show is decided by the caller's tenant, which is part of
//! it and never read from it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// First byte of every token; another layout gets another one.
const VERSION: u8 = 1;
const SUM_BYTES: usize = 16;
/// The longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 4_096;

/// Why a page cannot be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not a token, or one of another list, parent, filter, order or tenant.
    #[error("not a page token of this list with this filter and order")]
    BadToken,
    /// Less than nothing.
    #[error("page_size must not be negative")]
    BadSize,
}

/// What a token is bound to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listing<'a> {
    /// Whose list it is.
    pub tenant: &'a str,
    /// The method: `ListCampaigns`.
    pub list: &'a str,
    /// The parent's name, or empty.
    pub parent: &'a str,
    /// The filter as given, or empty.
    pub filter: &'a str,
    /// The order as given, or empty.
    pub order_by: &'a str,
}

impl Listing<'_> {
    /// The token of the page after the row with these keys, in the order's own sequence.
    pub fn token<K: AsRef<str>>(&self, last: &[K]) -> String {
        let mut keys = Vec::new();
        for key in last {
            put(&mut keys, key.as_ref());
        }
        let mut token = vec![VERSION];
        token.extend_from_slice(&self.sum(&keys));
        token.extend_from_slice(&keys);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The keys after which the page begins; `None` for the first page, which an empty token asks for.
    ///
    /// # Errors
    /// [`PageError::BadToken`].
    pub fn resume(&self, token: &str) -> Result<Option<Vec<String>>, PageError> {
        if token.is_empty() {
            return Ok(None);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(PageError::BadToken);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| PageError::BadToken)?;
        let (version, rest) = bytes.split_first().ok_or(PageError::BadToken)?;
        let (sum, keys) = rest.split_at_checked(SUM_BYTES).ok_or(PageError::BadToken)?;
        if *version != VERSION || sum != self.sum(keys) {
            return Err(PageError::BadToken);
        }
        taken(keys).map(Some).ok_or(PageError::BadToken)
    }

    fn sum(&self, keys: &[u8]) -> [u8; SUM_BYTES] {
        let mut bound = vec![VERSION];
        for part in [self.tenant, self.list, self.parent, self.filter, self.order_by] {
            put(&mut bound, part);
        }
        bound.extend_from_slice(keys);
        let whole = Sha256::digest(&bound);
        let mut sum = [0; SUM_BYTES];
        sum.copy_from_slice(&whole[..SUM_BYTES]);
        sum
    }
}

/// How many a page shows: `default` where none are asked for, at most `most`.
///
/// # Errors
/// [`PageError::BadSize`] for a negative number.
pub fn size(asked: i32, default: u32, most: u32) -> Result<u32, PageError> {
    match u32::try_from(asked) {
        Err(_) => Err(PageError::BadSize),
        Ok(0) => Ok(default),
        Ok(asked) => Ok(asked.min(most)),
    }
}

/// Length first, so that no two sequences of texts look the same.
fn put(bytes: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn taken(mut bytes: &[u8]) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        keys.push(std::str::from_utf8(key).ok()?.to_owned());
        bytes = rest;
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LISTING: Listing<'_> = Listing {
        tenant: "default",
        list: "ListCampaigns",
        parent: "objectives/7",
        filter: "state == 'RUNNING'",
        order_by: "create_time desc",
    };

    #[test]
    fn a_token_goes_on_where_the_page_ended() {
        let token = LISTING.token(&["2026-01-01T00:00:00Z", "spring"]);
        let keys = LISTING.resume(&token).unwrap().unwrap();
        assert_eq!(keys, ["2026-01-01T00:00:00Z", "spring"]);
        assert_eq!(LISTING.resume(""), Ok(None));
    }

    #[test]
    fn a_token_of_another_list_parent_filter_order_or_tenant_is_refused() {
        let token = LISTING.token(&["spring"]);
        let others = [
            Listing { tenant: "other", ..LISTING },
            Listing { list: "ListOffers", ..LISTING },
            Listing { parent: "objectives/8", ..LISTING },
            Listing { filter: "", ..LISTING },
            Listing { order_by: "", ..LISTING },
            // The same letters, split elsewhere.
            Listing { tenant: "defaultL", list: "istCampaigns", ..LISTING },
        ];
        for other in others {
            assert_eq!(other.resume(&token), Err(PageError::BadToken), "{other:?}");
        }
    }

    #[test]
    fn an_altered_token_is_refused() {
        let token = LISTING.token(&["spring"]);
        for place in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                LISTING.resume(&String::from_utf8(altered).unwrap()),
                Err(PageError::BadToken),
                "{place}"
            );
        }
        for other in ["x", "AA", "====", "ä", &token[1..], &format!("{token}AAAA"), &"A".repeat(5_000)] {
            assert_eq!(LISTING.resume(other), Err(PageError::BadToken), "{other:?}");
        }
    }

    #[test]
    fn a_page_has_a_default_and_a_most() {
        assert_eq!(size(0, 50, 1_000), Ok(50));
        assert_eq!(size(7, 50, 1_000), Ok(7));
        assert_eq!(size(i32::MAX, 50, 1_000), Ok(1_000));
        assert_eq!(size(-1, 50, 1_000), Err(PageError::BadSize));
    }

    proptest! {
        #[test]
        fn any_keys_come_back(keys in proptest::collection::vec("\\PC{0,40}", 0..5)) {
            prop_assert_eq!(LISTING.resume(&LISTING.token(&keys)), Ok(Some(keys)));
        }

        #[test]
        fn no_token_makes_it_panic(token in "[A-Za-z0-9_-]{0,80}") {
            prop_assert_eq!(LISTING.resume(&token).ok().flatten(), None);
        }
    }
}
