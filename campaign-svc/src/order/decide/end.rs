//! Cancel, return, and what becomes of a hold that has lapsed. What is given back goes forward only: once written down,
//! it is done, whatever relationship-svc takes to do its part.

use std::sync::Arc;

use super::super::refund::{self, Shipping};
use super::super::{Order, Pending, Refusal, State, Step};
use super::{Happened, Item, World, room};

pub(super) fn cancel(world: &mut World, item: &Item<'_>, id: &str) -> Result<Arc<Order>, Refusal> {
    let order = match settled(world, item, id, &[Step::Release, Step::RollBack])? {
        Found::Same(order) => return Ok(order),
        Found::Other(order) => order,
    };
    match order.state {
        State::Cancelled => Ok(order),
        State::Held => Ok(release(world, item, (*order).clone())),
        State::Committed | State::PartiallyReturned => Ok(cancel_counted(world, item, (*order).clone())),
        // The shipping is still to be paid back.
        State::Returned if !refund::is_all_back(&order.sold) => {
            Ok(cancel_counted(world, item, (*order).clone()))
        }
        state => Err(Refusal::WrongState(state)),
    }
}

/// An order without an open step, or the one whose open step is this very call.
enum Found {
    Same(Arc<Order>),
    Other(Arc<Order>),
}

fn settled(world: &World, item: &Item<'_>, id: &str, steps: &[Step]) -> Result<Found, Refusal> {
    let order = world.order(id).ok_or_else(|| Refusal::Missing(super::super::name(id)))?.clone();
    match &order.pending {
        Some(pending) if item.repeats(pending, steps) => Ok(Found::Same(order)),
        Some(pending) => Err(item.kept_out_by(pending, steps)),
        None if order.is_being_replaced() => Err(Refusal::Pending),
        None => Ok(Found::Other(order)),
    }
}

/// Gives a hold back, whether it lives or has lapsed.
fn release(world: &mut World, item: &Item<'_>, mut order: Order) -> Arc<Order> {
    world.ledger.drop_claims_of(order.holder);
    order.expires = None;
    end(world, item, order, Step::Release)
}

/// Gives back all that an order has counted and that has not come back yet.
pub(super) fn cancel_counted(world: &mut World, item: &Item<'_>, mut order: Order) -> Arc<Order> {
    room::give_back(world, &mut order, true);
    refund::cancel(Arc::make_mut(&mut order.sold), world.setting.now);
    end(world, item, order, Step::RollBack)
}

fn end(world: &mut World, item: &Item<'_>, order: Order, step: Step) -> Arc<Order> {
    let from = order.state;
    if order.sold.codes.is_empty() {
        let order = world.put(Order { state: State::Cancelled, ..order });
        world.tell(item, Happened::Cancelled(order.clone(), from));
        return order;
    }
    let mut pending = item.begins(step, from, world.setting.now);
    if order.replaced_by.is_some() {
        // The call is that of the order that replaces it; nobody waits for this one.
        pending.request = Default::default();
    }
    world.put(Order { state: State::Cancelling, pending: Some(pending), ..order })
}

pub(super) fn take_back(
    world: &mut World,
    item: &Item<'_>,
    id: &str,
    lines: &[(String, i64)],
    shipping: Shipping,
) -> Result<Arc<Order>, Refusal> {
    let order = match settled(world, item, id, &[Step::Return])? {
        Found::Same(order) => return Ok(order),
        Found::Other(order) => order,
    };
    let shipping_alone = order.state == State::Returned && lines.is_empty();
    if !order.state.is_counted() && !shipping_alone {
        return Err(Refusal::WrongState(order.state));
    }
    let mut order = (*order).clone();
    let mut units = Vec::with_capacity(lines.len());
    for (id, wanted) in lines {
        let found = order.sold.lines.iter().enumerate().find(|(_, line)| line.id == *id);
        let (at, line) = found.ok_or_else(|| Refusal::Quantity(format!("the order has no line {id:?}")))?;
        let out = line.quantity - line.back;
        if *wanted > out {
            let message = format!("{wanted} units of line {id:?} cannot come back: {out} are still out");
            return Err(Refusal::Quantity(message));
        }
        units.push((at, *wanted));
    }
    refund::take_back(Arc::make_mut(&mut order.sold), &units, shipping, world.setting.now)?;
    let returned = room::give_back(world, &mut order, false);
    let from = order.state;
    order.state = after_return(&order);
    if order.sold.codes.is_empty() {
        let order = world.put(order);
        world.tell(item, Happened::Returned(order.clone(), lines.to_vec(), returned));
        return Ok(order);
    }
    let step = item.begins(Step::Return, from, world.setting.now);
    let pending = Some(Pending { lines: lines.to_vec(), ..step });
    Ok(world.put(Order { state: State::Returning, pending, ..order }))
}

/// Where an order stands once units have come back.
pub(super) fn after_return(order: &Order) -> State {
    if order.sold.is_all_back() { State::Returned } else { State::PartiallyReturned }
}

/// Ends a hold that has lapsed. Its claims were taken off when the rows were locked.
pub(super) fn expire(world: &mut World, item: &Item<'_>, id: &str) -> Result<Arc<Order>, Refusal> {
    let order = world.order(id).ok_or_else(|| Refusal::Missing(super::super::name(id)))?.clone();
    if order.expires.is_none_or(|end| world.setting.now < end) {
        return Ok(order);
    }
    if order.state == State::Holding {
        // Its codes are on their way: what comes of them is given back when it is known.
        world.ledger.drop_claims_of(order.holder);
        return Ok(world.put(Order { expires: None, ..(*order).clone() }));
    }
    world.ledger.drop_claims_of(order.holder);
    let order = world.put(Order { state: State::Expired, expires: None, ..(*order).clone() });
    world.tell(item, Happened::Expired(order.clone()));
    Ok(order)
}
