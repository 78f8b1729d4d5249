//! What each of many codes would give alone. Codes of one incentive give the same, gift cards of one balance too: each is
//! priced once, however many there are.

use std::sync::Arc;

use tandem_kernel::work::{Allowance, Work};
use tandem_platform::heavy::Gone;

use super::super::world::{Map, World};
use super::super::{CodeOutcome, Person, Plain, Refusal};
use super::Candidate;
use super::plain::{BASKET, price, usable};

/// The work of all codes of one question.
pub(in super::super) const TOGETHER: u64 = 10_000_000;
/// The work of looking at one code, about.
const PER_CODE: u64 = 20;

/// The work of looking at so many codes, none of them priced.
pub(in super::super) fn looking(codes: usize) -> u64 {
    PER_CODE * codes as u64
}

/// One outcome per candidate, within `total` steps: what it does not suffice for is refused with BASKET_TOO_COSTLY. The
/// second value is whether it sufficed.
pub(in super::super) fn each_alone(
    world: &World,
    plain: &Plain,
    person: &Person,
    candidates: &[Candidate<'_>],
    total: u64,
    gone: &Gone,
) -> (Vec<CodeOutcome>, bool) {
    let mut work = Work::new(Allowance { total, ..BASKET }).until(gone.clone());
    let mut known: Map<(Arc<str>, Option<i64>), CodeOutcome> = Map::default();
    let mut outcomes = Vec::with_capacity(candidates.len());
    for one in candidates {
        work.spend(PER_CODE);
        let terms = match (usable(world, person, one, world.now()), &one.terms) {
            (Some(refusal), _) => {
                outcomes.push(CodeOutcome::refused(one.code.as_str(), refusal));
                continue;
            }
            (None, None) => {
                outcomes.push(CodeOutcome::refused(one.code.as_str(), Refusal::CodeDisabled));
                continue;
            }
            (None, Some(terms)) => terms,
        };
        let balance = one.voucher.and_then(|at| world.voucher(at).balance_left());
        let same = known.entry((terms.id.clone(), balance));
        let outcome = same.or_insert_with(|| alone(world, plain, person, one, total, &mut work, gone));
        outcomes.push(CodeOutcome { code: one.code.as_str().into(), ..outcome.clone() });
    }
    (outcomes, work.end().is_ok())
}

fn alone(
    world: &World,
    plain: &Plain,
    person: &Person,
    one: &Candidate<'_>,
    total: u64,
    work: &mut Work,
    gone: &Gone,
) -> CodeOutcome {
    let costly = || CodeOutcome::refused(one.code.as_str(), Refusal::BasketTooCostly);
    if work.is_over() {
        return costly();
    }
    let left = BASKET.total.min(total.saturating_sub(work.spent()));
    let mut own = Work::new(Allowance { total: left, ..BASKET }).until(gone.clone());
    let now = world.now();
    let priced = price(world, plain, person, std::slice::from_ref(one), true, |_, _| now, &mut own);
    // Past what was left it is past the whole too.
    work.spend(own.spent());
    let codes = priced.ok().map(|priced| priced.codes).unwrap_or_default();
    codes.into_iter().next().map_or_else(costly, |(outcome, _)| outcome)
}
