//! Where people are and what they read: countries, places, locales. The kernel's libraries say what is one.

use std::collections::BTreeMap;

use tandem_kernel::country::{self, Country};
use tandem_kernel::locale::{self, Locale};
use tandem_kernel::period::Zone;

use super::text;
use crate::fault::Violations;

const MAX_TITLE: usize = 200;

/// A country, by its code in any case.
pub fn country(v: &mut Violations, field: &str, code: &str) -> Option<Country> {
    Country::new(code).map_err(|unknown| v.add(field, unknown.to_string())).ok()
}

/// A place as it is kept: in the form in which texts are compared, with the country at its head by its code; empty where that
/// is none.
pub fn place(v: &mut Violations, field: &str, place: String) -> String {
    match country::in_place(&tandem_kernel::text::composed(&place)) {
        Ok(kept) => kept.into_owned(),
        Err(unknown) => {
            v.add(field, unknown.to_string());
            String::new()
        }
    }
}

/// What somebody wants to read; empty is none.
pub fn locale(v: &mut Violations, field: &str, tag: &str) -> Locale {
    Locale::parse(tag).unwrap_or_else(|none| {
        v.add(field, none.to_string());
        Locale::default()
    })
}

/// A zone by its IANA name; empty is none.
pub fn zone(v: &mut Violations, field: &str, name: &str) -> Option<Zone> {
    let named = (!name.is_empty()).then(|| Zone::new(name))?;
    named.map_err(|unknown| v.add(field, unknown.to_string())).ok()
}

/// So many titles of 1 to 200 characters by locale, the default under an empty one. Each is kept under the canonical tag.
pub fn titles(
    v: &mut Violations,
    field: &str,
    given: BTreeMap<String, String>,
    most: usize,
) -> BTreeMap<String, String> {
    by_locale(v, field, given, most, |v, field, title| text(v, field, title, 1..=MAX_TITLE))
}

/// So many texts by locale, each as `read` takes it, the default under an empty one. Each is kept under the canonical tag.
pub fn by_locale(
    v: &mut Violations,
    field: &str,
    given: BTreeMap<String, String>,
    most: usize,
    read: impl Fn(&mut Violations, &str, String) -> String,
) -> BTreeMap<String, String> {
    let count = given.len();
    v.check(count <= most, field, format!("must have at most {most} entries, has {count}"));
    let mut texts = BTreeMap::new();
    for (tag, text) in given.into_iter().take(most) {
        let short: String = tag.chars().take(locale::MAX_CHARS).collect();
        let field = format!("{field}[{short}]");
        let kept = Locale::parse(&tag).map_err(|none| v.add(&field, format!("the key {none}, or empty")));
        let text = read(v, &field, text);
        if let Ok(kept) = kept
            && texts.insert(kept.tag().to_owned(), text).is_some()
        {
            v.add(&field, format!("{:?} stands here twice", kept.tag()));
        }
    }
    texts
}
