//! What would become of a merge. Nothing is locked, and nothing changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::limits::{self, CounterKey, CounterKind, Tally};
use tandem_platform::db::Session;
use tandem_platform::{Call, Outcome, Tenant, counters};
use uuid::Uuid;

use super::commands::{Found, found, room};
use super::{Merge, Moves, Over, Preview, profile, store};
use crate::customer::store::{CUSTOMERS, alias};
use crate::customer::{self, Customer};
use crate::redemption::rename::per_customer;
use crate::redemption::store::{By, newest};
use crate::{App, customer::alias::person};

/// How far is counted.
pub const MOST: i64 = 10_000;
/// Redemptions of each whose limits are looked at.
const LIMITS: i64 = 1_000;

/// What would be done.
pub async fn preview(app: &App, call: &Call, merge: &Merge) -> Outcome<Preview> {
    let (tenant, now) = (&call.tenant, app.clock.now());
    let mut reader = app.db.read().await?;
    let mut people: Vec<Customer> = Vec::new();
    for id in [&merge.source, &merge.target] {
        people.extend(CUSTOMERS.find(&mut reader, tenant, id).await?);
    }
    let (source, target) = match found(&mut reader, tenant, merge, people).await? {
        Found::Both(both) => *both,
        Found::One(one) => {
            let nothing = (Moves::default(), Vec::new(), Vec::new());
            return Ok(Preview { customer: one.0, moves: nothing.0, conflicts: nothing.1, over: nothing.2 });
        }
    };
    let moves = store::moves(&mut reader, tenant, &source.id, &target.id, MOST).await?;
    let theirs = alias::of(&mut reader, tenant, &target.id).await?.len();
    room(usize::try_from(moves.aliases).unwrap_or(usize::MAX).saturating_add(theirs + 1))?;
    let conflicts = profile::conflicts(&source, &target, &merge.rules);
    let together = profile::together(&source, &target, &merge.rules);
    profile::check(&together)?;
    let together = customer::commands::declared_kept(&mut reader, tenant, together).await?;
    let settings = app.tenancy.of(app, tenant).await?;
    let at = (now, settings.zone.rules());
    let over = over(app, &mut reader, tenant, [&source.id, &target.id], at).await?;
    Ok(Preview { customer: target.known(together, now), moves, conflicts, over })
}

/// The limits per customer that both together exceed.
async fn over(
    app: &App,
    session: &mut impl Session,
    tenant: &Tenant,
    people: [&str; 2],
    (now, zone): (Timestamp, &TimeZone),
) -> Outcome<Vec<Over>> {
    let mut keys: BTreeSet<CounterKey> = BTreeSet::new();
    for id in people {
        let found = newest(session, tenant, By::Customer(id), Uuid::max(), LIMITS).await?;
        keys.extend(found.iter().flat_map(per_customer));
    }
    let mut owners: Vec<String> = keys.iter().map(|key| key.owner.to_string()).collect();
    owners.dedup();
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let current = app.definitions.current(session, tenant, &owners).await?;
    let subject: Arc<str> = person(people[1]).into();
    let mut sums: BTreeMap<CounterKey, i64> = BTreeMap::new();
    for (key, Tally { used, held, .. }) in counters::find(session, tenant, keys.iter()).await? {
        *sums.entry(CounterKey { subject: subject.clone(), ..key }).or_default() += used + held;
    }
    let over = sums.into_iter().filter_map(|(key, uses)| {
        let of = &current.get(&*key.owner)?.incentive.definition.limits;
        let most = match key.kind {
            CounterKind::Customer => of.max_uses_per_customer,
            _ => of
                .per_customer_period
                .filter(|limit| *key.period == *limits::period(limit.period, now, zone))
                .map(|limit| limit.max_uses),
        }?;
        (uses > most).then_some(Over { key, uses, most })
    });
    Ok(over.collect())
}
