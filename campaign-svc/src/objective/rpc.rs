//! ObjectiveService: messages to values and back.

use std::sync::LazyLock;

use jiff::Timestamp;
use tandem_kernel::id;
use tandem_kernel::money::Money;
use tandem_kernel::period::{Window, Zone};
use tandem_kernel::rule::{Fact, Facts, Type, Vocabulary};
use tandem_platform::grpc::{self, Mask};
use tandem_platform::resource::asked::{self, Touch, Write};
use tandem_platform::resource::list::Listed;
use tandem_platform::resource::word;
use tandem_platform::{Core, Violations, service};
use tandem_proto::campaign::v1::objective_service_server::ObjectiveService;
use tandem_proto::campaign::v1::{self, *};
use tandem_proto::convert;
use tonic::{Request, Response, Status};

use super::events::{message, metric_message};
use super::{COLLECTION, Change, Definition, Metric, Objective, commands, progress, store};
use crate::{field, redemption};

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
pub struct Api(Core);

impl Api {
    /// Of this process.
    pub fn new(core: &Core) -> Self {
        Self(core.clone())
    }
}

#[tonic::async_trait]
impl ObjectiveService for Api {
    async fn create_objective(
        &self,
        request: Request<CreateObjectiveRequest>,
    ) -> Result<Response<CreateObjectiveResponse>, Status> {
        let Write { call, request, mut v, body } = asked::write(&self.0, request)?;
        let given = body.objective.unwrap_or_default();
        let id = asked::new_id::<Objective>(&mut v, &self.0, "objective_id", &body.objective_id, &given.name);
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
        let stored = service::write(&self.0, call, request, move |core, call, request| async move {
            commands::create(&core, &call, &request, &id, &definition).await
        });
        Ok(Response::new(CreateObjectiveResponse { objective: Some(message(&stored.await?)) }))
    }

    async fn get_objective(
        &self,
        request: Request<GetObjectiveRequest>,
    ) -> Result<Response<GetObjectiveResponse>, Status> {
        let objective = asked::get(&self.0, request).await?;
        Ok(Response::new(GetObjectiveResponse { objective: Some(message(&objective)) }))
    }

    async fn list_objectives(
        &self,
        request: Request<ListObjectivesRequest>,
    ) -> Result<Response<ListObjectivesResponse>, Status> {
        let page = asked::list(&self.0, request, &VOCABULARY).await?;
        let objectives = page.items.iter().map(message).collect();
        Ok(Response::new(ListObjectivesResponse { objectives, next_page_token: page.next_page_token }))
    }

    async fn update_objective(
        &self,
        request: Request<UpdateObjectiveRequest>,
    ) -> Result<Response<UpdateObjectiveResponse>, Status> {
        let Write { call, request, mut v, body } = asked::write(&self.0, request)?;
        let mask = grpc::field_mask(&mut v, body.update_mask.as_ref(), FIELDS);
        let given = body.objective.unwrap_or_default();
        let etag = given.etag.clone();
        let (id, change) = {
            let mut v = v.nest("objective");
            (field::resource(&mut v, "name", COLLECTION, &given.name), parse(&mut v, given, &mask))
        };
        v.finish()?;
        let stored = service::write(&self.0, call, request, move |core, call, request| async move {
            commands::update(&core, &call, &request, &id, &etag, &change).await
        });
        Ok(Response::new(UpdateObjectiveResponse { objective: Some(message(&stored.await?)) }))
    }

    async fn archive_objective(
        &self,
        request: Request<ArchiveObjectiveRequest>,
    ) -> Result<Response<ArchiveObjectiveResponse>, Status> {
        let Touch { call, request, id, etag } = asked::touch::<Objective, _>(&self.0, request)?;
        let stored = service::write(&self.0, call, request, move |core, call, request| async move {
            commands::archive(&core, &call, &request, &id, &etag).await
        });
        Ok(Response::new(ArchiveObjectiveResponse { objective: Some(message(&stored.await?)) }))
    }

    async fn get_objective_progress(
        &self,
        request: Request<GetObjectiveProgressRequest>,
    ) -> Result<Response<GetObjectiveProgressResponse>, Status> {
        let call = grpc::call(&request)?;
        let objective: Objective = asked::get(&self.0, request).await?;
        let mut reader = self.0.db.read().await?;
        let campaigns = store::campaigns(&mut reader, &call.tenant, &objective.id).await?;
        let sums = redemption::store::sums(&mut reader, &call.tenant, &campaigns).await?;
        let progress = progress::progress(&objective.definition, &sums);
        Ok(Response::new(GetObjectiveProgressResponse {
            metric: metric_message(objective.definition.metric).into(),
            reached_money: progress.money.map(Into::into),
            reached_count: progress.count,
            reached_ppm: progress.ppm,
            redemptions: sums.redemptions,
            discounts: sums.discounts.iter().map(|(of, minor)| Money::new(*minor, *of).into()).collect(),
            campaigns: campaigns.iter().map(|one| id::name("campaigns", one)).collect(),
        }))
    }
}

impl Listed for Objective {
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
