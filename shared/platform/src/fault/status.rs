//! The one place where a gRPC status is made: always with google.rpc.ErrorInfo, never larger than headers may be.

use std::collections::HashMap;
use std::fmt::Display;

use prost::Message;
use tandem_proto::Reason;
use tandem_proto::common::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::pb;

use super::{Fault, Inner, Kind};
use crate::trace::Trace;

/// The most bytes of details: with base64 and the message they stay under the 8 KiB of headers that gRPC promises.
pub(crate) const MAX_DETAILS: usize = 4 * 1024;
const MAX_MESSAGE: usize = 512;
const MAX_VALUE: usize = 256;
const MAX_METADATA: usize = 16;
/// Kept free for the count of violations that did not fit and for the trace.
const RESERVE: usize = 128;

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const PRECONDITION_FAILURE: &str = "type.googleapis.com/google.rpc.PreconditionFailure";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let mut inner = *fault.0;
        if let Some(status) = inner.relayed {
            return status;
        }
        let code = code_of(inner.kind);
        let message = cut(std::mem::take(&mut inner.message), MAX_MESSAGE);
        let source = inner.source.take();
        let details = details(code, &message, inner);
        let mut status = Status::with_details(code, message, details.into());
        if let Some(source) = source {
            status.set_source(source);
        }
        status
    }
}

fn code_of(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::Precondition => Code::FailedPrecondition,
        Kind::Aborted => Code::Aborted,
        Kind::OutOfRange => Code::OutOfRange,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::Unavailable | Kind::UnknownOutcome => Code::Unavailable,
        Kind::DeadlineExceeded => Code::DeadlineExceeded,
        Kind::PermissionDenied => Code::PermissionDenied,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Internal => Code::Internal,
    }
}

fn kind_of(code: Code) -> Kind {
    match code {
        Code::InvalidArgument => Kind::Invalid,
        Code::NotFound => Kind::NotFound,
        Code::AlreadyExists => Kind::AlreadyExists,
        Code::FailedPrecondition => Kind::Precondition,
        Code::Aborted => Kind::Aborted,
        Code::OutOfRange => Kind::OutOfRange,
        Code::ResourceExhausted => Kind::Exhausted,
        Code::PermissionDenied => Kind::PermissionDenied,
        Code::Unauthenticated => Kind::Unauthenticated,
        Code::DeadlineExceeded => Kind::DeadlineExceeded,
        Code::Unavailable | Code::Cancelled | Code::Unknown => Kind::Unavailable,
        Code::Ok | Code::Internal | Code::DataLoss | Code::Unimplemented => Kind::Internal,
    }
}

/// See [`Fault::from_peer`].
pub(super) fn from_peer(status: Status) -> Fault {
    let kind = kind_of(status.code());
    match kind {
        // Without details it is the transport that speaks, not the other service.
        Kind::Unavailable if status.details().is_empty() => {
            let message = "the other service did not answer: try again";
            Fault::new(kind, ErrorReason::PeerUnavailable, message).caused_by(status)
        }
        Kind::DeadlineExceeded => Fault::deadline_exceeded().caused_by(status),
        Kind::Internal => Fault::internal("the other service failed").caused_by(status),
        _ => {
            let mut fault = Fault::new(kind, ErrorReason::PeerUnavailable, status.message());
            fault.0.reason = "RELAYED";
            // Only what the caller may know travels on: no headers of the other connection.
            let details = status.details().to_vec().into();
            fault.0.relayed = Some(Status::with_details(status.code(), status.message(), details));
            fault
        }
    }
}

fn details(code: Code, message: &str, inner: Inner) -> Vec<u8> {
    let metadata = inner.metadata.into_iter().take(MAX_METADATA);
    let mut info = pb::ErrorInfo {
        reason: inner.reason.to_owned(),
        domain: inner.domain.to_owned(),
        metadata: metadata.map(|(key, value)| (cut(key, 64), cut(value, MAX_VALUE))).collect(),
    };
    let mut rest = Vec::new();
    if let Some(delay) = inner.retry_after {
        let retry_delay = prost_types::Duration::try_from(delay).ok();
        rest.push(any(RETRY_INFO, &pb::RetryInfo { retry_delay }));
    }
    let envelope = pb::Status { code: code as i32, message: message.to_owned(), details: rest.clone() };
    let used = envelope.encoded_len() + any(ERROR_INFO, &info).encoded_len();
    let mut room = MAX_DETAILS.saturating_sub(used + RESERVE);
    let mut omitted = inner.omitted;

    if !inner.preconditions.is_empty() {
        let all = inner.preconditions.into_iter().map(|one| pb::precondition_failure::Violation {
            r#type: cut(one.type_, MAX_VALUE),
            subject: cut(one.subject, MAX_VALUE),
            description: cut(one.description, MAX_VALUE),
        });
        let violations = fitting(all, &mut room, &mut omitted);
        rest.push(any(PRECONDITION_FAILURE, &pb::PreconditionFailure { violations }));
    }
    if !inner.violations.is_empty() {
        let all = inner.violations.into_iter().map(|one| pb::bad_request::FieldViolation {
            field: cut(one.field, MAX_VALUE),
            description: cut(one.description, MAX_VALUE),
            reason: one.reason.to_owned(),
            localized_message: None,
        });
        let field_violations = fitting(all, &mut room, &mut omitted);
        rest.push(any(BAD_REQUEST, &pb::BadRequest { field_violations }));
    }
    if omitted > 0 {
        info.metadata.insert("violations_omitted".to_owned(), omitted.to_string());
    }
    encode(code, message, &info, rest)
}

/// The items that fit into `room`, in order; the others are counted.
fn fitting<M: Message>(items: impl Iterator<Item = M>, room: &mut usize, omitted: &mut usize) -> Vec<M> {
    const LIST: usize = 64;
    let mut fit = Vec::new();
    *room = room.saturating_sub(LIST);
    for item in items {
        let size = item.encoded_len() + 4;
        if size <= *room {
            *room -= size;
            fit.push(item);
        } else {
            // The first that does not fit ends the list: what is shown is its beginning.
            *room = 0;
            *omitted += 1;
        }
    }
    fit
}

fn encode(code: Code, message: &str, info: &pb::ErrorInfo, rest: Vec<prost_types::Any>) -> Vec<u8> {
    let details = std::iter::once(any(ERROR_INFO, info)).chain(rest).collect();
    pb::Status { code: code as i32, message: message.to_owned(), details }.encode_to_vec()
}

fn any(type_url: &str, message: &impl Message) -> prost_types::Any {
    prost_types::Any { type_url: type_url.to_owned(), value: message.encode_to_vec() }
}

/// At most `limit` bytes of `text`, cut between characters.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
    text
}

/// A refusal of the server itself for which there is no [`Kind`], because no command can decide it.
pub(crate) fn refusal(
    code: Code,
    reason: ErrorReason,
    message: &str,
    metadata: &[(&str, &dyn Display)],
) -> Status {
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), value.to_string()));
    let info = pb::ErrorInfo {
        reason: reason.reason().to_owned(),
        domain: reason.domain().to_owned(),
        metadata: metadata.collect::<HashMap<_, _>>(),
    };
    Status::with_details(code, message, encode(code, message, &info, Vec::new()).into())
}

/// The same status with `trace` in the metadata of its ErrorInfo, so that a caller's report finds our log.
pub(crate) fn relabel(status: &Status, trace: Trace) -> Option<Status> {
    let mut whole = pb::Status::decode(status.details()).ok()?;
    let info = whole.details.iter_mut().find(|any| any.type_url == ERROR_INFO)?;
    let mut decoded = pb::ErrorInfo::decode(info.value.as_slice()).ok()?;
    decoded.metadata.insert("trace".to_owned(), trace.to_string());
    info.value = decoded.encode_to_vec();
    Some(Status::with_details(status.code(), status.message(), whole.encode_to_vec().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Violations;
    use tonic_types::StatusExt;

    #[test]
    fn every_status_names_its_reason_and_domain() {
        let details = Status::from(Fault::not_found("customers/42")).get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("NOT_FOUND", "tandem.common.v1"));
        assert_eq!(info.metadata["resource"], "customers/42");
        assert!(details.retry_info().is_none());
    }

    #[test]
    fn load_and_lost_races_say_when_to_try_again() {
        for fault in
            [Fault::overloaded("calls"), Fault::etag_mismatch("campaigns/7"), Fault::outcome_unknown()]
        {
            let details = Status::from(fault).get_error_details();
            assert!(details.retry_info().unwrap().retry_delay.is_some());
        }
    }

    #[test]
    fn a_refused_precondition_says_what_refuses() {
        let fault = Fault::precondition(ErrorReason::Contention, "spent").violating(
            "vouchers/A",
            "MAX_USES",
            "spent",
        );
        let status = Status::from(fault);
        assert_eq!(status.code(), Code::FailedPrecondition);
        let details = status.get_error_details();
        assert_eq!(details.precondition_failure().unwrap().violations[0].subject, "vouchers/A");
    }

    #[test]
    fn details_never_grow_past_4_kib_and_say_how_many_violations_are_missing() {
        let mut v = Violations::new();
        for line in 0..1_000 {
            v.add(format!("lines[{line}].{}", "x".repeat(1_000)), "ü".repeat(1_000));
        }
        let mut fault = v.finish().unwrap_err();
        for key in 0..100 {
            fault = fault.with(&format!("key{key}"), "v".repeat(50));
        }
        let status = Status::from(fault);
        assert!(status.details().len() <= MAX_DETAILS, "{}", status.details().len());
        assert!(status.message().len() <= MAX_MESSAGE);
        let details = status.get_error_details();
        let shown = details.bad_request().unwrap().field_violations.len();
        let omitted: usize = details.error_info().unwrap().metadata["violations_omitted"].parse().unwrap();
        assert!(shown > 0);
        assert_eq!(shown + omitted, 1_000);
    }

    #[test]
    fn the_refusal_of_the_peer_passes_on_and_its_absence_is_named() {
        let refused = Status::from(Fault::precondition(ErrorReason::Contention, "spent").with("code", "A"));
        let fault = Fault::from_peer(refused.clone());
        assert_eq!(fault.kind(), Kind::Precondition);
        assert_eq!(Status::from(fault).details(), refused.details());

        let absent = Status::with_details(Code::Unavailable, "tcp connect error", Default::default());
        let fault = Fault::from_peer(absent);
        assert_eq!(fault.reason(), "PEER_UNAVAILABLE");
        assert!(!Status::from(fault).message().contains("tcp"));
    }

    #[test]
    fn a_trace_is_added_to_what_was_said() {
        let status = relabel(&Status::from(Fault::internal("no")), Trace(7)).unwrap();
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["trace"], format!("{:032x}", 7));
    }
}
