//! Why a call failed: one type from the statement that failed to the answer on the wire.
//!
//! A [`Fault`] says what kind of failure it is, gives the contract's reason for it, and carries what the caller may
//! know: violations, preconditions, metadata, when to try again. What the caller may not know, the cause, is logged at
//! the edge and never sent.

mod database;
mod status;
mod violations;

use std::error::Error;
use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use tandem_proto::Reason;
use tandem_proto::common::v1::ErrorReason;

pub(crate) use database::is_storage_full;
pub(crate) use status::{refusal, relabel};
pub use violations::{FieldViolation, Nested, Violations};

/// The result of everything that can fail for a caller.
pub type Outcome<T> = Result<T, Fault>;

/// What kind of failure it is: decides the gRPC code and whether a retry makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong whatever the state: INVALID_ARGUMENT.
    Invalid,
    /// NOT_FOUND.
    NotFound,
    /// ALREADY_EXISTS.
    AlreadyExists,
    /// The state forbids it; the same call fails again: FAILED_PRECONDITION.
    Precondition,
    /// Lost against another writer; read, decide and try again: ABORTED.
    Aborted,
    /// Past what is kept: OUT_OF_RANGE.
    OutOfRange,
    /// Too much load or too fast, never a spent limit of the business: RESOURCE_EXHAUSTED.
    Exhausted,
    /// Nothing was done and a later try may succeed: UNAVAILABLE.
    Unavailable,
    /// The answer to a commit was lost: UNAVAILABLE, and only a retry with the same request_id is safe.
    UnknownOutcome,
    /// DEADLINE_EXCEEDED.
    DeadlineExceeded,
    /// PERMISSION_DENIED.
    PermissionDenied,
    /// UNAUTHENTICATED.
    Unauthenticated,
    /// Ours to mend: INTERNAL.
    Internal,
}

/// What a failed statement means for whoever holds its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replay {
    /// Rolled back for a reason that has nothing to do with the request; the same transaction may succeed now.
    Retryable,
    /// One statement was refused for its own values: in a batch, one of the items is to blame.
    Statement,
    /// Neither.
    None,
}

/// A failed call.
#[derive(Clone)]
pub struct Fault(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    reason: &'static str,
    domain: &'static str,
    message: String,
    violations: Vec<FieldViolation>,
    omitted: usize,
    preconditions: Vec<Precondition>,
    metadata: Vec<(String, String)>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    replay: Replay,
    relayed: Option<tonic::Status>,
}

#[derive(Clone)]
struct Precondition {
    subject: String,
    type_: String,
    description: String,
}

impl Fault {
    /// A fault of `kind` for `reason`. `message` is for a developer, in English, without personal data.
    pub fn new(kind: Kind, reason: impl Reason, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            reason: reason.reason(),
            domain: reason.domain(),
            message: message.into(),
            violations: Vec::new(),
            omitted: 0,
            preconditions: Vec::new(),
            metadata: Vec::new(),
            retry_after: default_retry(kind),
            source: None,
            replay: Replay::None,
            relayed: None,
        }))
    }

    /// INVALID_ARGUMENT with every field that is wrong.
    pub fn invalid(violations: Vec<FieldViolation>) -> Self {
        let message = match violations.as_slice() {
            [one] => format!("{}: {}", one.field, one.description),
            [first, ..] => {
                format!("{} fields are wrong, first {}: {}", violations.len(), first.field, first.description)
            }
            [] => "the request is not valid".to_owned(),
        };
        let mut fault = Self::new(Kind::Invalid, ErrorReason::InvalidArgument, message);
        fault.0.violations = violations;
        fault
    }

    /// INVALID_ARGUMENT for one field.
    pub fn invalid_field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::invalid(vec![FieldViolation::new(field, description)])
    }

    /// NOT_FOUND of a resource name: `customers/42`.
    pub fn not_found(resource: impl Display) -> Self {
        Self::new(Kind::NotFound, ErrorReason::NotFound, format!("{resource} does not exist"))
            .with("resource", resource)
    }

    /// ALREADY_EXISTS of a resource name.
    pub fn already_exists(resource: impl Display) -> Self {
        Self::new(Kind::AlreadyExists, ErrorReason::AlreadyExists, format!("{resource} exists already"))
            .with("resource", resource)
    }

    /// FAILED_PRECONDITION: a rule of a service refuses, and refuses again until the state changes.
    pub fn precondition(reason: impl Reason, message: impl Into<String>) -> Self {
        Self::new(Kind::Precondition, reason, message)
    }

    /// ABORTED: somebody else has written since the caller read.
    pub fn etag_mismatch(resource: impl Display) -> Self {
        Self::new(
            Kind::Aborted,
            ErrorReason::EtagMismatch,
            format!("{resource} has changed since it was read: read it again and decide anew"),
        )
        .with("resource", resource)
    }

    /// INVALID_ARGUMENT: the request_id stands for another request.
    pub fn request_id_reused() -> Self {
        let message = "request_id was used for another request within the last 7 days";
        let mut fault = Self::new(Kind::Invalid, ErrorReason::RequestIdReused, message);
        fault.0.violations.push(FieldViolation::new("request_id", message));
        fault
    }

    /// INVALID_ARGUMENT: the page token belongs to another list, filter or order.
    pub fn invalid_page_token() -> Self {
        let message = "not a token of this list with this filter and order";
        let mut fault =
            Self::new(Kind::Invalid, ErrorReason::InvalidPageToken, format!("page_token: {message}"));
        fault.0.violations.push(FieldViolation::new("page_token", message));
        fault
    }

    /// RESOURCE_EXHAUSTED: `what` is full.
    pub fn overloaded(what: impl Display) -> Self {
        Self::new(Kind::Exhausted, ErrorReason::Overloaded, format!("overloaded: {what}"))
    }

    /// UNAVAILABLE: the process is stopping.
    pub fn shutting_down() -> Self {
        Self::new(Kind::Unavailable, ErrorReason::ShuttingDown, "the service is stopping: try again")
    }

    /// UNAVAILABLE: the database cannot be reached or cannot take the work; nothing was done.
    pub fn database_unavailable() -> Self {
        Self::new(
            Kind::Unavailable,
            ErrorReason::DatabaseUnavailable,
            "the database is not available: try again",
        )
    }

    /// UNAVAILABLE: there is no room on the disk under the database; nothing was done.
    pub fn storage_full() -> Self {
        Self::new(
            Kind::Unavailable,
            ErrorReason::StorageFull,
            "the disk under the database is full, nothing was written: try again once there is room",
        )
    }

    /// UNAVAILABLE: a commit was sent and its answer lost.
    pub fn outcome_unknown() -> Self {
        Self::new(
            Kind::UnknownOutcome,
            ErrorReason::OutcomeUnknown,
            "outcome unknown, retry with the same request_id",
        )
    }

    /// ABORTED: replayed too often against concurrent writers; nothing was done.
    pub fn contention() -> Self {
        Self::new(
            Kind::Aborted,
            ErrorReason::Contention,
            "lost against concurrent writers, retry with the same request_id",
        )
    }

    /// OUT_OF_RANGE: events from this cursor on are no longer kept.
    pub fn cursor_expired() -> Self {
        Self::new(
            Kind::OutOfRange,
            ErrorReason::CursorExpired,
            "the cursor is older than the retention of events: start from a fresh read",
        )
    }

    /// DEADLINE_EXCEEDED.
    pub fn deadline_exceeded() -> Self {
        Self::new(Kind::DeadlineExceeded, ErrorReason::DeadlineExceeded, "not answered in time")
    }

    /// INTERNAL. `message` is constant, so that nothing of the cause leaks through it.
    pub fn internal(message: &'static str) -> Self {
        Self::new(Kind::Internal, ErrorReason::Internal, message)
    }

    /// What the other service answered. Its refusals pass on unchanged, reason and details included; where it could
    /// not be reached the caller learns PEER_UNAVAILABLE, and where it failed INTERNAL.
    pub fn from_peer(status: tonic::Status) -> Self {
        status::from_peer(status)
    }

    /// Adds one violation to a google.rpc.PreconditionFailure: `subject` is what is refused (`vouchers/SPRING`),
    /// `type_` the rule (`MAX_USES`).
    #[must_use]
    pub fn violating(
        mut self,
        subject: impl Into<String>,
        type_: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        let one =
            Precondition { subject: subject.into(), type_: type_.into(), description: description.into() };
        self.0.preconditions.push(one);
        self
    }

    /// Adds to the metadata of the google.rpc.ErrorInfo.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Display) -> Self {
        self.0.metadata.push((key.to_owned(), value.to_string()));
        self
    }

    /// When a retry makes sense, in place of the kind's default.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Marks the fault as one after which the whole transaction may be replayed.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.replay = Replay::Retryable;
        self
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The reason without its enum's prefix: `NOT_FOUND`. `RELAYED` for a refusal of the other service.
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The fields that are wrong.
    pub fn violations(&self) -> &[FieldViolation] {
        &self.0.violations
    }

    /// The metadata value under `key`, as it will be sent.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.0.metadata.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Whether the transaction was rolled back for want of luck (serialisation failure, deadlock, lock time-out,
    /// SQLite's BUSY) and may be replayed as a whole.
    pub fn is_retryable(&self) -> bool {
        self.0.replay == Replay::Retryable
    }

    /// Whether a write was refused for want of room on the disk.
    pub(crate) fn is_storage_full(&self) -> bool {
        self.0.reason == ErrorReason::StorageFull.reason()
    }

    /// Whether the database refused one statement for its values: in a batch, one item is to blame.
    pub fn is_statement_error(&self) -> bool {
        self.0.replay == Replay::Statement
    }

    /// With so many of its violations at most; the others are counted.
    pub(crate) fn brief(mut self, most: usize) -> Self {
        let more = self.0.violations.len().saturating_sub(most);
        self.0.violations.truncate(most);
        self.omitting(more)
    }

    pub(crate) fn omitting(mut self, violations: usize) -> Self {
        self.0.omitted += violations;
        self
    }
}

/// When a retry makes sense; `None` where it does not, or not without another decision.
fn default_retry(kind: Kind) -> Option<Duration> {
    match kind {
        Kind::Aborted => Some(Duration::from_millis(20)),
        Kind::Exhausted => Some(Duration::from_millis(100)),
        Kind::Unavailable | Kind::UnknownOutcome => Some(Duration::from_millis(500)),
        _ => None,
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.reason, self.0.message)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.0.kind, self)?;
        for (key, value) in &self.0.metadata {
            write!(f, " {key}={value}")?;
        }
        for one in &self.0.preconditions {
            write!(f, " [{} {}]", one.type_, one.subject)?;
        }
        match &self.0.source {
            Some(source) => write!(f, " caused by {}", chain(source.as_ref())),
            None => Ok(()),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn Error + 'static))
    }
}

/// An error and its causes in one line, for the log only.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // Many errors repeat their cause in their own text.
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = cause.source();
    }
    line
}
