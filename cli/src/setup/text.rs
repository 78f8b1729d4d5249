//! Resources as the text of a file, and what makes two of them the same.

use prost::Message;
use prost_reflect::{
    DynamicMessage, Kind as Type, MessageDescriptor, ReflectMessage, SerializeOptions, Value,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;
use tandem_proto::common::v1;
use tandem_proto::convert;

use crate::failure::Failure;

/// What services write out where a file leaves a field out; of discounts and limits the conversions know it.
const WRITTEN_OUT: [(&str, &str, &str); 4] = [
    ("tandem.campaign.v1.Campaign", "time_zone", "UTC"),
    ("tandem.relationship.v1.Incentive", "return_policy", "RETURN_POLICY_ON_FULL_RETURN"),
    ("tandem.relationship.v1.Incentive", "max_uses_per_code", "1"),
    ("tandem.relationship.v1.QuietHours", "action", "QUIET_HOURS_ACTION_HOLD"),
];

/// A message as YAML: the contract's JSON with its fields in the contract's order.
pub fn yaml(message: &DynamicMessage) -> Result<String, Failure> {
    let ordered = json(message)?;
    let ordered = Ordered { value: &ordered, of: Some(message.descriptor()) };
    serde_saphyr::to_string(&ordered).map_err(|error| Failure::at(message.descriptor().name(), error))
}

/// One field of a message as people read it: a plain value as it is, anything else as YAML; nothing where nothing is said.
pub fn shown(message: &DynamicMessage, field: &str) -> Result<String, Failure> {
    let Some(field) = message.descriptor().get_field_by_name(field).filter(|field| message.has_field(field))
    else {
        return Ok(String::new());
    };
    let json = json(message)?;
    let value = &json[field.json_name()];
    let yaml = match value {
        Json::String(text) => return Ok(text.clone()),
        Json::Number(number) => return Ok(number.to_string()),
        value => serde_saphyr::to_string(&Ordered { value, of: message_of(&field.kind()) }),
    };
    yaml.map(|text| text.trim_end().to_owned()).map_err(|error| Failure::at(field.name(), error))
}

/// Whole numbers are numbers: a file is read by people.
fn json(message: &DynamicMessage) -> Result<Json, Failure> {
    let options = SerializeOptions::new().stringify_64_bit_integers(false);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| Failure::at(message.descriptor().name(), error))
}

/// A JSON value whose objects have the order of their contract; maps that of their keys.
struct Ordered<'v> {
    value: &'v Json,
    of: Option<MessageDescriptor>,
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Json::Object(object) => {
                let mut map = serializer.serialize_map(Some(object.len()))?;
                match &self.of {
                    Some(of) => {
                        for field in of.fields() {
                            if let Some(value) = object.get(field.json_name()) {
                                let of = message_of(&field.kind());
                                map.serialize_entry(field.json_name(), &Ordered { value, of })?;
                            }
                        }
                    }
                    None => {
                        for (key, value) in object {
                            map.serialize_entry(key, &Ordered { value, of: None })?;
                        }
                    }
                }
                map.end()
            }
            Json::Array(items) => {
                serializer.collect_seq(items.iter().map(|value| Ordered { value, of: self.of.clone() }))
            }
            plain => plain.serialize(serializer),
        }
    }
}

/// The message of a field, unless it is written as something else than its fields.
fn message_of(kind: &Type) -> Option<MessageDescriptor> {
    let message = kind.as_message()?;
    let is_plain = !message.is_map_entry() && !message.full_name().starts_with("google.protobuf.");
    is_plain.then(|| message.clone())
}

/// The same message as a service would store it: what is left out is written out or gone, so that what means the same is
/// equal.
pub fn normal(message: &DynamicMessage) -> DynamicMessage {
    let mut normal = known(message).unwrap_or_else(|| message.clone());
    let fields: Vec<_> = normal.fields().map(|(field, value)| (field, value.clone())).collect();
    for (field, value) in fields {
        match value {
            Value::Message(inner) if message_of(&field.kind()).is_some() => {
                let inner = self::normal(&inner);
                let says_nothing = inner.fields().next().is_none() && field.containing_oneof().is_none();
                match says_nothing {
                    true => normal.clear_field(&field),
                    false => normal.set_field(&field, Value::Message(inner)),
                }
            }
            Value::List(items) if field.kind().as_message().is_some() => {
                let inner = items.iter().map(|item| match item {
                    Value::Message(inner) => Value::Message(self::normal(inner)),
                    plain => plain.clone(),
                });
                let inner = inner.collect();
                normal.set_field(&field, Value::List(inner));
            }
            _ => {}
        }
    }
    written_out(&mut normal);
    normal
}

/// A discount or limits with the defaults that the contract states. What is not right stays as it is, for the service to
/// refuse.
fn known(message: &DynamicMessage) -> Option<DynamicMessage> {
    let mut problems = Vec::new();
    match message.descriptor().full_name() {
        "tandem.common.v1.Discount" => {
            let given: v1::Discount = message.transcode_to().ok()?;
            let read = convert::discount("", &given, &mut problems)?;
            again(message, &v1::Discount::from(&read))
        }
        "tandem.common.v1.Limits" => {
            let given: v1::Limits = message.transcode_to().ok()?;
            let read = convert::limits("", &given, &mut problems)?;
            let says_nothing = read == tandem_kernel::limits::Limits::default();
            if says_nothing {
                Some(DynamicMessage::new(message.descriptor()))
            } else {
                again(message, &v1::Limits::from(&read))
            }
        }
        _ => None,
    }
}

fn again(message: &DynamicMessage, plain: &impl Message) -> Option<DynamicMessage> {
    DynamicMessage::decode(message.descriptor(), plain.encode_to_vec().as_slice()).ok()
}

fn written_out(message: &mut DynamicMessage) {
    let descriptor = message.descriptor();
    for (_, name, default) in WRITTEN_OUT.iter().filter(|(of, ..)| *of == descriptor.full_name()) {
        let Some(field) = descriptor.get_field_by_name(name) else { continue };
        let value = message.get_field(&field);
        let is_default = match (&field.kind(), value.as_ref()) {
            (Type::Enum(words), Value::EnumNumber(number)) => {
                words.get_value(*number).is_some_and(|word| word.name() == *default)
            }
            (_, Value::String(text)) => text == default,
            (_, Value::I64(number)) => message.has_field(&field) && number.to_string() == *default,
            _ => false,
        };
        if is_default {
            message.clear_field(&field);
        }
    }
}
