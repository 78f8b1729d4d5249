//! Ids and resource names: `campaigns/spring-sale`, `campaigns/spring-sale/offers/2`.
//!
//! An id is 1 to 64 of `A-Z a-z 0-9 . _ ~ -` and begins with a letter or a digit. These need no escaping in a URL or a
//! resource name, so the ids a shop already has (numbers, SKUs, UUIDs) are taken as they are. Case counts. Beginning
//! with a letter or a digit keeps `.`, `..` and the wildcard `-` out.

use std::fmt::Write;

use uuid::Uuid;

/// The longest id.
pub const MAX_LEN: usize = 64;

/// Why a text is not an id or a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not an id.
    #[error("an id has 1 to {MAX_LEN} of A-Z a-z 0-9 . _ ~ - and begins with a letter or a digit")]
    BadId,
    /// Not a name of this collection.
    #[error("must be `{0}`")]
    BadName(String),
    /// Not an etag of ours.
    #[error("not an etag of this resource")]
    BadEtag,
}

/// Whether `id` is one.
///
/// # Errors
/// [`IdError::BadId`].
pub fn check(id: &str) -> Result<&str, IdError> {
    let bytes = id.as_bytes();
    let begins_well = bytes.first().is_some_and(u8::is_ascii_alphanumeric);
    let all_known = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(byte));
    if begins_well && all_known && bytes.len() <= MAX_LEN { Ok(id) } else { Err(IdError::BadId) }
}

/// The id in `name`, which must be `{collection}/{id}`.
///
/// # Errors
/// [`IdError::BadName`] for another collection or shape, [`IdError::BadId`] for what is not an id.
pub fn parse<'n>(collection: &str, name: &'n str) -> Result<&'n str, IdError> {
    parse_path([collection], name).map(|[id]| id)
}

/// The ids in `name`, which must be `{collection}/{id}` for each collection in turn.
///
/// # Errors
/// As [`parse`].
pub fn parse_path<'n, const N: usize>(
    collections: [&str; N],
    name: &'n str,
) -> Result<[&'n str; N], IdError> {
    let bad_name = || {
        let parts: Vec<String> =
            collections.iter().map(|collection| format!("{collection}/{{id}}")).collect();
        IdError::BadName(parts.join("/"))
    };
    let mut ids = [""; N];
    let mut rest = name.split('/');
    for (collection, id) in collections.iter().zip(&mut ids) {
        if rest.next() != Some(*collection) {
            return Err(bad_name());
        }
        *id = check(rest.next().ok_or_else(bad_name)?)?;
    }
    if rest.next().is_some() { Err(bad_name()) } else { Ok(ids) }
}

/// `{collection}/{id}`.
pub fn name(collection: &str, id: &str) -> String {
    format!("{collection}/{id}")
}

/// `{collection}/{id}` for each pair in turn.
pub fn path(parts: &[(&str, &str)]) -> String {
    let mut name = String::new();
    for (collection, id) in parts {
        let gap = if name.is_empty() { "" } else { "/" };
        // Writing to a String cannot fail.
        let _ = write!(name, "{gap}{collection}/{id}");
    }
    name
}

/// The id a client has chosen, or a generated one where it has chosen none.
///
/// # Errors
/// [`IdError::BadId`].
pub fn chosen_or(chosen: &str, fresh: Uuid) -> Result<String, IdError> {
    if chosen.is_empty() { Ok(generated(fresh)) } else { check(chosen).map(str::to_owned) }
}

/// A generated id: the UUID with hyphens, in small letters.
pub fn generated(fresh: Uuid) -> String {
    fresh.as_hyphenated().to_string()
}

/// The etag of a resource at `version`.
pub fn etag(version: i64) -> String {
    format!("v{version}")
}

/// The version an etag asks for; `None` for an empty one, which asks for none.
///
/// # Errors
/// [`IdError::BadEtag`]; to the caller it is the same as an etag that is no longer current.
pub fn parse_etag(etag: &str) -> Result<Option<i64>, IdError> {
    if etag.is_empty() {
        return Ok(None);
    }
    let version =
        etag.strip_prefix('v').and_then(|digits| digits.parse::<i64>().ok()).ok_or(IdError::BadEtag)?;
    // Only the spelling we gave out: no sign, no leading zeros.
    if self::etag(version) == etag && version >= 0 { Ok(Some(version)) } else { Err(IdError::BadEtag) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ids_shops_have_are_ids() {
        for id in ["42", "spring-sale", "SKU.7_a~b", "0192f0c1-2b3c-7d4e-8f90-aabbccddeeff", &"x".repeat(64)]
        {
            assert_eq!(check(id), Ok(id));
        }
        for id in ["", "-", ".", "..", "~a", "a/b", "a b", "ä", "a\0", "a%20b", &"x".repeat(65)] {
            assert_eq!(check(id), Err(IdError::BadId), "{id:?}");
        }
    }

    #[test]
    fn a_name_is_its_collections_and_ids() {
        assert_eq!(parse("campaigns", "campaigns/spring"), Ok("spring"));
        assert_eq!(parse_path(["campaigns", "offers"], "campaigns/x/offers/y"), Ok(["x", "y"]));
        for bad in [
            "",
            "spring",
            "campaign/spring",
            "campaigns",
            "campaigns/x/offers/y",
            "/campaigns/x",
            "campaigns/x/",
        ] {
            assert_eq!(
                parse("campaigns", bad),
                Err(IdError::BadName("campaigns/{id}".to_owned())),
                "{bad:?}"
            );
        }
        assert_eq!(parse("campaigns", "campaigns/"), Err(IdError::BadId));
        assert_eq!(parse("campaigns", "campaigns/-"), Err(IdError::BadId));
        let message = parse_path(["campaigns", "offers"], "campaigns/x").unwrap_err().to_string();
        assert_eq!(message, "must be `campaigns/{id}/offers/{id}`");
    }

    #[test]
    fn a_missing_id_is_generated() {
        let fresh = Uuid::from_u128(0x0192_f0c1_2b3c_7d4e_8f90_aabb_ccdd_eeff);
        assert_eq!(chosen_or("", fresh).unwrap(), "0192f0c1-2b3c-7d4e-8f90-aabbccddeeff");
        assert_eq!(chosen_or("mine", fresh).unwrap(), "mine");
        assert_eq!(chosen_or("not mine", fresh), Err(IdError::BadId));
        assert!(check(&generated(fresh)).is_ok());
    }

    #[test]
    fn an_etag_is_only_what_we_gave_out() {
        assert_eq!(parse_etag(&etag(7)), Ok(Some(7)));
        assert_eq!(parse_etag(""), Ok(None));
        for bad in ["7", "v", "v07", "v+7", "v-7", "W/\"v7\"", "v99999999999999999999"] {
            assert_eq!(parse_etag(bad), Err(IdError::BadEtag), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_formatted_is_parsed(a in "[A-Za-z0-9][A-Za-z0-9._~-]{0,63}", b in "[A-Za-z0-9][A-Za-z0-9._~-]{0,63}") {
            let name = path(&[("campaigns", &a), ("offers", &b)]);
            prop_assert_eq!(parse_path(["campaigns", "offers"], &name), Ok([a.as_str(), b.as_str()]));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,100}") {
            let _ = (parse("campaigns", &text), parse_etag(&text), check(&text));
        }
    }
}
