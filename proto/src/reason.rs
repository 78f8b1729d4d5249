//! The reason of a `google.rpc.ErrorInfo`: a value of one of the contracts' `ErrorReason` enums, with its domain.

use crate::{campaign, common, relationship};

/// A machine-readable reason from a contract.
pub trait Reason: Copy {
    /// The value's name without the enum's prefix: `NOT_FOUND`.
    fn reason(self) -> &'static str;
    /// The package of the enum: `tandem.common.v1`.
    fn domain(self) -> &'static str;
}

fn short(name: &'static str) -> &'static str {
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

impl Reason for common::v1::ErrorReason {
    fn reason(self) -> &'static str {
        short(self.as_str_name())
    }

    fn domain(self) -> &'static str {
        "tandem.common.v1"
    }
}

impl Reason for campaign::v1::ErrorReason {
    fn reason(self) -> &'static str {
        short(self.as_str_name())
    }

    fn domain(self) -> &'static str {
        "tandem.campaign.v1"
    }
}

impl Reason for relationship::v1::ErrorReason {
    fn reason(self) -> &'static str {
        short(self.as_str_name())
    }

    fn domain(self) -> &'static str {
        "tandem.relationship.v1"
    }
}
