//! The port to relationship-svc: the one question of a quote, and what its answer means here.
//!
//! Silence is not an error: a peer that is late, gone or overloaded leaves the quote without the customer's incentives.
//! A quote waits for half of the time that its own caller leaves it, so that it still has the other half to answer
//! without; of a peer that is gone ([`breaker`]) it is told at once. What the peer refuses on purpose is passed on as it
//! said it.

mod breaker;
mod degraded;
#[cfg(test)]
pub(crate) mod double;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use tandem_kernel::money::Currency;
use tandem_kernel::pricing::Compiled;
use tandem_kernel::problem::Problem;
use tandem_kernel::rule::Rule;
use tandem_platform::config::{ClientConfig, ConfigError};
use tandem_platform::telemetry::metrics::Meter;
use tandem_platform::{Call, Fault, Outcome, Tenant, grpc};
use tandem_proto::common::v1::{Discount, Overrun};
use tandem_proto::convert;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::{EvaluateIncentivesRequest, EvaluateIncentivesResponse, EvaluatedCode};
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code as Grpc, Status};

use crate::campaign::mix::VOCABULARY;
use crate::config::RelationshipConfig;
use breaker::{Breaker, Sign, Turn};
pub use degraded::Cause;
use degraded::Degraded;

/// Definitions kept compiled.
const MAX_DEFINITIONS: usize = 8_192;
/// What relationship-svc writes where a code can be used.
const USABLE: &str = "OK";

/// What a quote wants to know.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// "customers/{customer}", or empty.
    pub customer: &'a str,
    /// Of a guest, or empty.
    pub guest_key: &'a str,
    /// As the customer typed them.
    pub codes: &'a [String],
    /// Of the basket; `None` where there is none.
    pub currency: Option<Currency>,
    /// Ids of the segments that would make a difference; `None`: all.
    pub segments: Option<Vec<String>>,
    /// For titles.
    pub locale: &'a str,
    /// The order the quote is for, or empty.
    pub order_id: &'a str,
    /// The order that it is to replace, or empty.
    pub replaces: &'a str,
    /// By which the shopper is told apart from others, or empty.
    pub client_id: &'a str,
    /// Where it is sold, or empty; limits of codes may count by it.
    pub place: &'a str,
    /// Of the basket; limits of codes may count by them.
    pub attributes: &'a BTreeMap<String, String>,
}

/// What relationship-svc said.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Ids of the segments that the customer is in, of those asked.
    pub segments: Vec<String>,
    /// In the order of the question.
    pub codes: Vec<Code>,
}

/// What it said of one code.
#[derive(Debug, Clone)]
pub struct Code {
    /// Folded, as stored.
    pub folded: String,
    /// "incentives/{incentive}".
    pub incentive: String,
    /// Version of the incentive.
    pub version: i64,
    /// In the caller's locale.
    pub title: String,
    /// What it gives, or the reason why it cannot be used at all.
    pub terms: Result<Arc<Terms>, String>,
    /// What its money budgets still allow, in minor units; `None`: there is none.
    pub money_left: Option<i64>,
    /// What the budget does not cover in full is given in part, not refused.
    pub capped: bool,
    /// Of a gift card, in minor units of the basket's currency; `None`: none, or in another one.
    pub balance: Option<i64>,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// How long to wait before it is looked up again; of a code that was not because too many were guessed.
    pub retry_after: Option<Duration>,
    /// Attributes of the basket that its limits count by.
    pub limit_attributes: Vec<String>,
    /// Ids of the segments that its limits count by: those it is for that the customer is in.
    pub limit_segments: Vec<String>,
}

/// The definition of one version of an incentive, compiled.
#[derive(Debug)]
pub struct Terms {
    /// What it gives.
    pub compiled: Compiled,
    /// Over basket, place and time.
    pub condition: Option<Rule>,
}

/// The connection to relationship-svc. It is made when it is needed, and again after every failure.
#[derive(Debug)]
pub struct Relationship {
    client: IncentiveServiceClient<Channel>,
    channel: Channel,
    limit: Duration,
    breaker: Breaker,
    degraded: Degraded,
    definitions: Definitions,
}

impl Relationship {
    /// A port that has not connected yet. Fails on an ill-formed endpoint.
    pub fn new(config: &RelationshipConfig, meter: &Meter) -> Result<Self, ConfigError> {
        let channel = grpc::channel(
            grpc::Words { endpoint: "relationship.endpoint", tls: "relationship.tls." },
            &ClientConfig {
                endpoint: config.endpoint.clone(),
                connect_timeout_ms: config.connect_timeout_ms,
                tls: config.tls.clone(),
                ..ClientConfig::default()
            },
        )?;
        let limit = Duration::from_millis(config.timeout_ms);
        Ok(Self {
            client: IncentiveServiceClient::new(channel.clone()),
            channel,
            limit,
            breaker: Breaker::new(limit, Duration::from_millis(config.retry_ms)),
            degraded: Degraded::of(meter),
            definitions: Definitions::default(),
        })
    }

    /// The connection, for the peer's other services.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Asks once, and waits no longer than the settings say and half of what the caller still grants. Answers why there
    /// was no answer where there was none.
    ///
    /// # Errors
    /// What relationship-svc refuses on purpose.
    pub async fn evaluate(&self, call: &Call, question: Question<'_>) -> Outcome<Result<Answer, Cause>> {
        let asked = Instant::now();
        if !self.breaker.admits(asked) {
            self.degraded.count(Cause::BreakerOpen);
            return Ok(Err(Cause::BreakerOpen));
        }
        let currency = question.currency;
        let (heard, sign) = match self.ask(call, question).await {
            Ok(response) => (Ok(self.understand(&call.tenant, response, currency)), Sign::Heard),
            Err(None) => (Err(Cause::Timeout), Sign::Silent),
            Err(Some(status)) if was_meant(&status) => {
                self.note(asked, Sign::Heard);
                return Err(Fault::from_peer(status));
            }
            Err(Some(status)) => {
                tracing::debug!(%status, "relationship-svc did not answer a quote");
                let (cause, sign) = Cause::of(&status);
                (Err(cause), sign)
            }
        };
        self.note(asked, sign);
        if let Err(cause) = heard {
            self.degraded.count(cause);
        }
        Ok(heard)
    }

    /// `Err(None)` where the time was over.
    async fn ask(
        &self,
        call: &Call,
        question: Question<'_>,
    ) -> Result<EvaluateIncentivesResponse, Option<Status>> {
        let granted = call.deadline.map_or(self.limit, |deadline| deadline.remaining() / 2);
        let limit = granted.min(self.limit);
        let request = EvaluateIncentivesRequest {
            customer: question.customer.to_owned(),
            guest_key: question.guest_key.to_owned(),
            codes: question.codes.to_vec(),
            currency_code: question.currency.map(String::from).unwrap_or_default(),
            without_segments: question.segments.as_ref().is_some_and(Vec::is_empty),
            segments: question.segments.iter().flatten().map(|id| format!("segments/{id}")).collect(),
            locale: question.locale.to_owned(),
            order_id: question.order_id.to_owned(),
            client_id: question.client_id.to_owned(),
            replaces_order_id: question.replaces.to_owned(),
            place: question.place.to_owned(),
            attributes: match question.codes.is_empty() {
                true => BTreeMap::new(),
                false => question.attributes.clone(),
            },
        };
        let mut client = self.client.clone();
        let asked = client.evaluate_incentives(grpc::outgoing(call, limit, request));
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(Some(status)),
            Err(_) => Err(None),
        }
    }

    /// Says once that the peer is gone, and once that it is back.
    fn note(&self, asked: Instant, sign: Sign) {
        match self.breaker.note(asked, sign, Instant::now()) {
            Some(Turn::Gone) => {
                tracing::warn!("relationship-svc does not answer: quotes go without incentives");
            }
            Some(Turn::Back) => tracing::info!("relationship-svc answers again"),
            None => {}
        }
    }

    fn understand(
        &self,
        tenant: &Tenant,
        heard: EvaluateIncentivesResponse,
        currency: Option<Currency>,
    ) -> Answer {
        Answer {
            segments: heard.segments.into_iter().map(segment_id).collect(),
            codes: heard.codes.into_iter().map(|code| self.code(tenant, code, currency)).collect(),
        }
    }

    fn code(&self, tenant: &Tenant, given: EvaluatedCode, currency: Option<Currency>) -> Code {
        let minor = |money: Option<&tandem_proto::common::v1::Money>| {
            convert::amount("", money?, currency?, &mut Vec::new())
        };
        Code {
            money_left: given.money_left.as_ref().map(|left| minor(Some(left)).unwrap_or(0)),
            balance: minor(given.balance.as_ref()),
            capped: given.overrun == i32::from(Overrun::Cap),
            expires: given.expire_time.and_then(|at| convert::timestamp("", &at, &mut Vec::new())),
            retry_after: given.retry_delay.and_then(|delay| delay.try_into().ok()),
            terms: match given.refusal.as_str() {
                "" | USABLE => self.definitions.get(tenant, &given),
                _ => Err(given.refusal),
            },
            folded: given.code,
            incentive: given.incentive,
            version: given.version,
            title: given.title,
            limit_attributes: given.limit_attributes,
            limit_segments: given.limit_segments.into_iter().map(segment_id).collect(),
        }
    }
}

fn segment_id(name: String) -> String {
    name.strip_prefix("segments/").map(str::to_owned).unwrap_or(name)
}

/// Whether a failure is an answer: the peer looked at the question and refuses it.
fn was_meant(status: &Status) -> bool {
    matches!(
        status.code(),
        Grpc::InvalidArgument
            | Grpc::FailedPrecondition
            | Grpc::NotFound
            | Grpc::PermissionDenied
            | Grpc::Unauthenticated
    )
}

/// Compiled definitions, one per version of an incentive. What was compiled is compared with what is given: a version
/// that says something else (a database that was set back) is compiled anew.
#[derive(Debug, Default)]
struct Definitions(Mutex<HashMap<DefinitionKey, Definition, RandomState>>);

#[derive(Debug)]
struct Definition {
    discount: Option<Discount>,
    condition: String,
    terms: Arc<Terms>,
}

/// Tenant, incentive and version.
type DefinitionKey = (Tenant, String, i64);

impl Definitions {
    fn get(&self, tenant: &Tenant, code: &EvaluatedCode) -> Result<Arc<Terms>, String> {
        let key = (tenant.clone(), code.incentive.clone(), code.version);
        let same = |known: &&Definition| known.discount == code.discount && known.condition == code.condition;
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).filter(same) {
            return Ok(known.terms.clone());
        }
        let terms = Arc::new(compile(code).map_err(|problems| {
            // Only a newer relationship-svc can say what we do not understand.
            tracing::warn!(
                incentive = code.incentive,
                ?problems,
                "a definition of relationship-svc is not understood"
            );
            "NOT_APPLICABLE".to_owned()
        })?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DEFINITIONS {
            known.clear();
        }
        let (discount, condition) = (code.discount.clone(), code.condition.clone());
        known.insert(key, Definition { discount, condition, terms: terms.clone() });
        Ok(terms)
    }
}

fn compile(code: &EvaluatedCode) -> Result<Terms, Vec<Problem>> {
    let mut problems = Vec::new();
    let given = code.discount.clone().unwrap_or_default();
    let discount = convert::discount("discount", &given, &mut problems);
    let condition = match code.condition.as_str() {
        "" => None,
        text => match Rule::compile(text, &VOCABULARY) {
            Ok(rule) => Some(rule),
            Err(error) => {
                problems.push(Problem::new("condition", error.to_string()));
                None
            }
        },
    };
    match discount {
        Some(discount) if problems.is_empty() => Ok(Terms { compiled: Compiled::new(discount)?, condition }),
        _ => Err(problems),
    }
}
