//! The segment service of the contract.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use futures::{Stream, stream};
use jiff::Timestamp;
use tandem_kernel::rule::{Facts, Rule, Vocabulary};
use tandem_platform::resource::asked;
use tandem_platform::resource::list::Listed;
use tandem_platform::{Call, Fault, Outcome, Violations, field, grpc, service};
use tandem_proto::relationship::v1::segment_service_server::SegmentService;
use tandem_proto::relationship::v1::{
    self, CountSegmentRequest, CountSegmentResponse, CreateSegmentRequest, CreateSegmentResponse,
    DeleteSegmentRequest, DeleteSegmentResponse, EvaluateMembershipRequest, EvaluateMembershipResponse,
    GetSegmentRequest, GetSegmentResponse, ListSegmentsRequest, ListSegmentsResponse,
    StreamSegmentMembersRequest, StreamSegmentMembersResponse, UpdateSegmentRequest, UpdateSegmentResponse,
};
use tonic::{Request, Response, Status};

use super::{Definition, FIELDS, Segment, commands, compile, events, fact, name, vocabulary};
use crate::App;

/// What a filter may read.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(vocabulary);

const MAX_DISPLAY_NAME: usize = 200;
/// The most segments that one question about a customer names.
const MAX_ASKED: usize = 100;

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
        let new = asked::create::<Segment, _, _>(&self.0, request, parse_definition)?;
        let stored = service::write(&self.0, new, commands::create).await?;
        Ok(Response::new(CreateSegmentResponse { segment: Some(events::message(&stored)) }))
    }

    async fn get_segment(
        &self,
        request: Request<GetSegmentRequest>,
    ) -> Result<Response<GetSegmentResponse>, Status> {
        let segment = asked::get(&self.0, request).await?;
        Ok(Response::new(GetSegmentResponse { segment: Some(events::message(&segment)) }))
    }

    async fn list_segments(
        &self,
        request: Request<ListSegmentsRequest>,
    ) -> Result<Response<ListSegmentsResponse>, Status> {
        let page = asked::list(&self.0, request, &VOCABULARY).await?;
        let (segments, next_page_token) = page.shown(|one: &Segment| Some(events::message(one)));
        Ok(Response::new(ListSegmentsResponse { segments, next_page_token }))
    }

    async fn update_segment(
        &self,
        request: Request<UpdateSegmentRequest>,
    ) -> Result<Response<UpdateSegmentResponse>, Status> {
        let change = asked::update::<Segment, _, _>(&self.0, request, FIELDS, parse_definition)?;
        let stored = service::write(&self.0, change, commands::update).await?;
        Ok(Response::new(UpdateSegmentResponse { segment: Some(events::message(&stored)) }))
    }

    async fn delete_segment(
        &self,
        request: Request<DeleteSegmentRequest>,
    ) -> Result<Response<DeleteSegmentResponse>, Status> {
        let touch = asked::touch::<Segment, _>(&self.0, request)?;
        service::write(&self.0, touch, commands::delete).await?;
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
        let id = asked::named::<Segment>(request.get_ref())?;
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
    fn facts(&self, _now: Timestamp) -> Facts<'_> {
        Facts::new().with("segment", fact(self))
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

/// What a caller says of a segment.
fn parse_definition(v: &mut Violations, segment: v1::Segment) -> Definition {
    let display_name = field::text(v, "display_name", segment.display_name, 0..=MAX_DISPLAY_NAME);
    parse_rule(v, &segment.rule);
    Definition { display_name, rule: segment.rule }
}

fn parse_rule(v: &mut Violations, text: &str) -> Option<Rule> {
    compile(text).map_err(|error| v.add_as("RULE_INVALID", "rule", error.to_string())).ok()
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
