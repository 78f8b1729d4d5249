//! Files of a set-up: YAML, several documents to a file, or JSON. A document that is wrong is told by file, line, field and
//! reason, and the others are read.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor};
use serde::{Deserialize, Deserializer};

use super::kind::{KINDS, Kind};
use super::lines::Lines;
use crate::failure::Failure;

/// Where a document begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// As it was named, `-` for standard input.
    pub file: String,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One resource as it is wanted.
#[derive(Debug, Clone)]
pub struct Document {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: &'static Kind,
    /// Its name.
    pub name: String,
    /// The contract's message.
    pub resource: DynamicMessage,
    /// Where its fields stand.
    pub lines: Lines,
}

/// A document that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Where it is wrong.
    pub place: Place,
    /// Its name, where that much could be read.
    pub name: String,
    /// In which field, and why.
    pub why: String,
}

/// What is in some files, in the order in which it is to be applied.
#[derive(Debug, Default)]
pub struct Documents {
    /// Each behind what it names.
    pub good: Vec<Document>,
    /// The others.
    pub bad: Vec<Bad>,
}

/// Reads files, folders with what is below them, and `-`.
///
/// # Errors
/// Where one of them is not there, or holds no document.
pub fn read(sources: &[PathBuf]) -> Result<Documents, Failure> {
    let mut found = Documents::default();
    for source in sources {
        let before = found.good.len() + found.bad.len();
        if source.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            found.take("-", &text);
        } else {
            for file in files(source)? {
                let shown = file.display().to_string();
                match std::fs::read_to_string(&file) {
                    Ok(text) => found.take(&shown, &text),
                    Err(error) => {
                        let (place, name) = (Place { file: shown, line: 1 }, String::new());
                        found.bad.push(Bad { place, name, why: error.to_string() });
                    }
                }
            }
        }
        if found.good.len() + found.bad.len() == before {
            return Err(Failure::at(source.display(), "holds no document: .yaml, .yml and .json are read"));
        }
    }
    found.refuse_doubles();
    let rank = |document: &Document| KINDS.iter().position(|kind| kind == document.kind);
    found.good.sort_by_key(rank);
    Ok(found)
}

/// A file, or those of a folder and below it, in the order of their names.
fn files(source: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: std::io::Error| Failure::at(source.display(), error);
    if !std::fs::metadata(source).map_err(failed)?.is_dir() {
        return Ok(vec![source.to_owned()]);
    }
    let entries = std::fs::read_dir(source).map_err(failed)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let is_document =
            path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
        if path.is_dir() || is_document {
            found.extend(files(&path)?);
        }
    }
    Ok(found)
}

impl Documents {
    /// Reads one file.
    fn take(&mut self, file: &str, text: &str) {
        let is_json = file.ends_with(".json") || (file == "-" && text.trim_start().starts_with('{'));
        let documents = if is_json { vec![(1, text.to_owned())] } else { split(text) };
        for (line, text) in documents {
            let place = Place { file: file.to_owned(), line };
            match if is_json { one::<Json>(&place, &text) } else { one::<Yaml>(&place, &text) } {
                Ok(document) => self.good.push(document),
                Err(bad) => self.bad.push(bad),
            }
        }
    }

    /// Of two documents of one name neither is meant more than the other.
    fn refuse_doubles(&mut self) {
        let mut first: HashMap<String, Place> = HashMap::new();
        let mut single = Vec::new();
        for document in std::mem::take(&mut self.good) {
            let Document { place, name, .. } = &document;
            match first.get(name) {
                Some(first) => {
                    let why = format!("name: stands at {first} already");
                    self.bad.push(Bad { place: place.clone(), name: name.clone(), why });
                }
                None => {
                    first.insert(name.clone(), place.clone());
                    single.push(document);
                }
            }
        }
        self.good = single;
    }
}

/// The documents of a YAML file, each with the line where it begins, and on its own lines. A line that begins with `---` is a
/// document's beginning wherever it stands: so one that cannot be read does not spoil the others.
fn split(text: &str) -> Vec<(usize, String)> {
    let is_marker = |line: &str| {
        line.strip_prefix("---").is_some_and(|rest| rest.trim_start().len() < rest.len() || rest.is_empty())
    };
    let mut documents: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if documents.is_empty() || is_marker(line) {
            documents.push((index + 1, "\n".repeat(index)));
        }
        if let Some((_, document)) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let says_nothing = |line: &str| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---" || line == "..."
    };
    documents.retain(|(_, text)| !text.lines().all(says_nothing));
    for (line, text) in &mut documents {
        // Where it says something first.
        *line = text.lines().position(|line| !says_nothing(line)).map_or(*line, |index| index + 1);
    }
    documents
}

/// How a document is written.
trait Writing {
    /// Reads `text` with `take`; an error says in which line it is, where that is known.
    fn read<T>(text: &str, take: impl Taker<T>) -> Result<T, (Option<usize>, String)>;
}

/// What is read of a document, whatever it is written in.
trait Taker<T> {
    fn take<'de, D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error>;
}

struct Yaml;

impl Writing for Yaml {
    fn read<T>(text: &str, take: impl Taker<T>) -> Result<T, (Option<usize>, String)> {
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let read =
            serde_saphyr::with_deserializer_from_str_with_options(text, options, |from| take.take(from));
        read.map_err(|error| {
            let line = error.location().and_then(|at| usize::try_from(at.line()).ok());
            (line, said(&error))
        })
    }
}

struct Json;

impl Writing for Json {
    fn read<T>(text: &str, take: impl Taker<T>) -> Result<T, (Option<usize>, String)> {
        let mut from = serde_json::Deserializer::from_str(text);
        let read = take.take(&mut from).and_then(|value| from.end().map(|()| value));
        read.map_err(|error| (Some(error.line()), said(&error)))
    }
}

/// What a reader says, without the place, which is told apart.
fn said(error: &impl fmt::Display) -> String {
    let said = error.to_string();
    said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what).to_owned()
}

/// What every document has.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    name: String,
}

struct Name;

impl Taker<Head> for Name {
    fn take<'de, D: Deserializer<'de>>(self, from: D) -> Result<Head, D::Error> {
        Head::deserialize(from)
    }
}

/// A message of the contracts; where it is wrong, `path` says in which field.
struct Resource<'p> {
    of: MessageDescriptor,
    path: &'p mut String,
}

impl Taker<DynamicMessage> for Resource<'_> {
    fn take<'de, D: Deserializer<'de>>(self, from: D) -> Result<DynamicMessage, D::Error> {
        let mut track = serde_path_to_error::Track::new();
        let from = serde_path_to_error::Deserializer::new(from, &mut track);
        let options = DeserializeOptions::new().deny_unknown_fields(true);
        DynamicMessage::deserialize_with_options(self.of, from, &options)
            .inspect_err(|_| *self.path = track.path().to_string())
    }
}

fn one<W: Writing>(place: &Place, text: &str) -> Result<Document, Bad> {
    let bad = |line: Option<usize>, name: &str, why: String| Bad {
        place: Place { line: line.unwrap_or(place.line), ..place.clone() },
        name: name.to_owned(),
        why,
    };
    let head = W::read(text, Name).map_err(|(line, why)| bad(line, "", why))?;
    let Some(kind) = Kind::of(&head.name) else {
        let known: Vec<String> = KINDS.iter().map(Kind::names).collect();
        let why = format!("name: says what a document is: write {}", known.join(", "));
        return Err(bad(None, &head.name, why));
    };
    let of = kind.descriptor().map_err(|failure| bad(None, &head.name, failure.to_string()))?;
    let mut path = String::new();
    let read = W::read(text, Resource { of, path: &mut path });
    let lines = Lines::of(text);
    let resource = read.map_err(|(line, why)| {
        let (field, why) = field_and_reason(&path, &why);
        let line = lines.line(&field).or(line);
        bad(line, &head.name, if field.is_empty() { why } else { format!("{field}: {why}") })
    })?;
    if let Some(field) = kind.foreign(&resource).first() {
        let why = format!("{field}: is set by the service; leave it out");
        return Err(bad(lines.line(field), &head.name, why));
    }
    Ok(Document { place: place.clone(), kind, name: head.name, resource, lines })
}

/// Which field is wrong, and why: one that the contract does not have is named too.
fn field_and_reason(path: &str, why: &str) -> (String, String) {
    let path = path.trim_matches('.');
    let unknown = why.strip_prefix("unrecognized field name '").and_then(|rest| rest.strip_suffix('\''));
    match unknown {
        Some(name) if path.is_empty() => (name.to_owned(), "there is no such field".to_owned()),
        Some(name) => (format!("{path}.{name}"), "there is no such field".to_owned()),
        None => (path.to_owned(), why.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(file: &str, text: &str) -> Documents {
        let mut found = Documents::default();
        found.take(file, text);
        found
    }

    fn bad(file: &str, text: &str) -> Vec<String> {
        taken(file, text).bad.iter().map(|bad| format!("{}: {}", bad.place, bad.why)).collect()
    }

    #[test]
    fn a_document_that_is_wrong_is_told_by_line_field_and_reason() {
        for (text, said) in [
            ("name: objectives/a\ncolour: red\n", "a.yaml:2: colour: there is no such field"),
            (
                "# first\nname: products/a\nprices:\n- place: DE\n  price:\n    unit: 3\n",
                "a.yaml:6: prices[0].price.unit: there is no such field",
            ),
            ("name: products/a\ntaxRatePpm: many\n", "a.yaml:2: taxRatePpm: invalid digit found in string"),
            (
                "name: products/a\nstate: PRODUCT_STATE_ACTIVE\n",
                "a.yaml:2: state: is set by the service; leave it out",
            ),
        ] {
            assert_eq!(bad("a.yaml", text), [said]);
        }
        assert_eq!(
            bad("a.json", "{\"name\": \"products/a\",\n \"colour\": 1}"),
            ["a.json:2: colour: there is no such field"]
        );
        let unknown = bad("a.yaml", "displayName: A\n");
        assert!(
            unknown[0].starts_with("a.yaml:1: name: says what a document is: write settings/campaign, "),
            "{unknown:?}"
        );
        assert!(bad("a.yaml", "name: products/a\nname: products/b\n")[0].starts_with("a.yaml:2: duplicate"));
        let metric = bad("a.yaml", "name: objectives/a\nmetric: OBJECTIVE_METRIC_WISHES\n");
        assert!(metric[0].starts_with("a.yaml:2: metric: "), "{metric:?}");
    }

    #[test]
    fn one_bad_document_fails_alone() {
        let text =
            "name: products/a\n---\nname: products/b\ndisplayName: [1\n---\n# c\nname: products/c\n---\n";
        let found = taken("a.yaml", text);
        let good: Vec<_> = found.good.iter().map(|one| (one.name.as_str(), one.place.line)).collect();
        assert_eq!(good, [("products/a", 1), ("products/c", 7)]);
        assert_eq!(found.bad.len(), 1);
        assert_eq!(found.bad[0].place.line, 4);
    }

    #[test]
    fn of_two_documents_of_one_name_the_later_is_refused() {
        let mut found = taken("a.yaml", "name: products/a\n---\nname: products/a\n");
        found.refuse_doubles();
        assert_eq!(found.bad[0].why, "name: stands at a.yaml:1 already");
        assert_eq!(found.good.len(), 1);
    }

    #[test]
    fn what_looks_like_something_else_is_the_text_it_is() {
        for (typed, read) in [("NO", "NO"), ("12", "12"), ("'#1'", "#1"), ("\"a: b\"", "a: b")] {
            let found = taken("a.yaml", &format!("name: products/a\ndisplayName: {typed}\n"));
            assert_eq!(crate::setup::kind::text(&found.good[0].resource, "display_name"), read);
        }
    }
}
