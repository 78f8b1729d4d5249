//! CampaignService: messages to values and back.

mod compare;
mod parse;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use tandem_kernel::page::Listing;
use tandem_kernel::rule::{Fact, Facts, Type, Vocabulary};
use tandem_platform::resource::list::{Listed, Page};
use tandem_platform::resource::{self, Change, Touch, asked, word};
use tandem_platform::service::Asked;
use tandem_platform::{Call, Fault, Kind, Outcome, Tenant, Violations, grpc};
use tandem_proto::campaign::v1::campaign_service_server::CampaignService;
use tandem_proto::campaign::v1::*;
use tandem_proto::convert::to_timestamp;
use tandem_proto::requests::{Etagged, Named, Repeatable};
use tonic::{Request, Response, Status};

use super::events::message;
use super::revisions::Adaptation;
use super::{
    COLLECTION, Campaign, Draft, FIELDS, Move, Revision, View, commands, limits, name, revision_name, store,
};
use crate::catalogue::written::Written;
use crate::{App, field, order};

/// What a filter may read.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let campaign = Type::object([
        ("id", Type::Text),
        ("display_name", Type::Text),
        ("objective", Type::Text),
        ("state", Type::Text),
        ("labels", Type::map(Type::Text, 64)),
    ]);
    Vocabulary::new().with("campaign", campaign)
});

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
impl CampaignService for Api {
    async fn create_campaign(
        &self,
        request: Request<CreateCampaignRequest>,
    ) -> Result<Response<CreateCampaignResponse>, Status> {
        let new = asked::create::<Campaign, _, _>(&self.0, request, parse::new)?;
        let stored = self.0.write_catalogue(new, commands::create).await?;
        Ok(stored.response(|stored| CreateCampaignResponse { campaign: Some(message::campaign(&stored)) }))
    }

    async fn get_campaign(
        &self,
        request: Request<GetCampaignRequest>,
    ) -> Result<Response<GetCampaignResponse>, Status> {
        let call = grpc::call(&request)?;
        let id = asked::named::<Campaign>(request.get_ref())?;
        let view = self.view(&call, &id).await?;
        Ok(Response::new(GetCampaignResponse { campaign: Some(message::campaign(&view)) }))
    }

    async fn list_campaigns(
        &self,
        request: Request<ListCampaignsRequest>,
    ) -> Result<Response<ListCampaignsResponse>, Status> {
        let tenant = grpc::call(&request)?.tenant;
        let page: Page<Campaign> = asked::list(&self.0, request, &VOCABULARY).await?;
        let views = self.views(&tenant, page.items.clone(), page.at).await?;
        let views: BTreeMap<&str, &View> = views.iter().map(|view| (&*view.campaign.id, view)).collect();
        let (campaigns, next_page_token) =
            page.shown(|one| views.get(&*one.id).copied().map(message::campaign));
        Ok(Response::new(ListCampaignsResponse { campaigns, next_page_token }))
    }

    async fn update_campaign(
        &self,
        request: Request<UpdateCampaignRequest>,
    ) -> Result<Response<UpdateCampaignResponse>, Status> {
        let change = asked::update::<Campaign, _, _>(&self.0, request, FIELDS, parse::draft)?;
        let write = |app: Arc<App>, asked: Asked<Change<Draft>>| async move {
            order::past::of_campaign(&app, &asked.call.tenant, &asked.what).await?;
            commands::update(app, asked).await
        };
        let stored = self.0.write_catalogue(change, write).await?;
        Ok(stored.response(|stored| UpdateCampaignResponse {
            campaign: Some(message::campaign(&stored)),
            limits_hold_from_time: Some(to_timestamp(stored.campaign.updated)),
        }))
    }

    async fn delete_campaign(
        &self,
        request: Request<DeleteCampaignRequest>,
    ) -> Result<Response<DeleteCampaignResponse>, Status> {
        let touch = asked::touch::<Campaign, _>(&self.0, request)?;
        let deleted = self.0.write_catalogue(touch, commands::delete).await?;
        Ok(deleted.response(|()| DeleteCampaignResponse {}))
    }

    async fn schedule_campaign(
        &self,
        request: Request<ScheduleCampaignRequest>,
    ) -> Result<Response<ScheduleCampaignResponse>, Status> {
        let stored = self.step(request, Move::Schedule).await?;
        Ok(stored.response(|stored| ScheduleCampaignResponse { campaign: Some(message::campaign(&stored)) }))
    }

    async fn launch_campaign(
        &self,
        request: Request<LaunchCampaignRequest>,
    ) -> Result<Response<LaunchCampaignResponse>, Status> {
        let stored = self.step(request, Move::Launch).await?;
        Ok(stored.response(|stored| LaunchCampaignResponse { campaign: Some(message::campaign(&stored)) }))
    }

    async fn pause_campaign(
        &self,
        request: Request<PauseCampaignRequest>,
    ) -> Result<Response<PauseCampaignResponse>, Status> {
        let stored = self.step(request, Move::Pause).await?;
        Ok(stored.response(|stored| PauseCampaignResponse { campaign: Some(message::campaign(&stored)) }))
    }

    async fn resume_campaign(
        &self,
        request: Request<ResumeCampaignRequest>,
    ) -> Result<Response<ResumeCampaignResponse>, Status> {
        let stored = self.step(request, Move::Resume).await?;
        Ok(stored.response(|stored| ResumeCampaignResponse { campaign: Some(message::campaign(&stored)) }))
    }

    async fn end_campaign(
        &self,
        request: Request<EndCampaignRequest>,
    ) -> Result<Response<EndCampaignResponse>, Status> {
        let stored = self.step(request, Move::End).await?;
        Ok(stored.response(|stored| EndCampaignResponse { campaign: Some(message::campaign(&stored)) }))
    }

    async fn cancel_campaign(
        &self,
        request: Request<CancelCampaignRequest>,
    ) -> Result<Response<CancelCampaignResponse>, Status> {
        let stored = self.step(request, Move::Cancel).await?;
        Ok(stored.response(|stored| CancelCampaignResponse { campaign: Some(message::campaign(&stored)) }))
    }

    async fn archive_campaign(
        &self,
        request: Request<ArchiveCampaignRequest>,
    ) -> Result<Response<ArchiveCampaignResponse>, Status> {
        let stored = self.step(request, Move::Archive).await?;
        Ok(stored.response(|stored| ArchiveCampaignResponse { campaign: Some(message::campaign(&stored)) }))
    }

    async fn adapt_campaign(
        &self,
        request: Request<AdaptCampaignRequest>,
    ) -> Result<Response<AdaptCampaignResponse>, Status> {
        let mut write = asked::write(&self.0, request)?;
        let body = std::mem::take(&mut write.body);
        let touch = Touch::read::<Campaign>(&mut write.v, "name", &body.name, &body.etag);
        let adaptation = parse::adaptation(&mut write.v, body);
        let asked = write.asks((touch, adaptation))?;
        let write = |app: Arc<App>, asked: Asked<(Touch, Adaptation)>| async move {
            let (touch, adaptation) = &asked.what;
            order::past::of_offers(&app, &asked.call.tenant, touch, adaptation).await?;
            commands::adapt(app, asked).await
        };
        let adapted = self.0.write_catalogue(asked, write).await?;
        Ok(adapted.response(|adapted| AdaptCampaignResponse {
            campaign: Some(message::campaign(&adapted.view)),
            revision: Some(message::revision(&adapted.view.campaign.id, &adapted.revision)),
            limits_hold_from_time: Some(to_timestamp(adapted.revision.effective)),
        }))
    }

    async fn get_mix_revision(
        &self,
        request: Request<GetMixRevisionRequest>,
    ) -> Result<Response<GetMixRevisionResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let (id, revision) = parse::revision_name(&mut v, "name", &body.name);
        v.finish()?;
        resource::find::<Campaign>(&self.0, &call, &id).await?;
        let revision = self.revision(&call.tenant, &id, revision).await?;
        Ok(Response::new(GetMixRevisionResponse { revision: Some(message::revision(&id, &revision)) }))
    }

    async fn list_mix_revisions(
        &self,
        request: Request<ListMixRevisionsRequest>,
    ) -> Result<Response<ListMixRevisionsResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let id = field::resource(&mut v, "campaign", COLLECTION, &body.campaign);
        let size = grpc::page_size(&mut v, body.page_size) as usize;
        v.finish()?;
        let (tenant, parent) = (call.tenant.as_str(), body.campaign.as_str());
        let listing = Listing { tenant, list: "ListMixRevisions", parent, ..Listing::default() };
        let below = match listing.resume(&body.page_token).map_err(|_| Fault::invalid_page_token())? {
            None => i64::MAX,
            Some(keys) => {
                keys.first().and_then(|key| key.parse().ok()).ok_or_else(Fault::invalid_page_token)?
            }
        };
        resource::find::<Campaign>(&self.0, &call, &id).await?;
        let mut reader = self.0.db.read().await?;
        let revisions = store::revisions(&mut reader, &call.tenant, &id, below, size + 1).await?;
        let of = |revision| message::revision(&id, revision);
        let shown = grpc::fitting(revisions.iter().take(size).map(of));
        let last = grpc::cut(&revisions, shown.len());
        let next_page_token = last.map(|last| listing.token(&[last.revision.to_string()]));
        Ok(Response::new(ListMixRevisionsResponse {
            revisions: shown,
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }

    async fn compare_mix_revisions(
        &self,
        request: Request<CompareMixRevisionsRequest>,
    ) -> Result<Response<CompareMixRevisionsResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let id = field::resource(&mut v, "campaign", COLLECTION, &body.campaign);
        v.check(body.from_revision >= 1, "from_revision", "must be at least 1");
        v.check(body.to_revision >= 1, "to_revision", "must be at least 1");
        v.finish()?;
        resource::find::<Campaign>(&self.0, &call, &id).await?;
        let from = self.revision(&call.tenant, &id, body.from_revision).await?;
        let to = self.revision(&call.tenant, &id, body.to_revision).await?;
        let differences = compare::differences(&message::mix(&from.mix), &message::mix(&to.mix))?;
        Ok(Response::new(CompareMixRevisionsResponse { differences }))
    }

    async fn get_media_plan(
        &self,
        request: Request<GetMediaPlanRequest>,
    ) -> Result<Response<GetMediaPlanResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let id = field::resource(&mut v, "campaign", COLLECTION, &body.campaign);
        v.finish()?;
        let view = self.view(&call, &id).await?;
        Ok(Response::new(message::media_plan(&view.campaign, &view.revision.mix)))
    }

    async fn get_limits(
        &self,
        request: Request<GetLimitsRequest>,
    ) -> Result<Response<GetLimitsResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let (id, of) = parse::limits_of(&mut v, &body.name);
        let subject = field::subject(&mut v, &body.customer, &body.guest_key);
        v.finish()?;
        let view = self.view(&call, &id).await?;
        let customer = body.customer.strip_prefix("customers/").unwrap_or_default();
        let limits = limits::standing(&self.0, &call, &view, &of, (subject.as_ref(), customer)).await?;
        Ok(Response::new(GetLimitsResponse { limits: limits.iter().map(Into::into).collect() }))
    }
}

impl Api {
    async fn step<B>(&self, request: Request<B>, step: Move) -> Outcome<Written<View>>
    where
        B: Repeatable + Named + Etagged,
    {
        let touch = asked::touch::<Campaign, _>(&self.0, request)?;
        self.0.write_catalogue(touch.map(|touch| (touch, step)), commands::step).await
    }

    async fn revision(&self, tenant: &Tenant, id: &str, number: i64) -> Outcome<Revision> {
        let mut reader = self.0.db.read().await?;
        store::revision(&mut reader, tenant, id, number).await?.ok_or_else(|| {
            let message = format!("the campaign has no mix revision {number}");
            let fault = Fault::new(Kind::NotFound, ErrorReason::RevisionUnknown, message);
            fault.with("resource", revision_name(id, number))
        })
    }

    async fn view(&self, call: &Call, id: &str) -> Outcome<View> {
        let now = self.0.clock.now();
        let campaign = resource::find(&self.0, call, id).await?;
        let view = self.views(&call.tenant, vec![campaign], now).await?.pop();
        // A draft may be deleted between the two reads.
        view.ok_or_else(|| Fault::not_found(name(id)))
    }

    async fn views(&self, tenant: &Tenant, campaigns: Vec<Campaign>, at: Timestamp) -> Outcome<Vec<View>> {
        let mut reader = self.0.db.read().await?;
        let ids: Vec<&str> = campaigns.iter().map(|campaign| campaign.id.as_str()).collect();
        let mut revisions: BTreeMap<String, Revision> =
            store::current_revisions(&mut reader, tenant, &ids, at).await?;
        let view = |campaign: Campaign| {
            let revision = revisions.remove(&campaign.id)?;
            Some(View { campaign, revision, at })
        };
        Ok(campaigns.into_iter().filter_map(view).collect())
    }
}

impl Listed for Campaign {
    fn facts(&self, now: Timestamp) -> Facts<'_> {
        let definition = &self.definition;
        let campaign = Fact::Object(vec![
            ("id", Fact::text(&self.id)),
            ("display_name", Fact::text(&definition.display_name)),
            ("objective", Fact::text(&definition.objective)),
            ("state", Fact::from(word::of(&self.state(now)))),
            ("labels", Fact::text_map(&definition.labels)),
        ]);
        Facts::new().with("campaign", campaign)
    }
}
