//! CampaignService: messages to values and back.

mod compare;
mod parse;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use tandem_kernel::page::Listing;
use tandem_kernel::rule::{Fact, Facts, Type, Vocabulary};
use tandem_platform::resource::asked::{self, Touch, Write};
use tandem_platform::resource::list::Listed;
use tandem_platform::resource::{self, word};
use tandem_platform::{Call, Fault, Kind, Outcome, Tenant, Violations, grpc};
use tandem_proto::campaign::v1::campaign_service_server::CampaignService;
use tandem_proto::campaign::v1::*;
use tandem_proto::requests::{Etagged, Named, Repeatable};
use tonic::{Request, Response, Status};

use super::events::message;
use super::{COLLECTION, Campaign, Move, Revision, View, commands, name, revision_name, store};
use crate::catalogue::written::Written;
use crate::{App, field};

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
        let Write { call, request, mut v, body } = asked::write(&self.0, request)?;
        let given = body.campaign.unwrap_or_default();
        let id = asked::new_id::<Campaign>(&mut v, &self.0, "campaign_id", &body.campaign_id, &given.name);
        let (definition, mix) = parse::draft(&mut v.nest("campaign"), given);
        v.finish()?;
        let stored = self.0.write_catalogue(call, request, move |app, call, request| async move {
            commands::create(&app, &call, &request, &id, &definition, &mix).await
        });
        let answer = |stored| CreateCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.await?.response(answer))
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
        let page = asked::list(&self.0, request, &VOCABULARY).await?;
        let campaigns = self.views(&tenant, page.items, page.at).await?;
        let campaigns = campaigns.iter().map(message::campaign).collect();
        Ok(Response::new(ListCampaignsResponse { campaigns, next_page_token: page.next_page_token }))
    }

    async fn update_campaign(
        &self,
        request: Request<UpdateCampaignRequest>,
    ) -> Result<Response<UpdateCampaignResponse>, Status> {
        let Write { call, request, mut v, body } = asked::write(&self.0, request)?;
        let mask = parse::Masked::read(&mut v, body.update_mask.as_ref());
        let given = body.campaign.unwrap_or_default();
        let etag = given.etag.clone();
        let (id, change) = {
            let mut v = v.nest("campaign");
            (field::resource(&mut v, "name", COLLECTION, &given.name), parse::change(&mut v, given, &mask))
        };
        v.finish()?;
        let stored = self.0.write_catalogue(call, request, move |app, call, request| async move {
            commands::update(&app, &call, &request, &id, &etag, &change).await
        });
        let answer = |stored| UpdateCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.await?.response(answer))
    }

    async fn delete_campaign(
        &self,
        request: Request<DeleteCampaignRequest>,
    ) -> Result<Response<DeleteCampaignResponse>, Status> {
        let Touch { call, request, id, etag } = asked::touch::<Campaign, _>(&self.0, request)?;
        let deleted = self.0.write_catalogue(call, request, move |app, call, request| async move {
            commands::delete(&app, &call, &request, &id, &etag).await
        });
        Ok(deleted.await?.response(|()| DeleteCampaignResponse {}))
    }

    async fn schedule_campaign(
        &self,
        request: Request<ScheduleCampaignRequest>,
    ) -> Result<Response<ScheduleCampaignResponse>, Status> {
        let stored = self.step(request, Move::Schedule).await?;
        let answer = |stored| ScheduleCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.response(answer))
    }

    async fn launch_campaign(
        &self,
        request: Request<LaunchCampaignRequest>,
    ) -> Result<Response<LaunchCampaignResponse>, Status> {
        let stored = self.step(request, Move::Launch).await?;
        let answer = |stored| LaunchCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.response(answer))
    }

    async fn pause_campaign(
        &self,
        request: Request<PauseCampaignRequest>,
    ) -> Result<Response<PauseCampaignResponse>, Status> {
        let stored = self.step(request, Move::Pause).await?;
        let answer = |stored| PauseCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.response(answer))
    }

    async fn resume_campaign(
        &self,
        request: Request<ResumeCampaignRequest>,
    ) -> Result<Response<ResumeCampaignResponse>, Status> {
        let stored = self.step(request, Move::Resume).await?;
        let answer = |stored| ResumeCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.response(answer))
    }

    async fn end_campaign(
        &self,
        request: Request<EndCampaignRequest>,
    ) -> Result<Response<EndCampaignResponse>, Status> {
        let stored = self.step(request, Move::End).await?;
        let answer = |stored| EndCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.response(answer))
    }

    async fn cancel_campaign(
        &self,
        request: Request<CancelCampaignRequest>,
    ) -> Result<Response<CancelCampaignResponse>, Status> {
        let stored = self.step(request, Move::Cancel).await?;
        let answer = |stored| CancelCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.response(answer))
    }

    async fn archive_campaign(
        &self,
        request: Request<ArchiveCampaignRequest>,
    ) -> Result<Response<ArchiveCampaignResponse>, Status> {
        let stored = self.step(request, Move::Archive).await?;
        let answer = |stored| ArchiveCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.response(answer))
    }

    async fn adapt_campaign(
        &self,
        request: Request<AdaptCampaignRequest>,
    ) -> Result<Response<AdaptCampaignResponse>, Status> {
        let Write { call, request, mut v, body } = asked::write(&self.0, request)?;
        let id = field::resource(&mut v, "name", COLLECTION, &body.name);
        let etag = body.etag.clone();
        let adaptation = parse::adaptation(&mut v, body);
        v.finish()?;
        let adapted = self.0.write_catalogue(call, request, move |app, call, request| async move {
            commands::adapt(&app, &call, &request, &id, &etag, &adaptation).await
        });
        Ok(adapted.await?.response(|adapted| AdaptCampaignResponse {
            campaign: Some(message::campaign(&adapted.view)),
            revision: Some(message::revision(&adapted.view.campaign.id, &adapted.revision)),
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
        let mut revisions = store::revisions(&mut reader, &call.tenant, &id, below, size + 1).await?;
        let more = revisions.len() > size;
        revisions.truncate(size);
        let last = revisions.last().filter(|_| more).map(|last| listing.token(&[last.revision.to_string()]));
        Ok(Response::new(ListMixRevisionsResponse {
            revisions: revisions.iter().map(|revision| message::revision(&id, revision)).collect(),
            next_page_token: last.unwrap_or_default(),
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
}

impl Api {
    async fn step<B>(&self, request: Request<B>, step: Move) -> Outcome<Written<View>>
    where
        B: Repeatable + Named + Etagged,
    {
        let Touch { call, request, id, etag } = asked::touch::<Campaign, _>(&self.0, request)?;
        let stored = self.0.write_catalogue(call, request, move |app, call, request| async move {
            commands::step(&app, &call, &request, &id, &etag, step).await
        });
        stored.await
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
