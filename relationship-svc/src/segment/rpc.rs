//! The segment service of the contract.

mod import;
mod parse;

use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use tandem_kernel::rule::plan::Kept;
use tandem_kernel::rule::{Facts, Finding, Vocabulary};
use tandem_platform::resource::asked;
use tandem_platform::resource::list::Listed;
use tandem_platform::{Call, Outcome, Violations, field, grpc, service};
use tandem_proto::relationship::v1::segment_service_server::SegmentService;
use tandem_proto::relationship::v1::{
    self, AddSegmentMembersRequest, AddSegmentMembersResponse, CountSegmentRequest, CountSegmentResponse,
    CreateSegmentRequest, CreateSegmentResponse, DeleteSegmentRequest, DeleteSegmentResponse,
    EvaluateMembershipRequest, EvaluateMembershipResponse, ExplainSegmentRequest, ExplainSegmentResponse,
    GetSegmentRequest, GetSegmentResponse, ImportSegmentMembersRequest, ImportSegmentMembersResponse,
    ListSegmentsRequest, ListSegmentsResponse, RemoveSegmentMembersRequest, RemoveSegmentMembersResponse,
    SegmentKind, StreamSegmentMembersRequest, StreamSegmentMembersResponse, UpdateSegmentRequest,
    UpdateSegmentResponse,
};
use tonic::{Request, Response, Status, Streaming};

use self::import::Members;
use super::commands::lists;
use super::commands::search::{self, Explained, Wanted};
use super::{Definition, FIELDS, Kind, Segment, check, commands, events, fact, name, vocabulary};
use crate::{App, customer};

/// What a filter may read.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(vocabulary);

const MAX_DISPLAY_NAME: usize = 200;
/// Members in one message, of an answer and of an import.
const MESSAGE: usize = 1_000;
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

    /// The rule of the segment that is named, or the one that is said.
    async fn wanted(&self, call: &Call, name: &str, rule: &str) -> Outcome<Wanted> {
        match parse_wanted(name, rule)? {
            Some(id) => search::named(&self.0, call, &id).await,
            None => search::unsaved(&self.0, call, rule).await,
        }
    }
}

#[tonic::async_trait]
impl SegmentService for Api {
    type StreamSegmentMembersStream =
        Pin<Box<dyn Stream<Item = Result<StreamSegmentMembersResponse, Status>> + Send>>;
    type ImportSegmentMembersStream =
        Pin<Box<dyn Stream<Item = Result<ImportSegmentMembersResponse, Status>> + Send>>;

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
        let CountSegmentRequest { name, rule } = request.into_inner();
        let wanted = self.wanted(&call, &name, &rule).await?;
        let count = search::count(&self.0, &call, &wanted).await?;
        Ok(Response::new(CountSegmentResponse { members: count.members, customers: count.customers }))
    }

    async fn stream_segment_members(
        &self,
        request: Request<StreamSegmentMembersRequest>,
    ) -> Result<Response<Self::StreamSegmentMembersStream>, Status> {
        let call = grpc::call(&request)?;
        let id = asked::named::<Segment>(request.get_ref())?;
        let wanted = search::named(&self.0, &call, &id).await?;
        Ok(Response::new(Box::pin(members(self.0.clone(), call, wanted))))
    }

    async fn add_segment_members(
        &self,
        request: Request<AddSegmentMembersRequest>,
    ) -> Result<Response<AddSegmentMembersResponse>, Status> {
        let mut write = asked::write(&self.0, request)?;
        let sent = std::mem::take(&mut write.body.customers);
        let listing = parse::listing(&mut write.v, &write.body.name, &sent);
        let listed = service::write(&self.0, write.asks(listing)?, lists::add).await?;
        Ok(Response::new(AddSegmentMembersResponse { results: parse::results(sent, &listed) }))
    }

    async fn remove_segment_members(
        &self,
        request: Request<RemoveSegmentMembersRequest>,
    ) -> Result<Response<RemoveSegmentMembersResponse>, Status> {
        let mut write = asked::write(&self.0, request)?;
        let sent = std::mem::take(&mut write.body.customers);
        let listing = parse::listing(&mut write.v, &write.body.name, &sent);
        let listed = service::write(&self.0, write.asks(listing)?, lists::remove).await?;
        Ok(Response::new(RemoveSegmentMembersResponse { results: parse::results(sent, &listed) }))
    }

    async fn import_segment_members(
        &self,
        request: Request<Streaming<ImportSegmentMembersRequest>>,
    ) -> Result<Response<Self::ImportSegmentMembersStream>, Status> {
        let members = Members::new(&self.0, grpc::call(&request)?);
        Ok(Response::new(grpc::import(members, request.into_inner()).boxed()))
    }

    async fn explain_segment(
        &self,
        request: Request<ExplainSegmentRequest>,
    ) -> Result<Response<ExplainSegmentResponse>, Status> {
        let call = grpc::call(&request)?;
        let ExplainSegmentRequest { name, rule } = request.into_inner();
        let wanted = self.wanted(&call, &name, &rule).await?;
        let Explained { statement, bound, kept } = search::explained(&self.0, &call, &wanted).await?;
        let finding = |Kept { at, why }| Finding { line: at.line, column: at.column, message: why }.into();
        let kept = kept.into_iter().map(finding).collect();
        Ok(Response::new(ExplainSegmentResponse { statement, parameters: bound, kept }))
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
    wanted: Wanted,
) -> impl Stream<Item = Result<StreamSegmentMembersResponse, Status>> + Send {
    let spans = stream::unfold(Some((app, call, wanted, String::new())), async |state| {
        let (app, call, wanted, after) = state?;
        match search::members(&app, &call, &wanted, &after).await {
            Err(fault) => Some((Err(fault.into()), None)),
            Ok((ids, next)) => Some((Ok(ids), next.map(|next| (app, call, wanted, next)))),
        }
    });
    spans.flat_map(|span: Result<Vec<String>, Status>| {
        let blocks: Vec<_> = match span {
            Err(status) => vec![Err(status)],
            Ok(ids) => ids.chunks(MESSAGE).map(|block| Ok(shown(block))).collect(),
        };
        stream::iter(blocks)
    })
}

fn shown(block: &[String]) -> StreamSegmentMembersResponse {
    StreamSegmentMembersResponse { customers: block.iter().map(|id| customer::name(id)).collect() }
}

/// What a caller says of a segment.
fn parse_definition(v: &mut Violations, segment: v1::Segment) -> Definition {
    let display_name = field::text(v, "display_name", segment.display_name, 0..=MAX_DISPLAY_NAME);
    let kind = match SegmentKind::try_from(segment.kind) {
        Ok(SegmentKind::Unspecified | SegmentKind::Rule) => Kind::Rule,
        Ok(SegmentKind::List) => Kind::List,
        Err(_) => {
            v.add("kind", "is none of the kinds of segments");
            Kind::Rule
        }
    };
    match kind {
        Kind::Rule => parse_rule(v, &segment.rule),
        Kind::List => drop(v.check(segment.rule.is_empty(), "rule", "must be empty for a list")),
    }
    Definition { display_name, kind, rule: segment.rule, watched: segment.watched }
}

/// What is wrong with a rule whatever is declared of attributes; the rest is found with the declarations.
fn parse_rule(v: &mut Violations, text: &str) {
    if let Err(error) = check(text) {
        v.add_as("RULE_INVALID", "rule", error.to_string());
    }
}

/// Of a request that names a segment or says a rule: which of them.
fn parse_wanted(name: &str, rule: &str) -> Outcome<Option<String>> {
    let mut v = Violations::new();
    let named = match (name, rule) {
        ("", "") => {
            v.add("name", "exactly one of name and rule is needed");
            None
        }
        (name, "") => Some(field::resource(&mut v, "name", "segments", name)),
        ("", rule) => {
            parse_rule(&mut v, rule);
            None
        }
        _ => {
            v.add("rule", "exactly one of name and rule is needed");
            None
        }
    };
    v.finish()?;
    Ok(named)
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
