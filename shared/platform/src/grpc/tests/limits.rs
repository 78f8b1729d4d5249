//! What the server takes on, and for how long.

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use super::*;

#[tokio::test]
async fn a_call_past_our_limit_is_deadline_exceeded_with_a_reason() {
    let server = Server::start(ServerConfig { max_deadline_ms: 20, ..settings() }).await;
    let status = send(&server.channel(), "Ask", ask("wait", "")).await.unwrap_err();
    let (code, reason, metadata) = told(&status);
    assert_eq!((code, reason.as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    assert_eq!(metadata["limit_ms"], "20");
}

#[tokio::test]
async fn a_caller_that_grants_less_is_answered_before_tonic_says_cancelled() {
    let server = Server::start(settings()).await;
    // Raw, because tonic's client would end the call by itself at the same moment.
    let (mut browser, frame) = (tokio::net::TcpStream::connect(server.address).await.unwrap(), {
        let message = prost::Message::encode_to_vec(&ask("wait", "").into_inner());
        let mut frame = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
        frame.extend(message);
        frame
    });
    let head = format!(
        "POST /tandem.test.Probe/Ask HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ngrpc-timeout: 100m\r\n\
         content-type: application/grpc-web+proto\r\ncontent-length: {}\r\n\r\n",
        frame.len()
    );
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    browser.write_all(head.as_bytes()).await.unwrap();
    browser.write_all(&frame).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, browser.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("grpc-status: 4") || answer.contains("grpc-status:4"), "{answer}");
    assert_eq!(server.ended("DEADLINE_EXCEEDED"), 1);
}

#[tokio::test]
async fn a_full_server_refuses_at_once_says_when_to_retry_and_stays_healthy() {
    let server = Server::start(ServerConfig { max_calls: 1, ..settings() }).await;
    let channel = server.channel();
    let mut first = Box::pin(send(&channel, "Ask", ask("wait", "")));
    tokio::select! {
        _ = &mut first => panic!("answered"),
        () = server.entered() => {}
    }
    let status = send(&channel, "Ask", ask("echo", "")).await.unwrap_err();
    let (code, reason, _) = told(&status);
    assert_eq!((code, reason.as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert!(status.get_error_details().retry_info().unwrap().retry_delay.is_some());
    assert!(HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.is_ok());

    server.probe.gate.add_permits(1);
    first.await.unwrap();
    send(&channel, "Ask", ask("echo", "")).await.unwrap();
}

#[tokio::test]
async fn streams_have_permits_of_their_own_and_hold_them_until_they_end() {
    let config = ServerConfig { max_calls: 1, max_streams: 1, max_deadline_ms: 1_000, ..settings() };
    let server = Server::start(config).await;
    let channel = server.channel();
    let mut stream = follow(&channel, "Follow").await.unwrap();
    stream.message().await.unwrap().unwrap();
    assert_eq!(told(&follow(&channel, "Follow").await.unwrap_err()).1, "OVERLOADED");
    send(&channel, "Ask", ask("echo", "")).await.unwrap();

    assert_eq!(server.active(), 1, "a stream is in progress until its last byte");
    drop(stream);
    until(|| server.ended("CANCELLED") == 1).await;
    assert_eq!(server.active(), 0);
    follow(&channel, "Follow").await.unwrap();
}

#[tokio::test]
async fn a_write_ends_although_its_caller_ran_out_of_time() {
    let server = Server::start(ServerConfig { max_deadline_ms: 20, ..settings() }).await;
    let status = send(&server.channel(), "Write", ask("", "")).await.unwrap_err();
    assert_eq!(told(&status).1, "DEADLINE_EXCEEDED");
    server.probe.gate.add_permits(1);
    tokio::time::timeout(PATIENCE, server.probe.written.acquire()).await.unwrap().unwrap().forget();
}
