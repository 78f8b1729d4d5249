//! The contracts of Tandem as Rust types: `common`, `campaign` and `relationship`, the descriptor set that
//! reflection serves, and the reasons of errors. Conversions between `common.v1` and the kernel's values stand in
//! [`convert`]; those of a service's own messages stand in that service's `rpc.rs`.

pub mod convert;
pub mod reason;
pub mod requests;

pub use reason::Reason;

/// Messages that both services share.
#[expect(
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contracts"
)]
pub mod common {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tandem.common.v1");
    }
}

/// Operational marketing.
#[expect(
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contracts"
)]
pub mod campaign {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tandem.campaign.v1");
    }
}

/// Relationship marketing.
#[expect(
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contracts"
)]
pub mod relationship {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("tandem.relationship.v1");
    }
}

/// The encoded FileDescriptorSet of every contract, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
