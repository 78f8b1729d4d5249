//! A service as tests start it: on a given database, with a clock that stands and ids that count, reached through every
//! layer of the server but the socket.

use std::convert::Infallible;
use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::clock::{CountingIds, FixedClock};
use tandem_proto::common::v1::Event;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use uuid::Uuid;

use crate::call::Call;
use crate::db::Db;
use crate::shell::{Program, road};

/// Calls the service in this process; every generated client takes it: `CampaignServiceClient::new(harness.channel())`.
pub type Channel = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Infallible>;

/// A service without a socket.
pub struct Harness<P> {
    /// What all calls share.
    pub app: Arc<P>,
    /// The clock of the service.
    pub clock: Arc<FixedClock>,
    /// A call of the tenant `default`.
    pub call: Call,
    channel: Channel,
}

impl<P: Program> Harness<P> {
    /// A service on `db` in which it is 12:00 UTC on 1 July 2026, a Wednesday. Nothing runs by itself: no relay, no
    /// sweeper.
    pub fn new(db: Db) -> Self {
        Self::with(db, P::Settings::default())
    }

    /// The same with settings of its own.
    #[expect(clippy::expect_used, reason = "a test may fail loudly, and nobody else calls this")]
    pub fn with(db: Db, settings: P::Settings) -> Self {
        let noon = Timestamp::from_second(1_782_907_200).expect("a moment of our time");
        let clock = Arc::new(FixedClock::at(noon));
        let app = P::open(db, clock.clone(), Arc::new(CountingIds::default()), settings)
            .expect("the settings are usable");
        let road = road(&*app, app.services(), Uuid::nil());
        Self { app, clock, call: Call::system("default"), channel: Channel::new(road) }
    }

    /// What a generated client speaks through.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Every event that was recorded so far, in the order of the transactions.
    pub async fn events(&self) -> Vec<Event> {
        super::events(&self.app.db).await
    }
}

impl<P> std::fmt::Debug for Harness<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness").field("call", &self.call).finish_non_exhaustive()
    }
}
