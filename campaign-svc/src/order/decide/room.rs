//! Limits of offers and campaigns: whether there is room, taking it, giving it back.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::limits::{
    Budget, Counted, CountedValue, CounterKey, CounterKind, Facts, Limits, Overrun, Tally, ValueLimit,
    threshold,
};
use tandem_platform::counters::ledger::{Claim, Target};
use uuid::Uuid;

use super::super::terms::{campaign_of, parts};
use super::super::watched::watch;
use super::super::{Charge, Order, Person, Refusal, Sold};
use super::{Happened, Item, Threshold, World, keys, keys_of};

/// What an order counts in: a charge for every offer, then one for every campaign.
pub(super) fn charges(world: &mut World, sold: &Sold, person: &Person) -> Vec<Charge> {
    let mut of_offers = Vec::with_capacity(sold.offers.len());
    let mut of_campaigns: BTreeMap<&str, (i64, Vec<String>)> = BTreeMap::new();
    let World { setting, terms, ledger, .. } = world;
    let known = person.is_known();
    let mut charge = |owner: String, limits: &Limits, zone, amount, segments: &[String]| {
        let name: Arc<str> = owner.as_str().into();
        let facts = Facts { known, place: &sold.place, attributes: &sold.attributes, segments };
        let tracks = setting.tracks.tracks(&name, limits);
        ledger.count_in(&name, &tracks);
        let counted = Counted::of(&tracks, facts, setting.now, zone);
        Charge { counted, owner, amount, returned: 0, restored: false }
    };
    for discount in &sold.offers {
        let Some((campaign, offer)) = parts(&discount.source) else { continue };
        let Some(known) = terms.campaigns.get(campaign) else { continue };
        if let Some(limits) = terms.of_offer(campaign, offer, discount.revision) {
            let (source, amount) = (discount.source.clone(), discount.amount);
            of_offers.push(charge(source, limits, &known.zone, amount, &discount.segments));
        }
        let (amount, segments) = of_campaigns.entry(campaign).or_default();
        *amount += discount.amount;
        segments.extend(discount.segments.iter().cloned());
    }
    let of_campaigns = of_campaigns.into_iter().filter_map(|(id, (amount, mut segments))| {
        let known = terms.campaigns.get(id)?;
        segments.sort_unstable();
        segments.dedup();
        Some(charge(crate::campaign::name(id), &known.limits, &known.zone, amount, &segments))
    });
    of_offers.into_iter().chain(of_campaigns).collect()
}

/// Whether a counter is the one by which a limit is judged: it begins anew when the limit does.
fn is_judged(key: &CounterKey, limits: &Limits) -> bool {
    match key.kind {
        CounterKind::CustomerPeriod => {
            key.recurrence() == limits.per_customer_period.map(|limit| limit.period)
        }
        CounterKind::Customer => true,
        // Judged by the limit that asks for the value.
        CounterKind::ValueUses | CounterKind::ValueBudget => false,
        _ => key.recurrence() == limits.recurrence,
    }
}

/// The limits behind a charge, and the version of the campaign.
fn limits<'w>(world: &'w World, sold: &Sold, charge: &Charge) -> Option<(&'w Limits, i64)> {
    let of_offer = parts(&charge.owner);
    let campaign = of_offer.map_or(charge.owner.strip_prefix("campaigns/")?, |(campaign, _)| campaign);
    let known = world.terms.campaigns.get(campaign)?;
    let limits = match of_offer {
        None => &known.limits,
        Some((_, offer)) => {
            let discount = sold.offers.iter().find(|discount| discount.source == charge.owner)?;
            world.terms.of_offer(campaign, offer, discount.revision)?
        }
    };
    Some((limits, known.version))
}

/// Whether every campaign runs and every limit has room. Where it has not, nothing has changed.
pub(super) fn judge(world: &World, sold: &Sold, person: &Person) -> Result<(), Refusal> {
    for discount in &sold.offers {
        let known = parts(&discount.source).and_then(|(campaign, offer)| {
            let open = world.terms.campaigns.get(campaign)?.open;
            world.terms.of_offer(campaign, offer, discount.revision).filter(|_| open)
        });
        if known.is_none() {
            return Err(Refusal::NotRunning(discount.source.clone()));
        }
    }
    for (rule, _) in sold.lines.iter().filter_map(|line| line.rule.as_ref()) {
        let known = campaign_of(rule).and_then(|campaign| world.terms.campaigns.get(campaign));
        if !known.is_some_and(|known| known.open) {
            return Err(Refusal::NotRunning(rule.clone()));
        }
    }
    sold.charges.iter().try_for_each(|charge| judge_one(world, sold, person, charge))
}

fn judge_one(world: &World, sold: &Sold, person: &Person, charge: &Charge) -> Result<(), Refusal> {
    let owner = || charge.owner.clone();
    let Some((limits, _)) = limits(world, sold, charge) else { return Err(Refusal::NotRunning(owner())) };
    if limits.needs_customer() && !person.is_known() {
        return Err(Refusal::CustomerRequired(owner()));
    }
    let of_values = values(charge, limits)?;
    let counters = keys(sold, person, charge);
    if let Some(dimension) = world.ledger.lacks(&charge.owner, counters.iter()) {
        return Err(Refusal::ValueRequired(owner(), dimension.clone()));
    }
    for key in counters.into_iter().filter(|key| is_judged(key, limits)) {
        let taken = taken(world, &key);
        let full = |most: Option<i64>| most.is_some_and(|most| taken >= most);
        match key.kind {
            CounterKind::Uses if full(limits.max_uses) => return Err(Refusal::Exhausted(owner())),
            CounterKind::Customer if full(limits.max_uses_per_customer) => {
                return Err(Refusal::CustomerLimit(owner()));
            }
            CounterKind::CustomerPeriod if full(limits.per_customer_period.map(|limit| limit.max_uses)) => {
                return Err(Refusal::CustomerPeriodLimit(owner()));
            }
            CounterKind::Budget => money(sold, charge, limits.budget(sold.currency), limits.overrun, taken)?,
            _ => {}
        }
    }
    let owner: Arc<str> = charge.owner.as_str().into();
    for (limit, value) in of_values {
        if limit.max_uses.is_some_and(|most| taken(world, &value.of_uses(&owner)) >= most) {
            return Err(Refusal::Exhausted(charge.owner.clone()));
        }
        let taken = taken(world, &value.of_money(&owner, sold.currency));
        money(sold, charge, limit.budget(sold.currency), limits.overrun, taken)?;
    }
    Ok(())
}

/// What a counter has counted and holds; of one customer also what is counted of them under another subject.
fn taken(world: &World, key: &CounterKey) -> i64 {
    let of = |key: &CounterKey| {
        let tally = world.ledger.find(key).map_or(Tally::default(), |at| world.ledger.tally(at));
        tally.used + tally.held
    };
    of(key) + world.setting.beside(key).map_or(0, |other| of(&other))
}

/// The limits per value, each with every value that the order counts for.
fn values<'l>(
    charge: &'l Charge,
    limits: &'l Limits,
) -> Result<Vec<(&'l ValueLimit, &'l CountedValue)>, Refusal> {
    let mut all = Vec::with_capacity(limits.per_value.len());
    for limit in &limits.per_value {
        let before = all.len();
        let values = charge.counted.values(&limit.dimension, limits.recurrence);
        all.extend(values.map(|value| (limit, value)));
        if all.len() == before {
            return Err(Refusal::ValueRequired(charge.owner.clone(), limit.dimension.clone()));
        }
    }
    Ok(all)
}

fn money(sold: &Sold, charge: &Charge, budget: Budget, overrun: Overrun, taken: i64) -> Result<(), Refusal> {
    let most = match budget {
        Budget::Unlimited => return Ok(()),
        Budget::NotInCurrency => return Err(Refusal::Budget(charge.owner.clone())),
        Budget::Limited(most) => most,
    };
    let left = (most - taken).max(0);
    match overrun {
        _ if left >= charge.amount => Ok(()),
        Overrun::Reject => Err(Refusal::Budget(charge.owner.clone())),
        Overrun::Cap => Err(Refusal::Short {
            owner: charge.owner.clone(),
            quoted: sold.total,
            current: sold.total + charge.amount - left,
            currency: sold.currency,
        }),
    }
}

/// Counts an order in everything it is charged to, and tells of thresholds.
pub(super) fn use_up(world: &mut World, item: &Item<'_>, sold: &Sold, person: &Person) {
    for charge in &sold.charges {
        for key in keys(sold, person, charge) {
            let at = world.ledger.place(key.clone());
            let tally = world.ledger.tally(at);
            let more = if key.kind.is_money() { charge.amount } else { 1 };
            world.ledger.set(at, Tally { used: tally.used.saturating_add(more), ..tally });
            if matches!(key.kind, CounterKind::Uses | CounterKind::Budget) {
                tell_threshold(world, item, sold, charge, at);
            }
        }
    }
}

fn tell_threshold(world: &mut World, item: &Item<'_>, sold: &Sold, charge: &Charge, at: usize) {
    let Some((limits, version)) = limits(world, sold, charge) else { return };
    let row = &world.ledger.rows()[at];
    if !is_judged(&row.key, limits) {
        return;
    }
    let (tally, owner) = (row.tally, row.key.owner.clone());
    let (most, currency) = match row.key.kind {
        CounterKind::Budget => match limits.budget(sold.currency) {
            Budget::Limited(most) => (most, Some(sold.currency)),
            _ => return,
        },
        _ => match limits.max_uses {
            Some(most) => (most, None),
            None => return,
        },
    };
    let reached = threshold(tally.used, most);
    if reached <= tally.told {
        return;
    }
    for percent in [80, 95, 100] {
        if tally.told < percent && percent <= reached {
            let threshold = Threshold { owner: owner.clone(), version, percent, used: tally.used, currency };
            world.tell(item, Happened::Threshold(threshold));
        }
    }
    world.ledger.set(at, Tally { told: reached, ..tally });
}

/// Keeps room in everything an order is charged to. What is held of a limit is not offered to anybody else.
pub(super) fn hold(world: &mut World, sold: &Sold, person: &Person, holder: Uuid, expires: Timestamp) {
    for charge in &sold.charges {
        for key in keys(sold, person, charge) {
            let (uses, amount) = if key.kind.is_money() { (0, charge.amount) } else { (1, 0) };
            let limited = limits(world, sold, charge).is_some_and(|(limits, _)| {
                let limited = match key.kind {
                    CounterKind::Uses => limits.max_uses.is_some(),
                    CounterKind::Budget => matches!(limits.budget(sold.currency), Budget::Limited(_)),
                    _ => false,
                };
                limited && is_judged(&key, limits)
            });
            let row = world.ledger.place(key);
            let target = Target::Counter(row);
            world.ledger.claim(Claim { target, holder, uses, amount, expires });
            if limited {
                watch(&mut world.ledger, row);
            }
        }
    }
}

/// What a charge of an order still counts in its rows, and would give back with all the rest.
pub fn counted(order: &Order, charge: &Charge) -> Vec<(CounterKey, i64)> {
    let of_row = |key: CounterKey| {
        let uses = i64::from(!charge.restored);
        let counted = if key.kind.is_money() { charge.amount - charge.returned } else { uses };
        (key, counted)
    };
    keys_of(order, charge).into_iter().map(of_row).collect()
}

/// Gives back what has come back of an order since the last time, and its uses where all has. A counter that is gone was
/// of a period or a campaign long over: nothing can be refused by it any more.
pub(super) fn give_back(world: &mut World, order: &mut Order, everything: bool) -> i64 {
    let mut returned_now = 0;
    let all_back = everything || order.sold.is_all_back();
    for at in 0..order.sold.charges.len() {
        let charge = order.sold.charges[at].clone();
        let returned = if all_back { charge.amount } else { order.sold.returned_of_owner(&charge.owner) };
        let (money, use_back) = (returned - charge.returned, all_back && !charge.restored);
        for key in keys_of(order, &charge) {
            let less = if key.kind.is_money() { money } else { i64::from(use_back) };
            let row = world.ledger.place(key);
            if !world.ledger.exists(row) {
                continue;
            }
            let tally = world.ledger.tally(row);
            world.ledger.set(row, Tally { used: tally.used - less, ..tally });
        }
        if parts(&charge.owner).is_some() {
            returned_now += money;
        }
        Arc::make_mut(&mut order.sold).charges[at] =
            Charge { returned, restored: charge.restored || use_back, ..charge };
    }
    returned_now
}
