//! Taking somebody out of what is kept for a while: stored answers (JSON) and events (messages of the contract). Whatever names
//! them names the pseudonym afterwards, and what tells of them alone says nothing else. What tells of others stays as it was.

use std::sync::OnceLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, ReflectMessage, Value};
use serde_json::Value as Json;
use tandem_platform::{Fault, Outcome};
use tandem_proto::common::v1::{Event, EventBatch};

use super::list;
use crate::customer::{self, Profile};

/// Who is taken out, and what stands in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    id: String,
    name: String,
    pseudonym: String,
    hidden: String,
}

impl Person {
    /// The customer of this id.
    pub fn new(id: &str, pseudonym: &str) -> Self {
        let (name, hidden) = (customer::name(id), customer::name(pseudonym));
        Self { id: id.to_owned(), name, pseudonym: pseudonym.to_owned(), hidden }
    }

    /// What stands in the place of the id.
    pub fn pseudonym(&self) -> &str {
        &self.pseudonym
    }

    /// The id, which whatever is about them has in it.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// A stored answer without them; `None` where it does not name them.
pub fn answer(person: &Person, stored: &str) -> Outcome<Option<String>> {
    let unreadable = |error| Fault::internal("a stored answer cannot be read").caused_by(error);
    let mut answer: Json = serde_json::from_str(stored).map_err(unreadable)?;
    Ok(json(person, &mut answer).then(|| answer.to_string()))
}

fn json(person: &Person, value: &mut Json) -> bool {
    match value {
        Json::String(text) if *text == person.name => {
            person.hidden.clone_into(text);
            true
        }
        Json::Array(items) => items.iter_mut().fold(false, |changed, item| json(person, item) | changed),
        Json::Object(fields) => {
            let about = ["customer", "id"].map(|key| fields.get(key).and_then(Json::as_str) == Some(&person.id));
            let mut changed = false;
            if about[0] {
                fields.insert("customer".to_owned(), person.pseudonym.clone().into());
                fields.entry("proof").and_modify(|proof| *proof = Json::Object(serde_json::Map::default()));
                changed = true;
            }
            if about[1] && fields.contains_key("profile") {
                fields.insert("id".to_owned(), person.pseudonym.clone().into());
                let nothing = serde_json::to_value(Profile::default()).unwrap_or_default();
                fields.insert("profile".to_owned(), nothing);
                changed = true;
            }
            fields.values_mut().fold(changed, |changed, field| json(person, field) | changed)
        }
        _ => false,
    }
}

/// The events of a transaction without them; `None` where none names them. What tells others of the erasure stays.
pub fn events(person: &Person, payload: &[u8]) -> Outcome<Option<Vec<u8>>> {
    let mut batch = EventBatch::decode(payload).map_err(unreadable)?;
    let mut changed = false;
    for told in batch.events.iter_mut().filter(|told| told.r#type != list::TELLS_OF_ERASURE) {
        changed |= event(person, told)?;
    }
    Ok(changed.then(|| batch.encode_to_vec()))
}

/// One event that was set aside.
pub fn aside(person: &Person, payload: &[u8]) -> Outcome<Option<Vec<u8>>> {
    let mut one = Event::decode(payload).map_err(unreadable)?;
    Ok(event(person, &mut one)?.then(|| one.encode_to_vec()))
}

/// What told of the erasure, without the id: by then everybody has heard.
pub fn forgotten(payload: &[u8], pseudonym: &str) -> Outcome<Option<Vec<u8>>> {
    use tandem_proto::relationship::v1::CustomerErased;
    let mut batch = EventBatch::decode(payload).map_err(unreadable)?;
    let mut changed = false;
    for told in batch.events.iter_mut().filter(|told| told.r#type == list::TELLS_OF_ERASURE) {
        let Some(any) = told.payload.as_mut() else { continue };
        let erased = CustomerErased::decode(any.value.as_slice()).map_err(unreadable)?;
        if erased.pseudonym == customer::name(pseudonym) && !erased.customer.is_empty() {
            any.value = CustomerErased { customer: String::new(), ..erased }.encode_to_vec();
            changed = true;
        }
    }
    Ok(changed.then(|| batch.encode_to_vec()))
}

/// Whether an event names them, anywhere.
pub fn names(person: &Person, told: &Event) -> bool {
    event(person, &mut told.clone()).unwrap_or(false)
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::internal("a stored event cannot be read").caused_by(error)
}

fn event(person: &Person, told: &mut Event) -> Outcome<bool> {
    let mut changed = false;
    if told.aggregate == person.name {
        told.aggregate.clone_from(&person.hidden);
        changed = true;
    }
    let Some(any) = told.payload.as_mut() else { return Ok(changed) };
    let name = any.type_url.rsplit('/').next().unwrap_or_default();
    let descriptor = contracts()?.get_message_by_name(name);
    // An event of a release that is newer than this one: it is not ours to read, and names nobody that we know.
    let Some(descriptor) = descriptor else { return Ok(changed) };
    let mut message = DynamicMessage::decode(descriptor, any.value.as_slice()).map_err(unreadable)?;
    if self::message(person, &mut message) {
        any.value = message.encode_to_vec();
        changed = true;
    }
    Ok(changed)
}

fn message(person: &Person, of: &mut DynamicMessage) -> bool {
    let descriptor = of.descriptor();
    let mut changed = false;
    for field in descriptor.fields().filter(|field| of.has_field(field)).collect::<Vec<_>>() {
        let mut value = of.get_field(&field).into_owned();
        if self::value(person, &mut value) {
            of.set_field(&field, value);
            changed = true;
        }
    }
    let about = list::PERSONAL.iter().find(|personal| personal.message == descriptor.full_name());
    let Some(personal) = about else { return changed };
    let names = of.get_field_by_name(personal.names);
    if names.is_some_and(|name| name.as_str() == Some(&person.hidden)) && changed {
        let kept = |name: &str| name == personal.names || personal.keeps.contains(&name);
        descriptor.fields().filter(|field| !kept(field.name())).for_each(|field| of.clear_field(&field));
    }
    changed
}

fn value(person: &Person, value: &mut Value) -> bool {
    match value {
        Value::String(text) if *text == person.name => {
            person.hidden.clone_into(text);
            true
        }
        Value::Message(inner) => message(person, inner),
        Value::List(items) => items.iter_mut().fold(false, |changed, item| self::value(person, item) | changed),
        Value::Map(entries) => {
            let keys: Vec<MapKey> = entries.keys().cloned().collect();
            let mut changed = false;
            for key in keys {
                changed |= entries.get_mut(&key).is_some_and(|entry| self::value(person, entry));
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
