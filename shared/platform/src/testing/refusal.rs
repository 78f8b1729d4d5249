//! What a refusal says.

use tonic::Status;
use tonic_types::StatusExt;

/// The reason of a refusal: `NOT_FOUND`.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// The fields that a refusal names, in order.
pub fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

/// What a refusal says is in the way, as (subject, type), in order.
pub fn preconditions(status: &Status) -> Vec<(String, String)> {
    let violations =
        status.get_details_precondition_failure().map(|failure| failure.violations).unwrap_or_default();
    violations.into_iter().map(|violation| (violation.subject, violation.r#type)).collect()
}
