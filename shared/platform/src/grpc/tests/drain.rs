//! Stopping: in order, and within its limits whatever a client does.

use std::time::Instant;

use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;

#[tokio::test]
async fn an_accepted_call_finishes_while_the_server_drains() {
    let server = Server::start(settings()).await;
    let channel = server.channel();
    let mut call = Box::pin(send(&channel, "Write", ask("", "")));
    tokio::select! {
        _ = &mut call => panic!("answered"),
        () = server.entered() => {}
    }
    server.stop.send(()).await.unwrap();
    server.tasks.draining().cancelled().await;
    server.probe.gate.add_permits(1);
    call.await.unwrap();
    drop(channel);
    let stopped = server.stopped().await;
    assert!(stopped.drained && stopped.orderly(), "{stopped:?}");
}

#[tokio::test]
async fn a_stopping_server_says_so_before_it_stops_accepting() {
    let server = Server::start(ServerConfig { lame_duck_ms: 60_000, ..settings() }).await;
    server.health.set_serving(Serving::Everything).await;
    let mut health = HealthClient::new(server.channel());
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
    server.stop.send(()).await.unwrap();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 2);
    server.health.set_serving(Serving::Everything).await;
    assert_eq!(health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status, 2);
    send(&server.channel(), "Ask", ask("echo", "")).await.unwrap();

    server.stop.send(()).await.unwrap();
    assert!(server.stopped().await.forced);
}

#[tokio::test]
async fn a_stream_without_end_is_told_that_the_server_stops() {
    let server = Server::start(settings()).await;
    let channel = server.channel();
    let mut stream = follow(&channel, "Follow").await.unwrap();
    stream.message().await.unwrap().unwrap();
    server.stop.send(()).await.unwrap();
    let status = stream.message().await.unwrap_err();
    assert_eq!(told(&status).1, "SHUTTING_DOWN");
    drop((stream, channel));
    assert!(server.stopped().await.drained);
}

#[tokio::test]
async fn a_long_stream_with_an_end_reaches_it_while_the_server_drains() {
    let server = Server::start(settings()).await;
    let channel = server.channel();
    let mut export = follow(&channel, "Export").await.unwrap();
    export.message().await.unwrap().unwrap();
    server.stop.send(()).await.unwrap();
    server.tasks.draining().cancelled().await;
    server.probe.gate.add_permits(1);
    export.message().await.unwrap().unwrap();
    assert!(export.message().await.unwrap().is_none());
    drop((export, channel));
    assert!(server.stopped().await.drained);
}

#[tokio::test]
async fn clients_that_never_close_hold_the_process_no_longer_than_its_limits() {
    let config = ServerConfig { drain_ms: 100, finish_writes_ms: 100, ..settings() };
    let server = Server::start(config).await;
    let mute = TcpStream::connect(server.address).await.unwrap();
    let channel = server.channel();
    let mut hanging = Box::pin(send(&channel, "Hang", ask("wait", "")));
    let mut writing = Box::pin(send(&channel, "Write", ask("", "")));
    tokio::select! {
        _ = &mut hanging => panic!("answered"),
        _ = &mut writing => panic!("answered"),
        () = async { for _ in 0..2 { server.entered().await } } => {}
    }
    let began = Instant::now();
    server.stop.send(()).await.unwrap();
    let stopped = server.stopped().await;
    assert!(!stopped.drained && !stopped.writes_finished && stopped.closed, "{stopped:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop((mute, hanging, writing));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let server = Server::start(ServerConfig { drain_ms: 60_000, ..settings() }).await;
    let channel = server.channel();
    let mut hanging = Box::pin(send(&channel, "Hang", ask("wait", "")));
    tokio::select! {
        _ = &mut hanging => panic!("answered"),
        () = server.entered() => {}
    }
    server.stop.send(()).await.unwrap();
    server.tasks.draining().cancelled().await;
    server.stop.send(()).await.unwrap();
    let hard = server.tasks.hard().clone();
    assert!(server.stopped().await.forced);
    assert!(hard.is_cancelled());
}
