//! Hard limits.

use tandem_kernel::limits::{
    CustomerPeriod, Dimension, Limited, Limits, MAX_ATTRIBUTE, MAX_PER_VALUE, MEDIUM, Overrun, Standing,
    ValueLimit,
};
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
    let per_value = per_value(&join(at, "per_value"), &given.per_value, problems);
    let limits = Limits {
        max_uses,
        max_uses_per_customer,
        per_customer_period,
        budgets,
        per_value,
        recurrence,
        overrun,
    };
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

fn per_value(at: &str, given: &[v1::ValueLimit], problems: &mut Vec<Problem>) -> Vec<ValueLimit> {
    if given.len() > MAX_PER_VALUE {
        let message = format!("must have at most {MAX_PER_VALUE} entries, has {}", given.len());
        refuse(problems, at, "", message);
    }
    let mut limits: Vec<ValueLimit> = Vec::with_capacity(given.len().min(MAX_PER_VALUE));
    for (index, given) in given.iter().take(MAX_PER_VALUE).enumerate() {
        let at = format!("{at}[{index}]");
        let max_uses = positive(&at, "max_uses", given.max_uses, problems);
        let budgets = amounts(&join(&at, "budgets"), &given.budgets, 1, problems).unwrap_or_default();
        if given.max_uses.is_none() && given.budgets.is_empty() {
            refuse(problems, &at, "max_uses", "is required where budgets is empty");
        }
        let Some(dimension) = dimension(&at, given, problems) else { continue };
        if limits.iter().any(|limit| limit.dimension == dimension) {
            refuse(problems, &at, "dimension", format!("{dimension} stands there twice"));
        }
        limits.push(ValueLimit { dimension, max_uses, budgets });
    }
    limits
}

fn dimension(at: &str, given: &v1::ValueLimit, problems: &mut Vec<Problem>) -> Option<Dimension> {
    let named = known_enum(at, "dimension", given.dimension, problems)?;
    if named != v1::LimitDimension::Attribute && !given.attribute.is_empty() {
        refuse(problems, at, "attribute", "is only for LIMIT_DIMENSION_ATTRIBUTE");
    }
    match named {
        v1::LimitDimension::Place => Some(Dimension::Place),
        v1::LimitDimension::Medium => Some(Dimension::Medium),
        v1::LimitDimension::Segment => Some(Dimension::Segment),
        v1::LimitDimension::Attribute if given.attribute == MEDIUM => {
            refuse(problems, at, "attribute", "is what LIMIT_DIMENSION_MEDIUM counts by");
            None
        }
        v1::LimitDimension::Attribute if Dimension::is_key(&given.attribute) => {
            Some(Dimension::Attribute(given.attribute.clone()))
        }
        v1::LimitDimension::Attribute => {
            let message = format!("must be 1 to {MAX_ATTRIBUTE} letters, digits, \"_\", \"-\" and \".\"");
            refuse(problems, at, "attribute", message);
            None
        }
        v1::LimitDimension::Unspecified => {
            refuse(problems, at, "dimension", "is required");
            None
        }
    }
}

/// The dimension, and the key of an attribute.
fn named(dimension: &Dimension) -> (v1::LimitDimension, String) {
    match dimension {
        Dimension::Place => (v1::LimitDimension::Place, String::new()),
        Dimension::Medium => (v1::LimitDimension::Medium, String::new()),
        Dimension::Segment => (v1::LimitDimension::Segment, String::new()),
        Dimension::Attribute(key) => (v1::LimitDimension::Attribute, key.clone()),
    }
}

impl From<&ValueLimit> for v1::ValueLimit {
    fn from(limit: &ValueLimit) -> Self {
        let (dimension, attribute) = named(&limit.dimension);
        Self {
            dimension: dimension.into(),
            attribute,
            max_uses: limit.max_uses,
            budgets: listed(&limit.budgets),
        }
    }
}

impl From<&Standing> for v1::LimitUsage {
    fn from(limit: &Standing) -> Self {
        let kind = match (limit.on, &limit.value) {
            (Limited::Uses, None) => v1::LimitKind::Uses,
            (Limited::Uses, Some(_)) => v1::LimitKind::UsesPerValue,
            (Limited::Budget(_), None) => v1::LimitKind::Budget,
            (Limited::Budget(_), Some(_)) => v1::LimitKind::BudgetPerValue,
            (Limited::Customer, _) => v1::LimitKind::UsesPerCustomer,
            (Limited::CustomerPeriod, _) => v1::LimitKind::UsesPerCustomerPeriod,
        };
        let of_value = limit.value.as_ref().map(|(dimension, value)| (named(dimension), value.clone()));
        let ((dimension, attribute), value) = of_value.unwrap_or_default();
        let never = v1::Recurrence::Unspecified;
        let told = Self {
            owner: limit.key.owner.to_string(),
            kind: kind.into(),
            recurrence: limit.period.map_or(never, |(recurrence, _)| recurrence.into()).into(),
            period_start_time: limit.period.map(|(_, period)| to_timestamp(period.start)),
            period_end_time: limit.period.map(|(_, period)| to_timestamp(period.end)),
            dimension: dimension.into(),
            attribute,
            value,
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
            per_value: limits.per_value.iter().map(v1::ValueLimit::from).collect(),
        }
    }
}
