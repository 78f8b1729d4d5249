//! Declarations as the contract shows them, in answers and in events.

use tandem_kernel::rule::Reading;
use tandem_platform::grpc;
use tandem_platform::outbox::Recorded;
use tandem_platform::resource::{Resource, told};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::{self, AttributeType};

use super::Attribute;

/// An attribute was declared.
pub fn created(attribute: &Attribute) -> Recorded {
    let payload = v1::AttributeCreated { attribute: Some(message(attribute)) };
    told("tandem.relationship.v1.AttributeCreated", attribute, &payload)
}

/// A declaration was changed.
pub fn updated(attribute: &Attribute) -> Recorded {
    let payload = v1::AttributeUpdated { attribute: Some(message(attribute)) };
    told("tandem.relationship.v1.AttributeUpdated", attribute, &payload)
}

/// A declaration was taken back: one version past its last.
pub fn deleted(attribute: &Attribute) -> Recorded {
    let payload = v1::AttributeDeleted { name: attribute.name() };
    let version = attribute.version + 1;
    Recorded::new("tandem.relationship.v1.AttributeDeleted", attribute.name(), version, &payload)
}

/// The type in the contract's words.
pub fn value_type(reading: Reading) -> AttributeType {
    match reading {
        Reading::Text => AttributeType::Text,
        Reading::Number => AttributeType::Number,
        Reading::Truth => AttributeType::Boolean,
        Reading::Date => AttributeType::Date,
        Reading::Texts => AttributeType::Texts,
    }
}

/// As the contract has it.
pub fn message(attribute: &Attribute) -> v1::Attribute {
    let definition = &attribute.definition;
    v1::Attribute {
        name: attribute.name(),
        display_name: definition.display_name.clone(),
        description: definition.description.clone(),
        value_type: value_type(definition.reading).into(),
        personal: definition.personal,
        create_time: Some(to_timestamp(attribute.created)),
        update_time: Some(to_timestamp(attribute.updated)),
        etag: grpc::etag(attribute.version),
    }
}
