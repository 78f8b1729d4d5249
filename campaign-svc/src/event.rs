//! What happened, as a durable stream for any microservice: the outbox as the contract shows it.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use tandem_platform::outbox::{self, Asked};
use tandem_platform::{Core, grpc};
use tandem_proto::campaign::v1::event_service_server::EventService;
use tandem_proto::campaign::v1::{SubscribeRequest, SubscribeResponse};
use tonic::{Request, Response, Status};

#[cfg(test)]
mod tests;

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
}
