//! Compressed messages, as clients of other languages send and read them.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use tonic::body::Body;
use tower::ServiceExt;

use super::coding::{Coding, PREFIX, prefix};
use super::*;

/// What came back: the headers with the trailers, and the body.
struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The only message, decompressed where it says so.
    fn message(&self) -> LocalizedMessage {
        let (compressed, length) = prefix(&self.body).unwrap();
        let message = &self.body[PREFIX..PREFIX + length];
        if !compressed {
            return LocalizedMessage::decode(message).unwrap();
        }
        let coding = Coding::parse(self.header("grpc-encoding")).unwrap();
        let plain = coding.decompressed(message, 16 << 20).unwrap();
        LocalizedMessage::decode(&plain[PREFIX..]).unwrap()
    }
}

/// Calls `Ask` with these headers and this body, in frames of so many bytes.
async fn raw(server: &Server, headers: &[(&'static str, &str)], body: Bytes, at_once: usize) -> Answer {
    over(server.channel(), headers, body, at_once).await
}

/// The same over this connection.
async fn over(channel: Channel, headers: &[(&'static str, &str)], body: Bytes, at_once: usize) -> Answer {
    let frames: Vec<_> =
        body.chunks(at_once).map(|part| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(part)))).collect();
    let mut request = Request::post("/tandem.test.Probe/Ask")
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::new(StreamBody::new(futures::stream::iter(frames)))).unwrap();
    let (head, body) = channel.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap();
    let mut headers = head.headers;
    headers.extend(body.trailers().cloned().unwrap_or_default());
    Answer { headers, body: body.to_bytes() }
}

fn plain(message: &LocalizedMessage) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.encoded_len().try_into().unwrap());
    message.encode(&mut framed).unwrap();
    framed.freeze()
}

fn said(command: &str, message: &str) -> LocalizedMessage {
    LocalizedMessage { locale: command.to_owned(), message: message.to_owned() }
}

fn large() -> LocalizedMessage {
    said("echo", &"a line of an order, and another one. ".repeat(40_000))
}

#[tokio::test]
async fn compressed_requests_are_read_however_they_come_in() {
    let server = Server::start(settings()).await;
    for coding in [Coding::Gzip, Coding::Zstd] {
        for message in [said("echo", &"small".repeat(100)), large()] {
            let sent = coding.compressed(&message.encode_to_vec()).unwrap();
            for at_once in [3, 1_000, 1 << 20] {
                let answer = raw(&server, &[("grpc-encoding", coding.name())], sent.clone(), at_once).await;
                assert_eq!(answer.header("grpc-status"), "0", "{coding:?}");
                assert!(answer.message() == message);
            }
        }
    }
}

#[tokio::test]
async fn large_answers_go_small_to_whoever_can_read_them_and_others_as_they_are() {
    let server = Server::start(settings()).await;
    let (message, small) = (large(), said("echo", "small"));
    for (accepted, coding) in [
        ("identity,deflate,gzip", Some(Coding::Gzip)),
        ("gzip, zstd", Some(Coding::Zstd)),
        ("identity", None),
    ] {
        let accept = [("grpc-accept-encoding", accepted)];
        let answer = raw(&server, &accept, plain(&message), 1 << 20).await;
        assert_eq!(answer.header("grpc-encoding"), coding.map_or("", Coding::name));
        assert_eq!(answer.body.len() < message.message.len() / 10, coding.is_some());
        assert!(answer.message() == message);
        let answer = raw(&server, &accept, plain(&small), 1 << 20).await;
        assert_eq!(prefix(&answer.body).map(|(compressed, _)| compressed), Some(false), "not worth it");
        assert!(answer.message() == small);
    }
    let refused =
        raw(&server, &[("grpc-accept-encoding", "gzip")], plain(&said("no-such", "")), 1 << 20).await;
    assert_eq!((refused.header("grpc-status"), refused.header("grpc-encoding")), ("5", ""));
}

#[tokio::test]
async fn what_is_too_large_once_decompressed_is_refused_as_it_would_be_uncompressed() {
    let server = Server::start(settings()).await;
    let bomb = said("echo", &"0".repeat(64 << 20)).encode_to_vec();
    let as_it_is =
        raw(&server, &[], Bytes::from([&[0_u8][..], &(64_u32 << 20).to_be_bytes()].concat()), 1 << 20);
    let expected = as_it_is.await.header("grpc-status").to_owned();
    assert_ne!(expected, "0");
    for coding in [Coding::Gzip, Coding::Zstd] {
        let sent = coding.compressed(&bomb).unwrap();
        let answer = raw(&server, &[("grpc-encoding", coding.name())], sent, 1 << 20).await;
        assert_eq!(answer.header("grpc-status"), expected, "{coding:?}");
        // Too large as it comes, whatever it would become.
        let mut large = BytesMut::from(&[1_u8][..]);
        large.put_u32(6 << 20);
        large.put_bytes(7, 6 << 20);
        let answer = raw(&server, &[("grpc-encoding", coding.name())], large.freeze(), 1 << 20).await;
        assert_eq!(answer.header("grpc-status"), expected, "{coding:?}");
    }
}

#[tokio::test]
async fn many_compressed_requests_at_once_are_all_read() {
    let server = Server::start(settings()).await;
    let sent = Coding::Zstd.compressed(&large().encode_to_vec()).unwrap();
    let channel = server.channel();
    let calls = (0..200).map(|_| over(channel.clone(), &[("grpc-encoding", "zstd")], sent.clone(), 1 << 20));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.header("grpc-status") == "0"));
}

#[tokio::test]
async fn what_is_not_what_it_says_is_refused_and_an_unknown_coding_hears_which_are_known() {
    let server = Server::start(settings()).await;
    let mut broken = BytesMut::from(&plain(&said("echo", "text"))[..]);
    broken[0] = 1;
    let answer = raw(&server, &[("grpc-encoding", "gzip")], broken.clone().freeze(), 1 << 20).await;
    assert_eq!(answer.header("grpc-status"), "3", "{}", answer.header("grpc-message"));
    let answer = raw(&server, &[("grpc-encoding", "deflate")], broken.freeze(), 1 << 20).await;
    assert_eq!(answer.header("grpc-status"), "12");
    assert_eq!(answer.header("grpc-accept-encoding"), Coding::ALL);
}
