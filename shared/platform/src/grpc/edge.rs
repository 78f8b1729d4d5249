//! Everything the caller sees speaks our language: what tonic refuses by itself (a message it cannot decode, one that
//! is too large, a method that does not exist) gets the reason and code of the contract, and an INTERNAL gets the
//! trace that finds it in the log.
//!
//! Our own statuses always carry details (see [`crate::fault`]); a status without is tonic's.

use std::error::Error;
use std::fmt::Display;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Frame, SizeHint};
use tandem_proto::common::v1::ErrorReason;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Layer;

use super::handle::{Handle, ResponseBody};
use crate::fault::{Fault, refusal, relabel};
use crate::trace::Trace;

/// The layer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Edge;

impl<N> Layer<N> for Edge {
    type Service = Edged<N>;

    fn layer(&self, next: N) -> Edged<N> {
        Edged(next)
    }
}

/// See [`Edge`].
#[derive(Debug)]
pub struct Edged<N>(N);

impl<N: Handle> Handle for Edged<N> {
    type Body = EdgedBody<N::Body>;

    async fn handle(&self, request: http::Request<Body>) -> http::Response<Self::Body> {
        let trace = request.extensions().get::<Trace>().copied().unwrap_or_default();
        let mut response = self.0.handle(request).await;
        if let Some(mut mended) = mended(response.headers(), trace) {
            // The cause must survive for the log: that of our status, or tonic's own words.
            if let Some(said) = response.extensions_mut().remove::<Status>() {
                mended.set_source(cause(said));
            }
            replace(response.headers_mut(), &mended);
            response.extensions_mut().insert(mended);
        }
        response.map(|inner| EdgedBody { inner, trace })
    }
}

fn cause(said: Status) -> Arc<dyn Error + Send + Sync> {
    match said.source() {
        Some(source) => Arc::from(Box::<dyn Error + Send + Sync>::from(crate::fault::chain(source))),
        None => Arc::new(said),
    }
}

fn replace(headers: &mut HeaderMap, status: &Status) {
    headers.remove("grpc-message");
    if status.add_header(headers).is_err() {
        headers.insert("grpc-status", HeaderValue::from_static("13"));
    }
}

/// What to say instead; `None` where it is right as it stands, as almost always.
fn mended(headers: &HeaderMap, trace: Trace) -> Option<Status> {
    let code = Code::from_bytes(headers.get("grpc-status")?.as_bytes());
    let ours = headers.contains_key("grpc-status-details-bin");
    match code {
        Code::Ok => None,
        Code::Internal if ours => relabel(&Status::from_header_map(headers)?, trace),
        _ if ours => None,
        _ => {
            let status = translated(&Status::from_header_map(headers)?);
            match status.code() {
                Code::Internal => relabel(&status, trace).or(Some(status)),
                _ => Some(status),
            }
        }
    }
}

/// A status of tonic 0.14.9 in our words. Its texts are matched because it gives nothing else to match; tests hold
/// them to the version in use.
fn translated(status: &Status) -> Status {
    let message = status.message();
    let oversized = |found: Option<u64>, limit: Option<u64>| {
        let (found, limit) = (found.unwrap_or_default(), limit.unwrap_or_default());
        let metadata: [(&str, &dyn Display); 2] = [("limit_bytes", &limit), ("size_bytes", &found)];
        let text = format!("the message is larger than {limit} bytes");
        refusal(
            Code::OutOfRange,
            ErrorReason::MessageTooLarge,
            &text,
            &metadata[..if found > 0 { 2 } else { 1 }],
        )
    };
    let invalid = |text: &str| refusal(Code::InvalidArgument, ErrorReason::InvalidArgument, text, &[]);
    match status.code() {
        Code::OutOfRange if message.starts_with("Error, decoded message length too large") => {
            oversized(number_after(message, "found "), number_after(message, "limit is: "))
        }
        Code::ResourceExhausted if message.starts_with("Error decompressing: size limit") => {
            oversized(None, number_after(message, "size limit, of "))
        }
        Code::Internal if message.starts_with("failed to decode Protobuf message") => {
            invalid("the request is not a message of this method: its bytes cannot be decoded")
        }
        Code::Internal
            if message.starts_with("protocol error: received message")
                || message.starts_with("Unexpected EOF decoding stream")
                || message.starts_with("Error decompressing")
                || message.starts_with("Missing request message") =>
        {
            invalid("the request is not a gRPC message of this method")
        }
        Code::Unimplemented if message.is_empty() => {
            refusal(Code::Unimplemented, ErrorReason::Unimplemented, "no such method", &[])
        }
        Code::Internal | Code::Unknown | Code::DataLoss => Fault::internal("the server failed").into(),
        code => refusal(code, reason_of(code), message, &[]),
    }
}

/// The reason for a status of the services that are not ours: health and reflection.
fn reason_of(code: Code) -> ErrorReason {
    match code {
        Code::InvalidArgument => ErrorReason::InvalidArgument,
        Code::NotFound => ErrorReason::NotFound,
        Code::AlreadyExists => ErrorReason::AlreadyExists,
        Code::ResourceExhausted => ErrorReason::Overloaded,
        Code::DeadlineExceeded => ErrorReason::DeadlineExceeded,
        Code::Unavailable => ErrorReason::ShuttingDown,
        Code::Unimplemented => ErrorReason::Unimplemented,
        Code::Cancelled => ErrorReason::Cancelled,
        _ => ErrorReason::Unspecified,
    }
}

fn number_after(text: &str, before: &str) -> Option<u64> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The body whose trailers are mended: a stream fails there.
#[derive(Debug, Default)]
pub struct EdgedBody<B> {
    inner: B,
    trace: Trace,
}

impl<B: ResponseBody> http_body::Body for EdgedBody<B> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        let Poll::Ready(Some(Ok(frame))) = &polled else { return polled };
        let Some(mended) = frame.trailers_ref().and_then(|trailers| mended(trailers, self.trace)) else {
            return polled;
        };
        polled.map_ok(|frame| match frame.into_trailers() {
            Ok(mut trailers) => {
                replace(&mut trailers, &mended);
                Frame::trailers(trailers)
            }
            Err(data) => data,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
