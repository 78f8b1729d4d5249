//! How a process starts and, above all, stops: every step in order and every step bounded, because tonic waits for
//! connections without limit and a platform kills without asking.
//!
//! On SIGTERM or SIGINT: health says NOT_SERVING → the lame duck still accepts, until load balancers have noticed → no
//! new connections and GOAWAY on the old ones, streams without end are closed → calls in progress end → writes whose
//! callers are gone end → pollers and lanes end → the database closes. A second signal ends all of it at once. What a
//! limit leaves behind ends with the process; see [`block_on`].

pub mod readiness;

use std::convert::Infallible;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tonic::body::Body;
use tower::Service;

use crate::config::{ConfigError, ServerConfig};
use crate::grpc::{Health, Tls, check_origins, check_peers, serve};
use crate::tasks::Tasks;

/// A socket that is listened on.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
}

impl Bound {
    /// Listens as `config` says. Fails where the address is taken, or where other machines could reach a server that
    /// asks nobody who he is.
    pub async fn to(config: &ServerConfig) -> Result<Self, ConfigError> {
        let listen = config.listen;
        check_peers(config)?;
        check_origins(config)?;
        let tls = config.tls.as_ref().map(Tls::new).transpose()?;
        if !listen.ip().is_loopback() && config.tls.is_none() {
            let message =
                "what callers on other machines say is read by whoever is on the way: set server.tls";
            tracing::warn!(%listen, "{message}");
        }
        if !listen.ip().is_loopback() && !config.allow_remote_without_authentication {
            return Err(ConfigError::new(format!(
                "server.listen = \"{listen}\" can be reached from other machines and callers are not authenticated: \
                 listen on 127.0.0.1, or set server.allow_remote_without_authentication = true where the network lets \
                 only trusted callers through"
            )));
        }
        let bound = async {
            let listener = TcpListener::bind(listen).await?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address, tls })
        };
        bound.await.map_err(|error: std::io::Error| {
            let why = match error.kind() {
                ErrorKind::AddrInUse => {
                    format!(
                        "another process listens on port {}: stop it, or choose another port",
                        listen.port()
                    )
                }
                ErrorKind::PermissionDenied => {
                    format!("port {} is for the superuser: choose one from 1024", listen.port())
                }
                ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
                _ => error.to_string(),
            };
            ConfigError::new(format!("server.listen = \"{listen}\": {why}"))
        })
    }

    /// The address, its port as the machine chose it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Writes `<name> listening on <address>` to standard output: scripts and tests wait for this line.
    pub fn announce(&self, name: &str) {
        println!("{name} listening on {}", self.address);
    }
}

/// What tells a process to stop, and a second time to stop at once.
#[derive(Debug)]
pub enum StopSignal {
    /// SIGTERM and SIGINT.
    Process {
        /// SIGTERM.
        terminate: Signal,
        /// SIGINT.
        interrupt: Signal,
    },
    /// Another part of the same process.
    Manual(mpsc::Receiver<()>),
}

impl StopSignal {
    /// The signals of this process, which from now on do not end it by themselves.
    pub fn of_process() -> Result<Self, ConfigError> {
        let listen = |kind| {
            signal(kind).map_err(|error| ConfigError::new(format!("signals cannot be received: {error}")))
        };
        let terminate = listen(SignalKind::terminate())?;
        Ok(Self::Process { terminate, interrupt: listen(SignalKind::interrupt())? })
    }

    /// A signal given by whoever holds the sender: the first message stops, the second stops at once.
    pub fn manual() -> (mpsc::Sender<()>, Self) {
        let (sender, receiver) = mpsc::channel(2);
        (sender, Self::Manual(receiver))
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        match self {
            Self::Process { terminate, interrupt } => tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            },
            Self::Manual(receiver) => {
                // A sender that is gone never stops anything.
                if receiver.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// What is stopped together.
#[derive(Debug, Clone, Copy)]
pub struct Process<'a> {
    /// The limits of the steps.
    pub config: &'a ServerConfig,
    /// Detached writes and pollers.
    pub tasks: &'a Tasks,
    /// What load balancers read.
    pub health: &'a Health,
}

/// How a process stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Every connection ended within its limit.
    pub drained: bool,
    /// Every detached write ended within its limit.
    pub writes_finished: bool,
    /// Every poller ended within its limit.
    pub background_finished: bool,
    /// The database was closed within its limit.
    pub closed: bool,
    /// A second signal came.
    pub forced: bool,
}

impl Stopped {
    /// Whether no work was cut off. Connections that their clients kept open do not count.
    pub fn orderly(&self) -> bool {
        self.writes_finished && self.background_finished && self.closed && !self.forced
    }
}

/// Serves until `stop`, then stops in order; `close` is the last step. Fails where the server ends by itself.
pub async fn run<S, B>(
    bound: Bound,
    service: S,
    process: Process<'_>,
    mut stop: StopSignal,
    close: impl Future<Output = ()>,
) -> Result<Stopped, ConfigError>
where
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Process { config, tasks, health } = process;
    let ms = Duration::from_millis;
    let (goaway, told) = oneshot::channel::<()>();
    let told = async move {
        // An error means that the other end of this very function is gone: stop as well.
        let _ = told.await;
    };
    let mut serving = serve(config, (bound.listener, bound.tls), tasks, service, told);
    tokio::select! {
        ended = &mut serving => {
            let why = ended.err().map(|error| crate::fault::chain(&error)).unwrap_or_default();
            return Err(ConfigError::new(format!("the server ended by itself: {why}")));
        }
        () = stop.next() => {}
    }

    let began = Instant::now();
    let mut stopped = Stopped::default();
    let orderly = async {
        tracing::info!("stopping: no longer ready");
        health.stop().await;
        let lame_duck = tokio::time::timeout(ms(config.lame_duck_ms), &mut serving).await;
        tracing::info!("stopping: draining");
        tasks.draining().cancel();
        let _ = goaway.send(());
        stopped.drained = match lame_duck {
            Ok(_) => true,
            Err(_) => tokio::time::timeout(ms(config.drain_ms), &mut serving).await.is_ok(),
        };
        stopped.writes_finished = tasks.finish_writes(ms(config.finish_writes_ms)).await;
        stopped.background_finished = tasks.finish_background(ms(config.finish_background_ms)).await;
        stopped.closed = tokio::time::timeout(ms(config.finish_background_ms), close).await.is_ok();
    };
    let forced = tokio::select! {
        () = orderly => false,
        () = stop.next() => true,
    };
    stopped.forced = forced;
    tasks.hard().cancel();
    let took_ms = began.elapsed().as_millis() as u64;
    if stopped.orderly() {
        tracing::info!(drained = stopped.drained, took_ms, "stopped");
    } else {
        tracing::warn!(
            drained = stopped.drained,
            writes_finished = stopped.writes_finished,
            background_finished = stopped.background_finished,
            closed = stopped.closed,
            forced,
            took_ms,
            "stopped before all was done"
        );
    }
    Ok(stopped)
}

/// Runs a program's whole life on a runtime of at least two workers, and then lets go of whatever still runs: the
/// connection of a client that never closes, a task that a limit left behind.
pub fn block_on<F: Future>(life: F) -> Result<F::Output, ConfigError> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(|error| ConfigError::new(format!("the runtime cannot be started: {error}")))?;
    let output = runtime.block_on(life);
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_authentication_only_this_machine_is_listened_to() {
        let remote = ServerConfig { listen: SocketAddr::from(([0, 0, 0, 0], 0)), ..ServerConfig::default() };
        let error = Bound::to(&remote).await.unwrap_err().to_string();
        assert!(error.contains("allow_remote_without_authentication"), "{error}");
        let allowed = ServerConfig { allow_remote_without_authentication: true, ..remote };
        assert_ne!(Bound::to(&allowed).await.unwrap().address().port(), 0);
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let first = Bound::to(&ServerConfig::default()).await.unwrap();
        let second = ServerConfig { listen: first.address(), ..ServerConfig::default() };
        let error = Bound::to(&second).await.unwrap_err().to_string();
        assert!(error.contains(&first.address().to_string()), "{error}");
    }
}
