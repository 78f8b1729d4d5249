//! Interactions as the contract words them.

pub mod feedback;
mod parse;
mod timeline;

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use tandem_platform::resource::asked;
use tandem_platform::{Call, Fault, Kind, Outcome, field, grpc, service};
use tandem_proto::relationship::v1::interaction_service_server::InteractionService;
use tandem_proto::relationship::v1::{
    self, ClaimGuestRequest, ClaimGuestResponse, ErrorReason, ListInteractionsRequest,
    ListInteractionsResponse, RecordFailure, RecordInteractionsRequest, RecordInteractionsResponse,
    RecordResult, StreamInteractionsRequest, StreamInteractionsResponse,
};
use tonic::{Request, Response, Status, Streaming};

use super::{Interaction, MAX_BATCH, Recorded, commands};
use crate::App;
pub use parse::who;

/// Messages of one stream that are on their way to the database side by side.
const IN_FLIGHT: usize = 4;

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
impl InteractionService for Api {
    async fn record_interactions(
        &self,
        request: Request<RecordInteractionsRequest>,
    ) -> Result<Response<RecordInteractionsResponse>, Status> {
        let (call, sent) = (grpc::call(&request)?, request.into_inner().interactions);
        if sent.is_empty() {
            return Err(Fault::invalid_field("interactions", "is required").into());
        }
        let ids: Vec<String> = sent.iter().map(|one| one.event_id.clone()).collect();
        let outcomes = record(&self.0, &call, sent).await?;
        let results = ids.into_iter().zip(outcomes).map(|(event_id, outcome)| match outcome {
            Ok(created) => RecordResult { event_id, status: Some(field::item_ok()), created },
            Err(fault) => RecordResult { event_id, status: Some(field::item_status(fault)), created: false },
        });
        Ok(Response::new(RecordInteractionsResponse { results: results.collect() }))
    }

    type StreamInteractionsStream =
        Pin<Box<dyn Stream<Item = Result<StreamInteractionsResponse, Status>> + Send>>;

    async fn stream_interactions(
        &self,
        request: Request<Streaming<StreamInteractionsRequest>>,
    ) -> Result<Response<Self::StreamInteractionsStream>, Status> {
        let (app, call) = (self.0.clone(), grpc::call(&request)?);
        let draining = app.tasks.draining().clone();
        let recorded = request.into_inner().map(move |message| {
            let (app, call) = (app.clone(), call.clone());
            async move { block(&app, &call, message?.interactions).await }
        });
        // So many are read ahead of the caller's reading, and no more.
        let responses = recorded.buffered(IN_FLIGHT).take_until(draining.clone().cancelled_owned());
        // Who has not heard of all it sent must not take the end for a good one.
        let goodbye = move || draining.is_cancelled().then(|| Err(Fault::shutting_down().into()));
        let responses = responses.chain(stream::iter(std::iter::from_fn(goodbye).take(1)));
        Ok(Response::new(ends_with_its_first_error(responses)))
    }

    async fn list_interactions(
        &self,
        request: Request<ListInteractionsRequest>,
    ) -> Result<Response<ListInteractionsResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(timeline::list(&self.0, &call, request.into_inner()).await?))
    }

    async fn claim_guest(
        &self,
        request: Request<ClaimGuestRequest>,
    ) -> Result<Response<ClaimGuestResponse>, Status> {
        let mut write = asked::write(&self.0, request)?;
        let claim = parse::claim(&mut write.v, &write.body);
        let claimed = service::write(&self.0, write.asks(claim)?, commands::claim).await?;
        Ok(Response::new(ClaimGuestResponse { orders: claimed.orders, claimed_before: claimed.again }))
    }
}

/// What is behind an error would be confirmed past what was not.
fn ends_with_its_first_error<T: Send + 'static>(
    responses: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>> {
    let until = responses.scan(false, |over, next| {
        let goes_on = !std::mem::replace(over, next.is_err());
        futures::future::ready(goes_on.then_some(next))
    });
    until.boxed()
}

/// One message of a stream.
async fn block(
    app: &Arc<App>,
    call: &Call,
    sent: Vec<v1::Interaction>,
) -> Result<StreamInteractionsResponse, Status> {
    let ids: Vec<String> = sent.iter().map(|one| one.event_id.clone()).collect();
    let mut answer = StreamInteractionsResponse::default();
    for (at, (event_id, outcome)) in ids.into_iter().zip(record(app, call, sent).await?).enumerate() {
        match outcome {
            Ok(true) => answer.created += 1,
            Ok(false) => answer.known += 1,
            Err(fault) => {
                let index = i32::try_from(at).unwrap_or(i32::MAX);
                answer.failures.push(RecordFailure {
                    index,
                    event_id,
                    status: Some(field::item_status(fault)),
                });
            }
        }
    }
    Ok(answer)
}

/// Records what is right of a batch; answers of each whether it is new, or why it is not recorded.
async fn record(app: &Arc<App>, call: &Call, sent: Vec<v1::Interaction>) -> Outcome<Vec<Outcome<bool>>> {
    if sent.len() > MAX_BATCH {
        let message = format!("must have at most {MAX_BATCH} entries, has {}", sent.len());
        return Err(Fault::invalid_field("interactions", message));
    }
    let (settings, now) = (app.tenancy.of(app, &call.tenant).await?, app.clock.now());
    let read: Vec<Outcome<Interaction>> =
        sent.into_iter().map(|one| parse::interaction(one, &settings.retention, now)).collect();
    let good: Vec<Interaction> = read.iter().filter_map(|one| one.as_ref().ok().cloned()).collect();
    let (own, caller, block) = (app.clone(), call.clone(), good.clone());
    let write = async move { commands::record(&own, &caller, block).await };
    let mut recorded = grpc::detached(&app.tasks, call, write).await?.into_iter().zip(&good);
    let outcome = |one: Outcome<Interaction>| {
        one?;
        let decided = recorded.next().ok_or_else(|| Fault::internal("an interaction was not decided"));
        let (outcome, sent) = decided?;
        verdict(outcome?, sent)
    };
    Ok(read.into_iter().map(outcome).collect())
}

fn verdict(recorded: Recorded, sent: &Interaction) -> Outcome<bool> {
    match recorded {
        Recorded::Created => Ok(true),
        Recorded::Known => Ok(false),
        Recorded::Differs => {
            let id =
                sent.order.as_deref().filter(|_| sent.kind == super::Kind::Order).unwrap_or(&sent.event_id);
            let message = format!("{id} was recorded with other content");
            Err(Fault::new(Kind::AlreadyExists, ErrorReason::InteractionDiffers, message))
        }
        Recorded::NoCustomer => {
            let name = sent.who.customer();
            let message = format!("{name} does not exist");
            let fault = Fault::new(Kind::NotFound, ErrorReason::CustomerNotFound, message);
            Err(fault.with("resource", name))
        }
    }
}
