//! The gRPC side of a service: the layers on the way of a call, the server's settings, health, reflection and
//! gRPC-Web, the client to the other service, and the helpers with which `rpc.rs` reads a request.
//!
//! A service's `serve.rs` composes the layers itself, outermost first, so that it *is* the order:
//!
//! ```no_run
//! use tandem_platform::config::{ConfigError, ServerConfig};
//! use tandem_platform::grpc::{self, Metrics, Services, Serving, Streams};
//! use tandem_platform::lifecycle::{self, Bound, Process, StopSignal, Stopped};
//! use tandem_platform::tasks::Tasks;
//! use tandem_platform::telemetry::Telemetry;
//! use uuid::Uuid;
//!
//! const STREAMS: Streams = Streams::new(&["/tandem.campaign.v1.EventService/Subscribe"]);
//!
//! async fn serve(
//!     config: &ServerConfig,
//!     tasks: &Tasks,
//!     telemetry: &Telemetry,
//!     process: Uuid,
//! ) -> Result<Stopped, ConfigError> {
//!     let services = Services::new(); // .add(CampaignServiceServer::new(..).max_decoding_message_size(..))
//!     let (services, health) = services.with_health().await;
//!     let services = services.with_reflection()?;
//!     let metrics = Metrics::of(telemetry.meter(), &[tandem_proto::DESCRIPTORS]);
//!
//!     let road = tower::ServiceBuilder::new()
//!         .layer(grpc::browsers(config)) // pages of other origins: whether they may call at all
//!         .layer(grpc::GrpcWeb::new()) // browsers: translated before anything else looks at the call
//!         .layer(grpc::Entry) // one box per call; inside, layers are plain async functions
//!         .layer(grpc::TraceCalls::new(metrics, process)) // one line and one count, also for the calls refused below
//!         .layer(grpc::Compression::new(config)) // large answers go small, where the client can read them
//!         .layer(grpc::Edge) // whatever is refused below leaves with a reason of the contract
//!         .layer(grpc::CatchPanics) // a panic is an answer
//!         .layer(grpc::Shed::new(config, STREAMS, tasks)) // full means no, at once: before any work is done
//!         .layer(grpc::IdentifyCaller) // who asks, for which tenant
//!         .layer(grpc::LimitTime::new(config, STREAMS)) // innermost: what it cuts off is the handler alone
//!         .service(services);
//!
//!     let bound = Bound::to(config).await?;
//!     bound.announce("campaign-svc");
//!     health.set_serving(Serving::Everything).await; // once the database answers and its schema is current
//!     let process = Process { config, tasks, health: &health };
//!     lifecycle::run(bound, road, process, StopSignal::of_process()?, async { /* db.close().await */ }).await
//! }
//! ```
//!
//! The limit of sizes is tonic's own, set per service with `max_decoding_message_size`; [`Edge`] words its refusal.

mod answer;
mod browsers;
mod caller;
mod client;
mod coding;
mod compression;
mod deadline;
mod edge;
mod handle;
mod health;
mod import;
mod metrics;
mod panic;
mod peer;
mod repeats;
mod request;
mod services;
mod shed;
mod streams;
mod tls;
mod trace;
mod transport;

#[cfg(test)]
mod tests;

use std::future::Future;

pub use answer::{ANSWER_BYTES, cut, fitting};
pub use browsers::{browsers, check_origins};
pub use caller::{Identified, IdentifyCaller};
pub use client::{Words, channel, endpoint, is_remote_and_clear, outgoing};
pub use compression::{Compressing, CompressingBody, Compression};
pub use deadline::{LimitTime, Limited};
pub use edge::{Edge, Edged, EdgedBody};
pub use handle::{Entered, Entry, Handle, ResponseBody};
pub use health::{Health, Serving};
pub use import::{BLOCK_ROWS, Import, import};
pub use metrics::{MethodId, Metrics};
pub use panic::{CatchPanics, Catching, CatchingBody};
pub use peer::{check_peers, only_peer};
pub use request::{
    Mask, check_etag, entry_mask, etag, field_mask, optional_request_id, page_size, request_id,
};
pub use services::Services;
pub use shed::{HeldBody, Shed, Shedding};
pub use streams::Streams;
pub use tls::Tls;
pub use tonic_web::GrpcWebLayer as GrpcWeb;
pub use trace::{TraceCalls, Traced, TracedBody};
pub use transport::serve;

use crate::call::Call;
use crate::fault::{Fault, Outcome};
use crate::idempotency::{Gates, Request};
use crate::tasks::Tasks;

/// The metadata key of the tenant.
pub const TENANT: &str = "tandem-tenant";
/// The metadata key of the principal.
pub const PRINCIPAL: &str = "tandem-principal";

/// Who asks, and until when. Fails where the server was built without [`IdentifyCaller`].
pub fn call<T>(request: &tonic::Request<T>) -> Outcome<Call> {
    let call = request.extensions().get::<Call>().cloned();
    call.ok_or_else(|| Fault::internal("the server does not identify its callers"))
}

/// Runs a write to its end although the caller may go away meanwhile: tonic drops a handler whose connection closes or
/// whose time is up, and a half-done write must not depend on that. Not begun after the deadline, nor once the process
/// has drained.
pub async fn detached<T, F>(tasks: &Tasks, call: &Call, write: F) -> Outcome<T>
where
    F: Future<Output = Outcome<T>> + Send + 'static,
    T: Send + 'static,
{
    call.check_deadline()?;
    // In a box: a whole command is large, and would be copied from place to place until it runs.
    tasks.write(Box::pin(write)).await
}

/// As [`detached`], and calls with the same request_id one after the other, whether the caller of the one before still
/// waits or not: each finds what became of it. Waiting ends with the caller's deadline.
pub async fn once<T, F>(tasks: &Tasks, gates: &Gates, call: &Call, request: &Request, write: F) -> Outcome<T>
where
    F: Future<Output = Outcome<T>> + Send + 'static,
    T: Send + 'static,
{
    let passage = gates.pass(&call.tenant, request).await;
    let write = async move {
        let outcome = write.await;
        drop(passage);
        outcome
    };
    detached(tasks, call, write).await
}
