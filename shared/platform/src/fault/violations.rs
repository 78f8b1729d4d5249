//! Every wrong field of one request, found before the first is reported.

use std::ops::{Deref, DerefMut};

use super::{Fault, Outcome};

/// More are counted, not kept: a hostile request can hold a million wrong lines.
const KEPT: usize = 100;

/// One field of a request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// The path in the request: `lines[3].unit_price.amount`.
    pub field: String,
    /// What is wrong, for a developer, in English.
    pub description: String,
    /// Machine-readable, UPPER_SNAKE_CASE.
    pub reason: &'static str,
}

impl FieldViolation {
    /// A violation of no special reason.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into(), reason: "INVALID" }
    }
}

/// Collects the violations of one request. Parsers take `&mut Violations` and report field names of their own
/// message; whoever calls them says where that message stands: `line(&mut v.nest("lines[3]"), line)`.
#[derive(Debug, Default)]
pub struct Violations {
    prefix: String,
    /// Inside a prefix of this length only these fields can be wrong.
    asked: Option<(usize, Vec<&'static str>)>,
    found: Vec<FieldViolation>,
    omitted: usize,
}

impl Violations {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports `field`.
    pub fn add(&mut self, field: impl AsRef<str>, description: impl Into<String>) {
        self.add_as("INVALID", field, description);
    }

    /// Reports `field` with a reason that a program can tell.
    pub fn add_as(&mut self, reason: &'static str, field: impl AsRef<str>, description: impl Into<String>) {
        if !self.is_asked(field.as_ref()) {
            return;
        }
        if self.found.len() == KEPT {
            self.omitted += 1;
            return;
        }
        let field = self.path(field.as_ref());
        self.found.push(FieldViolation { field, description: description.into(), reason });
    }

    /// Reports `field` unless `ok`; answers `ok`.
    pub fn check(&mut self, ok: bool, field: impl AsRef<str>, description: impl Into<String>) -> bool {
        if !ok {
            self.add(field, description);
        }
        ok
    }

    /// The same collection seen from inside a field: what is reported through it is named `prefix.…`.
    pub fn nest(&mut self, prefix: impl AsRef<str>) -> Nested<'_> {
        let outer = self.prefix.len();
        if outer > 0 {
            self.prefix.push('.');
        }
        self.prefix.push_str(prefix.as_ref());
        Nested { all: self, outer }
    }

    /// As [`Violations::nest`], where only some fields are `asked` for: what is reported of others is passed over.
    pub fn nest_asked(&mut self, prefix: impl AsRef<str>, asked: Vec<&'static str>) -> Nested<'_> {
        let nested = self.nest(prefix);
        nested.all.asked = Some((nested.all.prefix.len(), asked));
        nested
    }

    fn is_asked(&self, field: &str) -> bool {
        let Some((depth, fields)) = &self.asked else { return true };
        let inside = self.prefix.get(*depth..).unwrap_or_default().trim_start_matches('.');
        let path = if inside.is_empty() { field } else { inside };
        fields.contains(&path.split(['.', '[']).next().unwrap_or_default())
    }

    fn path(&self, field: &str) -> String {
        match (self.prefix.as_str(), field) {
            (prefix, "") => prefix.to_owned(),
            ("", field) => field.to_owned(),
            (prefix, field) => format!("{prefix}.{field}"),
        }
    }

    /// Whether `field`, or a part of it, was reported.
    pub fn has(&self, field: &str) -> bool {
        let path = self.path(field);
        self.found.iter().any(|one| {
            one.field.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many were reported so far.
    pub fn len(&self) -> usize {
        self.found.len() + self.omitted
    }

    /// The fault that names them all, or nothing where nothing is wrong.
    pub fn finish(self) -> Outcome<()> {
        if self.found.is_empty() {
            return Ok(());
        }
        Err(Fault::invalid(self.found).omitting(self.omitted))
    }
}

/// [`Violations`] inside a field; ends when it is dropped.
#[derive(Debug)]
pub struct Nested<'a> {
    all: &'a mut Violations,
    outer: usize,
}

impl Deref for Nested<'_> {
    type Target = Violations;

    fn deref(&self) -> &Violations {
        self.all
    }
}

impl DerefMut for Nested<'_> {
    fn deref_mut(&mut self) -> &mut Violations {
        self.all
    }
}

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        self.all.prefix.truncate(self.outer);
        if self.all.asked.as_ref().is_some_and(|(depth, _)| *depth > self.outer) {
            self.all.asked = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_is_named_by_its_path() {
        let mut v = Violations::new();
        v.add("currency", "missing");
        {
            let mut line = v.nest("lines[3]");
            line.check(true, "product", "fine");
            line.nest("unit_price").add("amount", "negative");
            line.add("", "too heavy");
        }
        assert!(!v.check(false, "order", "missing"));
        let fault = v.finish().unwrap_err();
        let fields: Vec<_> = fault.violations().iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["currency", "lines[3].unit_price.amount", "lines[3]", "order"]);
    }

    #[test]
    fn what_is_not_asked_for_cannot_be_wrong() {
        let mut v = Violations::new();
        {
            let mut note = v.nest_asked("note", vec!["title", "lines"]);
            note.add("title", "missing");
            note.add("colour", "unknown");
            note.nest("lines[2]").nest("price").add("amount", "negative");
            note.nest("margin").add("left", "negative");
            assert!(note.has("title") && note.has("lines") && !note.has("margin") && !note.has("line"));
        }
        v.add("colour", "unknown");
        let fault = v.finish().unwrap_err();
        let fields: Vec<_> = fault.violations().iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["note.title", "note.lines[2].price.amount", "colour"]);
    }

    #[test]
    fn a_million_violations_are_counted_not_kept() {
        let mut v = Violations::new();
        for line in 0..1_000_000 {
            v.add(format!("lines[{line}]"), "wrong");
        }
        assert_eq!(v.len(), 1_000_000);
        assert_eq!(v.finish().unwrap_err().violations().len(), KEPT);
    }
}
