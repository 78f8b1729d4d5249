//! What of stored answers (JSON) and events (messages of the contract) is a person's beside their name, and what told of an
//! erasure once it is old.

use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage};
use serde_json::{Map, Value as Json};
use tandem_platform::Outcome;
use tandem_platform::erasing::scrub::unreadable;
use tandem_platform::erasing::{Person, Rules};
use tandem_proto::common::v1::EventBatch;

use super::list;
use crate::customer::{self, Profile};

/// The customer of this id.
pub fn person(id: &str, pseudonym: &str) -> Person {
    Person::new(customer::COLLECTION, id, pseudonym)
}

/// What tells of somebody alone says nothing else afterwards; what a code was given for is not said any more.
#[derive(Debug, Clone, Copy)]
pub struct Ours;

impl Rules for Ours {
    fn object(&self, person: &Person, fields: &mut Map<String, Json>) -> bool {
        object(person, fields)
    }

    fn message(&self, person: &Person, of: &mut DynamicMessage, renamed: bool) -> bool {
        let sourced = sources(person, of);
        let descriptor = of.descriptor();
        let about = list::PERSONAL.iter().find(|personal| personal.message == descriptor.full_name());
        let Some(personal) = about.filter(|_| renamed || sourced) else { return sourced };
        let names = of.get_field_by_name(personal.names);
        if names.is_some_and(|name| name.as_str() == Some(person.hidden())) {
            let kept = |name: &str| name == personal.names || personal.keeps.contains(&name);
            descriptor.fields().filter(|field| !kept(field.name())).for_each(|field| of.clear_field(&field));
        }
        sourced
    }
}

/// The bare id says nothing by itself: what of an object is theirs follows from its place.
fn object(person: &Person, fields: &mut Map<String, Json>) -> bool {
    let is =
        |fields: &Map<String, Json>, key: &str| fields.get(key).and_then(Json::as_str) == Some(person.id());
    let mut changed = false;
    if is(fields, "customer") {
        fields.insert("customer".to_owned(), person.pseudonym().into());
        if let Some(proof) = fields.get_mut("proof") {
            *proof = Json::Object(Map::default());
        }
        changed = true;
    }
    if is(fields, "id") && fields.contains_key("profile") {
        fields.insert("id".to_owned(), person.pseudonym().into());
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

/// What a code was given for may be said by the bare id.
fn sources(person: &Person, of: &mut DynamicMessage) -> bool {
    let text = |of: &DynamicMessage, name: &str| {
        of.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let of_source = text(of, "field") == list::SOURCE;
    let names = if of_source { &["before", "after"][..] } else { &[list::SOURCE][..] };
    let mut changed = false;
    for name in names {
        if text(of, name) == person.id() {
            of.clear_field_by_name(name);
            changed = true;
        }
    }
    changed
}
