//! Reading what every request has: ids, etags, masks and pages. Each reports to the request's [`Violations`].

use std::fmt::Display;

use tandem_kernel::text;

use crate::fault::{Fault, Outcome, Violations};

const DEFAULT_PAGE: i32 = 50;
const MAX_PAGE: i32 = 1_000;

/// The request_id of a write that needs one: 1 to 128 visible ASCII characters, without spaces.
pub fn request_id(v: &mut Violations, id: &str) {
    let visible = id.bytes().all(|b| b.is_ascii_graphic());
    let expected =
        "1 to 128 visible ASCII characters expected: one value per intended change, the same on each retry";
    v.check((1..=128).contains(&id.len()) && visible, "request_id", expected);
}

/// The request_id of a write that can do without; empty is none.
pub fn optional_request_id(v: &mut Violations, id: &str) {
    if !id.is_empty() {
        request_id(v, id);
    }
}

/// The size of a page: 0 is 50, more than 1,000 is 1,000, a negative one is refused.
pub fn page_size(v: &mut Violations, size: i32) -> u32 {
    v.check(size >= 0, "page_size", "must not be negative");
    let size = if size == 0 { DEFAULT_PAGE } else { size.clamp(0, MAX_PAGE) };
    size.unsigned_abs()
}

/// The etag of a version of a resource. Opaque to callers.
pub fn etag(version: i64) -> String {
    format!("v{version}")
}

/// ABORTED unless `given` is the etag of `version`; an empty one agrees with any.
pub fn check_etag(given: &str, version: i64, resource: impl Display) -> Outcome<()> {
    let same = given.is_empty()
        || given.strip_prefix('v').is_some_and(|rest| rest.parse() == Ok(version) && !rest.starts_with('+'));
    if same { Ok(()) } else { Err(Fault::etag_mismatch(resource)) }
}

/// Which fields an update writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    fields: Vec<&'static str>,
    /// The map and the key of each.
    entries: Vec<(&'static str, String)>,
    is_named: bool,
}

impl Mask {
    /// Whether `field` is written.
    pub fn has(&self, field: &str) -> bool {
        self.fields.contains(&field)
    }

    /// The fields that are written.
    pub fn fields(&self) -> &[&'static str] {
        &self.fields
    }

    /// The entries of maps that are written beside them.
    pub fn entries(&self) -> &[(&'static str, String)] {
        &self.entries
    }

    /// The fields that anything is written in.
    pub fn asked(&self) -> Vec<&'static str> {
        self.fields.iter().copied().chain(self.entries.iter().map(|(map, _)| *map)).collect()
    }

    /// Whether the caller names `field`, rather than meaning whatever is said or everything.
    pub fn names(&self, field: &str) -> bool {
        self.is_named && self.has(field)
    }
}

/// Reads `update_mask` against the fields that an update may write, in their order. Absent or empty, it means those that are
/// `said`, so that nothing is wiped that nobody speaks of; `*` is all of them. Any other path that is not in `known` is a
/// violation, and a part of a field (`budget.amount`) must be listed to be one.
pub fn field_mask(
    v: &mut Violations,
    mask: Option<&prost_types::FieldMask>,
    known: &[&'static str],
    said: &[&'static str],
) -> Mask {
    entry_mask(v, mask, known, &[], said)
}

/// The same where a path may be one entry of one of `maps`: `attributes.shoe_size`. All behind the first dot is the key.
pub fn entry_mask(
    v: &mut Violations,
    mask: Option<&prost_types::FieldMask>,
    known: &[&'static str],
    maps: &[&'static str],
    said: &[&'static str],
) -> Mask {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    let of =
        |is_meant: &dyn Fn(&str) -> bool| known.iter().copied().filter(|field| is_meant(field)).collect();
    if paths.is_empty() {
        let fields = of(&|field| said.contains(&field));
        return Mask { fields, entries: Vec::new(), is_named: false };
    }
    if paths == ["*"] {
        return Mask { fields: known.to_vec(), entries: Vec::new(), is_named: false };
    }
    let mut entries = Vec::new();
    for path in paths.iter().filter(|path| !known.contains(&path.as_str())) {
        let entry = path.split_once('.').filter(|(_, key)| !key.is_empty());
        let map = entry.and_then(|(map, _)| maps.iter().find(|known| **known == map));
        if let (Some(map), Some((_, key))) = (map, entry) {
            entries.push((*map, text::composed(key).into_owned()));
            continue;
        }
        let path: String = path.chars().take(64).collect();
        v.add("update_mask", format!("{path:?} cannot be updated; it is one of {}", known.join(", ")));
    }
    Mask { fields: of(&|field| paths.iter().any(|path| path == field)), entries, is_named: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(read: impl FnOnce(&mut Violations)) -> bool {
        let mut v = Violations::new();
        read(&mut v);
        v.is_empty()
    }

    #[test]
    fn a_request_id_is_1_to_128_visible_ascii_characters() {
        assert!(accepted(|v| request_id(v, &"~".repeat(128))));
        for bad in ["", "a b", "é", "\n", &"a".repeat(129)] {
            assert!(!accepted(|v| request_id(v, bad)), "{bad:?}");
        }
        assert!(accepted(|v| optional_request_id(v, "")));
    }

    #[test]
    fn a_page_has_50_items_unless_told_otherwise_and_never_more_than_1000() {
        let mut v = Violations::new();
        for (asked, given) in [(0, 50), (1, 1), (1_000, 1_000), (1_001, 1_000), (i32::MAX, 1_000)] {
            assert_eq!(page_size(&mut v, asked), given);
        }
        assert!(v.is_empty());
        page_size(&mut v, -1);
        assert_eq!(v.finish().unwrap_err().violations()[0].field, "page_size");
    }

    #[test]
    fn another_versions_etag_is_refused_and_none_agrees() {
        assert!(check_etag("", 7, "campaigns/1").is_ok());
        assert!(check_etag(&etag(7), 7, "campaigns/1").is_ok());
        for other in [etag(6).as_str(), "7", "v", "v+7", "x"] {
            assert_eq!(check_etag(other, 7, "campaigns/1").unwrap_err().reason(), "ETAG_MISMATCH");
        }
    }

    #[test]
    fn an_update_mask_names_known_fields_or_means_those_that_are_said() {
        let mask = |paths: &[&str]| prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        };
        let mut v = Violations::new();
        let (known, said) = (["name", "ends"], ["ends", "etag"]);
        let some = field_mask(&mut v, Some(&mask(&["name", "name"])), &known, &said);
        assert!(some.has("name") && some.names("name") && !some.has("ends"));
        let all = field_mask(&mut v, Some(&mask(&["*"])), &known, &said);
        assert!(all.fields() == known && !all.names("name"));
        for none in [None, Some(&mask(&[]))] {
            let those_said = field_mask(&mut v, none, &known, &said);
            assert!(
                those_said.fields() == ["ends"] && !those_said.names("ends"),
                "an absent mask wipes nothing"
            );
        }
        assert!(v.is_empty());
        let one = entry_mask(&mut v, Some(&mask(&["labels.a.b", "ends"])), &known, &["labels"], &said);
        assert_eq!(one.entries(), [("labels", "a.b".to_owned())]);
        assert_eq!((one.asked(), one.has("labels")), (vec!["ends", "labels"], false));
        assert!(v.is_empty());
        field_mask(&mut v, Some(&mask(&["name.first", "state", "*"])), &["name"], &[]);
        entry_mask(&mut v, Some(&mask(&["labels.", "name.x"])), &["labels", "name"], &["labels"], &[]);
        assert_eq!(v.len(), 5);
    }
}
