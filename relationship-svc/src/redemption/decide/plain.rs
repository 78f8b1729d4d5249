//! Codes on a basket that is priced here, under the definitions and limits of the moment.
//!
//! Pricing here is for ordinary baskets: its work is bounded to a fraction of what a quote may take, because others wait
//! for the rows that are locked meanwhile. What takes more is to be quoted; a quote's amounts are sealed.

use std::borrow::Cow;

use jiff::Timestamp;
use tandem_kernel::money::{Currency, Money};
use tandem_kernel::pricing::{
    self, Candidate as Discounting, Evaluation, Fund, Origin, Outcome, Reason, Size,
};
use tandem_kernel::rule::{PlaceView, basket_fullness, offer_facts};
use tandem_kernel::work::{Allowance, Stop, Work};

use super::super::quote::spread_payment;
use super::super::world::{Map, World};
use super::super::{CodeOutcome, Person, Plain, Refusal, Refused, Share, Standing};
use super::gift::{Gift, untimely};
use super::{Candidate, ended, holder, room};

/// The work of one basket: past the first number groups are settled one by one, past the second it is refused.
pub(in super::super) const BASKET: Allowance = Allowance { search: 300_000, total: 1_000_000 };
/// Of that, what may be done where calls are served, or beside others in one transaction: half a millisecond.
pub(in super::super) const AT_ONCE: Allowance = Allowance { total: 50_000, ..BASKET };
/// The work of judging the rules of one code on a whole basket.
const MAX_RULE_WORK: u64 = 400_000;

/// A basket with its codes, priced.
#[derive(Debug)]
pub(in super::super) struct Pricing {
    /// One per candidate: what became of it, and what it gives where it was accepted.
    pub codes: Vec<(CodeOutcome, Option<Gift>)>,
    /// Goods and shipping after every discount, before gift cards.
    pub total: i64,
    /// Groups were settled one by one.
    pub approximate: bool,
}

/// Prices a basket with those codes that can be used; what cannot is refused and changes no price. Unless `partial`,
/// nothing is priced once one is refused. `judged_at` says when the dates of a code are judged.
pub(in super::super) fn price(
    world: &World,
    plain: &Plain,
    person: &Person,
    candidates: &[Candidate<'_>],
    partial: bool,
    judged_at: impl Fn(&World, &Candidate<'_>) -> Timestamp,
    work: &mut Work,
) -> Result<Pricing, Refused> {
    let mut verdicts = judge(world, plain, person, candidates, judged_at, work);
    work.end().map_err(too_costly)?;
    let refused = |verdict: &Option<Verdict>| {
        verdict.as_ref().is_some_and(|verdict| verdict.refusal != Refusal::DuplicateCode)
    };
    if !partial && verdicts.iter().any(refused) {
        let refused =
            candidates.iter().zip(verdicts).filter_map(|(one, verdict)| Some(verdict?.outcome(one)));
        return Err(Refused::codes(refused.collect()));
    }
    let initial = pricing::initial(&plain.basket, &[], work);
    let evaluation = evaluate(world, &initial, plain, candidates, &verdicts, work).map_err(too_costly)?;
    for (verdict, reason) in verdicts.iter_mut().zip(&evaluation.reasons) {
        if verdict.is_none() {
            verdict.clone_from(reason);
        }
    }
    let codes = candidates.iter().zip(verdicts).zip(&evaluation.gifts).map(|((one, verdict), gift)| {
        match (verdict, gift) {
            (None, Some(gift)) => (CodeOutcome::accepted(one.code.as_str(), gift.amount), Some(gift.clone())),
            (Some(verdict), _) => (verdict.outcome(one), None),
            (None, None) => (CodeOutcome::refused(one.code.as_str(), Refusal::NotApplicable), None),
        }
    });
    Ok(Pricing { codes: codes.collect(), total: evaluation.total, approximate: evaluation.approximate })
}

/// Where nobody waits any more it does not matter what is answered.
fn too_costly(_: Stop) -> Refused {
    Refused::whole(Refusal::BasketTooCostly)
}

/// Why a code is refused.
#[derive(Debug, Clone)]
struct Verdict {
    refusal: Refusal,
    message: Cow<'static, str>,
}

impl Verdict {
    fn outcome(self, one: &Candidate<'_>) -> CodeOutcome {
        let wait = one.throttled.filter(|_| self.refusal == Refusal::GuessingThrottled);
        CodeOutcome { message: self.message, wait, ..one.refused(self.refusal) }
    }
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, message: Cow::Borrowed("") }
    }
}

/// What needs no price.
fn judge(
    world: &World,
    plain: &Plain,
    person: &Person,
    candidates: &[Candidate<'_>],
    judged_at: impl Fn(&World, &Candidate<'_>) -> Timestamp,
    work: &mut Work,
) -> Vec<Option<Verdict>> {
    let conditional =
        candidates.iter().any(|one| one.terms.as_ref().is_some_and(|terms| terms.condition().is_some()));
    let place = PlaceView { id: &plain.place, ..PlaceView::default() };
    let facts = conditional.then(|| offer_facts(&plain.basket, place, world.now(), &world.setting.zone));
    let (size, fullness) = (Size::of(&plain.basket), basket_fullness(&plain.basket));
    let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(candidates.len());
    for one in candidates {
        let condition = one.terms.as_ref().and_then(|terms| terms.condition());
        let judging = condition.map_or(0, |rule| rule.steps(fullness));
        let on_lines = one.terms.as_ref().map_or(0, |terms| terms.compiled().rule_steps(size));
        if judging.saturating_add(on_lines) > MAX_RULE_WORK {
            verdicts.push(Some(Refusal::BasketTooCostly.into()));
            continue;
        }
        work.spend(judging);
        if work.is_over() {
            break;
        }
        let refusal =
            judge_one(world, plain, person, one, judged_at(world, one), facts.as_ref()).or_else(|| {
                let terms = one.terms.as_ref().filter(|terms| !terms.is_tender())?;
                let taken = candidates.iter().zip(&verdicts).any(|(before, verdict)| {
                    verdict.is_none() && before.terms.as_ref().is_some_and(|before| before.id == terms.id)
                });
                taken.then_some(Refusal::OneCodePerIncentive)
            });
        verdicts.push(refusal.map(|refusal| Verdict { refusal, message: one.message(refusal) }));
    }
    verdicts
}

fn judge_one(
    world: &World,
    plain: &Plain,
    person: &Person,
    one: &Candidate<'_>,
    judged_at: Timestamp,
    facts: Option<&tandem_kernel::rule::Facts<'_>>,
) -> Option<Refusal> {
    let refusal = usable(world, person, one, judged_at);
    let Some(terms) = one.terms.as_deref() else { return refusal };
    let segments = terms.segments();
    let member = segments.is_empty() || segments.iter().any(|segment| plain.segments.has(segment));
    match refusal {
        // Who is in none of its segments has none to be counted by.
        Some(Refusal::LimitValueRequired) if !member => Some(Refusal::NotEligible),
        Some(refusal) => Some(refusal),
        None => {
            let holds = terms.condition().is_none_or(|rule| facts.is_some_and(|facts| rule.matches(facts)));
            (!member || !holds).then_some(Refusal::NotEligible)
        }
    }
}

/// Why a code cannot be used at all, whatever the basket.
pub(super) fn usable(
    world: &World,
    person: &Person,
    one: &Candidate<'_>,
    judged_at: Timestamp,
) -> Option<Refusal> {
    if one.duplicate {
        return Some(Refusal::DuplicateCode);
    }
    if one.throttled.is_some() {
        return Some(Refusal::GuessingThrottled);
    }
    let Some(voucher) = one.voucher else { return Some(Refusal::CodeUnknown) };
    let (Some(terms), Some(reach)) = (one.terms.as_deref(), &one.reach) else {
        return Some(Refusal::CodeDisabled);
    };
    ended(world, voucher, Some(terms))
        .or_else(|| untimely(world.voucher(voucher).timeliness(&terms.frame, judged_at)))
        .or_else(|| holder(world, voucher, terms, person))
        .or_else(|| room::uses(world, reach, terms, person).err())
}

/// What can be said of each code without a basket.
pub(in super::super) fn standing(
    world: &World,
    candidates: &[Candidate<'_>],
    person: &Person,
    currency: Currency,
) -> Vec<Standing> {
    let mut given: Vec<&str> = Vec::new();
    let mut standing = Vec::with_capacity(candidates.len());
    for one in candidates {
        let mut refusal = usable(world, person, one, world.now());
        let (mut uses_left, mut money_left) = (None, None);
        if let (None, Some(terms), Some(reach)) = (refusal, one.terms.as_deref(), &one.reach) {
            uses_left = room::uses_left(world, reach, terms);
            match room::budget_left(world, reach, terms, currency) {
                Ok(left) => money_left = left,
                Err(why) => refusal = Some(why),
            }
            let balance = world.voucher(reach.voucher).balance;
            if terms.is_tender() && balance.is_none_or(|balance| balance.currency != currency) {
                refusal = Some(Refusal::CurrencyMismatch);
            } else if !terms.is_tender() && given.contains(&&*terms.id) {
                refusal = Some(Refusal::OneCodePerIncentive);
            } else if money_left == Some(0) {
                refusal = Some(Refusal::BudgetExhausted);
            }
            if refusal.is_none() {
                given.push(&terms.id);
            }
        }
        let voucher = one.voucher.map(|at| world.voucher(at));
        let terms = one.terms.as_deref();
        standing.push(Standing {
            code: one.code.clone(),
            refusal,
            ready: terms.map(|terms| terms.ready().clone()),
            uses_left,
            money_left,
            balance: voucher.and_then(|voucher| Some((voucher.balance_left()?, voucher.balance?.currency))),
            ends: voucher.zip(terms).and_then(|(voucher, terms)| voucher.end_that_holds(&terms.frame)),
            wait: one.throttled.filter(|_| refusal == Some(Refusal::GuessingThrottled)),
            of_segments: room::of_segments(world, one, currency),
            ruled_out: one.ruled_out,
        });
    }
    standing
}

/// What the kernel makes of the codes that are still in.
struct Evaluated {
    /// One per candidate; `None` where it gives nothing.
    gifts: Vec<Option<Gift>>,
    /// One per candidate; why it gives nothing.
    reasons: Vec<Option<Verdict>>,
    total: i64,
    approximate: bool,
}

fn evaluate(
    world: &World,
    initial: &pricing::Initial<'_>,
    plain: &Plain,
    candidates: &[Candidate<'_>],
    verdicts: &[Option<Verdict>],
    work: &mut Work,
) -> Result<Evaluated, Stop> {
    let currency = plain.basket.currency;
    let mut gifts = vec![None; candidates.len()];
    let mut reasons = vec![None; candidates.len()];
    let (mut meeting, mut places) = (Vec::new(), Vec::new());
    // Codes of one incentive draw on one budget.
    let (mut funds, mut of_budget) = (Vec::new(), Map::<Option<usize>, usize>::default());
    for (place, (one, verdict)) in candidates.iter().zip(verdicts).enumerate() {
        let (None, Some(terms), Some(reach)) = (verdict, one.terms.as_deref(), &one.reach) else { continue };
        let left = match room::budget_left(world, reach, terms, currency) {
            Ok(left) => left,
            Err(refusal) => {
                reasons[place] = Some(refusal.into());
                continue;
            }
        };
        let fund = left.map(|left| {
            *of_budget.entry(reach.judged.budget).or_insert_with(|| {
                funds.push(Fund { left, overrun: terms.limits().overrun });
                funds.len() - 1
            })
        });
        let voucher = world.voucher(reach.voucher);
        meeting.push(Discounting {
            origin: Origin::Code,
            id: &one.code,
            position: u32::try_from(place).unwrap_or(u32::MAX),
            compiled: terms.compiled(),
            balance: voucher
                .balance
                .filter(|balance| balance.currency == currency)
                .and(voucher.balance_left()),
            funds: [fund, None],
        });
        places.push(place);
    }
    let evaluation = pricing::evaluate(initial, &meeting, &funds, work)?;
    for (place, decision) in places.into_iter().zip(&evaluation.decisions) {
        let tender = candidates[place].terms.as_ref().is_some_and(|terms| terms.is_tender());
        match decision.outcome {
            Outcome::Applied => gifts[place] = Some(gift(plain, &evaluation, decision, tender)),
            Outcome::Skipped { .. } => {
                let message =
                    Cow::Borrowed("another code is better for the customer, and they do not go together");
                reasons[place] = Some(Verdict { refusal: Refusal::NotApplicable, message });
            }
            Outcome::Inapplicable { reason } => reasons[place] = Some(explained(reason, currency)),
        }
    }
    Ok(Evaluated { gifts, reasons, total: evaluation.total, approximate: evaluation.approximate })
}

fn gift(plain: &Plain, evaluation: &Evaluation, decision: &pricing::Decision, tender: bool) -> Gift {
    let lines = plain.basket.lines.iter();
    if tender {
        let costs = lines
            .zip(&evaluation.lines)
            .map(|(line, price)| (line.id.clone(), line.quantity, price.final_amount));
        let shipping = evaluation.shipping - evaluation.shipping_discount;
        let (lines, shipping) = spread_payment(decision.amount, costs, shipping);
        return Gift { amount: decision.amount, lines, shipping, tender };
    }
    let mut lines: Vec<Share> = lines
        .map(|line| Share { line: line.id.clone(), quantity: line.quantity, amount: 0, back: 0 })
        .collect();
    for (line, amount) in &decision.line_amounts {
        if let Some(share) = lines.get_mut(*line) {
            share.amount = *amount;
        }
    }
    Gift { amount: decision.amount, lines, shipping: decision.shipping_amount, tender }
}

fn explained(reason: Reason, currency: Currency) -> Verdict {
    let money = |minor| Money::new(minor, currency);
    let because = |refusal, message| Verdict { refusal, message };
    let not = |message| because(Refusal::NotApplicable, Cow::Borrowed(message));
    match reason {
        Reason::MinimumSpend { missing } | Reason::TierNotReached { missing } => {
            let message = format!("{} more of the goods it is for are needed", money(missing));
            because(Refusal::NotApplicable, Cow::Owned(message))
        }
        Reason::CurrencyNotListed | Reason::GiftCardCurrency => Refusal::CurrencyMismatch.into(),
        Reason::AmountDueUnknown => Refusal::AmountDueUnknown.into(),
        Reason::GiftCardEmpty => Refusal::CodeExhausted.into(),
        Reason::BudgetSpent => Refusal::BudgetExhausted.into(),
        Reason::NoEligibleGoods => not("none of the goods it is for is in the basket"),
        Reason::NoShipping => not("there is no shipping to reduce"),
        Reason::NothingLeft => not("nothing is left to reduce or to pay"),
        Reason::BelowFloor => not("the goods it is for cannot be reduced further"),
        Reason::SetsIncomplete { .. } => not("the set it asks for is not complete"),
        Reason::PriceNotLower => not("the price it gives is not lower than the current one"),
        Reason::RoundsToNothing => not("it comes to less than half of the smallest coin"),
    }
}
