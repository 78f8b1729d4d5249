//! What happened, as a durable stream for any microservice: the outbox as the contract shows it, and the tasks that
//! number and forget.

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::SignedDuration;
use prost::Message;
use tandem_platform::outbox::{self, Cursor, Delivery, Filter, Recorded, Relay, RelayConfig};
use tandem_platform::{Outcome, Tenant, Violations, grpc, idempotency};
use tandem_proto::campaign::v1::event_service_server::EventService;
use tandem_proto::campaign::v1::{SubscribeRequest, SubscribeResponse};
use tonic::{Request, Response, Status};

use crate::App;

/// The most type prefixes of one subscription.
const MAX_TYPES: usize = 20;
/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 256;
/// How long a request_id is remembered.
const CLAIM_RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How often old rows are looked for.
const SWEEP_POLL: Duration = Duration::from_secs(60);
/// Rows that one sweep deletes at most.
const SWEEP_LIMIT: u32 = 10_000;

/// An event of the message `payload`, whose full name is `type_`.
pub fn recorded<M: Message>(type_: &'static str, aggregate: String, version: i64, payload: &M) -> Recorded {
    let payload =
        prost_types::Any { type_url: format!("type.googleapis.com/{type_}"), value: payload.encode_to_vec() };
    Recorded { type_, aggregate, version, payload }
}

/// Starts what numbers events and what forgets old ones.
pub fn start(app: &Arc<App>) {
    Relay::new(app.db.clone(), app.clock.clone(), RelayConfig::default()).start(&app.tasks);
    let swept = app.clone();
    app.tasks.every("sweep", SWEEP_POLL, None, move || sweep(swept.clone()));
}

async fn sweep(app: Arc<App>) -> Outcome<()> {
    let now = app.clock.now();
    let retention = SignedDuration::from_hours(app.config.event_retention_h.into());
    outbox::sweep(&app.db, now - retention, SWEEP_LIMIT).await?;
    idempotency::sweep(&app.db, now - CLAIM_RETENTION, SWEEP_LIMIT).await?;
    Ok(())
}

/// The service of the contract.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }
}

#[tonic::async_trait]
impl EventService for Api {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let call = grpc::call(&request)?;
        let wanted = parse(request.into_inner(), &call.tenant)?;
        let cursor = match wanted.from {
            From::Oldest => None,
            From::After(cursor) => Some(cursor),
            From::End => Some(outbox::head(&self.0.db).await?),
        };
        let deliveries = outbox::follow(&self.0.db, cursor, wanted.filter);
        let goodbye = self.0.tasks.draining().clone().cancelled_owned();
        Ok(Response::new(Box::pin(deliveries.map(encode).take_until(goodbye))))
    }
}

#[derive(Debug)]
enum From {
    Oldest,
    After(Cursor),
    End,
}

#[derive(Debug)]
struct Wanted {
    from: From,
    filter: Filter,
}

fn parse(request: SubscribeRequest, tenant: &Tenant) -> Outcome<Wanted> {
    let mut v = Violations::new();
    let from = match request.cursor.as_str() {
        "" => From::Oldest,
        "end" => From::End,
        text => match text.parse() {
            Ok(cursor) => From::After(cursor),
            Err(_) => {
                v.add("cursor", "must be a cursor of an earlier response, \"end\", or empty");
                From::Oldest
            }
        },
    };
    v.check(request.types.len() <= MAX_TYPES, "types", format!("must have at most {MAX_TYPES} entries"));
    for (index, prefix) in request.types.iter().take(MAX_TYPES).enumerate() {
        let fits = (1..=MAX_PREFIX).contains(&prefix.len());
        v.check(fits, format!("types[{index}]"), format!("must have 1 to {MAX_PREFIX} bytes"));
    }
    let fits = request.aggregate_prefix.len() <= MAX_PREFIX;
    v.check(fits, "aggregate_prefix", format!("must have at most {MAX_PREFIX} bytes"));
    v.finish()?;
    let aggregates = Some(request.aggregate_prefix).filter(|prefix| !prefix.is_empty()).into_iter().collect();
    Ok(Wanted { from, filter: Filter { tenant: Some(tenant.clone()), types: request.types, aggregates } })
}

fn encode(delivery: Outcome<Delivery>) -> Result<SubscribeResponse, Status> {
    Ok(match delivery? {
        Delivery::Event(event) => {
            SubscribeResponse { cursor: Cursor::of(&event).to_string(), event: Some(*event) }
        }
        Delivery::Progress(cursor) => SubscribeResponse { cursor: cursor.to_string(), event: None },
    })
}
