//! relationship-svc has answered: forward where it accepted, back where it refused. An answer to a step that is not
//! open any more changes nothing: somebody else has brought it already.

use std::sync::Arc;

use super::super::{Order, Pending, Refusal, State, Step, refund};
use super::end::after_return;
use super::{Happened, Item, Settle, Verdict, World, room};

/// Whether an answer moves any counter: offers were counted, or given back, when the step began. Only a refused hold or
/// commit gives them back, and an amendment those of the order it replaces. Rows that are not needed are not locked.
pub(super) fn counts(world: &World, settle: &Settle) -> bool {
    let step =
        world.order(&settle.order.id).and_then(|order| order.pending.as_ref()).map(|pending| pending.step);
    matches!(step, Some(Step::Hold | Step::Redeem))
        && (settle.verdict != Verdict::Accepted || settle.order.replaces.is_some())
}

pub(super) fn settle(world: &mut World, item: &Item<'_>, settle: &Settle) -> Result<Arc<Order>, Refusal> {
    let order = world.order(&settle.order.id);
    let order = order.ok_or_else(|| Refusal::Missing(super::super::name(&settle.order.id)))?.clone();
    let Some(pending) = order.pending.clone().filter(|pending| pending.attempt == settle.attempt) else {
        return Ok(order);
    };
    let order = Order { pending: None, ..(*order).clone() };
    Ok(match (pending.step, &settle.verdict) {
        (Step::Hold, Verdict::Accepted) if order.expires.is_none_or(|end| end <= world.setting.now) => {
            // Too late: what relationship-svc holds is given back.
            world.ledger.drop_claims_of(order.holder);
            let mut release = item.begins(Step::Release, State::Holding, world.setting.now);
            release.request = Default::default();
            world.put(Order { state: State::Cancelling, expires: None, pending: Some(release), ..order })
        }
        (Step::Release, _) if pending.from == State::Holding => {
            let order = world.put(Order { state: State::Expired, ..order });
            world.tell(item, Happened::Expired(order.clone()));
            order
        }
        (Step::Hold, Verdict::Accepted) => {
            let order = world.put(Order { state: State::Held, ..order });
            world.tell(item, Happened::Held(order.clone()));
            order
        }
        (Step::Redeem, Verdict::Accepted) => committed(world, item, order),
        (Step::Hold | Step::Redeem, Verdict::Refused(reason)) => {
            refused(world, item, order, &pending, reason)
        }
        // Nothing is left there to give back: it was given back before, by whomever.
        (Step::Release | Step::RollBack, _) => {
            let order = world.put(Order { state: State::Cancelled, ..order });
            world.tell(item, Happened::Cancelled(order.clone(), pending.from));
            order
        }
        (Step::Return, _) => {
            let state = after_return(&order);
            let order = world.put(Order { state, ..order });
            let returned = returned_now(&order, &pending);
            world.tell(item, Happened::Returned(order.clone(), pending.lines, returned));
            order
        }
    })
}

fn committed(world: &mut World, item: &Item<'_>, order: Order) -> Arc<Order> {
    let committed = Some(world.setting.now);
    let order = world.put(Order { state: State::Committed, committed, ..order });
    world.tell(item, Happened::Committed(order.clone()));
    if let Some(old) = order.replaces.as_ref().and_then(|id| world.order(id)).cloned() {
        let mut old = (*old).clone();
        let from = old.state;
        room::give_back(world, &mut old, true);
        refund::cancel(Arc::make_mut(&mut old.sold), world.setting.now);
        // Its codes were rolled back in the decision that redeemed the new ones.
        let old = world.put(Order { state: State::Cancelled, ..old });
        world.tell(item, Happened::Cancelled(old, from));
    }
    order
}

fn refused(
    world: &mut World,
    item: &Item<'_>,
    mut order: Order,
    pending: &Pending,
    reason: &str,
) -> Arc<Order> {
    match pending.step {
        Step::Hold => {
            world.ledger.drop_claims_of(order.holder);
        }
        _ => {
            room::give_back(world, &mut order, true);
        }
    }
    if let Some(old) = order.replaces.as_ref().and_then(|id| world.order(id)).cloned() {
        world.put(Order { replaced_by: None, ..(*old).clone() });
    }
    let order = world.put(Order { state: State::Refused, expires: None, replaces: None, ..order });
    world.tell(item, Happened::Refused(order.clone(), reason.to_owned()));
    order
}

/// Discounts of offers that came back with the lines of this step.
fn returned_now(order: &Order, pending: &Pending) -> i64 {
    let mut before = (*order.sold).clone();
    for (id, units) in &pending.lines {
        for line in before.lines.iter_mut().filter(|line| line.id == *id) {
            line.back -= units;
        }
    }
    let offers = order.sold.offers.iter();
    offers.map(|one| order.sold.returned_of(one) - before.returned_of(one)).sum()
}
