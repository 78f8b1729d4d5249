//! Texts that look the same are the same: categories, tags, attributes and places are compared in one form (NFC), whether an
//! "é" was written as one character or as an "e" with an accent.
//!
//! Both sides of every comparison are brought into that form: baskets and places where they are read, categories of products
//! and scopes where they are compiled, every fact that a rule reads, and the whole text of the rule. So it does not matter
//! what was stored before.

use std::borrow::Cow;
use std::collections::BTreeMap;

use icu_normalizer::ComposingNormalizerBorrowed;

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// A text in the form in which texts are compared.
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { NFC.normalize(text) }
}

/// The same of a text that is at hand; nothing is copied where it has that form.
pub fn compose(text: &mut String) {
    if let Cow::Owned(composed) = composed(text) {
        *text = composed;
    }
}

/// The same of every text of a list.
pub fn compose_all(texts: &mut [String]) {
    texts.iter_mut().for_each(compose);
}

/// The same of every key and value. Of keys that become the same the last one counts.
pub fn compose_map(texts: &mut BTreeMap<String, String>) {
    texts.values_mut().for_each(compose);
    if texts.keys().any(|key| matches!(composed(key), Cow::Owned(_))) {
        let all = std::mem::take(texts).into_iter();
        *texts = all.map(|(key, value)| (composed(&key).into_owned(), value)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_look_the_same_are_the_same() {
        for (typed, composed_one) in
            [("Cafe\u{301}", "Café"), ("Café", "Café"), ("cafe", "cafe"), ("\u{212b}", "Å")]
        {
            assert_eq!(composed(typed), composed_one);
        }
        assert!(matches!(composed("Café"), Cow::Borrowed(_)), "nothing is copied where nothing changes");
        let of = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let mut map = of(&[("gro\u{308}ße", "u\u{308}ber"), ("a", "b")]);
        compose_map(&mut map);
        assert_eq!(map, of(&[("größe", "über"), ("a", "b")]));
    }
}
