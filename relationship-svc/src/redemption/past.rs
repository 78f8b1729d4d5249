//! Uses from before a limit was there: they are counted in what it asks for before it holds. How that is done, and why it is
//! right while redemptions go on, stands in [`tandem_platform::counters::tracks`].

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::limits::{Counted, Tracks};
use tandem_platform::counters::ledger::Ledger;
use tandem_platform::counters::tracks::{self, Lack, Past, Wanted};
use tandem_platform::db::Writes;
use tandem_platform::resource::{Change, Resource, Table};
use tandem_platform::{Outcome, Tenant, Tx, transact};
use uuid::Uuid;

use super::store::{self, Behind};
use super::world::distinct;
use super::{Redemption, State};
use crate::App;
use crate::incentive::{Definition, Incentive};

/// Redemptions of a tenant that one page looks at.
const PAGE: i64 = 2_000;
/// Orders that are counted in one transaction.
const ORDERS: usize = 100;
/// A use may have been counted so long after its redemption was made: as long as holds last.
const HELD: SignedDuration = SignedDuration::from_hours(24);

/// Has every use of an incentive be counted in what its changed limits ask for, those from before included. What cannot
/// become of it anyhow is left to the command to say.
pub async fn count(app: &App, tenant: &Tenant, change: &Change<Definition>) -> Outcome<()> {
    let mut reader = app.db.read().await?;
    let table: &Table<Incentive> = Incentive::TABLE;
    let Some(incentive) = table.find(&mut reader, tenant, &change.touch.id).await? else { return Ok(()) };
    drop(reader);
    let definition = change.of(&incentive.definition);
    let wanted = definition.limits.tracks();
    if incentive.definition.limits.tracks().contain(&wanted) || !definition.problems().is_empty() {
        return Ok(());
    }
    let owner: Arc<str> = incentive.id.as_str().into();
    let settings = app.tenancy.of(app, tenant).await?;
    let past = Uses { app, tenant, zone: settings.zone.rules(), incentive: &owner };
    tracks::begin(&app.db, tenant, &Wanted::from([(owner.clone(), wanted)]), &past).await
}

/// The ledger of one incentive.
struct Uses<'a> {
    app: &'a App,
    tenant: &'a Tenant,
    zone: &'a TimeZone,
    incentive: &'a Arc<str>,
}

impl Past for Uses<'_> {
    type Cursor = Uuid;

    async fn page(&self, late: &Wanted, behind: Option<Uuid>) -> Outcome<Option<Uuid>> {
        let Some(late) = late.get(self.incentive) else { return Ok(None) };
        let behind = behind.unwrap_or_else(|| self.first(late));
        let mut reader = self.app.db.read().await?;
        let page = store::behind(&mut reader, self.tenant, behind, PAGE).await?;
        drop(reader);
        let mine = |one: &&Behind| *one.incentive == **self.incentive && one.counts();
        let orders = distinct(page.iter().filter(mine).map(|one| one.order_id.clone()));
        for orders in orders.chunks(ORDERS) {
            transact!(self.app.db, |tx| { self.catch_up(tx, late, orders.to_vec()).await })?;
        }
        Ok(page.last().map(|last| last.id))
    }
}

impl Uses<'_> {
    /// Before the first redemption that can matter: where every way of counting begins anew, one of the periods that run.
    fn first(&self, late: &Tracks) -> Uuid {
        let since = late.since(self.app.clock.now(), self.zone);
        let from = since.and_then(|start| start.checked_sub(HELD).ok());
        let millis = from.and_then(|from| u128::try_from(from.as_millisecond()).ok()).unwrap_or(0);
        Uuid::from_u128(millis << 80)
    }

    /// Counts the uses of some orders in what they lack.
    async fn catch_up(&self, tx: &mut Tx, late: &Tracks, orders: Vec<String>) -> Outcome<()> {
        let now = self.app.clock.now();
        let mut ledger = Ledger::default();
        let mut lacking = Vec::new();
        for redemption in store::lock_orders(tx, self.tenant, orders).await? {
            if *redemption.incentive == **self.incentive && redemption.counts(now) {
                let lacks = self.lacks(&redemption, late, now);
                let subject = redemption.person.subject();
                let keys = lacks.keys(self.incentive, redemption.currency, subject.as_ref());
                let lack = Lack::place(&mut ledger, lacks, keys);
                lacking.extend(lack.map(|lack| (redemption, lack)));
            }
        }
        ledger.lock(tx, self.tenant).await?;
        let mut counted = Vec::with_capacity(lacking.len());
        for (mut redemption, lack) in lacking {
            let hold = redemption.expires.filter(|_| redemption.state == State::Held);
            let hold = hold.map(|expires| (redemption.id, expires));
            lack.count(&mut ledger, redemption.weight(), hold);
            redemption.details.counted.add(&lack.counted);
            counted.push(redemption);
        }
        let mut writes = Writes::of(self.tenant);
        ledger.write_back(tx, &mut writes, &()).await?;
        writes.push(store::update(&counted.iter().collect::<Vec<_>>())?);
        writes.run(tx).await
    }

    /// In what a use is not counted and has to be. Periods that are over are of no use to anybody.
    fn lacks(&self, redemption: &Redemption, late: &Tracks, now: Timestamp) -> Counted {
        let (at, zone) = (redemption.created, self.zone);
        let late = late.running(at, now, zone);
        let counted = &redemption.details.counted;
        let (said, known) = (counted.said(), redemption.person.subject().is_some());
        Counted::of(&late, said.facts(known), at, zone).without(counted)
    }
}
