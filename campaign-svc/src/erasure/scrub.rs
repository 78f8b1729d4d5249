//! What of stored answers and events is a person's beside their name.

use jiff::Timestamp;
use prost_reflect::DynamicMessage;
use serde_json::{Map, Value as Json};
use tandem_platform::erasing::{Person, Rules};

use crate::erased::Known;

/// Orders name their customer by the bare id in answers, and have a guest's key beside it. Orders of who comes back stay.
#[derive(Debug, Clone, Copy)]
pub struct Ours<'k> {
    /// Who was erased.
    pub known: &'k Known,
}

impl Rules for Ours<'_> {
    fn object(&self, person: &Person, fields: &mut Map<String, Json>) -> bool {
        let issued = fields.get("sold").and_then(|sold| sold.get("issued")).and_then(Json::as_str);
        let issued = issued.and_then(|text| text.parse::<Timestamp>().ok());
        let Some(buyer) = fields.get_mut("person").and_then(Json::as_object_mut) else { return false };
        let is_them = buyer.get("c").and_then(Json::as_str) == Some(person.id());
        if !is_them || issued.is_some_and(|issued| !self.known.has(issued)) {
            return false;
        }
        buyer.insert("c".to_owned(), person.pseudonym().into());
        buyer.remove("g");
        true
    }

    fn message(&self, person: &Person, message: &mut DynamicMessage, renamed: bool) -> bool {
        let customer = message.get_field_by_name("customer");
        let is_them = customer.is_some_and(|name| name.as_str() == Some(person.hidden()));
        if !renamed || !is_them || !message.has_field_by_name("guest_key") {
            return false;
        }
        message.clear_field_by_name("guest_key");
        true
    }
}
