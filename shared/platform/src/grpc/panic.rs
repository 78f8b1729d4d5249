//! A handler that panics is answered INTERNAL; without this its caller would see a broken stream and could not tell it
//! from the network's.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tower::Layer;

use super::handle::{Handle, ResponseBody};
use crate::fault::Fault;

/// The layer.
#[derive(Debug, Clone, Copy, Default)]
pub struct CatchPanics;

impl<N> Layer<N> for CatchPanics {
    type Service = Catching<N>;

    fn layer(&self, next: N) -> Catching<N> {
        Catching(next)
    }
}

/// See [`CatchPanics`].
#[derive(Debug)]
pub struct Catching<N>(N);

fn panicked() -> Status {
    Fault::internal("the handler panicked").into()
}

impl<N: Handle> Handle for Catching<N> {
    type Body = CatchingBody<N::Body>;

    async fn handle(&self, request: http::Request<Body>) -> http::Response<Self::Body> {
        // Whatever a panic left half-done behind a lock or in a transaction is undone by its owner's drop; nothing of
        // this call is used again.
        let answer = AssertUnwindSafe(async { self.0.handle(request).await }).catch_unwind().await;
        match answer {
            Ok(response) => response.map(|inner| CatchingBody { inner, broken: false }),
            Err(_) => panicked().into_http(),
        }
    }
}

/// A body that ends with INTERNAL where it panics.
#[derive(Debug, Default)]
pub struct CatchingBody<B> {
    inner: B,
    broken: bool,
}

impl<B: ResponseBody> http_body::Body for CatchingBody<B> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.broken {
            return Poll::Ready(None);
        }
        let inner = Pin::new(&mut self.inner);
        match std::panic::catch_unwind(AssertUnwindSafe(|| inner.poll_frame(cx))) {
            Ok(polled) => polled,
            Err(_) => {
                self.broken = true;
                let mut trailers = HeaderMap::new();
                Poll::Ready(Some(match panicked().add_header(&mut trailers) {
                    Ok(()) => Ok(Frame::trailers(trailers)),
                    Err(status) => Err(status),
                }))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.broken || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.broken { SizeHint::with_exact(0) } else { self.inner.size_hint() }
    }
}
