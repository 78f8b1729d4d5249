//! OrderService: messages to commands and back.

mod explain;
mod list;
mod parse;
mod refusal;

use std::sync::Arc;

use tandem_platform::service::{self, Asked};
use tandem_platform::{Call, Fault, Outcome, Violations, field, grpc};
use tandem_proto::campaign::v1::order_service_server::OrderService;
use tandem_proto::campaign::v1::*;
use tonic::{Request, Response, Status};

use super::decide::Command;
use super::events::{last_refund, message};
use super::refund::Cause;
use super::{Order, commands, name, store};
use crate::App;

/// The service of the contract.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }

    /// The order of a name.
    async fn find(&self, call: &Call, named: &str) -> Outcome<Order> {
        let mut v = Violations::new();
        let id = field::order(&mut v, "name", named);
        v.finish()?;
        let found = store::find(&mut self.0.db.read().await?, &call.tenant, &id).await?;
        found.ok_or_else(|| Fault::not_found(name(&id)))
    }

    /// Runs to its end although the caller may go away.
    async fn run(
        &self,
        call: Call,
        (request, command): (tandem_platform::idempotency::Request, Command),
    ) -> Outcome<Arc<Order>> {
        service::write(&self.0, Asked { call, request, what: command }, commands::order).await
    }
}

#[tonic::async_trait]
impl OrderService for Api {
    async fn hold_order(
        &self,
        request: Request<HoldOrderRequest>,
    ) -> Result<Response<HoldOrderResponse>, Status> {
        let call = grpc::call(&request)?;
        let asked = parse::hold(&self.0, &call, request.into_inner())?;
        let order = self.run(call, asked).await?;
        Ok(Response::new(HoldOrderResponse { order: Some(message(&order)) }))
    }

    async fn commit_order(
        &self,
        request: Request<CommitOrderRequest>,
    ) -> Result<Response<CommitOrderResponse>, Status> {
        let call = grpc::call(&request)?;
        let asked = parse::commit(&self.0, &call, request.into_inner())?;
        let order = self.run(call, asked).await?;
        Ok(Response::new(CommitOrderResponse { order: Some(message(&order)) }))
    }

    async fn cancel_order(
        &self,
        request: Request<CancelOrderRequest>,
    ) -> Result<Response<CancelOrderResponse>, Status> {
        let (call, asked) = (grpc::call(&request)?, parse::cancel(request.into_inner())?);
        let order = self.run(call, asked).await?;
        let refund = last_refund(&order, Cause::Cancelled);
        Ok(Response::new(CancelOrderResponse { order: Some(message(&order)), refund }))
    }

    async fn return_order_lines(
        &self,
        request: Request<ReturnOrderLinesRequest>,
    ) -> Result<Response<ReturnOrderLinesResponse>, Status> {
        let (call, asked) = (grpc::call(&request)?, parse::take_back(request.into_inner())?);
        let order = self.run(call, asked).await?;
        let refund = last_refund(&order, Cause::Returned);
        Ok(Response::new(ReturnOrderLinesResponse { order: Some(message(&order)), refund }))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let call = grpc::call(&request)?;
        let order = self.find(&call, &request.get_ref().name).await?;
        Ok(Response::new(GetOrderResponse { order: Some(message(&order)) }))
    }

    async fn explain_order(
        &self,
        request: Request<ExplainOrderRequest>,
    ) -> Result<Response<ExplainOrderResponse>, Status> {
        let call = grpc::call(&request)?;
        let order = self.find(&call, &request.get_ref().name).await?;
        Ok(Response::new(explain::explained(&order.sold)?))
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(list::list(&self.0, &call, request.into_inner()).await?))
    }
}
