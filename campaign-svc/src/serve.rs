//! The life of the process, and the order of everything a call passes on its way.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use tandem_kernel::clock::{Clock, Ids, SystemClock, SystemIds};
use tandem_platform::config::{ConfigError, ServerConfig};
use tandem_platform::grpc::{self, Metrics, Services, Streams};
use tandem_platform::lifecycle::{self, Bound, Process, StopSignal, Stopped, readiness};
use tandem_platform::telemetry::Endpoint;
use tandem_proto::campaign::v1::campaign_service_server::CampaignServiceServer;
use tandem_proto::campaign::v1::event_service_server::EventServiceServer;
use tandem_proto::campaign::v1::feedback_service_server::FeedbackServiceServer;
use tandem_proto::campaign::v1::objective_service_server::ObjectiveServiceServer;
use tandem_proto::campaign::v1::order_service_server::OrderServiceServer;
use tandem_proto::campaign::v1::product_service_server::ProductServiceServer;
use tonic::body::Body;
use tower::Service;
use uuid::Uuid;

use crate::{App, Config, MIGRATIONS, campaign, event, objective, order, pricing, product, redemption};

/// Streams whose caller decides when they end.
const STREAMS: Streams = Streams::new(&["/tandem.campaign.v1.EventService/Subscribe"]);

/// Serves until `stop`. `ready` is called once, as soon as calls can be answered, with the address that is listened on.
///
/// SQLite is migrated here; on PostgreSQL `migrate` is a command of its own and the server waits until the schema is
/// current.
pub async fn run(
    config: Config,
    stop: StopSignal,
    ready: impl FnOnce(SocketAddr) + Send + 'static,
) -> Result<Stopped, ConfigError> {
    let bound = Bound::to(&config.server).await?;
    let scraped = Endpoint::to(&config.metrics).await?;
    let db = readiness::open(&config.database, &MIGRATIONS).await?;
    let process = SystemIds.next(SystemClock.now());
    let app = App::new(db.clone(), Arc::new(SystemClock), Arc::new(SystemIds), config)?;
    if let Some(scraped) = scraped {
        scraped.serve(&app.telemetry, &app.tasks);
    }
    let (services, health) = services(&app).with_health().await;
    let road = road(&app, services.with_reflection()?, process);
    readiness::watch(&db, &MIGRATIONS, &app.tasks, &health, &app.first_loads, bound.address(), ready);
    event::start(&app);
    pricing::tasks::start(&app);
    redemption::tasks::start(&app);
    order::tasks::start(&app);
    let process = Process { config: &app.config.server, tasks: &app.tasks, health: &health };
    lifecycle::run(bound, road, process, stop, async move { db.close().await }).await
}

/// The layers, outermost first.
pub fn road(
    app: &Arc<App>,
    services: Services,
    process: Uuid,
) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let config = &app.config.server;
    let metrics = Metrics::of(app.telemetry.meter(), &[tandem_proto::DESCRIPTORS]);
    tower::ServiceBuilder::new()
        .layer(grpc::GrpcWeb::new()) // browsers: translated before anything else looks at the call
        .layer(grpc::Entry) // one box per call; inside, layers are plain async functions
        .layer(grpc::TraceCalls::new(metrics, process)) // one line and one count, also for the calls refused below
        .layer(grpc::Edge) // whatever is refused below leaves with a reason of the contract
        .layer(grpc::CatchPanics) // a panic is an answer
        .layer(grpc::Shed::new(config, STREAMS, &app.tasks)) // full means no, at once: before any work is done
        .layer(grpc::IdentifyCaller) // who asks, for which tenant
        .layer(grpc::LimitTime::new(config, STREAMS)) // innermost: what it cuts off is the handler alone
        .service(services)
}

/// What is served. The size of a message is limited by each service.
pub fn services(app: &Arc<App>) -> Services {
    let ServerConfig { max_message_bytes: most, .. } = app.config.server;
    Services::new()
        .add(ObjectiveServiceServer::new(objective::rpc::Api::new(app)).max_decoding_message_size(most))
        .add(ProductServiceServer::new(product::rpc::Api::new(app)).max_decoding_message_size(most))
        .add(CampaignServiceServer::new(campaign::rpc::Api::new(app)).max_decoding_message_size(most))
        .add(pricing::serve::Server::new(app, most))
        .add(OrderServiceServer::new(order::rpc::Api::new(app)).max_decoding_message_size(most))
        .add(EventServiceServer::new(event::Api::new(app)).max_decoding_message_size(most))
        .add(FeedbackServiceServer::new(redemption::rpc::Api::new(app)).max_decoding_message_size(most))
}
