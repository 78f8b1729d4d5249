//! Orders of campaign-svc that could not be counted, as the contract shows them.

use std::sync::Arc;

use tandem_platform::grpc;
use tandem_platform::outbox::consumer;
use tandem_platform::outbox::consumer::aside::Aside;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::feedback_service_server::FeedbackService;
use tandem_proto::relationship::v1::{
    ListSetAsideEventsRequest, ListSetAsideEventsResponse, RetrySetAsideEventsRequest,
    RetrySetAsideEventsResponse, SetAsideEvent,
};
use tonic::{Request, Response, Status};

use crate::App;

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
impl FeedbackService for Api {
    async fn list_set_aside_events(
        &self,
        request: Request<ListSetAsideEventsRequest>,
    ) -> Result<Response<ListSetAsideEventsResponse>, Status> {
        let (call, request) = (grpc::call(&request)?, request.into_inner());
        let asked = (request.page_size, request.page_token.as_str());
        let (events, next_page_token) = consumer::page(&*self.0, &call, asked, message).await?;
        Ok(Response::new(ListSetAsideEventsResponse { events, next_page_token }))
    }

    async fn retry_set_aside_events(
        &self,
        request: Request<RetrySetAsideEventsRequest>,
    ) -> Result<Response<RetrySetAsideEventsResponse>, Status> {
        let (call, request) = (grpc::call(&request)?, request.into_inner());
        let wanted = consumer::wanted(&request.event_ids)?;
        let (app, tenant) = (self.0.clone(), call.tenant.clone());
        // Needs no request_id: an event counts once, however often it is tried.
        let retry = async move { consumer::retry(&*app, &tenant, &wanted).await };
        let tried = grpc::detached(&self.0.tasks, &call, retry).await?;
        let taken_in = tried.taken_in.iter().map(ToString::to_string).collect();
        let still_set_aside = grpc::fitting(tried.still.iter().map(message));
        Ok(Response::new(RetrySetAsideEventsResponse { taken_in, still_set_aside }))
    }
}

fn message(one: &Aside) -> SetAsideEvent {
    let set_aside_time = Some(to_timestamp(one.since));
    SetAsideEvent { event: Some(one.event.clone()), reason: one.reason.clone(), set_aside_time }
}
