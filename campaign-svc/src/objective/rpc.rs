//! ObjectiveService: messages to values and back.

use std::sync::LazyLock;

use jiff::Timestamp;
use tandem_kernel::id;
use tandem_kernel::money::Money;
use tandem_kernel::period::Zone;
use tandem_kernel::rule::{Fact, Facts, Type, Vocabulary};
use tandem_platform::resource::asked;
use tandem_platform::resource::list::Listed;
use tandem_platform::resource::word;
use tandem_platform::{Core, Violations, grpc, service};
use tandem_proto::campaign::v1::objective_service_server::ObjectiveService;
use tandem_proto::campaign::v1::{self, *};
use tandem_proto::convert;
use tonic::{Request, Response, Status};

use super::events::{message, metric_message};
use super::{Definition, FIELDS, Metric, Objective, commands, progress, store};
use crate::{field, redemption};

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
        let new = asked::create::<Objective, _, _>(&self.0, request, |v, given| {
            let definition = definition(v, given);
            // Whether target and metric fit can be judged only where both could be read.
            let judged = !v.has("metric") && !v.has("target_money");
            field::problems(v, if judged { definition.problems() } else { Vec::new() });
            definition
        })?;
        let stored = service::write(&self.0, new, commands::create).await?;
        Ok(Response::new(CreateObjectiveResponse { objective: Some(message(&stored)) }))
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
        let (objectives, next_page_token) = page.shown(|one: &Objective| Some(message(one)));
        Ok(Response::new(ListObjectivesResponse { objectives, next_page_token }))
    }

    async fn update_objective(
        &self,
        request: Request<UpdateObjectiveRequest>,
    ) -> Result<Response<UpdateObjectiveResponse>, Status> {
        let change = asked::update::<Objective, _, _>(&self.0, request, FIELDS, definition)?;
        let stored = service::write(&self.0, change, commands::update).await?;
        Ok(Response::new(UpdateObjectiveResponse { objective: Some(message(&stored)) }))
    }

    async fn archive_objective(
        &self,
        request: Request<ArchiveObjectiveRequest>,
    ) -> Result<Response<ArchiveObjectiveResponse>, Status> {
        let touch = asked::touch::<Objective, _>(&self.0, request)?;
        let stored = service::write(&self.0, touch, commands::archive).await?;
        Ok(Response::new(ArchiveObjectiveResponse { objective: Some(message(&stored)) }))
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

/// What a caller says of an objective.
fn definition(v: &mut Violations, given: v1::Objective) -> Definition {
    let (money, window) = (given.target_money.as_ref(), given.window.as_ref());
    Definition {
        display_name: field::text(v, "display_name", given.display_name, 1..=200),
        description: field::prose(v, "description", given.description, 0..=2_000),
        metric: metric(v, given.metric).unwrap_or_default(),
        target_money: money
            .and_then(|money| field::read(v, |found| convert::money("target_money", money, found))),
        target_count: given.target_count,
        window: window
            .and_then(|given| field::read(v, |found| convert::window("window", given, Zone::utc(), found)))
            .unwrap_or_default(),
        labels: field::labels(v, "labels", given.labels),
    }
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
