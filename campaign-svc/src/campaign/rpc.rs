//! CampaignService: messages to values and back.

mod compare;
mod parse;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use prost::Message;
use tandem_kernel::page::Listing;
use tandem_kernel::rule::{Fact, Facts, Type, Vocabulary};
use tandem_platform::db::Reader;
use tandem_platform::list::{Asked, List, Listed, Order, Position};
use tandem_platform::{Call, Fault, Kind, Outcome, Tenant, Violations, grpc};
use tandem_proto::campaign::v1::campaign_service_server::CampaignService;
use tandem_proto::campaign::v1::*;
use tonic::{Request, Response, Status};

use super::events::message;
use super::{COLLECTION, Campaign, Move, Revision, View, commands, name, revision_name, store};
use crate::catalogue::written::Written;
use crate::{App, field, word};

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
        let (app, call, mut body) = (&self.0, grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let request_id = std::mem::take(&mut body.request_id);
        let request = field::request(&mut v, app, "CreateCampaign", &request_id, &body);
        let given = body.campaign.unwrap_or_default();
        let id = field::new_id(&mut v, app, COLLECTION, "campaign_id", &body.campaign_id, &given.name);
        let (definition, mix) = parse::draft(&mut v.nest("campaign"), given);
        v.finish()?;
        let stored = app.write_catalogue(call, request, move |app, call, request| async move {
            commands::create(&app, &call, &request, &id, &definition, &mix).await
        });
        let answer = |stored| CreateCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.await?.response(answer))
    }

    async fn get_campaign(
        &self,
        request: Request<GetCampaignRequest>,
    ) -> Result<Response<GetCampaignResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let id = field::resource(&mut v, "name", COLLECTION, &body.name);
        v.finish()?;
        let view = self.view(&call.tenant, &id).await?;
        Ok(Response::new(GetCampaignResponse { campaign: Some(message::campaign(&view)) }))
    }

    async fn list_campaigns(
        &self,
        request: Request<ListCampaignsRequest>,
    ) -> Result<Response<ListCampaignsResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let asked = Asked {
            list: "ListCampaigns",
            page_size: body.page_size,
            page_token: &body.page_token,
            filter: &body.filter,
            order_by: &body.order_by,
        };
        let now = self.0.clock.now();
        let list = List::read(&call, asked, &VOCABULARY)?;
        let page = list.page::<Campaign>(&self.0.db, &call.tenant, now).await?;
        let campaigns = self.views(&call.tenant, page.items, now).await?;
        let campaigns = campaigns.iter().map(message::campaign).collect();
        Ok(Response::new(ListCampaignsResponse { campaigns, next_page_token: page.next_page_token }))
    }

    async fn update_campaign(
        &self,
        request: Request<UpdateCampaignRequest>,
    ) -> Result<Response<UpdateCampaignResponse>, Status> {
        let (app, call, mut body) = (&self.0, grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let request_id = std::mem::take(&mut body.request_id);
        let request = field::request(&mut v, app, "UpdateCampaign", &request_id, &body);
        let mask = parse::Masked::read(&mut v, body.update_mask.as_ref());
        let given = body.campaign.unwrap_or_default();
        let etag = given.etag.clone();
        let (id, change) = {
            let mut v = v.nest("campaign");
            (field::resource(&mut v, "name", COLLECTION, &given.name), parse::change(&mut v, given, &mask))
        };
        v.finish()?;
        let stored = app.write_catalogue(call, request, move |app, call, request| async move {
            commands::update(&app, &call, &request, &id, &etag, &change).await
        });
        let answer = |stored| UpdateCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(stored.await?.response(answer))
    }

    async fn delete_campaign(
        &self,
        request: Request<DeleteCampaignRequest>,
    ) -> Result<Response<DeleteCampaignResponse>, Status> {
        let (app, call, mut body) = (&self.0, grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let request_id = std::mem::take(&mut body.request_id);
        let request = field::request(&mut v, app, "DeleteCampaign", &request_id, &body);
        let id = field::resource(&mut v, "name", COLLECTION, &body.name);
        v.finish()?;
        let deleted = app.write_catalogue(call, request, move |app, call, request| async move {
            commands::delete(&app, &call, &request, &id, &body.etag).await
        });
        Ok(deleted.await?.response(|()| DeleteCampaignResponse {}))
    }

    async fn schedule_campaign(
        &self,
        request: Request<ScheduleCampaignRequest>,
    ) -> Result<Response<ScheduleCampaignResponse>, Status> {
        let (call, mut body) = (grpc::call(&request)?, request.into_inner());
        let request_id = std::mem::take(&mut body.request_id);
        let (method, step) = ("ScheduleCampaign", Move::Schedule);
        let wanted = Wanted { method, step, request_id, name: &body.name, etag: &body.etag, body: &body };
        let answer = |stored| ScheduleCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(self.step(call, wanted).await?.response(answer))
    }

    async fn launch_campaign(
        &self,
        request: Request<LaunchCampaignRequest>,
    ) -> Result<Response<LaunchCampaignResponse>, Status> {
        let (call, mut body) = (grpc::call(&request)?, request.into_inner());
        let request_id = std::mem::take(&mut body.request_id);
        let (method, step) = ("LaunchCampaign", Move::Launch);
        let wanted = Wanted { method, step, request_id, name: &body.name, etag: &body.etag, body: &body };
        let answer = |stored| LaunchCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(self.step(call, wanted).await?.response(answer))
    }

    async fn pause_campaign(
        &self,
        request: Request<PauseCampaignRequest>,
    ) -> Result<Response<PauseCampaignResponse>, Status> {
        let (call, mut body) = (grpc::call(&request)?, request.into_inner());
        let request_id = std::mem::take(&mut body.request_id);
        let (method, step) = ("PauseCampaign", Move::Pause);
        let wanted = Wanted { method, step, request_id, name: &body.name, etag: &body.etag, body: &body };
        let answer = |stored| PauseCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(self.step(call, wanted).await?.response(answer))
    }

    async fn resume_campaign(
        &self,
        request: Request<ResumeCampaignRequest>,
    ) -> Result<Response<ResumeCampaignResponse>, Status> {
        let (call, mut body) = (grpc::call(&request)?, request.into_inner());
        let request_id = std::mem::take(&mut body.request_id);
        let (method, step) = ("ResumeCampaign", Move::Resume);
        let wanted = Wanted { method, step, request_id, name: &body.name, etag: &body.etag, body: &body };
        let answer = |stored| ResumeCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(self.step(call, wanted).await?.response(answer))
    }

    async fn end_campaign(
        &self,
        request: Request<EndCampaignRequest>,
    ) -> Result<Response<EndCampaignResponse>, Status> {
        let (call, mut body) = (grpc::call(&request)?, request.into_inner());
        let request_id = std::mem::take(&mut body.request_id);
        let (method, step) = ("EndCampaign", Move::End);
        let wanted = Wanted { method, step, request_id, name: &body.name, etag: &body.etag, body: &body };
        let answer = |stored| EndCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(self.step(call, wanted).await?.response(answer))
    }

    async fn cancel_campaign(
        &self,
        request: Request<CancelCampaignRequest>,
    ) -> Result<Response<CancelCampaignResponse>, Status> {
        let (call, mut body) = (grpc::call(&request)?, request.into_inner());
        let request_id = std::mem::take(&mut body.request_id);
        let (method, step) = ("CancelCampaign", Move::Cancel);
        let wanted = Wanted { method, step, request_id, name: &body.name, etag: &body.etag, body: &body };
        let answer = |stored| CancelCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(self.step(call, wanted).await?.response(answer))
    }

    async fn archive_campaign(
        &self,
        request: Request<ArchiveCampaignRequest>,
    ) -> Result<Response<ArchiveCampaignResponse>, Status> {
        let (call, mut body) = (grpc::call(&request)?, request.into_inner());
        let request_id = std::mem::take(&mut body.request_id);
        let (method, step) = ("ArchiveCampaign", Move::Archive);
        let wanted = Wanted { method, step, request_id, name: &body.name, etag: &body.etag, body: &body };
        let answer = |stored| ArchiveCampaignResponse { campaign: Some(message::campaign(&stored)) };
        Ok(self.step(call, wanted).await?.response(answer))
    }

    async fn adapt_campaign(
        &self,
        request: Request<AdaptCampaignRequest>,
    ) -> Result<Response<AdaptCampaignResponse>, Status> {
        let (app, call, mut body) = (&self.0, grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let request_id = std::mem::take(&mut body.request_id);
        let request = field::request(&mut v, app, "AdaptCampaign", &request_id, &body);
        let id = field::resource(&mut v, "name", COLLECTION, &body.name);
        let etag = std::mem::take(&mut body.etag);
        let adaptation = parse::adaptation(&mut v, body);
        v.finish()?;
        let adapted = app.write_catalogue(call, request, move |app, call, request| async move {
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
        self.find(&call.tenant, &id).await?;
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
        self.find(&call.tenant, &id).await?;
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
        self.find(&call.tenant, &id).await?;
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
        let view = self.view(&call.tenant, &id).await?;
        Ok(Response::new(message::media_plan(&view.campaign, &view.revision.mix)))
    }
}

/// The part that all requests for a step share.
struct Wanted<'a, M> {
    method: &'static str,
    step: Move,
    request_id: String,
    name: &'a str,
    etag: &'a str,
    body: &'a M,
}

impl Api {
    async fn step<M: Message>(&self, call: Call, wanted: Wanted<'_, M>) -> Outcome<Written<View>> {
        let Wanted { method, step, request_id, name, etag, body } = wanted;
        let (app, etag) = (&self.0, etag.to_owned());
        let mut v = Violations::new();
        let request = field::request(&mut v, app, method, &request_id, body);
        let id = field::resource(&mut v, "name", COLLECTION, name);
        v.finish()?;
        let stored = app.write_catalogue(call, request, move |app, call, request| async move {
            commands::step(&app, &call, &request, &id, &etag, step).await
        });
        stored.await
    }

    async fn find(&self, tenant: &Tenant, id: &str) -> Outcome<Campaign> {
        let mut reader = self.0.db.read().await?;
        store::find(&mut reader, tenant, id).await?.ok_or_else(|| Fault::not_found(name(id)))
    }

    async fn revision(&self, tenant: &Tenant, id: &str, number: i64) -> Outcome<Revision> {
        let mut reader = self.0.db.read().await?;
        store::revision(&mut reader, tenant, id, number).await?.ok_or_else(|| {
            let message = format!("the campaign has no mix revision {number}");
            let fault = Fault::new(Kind::NotFound, ErrorReason::RevisionUnknown, message);
            fault.with("resource", revision_name(id, number))
        })
    }

    async fn view(&self, tenant: &Tenant, id: &str) -> Outcome<View> {
        let now = self.0.clock.now();
        let campaign = self.find(tenant, id).await?;
        let view = self.views(tenant, vec![campaign], now).await?.pop();
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
    fn position(&self) -> Position {
        Position { created: self.created, id: self.id.clone() }
    }

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

    async fn scan(
        reader: &mut Reader,
        tenant: &Tenant,
        order: Order,
        after: &Position,
        limit: usize,
    ) -> Outcome<Vec<Self>> {
        store::scan(reader, tenant, order, after, limit).await
    }
}
