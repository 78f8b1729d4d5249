//! No queue in front of a full server: a call that finds no permit is refused at once, so that those inside keep their
//! deadlines and the caller can go elsewhere. A permit is held until the last byte of the answer.
//!
//! Long streams have permits of their own, or a few hundred subscribers would starve the calls; those without end are
//! ended when the server drains. Health checks need no permit: a prober that is turned away under load would have
//! the whole replica killed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;
use tonic::body::Body;
use tower::Layer;

use super::handle::{Handle, ResponseBody};
use super::streams::Streams;
use crate::config::ServerConfig;
use crate::fault::Fault;
use crate::tasks::Tasks;

/// The layer.
#[derive(Debug, Clone)]
pub struct Shed {
    calls: Pool,
    long: Pool,
    streams: Streams,
    draining: CancellationToken,
}

impl Shed {
    /// `config.max_calls` calls and `config.max_streams` of the `streams` at once, for the whole process.
    pub fn new(config: &ServerConfig, streams: Streams, tasks: &Tasks) -> Self {
        Self {
            calls: Pool::of(config.max_calls),
            long: Pool::of(config.max_streams),
            streams,
            draining: tasks.draining().clone(),
        }
    }
}

impl<N> Layer<N> for Shed {
    type Service = Shedding<N>;

    fn layer(&self, next: N) -> Shedding<N> {
        Shedding { next, shed: self.clone() }
    }
}

/// See [`Shed`].
#[derive(Debug)]
pub struct Shedding<N> {
    next: N,
    shed: Shed,
}

impl<N: Handle> Handle for Shedding<N> {
    type Body = HeldBody<N::Body>;

    async fn handle(&self, request: http::Request<Body>) -> http::Response<Self::Body> {
        let path = request.uri().path();
        let long = self.shed.streams.contain(path);
        let permit = match path {
            _ if long => self.shed.long.permit().map(Some),
            "/grpc.health.v1.Health/Check" => Some(None),
            _ => self.shed.calls.permit().map(Some),
        };
        let Some(permit) = permit else {
            let what = if long { "too many streams" } else { "too many calls" };
            return Status::from(Fault::overloaded(what)).into_http();
        };
        let endless = long && self.shed.streams.endless(path);
        let response = self.next.handle(request).await;
        let stop = endless.then(|| Box::pin(self.shed.draining.clone().cancelled_owned()));
        response.map(|inner| HeldBody { inner, permit, stop })
    }
}

/// A number of permits. One addition to take, one subtraction to give back.
#[derive(Debug, Clone)]
struct Pool(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    taken: AtomicUsize,
    limit: usize,
}

impl Pool {
    fn of(limit: usize) -> Self {
        Self(Arc::new(Taken { taken: AtomicUsize::new(0), limit }))
    }

    fn permit(&self) -> Option<Permit> {
        // Taken before it is judged: what overshoots is given back by the permit's own drop.
        let before = self.0.taken.fetch_add(1, Ordering::AcqRel);
        let permit = Permit(self.0.clone());
        (before < self.0.limit).then_some(permit)
    }
}

#[derive(Debug)]
struct Permit(Arc<Taken>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body that holds the permit.
#[derive(Debug, Default)]
pub struct HeldBody<B> {
    inner: B,
    permit: Option<Permit>,
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<B: ResponseBody> http_body::Body for HeldBody<B> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(stop) = &mut self.stop
            && stop.as_mut().poll(cx).is_ready()
        {
            self.stop = None;
            self.inner = B::default();
            self.permit = None;
            let mut trailers = HeaderMap::new();
            return Poll::Ready(Some(match Status::from(Fault::shutting_down()).add_header(&mut trailers) {
                Ok(()) => Ok(Frame::trailers(trailers)),
                Err(status) => Err(status),
            }));
        }
        Pin::new(&mut self.inner).poll_frame(cx)
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
    fn a_permit_comes_back_when_it_is_dropped_and_not_before() {
        let pool = Pool::of(2);
        let first = pool.permit().unwrap();
        let _second = pool.permit().unwrap();
        for _ in 0..10 {
            assert!(pool.permit().is_none());
        }
        drop(first);
        assert!(pool.permit().is_some());
    }
}
