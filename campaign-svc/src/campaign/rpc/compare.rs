//! What differs between two mixes, field by field, in the words of the contract. Read from the descriptors, so that a
//! new field of the mix is compared without a line here.
//!
//! Items of a list are told apart by their `id`, amounts by their currency, plain values by themselves, and whatever has
//! none of these by its place. An item that came or went is one difference.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};
use tandem_platform::{Fault, Outcome};
use tandem_proto::campaign::v1::{MarketingMix, MixDifference};

static MIX: LazyLock<Option<MessageDescriptor>> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(tandem_proto::DESCRIPTORS).ok()?;
    pool.get_message_by_name("tandem.campaign.v1.MarketingMix")
});

/// The differences, in the order of the fields.
pub fn differences(from: &MarketingMix, to: &MarketingMix) -> Outcome<Vec<MixDifference>> {
    let mut found = Vec::new();
    fields("", &reflected(from)?, &reflected(to)?, &mut found);
    Ok(found)
}

fn reflected(mix: &MarketingMix) -> Outcome<DynamicMessage> {
    let descriptor = MIX.clone().ok_or_else(|| Fault::internal("the contracts do not describe the mix"))?;
    let mut reflected = DynamicMessage::new(descriptor);
    reflected
        .transcode_from(mix)
        .map_err(|error| Fault::internal("a mix cannot be reflected").caused_by(error))?;
    Ok(reflected)
}

fn fields(at: &str, from: &DynamicMessage, to: &DynamicMessage, found: &mut Vec<MixDifference>) {
    for field in from.descriptor().fields() {
        let path = if at.is_empty() { field.name().to_owned() } else { format!("{at}.{}", field.name()) };
        match (given(from, &field), given(to, &field)) {
            (None, None) => {}
            (Some(Value::List(from)), to) => {
                let to = to.and_then(|to| to.as_list().map(<[_]>::to_vec)).unwrap_or_default();
                items(&path, &from, &to, found);
            }
            (None, Some(Value::List(to))) => items(&path, &[], &to, found),
            (from, to) => values(&path, from.as_ref(), to.as_ref(), found),
        }
    }
}

/// The value of a field, none where it is not set; enums by the names of their values, as proto JSON has them.
fn given(message: &DynamicMessage, field: &FieldDescriptor) -> Option<Value> {
    let value = message.has_field(field).then(|| message.get_field(field).into_owned())?;
    match (&value, field.kind()) {
        (Value::EnumNumber(number), Kind::Enum(of)) => {
            let name =
                of.get_value(*number).map_or_else(|| number.to_string(), |value| value.name().to_owned());
            Some(Value::String(name))
        }
        _ => Some(value),
    }
}

fn values(path: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<MixDifference>) {
    match (from, to) {
        (from, to) if from == to => {}
        (Some(Value::Message(from)), Some(Value::Message(to))) if has_parts(from) => {
            fields(path, from, to, found)
        }
        (Some(Value::Map(from)), Some(Value::Map(to))) => {
            let keys: BTreeSet<String> = from.keys().chain(to.keys()).filter_map(text_key).collect();
            for key in keys {
                let entry = MapKey::String(key.clone());
                values(&format!("{path}[{key}]"), from.get(&entry), to.get(&entry), found);
            }
        }
        (from, to) => {
            let shown =
                |value: Option<&Value>| value.map(|value| json(value).to_string()).unwrap_or_default();
            found.push(MixDifference { path: path.to_owned(), from_value: shown(from), to_value: shown(to) });
        }
    }
}

fn items(path: &str, from: &[Value], to: &[Value], found: &mut Vec<MixDifference>) {
    let keyed = |items: &[Value]| -> Vec<(String, Value)> {
        items.iter().enumerate().map(|(index, item)| (key(index, item), item.clone())).collect()
    };
    let (before, after) = (keyed(from), keyed(to));
    let count = found.len();
    let of = |items: &[(String, Value)], key: &str| {
        items.iter().find(|(k, _)| k == key).map(|(_, item)| item.clone())
    };
    for (key, item) in &before {
        values(&format!("{path}[{key}]"), Some(item), of(&after, key).as_ref(), found);
    }
    for (key, item) in after.iter().filter(|(key, _)| of(&before, key).is_none()) {
        values(&format!("{path}[{key}]"), None, Some(item), found);
    }
    if found.len() == count && from != to {
        // The same items in another order.
        values(path, Some(&Value::List(from.to_vec())), Some(&Value::List(to.to_vec())), found);
    }
}

/// What tells an item from the others of its list.
fn key(index: usize, item: &Value) -> String {
    match item {
        Value::Message(message) => {
            let named = ["id", "currency_code"].iter().find_map(|name| message.get_field_by_name(name));
            let named = named.as_deref().and_then(Value::as_str).filter(|name| !name.is_empty());
            named.map_or_else(|| index.to_string(), str::to_owned)
        }
        Value::String(text) => text.clone(),
        other => json(other).to_string(),
    }
}

fn text_key(key: &MapKey) -> Option<String> {
    key.as_str().map(str::to_owned)
}

/// Whether a message is compared part by part: money and instants are one value.
fn has_parts(message: &DynamicMessage) -> bool {
    let descriptor = message.descriptor();
    let name = descriptor.full_name();
    name != "tandem.common.v1.Money" && !name.starts_with("google.protobuf.")
}

/// A value as proto JSON writes it.
fn json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Bool(truth) => Json::Bool(*truth),
        Value::I32(number) => (*number).into(),
        Value::U32(number) => (*number).into(),
        Value::I64(number) => Json::String(number.to_string()),
        Value::U64(number) => Json::String(number.to_string()),
        Value::String(text) => Json::String(text.clone()),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Message(message) => serde_json::to_value(message).unwrap_or_default(),
        Value::Map(entries) => {
            let entry = |(key, value): (&MapKey, &Value)| Some((text_key(key)?, json(value)));
            Json::Object(entries.iter().filter_map(entry).collect())
        }
        // The mix has no fields of other kinds.
        other => Json::String(format!("{other:?}")),
    }
}
