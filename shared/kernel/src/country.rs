//! Countries of ISO 3166-1, by their codes of two letters.

mod zones;

use std::borrow::Cow;
use std::fmt;

use icu_locale::subtags::{Language, Region};
use icu_locale::{LanguageIdentifier, Locale, LocaleCanonicalizer};
use serde::{Deserialize, Deserializer};

pub use zones::{zone, zones};

/// A country, by its code in capital letters: `AT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country(&'static str);

/// No country of ISO 3166-1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NoCountry {
    code: String,
    /// What people who write this mean: `GB` of `UK`.
    pub meant: Option<Country>,
}

impl fmt::Display for NoCountry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no code of ISO 3166-1 alpha-2", self.code)?;
        match self.meant {
            Some(country) => write!(f, "; {} may be meant", country.code()),
            None => f.write_str(", such as AT"),
        }
    }
}

impl Country {
    /// The country of a code in any case.
    ///
    /// # Errors
    /// [`NoCountry`], with what is meant where that is known.
    pub fn new(code: &str) -> Result<Self, NoCountry> {
        let code = code.trim().to_ascii_uppercase();
        match rust_iso3166::from_alpha2(&code) {
            Some(country) => Ok(Self(country.alpha2)),
            None => Err(NoCountry { meant: meant(&code), code: code.chars().take(8).collect() }),
        }
    }

    /// In capital letters.
    pub fn code(self) -> &'static str {
        self.0
    }
}

/// Whether this is the code of a country as it is kept.
pub fn is_code(text: &str) -> bool {
    rust_iso3166::from_alpha2(text).is_some_and(|country| country.alpha2 == text)
}

/// A code of three letters, or one that is used beside the standard or was before it.
fn meant(code: &str) -> Option<Country> {
    if let Some(country) = rust_iso3166::from_alpha3(code) {
        return Some(Country(country.alpha2));
    }
    let region = Region::try_from_str(code).ok()?;
    let mut locale = Locale::from(LanguageIdentifier { region: Some(region), ..Language::UNKNOWN.into() });
    LocaleCanonicalizer::new_extended().canonicalize(&mut locale);
    rust_iso3166::from_alpha2(locale.id.region?.as_str()).map(|country| Country(country.alpha2))
}

/// A place as it is kept: the code of the country at its head, where it has one, in capital letters.
///
/// # Errors
/// [`NoCountry`].
pub fn in_place(place: &str) -> Result<Cow<'_, str>, NoCountry> {
    let (head, rest) = place.split_at(place.find('/').unwrap_or(place.len()));
    if head.len() != 2 || !head.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Ok(Cow::Borrowed(place));
    }
    let country = Country::new(head)?.code();
    Ok(if country == head { Cow::Borrowed(place) } else { Cow::Owned(format!("{country}{rest}")) })
}

/// A place as it was stored, perhaps before countries were looked up: with the country that is meant.
pub fn in_stored_place(place: &str) -> Cow<'_, str> {
    in_place(place).unwrap_or_else(|unknown| match (unknown.meant, place.get(2..)) {
        (Some(country), Some(rest)) => Cow::Owned(format!("{}{rest}", country.code())),
        _ => Cow::Borrowed(place),
    })
}

/// A place, read so. For serde's `deserialize_with`.
///
/// # Errors
/// Of the deserializer.
pub fn stored_place<'de, D: Deserializer<'de>>(stored: D) -> Result<String, D::Error> {
    String::deserialize(stored).map(|place| in_stored_place(&place).into_owned())
}

/// Codes of countries, read so.
///
/// # Errors
/// Of the deserializer.
pub fn stored_codes<'de, D: Deserializer<'de>>(stored: D) -> Result<Vec<String>, D::Error> {
    let codes = Vec::<String>::deserialize(stored)?;
    Ok(codes.iter().map(|code| in_stored_place(code).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_a_code_of_iso_3166_in_any_case() {
        for code in ["AT", "at", " At "] {
            assert_eq!(Country::new(code).unwrap().code(), "AT", "{code}");
        }
        assert!(is_code("AT") && !is_code("at") && !is_code("UK") && !is_code(""));
        for code in ["", "A", "XX", "ÖS", "Austria", "A\0"] {
            assert_eq!(Country::new(code).unwrap_err().meant, None, "{code}");
        }
    }

    #[test]
    fn who_writes_uk_is_told_of_gb() {
        for (code, meant) in [("UK", "GB"), ("uk", "GB"), ("AUT", "AT"), ("DD", "DE"), ("BU", "MM")] {
            let unknown = Country::new(code).unwrap_err();
            assert_eq!(unknown.meant.unwrap().code(), meant, "{code}");
            assert!(unknown.to_string().contains(&format!("{meant} may be meant")), "{unknown}");
        }
    }

    #[test]
    fn a_place_begins_with_a_country_or_has_none() {
        for (place, kept) in [
            ("", ""),
            ("at", "AT"),
            ("de/shops/web", "DE/shops/web"),
            ("DE/shops/web", "DE/shops/web"),
            ("stores/berlin", "stores/berlin"),
            ("é/x", "é/x"),
        ] {
            assert_eq!(in_place(place).unwrap(), kept);
            assert_eq!(in_stored_place(place), kept);
        }
        assert!(in_place("UK/shops/web").is_err() && in_place("XX").is_err());
        assert_eq!(in_stored_place("UK/shops/web"), "GB/shops/web");
        assert_eq!(in_stored_place("XX"), "XX");
    }
}
