//! What happened, as a durable stream for any microservice: the outbox as the contract shows it.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use tandem_platform::grpc;
use tandem_platform::outbox::{self, Asked, Said, Told};
use tandem_proto::campaign::v1::event_service_server::EventService;
use tandem_proto::campaign::v1::{
    Gap, SubscribeAllRequest, SubscribeAllResponse, SubscribeRequest, SubscribeResponse, TenantCursor,
};
use tonic::{Request, Response, Status, Streaming};

use crate::App;

#[cfg(test)]
mod tests;

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

    type SubscribeAllStream = Pin<Box<dyn Stream<Item = Result<SubscribeAllResponse, Status>> + Send>>;

    async fn subscribe_all(
        &self,
        request: Request<Streaming<SubscribeAllRequest>>,
    ) -> Result<Response<Self::SubscribeAllStream>, Status> {
        let app = &self.0;
        grpc::only_peer(&request, &app.config.server)?;
        let together = app.config.relay.tenants_per_transaction;
        let feed = outbox::feed_all(&app.db, &app.tasks, request.into_inner(), said, together).await?;
        Ok(Response::new(feed.map(|told| Ok(response(told?))).boxed()))
    }
}

fn said(request: SubscribeAllRequest) -> Said {
    let cursors = request.cursors.into_iter().map(|one| (one.tenant, one.cursor));
    Said { cursors: cursors.collect(), types: request.types }
}

fn response(told: Told) -> SubscribeAllResponse {
    let gap = match told.gap {
        None => Gap::Unspecified,
        Some(outbox::Gap::Expired) => Gap::Expired,
        Some(outbox::Gap::Unreadable) => Gap::Unreadable,
    };
    let reached = TenantCursor { tenant: told.tenant.to_string(), cursor: told.cursor.to_string() };
    SubscribeAllResponse { reached: Some(reached), event: told.event.map(|event| *event), gap: gap.into() }
}
