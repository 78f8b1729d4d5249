//! The service as tests start it: on a given database, with a clock that stands and ids that count, reached through
//! every layer of the server but the socket.

use std::convert::Infallible;
use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::clock::{CountingIds, FixedClock};
use tandem_platform::{Call, Db};
use tandem_proto::common::v1::Event;
use tonic::Status;
use tonic::body::Body;
use tonic_types::StatusExt;
use tower::util::BoxCloneSyncService;

pub use crate::redemption::audit::{Audit, audit};
use crate::{App, Config, serve};

/// Calls the service in this process; every generated client takes it: `CustomerServiceClient::new(harness.channel())`.
pub type Channel = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Infallible>;

/// A service without a socket.
#[derive(Debug)]
pub struct Harness {
    /// What all calls share.
    pub app: Arc<App>,
    /// The clock of the service.
    pub clock: Arc<FixedClock>,
    /// A call of the tenant `default`.
    pub call: Call,
    channel: Channel,
}

impl Harness {
    /// A service on `db` in which it is 12:00 UTC on 1 July 2026, a Wednesday. Nothing runs by itself: no relay, no
    /// sweeper.
    #[expect(clippy::expect_used, reason = "a test may fail loudly, and nobody else calls this")]
    pub fn new(db: Db) -> Self {
        let noon = Timestamp::from_second(1_782_907_200).expect("a moment of our time");
        let clock = Arc::new(FixedClock::at(noon));
        let app = App::new(db, clock.clone(), Arc::new(CountingIds::default()), Config::default())
            .expect("the defaults are usable");
        let road = serve::road(&app, serve::services(&app), uuid::Uuid::nil());
        Self { app, clock, call: Call::system("default"), channel: Channel::new(road) }
    }

    /// What a generated client speaks through.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Every event that was recorded so far, in the order of the transactions.
    pub async fn events(&self) -> Vec<Event> {
        tandem_platform::testing::events(&self.app.db).await
    }
}

/// The reason of a refusal: `NOT_FOUND`.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// The fields that a refusal names, in order.
pub fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

/// What a refusal says is in the way, as (subject, type), in order.
pub fn preconditions(status: &Status) -> Vec<(String, String)> {
    let violations =
        status.get_details_precondition_failure().map(|failure| failure.violations).unwrap_or_default();
    violations.into_iter().map(|violation| (violation.subject, violation.r#type)).collect()
}
