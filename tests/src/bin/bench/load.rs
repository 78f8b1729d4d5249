//! The load generator: callers that each send one call after the other, over a handful of HTTP/2 connections. Requests
//! are bytes made in advance, and answers are not read beyond their status, because the generator shares the machine
//! with what it measures.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use prost::bytes::Bytes;
use tandem_platform::grpc::TENANT;
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::{Outcome, compressed};
use tandem_tests::raw::Raw;

/// HTTP/2 connections the callers share.
const CONNECTIONS: usize = 4;
/// How long the last answers of a load may take after its end, and any one call alone: longer than any service takes
/// over a call.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A method of a server.
#[derive(Debug, Clone)]
pub struct Target {
    channels: Vec<Channel>,
    path: PathAndQuery,
    /// The compression that its clients accept, where they say so.
    accepted: Option<&'static str>,
}

impl Target {
    /// Connects.
    pub async fn connect(address: &str, path: &str) -> Outcome<Self> {
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels
                .push(Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await?);
        }
        Ok(Self { channels, path: PathAndQuery::from_str(path)?, accepted: None })
    }

    /// The same for clients that accept this compression.
    pub fn accepting(&self, encoding: &'static str) -> Self {
        Self { accepted: Some(encoding), ..self.clone() }
    }

    /// One call of nobody's tenant in particular.
    pub async fn call(&self, request: Bytes) -> Result<Bytes, Status> {
        self.call_of(None, request).await
    }

    /// One call of a tenant.
    pub async fn call_of(
        &self,
        tenant: Option<&AsciiMetadataValue>,
        request: Bytes,
    ) -> Result<Bytes, Status> {
        let mut channel = self.channels[0].clone();
        let answer = call(&mut channel, self, tenant, request);
        let late = |_| Status::deadline_exceeded(format!("no answer within {PATIENCE:?}"));
        tokio::time::timeout(PATIENCE, answer).await.map_err(late)?
    }
}

async fn call(
    channel: &mut Channel,
    target: &Target,
    tenant: Option<&AsciiMetadataValue>,
    request: Bytes,
) -> Result<Bytes, Status> {
    if let Some(accepted) = target.accepted {
        return compressed::call(channel, &target.path, accepted, request).await;
    }
    let mut grpc = Grpc::new(channel).max_decoding_message_size(usize::MAX);
    grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let mut request = Request::new(request);
    if let Some(tenant) = tenant {
        request.metadata_mut().insert(TENANT, tenant.clone());
    }
    grpc.unary(request, target.path.clone(), Raw).await.map(tonic::Response::into_inner)
}

/// Requests made in advance, taken in their order by whoever is free.
#[derive(Debug)]
pub struct Calls {
    requests: Vec<Bytes>,
    /// Whose they are, in turn; empty: nobody's in particular.
    tenants: Vec<AsciiMetadataValue>,
    next: AtomicUsize,
    again: bool,
}

impl Calls {
    /// Each is sent once; the load ends where they run out.
    pub fn once(requests: Vec<Bytes>) -> Arc<Self> {
        Self::once_of(vec![], requests)
    }

    /// The same, the first for the first tenant and so on, in turn.
    pub fn once_of(tenants: Vec<AsciiMetadataValue>, requests: Vec<Bytes>) -> Arc<Self> {
        Arc::new(Self { requests, tenants, next: AtomicUsize::new(0), again: false })
    }

    /// From the start again, as often as there is time.
    pub fn again(requests: Vec<Bytes>) -> Arc<Self> {
        Self::again_of(vec![], requests)
    }

    /// The same for these tenants in turn.
    pub fn again_of(tenants: Vec<AsciiMetadataValue>, requests: Vec<Bytes>) -> Arc<Self> {
        Arc::new(Self { requests, tenants, next: AtomicUsize::new(0), again: true })
    }

    fn next(&self) -> Option<(Option<&AsciiMetadataValue>, Bytes)> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let index = if self.again { turn % self.requests.len().max(1) } else { turn };
        let tenant = self.tenants.get(turn % self.tenants.len().max(1));
        Some((tenant, self.requests.get(index)?.clone()))
    }
}

/// A refusal for people, on one line.
pub fn said(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
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
            let (all, said) = (self.failed + self.ok, said(failure));
            text.push_str(&format!(", {} of {all} FAILED, first {said}", self.failed));
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
        running.spawn(call_until(channel, target.clone(), calls.clone(), start + time));
    }
    let mut measured = Measured {
        ok: 0,
        failed: 0,
        failure: None,
        seconds: 0.0,
        latency: Histogram::new_with_max(60_000_000, 3)?,
    };
    let finished = tokio::time::timeout(time + PATIENCE, running.join_all()).await;
    let finished = finished.map_err(|_| format!("calls without an answer {PATIENCE:?} after the end"))?;
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

async fn call_until(mut channel: Channel, target: Target, calls: Arc<Calls>, end: Instant) -> Caller {
    let mut caller = Caller::default();
    let mut begin = Instant::now();
    while begin < end {
        let Some((tenant, request)) = calls.next() else { break };
        let answer = call(&mut channel, &target, tenant, request).await;
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
