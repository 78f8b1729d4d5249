//! Languages that people read: tags of BCP 47, and which text is the nearest to what somebody wants to read.

use std::collections::BTreeMap;

use icu_locale::fallback::LocaleFallbackConfig;
use icu_locale::{Locale as Tag, LocaleCanonicalizer, LocaleFallbacker};
use serde::{Deserialize, Deserializer};

/// The longest tag that anybody uses.
pub const MAX_CHARS: usize = 35;

/// No tag of BCP 47.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a language tag of BCP 47 of at most {MAX_CHARS} characters, such as de-AT")]
pub struct NoLocale;

/// A language as it is wanted, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locale {
    tag: String,
    /// What else serves, the nearest first: `de` of `de-AT`.
    wider: Vec<String>,
}

/// The canonical tag: `de-AT` of `DE_at`, `he` of `iw`.
///
/// # Errors
/// [`NoLocale`].
pub fn canonical(tag: &str) -> Result<String, NoLocale> {
    read(tag).map(|tag| tag.to_string())
}

fn read(tag: &str) -> Result<Tag, NoLocale> {
    let tag = tag.trim();
    if tag.chars().count() > MAX_CHARS {
        return Err(NoLocale);
    }
    // As POSIX and Java write it.
    let mut tag: Tag = tag.replace('_', "-").parse().map_err(|_| NoLocale)?;
    LocaleCanonicalizer::new_extended().canonicalize(&mut tag);
    Ok(tag)
}

/// Texts by locale as they were stored, perhaps before tags were read: under canonical tags. For serde's `deserialize_with`.
///
/// # Errors
/// Of the deserializer.
pub fn stored_texts<'de, D: Deserializer<'de>>(stored: D) -> Result<BTreeMap<String, String>, D::Error> {
    let stored = BTreeMap::<String, String>::deserialize(stored)?;
    let mut texts = BTreeMap::new();
    for (tag, text) in stored {
        match canonical(&tag) {
            // What stands under the tag itself goes before what stands under another spelling of it.
            Ok(canonical) if canonical != tag => drop(texts.entry(canonical).or_insert(text)),
            _ => drop(texts.insert(tag, text)),
        }
    }
    Ok(texts)
}

impl Locale {
    /// The language of a tag; none where it is empty.
    ///
    /// # Errors
    /// [`NoLocale`].
    pub fn parse(tag: &str) -> Result<Self, NoLocale> {
        if tag.trim().is_empty() {
            return Ok(Self::default());
        }
        let tag = read(tag)?;
        let config = LocaleFallbackConfig::default();
        let mut next = LocaleFallbacker::new().for_config(config).fallback_for((&tag).into());
        let mut wider = Vec::new();
        while !next.get().is_unknown() {
            wider.push(next.get().to_string());
            next.step();
        }
        Ok(Self { tag: tag.to_string(), wider })
    }

    /// The canonical tag, or empty.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The same, or another one where it is none.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        if self.tag.is_empty() { other.clone() } else { self }
    }

    /// The nearest text that `find` has: of the language itself, of a wider one, else the default, which stands under no
    /// tag.
    pub fn nearest<T>(&self, find: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let wider = self.wider.iter().map(String::as_str);
        [self.tag()].into_iter().chain(wider).chain([""]).find_map(find)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_one_spelling() {
        for (tag, kept) in [
            ("de_AT", "de-AT"),
            ("DE", "de"),
            (" DE-at ", "de-AT"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("iw", "he"),
            ("de-UK", "de-GB"),
            ("es-419", "es-419"),
        ] {
            assert_eq!(canonical(tag).unwrap(), kept, "{tag}");
        }
        let long = format!("de-{}", "x".repeat(33));
        for tag in ["d", "german", "de--AT", "de-AT.UTF-8", "deutsch (AT)", "", &long] {
            assert_eq!(canonical(tag), Err(NoLocale), "{tag}");
        }
    }

    #[test]
    fn texts_that_were_stored_under_another_spelling_stand_under_the_tag() {
        let json = serde_json::json!({ "": "x", "DE": "d", "de-at": "a", "de-AT": "A", "not a tag": "n" });
        let texts = stored_texts(json).unwrap();
        let texts: Vec<_> = texts.iter().map(|(tag, text)| (tag.as_str(), text.as_str())).collect();
        assert_eq!(texts, [("", "x"), ("de", "d"), ("de-AT", "A"), ("not a tag", "n")]);
    }

    #[test]
    fn a_text_is_that_of_the_locale_else_of_a_wider_one_else_the_default() {
        let nearest = |locale: &str, texts: &[&'static str]| {
            let locale = Locale::parse(locale).unwrap();
            locale.nearest(|tag| texts.iter().copied().find(|text| *text == tag))
        };
        assert_eq!(nearest("de_at", &["", "de", "de-AT"]), Some("de-AT"));
        assert_eq!(nearest("de-AT", &["", "de", "de-DE"]), Some("de"));
        assert_eq!(nearest("de-AT", &["", "de-DE"]), Some(""));
        assert_eq!(nearest("zh-TW", &["", "zh-Hant", "zh"]), Some("zh-Hant"));
        assert_eq!(nearest("zh-Hant-TW", &["", "zh-Hant-TW"]), Some("zh-Hant-TW"));
        assert_eq!(nearest("en-AU", &["en-001", "en"]), Some("en-001"));
        assert_eq!(nearest("", &["", "de"]), Some(""));
        assert_eq!(nearest("und", &["de", ""]), Some(""));
        assert_eq!(nearest("fr", &["de"]), None);
    }
}
