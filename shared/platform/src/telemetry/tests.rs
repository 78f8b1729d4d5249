//! What is scraped, over a real socket.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::config::{DatabaseConfig, MetricsConfig};
use crate::db::Db;
use crate::tasks::Tasks;

const PATIENCE: Duration = Duration::from_secs(20);

/// On a free port.
async fn endpoint() -> Endpoint {
    let config = MetricsConfig { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))) };
    Endpoint::to(&config).await.unwrap().unwrap()
}

async fn ask(address: SocketAddr, line: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn a_scrape_reads_what_was_recorded_and_nothing_else_is_answered() {
    let (telemetry, tasks) = (Telemetry::new("test").unwrap(), Tasks::new());
    let endpoint = endpoint().await;
    let address = endpoint.address();
    endpoint.serve(&telemetry, &tasks);
    let counter = telemetry.meter().u64_counter("things").with_description("Things.").build();
    counter.add(3, &[KeyValue::new("kind", "small")]);
    counter.add(4, &[KeyValue::new("kind", "small")]);

    let answer = ask(address, "GET /metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4\r\n"), "{answer}");
    assert!(answer.contains("# TYPE things_total counter\nthings_total{kind=\"small\"} 7\n"), "{answer}");
    assert!(answer.contains("target_info{service_name=\"test\"} 1\n"), "{answer}");
    assert!(ask(address, "GET /metrics?name=things").await.starts_with("HTTP/1.1 200 "));
    assert!(ask(address, "GET /").await.starts_with("HTTP/1.1 404 "));
    assert!(ask(address, "POST /metricsx").await.starts_with("HTTP/1.1 404 "));
    let refused = ask(address, "POST /metrics").await;
    assert!(refused.starts_with("HTTP/1.1 405 ") && refused.contains("allow: GET\r\n"), "{refused}");

    let mute = TcpStream::connect(address).await.unwrap();
    assert!(
        ask(address, "GET /metrics").await.contains("things_total"),
        "beside a connection that says nothing"
    );
    assert!(tasks.finish_background(PATIENCE).await);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    drop(mute);
}

#[tokio::test]
async fn a_taken_address_is_named_and_without_one_nothing_is_listened_on() {
    let first = endpoint().await;
    let second = MetricsConfig { listen: Some(first.address()) };
    let error = Endpoint::to(&second).await.unwrap_err().to_string();
    assert!(error.contains("metrics.listen") && error.contains(&first.address().to_string()), "{error}");
    assert!(Endpoint::to(&MetricsConfig::default()).await.unwrap().is_none());
}

#[tokio::test]
async fn the_connections_are_told_by_state() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("pool.db").display());
    let db =
        Db::connect(&DatabaseConfig { url: url.into(), max_connections: 3, ..DatabaseConfig::default() })
            .await
            .unwrap();
    let telemetry = Telemetry::new("test").unwrap();
    telemetry.observe_pool(&db);
    let borrowed = db.read().await.unwrap();
    let used = telemetry.render();
    assert!(used.contains("db_client_connection_count{state=\"used\"} 1\n"), "{used}");
    assert!(used.contains("db_client_connection_max 3\n"), "{used}");
    drop(borrowed);
    tokio::time::timeout(PATIENCE, async {
        while !telemetry.render().contains("db_client_connection_count{state=\"idle\"} 1\n") {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    db.close().await;
}
