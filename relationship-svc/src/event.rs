//! What happened, as a durable stream for any microservice: the outbox as the contract shows it.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use tandem_platform::outbox::{self, Asked, Cursor, Filter, Told};
use tandem_platform::{Fault, Outcome, Tenant, Violations, grpc};
use tandem_proto::relationship::v1::event_service_server::EventService;
use tandem_proto::relationship::v1::{
    Gap, SubscribeAllRequest, SubscribeAllResponse, SubscribeRequest, SubscribeResponse, TenantCursor,
};
use tonic::{Request, Response, Status, Streaming};

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
        let (known, filter) = tokio::select! {
            said = said(request.into_inner()) => said?,
            () = app.tasks.draining().cancelled() => return Err(Fault::shutting_down().into()),
        };
        let goodbye = app.tasks.draining().clone().cancelled_owned();
        let told = outbox::merge(&app.db, known, filter, app.config.relay.tenants_per_transaction);
        let responses = told.map(|told| Ok(response(told?))).take_until(goodbye);
        Ok(Response::new(responses.boxed()))
    }
}

/// What the follower of all tenants knows and wants, from its first message to its last.
async fn said(mut requests: Streaming<SubscribeAllRequest>) -> Outcome<(HashMap<Tenant, Cursor>, Filter)> {
    let (mut known, mut types, mut v) = (HashMap::new(), Vec::new(), Violations::new());
    while let Some(request) = requests.message().await.map_err(Fault::from_peer)? {
        for (index, one) in request.cursors.iter().enumerate() {
            let (tenant, cursor) = (Tenant::parse(&one.tenant), one.cursor.parse::<Cursor>());
            v.check(tenant.is_some(), format!("cursors[{index}].tenant"), "is not a tenant");
            v.check(
                cursor.is_ok(),
                format!("cursors[{index}].cursor"),
                "must be a cursor of an earlier response",
            );
            known.extend(tenant.zip(cursor.ok()));
        }
        outbox::check_types(&mut v, &request.types);
        types.extend(request.types);
        v.finish()?;
        v = Violations::new();
    }
    outbox::check_types(&mut v, &types);
    v.finish()?;
    Ok((known, Filter { types, aggregates: Vec::new() }))
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
