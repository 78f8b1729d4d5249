//! What could not be counted, as the contract shows it.

use tandem_platform::{Core, grpc};
use tandem_proto::campaign::v1::feedback_service_server::FeedbackService;
use tandem_proto::campaign::v1::{
    ListSetAsideEventsRequest, ListSetAsideEventsResponse, RetrySetAsideEventsRequest,
    RetrySetAsideEventsResponse,
};
use tonic::{Request, Response, Status};

use super::aside;

/// The service of the contract.
#[derive(Debug, Clone)]
pub struct Api(Core);

impl Api {
    /// Of this process.
    pub fn new(core: &Core) -> Self {
        Self(core.clone())
    }
}

#[tonic::async_trait]
impl FeedbackService for Api {
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
        let (core, caller) = (self.0.clone(), call.clone());
        // Needs no request_id: an event counts once, however often it is tried.
        let retry = async move { aside::retry(&core, &caller, request).await };
        Ok(Response::new(grpc::detached(&self.0.tasks, &call, retry).await?))
    }
}
