//! Nobody waits for ever, and nobody is answered after he stopped waiting: the smaller of what the caller grants and
//! what we do, answered DEADLINE_EXCEEDED with a reason.
//!
//! tonic has a time-out of its own, outside of every layer, at exactly the caller's `grpc-timeout`; it answers
//! CANCELLED. Ours ends a little earlier, so that its answer is the one that is sent and has time to arrive.
//! The handler is dropped; its writes run detached (see [`super::detached`]) and end as they must.

use std::time::Duration;

use http::HeaderMap;
use tonic::Status;
use tonic::body::Body;
use tower::Layer;

use super::handle::Handle;
use super::streams::Streams;
use crate::call::{Call, Deadline};
use crate::config::ServerConfig;
use crate::fault::Fault;

/// The layer. Puts the [`Deadline`] into the [`Call`].
#[derive(Debug, Clone)]
pub struct LimitTime {
    max: Duration,
    streams: Streams,
}

impl LimitTime {
    /// At most `config.max_deadline_ms`, except for `streams`.
    pub fn new(config: &ServerConfig, streams: Streams) -> Self {
        Self { max: config.max_deadline(), streams }
    }
}

impl<N> Layer<N> for LimitTime {
    type Service = Limited<N>;

    fn layer(&self, next: N) -> Limited<N> {
        Limited { next, limit: self.clone() }
    }
}

/// See [`LimitTime`].
#[derive(Debug)]
pub struct Limited<N> {
    next: N,
    limit: LimitTime,
}

impl<N: Handle> Handle for Limited<N> {
    type Body = N::Body;

    async fn handle(&self, mut request: http::Request<Body>) -> http::Response<Self::Body> {
        if self.limit.streams.contain(request.uri().path()) {
            return self.next.handle(request).await;
        }
        let granted = granted(request.headers()).map(|granted| granted.saturating_sub(margin(granted)));
        let limit = granted.unwrap_or(self.limit.max).min(self.limit.max);
        let deadline = Deadline::after(limit);
        if let Some(call) = request.extensions_mut().get_mut::<Call>() {
            call.deadline = Some(deadline);
        }
        match tokio::time::timeout_at(deadline.instant(), self.next.handle(request)).await {
            Ok(response) => response,
            Err(_) => {
                let fault = Fault::deadline_exceeded().with("limit_ms", limit.as_millis());
                Status::from(fault).into_http()
            }
        }
    }
}

/// What our answer needs to overtake tonic's and to arrive.
fn margin(granted: Duration) -> Duration {
    (granted / 16).clamp(Duration::from_millis(2), Duration::from_millis(50))
}

/// The caller's `grpc-timeout`: up to eight digits and a unit. One that is not is ignored, as tonic does.
fn granted(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_time_is_read_in_every_unit_and_nonsense_ignored() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            granted(&headers)
        };
        assert_eq!(read("2H"), Some(Duration::from_secs(7_200)));
        assert_eq!(read("3M"), Some(Duration::from_secs(180)));
        assert_eq!(read("4S"), Some(Duration::from_secs(4)));
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("7u"), Some(Duration::from_micros(7)));
        assert_eq!(read("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in ["", "m", "5", "5x", "-5m", "123456789m", "+5m"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
