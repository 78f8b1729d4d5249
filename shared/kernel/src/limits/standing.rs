//! What of a limit is used: for people who look at it, never for judging.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{CountedValue, CounterKey, CounterKind, Dimension, Limits, ValueLimit, period};
use crate::money::Currency;
use crate::period::{Period, Recurrence};

/// What a limit is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// Uses.
    Uses,
    /// Money in a currency.
    Budget(Currency),
    /// Uses by the customer, ever.
    Customer,
    /// Uses by the customer in a period.
    CustomerPeriod,
}

/// One limit, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The row that counts.
    pub key: CounterKey,
    /// What it is on.
    pub on: Limited,
    /// Of which value of what; `None`: it is no limit per value.
    pub value: Option<(Dimension, String)>,
    /// How often, or how much in minor units.
    pub most: i64,
    /// When it starts anew, and the period that runs.
    pub period: Option<(Recurrence, Period)>,
    /// Taken for good.
    pub used: i64,
    /// Kept by holds.
    pub held: i64,
}

impl Standing {
    /// What nobody has taken or keeps.
    pub fn left(&self) -> i64 {
        (self.most - self.used - self.held).max(0)
    }

    /// Counts what the same limit has counted under another subject of the same customer.
    pub fn count_too(&mut self, others: &[Self]) {
        for one in others.iter().filter(|one| one.on == self.on && one.key.owner == self.key.owner) {
            self.used += one.used;
            self.held += one.held;
        }
    }
}

impl Limits {
    /// Those limits of `owner` that stand at `now` for one customer, with nothing taken.
    pub fn standing_of_customer(
        &self,
        owner: &Arc<str>,
        subject: &Arc<str>,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Vec<Standing> {
        let mut all = self.standing(owner, Some(subject), now, zone);
        all.retain(|limit| limit.key.kind.is_of_customer());
        all
    }

    /// Every limit of `owner` that stands at `now`, with nothing taken; those of a customer where `subject` names one.
    pub fn standing(
        &self,
        owner: &Arc<str>,
        subject: Option<&Arc<str>>,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Vec<Standing> {
        let mut all = Vec::new();
        let mut add = |kind, on, subject: &str, recurrence: Option<Recurrence>, most| {
            let name = recurrence.map(|recurrence| period(recurrence, now, zone)).unwrap_or_default();
            let key = CounterKey { kind, owner: owner.clone(), subject: subject.into(), period: name.into() };
            let period = recurrence.map(|recurrence| (recurrence, recurrence.period(now, zone)));
            all.push(Standing { key, on, value: None, most, period, used: 0, held: 0 });
        };
        if let Some(most) = self.max_uses {
            add(CounterKind::Uses, Limited::Uses, "", self.recurrence, most);
        }
        for budget in self.budgets.iter() {
            let (currency, on) = (budget.currency.code(), Limited::Budget(budget.currency));
            add(CounterKind::Budget, on, currency, self.recurrence, budget.minor);
        }
        if let Some(subject) = subject {
            if let Some(most) = self.max_uses_per_customer {
                add(CounterKind::Customer, Limited::Customer, subject, None, most);
            }
            if let Some(limit) = self.per_customer_period {
                let (kind, on) = (CounterKind::CustomerPeriod, Limited::CustomerPeriod);
                add(kind, on, subject, Some(limit.period), limit.max_uses);
            }
        }
        all
    }

    /// What `limit`, one of these limits of `owner`, is to one value at `now`, with nothing taken.
    pub fn standing_of_value(
        &self,
        owner: &Arc<str>,
        limit: &ValueLimit,
        value: &str,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Vec<Standing> {
        let name = self.recurrence.map(|recurrence| period(recurrence, now, zone)).unwrap_or_default();
        let of = CountedValue { dimension: limit.dimension.clone(), value: value.to_owned(), period: name };
        let running = self.recurrence.map(|recurrence| (recurrence, recurrence.period(now, zone)));
        let standing = |key, on, most| {
            let value = Some((of.dimension.clone(), of.value.clone()));
            Standing { key, on, value, most, period: running, used: 0, held: 0 }
        };
        let uses = limit.max_uses.map(|most| standing(of.of_uses(owner), Limited::Uses, most));
        let money = limit.budgets.iter().map(|budget| {
            let key = of.of_money(owner, budget.currency);
            standing(key, Limited::Budget(budget.currency), budget.minor)
        });
        uses.into_iter().chain(money).collect()
    }
}
