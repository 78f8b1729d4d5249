//! How the layers of a server are written: each is an `async fn` around the next, and the whole stack costs one boxed
//! future per call, made at [`Entry`].
//!
//! A `tower::Service` must name its future, so a layer there is a hand-written poll function or a box. [`Handle`] need
//! not: its futures nest into one another without a box between them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

/// What a layer's response body must be. A body that a layer wraps is moved, never pinned.
pub trait ResponseBody:
    http_body::Body<Data = Bytes, Error = Status> + Default + Unpin + Send + 'static
{
}

impl<B> ResponseBody for B where
    B: http_body::Body<Data = Bytes, Error = Status> + Default + Unpin + Send + 'static
{
}

/// One step on the way of a call: answers it, or asks the next step to.
pub trait Handle: Send + Sync + 'static {
    /// The body of its answers; [`Default`] is the empty one, of an answer that is only a status.
    type Body: ResponseBody;

    /// Answers one call. Dropped half-way where the caller goes away.
    fn handle(&self, request: http::Request<Body>)
    -> impl Future<Output = http::Response<Self::Body>> + Send;
}

/// The layer that makes a `tower::Service` of the steps inside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entry;

impl<N> Layer<N> for Entry {
    type Service = Entered<N>;

    fn layer(&self, next: N) -> Entered<N> {
        Entered(Arc::new(next))
    }
}

/// See [`Entry`].
#[derive(Debug)]
pub struct Entered<N>(Arc<N>);

impl<N> Clone for Entered<N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<N: Handle> Service<http::Request<Body>> for Entered<N> {
    type Response = http::Response<N::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let steps = self.0.clone();
        Box::pin(async move { Ok(steps.handle(request).await) })
    }
}
