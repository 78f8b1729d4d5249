//! Files of a set-up: YAML, several documents to a file, or JSON. A document that is wrong is told by file, line, field and
//! reason, and the others are read.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor};
use serde::{Deserialize, Deserializer};

use super::kind::{KINDS, Kind, text};
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
/// Where one of them cannot be read at all, or holds no document.
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
                let text = std::fs::read_to_string(&file).map_err(|error| Failure::at(&shown, error))?;
                found.take(&shown, &text);
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
            (line, error.to_string())
        })
    }
}

struct Json;

impl Writing for Json {
    fn read<T>(text: &str, take: impl Taker<T>) -> Result<T, (Option<usize>, String)> {
        let mut from = serde_json::Deserializer::from_str(text);
        let read = take.take(&mut from).and_then(|value| from.end().map(|()| value));
        read.map_err(|error| (Some(error.line()), error.to_string()))
    }
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
        let known: Vec<String> = KINDS.iter().map(|kind| format!("{}/…", kind.collection)).collect();
        let why = format!("name: says what a document is: write {}", known.join(", "));
        return Err(bad(None, &head.name, why));
    };
    let of = kind.descriptor().map_err(|failure| bad(None, &head.name, failure.to_string()))?;
    let mut path = String::new();
    let read = W::read(text, Resource { of, path: &mut path });
    let resource = read.map_err(|(line, why)| {
        let field = if path.is_empty() || path == "." { String::new() } else { format!("{path}: ") };
        bad(line, &head.name, format!("{field}{why}"))
    })?;
    if let Some(field) = kind.foreign(&resource).first() {
        let why = format!("{field}: is set by the service; leave it out");
        return Err(bad(None, &head.name, why));
    }
    let name = text_of_name(&resource);
    Ok(Document { place: place.clone(), kind, name, resource })
}

fn text_of_name(resource: &DynamicMessage) -> String {
    text(resource, "name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(file: &str, text: &str) -> Documents {
        let mut found = Documents::default();
        found.take(file, text);
        found
    }

    #[test]
    fn errors_look_like_this() {
        for text in [
            "name: objectives/a\ndisplayName: A\ncolour: red\n",
            "# first\nname: products/a\nprices:\n- place: DE\n  price:\n    currencyCode: EUR\n    unit: 3\n",
            "name: products/a\ndisplayName: [1\n",
            "name: products/a\ntaxRatePpm: many\n",
            "name: products/a\ndisplayName: NO\n---\nname: what\n---\nname: products/b\nstate: PRODUCT_STATE_ACTIVE\n",
            "name: objectives/a\nmetric: OBJECTIVE_METRIC_WISHES\n",
            "name: products/a\ndisplayName: 12\n",
            "name: products/a\nname: products/a\n",
        ] {
            let found = taken("a.yaml", text);
            println!("{:#?} {:#?}", found.good, found.bad);
        }
        let found = taken("a.json", "{\"name\": \"products/a\",\n \"colour\": 1}");
        println!("{:#?} {:#?}", found.good, found.bad);
    }
}
