//! Who enters a watched segment and who leaves it, told once.
//!
//! A customer who is written is due, by the same transaction ([`crate::customer::store::look`]); so is everybody, step by
//! step, when what is watched changes, and each at the moment when the clock may change it. Whoever is due is judged under
//! the lock of the customer's row: the newest version, by the newest rules. What was told before is a row, so nothing is
//! told twice, whichever replica comes first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tandem_platform::db::Writes;
use tandem_platform::outbox::{self, Batch, Recorded};
use tandem_platform::{Call, Fault, Outcome, Tenant, Tx, transact};

use super::super::Moment;
use super::super::catalogue::Customers;
use super::super::store::watch::{self, Due, Pair};
use super::super::store::{self, members};
use super::super::{ageing::Ageing, events};
use crate::App;
use crate::customer::store::CUSTOMERS;

/// Customers that one transaction judges.
const BLOCK: i64 = 200;
/// Customers that one step of a sweep makes due.
const STEP: i64 = 1_000;
/// Who was being created when a sweep began may have missed that anything is watched. This long after its beginning no such
/// transaction runs any more, and who was created since so long before it is looked at once more.
const WRITING: SignedDuration = SignedDuration::from_secs(60);

/// Judges all who are due, oldest first. A tenant who cannot be judged holds up no other: the first fault is answered when all
/// have been tried.
pub async fn look(app: &Arc<App>) -> Outcome<()> {
    let now = app.clock.now();
    let (mut behind, mut fault): (Option<Due>, Option<Fault>) = (None, None);
    loop {
        let due = watch::due(&mut app.db.read().await?, now, behind.as_ref(), BLOCK).await?;
        let mut by_tenant: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for one in &due {
            by_tenant.entry(&one.tenant).or_default().push(one.customer.clone());
        }
        for (tenant, customers) in by_tenant {
            let judged = judge(app, &Call::system(tenant), now, customers).await;
            fault = fault.or(judged.err());
        }
        let is_full = i64::try_from(due.len()) == Ok(BLOCK);
        behind = due.into_iter().next_back();
        if !is_full || app.tasks.soft().is_cancelled() {
            return fault.map_or(Ok(()), Err);
        }
    }
}

async fn judge(app: &Arc<App>, call: &Call, now: Timestamp, customers: Vec<String>) -> Outcome<()> {
    let tenant = &call.tenant;
    transact!(app.db, |tx| {
        let found = CUSTOMERS.lock_many(tx, tenant, customers.clone()).await?;
        let still = watch::still(tx, tenant, now, customers.clone()).await?;
        // By the newest, whatever this replica has heard of: who changes them later has everybody looked at later.
        let at = Moment::by(&app.tenancy.within(tx, tenant).await?, now);
        let version = store::version(tx, tenant).await?;
        let found = Arc::new(app.catalogues.of(tx, tenant, version, found, now).await?);
        let was = watch::was(tx, tenant, still.clone()).await?;
        let is = judged(app, &found, &still, &at).await?;
        write(app, call, tx, &at, Looked { found, still, was, is }).await
    })
}

/// What was found of customers.
struct Looked {
    found: Arc<Customers>,
    /// Who was due.
    still: Vec<String>,
    was: BTreeSet<Pair>,
    is: BTreeSet<Pair>,
}

/// In which watched segments they are. Judged where it holds nobody up.
async fn judged(
    app: &App,
    found: &Arc<Customers>,
    customers: &[String],
    at: &Moment,
) -> Outcome<BTreeSet<Pair>> {
    let (found, customers, at) = (found.clone(), customers.to_vec(), at.clone());
    let judge = move |_| {
        let mut is = BTreeSet::new();
        for customer in customers {
            let Some(somebody) = found.somebody(&customer, &at) else { continue };
            let watched: BTreeMap<String, i64> = found.catalogue.watched_of(&somebody);
            is.extend(watched.into_keys().map(|segment| (customer.clone(), segment)));
        }
        is
    };
    app.heavy.run(judge).await
}

async fn write(app: &App, call: &Call, tx: &mut Tx, at: &Moment, looked: Looked) -> Outcome<()> {
    let (Looked { found, still, was, is }, now) = (looked, at.now);
    let entered: Vec<Pair> = is.difference(&was).cloned().collect();
    let gone: Vec<Pair> = was.difference(&is).cloned().collect();
    let mut told = Batch::new(call, &*app.ids, now);
    let watched = |segment: &str| found.catalogue.watched(segment);
    let events =
        entered.iter().map(|pair| (pair, events::entered as fn(&str, i64, &str, Timestamp) -> Recorded));
    for ((customer, segment), event) in events.chain(gone.iter().map(|pair| (pair, events::left as _))) {
        // Of what is watched no more nothing is told.
        if let Some(version) = watched(segment) {
            told.push(event(segment, version, customer, now));
        }
    }
    let (later, done) = next(&found, still, at);
    let mut writes = Writes::of(&call.tenant);
    for write in [watch::enter(&entered), watch::leave(&gone), watch::later(later), watch::done(done)] {
        writes.push(write);
    }
    writes.push(outbox::write(told));
    writes.run(tx).await
}

/// Who is due again, and who is not.
fn next(found: &Customers, still: Vec<String>, at: &Moment) -> (Vec<(String, Timestamp)>, Vec<String>) {
    let ageing: Ageing = found.catalogue.ageing();
    let (mut later, mut done) = (Vec::new(), Vec::new());
    for customer in still {
        match found.next(ageing, &customer, at) {
            Some(next) => later.push((customer, next)),
            None => done.push(customer),
        }
    }
    (later, done)
}

/// A step of every sweep; answers whether one goes on at once.
pub async fn sweep(app: &Arc<App>) -> Outcome<bool> {
    let now = app.clock.now();
    let rested = now.checked_sub(WRITING).unwrap_or(now);
    let mut goes_on = false;
    for tenant in watch::sweeps(&mut app.db.read().await?, rested).await? {
        goes_on |= step(app, &Call::system(&tenant).tenant, now).await?;
    }
    Ok(goes_on)
}

async fn step(app: &Arc<App>, tenant: &Tenant, now: Timestamp) -> Outcome<bool> {
    transact!(app.db, |tx| {
        let Some(sweep) = watch::swept(tx, tenant).await? else { return Ok(false) };
        let begun = sweep.begun.timestamp();
        let (writes, goes_on) = match sweep.after {
            Some(after) => {
                let last = members::behind(tx, tenant, &after, STEP).await?;
                (watch::step(now, &after, last.as_deref()), last.is_some())
            }
            None if begun.checked_add(WRITING).is_ok_and(|over| over <= now) => {
                (watch::end(now, begun.checked_sub(WRITING).unwrap_or(begun)), false)
            }
            None => return Ok(false),
        };
        for write in writes {
            write.run(tx, tenant).await?;
        }
        Ok(goes_on)
    })
}
