//! The scrape: `GET /metrics` over plain HTTP/1.1, on a listener of its own, so that who may scrape need not be let in
//! where calls are answered, and so that scrapes are answered while calls are shed or drained.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus::TEXT_FORMAT;
use tokio::net::{TcpListener, TcpStream};

use super::Telemetry;
use crate::config::{ConfigError, MetricsConfig};
use crate::tasks::Tasks;

/// Scrapes at once; the next ones wait in the listener's queue. A Prometheus server makes one at a time.
const MOST_CONNECTIONS: usize = 16;
/// How long one scrape may take: a client that does not read must not keep others out.
const LIMIT: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the machine refused a socket.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket on which scrapes are awaited.
#[derive(Debug)]
pub struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl Endpoint {
    /// Listens as `config` says, which may be nowhere. Fails where the address is taken.
    pub async fn to(config: &MetricsConfig) -> Result<Option<Self>, ConfigError> {
        let Some(listen) = config.listen else { return Ok(None) };
        let bound = async {
            let listener = TcpListener::bind(listen).await?;
            let address = listener.local_addr()?;
            Ok(Some(Self { listener, address }))
        };
        bound.await.map_err(|error: std::io::Error| {
            ConfigError::new(format!("metrics.listen = \"{listen}\": {error}"))
        })
    }

    /// The address, its port as the machine chose it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers scrapes of `telemetry` until the pollers of `tasks` stop, which is after the last call has ended.
    pub fn serve(self, telemetry: &Telemetry, tasks: &Tasks) {
        tracing::info!(address = %self.address, "metrics are scraped at /metrics");
        let scrapes = answer_all(self.listener, telemetry.clone());
        let (soft, hard) = (tasks.soft().clone(), tasks.hard().clone());
        tasks.spawn("metrics", async move {
            tokio::select! {
                () = soft.cancelled() => {}
                () = hard.cancelled() => {}
                () = scrapes => {}
            }
        });
    }
}

/// Without end. Every connection is polled in here, so that all of them end with it.
async fn answer_all(listener: TcpListener, telemetry: Telemetry) {
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = open.next() => {}
            accepted = listener.accept(), if open.len() < MOST_CONNECTIONS => match accepted {
                Ok((socket, _)) => open.push(answer_one(socket, telemetry.clone())),
                Err(error) => {
                    tracing::warn!(%error, "a scrape cannot be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
}

fn answer_one(socket: TcpStream, telemetry: Telemetry) -> impl Future<Output = ()> {
    let service = service_fn(move |request| {
        let response = answer(&request, &telemetry);
        async { Ok::<_, Infallible>(response) }
    });
    // One answer per connection: an idle one would take the place of a scrape.
    let connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(socket), service);
    async {
        // Whoever goes away, is too slow or speaks no HTTP has no answer, and that is all.
        let _ = tokio::time::timeout(LIMIT, connection).await;
    }
}

fn answer<B>(request: &Request<B>, telemetry: &Telemetry) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if request.method() != Method::GET {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    } else {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
        *response.body_mut() = Full::from(telemetry.render());
    }
    response
}
