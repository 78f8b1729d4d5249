//! The server's transport: HTTP/2, and HTTP/1.1 for gRPC-Web.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{self, Server};
use tower::Service;

use super::tls::Tls;
use crate::config::ServerConfig;
use crate::tasks::Tasks;

/// tonic's server with our settings and no layer: a dead peer is noticed within 40 s, one connection cannot take the
/// whole process, a long-lived one moves on. `Server::timeout` and tonic's load shedding stay off: their answers are
/// not ours.
fn transport(config: &ServerConfig) -> Server {
    const MIB: u32 = 1024 * 1024;
    let server = Server::builder()
        .accept_http1(true)
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .initial_stream_window_size(MIB)
        .initial_connection_window_size(4 * MIB)
        .max_concurrent_streams(config.max_streams_per_connection)
        .http2_max_header_list_size(16 * 1024);
    if config.connection_age_s == 0 {
        return server;
    }
    // Jittered, so that the clients of one replica do not all reconnect at once. No grace: with one, tonic 0.14.9 never
    // sends GOAWAY and cuts the connection instead.
    let age = Duration::from_secs(config.connection_age_s);
    server.max_connection_age(age.mul_f64(rand::random_range(0.9..1.1)))
}

/// Serves what comes in until it is `told` to stop: what the returned future is for.
pub fn serve<S, B>(
    config: &ServerConfig,
    (listener, tls): (TcpListener, Option<Tls>),
    tasks: &Tasks,
    service: S,
    told: impl Future<Output = ()> + Send + 'static,
) -> BoxFuture<'static, Result<(), transport::Error>>
where
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let server = transport(config);
    match tls {
        None => {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            server.serve_with_incoming_shutdown(service, incoming, told).boxed()
        }
        Some(tls) => {
            tls.follow(tasks);
            server.serve_with_incoming_shutdown(service, tls.accept(listener, tasks), told).boxed()
        }
    }
}
