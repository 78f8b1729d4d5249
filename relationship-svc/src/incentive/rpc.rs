//! The incentive service of the contract.

mod encode;
mod parse;

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use tandem_kernel::limits::{self, Standing};
use tandem_kernel::rule::{Facts, Vocabulary};
use tandem_platform::counters::{self, values};
use tandem_platform::resource::list::Listed;
use tandem_platform::resource::{self, Change, Resource, asked};
use tandem_platform::service::Asked;
use tandem_platform::{Violations, field, grpc, service};
use tandem_proto::common::v1::LimitUsage;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::incentive_service_server::IncentiveService;
use tandem_proto::relationship::v1::{
    ArchiveIncentiveRequest, ArchiveIncentiveResponse, CreateIncentiveRequest, CreateIncentiveResponse,
    EvaluateIncentivesRequest, EvaluateIncentivesResponse, GetIncentiveRequest, GetIncentiveResponse,
    GetLimitsRequest, GetLimitsResponse, Incentive as Message, ListIncentivesRequest, ListIncentivesResponse,
    UpdateIncentiveRequest, UpdateIncentiveResponse,
};
use tandem_proto::requests::Partial;
use tonic::{Request, Response, Status};

use super::{Definition, FIELDS, Incentive, commands, events, fact, vocabulary};
use crate::customer::store::alias;
use crate::{App, redemption};

/// What a filter may read.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(vocabulary);

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
        parse::refuse_points(request.get_ref().incentive.as_ref())?;
        let new = asked::create::<Incentive, _, _>(&self.0, request, |v, given| {
            let definition = parse::definition(v, given).settled();
            field::problems(v, definition.problems());
            definition
        })?;
        let stored = service::write(&self.0, new, commands::create).await?;
        Ok(Response::new(CreateIncentiveResponse { incentive: Some(events::message(&stored)) }))
    }

    async fn get_incentive(
        &self,
        request: Request<GetIncentiveRequest>,
    ) -> Result<Response<GetIncentiveResponse>, Status> {
        let call = grpc::call(&request)?;
        let incentive: Incentive = asked::get(&self.0, request).await?;
        let settings = self.0.tenancy.of(&self.0, &call.tenant).await?;
        let mut reader = self.0.db.read().await?;
        let (now, zone) = (self.0.clock.now(), settings.zone.rules());
        let counted = redemption::usage(&mut reader, &call.tenant, &incentive, now, zone).await?;
        let usage = Some(encode::usage(&counted));
        Ok(Response::new(GetIncentiveResponse {
            incentive: Some(Message { usage, ..events::message(&incentive) }),
        }))
    }

    async fn list_incentives(
        &self,
        request: Request<ListIncentivesRequest>,
    ) -> Result<Response<ListIncentivesResponse>, Status> {
        let page = asked::list(&self.0, request, &VOCABULARY).await?;
        let (incentives, next_page_token) = page.shown(|one: &Incentive| Some(events::message(one)));
        Ok(Response::new(ListIncentivesResponse { incentives, next_page_token }))
    }

    async fn update_incentive(
        &self,
        request: Request<UpdateIncentiveRequest>,
    ) -> Result<Response<UpdateIncentiveResponse>, Status> {
        let UpdateIncentiveRequest { incentive, update_mask, .. } = request.get_ref();
        let said = incentive.as_ref().map(Partial::said).unwrap_or_default();
        let mask = grpc::field_mask(&mut Violations::new(), update_mask.as_ref(), &["discount"], &said);
        if mask.has("discount") {
            parse::refuse_points(incentive.as_ref())?;
        }
        let change = asked::update::<Incentive, _, _>(&self.0, request, FIELDS, parse::definition)?;
        let write = |app: Arc<App>, asked: Asked<Change<Definition>>| async move {
            redemption::past::count(&app, &asked.call.tenant, &asked.what).await?;
            commands::update(app.into(), asked).await
        };
        let stored = service::write(&self.0, change, write).await?;
        Ok(Response::new(UpdateIncentiveResponse {
            incentive: Some(events::message(&stored)),
            limits_hold_from_time: Some(to_timestamp(stored.updated)),
        }))
    }

    async fn archive_incentive(
        &self,
        request: Request<ArchiveIncentiveRequest>,
    ) -> Result<Response<ArchiveIncentiveResponse>, Status> {
        let touch = asked::touch::<Incentive, _>(&self.0, request)?;
        let stored = service::write(&self.0, touch, commands::archive).await?;
        Ok(Response::new(ArchiveIncentiveResponse { incentive: Some(events::message(&stored)) }))
    }

    async fn get_limits(
        &self,
        request: Request<GetLimitsRequest>,
    ) -> Result<Response<GetLimitsResponse>, Status> {
        let call = grpc::call(&request)?;
        let GetLimitsRequest { name, customer, guest_key } = request.into_inner();
        let mut v = Violations::new();
        let id = field::resource(&mut v, "name", super::COLLECTION, &name);
        let _ = field::subject(&mut v, &customer, &guest_key);
        v.finish()?;
        let asked = customer.strip_prefix("customers/").map(str::to_owned);
        let guests = (!guest_key.is_empty()).then(|| guest_key.clone()).into_iter().collect();
        let mut reader = self.0.db.read().await?;
        let names = alias::known(&mut reader, &call.tenant, asked.iter().cloned().collect(), guests).await?;
        let kept = asked.as_deref().and_then(|id| names.customer(id)).or(names.claimed_by(&guest_key));
        let customer = kept.map(str::to_owned).or(asked);
        let subject = limits::subject(
            customer.as_deref(),
            Some(&guest_key).filter(|key| !key.is_empty()).map(String::as_str),
        );
        let incentive: Incentive = resource::find(&self.0, &call, &id).await?;
        let settings = self.0.tenancy.of(&self.0, &call.tenant).await?;
        let (now, zone) = (self.0.clock.now(), settings.zone.rules());
        let owner = incentive.id.as_str().into();
        let mut limits = incentive.definition.limits.standing(&owner, subject.as_ref(), now, zone);
        let of = &incentive.definition.limits;
        limits.extend(values::standing(&mut reader, &call.tenant, &owner, of, now, zone).await?);
        counters::fill(&mut reader, &call.tenant, &mut limits, now).await?;
        if let Some(customer) = &customer {
            let pseudonym = self.0.people.pseudonym(call.tenant.as_str(), customer);
            let erased = limits::subject(Some(&pseudonym), None);
            for beside in names.open(customer).iter().chain(&erased) {
                let mut before = of.standing_of_customer(&owner, beside, now, zone);
                counters::fill(&mut reader, &call.tenant, &mut before, now).await?;
                limits.iter_mut().for_each(|limit| limit.count_too(&before));
            }
        }
        let told = |limit: &Standing| LimitUsage { owner: incentive.name(), ..limit.into() };
        Ok(Response::new(GetLimitsResponse { limits: limits.iter().map(told).collect() }))
    }

    async fn evaluate_incentives(
        &self,
        request: Request<EvaluateIncentivesRequest>,
    ) -> Result<Response<EvaluateIncentivesResponse>, Status> {
        let call = grpc::call(&request)?;
        let message = request.into_inner();
        let (asked, locale) = parse::evaluate(&message)?;
        let locale = locale.or(&self.0.tenancy.of(&self.0, &call.tenant).await?.locale);
        let currency = asked.currency;
        let evaluated = redemption::evaluate::evaluate(&self.0, &call, asked).await?;
        Ok(Response::new(encode::evaluated(&message, &locale, currency, evaluated)))
    }
}

impl Listed for Incentive {
    fn facts(&self, _now: Timestamp) -> Facts<'_> {
        Facts::new().with("incentive", fact(self))
    }
}
