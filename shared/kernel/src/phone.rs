//! Telephone numbers, as E.164 writes them.

use icu_normalizer::ComposingNormalizerBorrowed;
use phonenumber::country::{Id, Source};
use phonenumber::{Mode, PhoneNumber};

use crate::country::Country;

/// Why a text is no telephone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Of its country, and no country is known.
    #[error("needs its country code, or country beside it")]
    NoCountry,
    /// No such number can be dialled.
    #[error("is no telephone number that can be dialled; E.164 writes them like +436601234567")]
    Impossible,
    /// E.164 ends before it.
    #[error("must not have an extension")]
    Extension,
}

/// `+` and 15 digits.
const MAX_CHARS: usize = 16;

/// Dials abroad with `00`, as E.164 advises: reads what begins so where no country is known, or in one with another prefix.
const ANYWHERE: Id = Id::AT;

/// The number in E.164, however it is written: `+43 (0)660 123 45 67`, `0043 660 1234567`, or as it is dialled within
/// `country`.
///
/// # Errors
/// [`PhoneError`].
pub fn canonical(text: &str, country: Option<Country>) -> Result<String, PhoneError> {
    let text = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    let within = country.and_then(|country| country.code().parse().ok());
    let national = within.and_then(|id| read(&text, id));
    if let Some(number) = national.filter(PhoneNumber::is_valid) {
        return written(&number);
    }
    let number = read(&text, ANYWHERE).ok_or(PhoneError::Impossible)?;
    let says_its_country = matches!(number.code().source(), Source::Plus | Source::Idd);
    if !says_its_country {
        return Err(if within.is_none() { PhoneError::NoCountry } else { PhoneError::Impossible });
    }
    if number.is_valid() { written(&number) } else { Err(PhoneError::Impossible) }
}

fn read(text: &str, within: Id) -> Option<PhoneNumber> {
    phonenumber::parse(Some(within), text).ok()
}

fn written(number: &PhoneNumber) -> Result<String, PhoneError> {
    let text = number.format().mode(Mode::E164).to_string();
    match number.extension() {
        Some(_) => Err(PhoneError::Extension),
        None if text.len() > MAX_CHARS => Err(PhoneError::Impossible),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, country: &str) -> Result<String, PhoneError> {
        canonical(text, Country::new(country).ok())
    }

    #[test]
    fn a_number_is_kept_as_e164_however_it_is_written() {
        for (text, country) in [
            ("+43 (0)660 123 45 67", ""),
            ("0043 660 1234567", ""),
            ("0043 660 1234567", "AT"),
            ("0043 660 1234567", "US"),
            ("011 43 660 1234567", "US"),
            ("0660 1234567", "AT"),
            ("0660/123 45 67", "AT"),
            ("660 1234567", "AT"),
            ("+43 660 1234567", "DE"),
            ("+4306601234567", ""),
            ("tel:+43-660-1234567", ""),
            ("\u{202a}+43 660 1234567\u{202c}", ""),
            ("＋４３ ６６０ １２３４５６７", ""),
            ("+43660\u{2011}1234567\n", ""),
        ] {
            assert_eq!(read(text, country).as_deref(), Ok("+436601234567"), "{text} {country}");
        }
        assert_eq!(read("06 698 12345", "IT").as_deref(), Ok("+390669812345"), "Italy keeps its 0");
        assert_eq!(read("8 (495) 123-45-67", "RU").as_deref(), Ok("+74951234567"));
        assert_eq!(read("(202) 555-0173", "us").as_deref(), Ok("+12025550173"));
    }

    #[test]
    fn a_number_that_cannot_be_dialled_is_refused() {
        for text in [
            "",
            "none",
            "+43 1",
            "+999 1234567",
            "+4912345678901234567",
            "+4930123456789012",
            "+12025550",
            "+0123456789",
        ] {
            assert_eq!(read(text, ""), Err(PhoneError::Impossible), "{text}");
        }
        for text in ["0660 1234567", "660 1234567", "112"] {
            assert_eq!(read(text, ""), Err(PhoneError::NoCountry), "{text}");
        }
        assert_eq!(read("0660 1234567", "DE"), Err(PhoneError::Impossible), "Germany has no such number");
        assert_eq!(read("0660 1234567", "AQ"), Err(PhoneError::NoCountry), "nobody dials within Antarctica");
        assert_eq!(read("+1 202 555 0173 ext. 89", ""), Err(PhoneError::Extension));
    }
}
