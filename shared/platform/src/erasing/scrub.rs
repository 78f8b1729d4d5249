//! Taking somebody out of what is kept for a while: stored answers (JSON) and events (messages of the contract). Whatever names
//! them names the pseudonym afterwards; what else is theirs, a service says. What tells of others stays as it was.

use std::sync::OnceLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, ReflectMessage, Value};
use serde_json::{Map, Value as Json};
use tandem_proto::common::v1::{Event, EventBatch};

use super::Person;
use crate::fault::{Fault, Outcome};

/// What is a person's without naming them.
pub trait Rules: Sync {
    /// Takes it out of an object of a stored answer; answers whether there was something.
    fn object(&self, person: &Person, fields: &mut Map<String, Json>) -> bool;

    /// Takes it out of a message, in which they were named where it is `renamed`; answers whether there was something.
    fn message(&self, person: &Person, message: &mut DynamicMessage, renamed: bool) -> bool;
}

/// A stored answer without them; `None` where it does not name them.
pub fn answer(rules: &impl Rules, person: &Person, stored: &str) -> Outcome<Option<String>> {
    let unreadable = |error| Fault::internal("a stored answer cannot be read").caused_by(error);
    let mut answer: Json = serde_json::from_str(stored).map_err(unreadable)?;
    Ok(json(rules, person, &mut answer).then(|| answer.to_string()))
}

fn json(rules: &impl Rules, person: &Person, value: &mut Json) -> bool {
    match value {
        Json::String(text) => renamed(person, text),
        Json::Array(items) => {
            items.iter_mut().fold(false, |changed, item| json(rules, person, item) | changed)
        }
        Json::Object(fields) => {
            let changed = rules.object(person, fields);
            fields.values_mut().fold(changed, |changed, field| json(rules, person, field) | changed)
        }
        _ => false,
    }
}

fn renamed(person: &Person, text: &mut String) -> bool {
    let Some(hidden) = person.renamed(text) else { return false };
    *text = hidden;
    true
}

/// The events of a transaction without them; `None` where none names them. Those that `stay` are as they were.
pub fn events(
    rules: &impl Rules,
    person: &Person,
    payload: &[u8],
    stays: impl Fn(&Event) -> bool,
) -> Outcome<Option<Vec<u8>>> {
    let mut batch = EventBatch::decode(payload).map_err(unreadable)?;
    let mut changed = false;
    for told in &mut batch.events {
        if !stays(told) {
            changed |= event(rules, person, told)?;
        }
    }
    Ok(changed.then(|| batch.encode_to_vec()))
}

/// One event that was set aside.
pub fn aside(rules: &impl Rules, person: &Person, payload: &[u8]) -> Outcome<Option<Vec<u8>>> {
    let mut one = Event::decode(payload).map_err(unreadable)?;
    Ok(event(rules, person, &mut one)?.then(|| one.encode_to_vec()))
}

/// Whether an event names them, anywhere.
pub fn names(rules: &impl Rules, person: &Person, told: &Event) -> bool {
    event(rules, person, &mut told.clone()).unwrap_or(false)
}

/// The fault of an event that is stored and is none.
pub fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::internal("a stored event cannot be read").caused_by(error)
}

fn event(rules: &impl Rules, person: &Person, told: &mut Event) -> Outcome<bool> {
    let mut changed = renamed(person, &mut told.aggregate);
    let Some(any) = told.payload.as_mut() else { return Ok(changed) };
    let name = any.type_url.rsplit('/').next().unwrap_or_default();
    let descriptor = contracts()?.get_message_by_name(name);
    // An event of a release that is newer than this one: it is not ours to read, and names nobody that we know.
    let Some(descriptor) = descriptor else { return Ok(changed) };
    let mut message = DynamicMessage::decode(descriptor, any.value.as_slice()).map_err(unreadable)?;
    if self::message(rules, person, &mut message) {
        any.value = message.encode_to_vec();
        changed = true;
    }
    Ok(changed)
}

fn message(rules: &impl Rules, person: &Person, of: &mut DynamicMessage) -> bool {
    let mut renamed = false;
    let fields: Vec<_> = of.descriptor().fields().filter(|field| of.has_field(field)).collect();
    for field in fields {
        let mut value = of.get_field(&field).into_owned();
        if self::value(rules, person, &mut value) {
            of.set_field(&field, value);
            renamed = true;
        }
    }
    rules.message(person, of, renamed) | renamed
}

fn value(rules: &impl Rules, person: &Person, value: &mut Value) -> bool {
    match value {
        Value::String(text) => renamed(person, text),
        Value::Message(inner) => message(rules, person, inner),
        Value::List(items) => {
            items.iter_mut().fold(false, |changed, item| self::value(rules, person, item) | changed)
        }
        Value::Map(entries) => {
            let keys: Vec<MapKey> = entries.keys().cloned().collect();
            let mut changed = false;
            for key in keys {
                changed |= entries.get_mut(&key).is_some_and(|entry| self::value(rules, person, entry));
            }
            changed
        }
        _ => false,
    }
}

fn contracts() -> Outcome<&'static DescriptorPool> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(tandem_proto::DESCRIPTORS).ok());
    pool.as_ref().ok_or_else(|| Fault::internal("the contracts cannot be read"))
}
