//! What happens to relationships without anybody's doing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tandem_platform::db::Writes;
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Core, Outcome, Tenant, transact};

use super::{StageRules, Who, events, store};

/// People that one transaction looks after.
const PART: i64 = 500;

/// Tells of the stages of these people that the clock has changed; answers how many changes it told of. Who has been looked
/// after by another replica meanwhile is not told of twice: what counts is what the locked rows say.
pub async fn turn(
    core: &Core,
    tenant: &Tenant,
    people: &[Who],
    rules: &StageRules,
    now: Timestamp,
) -> Outcome<usize> {
    let call = Call::system(tenant.as_str());
    transact!(core.db, |tx| {
        let mut rows = store::lock(tx, tenant, people.to_vec()).await?;
        rows.retain(|row| row.next_change.is_some_and(|at| at <= now));
        let mut batch = Batch::new(&call, &*core.ids, now);
        for row in &mut rows {
            for change in row.tell(rules, now) {
                batch.push(events::stage_changed(&row.who, &change));
            }
        }
        let told = batch.len();
        let mut writes = Writes::of(tenant);
        writes.push(store::update(&rows.iter().collect::<Vec<_>>())?);
        writes.push(outbox::write(batch));
        writes.run(tx).await?;
        Ok(told)
    })
}

/// Tells of every stage of a tenant's people that the clock has changed by `now`: from then on their rows say where they stand.
pub async fn settle(core: &Core, tenant: &Tenant, rules: &StageRules, now: Timestamp) -> Outcome<()> {
    loop {
        let due = store::due_of(&mut core.db.read().await?, tenant, now, PART).await?;
        if due.is_empty() {
            return Ok(());
        }
        turn(core, tenant, &due, rules, now).await?;
    }
}

/// People by their tenants.
pub fn by_tenant(due: Vec<(Tenant, Who)>) -> BTreeMap<Tenant, Vec<Who>> {
    let mut of: BTreeMap<Tenant, Vec<Who>> = BTreeMap::new();
    for (tenant, who) in due {
        of.entry(tenant).or_default().push(who);
    }
    of
}
