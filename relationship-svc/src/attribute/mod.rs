//! What the attributes of a tenant's customers are.
//!
//! - A customer carries every attribute as a text. What is declared of it says which texts those are: a number, true or
//!   false, a day, a list of texts. They are kept in one form for each value.
//! - What is written to a customer is checked by what is declared at that moment; what is not declared is a text.
//! - A declaration is refused while customers have values that are nothing of its type, or while rules read the attribute as
//!   something else. A customer who is written in the very moment of the declaration may keep such a value: rules read it
//!   as one that is not there.

pub mod commands;
pub mod events;
pub mod readers;
pub mod rpc;
pub mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::problem::Problem;
use tandem_kernel::rule::{Fact, Reading, Type, Vocabulary};
use tandem_platform::resource::{Field, Maps, Resource, Stem, Table};

/// The first part of every attribute's name.
pub const COLLECTION: &str = "attributes";
/// The most that a tenant declares.
pub const MAX_DECLARED: usize = 256;
/// The longest key of a declared attribute, in bytes.
const MAX_KEY_BYTES: usize = 64;

/// One declaration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// The key that customers have it under.
    pub id: String,
    /// Ascending with every change, from 1.
    pub version: i64,
    /// What its owner writes.
    pub definition: Definition,
    /// When it was declared.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// The part of a declaration that its owner writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// For operators.
    pub display_name: String,
    /// What it means.
    pub description: String,
    /// What its values are.
    pub reading: Reading,
    /// It says something about a person that is nobody else's business.
    pub personal: bool,
}

impl Maps for Definition {}

/// What an update may name.
pub const FIELDS: &[Field<Definition>] = &[
    ("display_name", |to, from| to.display_name.clone_from(&from.display_name)),
    ("description", |to, from| to.description.clone_from(&from.description)),
    ("value_type", |to, from| to.reading = from.reading),
    ("personal", |to, from| to.personal = from.personal),
];

impl Attribute {
    /// One that was not declared before.
    pub fn new(id: String, definition: Definition, now: Timestamp) -> Self {
        Self { id, version: 1, definition, created: now, updated: now }
    }

    /// The next version.
    #[must_use]
    pub fn revised(self, definition: Definition, now: Timestamp) -> Self {
        Self { version: self.version + 1, definition, updated: now, ..self }
    }
}

impl Resource for Attribute {
    const COLLECTION: &'static str = COLLECTION;
    const TABLE: &'static Table<Self> = &store::ATTRIBUTES;

    fn stem(&self) -> Stem<'_> {
        Stem { id: &self.id, version: self.version, created: self.created }
    }
}

/// Whether rules can read a field of this name.
pub fn is_key(key: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let mut bytes = key.bytes();
    key.len() <= MAX_KEY_BYTES
        && bytes.next().is_some_and(letter)
        && bytes.all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// What is declared of a tenant's attributes, by their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared(pub BTreeMap<String, Reading>);

impl Declared {
    /// The vocabulary of rules over customers, where this is declared.
    pub fn within(&self, vocabulary: &Vocabulary) -> Vocabulary {
        vocabulary.clone().declaring("customer", "attributes", self.0.clone())
    }

    /// Brings values into the form in which they are kept; what is wrong with them is added to `problems`.
    pub fn keep(&self, values: &mut BTreeMap<String, String>, problems: &mut Vec<Problem>) {
        for (key, value) in values {
            let Some(reading) = self.0.get(key) else { continue };
            match reading.canonical(value) {
                Ok(kept) => *value = kept,
                Err(message) => problems.push(Problem::new(format!("attributes[{key:?}]"), message)),
            }
        }
    }

    /// The same, with what would be declared of one more.
    #[must_use]
    pub fn with(mut self, key: &str, reading: Reading) -> Self {
        self.0.insert(key.to_owned(), reading);
        self
    }

    /// The same, without what is declared of one.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.0.remove(key);
        self
    }
}

/// What a filter over declarations may read.
pub fn vocabulary() -> Vocabulary {
    let kind = Type::object([
        ("id", Type::Text),
        ("display_name", Type::Text),
        ("value_type", Type::Text),
        ("personal", Type::Bool),
    ]);
    Vocabulary::new().with("attribute", kind)
}

/// A declaration as the value of `attribute`.
pub fn fact<'v>(attribute: &'v Attribute, value_type: &'static str) -> Fact<'v> {
    Fact::Object(vec![
        ("id", Fact::text(&attribute.id)),
        ("display_name", Fact::text(&attribute.definition.display_name)),
        ("value_type", Fact::text(value_type)),
        ("personal", Fact::Bool(attribute.definition.personal)),
    ])
}
