//! Release, roll back, disable, and what becomes of holds that have lapsed.

use std::sync::Arc;

use tandem_kernel::order_id;

use super::super::world::World;
use super::super::{
    Answer, CardReturns, Happened, Reason, Redemption, Refusal, Refused, RollBack, RolledBack, Shared, State,
    Tally,
};
use super::changed;
use crate::voucher::{Frame, Usage};

/// Gives the live hold of an order back.
pub(super) fn release(world: &mut World, order: &str) -> Answer {
    expire_lapsed(world, order);
    let held = world.of_order(order, |one| one.state == State::Held);
    let released = held.into_iter().map(|at| Shared(release_one(world, at, State::Released)));
    Answer::Released(released.collect())
}

/// The same, asked for by a call: an order of campaign-svc gives its holds back by itself.
pub(super) fn release_alone(world: &mut World, order: &str, of_order: bool) -> Result<Answer, Refused> {
    expire_lapsed(world, order);
    if !of_order {
        leave_to_order(world, order, |one| one.state == State::Held)?;
    }
    Ok(release(world, order))
}

/// Refuses what belongs to an order of campaign-svc, which has to know of it.
pub(super) fn leave_to_order(
    world: &World,
    order: &str,
    about: impl Fn(&Redemption) -> bool,
) -> Result<(), Refused> {
    let theirs = world.of_order(order, |one| one.details.of_order && about(one));
    if theirs.is_empty() {
        return Ok(());
    }
    let name = order_id::name(order);
    let message =
        format!("the redemption belongs to {name}: cancel it, or return its lines, at campaign-svc");
    Err(Refused::because(Refusal::BelongsToOrder, message))
}

/// Ends those holds of an order that have lapsed: as if there were none.
pub(super) fn expire_lapsed(world: &mut World, order: &str) {
    for at in world.of_order(order, |one| one.state == State::Held) {
        if !world.hold_lives(at) {
            release_one(world, at, State::Expired);
        }
    }
}

/// Gives back what a hold keeps, and ends it in `state`.
pub(super) fn release_one(world: &mut World, at: usize, state: State) -> Arc<Redemption> {
    let held = world.redemption(at).clone();
    world.drop_claims_of(held.id);
    let ended = Redemption { state, expires: None, ..changed(world, &held) };
    let ended = world.set_redemption(at, ended);
    world.tell(Happened::Released(ended.clone()));
    ended
}

/// Ends a code, and the holds of it that the batch has locked.
pub(super) fn disable(world: &mut World, code: &str) -> Result<Answer, Refused> {
    let Some(at) = world.voucher_place(code) else {
        return Err(Refused::missing(format!("vouchers/{code}")));
    };
    let usage = world.voucher(at).usage;
    if !usage.disabled {
        world.set_usage(at, Usage { disabled: true, ..usage });
    }
    let held: Vec<usize> = (0..world.redemptions.len())
        .filter(|at| world.redemption(*at).state == State::Held && world.redemption(*at).code == code)
        .collect();
    for hold in held {
        let state = if world.hold_lives(hold) { State::Released } else { State::Expired };
        release_one(world, hold, state);
    }
    let mut voucher = world.voucher(at).clone();
    if !usage.disabled {
        // Rows get their next version when they are written back.
        voucher.version += 1;
        let frame = world.terms.get(&voucher.incentive).map_or(Frame::default(), |terms| terms.frame);
        world.tell(Happened::Disabled(Box::new((voucher.clone(), frame, world.now()))));
    }
    Ok(Answer::Disabled(Box::new(voucher)))
}

/// Takes redemptions of an order back.
pub(super) fn roll_back(world: &mut World, roll_back: &RollBack) -> Result<RolledBack, Refused> {
    let wanted = |one: &Redemption| roll_back.code.as_ref().is_none_or(|code| code.means(&one.code));
    let no_lines = roll_back.cards.as_ref().is_some_and(|cards| cards.no_lines);
    let redeemed =
        world.of_order(&roll_back.order, |one| one.state.is_redeemed() && wanted(one) && !no_lines);
    let owed = owed(world, roll_back, &redeemed, wanted)?;
    if !roll_back.of_order {
        let touched = redeemed.iter().copied().chain(owed.iter().map(|(at, _)| *at));
        let ids: Vec<_> = touched.map(|at| world.redemption(at).id).collect();
        leave_to_order(world, &roll_back.order, |one| ids.contains(&one.id))?;
    }
    if redeemed.is_empty() && owed.is_empty() {
        return rolled_back_before(world, roll_back, wanted);
    }
    let mut rolled_back = RolledBack { redemptions: Vec::new(), returned: 0 };
    let mut note = |(next, returned): (Arc<Redemption>, i64)| {
        rolled_back.returned = rolled_back.returned.saturating_add(returned);
        rolled_back.redemptions.push(Shared(next));
    };
    for at in redeemed {
        note(back(world, at, roll_back)?);
    }
    for (at, amount) in owed {
        note(repay(world, at, amount, roll_back.reason));
    }
    Ok(rolled_back)
}

/// What gift cards get beside the lines that come back: those that are named of which no line does, and where an order is
/// cancelled what its cards have not got back although all lines are.
fn owed(
    world: &World,
    roll_back: &RollBack,
    with_lines: &[usize],
    wanted: impl Fn(&Redemption) -> bool,
) -> Result<Vec<(usize, i64)>, Refused> {
    let cards = world.of_order(&roll_back.order, |one| {
        one.details.tender && (one.state.is_redeemed() || one.state == State::RolledBack) && wanted(one)
    });
    let named = roll_back.cards.iter().flat_map(|cards| &cards.returns);
    for (code, _) in named {
        if !cards.iter().any(|at| code.means(&world.redemption(*at).code)) {
            let message = format!("no gift card {} has paid for the order", code.folded());
            return Err(Refused::because(Refusal::QuantityExceeded, message));
        }
    }
    let whole =
        roll_back.reason == Reason::Cancelled && roll_back.lines.is_empty() && roll_back.code.is_none();
    let mut owed = Vec::new();
    for at in cards.into_iter().filter(|at| !with_lines.contains(at)) {
        let one = world.redemption(at);
        let left = one.amount - one.returned;
        let amount = match &roll_back.cards {
            Some(cards) => of_card(cards, one)?.min(left),
            None if whole => left,
            None => 0,
        };
        if amount > 0 {
            owed.push((at, amount));
        }
    }
    Ok(owed)
}

/// What a caller says that one gift card gets.
fn of_card(cards: &CardReturns, one: &Redemption) -> Result<i64, Refused> {
    let named = cards.returns.iter().find(|(code, _)| code.means(&one.code));
    match named {
        Some((_, amount)) if amount.currency != one.currency => {
            let message = format!("what {} paid is in {}", one.code, one.currency);
            Err(Refused::because(Refusal::QuantityExceeded, message))
        }
        Some((_, amount)) => Ok(amount.minor),
        None => Ok(0),
    }
}

/// Gives a gift card money back, and nothing else.
fn repay(world: &mut World, at: usize, amount: i64, reason: Reason) -> (Arc<Redemption>, i64) {
    let before = world.redemption(at).clone();
    let mut next = changed(world, &before);
    next.returned += amount;
    if next.state == State::Redeemed {
        next.state = State::PartiallyRolledBack;
    }
    let frame = world.terms.get(&before.incentive).map_or(Frame::default(), |terms| terms.frame);
    give_back(world, at, amount, false, &frame);
    let next = world.set_redemption(at, next);
    world.tell(Happened::RolledBack { redemption: next.clone(), returned: amount, reason });
    (next, amount)
}

/// Gives back all that an order holds or has redeemed and that has not come back, as that of a cancelled order. Where
/// there is nothing, nothing happens.
pub(super) fn cancel(world: &mut World, order: &str) -> Result<(), Refused> {
    release(world, order);
    if world.of_order(order, |one| one.state.is_redeemed()).is_empty() {
        return Ok(());
    }
    let all = RollBack {
        order: order.to_owned(),
        lines: Vec::new(),
        reason: Reason::Cancelled,
        code: None,
        cards: None,
        of_order: true,
    };
    roll_back(world, &all).map(|_| ())
}

/// Gives a question for an order the room that its decision would have: what it holds itself, and all of the order that it is to
/// replace. Answers whether it has redeemed already, which is final.
pub(in super::super) fn make_room(world: &mut World, order: Option<&str>, replaces: Option<&str>) -> bool {
    if let Some(replaced) = replaces {
        let mark = world.mark();
        if cancel(world, replaced).is_err() {
            world.undo(mark);
        }
    }
    let Some(order) = order else { return false };
    release(world, order);
    !world.of_order(order, |one| one.state.is_redeemed()).is_empty()
}

/// Nothing is redeemed: it has come back already, or never was.
fn rolled_back_before(
    world: &World,
    roll_back: &RollBack,
    wanted: impl Fn(&Redemption) -> bool,
) -> Result<RolledBack, Refused> {
    let every = world.of_order(&roll_back.order, wanted);
    let mut before: Vec<Arc<Redemption>> = Vec::new();
    for at in &every {
        let one = world.redemption(*at);
        if one.state == State::RolledBack {
            // Of a code that was redeemed and rolled back repeatedly, the last.
            before.retain(|other| other.code != one.code);
            before.push(one.clone());
        }
    }
    if every.is_empty() {
        return Err(Refused::missing(order_id::name(&roll_back.order)));
    }
    if before.is_empty() {
        let message = "nothing of the order is redeemed; a hold is released, not rolled back";
        return Err(Refused::because(Refusal::WrongState, message));
    }
    if !roll_back.lines.is_empty() {
        return Err(Refused::because(Refusal::QuantityExceeded, "everything has come back already"));
    }
    Ok(RolledBack { redemptions: before.into_iter().map(Shared).collect(), returned: 0 })
}

/// Takes one redemption back as far as asked; answers it and what this step returned.
fn back(world: &mut World, at: usize, roll_back: &RollBack) -> Result<(Arc<Redemption>, i64), Refused> {
    let before = world.redemption(at).clone();
    let mut next = changed(world, &before);
    return_units(&mut next, &roll_back.lines)?;
    next.returned = match &roll_back.cards {
        Some(cards) if before.details.tender => {
            before.returned + of_card(cards, &before)?.min(before.amount - before.returned)
        }
        // What was paid back beside the lines before is not taken away again.
        _ => next.returned_so_far().clamp(before.returned, before.amount),
    };
    let returned = next.returned - before.returned;
    let complete = next.is_all_back();
    next.state = if complete { State::RolledBack } else { State::PartiallyRolledBack };
    let terms = world.terms.get(&before.incentive).cloned();
    next.details.use_restored = complete
        && match roll_back.reason {
            Reason::Cancelled | Reason::Mistake => true,
            Reason::Returned => terms.as_ref().is_none_or(|terms| terms.restores_on_return()),
        };
    let frame = terms.as_ref().map_or(Frame::default(), |terms| terms.frame);
    give_back(world, at, returned, next.details.use_restored, &frame);
    let next = world.set_redemption(at, next);
    let redemption = next.clone();
    world.tell(Happened::RolledBack { redemption, returned, reason: roll_back.reason });
    Ok((next, returned))
}

/// Marks units as back: those named, or all where none are.
fn return_units(redemption: &mut Redemption, lines: &[(String, i64)]) -> Result<(), Refused> {
    if lines.is_empty() {
        for share in &mut redemption.details.lines {
            share.back = share.quantity;
        }
        return Ok(());
    }
    for (line, units) in lines {
        let share = redemption.details.lines.iter_mut().find(|share| share.line == *line);
        let Some(share) = share else {
            let message = format!("the order has no line {line:?}");
            return Err(Refused::because(Refusal::QuantityExceeded, message));
        };
        let out = share.quantity - share.back;
        if *units > out {
            let message = format!("{units} units of line {line:?} cannot come back: {out} are still out");
            return Err(Refused::because(Refusal::QuantityExceeded, message));
        }
        share.back += units;
    }
    Ok(())
}

/// Gives money, and perhaps the use, back to what the redemption counted in. A counter that is gone was of a period long
/// over: nothing can be refused by it any more.
fn give_back(world: &mut World, at: usize, returned: i64, restored: bool, frame: &Frame) {
    let tender = world.redemption(at).details.tender;
    let Some(reach) = world.redemptions[at].reach.clone() else { return };
    let mut less = |counter: usize, less: i64| {
        if world.ledger.exists(counter) {
            let tally = world.ledger.tally(counter);
            world.ledger.set(counter, Tally { used: tally.used - less, ..tally });
        }
    };
    reach.money.iter().for_each(|counter| less(*counter, returned));
    if restored {
        reach.uses.iter().for_each(|counter| less(*counter, 1));
    }
    let mut usage = world.voucher(reach.voucher).usage;
    if restored {
        usage.uses -= 1;
    }
    if tender {
        usage.spent -= returned;
    }
    let worth_more = restored || (tender && returned > 0);
    let now = world.now();
    if worth_more && world.voucher(reach.voucher).end(frame).is_some_and(|end| end <= now) {
        let until = now.saturating_add(world.setting.restored).unwrap_or(jiff::Timestamp::MAX);
        usage.restored_until = Some(usage.restored_until.map_or(until, |before| before.max(until)));
    }
    if usage != world.voucher(reach.voucher).usage {
        world.set_usage(reach.voucher, usage);
    }
}
