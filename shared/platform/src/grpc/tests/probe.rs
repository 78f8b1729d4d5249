//! A service that does what a test asks of it, and the server around it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::NamedService;
use tower::Service;

use super::*;
use crate::config::{ClientConfig, ClientTlsConfig};
use crate::fault::Violations;
use crate::lifecycle::{self, Bound, Process, StopSignal, Stopped};
use crate::telemetry::Telemetry;

const STREAMS: Streams = Streams::new(&["/tandem.test.Probe/Follow"])
    .and_long(&["/tandem.test.Probe/Hang", "/tandem.test.Probe/Export"]);

/// What the test and the handlers say to each other.
pub struct Probe {
    tasks: Tasks,
    /// One permit for each handler that has been entered.
    pub entered: Semaphore,
    /// Lets one waiting handler, or one write, go on per permit.
    pub gate: Semaphore,
    /// One permit for each detached write that ended.
    pub written: Semaphore,
}

impl Probe {
    async fn ask(&self, request: Request<LocalizedMessage>) -> Outcome<LocalizedMessage> {
        let call = super::call(&request)?;
        let shown = peer::shown(&request);
        let LocalizedMessage { locale: command, message } = request.into_inner();
        self.entered.add_permits(1);
        match command.as_str() {
            "echo" => {}
            "panic" => panic!("as asked"),
            "certificate" => {
                return Ok(LocalizedMessage { locale: command, message: shown.unwrap_or_default() });
            }
            "wait" => self.pass().await,
            "invalid" => {
                let mut v = Violations::new();
                (0..500).for_each(|line| v.add(format!("lines[{line}].{message}"), "wrong"));
                v.finish()?;
            }
            "internal" => return Err(Fault::internal("no").caused_by("the secret")),
            "call" => {
                let left = call.deadline.is_some();
                let message = format!("{} {} {left}", call.tenant, call.principal);
                return Ok(LocalizedMessage { locale: call.trace.to_string(), message });
            }
            _ => return Err(Fault::not_found(command)),
        }
        Ok(LocalizedMessage { locale: command, message })
    }

    async fn pass(&self) {
        self.gate.acquire().await.unwrap().forget();
    }
}

#[derive(Clone)]
struct ProbeServer(Arc<Probe>);

impl NamedService for ProbeServer {
    const NAME: &'static str = "tandem.test.Probe";
}

impl Service<http::Request<Body>> for ProbeServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let probe = self.0.clone();
        let codec = ProstCodec::<LocalizedMessage, LocalizedMessage>::default();
        let mut grpc = tonic::server::Grpc::new(codec).max_decoding_message_size(4 << 20);
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            Ok(match path.rsplit('/').next().unwrap() {
                "Ask" | "Hang" => {
                    let answer = tower::service_fn(|request: Request<LocalizedMessage>| {
                        let probe = probe.clone();
                        async move { Ok(tonic::Response::new(probe.ask(request).await?)) }
                    });
                    grpc.unary(answer, request).await
                }
                "Write" => {
                    let answer = tower::service_fn(|request: Request<LocalizedMessage>| {
                        let probe = probe.clone();
                        async move {
                            let call = super::call(&request)?;
                            probe.entered.add_permits(1);
                            let write = probe.clone();
                            let done = detached(&probe.tasks, &call, async move {
                                write.pass().await;
                                write.written.add_permits(1);
                                Ok(LocalizedMessage::default())
                            });
                            Ok(tonic::Response::new(done.await?))
                        }
                    });
                    grpc.unary(answer, request).await
                }
                "Follow" => {
                    let answer = tower::service_fn(|_: Request<LocalizedMessage>| async {
                        let first = tokio_stream::once(Ok::<_, Status>(LocalizedMessage::default()));
                        Ok(tonic::Response::new(first.chain(tokio_stream::pending())))
                    });
                    grpc.server_streaming(answer, request).await
                }
                "Export" => {
                    let answer = tower::service_fn(|_: Request<LocalizedMessage>| {
                        let probe = probe.clone();
                        async move {
                            let first = tokio_stream::once(Ok::<_, Status>(LocalizedMessage::default()));
                            let last = futures::stream::once(async move {
                                probe.pass().await;
                                Ok(LocalizedMessage::default())
                            });
                            Ok(tonic::Response::new(first.chain(last)))
                        }
                    });
                    grpc.server_streaming(answer, request).await
                }
                "Fail" => {
                    let answer = tower::service_fn(|_: Request<LocalizedMessage>| async {
                        let first = tokio_stream::once(Ok::<_, Status>(LocalizedMessage::default()));
                        let failure = tokio_stream::once(()).map(|()| Err(Fault::internal("late").into()));
                        Ok(tonic::Response::new(first.chain(failure)))
                    });
                    grpc.server_streaming(answer, request).await
                }
                "Burst" => {
                    let answer = tower::service_fn(|_: Request<LocalizedMessage>| async {
                        let broken = tokio_stream::once(())
                            .map(|()| -> Result<LocalizedMessage, Status> { panic!("in the stream") });
                        Ok(tonic::Response::new(broken))
                    });
                    grpc.server_streaming(answer, request).await
                }
                // As generated servers answer a method they do not have.
                _ => {
                    let mut response = http::Response::new(Body::default());
                    response.headers_mut().insert("grpc-status", 12.into());
                    response
                }
            })
        })
    }
}

pub const PEER: Words<'static> = Words { endpoint: "peer.endpoint", tls: "peer.tls." };

/// A server with the probe behind the whole road.
pub struct Server {
    pub address: SocketAddr,
    pub probe: Arc<Probe>,
    pub telemetry: Telemetry,
    pub health: Health,
    pub tasks: Tasks,
    pub stop: mpsc::Sender<()>,
    stopped: oneshot::Receiver<Stopped>,
}

impl Server {
    pub async fn start(config: ServerConfig) -> Self {
        let tasks = Tasks::new();
        let (entered, gate, written) = (Semaphore::new(0), Semaphore::new(0), Semaphore::new(0));
        let probe = Arc::new(Probe { tasks: tasks.clone(), entered, gate, written });
        let (services, health) = Services::new().add(ProbeServer(probe.clone())).with_health().await;
        let services = services.with_reflection().unwrap();
        let telemetry = Telemetry::new("probe").unwrap();
        let metrics = Metrics::of(telemetry.meter(), &[]);
        let road = tower::ServiceBuilder::new()
            .layer(browsers(&config))
            .layer(GrpcWeb::new())
            .layer(Entry)
            .layer(TraceCalls::new(metrics, Uuid::from_u128(1 << 100)))
            .layer(Compression::new(&config))
            .layer(Edge)
            .layer(CatchPanics)
            .layer(Shed::new(&config, STREAMS, &tasks))
            .layer(IdentifyCaller)
            .layer(LimitTime::new(&config, STREAMS))
            .service(services);
        let bound = Bound::to(&config).await.unwrap();
        let address = bound.address();
        let (stop, signal) = StopSignal::manual();
        let (report, stopped) = oneshot::channel();
        let (stopping, said) = (tasks.clone(), health.clone());
        // A set of its own: the process does not wait for itself.
        Tasks::new().spawn("server", async move {
            let process = Process { config: &config, tasks: &stopping, health: &said };
            let _ = report.send(lifecycle::run(bound, road, process, signal, async {}).await.unwrap());
        });
        Self { address, probe, telemetry, health, tasks, stop, stopped }
    }

    pub fn channel(&self) -> Channel {
        let endpoint = format!("http://{}", self.address).into();
        super::channel(PEER, &ClientConfig { endpoint, ..ClientConfig::default() }).unwrap()
    }

    pub fn secure_channel(&self, tls: ClientTlsConfig) -> Channel {
        let endpoint = format!("https://localhost:{}", self.address.port()).into();
        super::channel(PEER, &ClientConfig { endpoint, tls, ..ClientConfig::default() }).unwrap()
    }

    pub async fn entered(&self) {
        tokio::time::timeout(PATIENCE, self.probe.entered.acquire()).await.unwrap().unwrap().forget();
    }

    pub async fn stopped(self) -> Stopped {
        tokio::time::timeout(PATIENCE, self.stopped).await.unwrap().unwrap()
    }

    /// How many calls of unknown methods (the probe's) ended with the code of this name.
    pub fn ended(&self, code: &str) -> u64 {
        let labels = format!("rpc_method=\"other\",rpc_response_status_code=\"{code}\"");
        self.counted(&format!("rpc_server_call_duration_seconds_count{{{labels}}}"))
    }

    /// How many calls of unknown methods are in progress.
    pub fn active(&self) -> u64 {
        self.counted("rpc_server_active_calls{rpc_method=\"other\"}")
    }

    fn counted(&self, series: &str) -> u64 {
        let text = self.telemetry.render();
        let count = text.lines().find_map(|line| line.strip_prefix(series));
        count.map_or(0, |count| count.trim().parse().unwrap())
    }
}
