//! Segments as the contract shows them, in answers and in events.

use tandem_platform::grpc;
use tandem_platform::outbox::Recorded;
use tandem_platform::resource::{Resource, told};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1;

use super::Segment;

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

/// As the contract has it.
pub fn message(segment: &Segment) -> v1::Segment {
    v1::Segment {
        name: segment.name(),
        display_name: segment.definition.display_name.clone(),
        rule: segment.definition.rule.clone(),
        create_time: Some(to_timestamp(segment.created)),
        update_time: Some(to_timestamp(segment.updated)),
        etag: grpc::etag(segment.version),
    }
}
