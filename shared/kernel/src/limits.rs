//! Hard limits of an offer, an incentive or a campaign: how often and how much, and how what is used is counted. Values
//! only; the counters stand in the services.

mod count;
mod counter;
mod standing;
mod track;
mod value;

use serde::{Deserialize, Serialize};

pub use count::{Counted, CountedValue};
pub use counter::{CounterKey, CounterKind, Tally, period, periods_at, periods_before, subject, threshold};
pub use standing::{Limited, Standing};
pub use track::{Track, Tracks};
pub use value::{Dimension, Facts, MAX_ATTRIBUTE, MAX_PER_VALUE, MEDIUM, NoDimension, Said, ValueLimit};

use crate::money::{Amounts, Currency};
use crate::period::Recurrence;

/// How often something may be used and how much money it may give away. Every limit that is absent is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Uses in all, per recurrence; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<i64>,
    /// Uses by one customer, ever; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_uses_per_customer: Option<i64>,
    /// Uses by one customer within a period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_customer_period: Option<CustomerPeriod>,
    /// Money given away in all, per recurrence; each above 0.
    #[serde(skip_serializing_if = "Amounts::is_empty")]
    pub budgets: Amounts,
    /// Of every value of something, at most [`MAX_PER_VALUE`], each of another dimension.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_value: Vec<ValueLimit>,
    /// When `max_uses`, `budgets` and `per_value` start anew; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Recurrence>,
    /// What happens to a discount that a budget no longer covers.
    pub overrun: Overrun,
}

/// A limit for one customer within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerPeriod {
    /// At least 1.
    pub max_uses: i64,
    /// When it starts anew.
    pub period: Recurrence,
}

/// What happens to a discount that a money budget no longer covers in full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Overrun {
    /// It is refused.
    #[default]
    Reject,
    /// It shrinks to what is left.
    Cap,
}

/// The budget in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// There is no budget in any currency.
    Unlimited,
    /// There are budgets, none in this currency: the discount does not apply.
    NotInCurrency,
    /// So many minor units.
    Limited(i64),
}

impl Budget {
    /// That of `budgets` in `currency`.
    fn of(budgets: &Amounts, currency: Currency) -> Self {
        match budgets.get(currency) {
            Some(minor) => Self::Limited(minor),
            None if budgets.is_empty() => Self::Unlimited,
            None => Self::NotInCurrency,
        }
    }
}

impl Limits {
    /// The budget in `currency`.
    pub fn budget(&self, currency: Currency) -> Budget {
        Budget::of(&self.budgets, currency)
    }

    /// Whether a use must say who the customer is.
    pub fn needs_customer(&self) -> bool {
        self.max_uses_per_customer.is_some() || self.per_customer_period.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Money;

    #[test]
    fn a_currency_without_a_budget_is_not_unlimited_where_another_has_one() {
        let (eur, usd) = (Currency::new("EUR").unwrap(), Currency::new("USD").unwrap());
        let budgets = Amounts::new(vec![Money::new(500, eur)]).unwrap();
        let limits = Limits { budgets, ..Limits::default() };
        assert_eq!(limits.budget(eur), Budget::Limited(500));
        assert_eq!(limits.budget(usd), Budget::NotInCurrency);
        assert_eq!(Limits::default().budget(usd), Budget::Unlimited);
        assert!(!limits.needs_customer());
        assert!(Limits { max_uses_per_customer: Some(1), ..Limits::default() }.needs_customer());
    }

    #[test]
    fn limits_are_stored_short_and_read_back() {
        let json = serde_json::to_string(&Limits::default()).unwrap();
        assert_eq!(json, r#"{"overrun":"REJECT"}"#);
        let period = CustomerPeriod { max_uses: 2, period: Recurrence::Week };
        let limits = Limits {
            max_uses: Some(9),
            per_customer_period: Some(period),
            overrun: Overrun::Cap,
            ..Limits::default()
        };
        let json = serde_json::to_string(&limits).unwrap();
        assert_eq!(serde_json::from_str::<Limits>(&json).unwrap(), limits);
    }
}
