//! RuleService: what is wrong with a rule, as an answer.

use tandem_kernel::rule::{MAX_COST, SCOPE, Use};
use tandem_platform::Violations;
use tandem_proto::campaign::v1::rule_service_server::RuleService;
use tandem_proto::campaign::v1::{CheckRuleRequest, CheckRuleResponse, RuleUse};
use tandem_proto::common::v1::RuleFinding;
use tonic::{Request, Response, Status};

use super::{OFFER, PRICE_RULE};

/// The service of the contract; it needs nothing to judge.
#[derive(Debug, Clone, Copy, Default)]
pub struct Api;

#[tonic::async_trait]
impl RuleService for Api {
    async fn check_rule(
        &self,
        request: Request<CheckRuleRequest>,
    ) -> Result<Response<CheckRuleResponse>, Status> {
        let CheckRuleRequest { rule, r#use: wanted } = request.into_inner();
        let mut v = Violations::new();
        let known = used(wanted);
        v.check(known.is_some(), "use", "is required: what the rule is for");
        v.finish()?;
        let checked = known.map_or(Ok(0), |known| known.check(&rule));
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
        RuleUse::Offer => Some(&OFFER),
        RuleUse::PriceRule => Some(&PRICE_RULE),
        RuleUse::Scope => Some(&SCOPE),
    }
}
