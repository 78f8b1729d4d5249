//! Redeem and hold.

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::money::{Currency, Money};
use tandem_kernel::work::Work;
use uuid::Uuid;

use super::super::world::{Reach, World};
use super::super::{
    CodeOutcome, Counted, Details, Happened, Intent, Person, Quote, Redemption, Refusal, Refused, Shared,
    State, Take, Taken, Terms, What,
};
use super::gift::{Gift, untimely};
use super::give_back::{cancel, expire_lapsed, leave_to_order, release_one};
use super::plain::{self, Pricing};
use super::room::{self, NoRoom};
use super::{Candidate, Plan, changed, ended, holder};
use crate::voucher::Frame;

/// The terms of one item that are the same for all its codes.
struct Scene<'i> {
    take: &'i Take,
    /// Who counts for whoever takes it.
    person: Person,
    currency: Currency,
    order_total: Option<i64>,
    /// The order's live hold.
    held: Vec<usize>,
    /// The end of a new hold.
    expires: Option<Timestamp>,
    first_held: Option<Timestamp>,
}

pub(super) fn take(
    world: &mut World,
    take: &Take,
    plan: &Plan,
    ids: &[Uuid],
    work: &mut Work,
) -> Result<Taken, Refused> {
    expire_lapsed(world, &take.order);
    if !take.of_order {
        for order in take.replaces.iter().chain([&take.order]) {
            leave_to_order(world, order, |one| one.state.is_live())?;
        }
    }
    if let Some(replaced) = &take.replaces {
        cancel(world, replaced)?;
    }
    let redeemed = world.of_order(&take.order, |one| one.state.is_redeemed());
    let held = world.of_order(&take.order, |one| one.state == State::Held);
    let currency = match &take.what {
        What::Quote(quote) => quote.currency,
        What::Plain(plain) => plain.basket.currency,
        What::Held => return redeem_hold(world, take, &redeemed, &held),
    };
    if !redeemed.is_empty() && !plan.candidates.is_empty() {
        return existing(world, take, plan, &redeemed);
    }
    let person = world.person(&take.person);
    let mut scene =
        Scene { take, person, currency, order_total: None, held, expires: None, first_held: None };
    if let Intent::Hold { ttl } = take.intent {
        set_end(world, &mut scene, ttl)?;
    }
    match &take.what {
        What::Quote(quote) => take_quote(world, &mut scene, quote, plan, ids),
        What::Plain(plain) => {
            give_own_hold_back(world, &scene);
            let judged_at = |world: &World, one: &Candidate<'_>| judged_at(world, &scene, one, None);
            let (person, partial) = (&scene.person, take.partial);
            let priced = plain::price(world, plain, person, &plan.candidates, partial, judged_at, work)?;
            take_plain(world, &mut scene, priced, plan, ids)
        }
        What::Held => Ok(Taken::default()),
    }
}

/// The order has redeemed: whoever asks for the same codes gets what there is.
fn existing(world: &World, take: &Take, plan: &Plan, redeemed: &[usize]) -> Result<Taken, Refused> {
    let mut taken = Taken::default();
    for one in plan.candidates.iter().filter(|one| !one.duplicate) {
        let same = redeemed.iter().find(|at| world.redemption(**at).code == one.code);
        match same {
            Some(at) if take.intent == Intent::Redeem => {
                let redemption = world.redemption(*at).clone();
                taken.codes.push(CodeOutcome::accepted(one.code.as_str(), redemption.amount));
                taken.redemptions.push(Shared(redemption));
            }
            _ => taken.codes.push(CodeOutcome::refused(one.code.as_str(), Refusal::OrderAlreadyRedeemed)),
        }
    }
    accept(take, taken)
}

/// Redeems what the order holds, as it was held.
fn redeem_hold(world: &mut World, take: &Take, redeemed: &[usize], held: &[usize]) -> Result<Taken, Refused> {
    if held.is_empty() {
        if redeemed.is_empty() || take.intent != Intent::Redeem {
            return Err(Refused::whole(Refusal::HoldOver));
        }
        let redemptions = redeemed.iter().map(|at| world.redemption(*at).clone());
        let mut taken = Taken::default();
        for redemption in redemptions {
            taken.codes.push(CodeOutcome::accepted(redemption.code.as_str(), redemption.amount));
            taken.redemptions.push(Shared(redemption));
        }
        return Ok(taken);
    }
    let mut taken = Taken::default();
    let person = world.person(&take.person);
    for at in held {
        let redemption = world.redemption(*at).clone();
        let terms = world.terms.get(&redemption.incentive).cloned();
        let stranger = |ours: &Option<String>, theirs: &Option<String>| ours.is_some() && ours != theirs;
        let holder = world.person(&redemption.person);
        let refusal =
            if stranger(&person.customer, &holder.customer) || stranger(&person.guest, &holder.guest) {
                Some(Refusal::CodeNotYours)
            } else {
                let voucher = world.voucher_place(&redemption.code);
                voucher.map_or(Some(Refusal::CodeUnknown), |voucher| ended(world, voucher, terms.as_deref()))
            };
        if let Some(refusal) = refusal {
            taken.codes.push(CodeOutcome::refused(redemption.code.as_str(), refusal));
            continue;
        }
        let Some(reach) = world.redemptions[*at].reach.clone() else { continue };
        world.drop_claims_of(redemption.id);
        room::use_up(world, &reach, redemption.amount, redemption.details.tender);
        if let Some(terms) = terms {
            room::tell_thresholds(world, &reach, &terms, redemption.currency);
        }
        let next = Redemption { state: State::Redeemed, expires: None, ..changed(world, &redemption) };
        let next = world.set_redemption(*at, next);
        world.tell(Happened::Redeemed(next.clone()));
        taken.codes.push(CodeOutcome::accepted(next.code.as_str(), next.amount));
        taken.redemptions.push(Shared(next));
    }
    accept(take, taken)
}

/// All or nothing, unless a part will do.
fn accept(take: &Take, taken: Taken) -> Result<Taken, Refused> {
    let refused = |code: &CodeOutcome| code.refusal.is_some_and(|refusal| refusal != Refusal::DuplicateCode);
    if taken.codes.iter().any(refused) && !will_do(take, &taken) {
        return Err(Refused::codes(taken.codes));
    }
    Ok(taken)
}

/// Whether the accepted part is enough.
fn will_do(take: &Take, taken: &Taken) -> bool {
    take.partial && !taken.redemptions.is_empty()
}

/// When a new hold of the order ends: never past the limit that began with the order's first.
fn set_end(world: &World, scene: &mut Scene<'_>, ttl: jiff::SignedDuration) -> Result<(), Refused> {
    let now = world.now();
    let every = world.of_order(&scene.take.order, |one| one.details.first_held.is_some());
    let first = every.iter().filter_map(|at| world.redemption(*at).details.first_held).min().unwrap_or(now);
    let last = first.saturating_add(world.setting.hold_max).unwrap_or(Timestamp::MAX);
    let wanted = now.saturating_add(ttl).unwrap_or(Timestamp::MAX);
    if last <= now {
        let message = "the order has been held for as long as is allowed";
        return Err(Refused::because(Refusal::HoldOver, message));
    }
    scene.expires = Some(wanted.min(last));
    scene.first_held = Some(first);
    Ok(())
}

/// The hold of this very order does not stand in its own way.
fn give_own_hold_back(world: &mut World, scene: &Scene<'_>) {
    for at in &scene.held {
        let id = world.redemption(*at).id;
        world.drop_claims_of(id);
    }
}

/// The order's live hold of the same code.
fn own_hold(world: &World, scene: &Scene<'_>, code: &str) -> Option<usize> {
    scene.held.iter().copied().find(|at| world.redemption(*at).code == code)
}

/// When the dates of a code are judged: at its hold, else at its quote, else now.
fn judged_at(world: &World, scene: &Scene<'_>, one: &Candidate<'_>, quoted: Option<Timestamp>) -> Timestamp {
    let at_hold = match scene.take.intent {
        Intent::Redeem => {
            own_hold(world, scene, &one.code).and_then(|at| world.redemption(at).details.judged)
        }
        Intent::Hold { .. } => None,
    };
    at_hold.or(quoted).unwrap_or(world.now())
}

/// A live hold of the same person with the same amount keeps its place in every limit when it is redeemed.
fn keeps_place(world: &World, scene: &Scene<'_>, code: &str, amount: i64) -> bool {
    scene.take.intent == Intent::Redeem
        && own_hold(world, scene, code).is_some_and(|at| {
            let held = world.redemption(at);
            held.amount == amount
                && world.person(&held.person) == scene.person
                && held.currency == scene.currency
        })
}

fn take_quote(
    world: &mut World,
    scene: &mut Scene<'_>,
    quote: &Quote,
    plan: &Plan,
    ids: &[Uuid],
) -> Result<Taken, Refused> {
    scene.order_total = Some(quote.total);
    let lapsed = world.now() >= quote.expires;
    let all_held = scene.take.intent == Intent::Redeem
        && quote.codes.iter().all(|sealed| keeps_place(world, scene, &sealed.code, sealed.amount));
    if lapsed && !all_held {
        let without: i64 = quote.codes.iter().filter(|code| !code.tender).map(|code| code.amount).sum();
        let lapsed = Refused::because(Refusal::PriceChanged, "the quote has lapsed: quote again");
        return Err(price_changed(lapsed, quote, quote.total.saturating_add(without)));
    }
    give_own_hold_back(world, scene);
    let mut taken = Taken::default();
    let mut kept = Vec::new();
    let mut short = None;
    for (one, id) in plan.candidates.iter().zip(ids) {
        let Some(sealed) = one.sealed else { continue };
        let mark = world.mark();
        let judged = match judge_sealed(world, scene, quote, one, sealed, &plan.candidates) {
            Ok(judged) => judged,
            Err(NoRoom::Refused(refusal)) => {
                taken.codes.push(one.refused(refusal));
                continue;
            }
            Err(NoRoom::Short { left }) => {
                let by = if sealed.tender { 0 } else { sealed.amount - left };
                short = Some(short.unwrap_or(0) + by);
                taken.codes.push(CodeOutcome::refused(one.code.as_str(), Refusal::PriceChanged));
                continue;
            }
        };
        let gift = Gift {
            amount: sealed.amount,
            lines: sealed.lines.clone(),
            shipping: sealed.shipping,
            tender: sealed.tender,
        };
        match settle(world, scene, one, gift, sealed.version, judged, *id, &mut kept) {
            Some(redemption) => {
                taken.codes.push(CodeOutcome::accepted(one.code.as_str(), redemption.amount));
                taken.redemptions.push(Shared(redemption));
            }
            None => {
                world.undo(mark);
                taken.codes.push(CodeOutcome::refused(one.code.as_str(), Refusal::CodeUnknown));
            }
        }
    }
    if let Some(by) = short
        && !will_do(scene.take, &taken)
    {
        return Err(price_changed(Refused::codes(taken.codes), quote, quote.total.saturating_add(by)));
    }
    release_rest(world, scene, &kept);
    accept(scene.take, taken)
}

fn price_changed(refused: Refused, quote: &Quote, current: i64) -> Refused {
    let money = |minor| Money::new(minor, quote.currency).to_string();
    refused.at_another_price(money(quote.total), money(current))
}

/// Judges one sealed code; answers when its dates were judged.
fn judge_sealed(
    world: &World,
    scene: &Scene<'_>,
    quote: &Quote,
    one: &Candidate<'_>,
    sealed: &super::super::QuotedCode,
    all: &[Candidate<'_>],
) -> Result<Timestamp, NoRoom> {
    let refused = |refusal| Err(NoRoom::Refused(refusal));
    let (Some(voucher), Some(reach)) = (one.voucher, &one.reach) else {
        return refused(Refusal::CodeUnknown);
    };
    let Some(terms) = one.terms.as_deref() else { return refused(Refusal::CodeDisabled) };
    if *terms.id != *sealed.incentive {
        return refused(Refusal::QuoteTokenMismatch);
    }
    if one.duplicate {
        return refused(Refusal::DuplicateCode);
    }
    if let Some(refusal) = ended(world, voucher, Some(terms)) {
        return refused(refusal);
    }
    let twice = |other: &Candidate<'_>| {
        other.code != one.code && other.sealed.is_some_and(|other| other.incentive == sealed.incentive)
    };
    let first = all.iter().find(|other| twice(other) || other.code == one.code);
    if !sealed.tender && first.is_some_and(|first| first.code != one.code) {
        return refused(Refusal::OneCodePerIncentive);
    }
    if let Some(refusal) = holder(world, voucher, terms, &scene.person) {
        return refused(refusal);
    }
    let judged = judged_at(world, scene, one, Some(quote.issued));
    // The dates of a revision that the quote did not see are not held against it.
    let frame = if terms.version == sealed.version { terms.frame } else { Frame::default() };
    if let Some(refusal) = untimely(world.voucher(voucher).timeliness(&frame, judged)) {
        return refused(refusal);
    }
    if !keeps_place(world, scene, &one.code, sealed.amount) {
        room::uses(world, reach, terms, &scene.person).map_err(NoRoom::Refused)?;
        room::money(world, reach, terms, scene.currency, sealed.amount, sealed.tender)?;
    }
    Ok(judged)
}

fn take_plain(
    world: &mut World,
    scene: &mut Scene<'_>,
    priced: Pricing,
    plan: &Plan,
    ids: &[Uuid],
) -> Result<Taken, Refused> {
    scene.order_total = Some(priced.total);
    let mut taken = Taken::default();
    let mut kept = Vec::new();
    for ((one, id), (mut outcome, gift)) in plan.candidates.iter().zip(ids).zip(priced.codes) {
        if let (Some(gift), Some(terms), Some(reach)) = (gift, one.terms.clone(), &one.reach) {
            // Codes of one incentive share its counters: what was counted just before may have taken the last room.
            let room = match keeps_place(world, scene, &one.code, gift.amount) {
                true => Ok(()),
                false => room::uses(world, reach, &terms, &scene.person),
            };
            let judged = judged_at(world, scene, one, None);
            match room {
                Err(refusal) => outcome = one.refused(refusal),
                Ok(()) => {
                    let settled = settle(world, scene, one, gift, terms.version, judged, *id, &mut kept);
                    taken.redemptions.extend(settled.map(Shared));
                }
            }
        }
        taken.codes.push(outcome);
    }
    release_rest(world, scene, &kept);
    accept(scene.take, taken)
}

/// Counts one accepted code and writes its redemption: the order's own hold of it where there is one, else a new one.
#[expect(clippy::too_many_arguments, reason = "everything that makes a redemption, named once")]
fn settle(
    world: &mut World,
    scene: &Scene<'_>,
    one: &Candidate<'_>,
    gift: Gift,
    version: i64,
    judged: Timestamp,
    id: Uuid,
    kept: &mut Vec<usize>,
) -> Option<Arc<Redemption>> {
    let (terms, mut reach) = (one.terms.clone()?, one.reach.clone()?);
    let mut counted = one.counted.clone();
    let own = own_hold(world, scene, &one.code);
    let id = own.map_or(id, |at| world.redemption(at).id);
    if let Some(at) = own.filter(|_| keeps_place(world, scene, &one.code, gift.amount)) {
        // In the period of the hold, whose room it had.
        reach = world.redemptions[at].reach.clone()?;
        counted = world.redemption(at).details.counted.clone();
    }
    count(world, scene, &reach, &terms, id, &gift);
    let redemption = redemption(world, scene, one, &terms, gift, version, judged, id, own, counted);
    let redemption = match own {
        Some(at) => {
            kept.push(at);
            world.set_reach(at, reach);
            world.set_redemption(at, redemption)
        }
        None => world.push_redemption(redemption, reach),
    };
    let happened = match scene.take.intent {
        Intent::Redeem => Happened::Redeemed(redemption.clone()),
        Intent::Hold { .. } => Happened::Held(redemption.clone()),
    };
    world.tell(happened);
    Some(redemption)
}

fn count(world: &mut World, scene: &Scene<'_>, reach: &Reach, terms: &Terms, id: Uuid, gift: &Gift) {
    match scene.expires {
        Some(expires) => room::hold(world, reach, id, gift.amount, gift.tender, expires),
        None => {
            room::use_up(world, reach, gift.amount, gift.tender);
            room::tell_thresholds(world, reach, terms, scene.currency);
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "everything that makes a redemption, named once")]
fn redemption(
    world: &World,
    scene: &Scene<'_>,
    one: &Candidate<'_>,
    terms: &Terms,
    gift: Gift,
    version: i64,
    judged: Timestamp,
    id: Uuid,
    own: Option<usize>,
    counted: Counted,
) -> Redemption {
    let before = own.map(|at| world.redemption(at));
    let now = world.now();
    let held = scene.expires.is_some();
    let first_held = scene.first_held.or_else(|| before.and_then(|before| before.details.first_held));
    Redemption {
        id,
        order: scene.take.order.clone(),
        ordinal: before.map_or_else(|| world.next_ordinal(&scene.take.order), |before| before.ordinal),
        code: one.code.clone(),
        incentive: terms.id.to_string(),
        incentive_version: version,
        person: scene.person.clone(),
        state: if held { State::Held } else { State::Redeemed },
        currency: scene.currency,
        amount: gift.amount,
        returned: 0,
        details: Details {
            lines: gift.lines,
            shipping: gift.shipping,
            tender: gift.tender,
            use_restored: false,
            campaign: terms.campaign().map(str::to_owned),
            counted,
            // Redeeming needs it no more.
            judged: held.then_some(judged),
            first_held,
            order_total: scene.order_total,
            of_order: scene.take.of_order,
        },
        expires: scene.expires,
        created: before.map_or(now, |before| before.created),
        updated: now,
        version: before.map_or(1, |before| before.version + 1),
    }
}

/// What the order held and does not take now is released.
fn release_rest(world: &mut World, scene: &Scene<'_>, kept: &[usize]) {
    for at in scene.held.iter().filter(|at| !kept.contains(at)) {
        release_one(world, *at, State::Released);
    }
}
