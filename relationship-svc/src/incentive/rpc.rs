//! The incentive service of the contract.

mod encode;
mod parse;

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::rule::Facts;
use tandem_platform::db::Reader;
use tandem_platform::list::{Asked, List, Listed, Order, Position};
use tandem_platform::{Fault, Outcome, Tenant, grpc};
use tandem_proto::relationship::v1::incentive_service_server::IncentiveService;
use tandem_proto::relationship::v1::{
    ArchiveIncentiveRequest, ArchiveIncentiveResponse, CreateIncentiveRequest, CreateIncentiveResponse,
    EvaluateIncentivesRequest, EvaluateIncentivesResponse, GetIncentiveRequest, GetIncentiveResponse,
    Incentive as Message, ListIncentivesRequest, ListIncentivesResponse, UpdateIncentiveRequest,
    UpdateIncentiveResponse,
};
use tonic::{Request, Response, Status};

use super::{Incentive, commands, events, fact, name, store, vocabulary};
use crate::{App, redemption};

/// The service.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }
}

#[tonic::async_trait]
impl IncentiveService for Api {
    async fn create_incentive(
        &self,
        request: Request<CreateIncentiveRequest>,
    ) -> Result<Response<CreateIncentiveResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, id, definition) = parse::create(&self.0, request.into_inner())?;
        let write = move |app: Arc<App>, call, claim| async move {
            commands::create(&app, &call, &claim, id, definition).await
        };
        let incentive = self.0.write(call, claim, write).await?;
        Ok(Response::new(CreateIncentiveResponse { incentive: Some(events::message(&incentive)) }))
    }

    async fn get_incentive(
        &self,
        request: Request<GetIncentiveRequest>,
    ) -> Result<Response<GetIncentiveResponse>, Status> {
        let call = grpc::call(&request)?;
        let id = parse::name(&request.get_ref().name)?;
        let mut reader = self.0.db.read().await?;
        let found = store::find(&mut reader, &call.tenant, &id).await?;
        let incentive = found.ok_or_else(|| Fault::not_found(name(&id)))?;
        let now = self.0.clock.now();
        let counted = redemption::usage(&mut reader, &call.tenant, &incentive, now, &self.0.zone).await?;
        let usage = Some(encode::usage(&counted));
        Ok(Response::new(GetIncentiveResponse {
            incentive: Some(Message { usage, ..events::message(&incentive) }),
        }))
    }

    async fn list_incentives(
        &self,
        request: Request<ListIncentivesRequest>,
    ) -> Result<Response<ListIncentivesResponse>, Status> {
        let call = grpc::call(&request)?;
        let message = request.get_ref();
        let asked = Asked {
            list: "ListIncentives",
            page_size: message.page_size,
            page_token: &message.page_token,
            filter: &message.filter,
            order_by: &message.order_by,
        };
        let list = List::read(&call, asked, &vocabulary())?;
        let page = list.page::<Incentive>(&self.0.db, &call.tenant, self.0.clock.now()).await?;
        let incentives = page.items.iter().map(events::message).collect();
        Ok(Response::new(ListIncentivesResponse { incentives, next_page_token: page.next_page_token }))
    }

    async fn update_incentive(
        &self,
        request: Request<UpdateIncentiveRequest>,
    ) -> Result<Response<UpdateIncentiveResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, change) = parse::update(&self.0, request.into_inner())?;
        let write = move |app: Arc<App>, call, claim| async move {
            commands::update(&app, &call, &claim, change).await
        };
        let incentive = self.0.write(call, claim, write).await?;
        Ok(Response::new(UpdateIncentiveResponse { incentive: Some(events::message(&incentive)) }))
    }

    async fn archive_incentive(
        &self,
        request: Request<ArchiveIncentiveRequest>,
    ) -> Result<Response<ArchiveIncentiveResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, id, etag) = parse::archive(&self.0, request.into_inner())?;
        let write = move |app: Arc<App>, call, claim| async move {
            commands::archive(&app, &call, &claim, &id, &etag).await
        };
        let incentive = self.0.write(call, claim, write).await?;
        Ok(Response::new(ArchiveIncentiveResponse { incentive: Some(events::message(&incentive)) }))
    }

    async fn evaluate_incentives(
        &self,
        request: Request<EvaluateIncentivesRequest>,
    ) -> Result<Response<EvaluateIncentivesResponse>, Status> {
        let call = grpc::call(&request)?;
        let message = request.into_inner();
        let asked = parse::evaluate(&message)?;
        let currency = asked.currency;
        let evaluated = commands::evaluate(&self.0, &call, asked).await?;
        Ok(Response::new(encode::evaluated(&message, currency, evaluated)))
    }
}

impl Listed for Incentive {
    fn position(&self) -> Position {
        Position { created: self.created, id: self.id.clone() }
    }

    fn facts(&self, _now: Timestamp) -> Facts<'_> {
        Facts::new().with("incentive", fact(self))
    }

    async fn scan(
        reader: &mut Reader,
        tenant: &Tenant,
        order: Order,
        after: &Position,
        limit: usize,
    ) -> Outcome<Vec<Self>> {
        store::scan(reader, tenant, order, after, i64::try_from(limit).unwrap_or(i64::MAX)).await
    }
}
