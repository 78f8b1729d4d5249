//! Compressed messages, both ways. What comes in is bounded as it is after decompression; what goes out is compressed
//! where the client accepts it and the message is large. Small ones, which are nearly all, go as they are.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use http_body::{Frame, SizeHint};
use tandem_proto::common::v1::ErrorReason;
use tonic::Status;
use tonic::body::Body;
use tower::Layer;

use super::coding::{Coding, PREFIX, announced, prefix};
use super::handle::{Handle, ResponseBody};
use crate::config::ServerConfig;
use crate::fault::{Fault, Kind, Outcome};
use crate::heavy::Heavy;

const ENCODING: &str = "grpc-encoding";
const ACCEPT: &str = "grpc-accept-encoding";
/// Smaller answers are not worth it.
const LARGE: usize = 8 * 1024;
/// More is compressed, or decompressed, where it holds nobody up.
const AT_ONCE: usize = 64 * 1024;
/// Messages that may wait for a thread to be compressed; one more goes as it is, which is sooner.
const WAITING: usize = 4;

/// The layer.
#[derive(Debug, Clone)]
pub struct Compression {
    answers: Heavy,
    requests: Heavy,
    limit: usize,
}

impl Compression {
    /// With the limits of `config`, and a thread for every two cores each way. A request waits for its turn: how many there
    /// are at once is bounded already.
    pub fn new(config: &ServerConfig) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        Self {
            answers: Heavy::new(threads, WAITING),
            requests: Heavy::new(threads, usize::MAX),
            limit: config.max_message_bytes,
        }
    }
}

impl<N> Layer<N> for Compression {
    type Service = Compressing<N>;

    fn layer(&self, next: N) -> Compressing<N> {
        Compressing { next, with: self.clone() }
    }
}

/// See [`Compression`].
#[derive(Debug)]
pub struct Compressing<N> {
    next: N,
    with: Compression,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl<N: Handle> Handle for Compressing<N> {
    type Body = CompressingBody<N::Body>;

    async fn handle(&self, mut request: http::Request<Body>) -> http::Response<Self::Body> {
        let out = text(request.headers(), ACCEPT).and_then(Coding::of_accepted);
        let sent = text(request.headers(), ENCODING).filter(|name| *name != "identity");
        let known = sent.map(Coding::parse);
        if let Some(Some(coding)) = known {
            request.headers_mut().remove(ENCODING);
            let Compression { requests: heavy, limit, .. } = self.with.clone();
            let plain = |inner| Plain {
                inner,
                coding,
                limit,
                heavy,
                waiting: BytesMut::new(),
                rest: false,
                work: None,
            };
            request = request.map(|inner| Body::new(plain(inner)));
        }
        let mut response = self.next.handle(request).await;
        if known == Some(None) {
            // What is refused for its coding says which are known.
            response.headers_mut().insert(ACCEPT, HeaderValue::from_static(Coding::ALL));
        }
        // A status without a message has nothing to compress.
        let out = out.filter(|_| !response.headers().contains_key("grpc-status"));
        if let Some(coding) = out {
            response.headers_mut().insert(ENCODING, HeaderValue::from_static(coding.name()));
        }
        let heavy = out.map(|_| self.with.answers.clone());
        response.map(|inner| CompressingBody { inner, coding: out.zip(heavy), work: None })
    }
}

/// An answer whose large messages are compressed.
#[derive(Default)]
pub struct CompressingBody<B> {
    inner: B,
    coding: Option<(Coding, Heavy)>,
    work: Option<BoxFuture<'static, Bytes>>,
}

impl<B: ResponseBody> http_body::Body for CompressingBody<B> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(work) = &mut self.work {
            let bytes = ready!(work.poll_unpin(cx));
            self.work = None;
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let polled = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let Some((coding, heavy)) = &self.coding else { return Poll::Ready(polled) };
        let Some(Ok(frame)) = polled else { return Poll::Ready(polled) };
        let bytes = match frame.into_data() {
            Ok(bytes) if bytes.len() > LARGE => bytes,
            Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
        };
        if bytes.len() <= AT_ONCE {
            return Poll::Ready(Some(Ok(Frame::data(smaller(*coding, bytes)))));
        }
        let (coding, heavy, whole) = (*coding, heavy.clone(), bytes.clone());
        // Where no thread is free for it, it goes as it is.
        let compressed = async move { heavy.run(move |_| smaller(coding, bytes)).await.unwrap_or(whole) };
        self.work = Some(compressed.boxed());
        self.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.work.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.coding.is_some() { SizeHint::default() } else { self.inner.size_hint() }
    }
}

/// Messages, the large ones among them compressed. tonic hands on whole ones; what is none is left as it is.
fn smaller(coding: Coding, messages: Bytes) -> Bytes {
    let mut into = BytesMut::with_capacity(messages.len() / 2);
    let mut rest = &messages[..];
    while let Some((compressed, length)) = prefix(rest) {
        let Some((message, behind)) = rest.split_at_checked(PREFIX.saturating_add(length)) else { break };
        let worth = !compressed && length > LARGE;
        match worth.then(|| coding.compressed(&message[PREFIX..])).flatten() {
            Some(smaller) => into.extend_from_slice(&smaller),
            None => into.extend_from_slice(message),
        }
        rest = behind;
    }
    into.extend_from_slice(rest);
    into.freeze()
}

/// A request whose messages are decompressed before anybody reads them.
struct Plain {
    inner: Body,
    coding: Coding,
    limit: usize,
    heavy: Heavy,
    /// What has come and is not a whole message yet.
    waiting: BytesMut,
    /// What comes from here on is handed on as it is: it is refused anyway, or has ended.
    rest: bool,
    work: Option<BoxFuture<'static, Outcome<Bytes>>>,
}

impl Plain {
    /// The next message, decompressed; `None` where it is not whole yet.
    fn next(&mut self) -> Option<Outcome<Bytes>> {
        let (compressed, length) = prefix(&self.waiting)?;
        if self.rest {
            return Some(Ok(self.waiting.split().freeze()));
        }
        if length > self.limit {
            // Refused by its length alone, as it would be uncompressed.
            self.rest = true;
            self.waiting.clear();
            return Some(Ok(announced(length)));
        }
        if self.waiting.len() < PREFIX + length {
            return None;
        }
        let message = self.waiting.split_to(PREFIX + length).freeze();
        if !compressed {
            return Some(Ok(message));
        }
        let (coding, limit) = (self.coding, self.limit);
        let read = move |limit| {
            coding.decompressed(&message[PREFIX..], limit).map_err(|error| unreadable(coding, error))
        };
        if length <= AT_ONCE {
            // Few bytes may become many: past so much it is done over again elsewhere.
            let some = read(limit.min(AT_ONCE));
            let more =
                some.as_ref().is_ok_and(|some| prefix(some).is_some_and(|(_, length)| length > AT_ONCE));
            if !more || limit <= AT_ONCE {
                return Some(some);
            }
        }
        let heavy = self.heavy.clone();
        self.work = Some(async move { heavy.run(move |_| read(limit)).await.and_then(|read| read) }.boxed());
        None
    }
}

fn unreadable(coding: Coding, error: std::io::Error) -> Fault {
    let message = format!("the message is not what its grpc-encoding says, {}", coding.name());
    Fault::new(Kind::Invalid, ErrorReason::InvalidArgument, message).caused_by(error)
}

impl http_body::Body for Plain {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            let next = match &mut self.work {
                Some(work) => {
                    let read = ready!(work.poll_unpin(cx));
                    self.work = None;
                    Some(read)
                }
                None => self.next(),
            };
            match next {
                Some(read) => return Poll::Ready(Some(read.map(Frame::data).map_err(Status::from))),
                None if self.work.is_some() => continue,
                None => {}
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.waiting.extend_from_slice(&bytes),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                None if !self.waiting.is_empty() => {
                    self.rest = true;
                    let bytes = self.waiting.split().freeze();
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                ended => return Poll::Ready(ended),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.work.is_none() && self.waiting.is_empty() && self.inner.is_end_stream()
    }
}
