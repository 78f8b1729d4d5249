//! The limits of an offer and of its campaign, as a quote looks at them: the same as the order's decision, in the same order.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::limits::{
    Budget, Counted, CountedValue, CounterKey, CounterKind, Dimension, Facts, Limits, period,
};
use tandem_kernel::money::Currency;
use tandem_kernel::period::Recurrence;
use tandem_kernel::pricing::Fund;

use super::seen::Seen;

/// The limits of one offer, where there are any.
#[derive(Debug, Clone)]
pub struct Limited {
    /// "campaigns/{campaign}/offers/{offer}" and its limits, "campaigns/{campaign}" and its limits.
    owners: [(Arc<str>, Limits); 2],
    /// In which they start anew.
    zone: TimeZone,
}

/// Why an offer cannot be used, whatever it would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// A limit names who is neither customer nor guest.
    CustomerRequired,
    /// A limit counts by what the basket does not say.
    ValueRequired,
    /// Not one use is left.
    Uses,
    /// There are budgets, none in the basket's currency.
    Currency,
    /// The customer has had every use.
    Customer,
    /// The customer has had every use of the period.
    CustomerPeriod,
}

/// The budgets that an offer draws on, its own and its campaign's: whose, and what is left.
pub type Funds<'l> = [Option<(&'l Arc<str>, Fund)>; 2];

impl Limited {
    /// `None` where nothing is limited.
    pub fn new(offer: (&str, &Limits), campaign: (&str, &Limits), zone: &TimeZone) -> Option<Self> {
        let limited = |limits: &Limits| {
            let in_all = limits.max_uses.is_some() || !limits.budgets.is_empty();
            in_all || limits.needs_customer() || !limits.per_value.is_empty()
        };
        (limited(offer.1) || limited(campaign.1)).then(|| Self {
            owners: [offer, campaign].map(|(owner, limits)| (owner.into(), limits.clone())),
            zone: zone.clone(),
        })
    }

    /// Whether single customers or single values are limited.
    pub fn counts_apart(&self) -> bool {
        self.owners.iter().any(|(_, limits)| limits.needs_customer() || !limits.per_value.is_empty())
    }

    /// The rows that count for one customer, or for values that the basket has.
    pub fn rows_of<'l>(
        &'l self,
        subject: Option<&'l Arc<str>>,
        facts: Facts<'l>,
        currency: Currency,
        now: Timestamp,
    ) -> impl Iterator<Item = CounterKey> + 'l {
        let rows = self.owners.iter().flat_map(move |(owner, limits)| {
            Counted::of(&limits.tracks(), facts, now, &self.zone).keys(owner, currency, subject)
        });
        rows.filter(|key| !matches!(key.kind, CounterKind::Uses | CounterKind::Budget))
    }

    /// Whether is counted by this.
    pub fn counts_by(&self, dimension: &Dimension) -> bool {
        self.owners.iter().any(|(_, limits)| limits.count_by(dimension))
    }

    /// The attributes of a basket by which is counted.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.owners.iter().flat_map(|(_, limits)| limits.attributes())
    }

    /// The first thing by which is counted that the basket does not say.
    pub fn lacks(&self, facts: Facts<'_>) -> Option<&Dimension> {
        self.owners.iter().find_map(|(_, limits)| limits.lacks(facts))
    }

    /// What is left at `now` for a basket in `currency`.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn room(
        &self,
        seen: &Seen,
        facts: Facts<'_>,
        currency: Currency,
        now: Timestamp,
    ) -> Result<Funds<'_>, NoRoom> {
        let mut funds = [None; 2];
        for ((owner, limits), fund) in self.owners.iter().zip(&mut funds) {
            let subject = seen.subject();
            if limits.needs_customer() && subject.is_none() {
                return Err(NoRoom::CustomerRequired);
            }
            if limits.lacks(facts).is_some() {
                return Err(NoRoom::ValueRequired);
            }
            let running = |anew: Option<Recurrence>| {
                anew.map(|recurrence| period(recurrence, now, &self.zone)).unwrap_or_default()
            };
            let (in_all, of_customer) =
                (running(limits.recurrence), running(limits.per_customer_period.map(|limit| limit.period)));
            let taken = |kind, subject, period| seen.taken(owner, kind, subject, period);
            let full = |most: Option<i64>, kind, subject, period| {
                most.is_some_and(|most| taken(kind, subject, period) >= most)
            };
            if full(limits.max_uses, CounterKind::Uses, "", &in_all) {
                return Err(NoRoom::Uses);
            }
            match limits.budget(currency) {
                Budget::Unlimited => {}
                Budget::NotInCurrency => return Err(NoRoom::Currency),
                Budget::Limited(most) => {
                    let left = most - taken(CounterKind::Budget, currency.code(), &in_all);
                    *fund = Some((owner, Fund { left: left.max(0), overrun: limits.overrun }));
                }
            }
            let subject = subject.map_or("", |subject| &**subject);
            if full(limits.max_uses_per_customer, CounterKind::Customer, subject, "") {
                return Err(NoRoom::Customer);
            }
            let in_period = limits.per_customer_period.map(|limit| limit.max_uses);
            if full(in_period, CounterKind::CustomerPeriod, subject, &of_customer) {
                return Err(NoRoom::CustomerPeriod);
            }
            // Whatever draws on the money in all draws on that of the values too: both are one fund, of the lesser.
            let left = of_values(limits, owner, facts, seen, currency, &in_all)?;
            if let Some(left) = left {
                let left = fund.map_or(left, |(_, fund)| fund.left.min(left));
                *fund = Some((owner, Fund { left, overrun: limits.overrun }));
            }
        }
        Ok(funds)
    }
}

/// What the limits per value leave of money to a basket; `None`: they do not limit it.
fn of_values(
    limits: &Limits,
    owner: &Arc<str>,
    facts: Facts<'_>,
    seen: &Seen,
    currency: Currency,
    period: &str,
) -> Result<Option<i64>, NoRoom> {
    let mut least: Option<i64> = None;
    for limit in &limits.per_value {
        for value in facts.values(&limit.dimension) {
            let (dimension, value) = (limit.dimension.clone(), value.to_owned());
            let value = CountedValue { dimension, value, period: period.to_owned() };
            let taken = |key: CounterKey| seen.taken(&key.owner, key.kind, &key.subject, &key.period);
            if limit.max_uses.is_some_and(|most| taken(value.of_uses(owner)) >= most) {
                return Err(NoRoom::Uses);
            }
            match limit.budget(currency) {
                Budget::Unlimited => {}
                Budget::NotInCurrency => return Err(NoRoom::Currency),
                Budget::Limited(most) => {
                    let left = (most - taken(value.of_money(owner, currency))).max(0);
                    least = Some(least.map_or(left, |least| least.min(left)));
                }
            }
        }
    }
    Ok(least)
}
