//! Uses from before a limit was there: they are counted in what it asks for before it holds. How that is done, and why it is
//! right while orders go on, stands in [`tandem_platform::counters::tracks`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::limits::{Counted, CounterKey, Limits, Tracks};
use tandem_platform::counters::ledger::Ledger;
use tandem_platform::counters::tracks::{self, Lack, Past, Wanted};
use tandem_platform::db::Writes;
use tandem_platform::resource::{Change, Touch};
use tandem_platform::{Outcome, Tenant, Tx, transact};

use super::{Charge, Order, State, store, watched};
use crate::App;
use crate::campaign::revisions::Adaptation;
use crate::campaign::{self, Campaign, Draft, Mix};
use crate::pricing::near;

/// Orders of a tenant that one page looks at, which is one transaction.
const PAGE: i64 = 100;

/// Has every order be counted in what the changed limits of a campaign that has begun ask for, those from before included.
/// What cannot become of it anyhow is left to the command to say.
pub async fn of_campaign(app: &App, tenant: &Tenant, change: &Change<Draft>) -> Outcome<()> {
    let Some(draft) = change.given("limits") else { return Ok(()) };
    let Some(campaign) = find(app, tenant, &change.touch).await? else { return Ok(()) };
    let (before, after) = (&campaign.definition.limits, &draft.definition.limits);
    let name = campaign::name(&campaign.id);
    count(app, tenant, &campaign, lacking([(name, Some(before), after)])).await
}

/// The same, of the limits of a new mix's offers.
pub async fn of_offers(app: &App, tenant: &Tenant, touch: &Touch, adaptation: &Adaptation) -> Outcome<()> {
    let Some(campaign) = find(app, tenant, touch).await? else { return Ok(()) };
    let mut reader = app.db.read().await?;
    let newest = campaign::store::revision(&mut reader, tenant, &campaign.id, campaign.latest_revision);
    let newest = newest.await?.map(|newest| newest.mix).unwrap_or_default();
    drop(reader);
    let before: BTreeMap<&str, &Limits> = offers(&newest).collect();
    let of_offer =
        |(id, after)| (campaign::limits::offer_name(&campaign.id, id), before.get(id).copied(), after);
    count(app, tenant, &campaign, lacking(offers(&adaptation.mix).map(of_offer))).await
}

fn offers(mix: &Mix) -> impl Iterator<Item = (&str, &Limits)> {
    mix.price.offers.iter().map(|offer| (offer.id.as_str(), &offer.limits))
}

/// What limits ask for that those before them did not, by owner.
fn lacking<'l>(owned: impl IntoIterator<Item = (String, Option<&'l Limits>, &'l Limits)>) -> Wanted {
    let lacking = |(owner, before, after): (String, Option<&Limits>, &Limits)| {
        let (before, wanted) = (before.map(Limits::tracks).unwrap_or_default(), after.tracks());
        (!before.contain(&wanted)).then(|| (owner.into(), wanted))
    };
    owned.into_iter().filter_map(lacking).collect()
}

/// A campaign under which orders may have been counted.
async fn find(app: &App, tenant: &Tenant, touch: &Touch) -> Outcome<Option<Campaign>> {
    let mut reader = app.db.read().await?;
    let found = campaign::store::CAMPAIGNS.find(&mut reader, tenant, &touch.id).await?;
    Ok(found.filter(|campaign| campaign.state(app.clock.now()) != campaign::State::Draft))
}

async fn count(app: &App, tenant: &Tenant, campaign: &Campaign, wanted: Wanted) -> Outcome<()> {
    let past = Orders { app, tenant, zone: campaign.definition.zone.rules() };
    tracks::begin(&app.db, tenant, &wanted, &past).await
}

/// The orders of a tenant.
struct Orders<'a> {
    app: &'a App,
    tenant: &'a Tenant,
    /// In which limits start anew.
    zone: &'a TimeZone,
}

/// An order, and in what its charges are not counted and have to be.
struct Lacking {
    order: Arc<Order>,
    /// With the place of each.
    charges: Vec<(usize, Lack)>,
}

impl Past for Orders<'_> {
    /// An id.
    type Cursor = String;

    async fn page(&self, late: &Wanted, behind: Option<String>) -> Outcome<Option<String>> {
        let behind = behind.unwrap_or_default();
        let mut reader = self.app.db.read().await?;
        let page = store::ids(&mut reader, self.tenant, &behind, PAGE).await?;
        drop(reader);
        let counted = page.iter().filter(|(_, state)| counts(*state)).map(|(id, _)| id.as_str());
        let wanted: BTreeMap<&str, Option<&Arc<Order>>> = counted.map(|id| (id, None)).collect();
        if !wanted.is_empty() {
            transact!(self.app.db, |tx| { self.catch_up(tx, late, &wanted).await })?;
        }
        Ok(page.last().map(|(id, _)| id.clone()))
    }
}

impl Orders<'_> {
    /// Counts some orders in what they lack.
    async fn catch_up(
        &self,
        tx: &mut Tx,
        late: &Wanted,
        wanted: &BTreeMap<&str, Option<&Arc<Order>>>,
    ) -> Outcome<()> {
        let now = self.app.clock.now();
        let mut ledger = Ledger::default();
        let orders = store::lock_many(tx, self.tenant, wanted).await?;
        let orders = orders.into_iter().filter(|order| counts(order.state) && !has_lapsed(order, now));
        let lacking: Vec<Lacking> =
            orders.filter_map(|order| self.lacking(&mut ledger, order, late, now)).collect();
        ledger.lock(tx, self.tenant).await?;
        let counted: Vec<Order> = lacking.into_iter().map(|one| caught_up(&mut ledger, one)).collect();
        let mut writes = Writes::of(self.tenant);
        ledger.write_back(tx, &mut writes, &()).await?;
        let none = BTreeSet::new();
        let near: Vec<&CounterKey> = watched::near(&ledger, &none).collect();
        writes.push(near::mark(&near, now));
        writes.push(store::update(&counted.iter().collect::<Vec<_>>())?);
        writes.run(tx).await
    }

    fn lacking(
        &self,
        ledger: &mut Ledger,
        order: Arc<Order>,
        late: &Wanted,
        now: Timestamp,
    ) -> Option<Lacking> {
        let mut charges = Vec::new();
        for (at, charge) in order.sold.charges.iter().enumerate() {
            let Some(late) = late.get(charge.owner.as_str()) else { continue };
            let lacks = self.lacks(&order, charge, late, now);
            let owner: Arc<str> = charge.owner.as_str().into();
            let keys = lacks.keys(&owner, order.sold.currency, order.person.subject().as_ref());
            charges.extend(Lack::place(ledger, lacks, keys).map(|lack| (at, lack)));
        }
        (!charges.is_empty()).then_some(Lacking { order, charges })
    }

    /// In what a charge is not counted and has to be. Periods that are over are of no use to anybody.
    fn lacks(&self, order: &Order, charge: &Charge, late: &Tracks, now: Timestamp) -> Counted {
        let at = order.committed.unwrap_or(order.updated);
        let late = late.running(at, now, self.zone);
        let said = charge.counted.said();
        Counted::of(&late, said.facts(order.person.is_known()), at, self.zone).without(&charge.counted)
    }
}

/// Whether an order in this state is counted, or held, anywhere.
fn counts(state: State) -> bool {
    !state.is_void()
}

/// A hold that has lapsed is as if there were none.
fn has_lapsed(order: &Order, now: Timestamp) -> bool {
    order.expires.is_some_and(|end| end <= now)
}

/// Counts an order where it lacked; a version on, for whoever knows it as it was.
fn caught_up(ledger: &mut Ledger, Lacking { order, charges }: Lacking) -> Order {
    let mut order = Arc::unwrap_or_clone(order);
    order.version += 1;
    let hold = order.expires.map(|expires| (order.holder, expires));
    let sold = Arc::make_mut(&mut order.sold);
    for (charge, lack) in charges {
        let charge = &mut sold.charges[charge];
        charge.counted.add(&lack.counted);
        let weight = (i64::from(!charge.restored), charge.amount - charge.returned);
        lack.count(ledger, weight, hold);
        lack.places().for_each(|row| watched::watch(ledger, row));
    }
    order
}
