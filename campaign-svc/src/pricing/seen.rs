//! What a quote knows of limits: what everybody has taken, as it was a moment ago, and on top of that what is read for this
//! very quote: what the customer has had, and the rows that its order takes part in, without what is the order's own.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use tandem_kernel::limits::{CounterKey, CounterKind, Tally};
use tandem_platform::db::Session;
use tandem_platform::{Outcome, Tenant, counters};

use super::spent::{Spent, Taken};

/// Rows that one statement reads.
const ROWS: usize = 5_000;

/// What limits have counted, for one quote.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Of everybody, from memory.
    spent: Arc<Spent>,
    /// Read for this quote; it goes before.
    fresh: Spent,
    /// Whom limits per customer count for.
    subject: Option<Arc<str>>,
    /// Whom they have counted for before the same customer was erased.
    before: Option<Arc<str>>,
}

/// What the order of a quote, and the one it is to replace, take of limits themselves: uses or money by row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own(HashMap<CounterKey, i64, RandomState>);

impl Own {
    /// They take so much of these rows; of one that stands here twice the sum.
    pub fn of(rows: impl IntoIterator<Item = (CounterKey, i64)>) -> Self {
        let mut own = Self::default();
        for (key, taken) in rows {
            *own.0.entry(key).or_default() += taken;
        }
        own
    }
}

impl Seen {
    /// What is known without a look at the database.
    pub fn from_memory(spent: Arc<Spent>, subject: Option<Arc<str>>) -> Self {
        Self { spent, fresh: Spent::default(), subject, before: None }
    }

    /// Whom limits per customer count for.
    pub fn subject(&self) -> Option<&Arc<str>> {
        self.subject.as_ref()
    }

    /// Has limits per customer count what they have counted under this subject, too; answers those of these rows under it.
    pub fn remember(&mut self, before: Arc<str>, rows: &[CounterKey]) -> Vec<CounterKey> {
        self.before = Some(before.clone());
        let rows = rows.iter().filter(|key| key.kind.is_of_customer());
        rows.map(|key| CounterKey { subject: before.clone(), ..key.clone() }).collect()
    }

    /// Reads what rows of these keys, and those of `own`, have counted by `now`, without what is `own`. Nothing is asked where
    /// there are none.
    pub async fn look(
        &mut self,
        session: &mut impl Session,
        tenant: &Tenant,
        keys: Vec<CounterKey>,
        own: &Own,
        now: Timestamp,
    ) -> Outcome<()> {
        let keys: BTreeSet<CounterKey> = keys.into_iter().chain(own.0.keys().cloned()).collect();
        let keys: Vec<CounterKey> = keys.into_iter().collect();
        for some in keys.chunks(ROWS) {
            // Of a row that is not there nothing is taken; nor is anything given back to it.
            some.iter().for_each(|key| self.put(key, Tally::default()));
            let mut counted = counters::find(session, tenant, some.iter()).await?;
            counters::without_lapsed(session, tenant, &mut counted, now).await?;
            for (key, tally) in counted {
                let own = own.0.get(&key).copied().unwrap_or(0);
                self.put(&key, Tally { used: tally.used - own, ..tally });
            }
        }
        Ok(())
    }

    fn put(&mut self, key: &CounterKey, tally: Tally) {
        self.fresh.put(key.owner.to_string(), Taken::of(key, tally));
    }

    /// What a row has counted and holds; of a customer also what was counted before they were erased.
    pub fn taken(&self, owner: &str, kind: CounterKind, subject: &str, period: &str) -> i64 {
        let of = |subject: &str| {
            let fresh = self.fresh.taken(owner, kind, subject, period);
            fresh.or_else(|| self.spent.taken(owner, kind, subject, period)).unwrap_or(0)
        };
        let before = self.before.as_deref().filter(|_| kind.is_of_customer());
        of(subject) + before.map_or(0, of)
    }
}
