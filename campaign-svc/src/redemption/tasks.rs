//! Following the peer's events: all tenants by one stream, on the one replica that holds the lease.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, stream};
use jiff::SignedDuration;
use tandem_platform::outbox::{Cursor, Gap, consumer};
use tandem_platform::telemetry::metrics::{Counter, Gauge};
use tandem_platform::{Call, Fault, Outcome, Tenant, grpc};
use tandem_proto::relationship::v1 as wire;
use tandem_proto::relationship::v1::event_service_client::EventServiceClient;
use tandem_proto::relationship::v1::{SubscribeAllRequest, SubscribeAllResponse, TenantCursor};
use tonic::Streaming;
use uuid::Uuid;

use super::commands::{self, Delivered, Taken};
use super::events;
use crate::App;

/// How long a replica leads without renewing.
const LEASE: SignedDuration = SignedDuration::from_secs(6);
/// How often it renews, and how often the others look whether it still does.
const RENEW: Duration = Duration::from_secs(2);
/// The wait after a stream broke.
const RETRY: Duration = Duration::from_millis(500);
/// The wait after each taking in that left nothing behind, so that the next one takes in more: figures may be late by
/// so much.
const GATHER: Duration = Duration::from_millis(50);
/// How long the peer may take to begin its stream.
const OPENING: Duration = Duration::from_secs(10);
/// Deliveries that are taken in together.
const BATCH: usize = 256;
/// Cursors in one message.
const CURSORS: usize = 1_000;
/// Longer than any service keeps its events.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);
const SWEEP: Duration = Duration::from_secs(60);
const SWEEP_LIMIT: u32 = 10_000;

/// Starts to follow.
pub fn start(app: &Arc<App>) {
    let (follower, holder, told) = (app.clone(), app.ids.next(app.clock.now()), Told::new(app));
    let counted = told.clone();
    app.tasks.spawn("redemptions", async move { follow(&follower, holder, &told).await });
    let swept = app.clone();
    app.tasks.every("redemptions: sweep", SWEEP, None, move || {
        let (app, told) = (swept.clone(), counted.clone());
        async move {
            let before = app.clock.now() - REMEMBERED;
            while consumer::sweep(&app.db, before, SWEEP_LIMIT).await? >= u64::from(SWEEP_LIMIT) {}
            told.waiting(consumer::aside::count(&app.db).await?);
            Ok(())
        }
    });
}

/// What went wrong, in numbers.
#[derive(Debug, Clone)]
struct Told {
    waiting: Gauge<u64>,
    set_aside: Counter<u64>,
    missed: Counter<u64>,
}

impl Told {
    fn new(app: &App) -> Self {
        let meter = app.telemetry.meter();
        let counter = |name, description| {
            meter.u64_counter(name).with_unit("{event}").with_description(description).build()
        };
        Self {
            waiting: meter
                .u64_gauge("tandem.events.waiting")
                .with_unit("{event}")
                .with_description("Events of relationship-svc that are set aside, of all tenants.")
                .build(),
            set_aside: counter(
                "tandem.events.set_aside",
                "Events of relationship-svc that could not be taken in and were set aside.",
            ),
            missed: counter(
                "tandem.events.missed",
                "Times that relationship-svc could not tell of a tenant's events any more.",
            ),
        }
    }

    fn waiting(&self, count: i64) {
        self.waiting.record(u64::try_from(count).unwrap_or_default(), &[]);
    }

    fn count(&self, taken: Taken) {
        self.set_aside.add(taken.set_aside, &[]);
        self.missed.add(taken.missed, &[]);
    }
}

/// Follows redemptions until the process stops.
async fn follow(app: &Arc<App>, holder: Uuid, told: &Told) {
    let mut broken = false;
    while !app.tasks.soft().is_cancelled() {
        let wait = match commands::lead(app, holder, LEASE).await {
            Ok(true) => match listen(app, holder, told).await {
                Ok(()) => {
                    broken = false;
                    RENEW
                }
                Err(fault) => {
                    if !broken {
                        tracing::warn!(fault = ?fault, "redemptions are not followed at the moment");
                    }
                    broken = true;
                    RETRY
                }
            },
            Ok(false) => RENEW,
            Err(fault) => {
                tracing::debug!(fault = ?fault, "no lease on redemptions");
                RENEW
            }
        };
        tokio::select! {
            () = app.tasks.soft().cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    if let Err(fault) = commands::resign(app, holder).await {
        tracing::debug!(fault = ?fault, "the lease on redemptions runs out by itself");
    }
}

/// Takes in what comes until the lease is lost, the process stops (`Ok`) or the stream breaks.
async fn listen(app: &Arc<App>, holder: Uuid, told: &Told) -> Outcome<()> {
    let mut stream = subscribe(app, commands::cursors(app).await?).await?;
    let mut renew = tokio::time::interval(RENEW);
    renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let first = tokio::select! {
            () = app.tasks.soft().cancelled() => return Ok(()),
            _ = renew.tick() => {
                if !commands::lead(app, holder, LEASE).await? {
                    return Ok(());
                }
                continue;
            }
            next = stream.message() => next,
        };
        let mut delivered = vec![expected(first)?];
        while delivered.len() < BATCH
            && let Some(next) = stream.message().now_or_never()
        {
            delivered.push(expected(next)?);
        }
        let full = delivered.len() == BATCH;
        told.count(commands::take_in(app, delivered).await?);
        if !full {
            tokio::time::sleep(GATHER).await;
        }
    }
}

fn expected(next: Result<Option<SubscribeAllResponse>, tonic::Status>) -> Outcome<Delivered> {
    match next {
        Ok(Some(response)) => delivered(response),
        Ok(None) => Err(Fault::shutting_down()),
        Err(status) => Err(Fault::from_peer(status)),
    }
}

fn delivered(response: SubscribeAllResponse) -> Outcome<Delivered> {
    let gap = match response.gap() {
        wire::Gap::Unspecified => None,
        wire::Gap::Expired => Some(Gap::Expired),
        wire::Gap::Unreadable => Some(Gap::Unreadable),
    };
    let TenantCursor { tenant, cursor } = response.reached.unwrap_or_default();
    let (Some(tenant), Ok(cursor)) = (Tenant::parse(&tenant), cursor.parse::<Cursor>()) else {
        return Err(Fault::internal("a cursor of relationship-svc is not one"));
    };
    Ok(Delivered { tenant, cursor, event: response.event, gap })
}

async fn subscribe(app: &App, known: HashMap<Tenant, Cursor>) -> Outcome<Streaming<SubscribeAllResponse>> {
    let types = events::TYPES.map(str::to_owned).to_vec();
    let cursors: Vec<TenantCursor> = known
        .into_iter()
        .map(|(tenant, cursor)| TenantCursor { tenant: tenant.to_string(), cursor: cursor.to_string() })
        .collect();
    let parts =
        cursors.chunks(CURSORS).map(|some| SubscribeAllRequest { cursors: some.to_vec(), types: vec![] });
    let said: Vec<SubscribeAllRequest> =
        std::iter::once(SubscribeAllRequest { cursors: vec![], types }).chain(parts).collect();
    let call = Call::system(Tenant::default().as_str());
    let mut outgoing = grpc::outgoing(&call, Duration::from_secs(1), stream::iter(said));
    // A stream without end has no time limit.
    outgoing.metadata_mut().remove("grpc-timeout");
    let mut client = EventServiceClient::new(app.relationship.channel());
    tokio::select! {
        response = client.subscribe_all(outgoing) => {
            response.map(tonic::Response::into_inner).map_err(Fault::from_peer)
        }
        () = app.tasks.soft().cancelled() => Err(Fault::shutting_down()),
        () = tokio::time::sleep(OPENING) => Err(Fault::deadline_exceeded()),
    }
}
