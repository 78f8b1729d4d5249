//! What the limits of offers and campaigns have counted, as far as quotes ask. A quote promises its amounts, not that a use
//! is left; but what is spent is not offered, so that quoting again after a refusal gives another price.

use std::collections::HashMap;

use tandem_kernel::limits::{CounterKey, CounterKind, Tally};

/// What was counted and held by those owners of limits that may be near one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent(HashMap<String, Vec<Taken>>);

/// What one row has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Uses or money.
    pub kind: CounterKind,
    /// The currency of money, the customer, or empty.
    pub subject: String,
    /// The recurrence, or empty.
    pub period: String,
    /// Counted and held.
    pub taken: i64,
}

impl Taken {
    /// What the row of this key has counted and holds.
    pub fn of(key: &CounterKey, tally: Tally) -> Self {
        Self {
            kind: key.kind,
            subject: key.subject.to_string(),
            period: key.period.to_string(),
            taken: tally.used + tally.held,
        }
    }

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

    /// What a row has counted and holds, where that is known.
    pub fn taken(&self, owner: &str, kind: CounterKind, subject: &str, period: &str) -> Option<i64> {
        let same = |one: &&Taken| one.kind == kind && one.subject == subject && one.period == period;
        self.0.get(owner)?.iter().find(same).map(|one| one.taken)
    }
}
