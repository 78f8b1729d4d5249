//! What a person reads when a command fails: the service's reason and every field that is wrong.

use std::collections::BTreeMap;
use std::fmt;

use tonic_types::StatusExt;

/// Why a command ended badly.
#[derive(Debug)]
pub enum Failure {
    /// A service refused, or could not be reached.
    Refused(Box<tonic::Status>),
    /// The command's own word.
    Said(String),
}

impl Failure {
    /// A failure in the command's own words.
    pub fn said(words: impl Into<String>) -> Self {
        Self::Said(words.into())
    }

    /// Where a file or a value was wrong.
    pub fn at(place: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::Said(format!("{place}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(words) => f.write_str(words),
            Self::Refused(status) => {
                write!(f, "{:?}: {}", status.code(), status.message())?;
                let details = status.get_error_details();
                if let Some(info) = details.error_info() {
                    write!(f, " ({} of {})", info.reason, info.domain)?;
                    for (key, value) in BTreeMap::from_iter(&info.metadata) {
                        // Most messages name it already.
                        if status.message().contains(value.as_str()) {
                            continue;
                        }
                        write!(f, "\n  {key}: {value}")?;
                    }
                }
                for violation in details.bad_request().iter().flat_map(|bad| &bad.field_violations) {
                    let said = format!("{}: {}", violation.field, violation.description);
                    // Where it is the only one, the message is it.
                    if said != status.message() {
                        write!(f, "\n  {said}")?;
                    }
                }
                for violation in details.precondition_failure().iter().flat_map(|failed| &failed.violations) {
                    write!(f, "\n  {}: {} ({})", violation.subject, violation.description, violation.r#type)?;
                }
                Ok(())
            }
        }
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Said(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    fn told(message: &str, fields: &[&str]) -> String {
        let wrong = fields.iter().map(|field| FieldViolation::new(*field, "is required")).collect::<Vec<_>>();
        let details = ErrorDetails::with_bad_request(wrong);
        let status = Status::with_error_details(Code::InvalidArgument, message, details);
        Failure::from(status).to_string()
    }

    #[test]
    fn each_field_that_is_wrong_is_told_once() {
        assert_eq!(told("name: is required", &["name"]), "InvalidArgument: name: is required");
        let both = told("2 fields are wrong", &["name", "lines"]);
        assert_eq!(both, "InvalidArgument: 2 fields are wrong\n  name: is required\n  lines: is required");
    }
}
