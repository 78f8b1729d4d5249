//! The limits of an offer and of its campaign, as a quote looks at them: the same as the order's decision, in the same order.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::limits::{Budget, Counted, CounterKey, CounterKind, Limits, period};
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
            limits.max_uses.is_some() || !limits.budgets.is_empty() || limits.needs_customer()
        };
        (limited(offer.1) || limited(campaign.1)).then(|| Self {
            owners: [offer, campaign].map(|(owner, limits)| (owner.into(), limits.clone())),
            zone: zone.clone(),
        })
    }

    /// Whether single customers are limited.
    pub fn counts_customers(&self) -> bool {
        self.owners.iter().any(|(_, limits)| limits.needs_customer())
    }

    /// The rows that count for one customer.
    pub fn rows_of<'l>(
        &'l self,
        subject: &'l Arc<str>,
        currency: Currency,
        now: Timestamp,
    ) -> impl Iterator<Item = CounterKey> + 'l {
        let limited = self.owners.iter().filter(|(_, limits)| limits.needs_customer());
        let rows = limited.flat_map(move |(owner, limits)| {
            Counted::of(&limits.tracks(), true, now, &self.zone).keys(owner, currency, Some(subject))
        });
        rows.filter(|key| matches!(key.kind, CounterKind::Customer | CounterKind::CustomerPeriod))
    }

    /// What is left at `now` for a basket in `currency`.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn room(&self, seen: &Seen, currency: Currency, now: Timestamp) -> Result<Funds<'_>, NoRoom> {
        let mut funds = [None; 2];
        for ((owner, limits), fund) in self.owners.iter().zip(&mut funds) {
            let subject = seen.subject();
            if limits.needs_customer() && subject.is_none() {
                return Err(NoRoom::CustomerRequired);
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
        }
        Ok(funds)
    }
}
