//! The segment service of the contract.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, stream};
use jiff::Timestamp;
use tandem_kernel::rule::{Facts, Rule};
use tandem_platform::db::Reader;
use tandem_platform::idempotency::Request as Claimed;
use tandem_platform::list::{Asked, List, Listed, Order, Position};
use tandem_platform::{Call, Fault, Outcome, Tenant, Violations, field, grpc};
use tandem_proto::relationship::v1::segment_service_server::SegmentService;
use tandem_proto::relationship::v1::{
    self, CountSegmentRequest, CountSegmentResponse, CreateSegmentRequest, CreateSegmentResponse,
    DeleteSegmentRequest, DeleteSegmentResponse, EvaluateMembershipRequest, EvaluateMembershipResponse,
    GetSegmentRequest, GetSegmentResponse, ListSegmentsRequest, ListSegmentsResponse,
    StreamSegmentMembersRequest, StreamSegmentMembersResponse, UpdateSegmentRequest, UpdateSegmentResponse,
};
use tonic::{Request, Response, Status};

use super::commands::{self, Change};
use super::{Definition, Field, Segment, compile, events, fact, name, store, vocabulary};
use crate::App;

const MAX_DISPLAY_NAME: usize = 200;
/// The most segments that one question about a customer names.
const MAX_ASKED: usize = 100;

/// The fields that an update can name.
const FIELDS: [(&str, Field); 2] = [("display_name", Field::DisplayName), ("rule", Field::Rule)];

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
impl SegmentService for Api {
    type StreamSegmentMembersStream =
        Pin<Box<dyn Stream<Item = Result<StreamSegmentMembersResponse, Status>> + Send>>;

    async fn create_segment(
        &self,
        request: Request<CreateSegmentRequest>,
    ) -> Result<Response<CreateSegmentResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, id, definition) = parse_create(&self.0, request.into_inner())?;
        let write = move |app: Arc<App>, call, claim| async move {
            commands::create(&app, &call, &claim, id, definition).await
        };
        let segment = self.0.write(call, claim, write).await?;
        Ok(Response::new(CreateSegmentResponse { segment: Some(events::message(&segment)) }))
    }

    async fn get_segment(
        &self,
        request: Request<GetSegmentRequest>,
    ) -> Result<Response<GetSegmentResponse>, Status> {
        let call = grpc::call(&request)?;
        let id = parse_name(&request.get_ref().name)?;
        let mut reader = self.0.db.read().await?;
        let found = store::find(&mut reader, &call.tenant, &id).await?;
        let segment = found.ok_or_else(|| Fault::not_found(name(&id)))?;
        Ok(Response::new(GetSegmentResponse { segment: Some(events::message(&segment)) }))
    }

    async fn list_segments(
        &self,
        request: Request<ListSegmentsRequest>,
    ) -> Result<Response<ListSegmentsResponse>, Status> {
        let call = grpc::call(&request)?;
        let message = request.get_ref();
        let asked = Asked {
            list: "ListSegments",
            page_size: message.page_size,
            page_token: &message.page_token,
            filter: &message.filter,
            order_by: &message.order_by,
        };
        let list = List::read(&call, asked, &vocabulary())?;
        let page = list.page::<Segment>(&self.0.db, &call.tenant, self.0.clock.now()).await?;
        let segments = page.items.iter().map(events::message).collect();
        Ok(Response::new(ListSegmentsResponse { segments, next_page_token: page.next_page_token }))
    }

    async fn update_segment(
        &self,
        request: Request<UpdateSegmentRequest>,
    ) -> Result<Response<UpdateSegmentResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, change) = parse_update(&self.0, request.into_inner())?;
        let write = move |app: Arc<App>, call, claim| async move {
            commands::update(&app, &call, &claim, change).await
        };
        let segment = self.0.write(call, claim, write).await?;
        Ok(Response::new(UpdateSegmentResponse { segment: Some(events::message(&segment)) }))
    }

    async fn delete_segment(
        &self,
        request: Request<DeleteSegmentRequest>,
    ) -> Result<Response<DeleteSegmentResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, id, etag) = parse_delete(&self.0, request.into_inner())?;
        let write = move |app: Arc<App>, call, claim| async move {
            commands::delete(&app, &call, &claim, &id, &etag).await
        };
        self.0.write(call, claim, write).await?;
        Ok(Response::new(DeleteSegmentResponse {}))
    }

    async fn count_segment(
        &self,
        request: Request<CountSegmentRequest>,
    ) -> Result<Response<CountSegmentResponse>, Status> {
        let call = grpc::call(&request)?;
        let rule = match parse_count(request.into_inner())? {
            Counted::Segment(id) => commands::rule(&self.0, &call, &id).await?,
            Counted::Rule(rule) => rule,
        };
        let count = commands::count(&self.0, &call, rule).await?;
        Ok(Response::new(CountSegmentResponse { members: count.members, customers: count.customers }))
    }

    async fn stream_segment_members(
        &self,
        request: Request<StreamSegmentMembersRequest>,
    ) -> Result<Response<Self::StreamSegmentMembersStream>, Status> {
        let call = grpc::call(&request)?;
        let id = parse_name(&request.get_ref().name)?;
        let rule = commands::rule(&self.0, &call, &id).await?;
        Ok(Response::new(Box::pin(members(self.0.clone(), call, Arc::new(rule)))))
    }

    async fn evaluate_membership(
        &self,
        request: Request<EvaluateMembershipRequest>,
    ) -> Result<Response<EvaluateMembershipResponse>, Status> {
        let call = grpc::call(&request)?;
        let (customer, asked) = parse_membership(request.into_inner())?;
        let members = commands::membership(&self.0, &call, customer, asked).await?;
        let segments = members.iter().map(|id| name(id)).collect();
        Ok(Response::new(EvaluateMembershipResponse { segments }))
    }
}

impl Listed for Segment {
    fn position(&self) -> Position {
        Position { created: self.created, id: self.id.clone() }
    }

    fn facts(&self, _now: Timestamp) -> Facts<'_> {
        Facts::new().with("segment", fact(self))
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

/// Blocks of members until the last customer; empty ones are left out.
fn members(
    app: Arc<App>,
    call: Call,
    rule: Arc<Rule>,
) -> impl Stream<Item = Result<StreamSegmentMembersResponse, Status>> + Send {
    stream::unfold(Some((app, call, rule, String::new())), async |state| {
        let (app, call, rule, mut after) = state?;
        loop {
            let (customers, next) = match commands::members(&app, &call, &rule, &after).await {
                Ok(block) => block,
                Err(fault) => return Some((Err(fault.into()), None)),
            };
            match next {
                Some(next) if customers.is_empty() => after = next,
                None if customers.is_empty() => return None,
                next => {
                    let rest = next.map(|next| (app, call, rule, next));
                    return Some((Ok(StreamSegmentMembersResponse { customers }), rest));
                }
            }
        }
    })
}

fn parse_name(text: &str) -> Outcome<String> {
    let mut v = Violations::new();
    let id = field::resource(&mut v, "name", "segments", text);
    v.finish()?;
    Ok(id)
}

fn parse_create(app: &App, mut message: CreateSegmentRequest) -> Outcome<(Claimed, String, Definition)> {
    let mut v = Violations::new();
    let now = app.clock.now();
    let request_id = std::mem::take(&mut message.request_id);
    let claim = field::request(&mut v, &*app.ids, now, "CreateSegment", &request_id, &message);
    let segment = message.segment.unwrap_or_default();
    let wanted = field::Wanted {
        collection: "segments",
        field: "segment_id",
        id: &message.segment_id,
        name: &segment.name,
    };
    let id = field::new_id(&mut v, &*app.ids, now, wanted);
    let definition = parse_definition(&mut v.nest("segment"), segment, &FIELDS.map(|(_, field)| field));
    v.finish()?;
    Ok((claim, id, definition))
}

fn parse_update(app: &App, mut message: UpdateSegmentRequest) -> Outcome<(Claimed, Change)> {
    let mut v = Violations::new();
    let request_id = std::mem::take(&mut message.request_id);
    let claim = field::request(&mut v, &*app.ids, app.clock.now(), "UpdateSegment", &request_id, &message);
    let segment = message.segment.unwrap_or_default();
    let mask = grpc::field_mask(&mut v, message.update_mask.as_ref(), &FIELDS.map(|(name, _)| name));
    let fields: Vec<Field> =
        FIELDS.iter().filter(|(name, _)| mask.has(name)).map(|(_, field)| *field).collect();
    let id = field::resource(&mut v, "segment.name", "segments", &segment.name);
    let etag = segment.etag.clone();
    let definition = parse_definition(&mut v.nest("segment"), segment, &fields);
    v.finish()?;
    Ok((claim, Change { id, etag, fields, definition }))
}

/// Reads `fields`; what is not asked for cannot be wrong.
fn parse_definition(v: &mut Violations, segment: v1::Segment, fields: &[Field]) -> Definition {
    let mut definition = Definition::default();
    for field in fields {
        match field {
            Field::DisplayName => {
                let text = segment.display_name.clone();
                definition.display_name = field::text(v, "display_name", text, 0..=MAX_DISPLAY_NAME);
            }
            Field::Rule => {
                parse_rule(v, &segment.rule);
                definition.rule.clone_from(&segment.rule);
            }
        }
    }
    definition
}

fn parse_rule(v: &mut Violations, text: &str) -> Option<Rule> {
    compile(text).map_err(|error| v.add_as("RULE_INVALID", "rule", error.to_string())).ok()
}

fn parse_delete(app: &App, mut message: DeleteSegmentRequest) -> Outcome<(Claimed, String, String)> {
    let mut v = Violations::new();
    let request_id = std::mem::take(&mut message.request_id);
    let claim = field::request(&mut v, &*app.ids, app.clock.now(), "DeleteSegment", &request_id, &message);
    let id = field::resource(&mut v, "name", "segments", &message.name);
    v.finish()?;
    Ok((claim, id, message.etag))
}

enum Counted {
    Segment(String),
    Rule(Rule),
}

fn parse_count(message: CountSegmentRequest) -> Outcome<Counted> {
    let mut v = Violations::new();
    let counted = match (message.name.as_str(), message.rule.as_str()) {
        ("", "") => {
            v.add("name", "exactly one of name and rule is needed");
            None
        }
        (name, "") => Some(Counted::Segment(field::resource(&mut v, "name", "segments", name))),
        ("", rule) => parse_rule(&mut v, rule).map(Counted::Rule),
        _ => {
            v.add("rule", "exactly one of name and rule is needed");
            None
        }
    };
    v.finish()?;
    counted.ok_or_else(|| Fault::internal("a request without violations has no value"))
}

fn parse_membership(message: EvaluateMembershipRequest) -> Outcome<(String, Vec<String>)> {
    let mut v = Violations::new();
    let customer = field::resource(&mut v, "customer", "customers", &message.customer);
    let asked = parse_segments(&mut v, &message.segments, MAX_ASKED);
    v.finish()?;
    Ok((customer, asked))
}

/// The ids of at most `most` segments in `segments`.
pub fn parse_segments(v: &mut Violations, names: &[String], most: usize) -> Vec<String> {
    v.check(
        names.len() <= most,
        "segments",
        format!("must have at most {most} entries, has {}", names.len()),
    );
    let mut ids = Vec::with_capacity(names.len().min(most));
    for (index, name) in names.iter().take(most).enumerate() {
        ids.push(field::resource(v, &format!("segments[{index}]"), "segments", name));
    }
    ids
}
