//! The contracts as Rust types, with clients of their services.

/// Messages that both services share.
#[expect(clippy::all, reason = "generated from the contracts")]
pub mod common {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tandem.common.v1");
    }
}

/// Operational marketing.
#[expect(clippy::all, clippy::allow_attributes_without_reason, reason = "generated from the contracts")]
pub mod campaign {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tandem.campaign.v1");
    }
}

/// Relationship marketing.
#[expect(clippy::all, clippy::allow_attributes_without_reason, reason = "generated from the contracts")]
pub mod relationship {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tandem.relationship.v1");
    }
}
