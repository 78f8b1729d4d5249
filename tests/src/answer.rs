//! What a refusal says: the google.rpc details of a status, in a form that can be compared.

use std::collections::{BTreeMap, HashMap};

use tonic::{Code, Status};
use tonic_types::{FieldViolation, StatusExt};

/// A refusal, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The gRPC code.
    pub code: Code,
    /// Of ErrorInfo; empty where it was the transport that failed.
    pub reason: String,
    /// Of ErrorInfo.
    pub domain: String,
    /// Of ErrorInfo.
    pub metadata: HashMap<String, String>,
    /// The fields of BadRequest, sorted; where the violation has a reason of its own, with it: `segment.rule RULE_INVALID`.
    pub fields: Vec<String>,
    /// (subject, type) of PreconditionFailure, in order.
    pub preconditions: Vec<(String, String)>,
    /// Whether RetryInfo says when to try again.
    pub retry: bool,
    /// For people.
    pub message: String,
}

impl Refusal {
    /// Reads a status.
    pub fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().cloned();
        let (reason, domain, metadata) =
            info.map(|info| (info.reason, info.domain, info.metadata)).unwrap_or_default();
        let mut fields: Vec<String> = details
            .bad_request()
            .map(|bad| bad.field_violations.iter().map(field).collect())
            .unwrap_or_default();
        fields.sort_unstable();
        let preconditions = details
            .precondition_failure()
            .map(|all| all.violations.iter().map(|one| (one.subject.clone(), one.r#type.clone())).collect())
            .unwrap_or_default();
        Self {
            code: status.code(),
            reason,
            domain,
            metadata,
            fields,
            preconditions,
            retry: details.retry_info().is_some(),
            message: status.message().to_owned(),
        }
    }

    /// Whether the call never reached a handler, as far as its caller can tell: no word of the service.
    pub fn is_transport(&self) -> bool {
        self.reason.is_empty()
    }
}

/// Of no special reason.
const PLAIN: &str = "INVALID";

fn field(violation: &FieldViolation) -> String {
    match violation.reason.as_str() {
        "" | PLAIN => violation.field.clone(),
        reason => format!("{} {reason}", violation.field),
    }
}

/// How many calls came to what: "OK", or the gRPC code and the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(pub BTreeMap<String, usize>);

impl Tally {
    /// Counts `answers`.
    pub fn of<'a, T: 'a>(answers: impl IntoIterator<Item = &'a Result<T, Status>>) -> Self {
        let mut tally = Self::default();
        for answer in answers {
            let name = match answer {
                Ok(_) => "OK".to_owned(),
                Err(status) => named(status),
            };
            *tally.0.entry(name).or_default() += 1;
        }
        tally
    }

    /// What is expected, as `[("OK", 100), ("FailedPrecondition CODE_EXHAUSTED", 900)]`.
    pub fn expected<const N: usize>(counts: [(&str, usize); N]) -> Self {
        Self(counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect())
    }

    /// The calls that came to `name`.
    pub fn count(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or_default()
    }
}

/// `FailedPrecondition CODE_EXHAUSTED`.
pub fn named(status: &Status) -> String {
    let refusal = Refusal::of(status);
    if refusal.is_transport() {
        format!("{:?}", refusal.code)
    } else {
        format!("{:?} {}", refusal.code, refusal.reason)
    }
}
