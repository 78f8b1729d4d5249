//! RuleService: what is wrong with a rule, as an answer.

use tandem_kernel::rule::{Finding, MAX_COST, SCOPE, Use};
use tandem_platform::{Call, Core, Outcome, Violations, grpc};
use tandem_proto::common::v1::RuleFinding;
use tandem_proto::relationship::v1::rule_service_server::RuleService;
use tandem_proto::relationship::v1::{CheckRuleRequest, CheckRuleResponse, RuleUse};
use tonic::{Request, Response, Status};

use super::{INCENTIVE, SEGMENT};
use crate::{attribute, segment};

/// The service of the contract.
#[derive(Debug, Clone)]
pub struct Api(Core);

impl Api {
    /// Of this process.
    pub fn new(core: &Core) -> Self {
        Self(core.clone())
    }

    /// Judges a rule by what its tenant declares.
    async fn judged(&self, call: &Call, of: &Use, rule: &str) -> Outcome<Result<u64, Finding>> {
        if of.name != SEGMENT.name {
            return Ok(of.check(rule));
        }
        let declared = attribute::store::declared(&mut self.0.db.read().await?, &call.tenant).await?;
        Ok(segment::compile(rule, &declared).map(|rule| rule.cost()).map_err(Finding::from))
    }
}

#[tonic::async_trait]
impl RuleService for Api {
    async fn check_rule(
        &self,
        request: Request<CheckRuleRequest>,
    ) -> Result<Response<CheckRuleResponse>, Status> {
        let call = grpc::call(&request)?;
        let CheckRuleRequest { rule, r#use: wanted } = request.into_inner();
        let mut v = Violations::new();
        let known = used(wanted);
        v.check(known.is_some(), "use", "is required: what the rule is for");
        v.finish()?;
        let checked = match known {
            None => Ok(0),
            Some(known) => self.judged(&call, known, &rule).await?,
        };
        let max_cost = i64::try_from(MAX_COST).unwrap_or(i64::MAX);
        let answer = match checked {
            Ok(cost) => {
                let cost = i64::try_from(cost).unwrap_or(i64::MAX);
                CheckRuleResponse { findings: Vec::new(), cost, max_cost }
            }
            Err(finding) => {
                CheckRuleResponse { findings: vec![RuleFinding::from(finding)], cost: 0, max_cost }
            }
        };
        Ok(Response::new(answer))
    }
}

fn used(wanted: i32) -> Option<&'static Use> {
    match RuleUse::try_from(wanted).ok()? {
        RuleUse::Unspecified => None,
        RuleUse::Incentive => Some(&INCENTIVE),
        RuleUse::Segment => Some(&SEGMENT),
        RuleUse::Scope => Some(&SCOPE),
    }
}
