//! The ledger of somebody who is called something else from now on: the redemptions, and with each what it weighs in the
//! counters of limits per customer. After every part the counters say what the ledger says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tandem_platform::counters::moved::{self, Weights};
use tandem_platform::{Outcome, Tenant, Tx};
use uuid::Uuid;

use super::store::{self, By};
use super::{CounterKey, Person, Redemption, State};

/// At most `limit` redemptions of a customer are another one's, newest first; answers how many.
pub async fn rename(tx: &mut Tx, tenant: &Tenant, from: &str, to: &str, limit: i64) -> Outcome<usize> {
    let found = store::newest(tx, tenant, By::Customer(from), Uuid::max(), limit).await?;
    let orders: BTreeSet<String> = found.into_iter().map(|one| one.order).collect();
    let mut locked = store::lock_orders(tx, tenant, orders.into_iter().collect()).await?;
    locked.retain(|one| one.person.customer.as_deref() == Some(from));
    let ids: Vec<Uuid> = locked.iter().map(|one| one.id).collect();
    let (Some(was), Some(is)) = (subject(from), subject(to)) else { return Ok(0) };
    let holders = locked.iter().filter(|one| one.state == State::Held).map(|one| one.id).collect();
    moved::weights(tx, tenant, (&was, &is), Weights { used: used(&locked), holders }).await?;
    store::rename(tx, tenant, from, to, ids).await?;
    Ok(locked.len())
}

/// Under which subject limits per customer count.
fn subject(customer: &str) -> Option<Arc<str>> {
    Person { customer: Some(customer.to_owned()), guest: None }.subject()
}

/// What redemptions weigh in the counters of their customer.
fn used(locked: &[Redemption]) -> BTreeMap<CounterKey, i64> {
    let mut used: BTreeMap<CounterKey, i64> = BTreeMap::new();
    for one in locked {
        let weight = if one.is_counted() { one.weight().0 } else { 0 };
        per_customer(one).into_iter().for_each(|key| *used.entry(key).or_default() += weight);
    }
    used
}

/// The counters of limits per customer that a redemption of theirs counts in.
pub fn per_customer(one: &Redemption) -> Vec<CounterKey> {
    let incentive: Arc<str> = one.incentive.as_str().into();
    let keys = one.details.counted.keys(&incentive, one.currency, one.person.subject().as_ref());
    keys.into_iter().filter(|key| key.kind.is_of_customer()).collect()
}
