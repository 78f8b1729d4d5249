//! Hold and commit.

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::limits::CounterKey;
use tandem_platform::counters::ClaimRow;

use super::super::{Order, Pending, Refusal, State, Step};
use super::{Begin, Happened, Intent, Item, World, room};

pub(super) fn begin(world: &mut World, item: &Item<'_>, begin: &Begin) -> Result<Arc<Order>, Refusal> {
    let known = world.order(&begin.order).cloned();
    if let Some(known) = &known
        && let Some(answer) = standing(item, begin, known)?
    {
        return Ok(answer);
    }
    let held = known.as_ref().filter(|known| known.state == State::Held && world.hold_lives(known)).cloned();
    let keeps_place = begin.intent == Intent::Commit
        && held.as_ref().is_some_and(|held| {
            held.sold.digest == begin.sold.digest
                && held.sold.offers == begin.sold.offers
                && held.sold.lines == begin.sold.lines
                && held.sold.total == begin.sold.total
                && held.person == begin.person
        });
    if begin.sold.lapses <= world.setting.now && !keeps_place {
        return Err(Refusal::Lapsed);
    }
    let replaced = replaced(world, begin)?;
    let expires = match begin.intent {
        Intent::Hold { ttl } => Some(end_of_hold(world, known.as_deref(), ttl)?),
        Intent::Commit => None,
    };
    if let Some(known) = &known {
        // An order does not stand in its own way.
        world.ledger.drop_claims_of(known.holder);
    }
    if !keeps_place {
        judge(world, begin, replaced.as_deref())?;
    }
    Ok(write(world, item, begin, Begun { known, held, replaced, expires, keeps_place }))
}

/// What becomes of the order, once nothing can be refused any more.
struct Begun {
    known: Option<Arc<Order>>,
    held: Option<Arc<Order>>,
    replaced: Option<Arc<Order>>,
    expires: Option<Timestamp>,
    /// The hold's room becomes the order's, unjudged.
    keeps_place: bool,
}

/// An order that is neither new nor open again: its answer, or why not.
fn standing(item: &Item<'_>, begin: &Begin, known: &Arc<Order>) -> Result<Option<Arc<Order>>, Refusal> {
    if let Some(pending) = &known.pending {
        let step = if begin.intent == Intent::Commit { Step::Redeem } else { Step::Hold };
        let same = item.repeats(pending, &[step]);
        return if same { Ok(Some(known.clone())) } else { Err(item.kept_out_by(pending, &[step])) };
    }
    if known.is_being_replaced() {
        return Err(Refusal::Pending);
    }
    match known.state {
        State::Held | State::Refused | State::Expired => Ok(None),
        // A hold that was given back: the customer tries another card.
        State::Cancelled if known.committed.is_none() => Ok(None),
        State::Committed if begin.intent == Intent::Commit => {
            let same = known.sold.digest == begin.sold.digest
                && known.person == begin.person
                && known.replaces == begin.replaces;
            if same { Ok(Some(known.clone())) } else { Err(Refusal::AlreadyCommitted) }
        }
        State::Committed | State::PartiallyReturned => Err(Refusal::AlreadyCommitted),
        state => Err(Refusal::WrongState(state)),
    }
}

/// The order that is to be replaced: counted, and with no step open.
fn replaced(world: &World, begin: &Begin) -> Result<Option<Arc<Order>>, Refusal> {
    let Some(id) = &begin.replaces else { return Ok(None) };
    let old = world.order(id).ok_or_else(|| Refusal::Missing(super::super::name(id)))?;
    replaceable(old)?;
    Ok(Some(old.clone()))
}

fn replaceable(old: &Order) -> Result<(), Refusal> {
    if old.pending.is_some() || old.is_being_replaced() {
        return Err(Refusal::Pending);
    }
    if old.state.is_counted() { Ok(()) } else { Err(Refusal::WrongState(old.state)) }
}

/// What [`begin`] would not count against an order: what its hold keeps, and what an order that it is to replace has counted and
/// not given back. Uses or money, by row; nothing of a row whose hold has lapsed, which is to be looked at all the same.
pub fn own(claims: &[ClaimRow], replaced: Option<&Order>, now: Timestamp) -> Vec<(CounterKey, i64)> {
    let kept = |claim: &ClaimRow| if now < claim.expires { claim.uses + claim.amount } else { 0 };
    let mut own: Vec<_> = claims.iter().map(|claim| (claim.key.clone(), kept(claim))).collect();
    for old in replaced.into_iter().filter(|old| replaceable(old).is_ok()) {
        own.extend(old.sold.charges.iter().flat_map(|charge| room::counted(old, charge)));
    }
    own
}

/// Never past the limit that began with the order's first hold.
fn end_of_hold(
    world: &World,
    known: Option<&Order>,
    ttl: jiff::SignedDuration,
) -> Result<Timestamp, Refusal> {
    let now = world.setting.now;
    let first = known.and_then(|known| known.first_held).unwrap_or(now);
    let last = first.saturating_add(world.setting.hold_max).unwrap_or(Timestamp::MAX);
    if last <= now {
        return Err(Refusal::HoldOver);
    }
    Ok(now.saturating_add(ttl).unwrap_or(Timestamp::MAX).min(last))
}

/// What the replaced order has counted does not stand in the way of the one that replaces it. It stays counted until
/// relationship-svc has agreed: nobody else may slip in meanwhile.
fn judge(world: &mut World, begin: &Begin, replaced: Option<&Order>) -> Result<(), Refusal> {
    let mark = world.ledger.mark();
    if let Some(old) = replaced {
        room::give_back(world, &mut old.clone(), true);
    }
    let judged = room::judge(world, &begin.sold, &begin.person);
    world.ledger.undo(mark);
    judged
}

fn write(world: &mut World, item: &Item<'_>, begin: &Begin, begun: Begun) -> Arc<Order> {
    let now = world.setting.now;
    let first_held = begun.known.as_ref().and_then(|known| known.first_held);
    let mut order = Order {
        id: begin.order.clone(),
        holder: item.fresh[0],
        state: State::Committed,
        person: begin.person.clone(),
        sold: begin.sold.clone(),
        expires: begun.expires,
        first_held: first_held.or(begun.expires.map(|_| now)),
        committed: None,
        replaces: begin.replaces.clone(),
        replaced_by: None,
        pending: None,
        created: begun.known.as_ref().map_or(now, |known| known.created),
        updated: now,
        version: begun.known.as_ref().map_or(0, |known| known.version),
    };
    if let Some(held) = begun.held.as_ref().filter(|_| begun.keeps_place) {
        // In the periods of the hold, whose room it had.
        Arc::make_mut(&mut order.sold).charges.clone_from(&held.sold.charges);
    }
    let from = begun.held.as_ref().map_or(State::Refused, |held| held.state);
    let ttl_s = begun.expires.map_or(0, |end| end.duration_since(now).as_secs().max(1));
    let step = match begun.expires {
        Some(expires) => {
            order.state = State::Held;
            room::hold(world, &order.sold, &begin.person, order.holder, expires);
            Step::Hold
        }
        None => {
            room::use_up(world, item, &order.sold, &begin.person);
            Step::Redeem
        }
    };
    if !begin.sold.codes.is_empty() {
        order.state = if step == Step::Hold { State::Holding } else { State::Committing };
        let token = begin.token.clone();
        order.pending = Some(Pending { token, ttl_s, ..item.begins(step, from, now) });
        if let Some(old) = begun.replaced {
            world.put(Order { replaced_by: Some(begin.order.clone()), ..(*old).clone() });
        }
        return world.put(order);
    }
    order.committed = (step == Step::Redeem).then_some(now);
    let order = world.put(order);
    match step {
        Step::Hold => world.tell(item, Happened::Held(order.clone())),
        _ => world.tell(item, Happened::Committed(order.clone())),
    }
    if let Some(old) = begun.replaced {
        let old = Order { replaced_by: Some(begin.order.clone()), ..(*old).clone() };
        super::end::cancel_counted(world, item, old);
    }
    order
}
