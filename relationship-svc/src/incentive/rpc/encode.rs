//! What was counted, and the answer to a quote.

use tandem_kernel::code::Typed;
use tandem_kernel::limits::{Facts, Overrun};
use tandem_kernel::locale::Locale;
use tandem_kernel::money::{Currency, Money};
use tandem_platform::resource::Resource;
use tandem_proto::common::v1;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::{
    EvaluateIncentivesRequest, EvaluateIncentivesResponse, EvaluatedCode, IncentiveUsage,
};

use crate::redemption::evaluate::Evaluated;
use crate::redemption::{CounterKey, CounterKind, Refusal, Standing, Tally};
use crate::{redemption, segment};

/// What stands in the place of a refusal where there is none.
const USABLE: &str = "OK";

/// Currencies of which nothing was ever given are left out.
pub fn usage(counted: &[(CounterKey, Tally)]) -> IncentiveUsage {
    let mut usage = IncentiveUsage::default();
    for (key, tally) in counted {
        match key.kind {
            CounterKind::Uses => (usage.uses, usage.uses_held) = (tally.used, tally.held),
            CounterKind::Budget => {
                let Ok(currency) = Currency::new(&key.subject) else { continue };
                usage.spent.push(Money::new(tally.used, currency).into());
                usage.held.push(Money::new(tally.held, currency).into());
            }
            _ => {}
        }
    }
    usage
}

pub fn evaluated(
    request: &EvaluateIncentivesRequest,
    locale: &Locale,
    currency: Option<Currency>,
    evaluated: Evaluated,
) -> EvaluateIncentivesResponse {
    // As they were read: what is nothing was passed over.
    let typed = request.codes.iter().filter(|code| Typed::read(code).is_some());
    let codes = typed.zip(evaluated.codes);
    EvaluateIncentivesResponse {
        segments: evaluated.segments.iter().map(|id| segment::name(id)).collect(),
        codes: codes.map(|(given, standing)| code(given, standing, request, locale, currency)).collect(),
        customer_known: evaluated.customer_known,
    }
}

fn code(
    given: &str,
    standing: Standing,
    request: &EvaluateIncentivesRequest,
    locale: &Locale,
    currency: Option<Currency>,
) -> EvaluatedCode {
    let incentive = standing.ready.as_ref().map(|ready| &ready.incentive);
    let mut code = EvaluatedCode {
        given_code: given.to_owned(),
        code: standing.code,
        refusal: standing.refusal.map_or(USABLE, Refusal::name).to_owned(),
        message: standing.refusal.map_or("", Refusal::sentence).to_owned(),
        incentive: incentive.map(|incentive| incentive.name()).unwrap_or_default(),
        version: incentive.map_or(0, |incentive| incentive.version),
        retry_delay: standing.wait.and_then(|wait| wait.try_into().ok()),
        ..EvaluatedCode::default()
    };
    if let (Some(Refusal::LimitValueRequired), Some(incentive)) = (standing.refusal, incentive) {
        // Who may use it is in one of its segments.
        let segments = &incentive.definition.segments;
        let facts = Facts { known: false, place: &request.place, attributes: &request.attributes, segments };
        let lacks = incentive.definition.limits.lacks(facts);
        code.message = lacks.map(redemption::value_required).unwrap_or(code.message);
    }
    let (None, Some(incentive)) = (standing.refusal, incentive) else { return code };
    let definition = &incentive.definition;
    code.discount = Some((&definition.discount).into());
    code.condition.clone_from(&definition.condition);
    code.title = definition.title(locale).to_owned();
    code.uses_left = standing.uses_left.unwrap_or(-1);
    let money = |minor, currency| v1::Money::from(Money::new(minor, currency));
    code.money_left = standing.money_left.zip(currency).map(|(minor, currency)| money(minor, currency));
    code.overrun = match definition.limits.overrun {
        Overrun::Reject => v1::Overrun::Reject,
        Overrun::Cap => v1::Overrun::Cap,
    }
    .into();
    code.balance = standing.balance.map(|(minor, currency)| money(minor, currency));
    code.limit_attributes = definition.limits.attributes().map(str::to_owned).collect();
    code.limit_segments = standing.of_segments.iter().map(|one| segment::name(&one.segment)).collect();
    code.expire_time = standing.ends.map(to_timestamp);
    code
}
