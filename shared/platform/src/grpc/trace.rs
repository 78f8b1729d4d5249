//! One line and one count per call, at the edge: method, code, duration, tenant. They are written from a guard, so a
//! call whose caller went away is counted too, as CANCELLED. What makes every call UNAVAILABLE leaves a line by the minute.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::Layer;
use uuid::Uuid;

use super::handle::{Handle, ResponseBody};
use super::metrics::{MethodId, Metrics};
use super::repeats::Repeats;
use crate::call::Tenant;
use crate::fault::chain;
use crate::trace::Trace;

/// The layer. Puts a [`Trace`] into the request's extensions: that of the caller's `traceparent`, else a fresh one.
#[derive(Debug, Clone)]
pub struct TraceCalls {
    metrics: Metrics,
    process: Uuid,
}

impl TraceCalls {
    /// Counts into `metrics`; `process` is any id that no other process has, the seed of the traces made here.
    pub fn new(metrics: Metrics, process: Uuid) -> Self {
        Self { metrics, process }
    }
}

impl<N> Layer<N> for TraceCalls {
    type Service = Traced<N>;

    fn layer(&self, next: N) -> Traced<N> {
        Traced {
            next,
            metrics: self.metrics.clone(),
            repeats: Arc::default(),
            process: self.process.as_u128(),
            made: AtomicU64::new(0),
        }
    }
}

/// See [`TraceCalls`].
#[derive(Debug)]
pub struct Traced<N> {
    next: N,
    metrics: Metrics,
    repeats: Arc<Repeats>,
    process: u128,
    made: AtomicU64,
}

impl<N> Traced<N> {
    /// Unlike any other: the process's id, its low half turned by a count that an odd factor spreads over all bits.
    fn fresh(&self) -> Trace {
        let count = self.made.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        Trace(self.process ^ u128::from(count.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

impl<N: Handle> Handle for Traced<N> {
    type Body = TracedBody<N::Body>;

    async fn handle(&self, mut request: http::Request<Body>) -> http::Response<Self::Body> {
        let trace = of_caller(request.headers()).unwrap_or_else(|| self.fresh());
        let method = self.metrics.method(request.uri().path());
        self.metrics.start(method);
        let seen = Seen {
            metrics: self.metrics.clone(),
            repeats: self.repeats.clone(),
            method,
            trace,
            started: Instant::now(),
            tenant: request.headers().get(super::TENANT).cloned(),
            done: false,
        };
        request.extensions_mut().insert(trace);
        let response = self.next.handle(request).await;
        let seen = seen.answered(&response);
        response.map(|inner| TracedBody { inner, seen })
    }
}

/// The trace id of a W3C `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`.
fn of_caller(headers: &HeaderMap) -> Option<Trace> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let id = text.get(3..35).filter(|_| text.len() >= 55 && text.as_bytes()[2] == b'-')?;
    u128::from_str_radix(id, 16).ok().filter(|id| *id != 0).map(Trace)
}

#[derive(Debug)]
struct Seen {
    metrics: Metrics,
    repeats: Arc<Repeats>,
    method: MethodId,
    trace: Trace,
    started: Instant,
    tenant: Option<HeaderValue>,
    done: bool,
}

impl Seen {
    /// The head of the answer is known: it may already hold the code, else the trailers will.
    fn answered<B>(mut self, response: &http::Response<B>) -> Option<Self> {
        let Some(code) = code_in(response.headers()) else { return Some(self) };
        self.end(code, response.extensions().get::<Status>());
        None
    }

    fn end(&mut self, code: Code, status: Option<&Status>) {
        self.done = true;
        let took = self.started.elapsed();
        self.metrics.end(self.method, code, took);
        let method = self.metrics.name(self.method);
        let tenant = self.tenant.as_ref().and_then(|value| value.to_str().ok()).and_then(Tenant::parse);
        let tenant = tenant.unwrap_or_default();
        // To the microsecond: more digits say nothing.
        let duration_ms = took.as_micros() as f64 / 1_000.0;
        let cause = status.and_then(std::error::Error::source).map(chain);
        macro_rules! line {
            ($level:ident $(, $field:ident)*) => {
                tracing::$level!(method, code = ?code, duration_ms, %tenant, trace = %self.trace, $($field,)* cause, "call")
            };
        }
        match code {
            // A caller who went away, or who ends a stream it has read enough of, is no news.
            Code::Ok | Code::Cancelled => line!(debug),
            Code::Internal | Code::Unknown | Code::DataLoss => line!(warn),
            Code::Unavailable => {
                let info = status.and_then(|status| status.get_details_error_info());
                let reason = info.map(|info| info.reason).unwrap_or_default();
                match self.repeats.say(&reason) {
                    Some(unsaid) => line!(warn, reason, unsaid),
                    None => line!(debug, reason),
                }
            }
            _ => line!(info),
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        if !self.done {
            self.end(Code::Cancelled, None);
        }
    }
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()))
}

/// The body that the guard rides on until the trailers.
#[derive(Debug, Default)]
pub struct TracedBody<B> {
    inner: B,
    seen: Option<Seen>,
}

impl<B: ResponseBody> http_body::Body for TracedBody<B> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        let end = match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                frame.trailers_ref().map(|trailers| code_in(trailers).unwrap_or(Code::Unknown))
            }
            Poll::Ready(Some(Err(status))) => Some(status.code()),
            Poll::Ready(None) => Some(Code::Ok),
            Poll::Pending => None,
        };
        if let Some(code) = end
            && let Some(mut seen) = self.seen.take()
        {
            seen.end(code, None);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_trace_is_taken_over_and_nonsense_is_not() {
        let parse = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", text.parse().unwrap());
            of_caller(&headers)
        };
        let id = "0af7651916cd43dd8448eb211c80319c";
        let trace = parse(&format!("00-{id}-b7ad6b7169203331-01")).unwrap();
        assert_eq!(trace.to_string(), id);
        for bad in ["", "00", &format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)), &format!("00-{id}")] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn traces_of_one_process_differ() {
        let telemetry = crate::telemetry::Telemetry::new("test").unwrap();
        let metrics = Metrics::of(telemetry.meter(), &[]);
        let layer = TraceCalls::new(metrics, Uuid::from_u128(7 << 64)).layer(());
        let made: std::collections::HashSet<_> = (0..10_000).map(|_| layer.fresh()).collect();
        assert_eq!(made.len(), 10_000);
    }
}
