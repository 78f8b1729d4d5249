//! What happened, as a durable stream for any microservice: the outbox as the contract shows it.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use jiff::SignedDuration;
use prost::Message;
use tandem_platform::grpc;
use tandem_platform::outbox::{self, Asked, Recorded};
use tandem_proto::campaign::v1::event_service_server::EventService;
use tandem_proto::campaign::v1::{
    ListSetAsideEventsRequest, ListSetAsideEventsResponse, RetrySetAsideEventsRequest,
    RetrySetAsideEventsResponse, SubscribeRequest, SubscribeResponse,
};
use tonic::{Request, Response, Status};

use crate::App;
use crate::redemption::aside;

#[cfg(test)]
mod tests;

/// An event of the message `payload`, whose full name is `type_`.
pub fn recorded<M: Message>(type_: &'static str, aggregate: String, version: i64, payload: &M) -> Recorded {
    let payload =
        prost_types::Any { type_url: format!("type.googleapis.com/{type_}"), value: payload.encode_to_vec() };
    Recorded { type_, aggregate, version, payload }
}

/// Starts what numbers events and what forgets old ones.
pub fn start(app: &Arc<App>) {
    let retention = SignedDuration::from_hours(app.config.event_retention_h.into());
    outbox::keep(&app.db, &app.clock, &app.tasks, app.config.relay, retention);
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
        let SubscribeRequest { cursor, types, aggregate_prefix } = request.into_inner();
        let asked = Asked { cursor, types, aggregate_prefix };
        let feed = outbox::feed(&self.0.db, &self.0.tasks, &call.tenant, asked).await?;
        let responses = feed.map(|told| {
            let (cursor, event) = told?;
            Ok(SubscribeResponse { cursor, event })
        });
        Ok(Response::new(responses.boxed()))
    }

    async fn list_set_aside_events(
        &self,
        request: Request<ListSetAsideEventsRequest>,
    ) -> Result<Response<ListSetAsideEventsResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(aside::list(&self.0, &call, request.into_inner()).await?))
    }

    async fn retry_set_aside_events(
        &self,
        request: Request<RetrySetAsideEventsRequest>,
    ) -> Result<Response<RetrySetAsideEventsResponse>, Status> {
        let (call, request) = (grpc::call(&request)?, request.into_inner());
        let (app, caller) = (self.0.clone(), call.clone());
        // Needs no request_id: an event counts once, however often it is tried.
        let retry = async move { aside::retry(&app, &caller, request).await };
        Ok(Response::new(grpc::detached(&self.0.tasks, &call, retry).await?))
    }
}
