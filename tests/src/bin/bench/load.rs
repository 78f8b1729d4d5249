//! The load generator: callers that each send one call after the other, over a handful of HTTP/2 connections. Requests
//! are bytes made in advance, and answers are not read beyond their status, because the generator shares the machine
//! with what it measures.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use prost::bytes::Bytes;
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::Outcome;
use tandem_tests::raw::Raw;

/// HTTP/2 connections the callers share.
const CONNECTIONS: usize = 4;

/// A method of a server.
#[derive(Debug, Clone)]
pub struct Target {
    channels: Vec<Channel>,
    path: PathAndQuery,
}

impl Target {
    /// Connects.
    pub async fn connect(address: &str, path: &str) -> Outcome<Self> {
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels
                .push(Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await?);
        }
        Ok(Self { channels, path: PathAndQuery::from_str(path)? })
    }

    /// One call.
    pub async fn call(&self, request: Bytes) -> Result<Bytes, Status> {
        call(&mut Grpc::new(self.channels[0].clone()), &self.path, request).await
    }
}

async fn call(grpc: &mut Grpc<Channel>, path: &PathAndQuery, request: Bytes) -> Result<Bytes, Status> {
    grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
    grpc.unary(Request::new(request), path.clone(), Raw).await.map(tonic::Response::into_inner)
}

/// Requests made in advance, taken in their order by whoever is free.
#[derive(Debug)]
pub struct Calls {
    requests: Vec<Bytes>,
    next: AtomicUsize,
    again: bool,
}

impl Calls {
    /// Each is sent once; the load ends where they run out.
    pub fn once(requests: Vec<Bytes>) -> Arc<Self> {
        Arc::new(Self { requests, next: AtomicUsize::new(0), again: false })
    }

    /// From the start again, as often as there is time.
    pub fn again(requests: Vec<Bytes>) -> Arc<Self> {
        Arc::new(Self { requests, next: AtomicUsize::new(0), again: true })
    }

    fn next(&self) -> Option<Bytes> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let index = if self.again { index % self.requests.len().max(1) } else { index };
        self.requests.get(index).cloned()
    }
}

/// What came of a load.
#[derive(Debug)]
pub struct Measured {
    /// Calls answered with OK.
    pub ok: u64,
    /// Calls answered otherwise.
    pub failed: u64,
    /// The first of those.
    pub failure: Option<Status>,
    /// From the first call to the last answer.
    pub seconds: f64,
    /// Of the OK calls, in microseconds.
    pub latency: Histogram<u64>,
}

impl Measured {
    /// OK calls per second.
    pub fn rate(&self) -> f64 {
        self.ok as f64 / self.seconds
    }

    /// A line for people.
    pub fn shown(&self) -> String {
        let ms = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        let mut text = format!("{:.0}/s, p50 {:.2} ms, p99 {:.2} ms", self.rate(), ms(0.5), ms(0.99));
        if let Some(failure) = &self.failure {
            let said = format!("{:?}: {}", failure.code(), failure.message());
            text.push_str(&format!(", {} of {} FAILED, first {said}", self.failed, self.failed + self.ok));
        }
        text
    }
}

#[derive(Debug, Default)]
struct Caller {
    micros: Vec<u32>,
    failed: u64,
    failure: Option<Status>,
}

/// Has `callers` send `calls` for `time`, or until they run out.
pub async fn run(target: &Target, calls: &Arc<Calls>, callers: usize, time: Duration) -> Outcome<Measured> {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..callers {
        let channel = target.channels[number % target.channels.len()].clone();
        running.spawn(call_until(channel, target.path.clone(), calls.clone(), start + time));
    }
    let mut measured = Measured {
        ok: 0,
        failed: 0,
        failure: None,
        seconds: 0.0,
        latency: Histogram::new_with_max(60_000_000, 3)?,
    };
    let finished = running.join_all().await;
    measured.seconds = start.elapsed().as_secs_f64();
    for caller in finished {
        measured.ok += caller.micros.len() as u64;
        measured.failed += caller.failed;
        measured.failure = measured.failure.or(caller.failure);
        for micros in caller.micros {
            measured.latency.saturating_record(u64::from(micros));
        }
    }
    Ok(measured)
}

async fn call_until(channel: Channel, path: PathAndQuery, calls: Arc<Calls>, end: Instant) -> Caller {
    let mut grpc = Grpc::new(channel);
    let mut caller = Caller::default();
    let mut begin = Instant::now();
    while begin < end {
        let Some(request) = calls.next() else { break };
        let answer = call(&mut grpc, &path, request).await;
        let now = Instant::now();
        match answer {
            Ok(_) => caller.micros.push(u32::try_from((now - begin).as_micros()).unwrap_or(u32::MAX)),
            Err(status) => {
                caller.failed += 1;
                caller.failure.get_or_insert(status);
            }
        }
        begin = now;
    }
    caller
}
