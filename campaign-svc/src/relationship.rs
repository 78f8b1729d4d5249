//! The port to relationship-svc: the one question of a quote, and what its answer means here.
//!
//! Silence is not an error: a peer that is late, gone or overloaded leaves the quote without the customer's incentives,
//! and is asked again by the next quote. What it refuses on purpose (a caller who guesses codes) is passed on as it
//! said it.

#[cfg(test)]
pub(crate) mod double;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use tandem_kernel::money::Currency;
use tandem_kernel::pricing::Compiled;
use tandem_kernel::problem::Problem;
use tandem_kernel::rule::Rule;
use tandem_platform::config::{ClientConfig, ConfigError};
use tandem_platform::{Call, Fault, Outcome, Tenant, grpc};
use tandem_proto::common::v1::{Discount, Overrun};
use tandem_proto::convert;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::{EvaluateIncentivesRequest, EvaluateIncentivesResponse, EvaluatedCode};
use tonic::transport::Channel;
use tonic::{Code as Grpc, Status};
use tonic_types::StatusExt;

use crate::campaign::mix::VOCABULARY;
use crate::config::RelationshipConfig;

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
    silent: AtomicBool,
    definitions: Definitions,
}

impl Relationship {
    /// A port that has not connected yet. Fails on an ill-formed endpoint.
    pub fn new(config: &RelationshipConfig) -> Result<Self, ConfigError> {
        let channel = grpc::channel(&ClientConfig {
            endpoint: config.endpoint.clone(),
            connect_timeout_ms: config.connect_timeout_ms,
            tls: config.tls.clone(),
            ..ClientConfig::default()
        })?;
        Ok(Self {
            client: IncentiveServiceClient::new(channel.clone()),
            channel,
            limit: Duration::from_millis(config.timeout_ms),
            silent: AtomicBool::new(false),
            definitions: Definitions::default(),
        })
    }

    /// The connection, for the peer's other services.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Asks once, and waits no longer than the settings say and three quarters of what the caller still grants.
    /// `None` where there was no answer in time.
    ///
    /// # Errors
    /// What relationship-svc refuses on purpose.
    pub async fn evaluate(&self, call: &Call, question: Question<'_>) -> Outcome<Option<Answer>> {
        let granted = call.deadline.map_or(self.limit, |deadline| deadline.remaining().mul_f32(0.75));
        let limit = granted.min(self.limit);
        let currency = question.currency;
        let request = EvaluateIncentivesRequest {
            customer: question.customer.to_owned(),
            guest_key: question.guest_key.to_owned(),
            codes: question.codes.to_vec(),
            currency_code: currency.map(String::from).unwrap_or_default(),
            without_segments: question.segments.as_ref().is_some_and(Vec::is_empty),
            segments: question.segments.iter().flatten().map(|id| format!("segments/{id}")).collect(),
            locale: question.locale.to_owned(),
            order_id: question.order_id.to_owned(),
        };
        let mut client = self.client.clone();
        let asked = client.evaluate_incentives(grpc::outgoing(call, limit, request));
        let heard = match tokio::time::timeout(limit, asked).await {
            Ok(Ok(response)) => Some(response.into_inner()),
            Ok(Err(status)) => {
                if was_meant(&status) {
                    return Err(Fault::from_peer(status));
                }
                tracing::debug!(%status, "relationship-svc did not answer a quote");
                None
            }
            Err(_) => None,
        };
        self.note(heard.is_none());
        Ok(heard.map(|heard| self.understand(&call.tenant, heard, currency)))
    }

    /// Says once that the peer has fallen silent, and once that it is back.
    fn note(&self, silent: bool) {
        if self.silent.load(Ordering::Relaxed) != silent
            && self.silent.swap(silent, Ordering::Relaxed) != silent
        {
            if silent {
                tracing::warn!("relationship-svc does not answer: quotes go without incentives");
            } else {
                tracing::info!("relationship-svc answers again");
            }
        }
    }

    fn understand(
        &self,
        tenant: &Tenant,
        heard: EvaluateIncentivesResponse,
        currency: Option<Currency>,
    ) -> Answer {
        let id = |name: String| name.strip_prefix("segments/").map(str::to_owned).unwrap_or(name);
        Answer {
            segments: heard.segments.into_iter().map(id).collect(),
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
            terms: match given.refusal.as_str() {
                "" | USABLE => self.definitions.get(tenant, &given),
                _ => Err(given.refusal),
            },
            folded: given.code,
            incentive: given.incentive,
            version: given.version,
            title: given.title,
        }
    }
}

/// Whether a failure is an answer: the peer looked at the question and refuses it.
fn was_meant(status: &Status) -> bool {
    match status.code() {
        Grpc::InvalidArgument | Grpc::FailedPrecondition | Grpc::NotFound => true,
        Grpc::PermissionDenied | Grpc::Unauthenticated => true,
        Grpc::ResourceExhausted => {
            status.get_details_error_info().is_some_and(|info| info.domain == "tandem.relationship.v1")
        }
        _ => false,
    }
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
