//! Limits: whether there is room, and taking it.

use tandem_kernel::limits::{Budget, CountedValue, Dimension, Overrun, threshold};
use tandem_kernel::money::Currency;
use tandem_platform::counters::ledger::{Claim, Target};
use uuid::Uuid;

use super::super::world::{JudgedValue, Reach, World};
use super::super::{Happened, OfSegment, Person, Refusal, Tally, Terms, Threshold};
use super::Candidate;
use crate::voucher::Usage;

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// A limit is reached.
    Refused(Refusal),
    /// So much less would fit.
    Short {
        /// What would fit, minor units.
        left: i64,
    },
}

/// Whether every limit on the number of uses has room for one more.
pub(super) fn uses(world: &World, reach: &Reach, terms: &Terms, person: &Person) -> Result<(), Refusal> {
    let limits = terms.limits();
    if limits.needs_customer() && person.customer.is_none() && person.guest.is_none() {
        return Err(Refusal::CustomerRequired);
    }
    let rows = world.ledger.rows();
    let counters = reach.uses.iter().map(|at| &rows[*at].key);
    let has_value = |limit: usize| reach.values.iter().chain(&*reach.open).any(|value| value.limit == limit);
    if !(0..limits.per_value.len()).all(has_value) || world.ledger.lacks(&terms.id, counters).is_some() {
        return Err(Refusal::LimitValueRequired);
    }
    if world.voucher(reach.voucher).uses_left() == Some(0) {
        return Err(Refusal::CodeExhausted);
    }
    let full = |at: Option<usize>, most: Option<i64>| left(world, at, most).is_some_and(|left| left == 0);
    let of_value = |value: &JudgedValue| full(Some(value.uses), limits.per_value[value.limit].max_uses);
    if full(reach.judged.uses, limits.max_uses) || reach.values.iter().any(of_value) {
        return Err(Refusal::IncentiveExhausted);
    }
    match left_to_customer(world, reach, terms) {
        (Some(0), _) => Err(Refusal::CustomerLimitReached),
        (_, Some(0)) => Err(Refusal::CustomerPeriodLimitReached),
        _ => Ok(()),
    }
}

/// What the limits per customer leave, for ever and in the period: what is counted under
/// other names of the customer counts too.
fn left_to_customer(world: &World, reach: &Reach, terms: &Terms) -> (Option<i64>, Option<i64>) {
    let (limits, judged) = (terms.limits(), &reach.judged);
    let all = |at: Option<usize>, beside: &[usize], most: Option<i64>| {
        let tallies = beside.iter().map(|at| world.ledger.tally(*at));
        let there: i64 = tallies.map(|tally| tally.used + tally.held).sum();
        left(world, at, most.map(|most| most - there))
    };
    let in_period = limits.per_customer_period.map(|limit| limit.max_uses);
    (
        all(judged.customer, &judged.beside, limits.max_uses_per_customer),
        all(judged.customer_period, &judged.beside_period, in_period),
    )
}

/// Uses left, the least of every limit; `None` is unlimited.
pub(super) fn uses_left(world: &World, reach: &Reach, terms: &Terms) -> Option<i64> {
    let limits = terms.limits();
    let (of_customer, in_period) = left_to_customer(world, reach, terms);
    let every = [
        world.voucher(reach.voucher).uses_left(),
        left(world, reach.judged.uses, limits.max_uses),
        of_customer,
        in_period,
    ];
    let values = reach.values.iter();
    let of_values = values.map(|value| left(world, Some(value.uses), limits.per_value[value.limit].max_uses));
    every.into_iter().chain(of_values).flatten().min()
}

/// What a counter has left of a limit, where there are both.
fn left(world: &World, at: Option<usize>, most: Option<i64>) -> Option<i64> {
    let tally = world.ledger.tally(at?);
    Some((most? - tally.used - tally.held).max(0))
}

/// What the money budgets still allow, the least of that in all and those per value; `None` where there is none.
pub(super) fn budget_left(
    world: &World,
    reach: &Reach,
    terms: &Terms,
    currency: Currency,
) -> Result<Option<i64>, Refusal> {
    let limits = terms.limits();
    let mut least = money_left(world, reach.judged.budget, limits.budget(currency))?;
    for value in &*reach.values {
        let left = money_left(world, Some(value.money), limits.per_value[value.limit].budget(currency))?;
        least = least.into_iter().chain(left).min();
    }
    Ok(least)
}

fn money_left(world: &World, counter: Option<usize>, budget: Budget) -> Result<Option<i64>, Refusal> {
    match budget {
        Budget::Unlimited => Ok(None),
        Budget::NotInCurrency => Err(Refusal::CurrencyMismatch),
        Budget::Limited(most) => Ok(Some(left(world, counter, Some(most)).unwrap_or(0))),
    }
}

/// What the limits by segment leave to each segment, where it is open which of them the customer is in.
pub(super) fn of_segments(world: &World, one: &Candidate<'_>, currency: Currency) -> Vec<OfSegment> {
    let (Some(terms), Some(reach)) = (one.terms.as_deref(), &one.reach) else { return Vec::new() };
    let limits = terms.limits();
    let segments = one.counted.values(&Dimension::Segment, limits.recurrence);
    let of_segment = |(value, counted): (&JudgedValue, &CountedValue)| {
        let limit = &limits.per_value[value.limit];
        OfSegment {
            segment: counted.value.clone(),
            uses_left: left(world, Some(value.uses), limit.max_uses),
            money_left: money_left(world, Some(value.money), limit.budget(currency)),
        }
    };
    reach.open.iter().zip(segments).map(of_segment).collect()
}

/// Whether budget and gift card cover `amount`.
pub(super) fn money(
    world: &World,
    reach: &Reach,
    terms: &Terms,
    currency: Currency,
    amount: i64,
    tender: bool,
) -> Result<(), NoRoom> {
    if let Some(left) = budget_left(world, reach, terms, currency).map_err(NoRoom::Refused)?
        && left < amount
    {
        return Err(match terms.limits().overrun {
            Overrun::Reject => NoRoom::Refused(Refusal::BudgetExhausted),
            Overrun::Cap => NoRoom::Short { left },
        });
    }
    if tender {
        let voucher = world.voucher(reach.voucher);
        let left = voucher.balance_left().unwrap_or(0);
        if voucher.balance.is_none_or(|balance| balance.currency != currency) {
            return Err(NoRoom::Refused(Refusal::CurrencyMismatch));
        }
        if left == 0 && amount > 0 {
            return Err(NoRoom::Refused(Refusal::CodeExhausted));
        }
        if left < amount {
            return Err(NoRoom::Short { left });
        }
    }
    Ok(())
}

/// Counts a redemption in everything it reaches.
pub(super) fn use_up(world: &mut World, reach: &Reach, amount: i64, tender: bool) {
    let usage = world.voucher(reach.voucher).usage;
    let spent = usage.spent + if tender { amount } else { 0 };
    world.set_usage(reach.voucher, Usage { uses: usage.uses + 1, spent, ..usage });
    let mut count = |at: usize, more: i64| {
        let tally = world.ledger.tally(at);
        world.ledger.set(at, Tally { used: tally.used.saturating_add(more), ..tally });
    };
    reach.uses.iter().for_each(|at| count(*at, 1));
    reach.money.iter().for_each(|at| count(*at, amount));
    guard(world, reach);
}

/// Whoever counts for the first time under another name of the customer's meanwhile collides with this.
fn guard(world: &mut World, reach: &Reach) {
    reach.judged.guarded.iter().for_each(|at| world.ledger.guard(*at));
}

/// Keeps room in everything a hold reaches.
pub(super) fn hold(
    world: &mut World,
    reach: &Reach,
    redemption: Uuid,
    amount: i64,
    tender: bool,
    expires: jiff::Timestamp,
) {
    let claim = |target, uses, amount| Claim { target, holder: redemption, uses, amount, expires };
    world.claim(claim(Target::Own(reach.voucher), 1, if tender { amount } else { 0 }));
    reach.uses.iter().for_each(|at| world.claim(claim(Target::Counter(*at), 1, 0)));
    reach.money.iter().for_each(|at| world.claim(claim(Target::Counter(*at), 0, amount)));
    guard(world, reach);
}

/// Tells of thresholds that the limits of the incentive have passed, once each.
pub(super) fn tell_thresholds(world: &mut World, reach: &Reach, terms: &Terms, currency: Currency) {
    if let (Some(at), Some(most)) = (reach.judged.uses, terms.limits().max_uses) {
        tell_threshold(world, at, terms, most, None);
    }
    if let (Some(at), Budget::Limited(most)) = (reach.judged.budget, terms.limits().budget(currency)) {
        tell_threshold(world, at, terms, most, Some(currency));
    }
}

fn tell_threshold(world: &mut World, at: usize, terms: &Terms, most: i64, currency: Option<Currency>) {
    let tally = world.ledger.tally(at);
    let reached = threshold(tally.used, most);
    if reached <= tally.told {
        return;
    }
    for percent in [80, 95, 100] {
        if tally.told < percent && percent <= reached {
            let (incentive, version) = (terms.id.clone(), terms.version);
            world.tell(Happened::Threshold(Threshold {
                incentive,
                version,
                percent,
                used: tally.used,
                currency,
            }));
        }
    }
    world.ledger.set(at, Tally { told: reached, ..tally });
}
