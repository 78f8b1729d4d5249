//! What happens to relationships without anybody's doing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tandem_platform::db::{Write, Writes};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Core, Outcome, Tenant, transact};

use super::store::sweep::{self, Sweep};
use super::{Relationship, StageRules, Who, events, store};
use crate::App;

/// People that one transaction looks after.
const PART: i64 = 500;
/// When no replica goes by rules any more that were changed so long ago, and no transaction that began under them runs.
const SETTLED: SignedDuration = SignedDuration::from_mins(2);
/// How often it is gone through people whose rules have changed: the second time for those whom somebody has judged meanwhile
/// by the rules from before.
const ROUNDS: i64 = 2;

/// Tells of the stages of these people that the clock has changed; answers how many changes it told of. Who has been looked
/// after by another replica meanwhile is not told of twice: what counts is what the locked rows say.
pub async fn turn(app: &App, tenant: &Tenant, people: &[Who], now: Timestamp) -> Outcome<usize> {
    transact!(app.db, |tx| {
        let mut rows = store::lock(tx, tenant, people.to_vec()).await?;
        rows.retain(|row| row.next_change.is_some_and(|at| at <= now));
        // By the newest, whatever this replica has heard of: who changes them later goes through these people later.
        let rules = app.tenancy.within(tx, tenant).await?.stages;
        let mut writes = Writes::of(tenant);
        let told = tell(app, &mut writes, rows, &rules, now)?;
        writes.run(tx).await?;
        Ok(told)
    })
}

/// Tells of the stages of locked people, and writes whom it changes; answers how many changes it told of.
fn tell(
    core: &Core,
    writes: &mut Writes<'_>,
    rows: Vec<Relationship>,
    rules: &StageRules,
    now: Timestamp,
) -> Outcome<usize> {
    let call = Call::system(writes.tenant().as_str());
    let mut batch = Batch::new(&call, &*core.ids, now);
    let mut changed = Vec::new();
    for before in rows {
        let mut row = before.clone();
        for change in row.tell(rules, now) {
            batch.push(events::stage_changed(&row.who, &change));
        }
        changed.extend((row != before).then_some(row));
    }
    let told = batch.len();
    writes.push(store::update(&changed.iter().collect::<Vec<_>>())?);
    writes.push(outbox::write(batch));
    Ok(told)
}

/// Tells of every stage of a tenant's people that the clock has changed by `now`: from then on their rows say where they stand,
/// but where its rules have changed and it is not gone through all of them yet.
pub async fn settle(app: &App, tenant: &Tenant, now: Timestamp) -> Outcome<()> {
    loop {
        let due = store::due_of(&mut app.db.read().await?, tenant, now, PART).await?;
        if due.is_empty() {
            return Ok(());
        }
        turn(app, tenant, &due, now).await?;
    }
}

/// Goes on with the people of a tenant whose rules have changed, some of them; answers how many changes of stage it told of, or
/// nothing where there is nothing to go on with.
pub async fn step(app: &App, tenant: &Tenant) -> Outcome<Option<usize>> {
    transact!(app.db, |tx| {
        let Some(sweep) = sweep::lock(tx, tenant, app.clock.now()).await? else { return Ok(None) };
        let people = sweep::behind(tx, tenant, &sweep.after, PART).await?;
        let is_full = i64::try_from(people.len()) == Ok(PART);
        let rows = store::lock(tx, tenant, people).await?;
        // Who changes the rules waits for the lock of the sweep, and has it begin anew.
        let rules = app.tenancy.within(tx, tenant).await?.stages;
        // Not before the rows were locked: what was told of them meanwhile is no later.
        let now = app.clock.now();
        let mut writes = Writes::of(tenant);
        writes.push(next(sweep, &rows, is_full, now));
        let told = tell(app, &mut writes, rows, &rules, now)?;
        writes.run(tx).await?;
        Ok(Some(told))
    })
}

/// Where it goes on after these rows.
fn next(sweep: Sweep, rows: &[Relationship], is_full: bool, now: Timestamp) -> Write {
    if is_full {
        // Who is gone is no place any more.
        let last = rows.iter().map(|row| row.who.key()).max();
        return sweep::reached(&last.unwrap_or(sweep.after));
    }
    let settled = now.checked_add(SETTLED).ok().filter(|_| sweep.round < ROUNDS);
    settled.map_or_else(sweep::end, sweep::again)
}

/// People by their tenants.
pub fn by_tenant(due: Vec<(Tenant, Who)>) -> BTreeMap<Tenant, Vec<Who>> {
    let mut of: BTreeMap<Tenant, Vec<Who>> = BTreeMap::new();
    for (tenant, who) in due {
        of.entry(tenant).or_default().push(who);
    }
    of
}
