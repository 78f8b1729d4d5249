//! Taking somebody out of what is kept for a while: stored answers (JSON) and events (messages of the contract). Whatever names
//! them names the pseudonym afterwards, and what tells of them alone says nothing else. What tells of others stays as it was.

use std::sync::OnceLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, ReflectMessage, Value};
use serde_json::{Map, Value as Json};
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

    /// What their name, or that of something of theirs (`customers/ada/relationship`), becomes.
    fn renamed(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix(&self.name)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", self.hidden))
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
        Json::String(text) => renamed(person, text),
        Json::Array(items) => items.iter_mut().fold(false, |changed, item| json(person, item) | changed),
        Json::Object(fields) => {
            let changed = object(person, fields);
            fields.values_mut().fold(changed, |changed, field| json(person, field) | changed)
        }
        _ => false,
    }
}

fn renamed(person: &Person, text: &mut String) -> bool {
    let Some(hidden) = person.renamed(text) else { return false };
    *text = hidden;
    true
}

/// What of an object is theirs by its place: the bare id says nothing by itself.
fn object(person: &Person, fields: &mut Map<String, Json>) -> bool {
    let is = |fields: &Map<String, Json>, key: &str| {
        fields.get(key).and_then(Json::as_str) == Some(person.id.as_str())
    };
    let mut changed = false;
    if is(fields, "customer") {
        fields.insert("customer".to_owned(), person.pseudonym.clone().into());
        if let Some(proof) = fields.get_mut("proof") {
            *proof = Json::Object(Map::default());
        }
        changed = true;
    }
    if is(fields, "id") && fields.contains_key("profile") {
        fields.insert("id".to_owned(), person.pseudonym.clone().into());
        fields.insert("profile".to_owned(), serde_json::to_value(Profile::default()).unwrap_or_default());
        changed = true;
    }
    let of_source = fields.get("field").and_then(Json::as_str) == Some(list::SOURCE);
    let keys = if of_source { &["before", "after"][..] } else { &[list::SOURCE][..] };
    for key in keys.iter().filter(|key| is(fields, key)).collect::<Vec<_>>() {
        fields.insert((*key).to_owned(), String::new().into());
        changed = true;
    }
    changed
}

/// The events of a transaction without them; `None` where none names them. `tells`: what tells others of this erasure stays.
pub fn events(person: &Person, payload: &[u8], tells: bool) -> Outcome<Option<Vec<u8>>> {
    let mut batch = EventBatch::decode(payload).map_err(unreadable)?;
    let mut changed = false;
    for told in &mut batch.events {
        if !(tells && told.r#type == list::TELLS_OF_ERASURE) {
            changed |= event(person, told)?;
        }
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
    let mut changed = renamed(person, &mut told.aggregate);
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
    let mut changed = sources(person, of);
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
    if changed && names.is_some_and(|name| name.as_str() == Some(person.hidden.as_str())) {
        let kept = |name: &str| name == personal.names || personal.keeps.contains(&name);
        descriptor.fields().filter(|field| !kept(field.name())).for_each(|field| of.clear_field(&field));
    }
    changed
}

/// What a code was given for may be said by the bare id.
fn sources(person: &Person, of: &mut DynamicMessage) -> bool {
    let text = |of: &DynamicMessage, name: &str| {
        of.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let of_source = text(of, "field") == list::SOURCE;
    let names = if of_source { &["before", "after"][..] } else { &[list::SOURCE][..] };
    let mut changed = false;
    for name in names {
        if text(of, name) == person.id {
            of.clear_field_by_name(name);
            changed = true;
        }
    }
    changed
}

fn value(person: &Person, value: &mut Value) -> bool {
    match value {
        Value::String(text) => renamed(person, text),
        Value::Message(inner) => message(person, inner),
        Value::List(items) => {
            items.iter_mut().fold(false, |changed, item| self::value(person, item) | changed)
        }
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
