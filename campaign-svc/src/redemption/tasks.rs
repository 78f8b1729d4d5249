//! Following the peer's stream, one stream per tenant that has a catalogue.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::SignedDuration;
use tandem_platform::outbox::{Cursor, consumer};
use tandem_platform::{Call, Fault, Kind, Outcome, Tenant, grpc};
use tandem_proto::relationship::v1::event_service_client::EventServiceClient;
use tandem_proto::relationship::v1::{SubscribeRequest, SubscribeResponse};
use tokio::sync::Mutex;
use tonic::Streaming;
use uuid::Uuid;

use super::{commands, events};
use crate::App;

/// How long a replica leads without renewing.
const LEASE: SignedDuration = SignedDuration::from_secs(6);
/// How often it renews, and how often the others look whether it still does.
const RENEW: Duration = Duration::from_secs(2);
/// The wait after a stream broke.
const RETRY: Duration = Duration::from_millis(500);
/// The wait after each taking in, so that the next one takes in more: figures may be late by so much.
const GATHER: Duration = Duration::from_millis(50);
/// Events that one transaction takes in.
const BATCH: usize = 256;
/// How often new tenants are looked for.
const TENANTS: Duration = Duration::from_secs(1);
/// Longer than any service keeps its events.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);
const SWEEP: Duration = Duration::from_secs(60);
const SWEEP_LIMIT: u32 = 10_000;

/// Starts to follow.
pub fn start(app: &Arc<App>) {
    let followed: Arc<Mutex<HashSet<Tenant>>> = Arc::default();
    let (known, holder) = (app.clone(), app.ids.next(app.clock.now()));
    app.tasks.every("redemptions: tenants", TENANTS, None, move || {
        let (app, followed) = (known.clone(), followed.clone());
        async move {
            let mut followed = followed.lock().await;
            for tenant in app.snapshots.tenants() {
                if followed.insert(tenant.clone()) {
                    let follower = app.clone();
                    app.tasks.spawn("redemptions", async move { follow(&follower, &tenant, holder).await });
                }
            }
            Ok(())
        }
    });
    let swept = app.clone();
    app.tasks.every("redemptions: sweep", SWEEP, None, move || {
        let app = swept.clone();
        async move {
            consumer::sweep(&app.db, app.clock.now() - REMEMBERED, SWEEP_LIMIT).await?;
            Ok(())
        }
    });
}

/// Follows one tenant's redemptions until the process stops.
async fn follow(app: &Arc<App>, tenant: &Tenant, holder: Uuid) {
    let mut from_start = false;
    let mut broken = false;
    while !app.tasks.soft().is_cancelled() {
        let wait = match commands::lead(app, tenant, holder, LEASE).await {
            Ok(true) => match listen(app, tenant, holder, from_start).await {
                Ok(()) => {
                    (from_start, broken) = (false, false);
                    RENEW
                }
                Err(fault) => {
                    // Events were dropped before they were taken in: go on with the oldest that is left.
                    from_start = fault.kind() == Kind::OutOfRange;
                    if from_start {
                        tracing::error!(%tenant, "redemptions were missed: the cursor is older than the peer's events");
                    } else if !broken {
                        tracing::warn!(%tenant, fault = ?fault, "redemptions are not followed at the moment");
                    }
                    broken = true;
                    RETRY
                }
            },
            Ok(false) => RENEW,
            Err(fault) => {
                tracing::debug!(%tenant, fault = ?fault, "no lease on redemptions");
                RENEW
            }
        };
        tokio::select! {
            () = app.tasks.soft().cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    if let Err(fault) = commands::resign(app, tenant, holder).await {
        tracing::debug!(%tenant, fault = ?fault, "the lease on redemptions runs out by itself");
    }
}

/// Takes in what comes until the lease is lost, the process stops (`Ok`) or the stream breaks.
async fn listen(app: &Arc<App>, tenant: &Tenant, holder: Uuid, from_start: bool) -> Outcome<()> {
    let cursor = if from_start { None } else { commands::cursor(app, tenant).await? };
    let mut stream = subscribe(app, tenant, cursor).await?;
    let mut renew = tokio::time::interval(RENEW);
    renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let first = tokio::select! {
            () = app.tasks.soft().cancelled() => return Ok(()),
            _ = renew.tick() => {
                if !commands::lead(app, tenant, holder, LEASE).await? {
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
        take_in(app, tenant, delivered).await?;
        tokio::time::sleep(GATHER).await;
    }
}

async fn take_in(app: &Arc<App>, tenant: &Tenant, delivered: Vec<SubscribeResponse>) -> Outcome<()> {
    let cursor = delivered.last().map(|last| last.cursor.parse::<Cursor>());
    let Some(Ok(upto)) = cursor else {
        return Err(Fault::internal("a cursor of relationship-svc is not one"));
    };
    let events: Vec<_> = delivered.into_iter().filter_map(|response| response.event).collect();
    commands::take_in(app, tenant, &events, upto).await
}

fn expected(next: Result<Option<SubscribeResponse>, tonic::Status>) -> Outcome<SubscribeResponse> {
    match next {
        Ok(Some(response)) => Ok(response),
        Ok(None) => Err(Fault::shutting_down()),
        Err(status) => Err(relayed(status)),
    }
}

async fn subscribe(
    app: &App,
    tenant: &Tenant,
    cursor: Option<Cursor>,
) -> Outcome<Streaming<SubscribeResponse>> {
    let request = SubscribeRequest {
        cursor: cursor.map(|cursor| cursor.to_string()).unwrap_or_default(),
        types: events::TYPES.map(str::to_owned).to_vec(),
        aggregate_prefix: String::new(),
    };
    let call = Call::system(tenant.as_str());
    let mut outgoing = grpc::outgoing(&call, Duration::from_secs(1), request);
    // A stream without end has no time limit.
    outgoing.metadata_mut().remove("grpc-timeout");
    let response = EventServiceClient::new(app.relationship.channel()).subscribe(outgoing).await;
    response.map(tonic::Response::into_inner).map_err(relayed)
}

fn relayed(status: tonic::Status) -> Fault {
    Fault::from_peer(status)
}
