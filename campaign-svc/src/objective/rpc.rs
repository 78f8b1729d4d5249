//! ObjectiveService: messages to values and back.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use tandem_kernel::money::Money;
use tandem_kernel::period::{Window, Zone};
use tandem_kernel::rule::{Fact, Facts, Type, Vocabulary};
use tandem_platform::db::Reader;
use tandem_platform::grpc::{self, Mask};
use tandem_platform::list::{Asked, List, Listed, Order, Position};
use tandem_platform::{Fault, Outcome, Tenant, Violations};
use tandem_proto::campaign::v1::objective_service_server::ObjectiveService;
use tandem_proto::campaign::v1::{self, *};
use tandem_proto::convert;
use tonic::{Request, Response, Status};

use super::events::{message, metric_message};
use super::{COLLECTION, Change, Definition, Metric, Objective, commands, name, progress, store};
use crate::{App, campaign, field, redemption, word};

/// What an update may write.
const FIELDS: &[&str] =
    &["display_name", "description", "metric", "target_money", "target_count", "window", "labels"];

/// What a filter may read.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let objective = Type::object([
        ("id", Type::Text),
        ("display_name", Type::Text),
        ("metric", Type::Text),
        ("state", Type::Text),
        ("labels", Type::map(Type::Text, 64)),
    ]);
    Vocabulary::new().with("objective", objective)
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
impl ObjectiveService for Api {
    async fn create_objective(
        &self,
        request: Request<CreateObjectiveRequest>,
    ) -> Result<Response<CreateObjectiveResponse>, Status> {
        let (app, call, mut body) = (&self.0, grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let request_id = std::mem::take(&mut body.request_id);
        let request = field::request(&mut v, app, "CreateObjective", &request_id, &body);
        let given = body.objective.unwrap_or_default();
        let id = field::new_id(&mut v, app, COLLECTION, "objective_id", &body.objective_id, &given.name);
        let definition = {
            let mut v = v.nest("objective");
            let all = grpc::field_mask(&mut v, None, FIELDS);
            let change = parse(&mut v, given, &all);
            // Whether target and metric fit can be judged only where both could be read.
            let judged = change.metric.is_some() && change.target_money.is_some();
            let definition = Definition::default().with(change);
            field::problems(&mut v, if judged { definition.problems() } else { Vec::new() });
            definition
        };
        v.finish()?;
        let stored = app.write(call, request, move |app, call, request| async move {
            commands::create(&app, &call, &request, &id, &definition).await
        });
        Ok(Response::new(CreateObjectiveResponse { objective: Some(message(&stored.await?)) }))
    }

    async fn get_objective(
        &self,
        request: Request<GetObjectiveRequest>,
    ) -> Result<Response<GetObjectiveResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let id = field::resource(&mut v, "name", COLLECTION, &body.name);
        v.finish()?;
        let objective = self.find(&call.tenant, &id).await?;
        Ok(Response::new(GetObjectiveResponse { objective: Some(message(&objective)) }))
    }

    async fn list_objectives(
        &self,
        request: Request<ListObjectivesRequest>,
    ) -> Result<Response<ListObjectivesResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let asked = Asked {
            list: "ListObjectives",
            page_size: body.page_size,
            page_token: &body.page_token,
            filter: &body.filter,
            order_by: &body.order_by,
        };
        let list = List::read(&call, asked, &VOCABULARY)?;
        let page = list.page::<Objective>(&self.0.db, &call.tenant, self.0.clock.now()).await?;
        let objectives = page.items.iter().map(message).collect();
        Ok(Response::new(ListObjectivesResponse { objectives, next_page_token: page.next_page_token }))
    }

    async fn update_objective(
        &self,
        request: Request<UpdateObjectiveRequest>,
    ) -> Result<Response<UpdateObjectiveResponse>, Status> {
        let (app, call, mut body) = (&self.0, grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let request_id = std::mem::take(&mut body.request_id);
        let request = field::request(&mut v, app, "UpdateObjective", &request_id, &body);
        let mask = grpc::field_mask(&mut v, body.update_mask.as_ref(), FIELDS);
        let given = body.objective.unwrap_or_default();
        let etag = given.etag.clone();
        let (id, change) = {
            let mut v = v.nest("objective");
            (field::resource(&mut v, "name", COLLECTION, &given.name), parse(&mut v, given, &mask))
        };
        v.finish()?;
        let stored = app.write(call, request, move |app, call, request| async move {
            commands::update(&app, &call, &request, &id, &etag, &change).await
        });
        Ok(Response::new(UpdateObjectiveResponse { objective: Some(message(&stored.await?)) }))
    }

    async fn archive_objective(
        &self,
        request: Request<ArchiveObjectiveRequest>,
    ) -> Result<Response<ArchiveObjectiveResponse>, Status> {
        let (app, call, mut body) = (&self.0, grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let request_id = std::mem::take(&mut body.request_id);
        let request = field::request(&mut v, app, "ArchiveObjective", &request_id, &body);
        let id = field::resource(&mut v, "name", COLLECTION, &body.name);
        v.finish()?;
        let stored = app.write(call, request, move |app, call, request| async move {
            commands::archive(&app, &call, &request, &id, &body.etag).await
        });
        Ok(Response::new(ArchiveObjectiveResponse { objective: Some(message(&stored.await?)) }))
    }

    async fn get_objective_progress(
        &self,
        request: Request<GetObjectiveProgressRequest>,
    ) -> Result<Response<GetObjectiveProgressResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let id = field::resource(&mut v, "name", COLLECTION, &body.name);
        v.finish()?;
        let objective = self.find(&call.tenant, &id).await?;
        let mut reader = self.0.db.read().await?;
        let campaigns = campaign::store::of_objective(&mut reader, &call.tenant, &id).await?;
        let sums = redemption::store::sums(&mut reader, &call.tenant, &campaigns).await?;
        let progress = progress::progress(&objective.definition, &sums);
        Ok(Response::new(GetObjectiveProgressResponse {
            metric: metric_message(objective.definition.metric).into(),
            reached_money: progress.money.map(Into::into),
            reached_count: progress.count,
            reached_ppm: progress.ppm,
            redemptions: sums.redemptions,
            discounts: sums.discounts.iter().map(|(of, minor)| Money::new(*minor, *of).into()).collect(),
            campaigns: campaigns.iter().map(|id| campaign::name(id)).collect(),
        }))
    }
}

impl Api {
    async fn find(&self, tenant: &Tenant, id: &str) -> Outcome<Objective> {
        let mut reader = self.0.db.read().await?;
        store::find(&mut reader, tenant, id).await?.ok_or_else(|| Fault::not_found(name(id)))
    }
}

impl Listed for Objective {
    fn position(&self) -> Position {
        Position { created: self.created, id: self.id.clone() }
    }

    fn facts(&self, _now: Timestamp) -> Facts<'_> {
        let definition = &self.definition;
        let objective = Fact::Object(vec![
            ("id", Fact::text(&self.id)),
            ("display_name", Fact::text(&definition.display_name)),
            ("metric", Fact::from(word::of(&definition.metric))),
            ("state", Fact::from(word::of(&self.state))),
            ("labels", Fact::text_map(&definition.labels)),
        ]);
        Facts::new().with("objective", objective)
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

/// The masked fields of `given`.
fn parse(v: &mut Violations, given: v1::Objective, mask: &Mask) -> Change {
    let mut change = Change::default();
    if mask.has("display_name") {
        change.display_name = Some(field::text(v, "display_name", given.display_name, 1..=200));
    }
    if mask.has("description") {
        change.description = Some(field::prose(v, "description", given.description, 0..=2_000));
    }
    if mask.has("metric") {
        change.metric = metric(v, given.metric);
    }
    if mask.has("target_money") {
        change.target_money = match given.target_money.as_ref() {
            Some(target) => field::read(v, |found| convert::money("target_money", target, found)).map(Some),
            None => Some(None),
        };
    }
    if mask.has("target_count") {
        change.target_count = Some(given.target_count);
    }
    if mask.has("window") {
        change.window = match given.window.as_ref() {
            Some(window) => field::read(v, |found| convert::window("window", window, Zone::utc(), found)),
            None => Some(Window::default()),
        };
    }
    if mask.has("labels") {
        change.labels = Some(field::labels(v, "labels", given.labels));
    }
    change
}

fn metric(v: &mut Violations, number: i32) -> Option<Metric> {
    match ObjectiveMetric::try_from(number) {
        Ok(ObjectiveMetric::Revenue) => Some(Metric::Revenue),
        Ok(ObjectiveMetric::Orders) => Some(Metric::Orders),
        Ok(ObjectiveMetric::Redemptions) => Some(Metric::Redemptions),
        Ok(ObjectiveMetric::Customers) => Some(Metric::Customers),
        Ok(ObjectiveMetric::Unspecified) | Err(_) => {
            v.add("metric", "must be REVENUE, ORDERS, REDEMPTIONS or CUSTOMERS");
            None
        }
    }
}
