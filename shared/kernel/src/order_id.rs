//! Ids of orders, which shops have already: `1001`, `#1001`, `SO/2026/001`, `100000123-1`.
//!
//! An id is 1 to 64 bytes of text that can be seen, so that no two look alike by it, and that neither begins nor ends with
//! white space. In a resource name every byte but
//! `A-Z a-z 0-9 . _ ~ -` is percent-encoded (RFC 3986): `orders/%231001`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest id, in bytes.
pub const MAX_BYTES: usize = 64;

const COLLECTION: &str = "orders/";
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'~').remove(b'-');

/// Why a text is not an order's id or name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrderIdError {
    /// Not an id.
    #[error("must be 1 to {MAX_BYTES} bytes of printable text without white space around it")]
    BadId,
    /// Not a name.
    #[error("must be `orders/{{order}}`, the id percent-encoded: `orders/%231001` for #1001")]
    BadName,
}

/// Whether `id` is one.
///
/// # Errors
/// [`OrderIdError::BadId`].
pub fn check(id: &str) -> Result<(), OrderIdError> {
    let fits = (1..=MAX_BYTES).contains(&id.len());
    let plain = !id.chars().any(is_unseen) && id.trim() == id;
    if fits && plain { Ok(()) } else { Err(OrderIdError::BadId) }
}

/// Control characters, and those that only say how others are set: joiners, marks of direction, soft hyphens.
fn is_unseen(of: char) -> bool {
    let formats = |of| {
        matches!(of, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
    };
    of.is_control() || formats(of)
}

/// The resource name of an order.
pub fn name(id: &str) -> String {
    format!("{COLLECTION}{}", utf8_percent_encode(id, ENCODED))
}

/// The id in a resource name. What is not encoded though it should be is taken as it stands.
///
/// # Errors
/// [`OrderIdError::BadName`] for another collection and for what decodes to no text, [`OrderIdError::BadId`] for what is no id.
pub fn parse(name: &str) -> Result<String, OrderIdError> {
    let encoded = name.strip_prefix(COLLECTION).ok_or(OrderIdError::BadName)?;
    let id = percent_decode_str(encoded).decode_utf8().map_err(|_| OrderIdError::BadName)?;
    check(&id).map(|()| id.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_that_shops_have_are_taken_and_encoded_in_names() {
        for (id, named) in [
            ("1001", "orders/1001"),
            ("#1001", "orders/%231001"),
            ("SO/2026/001", "orders/SO%2F2026%2F001"),
            ("100000123-1", "orders/100000123-1"),
            ("Bestellung 7", "orders/Bestellung%207"),
            ("100%", "orders/100%25"),
            ("é", "orders/%C3%A9"),
        ] {
            assert_eq!((check(id), name(id)), (Ok(()), named.to_owned()));
            assert_eq!(parse(named), Ok(id.to_owned()));
        }
        assert_eq!(parse("orders/SO/2026/001"), Ok("SO/2026/001".to_owned()));
    }

    #[test]
    fn what_is_no_id_is_told() {
        for id in ["", " a", "a ", "a\nb", "a\0", "a\u{200b}", "\u{202e}1001", &"x".repeat(65)] {
            assert_eq!(check(id), Err(OrderIdError::BadId), "{id:?}");
        }
        assert_eq!(parse("order/1"), Err(OrderIdError::BadName));
        assert_eq!(parse("orders/%FF"), Err(OrderIdError::BadName));
        assert_eq!(parse("orders/"), Err(OrderIdError::BadId));
    }

    proptest! {
        #[test]
        fn a_name_leads_back_to_its_id(id in "\\PC{1,20}") {
            prop_assume!(check(&id).is_ok());
            prop_assert_eq!(parse(&name(&id)), Ok(id));
        }
    }
}
