//! Orders of somebody who is called something else from now on, with what each weighs in the counters of limits per customer.
//! After every part the counters say what the orders say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::limits::CounterKey;
use tandem_platform::counters::moved::{self, Weights};
use tandem_platform::erasing::Went;
use tandem_platform::erasing::kept::two;
use tandem_platform::{Fault, Outcome, Tenant, Tx};

use super::store::{self, Selection};
use super::{Order, Person, State, decide};

/// Who is called otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Rename<'r> {
    /// Id of the customer.
    pub from: &'r str,
    /// What they are called.
    pub to: &'r str,
}

/// At most `limit` orders of a customer behind a place, newest first: those that were quoted when it `applies` are another
/// one's.
pub async fn rename(
    tx: &mut Tx,
    tenant: &Tenant,
    Rename { from, to }: Rename<'_>,
    applies: impl Fn(Timestamp) -> bool,
    (place, limit): (&str, i64),
) -> Outcome<Went> {
    let (created, id) = two(place);
    let created = if place.is_empty() { Timestamp::MAX } else { instant(&created)? };
    let selection = Selection { customer: Some(from), state: None };
    let page = store::newest(tx, tenant, selection, (created, &id), limit).await?;
    let wanted = page.iter().filter(|order| applies(order.sold.issued));
    let wanted = wanted.map(|order| (order.id.as_str(), None)).collect();
    let theirs =
        |order: &Arc<Order>| order.person.customer.as_deref() == Some(from) && applies(order.sold.issued);
    let mut locked = store::lock_many(tx, tenant, &wanted).await?;
    locked.retain(theirs);
    if let (Some(was), Some(is)) = (subject(from), subject(to)) {
        moved::weights(tx, tenant, (&was, &is), weights(&locked)).await?;
    }
    let renamed = locked.iter().map(|order| order.id.clone()).collect();
    store::rename(tx, tenant, from, to, renamed).await?;
    Ok(Went::behind(&page, limit, |order| format!("{}\n{}", order.created, order.id)))
}

fn instant(text: &str) -> Outcome<Timestamp> {
    text.parse().map_err(|error| Fault::internal("a stored place is none").caused_by(error))
}

/// Under which subject limits per customer count.
fn subject(customer: &str) -> Option<Arc<str>> {
    Person { customer: Some(customer.to_owned()), guest: None }.subject()
}

/// What orders weigh in the counters of their customer. One that is held weighs what it claims, one that is void nothing; both
/// may have left rows.
fn weights(locked: &[Arc<Order>]) -> Weights {
    let mut used: BTreeMap<CounterKey, i64> = BTreeMap::new();
    let mut holders = BTreeSet::new();
    for order in locked {
        let holds = matches!(order.state, State::Holding | State::Held);
        for (key, counted) in order.sold.charges.iter().flat_map(|charge| decide::counted(order, charge)) {
            if key.kind.is_of_customer() {
                *used.entry(key).or_default() += if holds || order.state.is_void() { 0 } else { counted };
            }
        }
        holders.extend(holds.then_some(order.holder));
    }
    Weights { used, holders: holders.into_iter().collect() }
}
