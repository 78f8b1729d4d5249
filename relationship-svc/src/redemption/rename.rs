//! The ledger of somebody who is called something else from now on: the redemptions, and with each what it weighs in the
//! counters of limits per customer. After every part the counters say what the ledger says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tandem_platform::counters::moved::{self, Weights};
use tandem_platform::{Outcome, Tenant, Tx};
use uuid::Uuid;

use super::store::{self, By};
use super::{CounterKey, Redemption, State};
use crate::relationship::Who;

/// At most `limit` redemptions of a customer or a guest are another customer's, newest first; answers how many.
pub async fn rename(tx: &mut Tx, tenant: &Tenant, from: &Who, to: &str, limit: i64) -> Outcome<usize> {
    let by = match from {
        Who::Customer(id) => By::Customer(id),
        Who::Guest(key) => By::Guest(key),
    };
    let found = store::newest(tx, tenant, by, Uuid::max(), limit).await?;
    let orders: BTreeSet<String> = found.into_iter().map(|one| one.order).collect();
    let mut locked = store::lock_orders(tx, tenant, orders.into_iter().collect()).await?;
    let was: Arc<str> = from.key().into();
    locked.retain(|one| one.person.subject().as_ref() == Some(&was));
    let ids: Vec<Uuid> = locked.iter().map(|one| one.id).collect();
    let is: Arc<str> = Who::Customer(to.to_owned()).key().into();
    let holders = locked.iter().filter(|one| one.state == State::Held).map(|one| one.id).collect();
    moved::weights(tx, tenant, (&was, &is), Weights { used: used(&locked), holders }).await?;
    store::rename(tx, tenant, to, ids).await?;
    Ok(locked.len())
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
