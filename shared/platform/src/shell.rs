//! The shell around a service: its command line, its settings, the order in which a process starts, and the layers that a
//! call passes. What differs between services is a [`Program`].

pub mod command;
mod settings;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use jiff::SignedDuration;
use tandem_kernel::clock::{Clock, Ids, SystemClock, SystemIds};
use tonic::body::Body;
use tower::Service;
use uuid::Uuid;

pub use settings::{Common, Settings};

use crate::clock::Movable;
use crate::config::{ConfigError, ServerConfig};
use crate::db::{Db, Migrations};
use crate::grpc::{self, Metrics, Services, Streams};
use crate::lifecycle::readiness::{self, FirstLoads};
use crate::lifecycle::{self, Bound, Process, StopSignal, Stopped};
use crate::outbox;
use crate::service::Core;
use crate::telemetry::Endpoint;

/// A service: what all of its calls share, and what of it a process runs.
pub trait Program: Deref<Target = Core> + Sized + Send + Sync + 'static {
    /// As its program is called: `campaign-svc`.
    const NAME: &'static str;
    /// What it is, in a line.
    const ABOUT: &'static str;
    /// Its schema.
    const MIGRATIONS: &'static Migrations;
    /// Its calls that may take longer than others.
    const STREAMS: Streams;
    /// What can be set.
    type Settings: Settings;

    /// Everything but the tasks that run by themselves.
    fn open(
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: Self::Settings,
    ) -> Result<Arc<Self>, ConfigError>;

    /// The settings in force.
    fn settings(&self) -> &Self::Settings;

    /// What is to be read before the process serves.
    fn first_loads(&self) -> FirstLoads {
        FirstLoads::of(&self.db)
    }

    /// What is served. The size of a message is limited by each service.
    fn services(self: &Arc<Self>) -> Services;

    /// Starts what runs by itself, beside the relay.
    fn start(self: &Arc<Self>);
}

/// Serves until `stop`. `ready` is called once, as soon as calls can be answered, with the address that is listened on.
///
/// SQLite is migrated here; on PostgreSQL `migrate` is a command of its own and the server waits until the schema is
/// current.
///
/// `moved` is the clock of an operator, instead of the machine's. No setting of a service gives one.
pub async fn run<P: Program>(
    settings: P::Settings,
    moved: Option<Movable>,
    stop: StopSignal,
    ready: impl FnOnce(SocketAddr) + Send + 'static,
) -> Result<Stopped, ConfigError> {
    let Common { server, metrics, database, .. } = settings.common();
    if moved.is_some() {
        Movable::only_here(P::NAME, server)?;
    }
    let bound = Bound::to(server).await?;
    let scraped = Endpoint::to(metrics).await?;
    let db = readiness::open(database, P::MIGRATIONS).await?;
    let process = SystemIds.next(SystemClock.now());
    let (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>) = match &moved {
        Some(moved) => (moved.clock(), moved.ids()),
        None => (Arc::new(SystemClock), Arc::new(SystemIds)),
    };
    let program = P::open(db.clone(), clock, ids, settings)?;
    let Common { server, relay, event_retention_h, .. } = program.settings().common();
    if let Some(scraped) = scraped {
        scraped.serve(&program.telemetry, &program.tasks);
    }
    let services = program.services();
    let services = match &moved {
        Some(moved) => services.add(moved.server(&program.tasks)),
        None => services,
    };
    let (services, health) = services.with_health().await;
    let road = road(&*program, services.with_reflection()?, process);
    let loads = program.first_loads();
    readiness::watch(&db, P::MIGRATIONS, &program.tasks, &health, &loads, bound.address(), ready);
    let retention = SignedDuration::from_hours(event_retention_h.into());
    outbox::keep(&db, &program.clock, &program.tasks, relay, retention);
    program.start();
    let process = Process { config: server, tasks: &program.tasks, health: &health };
    lifecycle::run(bound, road, process, stop, async move { db.close().await }).await
}

/// The layers, outermost first.
pub fn road<P: Program>(
    program: &P,
    services: Services,
    process: Uuid,
) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ use<P>
+ 'static {
    let config: &ServerConfig = program.settings().common().server;
    let metrics = Metrics::of(program.telemetry.meter(), &[tandem_proto::DESCRIPTORS]);
    tower::ServiceBuilder::new()
        .layer(grpc::browsers(config)) // pages of other origins: whether they may call at all
        .layer(grpc::GrpcWeb::new()) // browsers: translated before anything else looks at the call
        .layer(grpc::Entry) // one box per call; inside, layers are plain async functions
        .layer(grpc::TraceCalls::new(metrics, process)) // one line and one count, also for the calls refused below
        .layer(grpc::Compression::new(config)) // large answers go small, where the client can read them
        .layer(grpc::Edge) // whatever is refused below leaves with a reason of the contract
        .layer(grpc::CatchPanics) // a panic is an answer
        .layer(grpc::Shed::new(config, P::STREAMS, &program.tasks)) // full means no, at once: before any work is done
        .layer(grpc::IdentifyCaller) // who asks, for which tenant
        .layer(grpc::LimitTime::new(config, P::STREAMS)) // innermost: what it cuts off is the handler alone
        .service(services)
}
