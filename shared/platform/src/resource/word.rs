//! Enums as the words that the database's CHECKs list: the same that serde writes.

use serde::Serialize;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::fault::{Fault, Outcome};

/// The word of a value without fields.
pub fn of<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        // Refused by the column's CHECK.
        _ => String::new(),
    }
}

/// The value of a word. INTERNAL for one that this release does not know.
pub fn parse<T: DeserializeOwned>(word: &str) -> Outcome<T> {
    let reader: StrDeserializer<'_, Error> = word.into_deserializer();
    T::deserialize(reader).map_err(|error| Fault::internal("a stored word is not known").caused_by(error))
}
