//! The ledger of somebody who is called something else from now on: the redemptions, and with each what it weighs in the
//! counters of limits per customer. After every part the counters say what the ledger says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tandem_platform::counters::moved::{self, Moved};
use tandem_platform::counters::{self, ClaimRow};
use tandem_platform::{Outcome, Tenant, Tx};
use uuid::Uuid;

use super::store::{self, By};
use super::{CounterKey, CounterKind, Redemption, State};
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
    let held = locked.iter().filter(|one| one.state == State::Held).map(|one| one.id).collect::<Vec<_>>();
    let claims = counters::claims_of(tx, tenant, &held).await?;
    moved::counts(tx, tenant, &moves(&locked, &claims, &was, &is)).await?;
    moved::claims(tx, tenant, &was, &is, held).await?;
    store::rename(tx, tenant, to, ids).await?;
    Ok(locked.len())
}

/// What redemptions weigh in the counters of one subject, by counter.
fn moves(locked: &[Redemption], claims: &[ClaimRow], was: &Arc<str>, is: &Arc<str>) -> Vec<Moved> {
    let mut weights: BTreeMap<CounterKey, (i64, i64)> = BTreeMap::new();
    for one in locked.iter().filter(|one| one.is_counted()) {
        for key in per_customer(one) {
            weights.entry(key).or_default().0 += one.weight().0;
        }
    }
    for claim in claims.iter().filter(|claim| claim.key.subject == *was && is_per_customer(claim.key.kind)) {
        weights.entry(claim.key.clone()).or_default().1 += claim.uses;
    }
    let moved = |(from, (used, held)): (CounterKey, (i64, i64))| Moved {
        to: CounterKey { subject: is.clone(), ..from.clone() },
        from,
        used,
        held,
    };
    weights.into_iter().map(moved).collect()
}

/// The counters of limits per customer that a redemption of theirs counts in.
pub fn per_customer(one: &Redemption) -> Vec<CounterKey> {
    let incentive: Arc<str> = one.incentive.as_str().into();
    let keys = one.details.counted.keys(&incentive, one.currency, one.person.subject().as_ref());
    keys.into_iter().filter(|key| is_per_customer(key.kind)).collect()
}

fn is_per_customer(kind: CounterKind) -> bool {
    matches!(kind, CounterKind::Customer | CounterKind::CustomerPeriod)
}
