//! What the limits of offers and campaigns have left, as far as quotes ask. A quote promises its amounts, not that a use
//! is left; but what is spent is not offered, so that quoting again after a refusal gives another price.
//!
//! Limits per customer are not looked at here: a quote reads no database. An order that meets one is refused, names the
//! offer, and the caller quotes again without it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::limits::{Budget, CounterKind, Limits, Overrun, period};
use tandem_kernel::money::Currency;

/// The limits of one offer, where there are any.
#[derive(Debug, Clone)]
pub struct Limited {
    /// "campaigns/{campaign}/offers/{offer}" and its limits, "campaigns/{campaign}" and its limits.
    owners: [(Arc<str>, Limits); 2],
    /// In which they start anew.
    zone: TimeZone,
}

/// What one offer has left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Not one use is left.
    pub no_use: bool,
    /// There are budgets, none in the basket's currency.
    pub no_budget: bool,
    /// Money that a discount must not pass; it is left out where it does.
    pub at_most: Option<i64>,
    /// Money that a discount shrinks to.
    pub shrinks_to: Option<i64>,
}

/// What was counted and held by those owners of limits that may be near one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent(HashMap<String, Vec<Taken>>);

/// What one row has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Uses or money.
    pub kind: CounterKind,
    /// The currency of money.
    pub subject: String,
    /// The recurrence, or empty.
    pub period: String,
    /// Counted and held.
    pub taken: i64,
}

impl Limited {
    /// `None` where nothing is limited but what single customers may have.
    pub fn new(offer: (&str, &Limits), campaign: (&str, &Limits), zone: &TimeZone) -> Option<Self> {
        let limited = |limits: &Limits| limits.max_uses.is_some() || !limits.budgets.is_empty();
        (limited(offer.1) || limited(campaign.1)).then(|| Self {
            owners: [offer, campaign].map(|(owner, limits)| (owner.into(), limits.clone())),
            zone: zone.clone(),
        })
    }

    /// What is left at `now` for a basket in `currency`.
    pub fn room(&self, spent: &Spent, currency: Currency, now: Timestamp) -> Room {
        let mut room = Room::default();
        for (owner, limits) in &self.owners {
            let in_period =
                limits.recurrence.map(|recurrence| period(recurrence, now, &self.zone)).unwrap_or_default();
            let taken = |kind, subject| spent.taken(owner, kind, subject, &in_period);
            room.no_use |= limits.max_uses.is_some_and(|most| taken(CounterKind::Uses, "") >= most);
            match limits.budget(currency) {
                Budget::Unlimited => {}
                Budget::NotInCurrency => room.no_budget = true,
                Budget::Limited(most) => {
                    let left = (most - taken(CounterKind::Budget, currency.code())).max(0);
                    let bound = match limits.overrun {
                        Overrun::Reject => &mut room.at_most,
                        Overrun::Cap => &mut room.shrinks_to,
                    };
                    *bound = Some(bound.map_or(left, |before| before.min(left)));
                }
            }
        }
        room
    }
}

impl Taken {
    fn is_same_row(&self, other: &Self) -> bool {
        self.kind == other.kind && self.subject == other.subject && self.period == other.period
    }
}

impl Spent {
    /// What these rows have counted, each under its owner.
    pub fn of(rows: impl IntoIterator<Item = (String, Taken)>) -> Self {
        let mut spent = Self::default();
        rows.into_iter().for_each(|(owner, taken)| spent.put(owner, taken));
        spent
    }

    /// Takes in what a row of an owner has counted by now.
    pub fn put(&mut self, owner: String, taken: Taken) {
        let of_owner = self.0.entry(owner).or_default();
        match of_owner.iter_mut().find(|one| one.is_same_row(&taken)) {
            Some(known) => *known = taken,
            None => of_owner.push(taken),
        }
    }

    /// Whether that is what a row of an owner is known to have counted.
    pub fn has(&self, owner: &str, taken: &Taken) -> bool {
        self.0.get(owner).is_some_and(|of_owner| of_owner.contains(taken))
    }

    pub(super) fn taken(&self, owner: &str, kind: CounterKind, subject: &str, period: &str) -> i64 {
        let of_owner = self.0.get(owner).map(Vec::as_slice).unwrap_or_default();
        let same = |one: &&Taken| one.kind == kind && one.subject == subject && one.period == period;
        of_owner.iter().find(same).map_or(0, |one| one.taken)
    }
}
