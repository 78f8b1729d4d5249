//! Hard limits.

use tandem_kernel::limits::{CustomerPeriod, Limited, Limits, Overrun, Standing};
use tandem_kernel::money::Money;
use tandem_kernel::problem::Problem;

use super::money::listed;
use super::{amounts, join, known_enum, positive, recurrence, refuse, to_timestamp};
use crate::common::v1;

/// Limits; a message without any is no limit at all.
pub fn limits(at: &str, given: &v1::Limits, problems: &mut Vec<Problem>) -> Option<Limits> {
    let before = problems.len();
    let max_uses = positive(at, "max_uses", given.max_uses, problems);
    let max_uses_per_customer = positive(at, "max_uses_per_customer", given.max_uses_per_customer, problems);
    let per_customer_period = customer_period(at, given, problems);
    let budgets = amounts(&join(at, "budgets"), &given.budgets, 1, problems).unwrap_or_default();
    let recurrence = recurrence(&join(at, "recurrence"), given.recurrence, problems).flatten();
    let overrun = match known_enum(at, "overrun", given.overrun, problems) {
        Some(v1::Overrun::Cap) => Overrun::Cap,
        Some(v1::Overrun::Reject | v1::Overrun::Unspecified) | None => Overrun::Reject,
    };
    let limits =
        Limits { max_uses, max_uses_per_customer, per_customer_period, budgets, recurrence, overrun };
    (problems.len() == before).then_some(limits)
}

fn customer_period(at: &str, given: &v1::Limits, problems: &mut Vec<Problem>) -> Option<CustomerPeriod> {
    let uses = positive(at, "max_uses_per_customer_period", given.max_uses_per_customer_period, problems);
    let period = recurrence(&join(at, "customer_period"), given.customer_period, problems)?;
    match (uses, period) {
        (Some(max_uses), Some(period)) => Some(CustomerPeriod { max_uses, period }),
        (Some(_), None) => {
            refuse(problems, at, "customer_period", "is required with max_uses_per_customer_period");
            None
        }
        (None, Some(_)) if given.max_uses_per_customer_period.is_none() => {
            refuse(problems, at, "max_uses_per_customer_period", "is required with customer_period");
            None
        }
        (None, _) => None,
    }
}

impl From<&Standing> for v1::LimitUsage {
    fn from(limit: &Standing) -> Self {
        let kind = match limit.on {
            Limited::Uses => v1::LimitKind::Uses,
            Limited::Budget(_) => v1::LimitKind::Budget,
            Limited::Customer => v1::LimitKind::UsesPerCustomer,
            Limited::CustomerPeriod => v1::LimitKind::UsesPerCustomerPeriod,
        };
        let never = v1::Recurrence::Unspecified;
        let told = Self {
            owner: limit.key.owner.to_string(),
            kind: kind.into(),
            recurrence: limit.period.map_or(never, |(recurrence, _)| recurrence.into()).into(),
            period_start_time: limit.period.map(|(_, period)| to_timestamp(period.start)),
            period_end_time: limit.period.map(|(_, period)| to_timestamp(period.end)),
            ..Self::default()
        };
        match limit.on {
            Limited::Budget(currency) => {
                let money = |minor| Some(v1::Money::from(Money::new(minor, currency)));
                let (spent, held) = (money(limit.used), money(limit.held));
                Self { budget: money(limit.most), spent, held, left: money(limit.left()), ..told }
            }
            _ => Self {
                max_uses: limit.most,
                uses: limit.used,
                uses_held: limit.held,
                uses_left: limit.left(),
                ..told
            },
        }
    }
}

impl From<&Limits> for v1::Limits {
    fn from(limits: &Limits) -> Self {
        let never = v1::Recurrence::Unspecified;
        Self {
            max_uses: limits.max_uses,
            max_uses_per_customer: limits.max_uses_per_customer,
            max_uses_per_customer_period: limits.per_customer_period.map(|limit| limit.max_uses),
            customer_period: limits.per_customer_period.map_or(never, |limit| limit.period.into()).into(),
            budgets: listed(&limits.budgets),
            recurrence: limits.recurrence.map_or(never, v1::Recurrence::from).into(),
            overrun: match limits.overrun {
                Overrun::Reject => v1::Overrun::Reject,
                Overrun::Cap => v1::Overrun::Cap,
            }
            .into(),
        }
    }
}
