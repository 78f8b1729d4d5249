//! Segments as the contract shows them, in answers and in events.

use jiff::Timestamp;
use tandem_platform::grpc;
use tandem_platform::outbox::Recorded;
use tandem_platform::resource::{Resource, told};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1;

use super::{Kind, Segment, name};
use crate::customer;

/// The segment was created.
pub fn created(segment: &Segment) -> Recorded {
    let payload = v1::SegmentCreated { segment: Some(message(segment)) };
    told("tandem.relationship.v1.SegmentCreated", segment, &payload)
}

/// The segment was changed.
pub fn updated(segment: &Segment) -> Recorded {
    let payload = v1::SegmentUpdated { segment: Some(message(segment)) };
    told("tandem.relationship.v1.SegmentUpdated", segment, &payload)
}

/// The segment was deleted: one version past its last.
pub fn deleted(segment: &Segment) -> Recorded {
    let payload = v1::SegmentDeleted { name: segment.name() };
    Recorded::new("tandem.relationship.v1.SegmentDeleted", segment.name(), segment.version + 1, &payload)
}

/// A customer is in a watched segment of this version who was not before.
pub fn entered(segment: &str, version: i64, customer: &str, at: Timestamp) -> Recorded {
    let payload = v1::SegmentEntered {
        segment: name(segment),
        customer: customer::name(customer),
        enter_time: Some(to_timestamp(at)),
    };
    Recorded::new("tandem.relationship.v1.SegmentEntered", name(segment), version, &payload)
}

/// A customer is no more in it.
pub fn left(segment: &str, version: i64, customer: &str, at: Timestamp) -> Recorded {
    let payload = v1::SegmentLeft {
        segment: name(segment),
        customer: customer::name(customer),
        leave_time: Some(to_timestamp(at)),
    };
    Recorded::new("tandem.relationship.v1.SegmentLeft", name(segment), version, &payload)
}

/// As the contract has it.
pub fn message(segment: &Segment) -> v1::Segment {
    v1::Segment {
        name: segment.name(),
        display_name: segment.definition.display_name.clone(),
        rule: segment.definition.rule.clone(),
        kind: match segment.definition.kind {
            Kind::Rule => v1::SegmentKind::Rule,
            Kind::List => v1::SegmentKind::List,
        }
        .into(),
        watched: segment.definition.watched,
        create_time: Some(to_timestamp(segment.created)),
        update_time: Some(to_timestamp(segment.updated)),
        etag: grpc::etag(segment.version),
    }
}
