//! PricingService: messages to values and back.

use std::sync::Arc;

use futures::future::join_all;
use prost::Message;
use tandem_kernel::id;
use tandem_platform::{Call, Fault, Kind, Outcome, Violations, grpc};
use tandem_proto::campaign::v1::pricing_service_server::PricingService;
use tandem_proto::campaign::v1::{
    BatchQuoteRequest, BatchQuoteResponse, BatchQuoteResult, Decision, ErrorReason, ExplainOfferRequest,
    ExplainOfferResponse, ListApplicableOffersRequest, ListApplicableOffersResponse, QuoteRequest,
    QuoteResponse,
};
use tonic::{Request, Response, Status};

use super::commands::Share;
use super::{commands, compile, offers, parse};
use crate::{App, field, order};

/// Baskets in one batch.
const MAX_BATCH: usize = 50;
/// What the status takes of a quote that no longer fits.
const MAX_FULL_BYTES: usize = 256;

/// The service of the contract.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }

    /// A quote, as the bytes of a QuoteResponse.
    pub(super) async fn written(
        &self,
        call: &Call,
        request: QuoteRequest,
        share: &Share,
    ) -> Outcome<Vec<u8>> {
        let snapshot = self.0.snapshots.of(&self.0, call).await?;
        let ask = parse::ask(request, &snapshot)?;
        let own = order::commands::own(&self.0, call, &ask.order_id, &ask.replaces).await?;
        commands::quote(&self.0, call, snapshot, ask, &own, share).await
    }

    async fn one(&self, call: &Call, request: QuoteRequest, share: &Share) -> Outcome<QuoteResponse> {
        let written = self.written(call, request, share).await?;
        QuoteResponse::decode(written.as_slice()).map_err(unreadable)
    }
}

#[tonic::async_trait]
impl PricingService for Api {
    async fn quote(&self, request: Request<QuoteRequest>) -> Result<Response<QuoteResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(self.one(&call, request.into_inner(), &Share::of(1)).await?))
    }

    async fn batch_quote(
        &self,
        request: Request<BatchQuoteRequest>,
    ) -> Result<Response<BatchQuoteResponse>, Status> {
        let (call, BatchQuoteRequest { requests }) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let message = format!("must hold 1 to {MAX_BATCH} requests, holds {}", requests.len());
        v.check((1..=MAX_BATCH).contains(&requests.len()), "requests", message);
        v.finish()?;
        let share = Share::of(requests.len());
        let quotes = requests.into_iter().map(|request| self.one(&call, request, &share));
        Ok(Response::new(BatchQuoteResponse { results: fitting(join_all(quotes).await) }))
    }

    async fn list_applicable_offers(
        &self,
        request: Request<ListApplicableOffersRequest>,
    ) -> Result<Response<ListApplicableOffersResponse>, Status> {
        let call = grpc::call(&request)?;
        Ok(Response::new(offers::list(&self.0, &call, request.into_inner()).await?))
    }

    async fn explain_offer(
        &self,
        request: Request<ExplainOfferRequest>,
    ) -> Result<Response<ExplainOfferResponse>, Status> {
        let (app, call, request) = (&self.0, grpc::call(&request)?, request.into_inner());
        let snapshot = app.snapshots.of(app, &call).await?;
        let mut v = Violations::new();
        let name = id::parse_path(["campaigns", "offers"], &request.offer);
        let name = name.map_err(|error| v.add("offer", error.to_string()));
        v.check(request.quote.is_some(), "quote", "is required");
        let ask = request.quote.and_then(|quote| parse::asked(&mut v.nest("quote"), quote, &snapshot));
        v.finish()?;
        let ([campaign, _], ask) = name.ok().zip(ask).ok_or_else(parse::unread)?;
        let missing = || Fault::not_found(&request.offer);
        let found = match snapshot.campaign(campaign).cloned() {
            Some(known) => known,
            // Never scheduled, or over for long: quotes do not keep such campaigns at hand.
            None => compile::stored(app, &call.tenant, campaign).await?.map(Arc::new).ok_or_else(missing)?,
        };
        let offer = found.offer(&request.offer, app.clock.now()).cloned().ok_or_else(missing)?;
        let own = order::commands::own(app, &call, &ask.order_id, &ask.replaces).await?;
        let offer = (offer, found.runs);
        let written = commands::explain(app, &call, snapshot, ask, &own, offer).await?;
        let decision = Decision::decode(written.as_slice()).map_err(unreadable)?;
        Ok(Response::new(ExplainOfferResponse { decision: Some(decision) }))
    }
}

fn unreadable(error: prost::DecodeError) -> Fault {
    Fault::internal("an answer was written that is none").caused_by(error)
}

/// One result for each quote; a quote that no longer fits has only a status.
fn fitting(quotes: Vec<Outcome<QuoteResponse>>) -> Vec<BatchQuoteResult> {
    let mut results: Vec<_> = quotes.into_iter().map(result).collect();
    let refused: usize =
        results.iter().filter(|result| result.quote.is_none()).map(Message::encoded_len).sum();
    let mut left = grpc::ANSWER_BYTES.saturating_sub(refused + results.len() * MAX_FULL_BYTES);
    for result in &mut results {
        let Some(quote) = &result.quote else { continue };
        match left.checked_sub(quote.encoded_len()) {
            Some(rest) => left = rest,
            None => *result = self::result(Err(full())),
        }
    }
    results
}

fn full() -> Fault {
    let message = "the quotes before it fill the answer: ask for it again without them";
    Fault::new(Kind::Exhausted, ErrorReason::AnswerFull, message)
}

fn result(quote: Outcome<QuoteResponse>) -> BatchQuoteResult {
    match quote {
        Ok(quote) => BatchQuoteResult { status: Some(field::item_ok()), quote: Some(quote) },
        Err(fault) => BatchQuoteResult { status: Some(field::item_status(fault)), quote: None },
    }
}
