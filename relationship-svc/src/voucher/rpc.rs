//! VoucherService: messages to values and back. What happens to codes at the checkout is handed to
//! [`crate::redemption::rpc`].

mod change;
mod import;
mod parse;

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use rand::rngs::StdRng;
use tandem_kernel::code::Typed;
use tandem_platform::service::{self, Asked};
use tandem_platform::{Fault, Outcome, Tenant, field, grpc};
use tandem_proto::relationship::v1::voucher_service_server::VoucherService;
use tandem_proto::relationship::v1::{self, *};
use tonic::{Request, Response, Status, Streaming};

use self::import::Codes;
use super::commands::{assign, generate};
use super::store::list::Of;
use super::{Frame, Voucher, events, store};
use crate::incentive::{self, Incentive};
use crate::{App, customer, redemption};

/// Vouchers in one message of an export.
const EXPORTED_AT_ONCE: usize = 1_000;

/// The service of the contract.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }
}

#[tonic::async_trait]
impl VoucherService for Api {
    type GenerateVouchersStream = Answers<GenerateVouchersResponse>;
    type ImportVouchersStream = Answers<ImportVouchersResponse>;
    type ExportVouchersStream = Answers<ExportVouchersResponse>;

    async fn generate_vouchers(
        &self,
        request: Request<GenerateVouchersRequest>,
    ) -> Result<Response<Self::GenerateVouchersStream>, Status> {
        let call = grpc::call(&request)?;
        let (claim, wanted, validate_only) = parse::generate(request.into_inner())?;
        let app = self.0.clone();
        if validate_only {
            generate::check(&app, &call, &wanted).await?;
            return Ok(Response::new(futures::stream::empty().boxed()));
        }
        let batch = {
            let (app, caller) = (app.clone(), call.clone());
            let write = async move { generate::open(&app, &caller, &claim, &wanted).await };
            grpc::detached(&self.0.tasks, &call, write).await?
        };
        // The caller's going away ends the generation after the block that is being made.
        let blocks = futures::stream::try_unfold(Some(batch), move |batch| {
            let (app, call) = (app.clone(), call.clone());
            async move {
                let Some(batch) = batch else { return Ok(None) };
                if batch.missing() == 0 {
                    return Ok::<_, Status>(Some((progress(&batch), None)));
                }
                let (of, caller) = (app.clone(), call.clone());
                let write = async move {
                    let mut random: StdRng = rand::make_rng();
                    generate::next_block(&of, &caller, &batch, &mut random).await
                };
                let batch = grpc::detached(&app.tasks, &call, write).await?;
                let answer = progress(&batch);
                Ok(Some((answer, Some(batch).filter(|batch| batch.missing() > 0))))
            }
        });
        Ok(Response::new(blocks.boxed()))
    }

    async fn import_vouchers(
        &self,
        request: Request<Streaming<ImportVouchersRequest>>,
    ) -> Result<Response<Self::ImportVouchersStream>, Status> {
        let codes = Codes::new(&self.0, grpc::call(&request)?);
        Ok(Response::new(grpc::import(codes, request.into_inner()).boxed()))
    }

    async fn export_vouchers(
        &self,
        request: Request<ExportVouchersRequest>,
    ) -> Result<Response<Self::ExportVouchersStream>, Status> {
        let call = grpc::call(&request)?;
        let (id, batch) = parse::export(request.into_inner())?;
        let incentive = self.incentive(&call.tenant, &id).await?;
        let app = self.0.clone();
        let blocks = futures::stream::try_unfold(Some(String::new()), move |after| {
            let (app, tenant, incentive, batch) =
                (app.clone(), call.tenant.clone(), incentive.clone(), batch.clone());
            async move {
                let Some(after) = after else { return Ok::<_, Status>(None) };
                let mut reader = app.db.read().await?;
                let of = Of::Incentive(&incentive.id);
                let page = store::list::page(&mut reader, &tenant, of, &after, EXPORTED_AT_ONCE).await?;
                let now = app.clock.now();
                let wanted: Vec<&Voucher> =
                    page.iter().filter(|voucher| batch.is_none() || voucher.batch == batch).collect();
                let vouchers = grpc::fitting(wanted.iter().map(|voucher| encode(voucher, &incentive, now)));
                let cut = grpc::cut(&wanted, vouchers.len());
                let full = page.last().filter(|_| page.len() == EXPORTED_AT_ONCE);
                let next = cut.copied().or(full).map(|last| last.code.clone());
                Ok(Some((ExportVouchersResponse { vouchers }, next)))
            }
        });
        let some = |answer: &Result<ExportVouchersResponse, Status>| {
            std::future::ready(!answer.as_ref().is_ok_and(|block| block.vouchers.is_empty()))
        };
        Ok(Response::new(blocks.filter(some).boxed()))
    }

    async fn assign_vouchers(
        &self,
        request: Request<AssignVouchersRequest>,
    ) -> Result<Response<AssignVouchersResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, wanted) = parse::assign(request.into_inner())?;
        let incentive = self.incentive(&call.tenant, &wanted.incentive).await?;
        let customers: Vec<String> = wanted.assignments.iter().map(|one| one.customer.clone()).collect();
        let write = |app: Arc<App>, asked: Asked<_>| async move {
            let mut random: StdRng = rand::make_rng();
            assign::assign(&app, &asked.call, &asked.request, &asked.what, &mut random).await
        };
        let asked = Asked { call, request: claim, what: wanted };
        let assigned = service::write(&self.0, asked, write).await?;
        let now = self.0.clock.now();
        let of = |(assigned, customer): (_, &String)| assignment(assigned, customer, &incentive, now);
        let results = assigned.into_iter().zip(&customers).map(of).collect();
        Ok(Response::new(AssignVouchersResponse { results }))
    }

    async fn get_voucher(
        &self,
        request: Request<GetVoucherRequest>,
    ) -> Result<Response<GetVoucherResponse>, Status> {
        let call = grpc::call(&request)?;
        let typed = parse::code_name(&request.into_inner().name)?;
        let (voucher, incentive) = self.find(&call.tenant, &typed).await?;
        let voucher = encode(&voucher, &incentive, self.0.clock.now());
        Ok(Response::new(GetVoucherResponse { voucher: Some(voucher) }))
    }

    async fn list_vouchers(
        &self,
        request: Request<ListVouchersRequest>,
    ) -> Result<Response<ListVouchersResponse>, Status> {
        let call = grpc::call(&request)?;
        let asked = parse::List::read(&call, request.into_inner())?;
        let page = asked.page(&self.0, &call.tenant).await?;
        Ok(Response::new(page))
    }

    async fn disable_voucher(
        &self,
        request: Request<DisableVoucherRequest>,
    ) -> Result<Response<DisableVoucherResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, typed) = parse::disable(&self.0, request.into_inner())?;
        let (voucher, incentive) = self.find(&call.tenant, &typed).await?;
        let voucher = redemption::rpc::disable(&self.0, &call, claim, voucher.code).await?;
        let voucher = encode(&voucher, &incentive, self.0.clock.now());
        Ok(Response::new(DisableVoucherResponse { voucher: Some(voucher) }))
    }

    async fn update_voucher(
        &self,
        request: Request<UpdateVoucherRequest>,
    ) -> Result<Response<UpdateVoucherResponse>, Status> {
        Ok(Response::new(change::update(self, request).await?))
    }

    async fn adjust_balance(
        &self,
        request: Request<AdjustBalanceRequest>,
    ) -> Result<Response<AdjustBalanceResponse>, Status> {
        Ok(Response::new(change::adjust(self, request).await?))
    }

    async fn list_voucher_changes(
        &self,
        request: Request<ListVoucherChangesRequest>,
    ) -> Result<Response<ListVoucherChangesResponse>, Status> {
        Ok(Response::new(change::list(self, request).await?))
    }

    async fn list_usable_vouchers(
        &self,
        request: Request<ListUsableVouchersRequest>,
    ) -> Result<Response<ListUsableVouchersResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(redemption::rpc::usable(&self.0, &call, request.into_inner()).await?))
    }

    async fn validate_vouchers(
        &self,
        request: Request<ValidateVouchersRequest>,
    ) -> Result<Response<ValidateVouchersResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(redemption::rpc::validate(&self.0, &call, request.into_inner()).await?))
    }

    async fn hold_vouchers(
        &self,
        request: Request<HoldVouchersRequest>,
    ) -> Result<Response<HoldVouchersResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(redemption::rpc::hold(&self.0, &call, request.into_inner()).await?))
    }

    async fn release_hold(
        &self,
        request: Request<ReleaseHoldRequest>,
    ) -> Result<Response<ReleaseHoldResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(redemption::rpc::release(&self.0, &call, request.into_inner()).await?))
    }

    async fn redeem_vouchers(
        &self,
        request: Request<RedeemVouchersRequest>,
    ) -> Result<Response<RedeemVouchersResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(redemption::rpc::redeem(&self.0, &call, request.into_inner()).await?))
    }

    async fn rollback_redemption(
        &self,
        request: Request<RollbackRedemptionRequest>,
    ) -> Result<Response<RollbackRedemptionResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(redemption::rpc::roll_back(&self.0, &call, request.into_inner()).await?))
    }

    async fn get_redemption(
        &self,
        request: Request<GetRedemptionRequest>,
    ) -> Result<Response<GetRedemptionResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(redemption::rpc::get(&self.0, &call, request.into_inner()).await?))
    }

    async fn list_redemptions(
        &self,
        request: Request<ListRedemptionsRequest>,
    ) -> Result<Response<ListRedemptionsResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(redemption::rpc::list(&self.0, &call, request.into_inner()).await?))
    }
}

impl Api {
    /// The voucher that a typed code means, and its incentive.
    async fn find(&self, tenant: &Tenant, typed: &str) -> Outcome<(Voucher, Arc<Incentive>)> {
        let typed = Typed::read(typed).ok_or_else(|| Fault::not_found(events::name(typed)))?;
        let codes: Vec<String> = typed.stored().map(str::to_owned).collect();
        let mut reader = self.0.db.read().await?;
        let mut found = store::find_many(&mut reader, tenant, &codes).await?;
        drop(reader);
        found.sort_by_key(|voucher| codes.iter().position(|code| *code == voucher.code));
        let voucher = found.into_iter().next().ok_or_else(|| Fault::not_found(events::name(typed.kept())))?;
        let incentive = self.incentive(tenant, &voucher.incentive).await?;
        Ok((voucher, incentive))
    }

    async fn incentive(&self, tenant: &Tenant, id: &str) -> Outcome<Arc<Incentive>> {
        let mut reader = self.0.db.read().await?;
        let found = incentive::store::INCENTIVES.find(&mut reader, tenant, id).await?;
        found.map(Arc::new).ok_or_else(|| Fault::not_found(incentive::name(id)))
    }
}

fn progress(batch: &super::batch::Batch) -> GenerateVouchersResponse {
    GenerateVouchersResponse {
        done: batch.done,
        quantity: batch.quantity,
        batch: events::batch_name(&batch.id),
    }
}

fn assignment(
    assigned: assign::Assigned,
    customer: &str,
    incentive: &Incentive,
    now: Timestamp,
) -> AssignmentResult {
    let refused =
        |fault| AssignmentResult { status: Some(field::item_status(fault)), voucher: None, existing: false };
    let given = |voucher: &Voucher, existing| AssignmentResult {
        status: Some(field::item_ok()),
        voucher: Some(encode(voucher, incentive, now)),
        existing,
    };
    match assigned {
        assign::Assigned::Given(voucher) => given(&voucher, false),
        assign::Assigned::Existing(voucher) => given(&voucher, true),
        assign::Assigned::CustomerUnknown => refused(Fault::not_found(customer::name(customer))),
        assign::Assigned::NoCodeLeft => {
            let message = "no code of the incentive is free, and the request has no format to make one";
            refused(Fault::precondition(ErrorReason::NoCodeLeft, message))
        }
        assign::Assigned::Had(code) => {
            let message =
                "the incentive gives each customer one code, and the customer had it before the erasure";
            refused(Fault::precondition(ErrorReason::OneCodePerCustomer, message).with("code", code))
        }
    }
}

/// A voucher as the contract shows it at `now`.
fn encode(voucher: &Voucher, incentive: &Incentive, now: Timestamp) -> v1::Voucher {
    events::message(voucher, &Frame::of(incentive), now)
}
