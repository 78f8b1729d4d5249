//! The evaluation as a whole: exclusives against everything else, then gift cards, then the caller's lines.

use super::effect::{Judge, State};
use super::record::Record;
use super::scope::{LineSet, Lines};
use super::search::{Field, position, preference, uses_code};
use super::terms::Prepared;
use super::{Candidate, Decision, Evaluation, Fund, Initial, Outcome};
use crate::basket::TaxMode;
use crate::discount::Stage;
use crate::work::{Stop, Work};

/// Work of one candidate that has no effect, whatever it looks at: made ready, put in order, explained.
const STEPS_PER_CANDIDATE: u64 = 20;

/// Lets `candidates` meet on the basket `initial` stands for, and explains every one of them. What `funds` have left is taken
/// in the order of evaluation; one that does not cover a discount shrinks it, or leaves it without effect, and those behind
/// it meet what is left.
///
/// Deterministic: the order of `candidates` is of no account where their ids (offers) and positions (codes) differ. So
/// is the work, which does not depend on it either.
///
/// # Errors
/// Why the work ended before its end; see [`Work::spend`].
pub fn evaluate(
    initial: &Initial<'_>,
    candidates: &[Candidate<'_>],
    funds: &[Fund],
    work: &mut Work,
) -> Result<Evaluation, Stop> {
    let prepared = prepare(initial, candidates, funds, work);
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_unstable_by_key(|index| (position(candidates, &prepared, *index), *index));
    let first_tender = order.partition_point(|index| prepared[*index].discount.stage != Stage::Tender);
    let tenders = order.split_off(first_tender);
    let mut exclusives = Vec::new();
    if prepared.iter().any(|prepared| prepared.discount.exclusive) {
        (exclusives, order) = order.into_iter().partition(|index| prepared[*index].discount.exclusive);
    }

    let mut judge = Judge::new(initial, funds, work);
    let start = State::of(initial, funds);
    let field = Field::new(candidates, &prepared, order);
    let (choices, approximate) = field.choices(&start, &mut judge);
    let mut state = start.clone();
    let mut record = Record::new(candidates.len());
    field.run(&choices, &mut state, &mut judge, &mut record);
    if !exclusives.is_empty() {
        stand_alone(candidates, &prepared, &exclusives, &start, &mut state, &mut judge, &mut record);
    }

    judge.work.end()?;
    let (mut decisions, lines) = record.spread(initial);
    let amount_due = match initial.tax_mode {
        TaxMode::Inclusive => Some(state.total()),
        TaxMode::Exclusive => initial.amount_due.map(|due| due.max(0)),
    };
    let tendered = pay(&prepared, &tenders, &mut state, &judge, amount_due.unwrap_or(0), &mut decisions);
    Ok(Evaluation {
        decisions,
        list: lines.iter().fold(0, |sum, line| sum.saturating_add(line.list)),
        lines,
        initial: start.goods,
        discount: start.goods - state.goods,
        goods: state.goods,
        shipping: initial.shipping,
        shipping_discount: initial.shipping - state.shipping,
        total: state.total(),
        tendered,
        amount_due,
        payable: amount_due.map(|due| due - tendered),
        approximate,
    })
}

fn prepare<'a>(
    initial: &Initial<'_>,
    candidates: &[Candidate<'a>],
    funds: &[Fund],
    work: &mut Work,
) -> Vec<Prepared<'a>> {
    let lines = Lines::new(&initial.merged.lines, initial.currency);
    let mut priced = LineSet::default();
    for (line, price) in initial.prices.iter().enumerate() {
        if price.amount > 0 {
            priced.insert(line);
        }
    }
    work.spend(candidates.len() as u64 * STEPS_PER_CANDIDATE);
    let prepare = |candidate| Prepared::new(candidate, initial, &lines, &priced, funds, work);
    candidates.iter().map(prepare).collect()
}

/// Each exclusive, alone, against everything else together: the least total wins; among equals the fewer codes, then the
/// preference of what applies.
fn stand_alone(
    candidates: &[Candidate<'_>],
    prepared: &[Prepared<'_>],
    exclusives: &[usize],
    start: &State,
    state: &mut State,
    judge: &mut Judge<'_>,
    record: &mut Record,
) {
    let preference = |index: usize| preference(candidates, prepared, index);
    let codes = |index: usize| usize::from(uses_code(candidates, index));
    let strongest = exclusives
        .iter()
        .filter_map(|index| Some((judge.effect(&prepared[*index], start).ok()?, *index)))
        .min_by_key(|(effect, index)| (-effect.amount(), codes(*index), preference(*index)));
    let rest = record.winners().map(|index| (preference(index), index)).min();
    let winner = strongest.filter(|(effect, index)| {
        let (alone, together) =
            ((start.total() - effect.amount(), codes(*index)), (state.total(), state.codes));
        alone < together || alone == together && rest.is_none_or(|(rest, _)| preference(*index) < rest)
    });
    let won_by = winner.map(|(_, index)| index).or(rest.map(|(_, index)| index));
    for loser in exclusives.iter().copied().filter(|index| winner.is_none_or(|(_, winner)| winner != *index))
    {
        record.lost(loser, judge.effect(&prepared[loser], start), won_by);
    }
    if let Some((_, index)) = winner {
        record.all_lost_to(index);
        state.clone_from(start);
        if let Ok(effect) = judge.effect(&prepared[index], start) {
            state.apply(effect, judge);
            record.applied(index, effect, judge);
        }
    }
}

/// Gift cards in their order pay what is due.
fn pay(
    prepared: &[Prepared<'_>],
    tenders: &[usize],
    state: &mut State,
    judge: &Judge<'_>,
    due: i64,
    decisions: &mut [Decision],
) -> i64 {
    let mut paid = 0;
    for index in tenders {
        let decision = &mut decisions[*index];
        match judge.payment(&prepared[*index], state, due - paid) {
            Ok(amount) => {
                paid += amount;
                state.draw(&prepared[*index].funds, amount);
                (decision.outcome, decision.amount) = (Outcome::Applied, amount);
            }
            Err(reason) => decision.outcome = Outcome::Inapplicable { reason },
        }
    }
    paid
}
