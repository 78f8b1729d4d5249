//! Stacking: groups at their turn, and the search for the alternatives that are best for the customer.

use std::ops::Range;

use super::effect::{Effect, Judge, State};
use super::record::Record;
use super::terms::Prepared;
use super::{Candidate, Origin};
use crate::discount::{GroupPolicy, Stage};

/// Up to so many alternatives are all tried; with more, groups are decided one by one.
pub(super) const MAX_ALTERNATIVES: usize = 4_096;

/// Candidates in their order of evaluation, cut into groups.
#[derive(Debug)]
pub(super) struct Field<'e, 'a> {
    candidates: &'e [Candidate<'a>],
    prepared: &'e [Prepared<'a>],
    order: Vec<usize>,
    groups: Vec<Group>,
}

/// Neighbours in [`Field::order`] equal in stage, number and policy.
#[derive(Debug)]
struct Group {
    policy: GroupPolicy,
    members: Range<usize>,
}

/// By group: the member a best-for-customer group gives way to. Groups past the end are not reached.
pub(super) type Choices = Vec<Option<usize>>;

/// A search for the best alternative.
struct Search {
    /// The least total so far, with the fewest codes, and how it is reached.
    best: Option<((i64, usize), Choices)>,
    /// By group: what it and all behind it can take at most, (off the goods, off the shipping).
    rest: Vec<(i64, i64)>,
    /// It is given up once so much work is spent.
    until: u64,
}

impl Search {
    fn is_given_up(&self, judge: &Judge<'_>) -> bool {
        judge.work.is_over() || judge.work.spent() > self.until
    }

    /// Whether no alternative from `group` on is better than the best one.
    ///
    /// This cuts no winner: what is cut comes to as much as the best one or more ([`Judge::most`] is never below what is
    /// taken) with as many codes or more, and among equals the one that was found first stays, which the best one is.
    fn cannot_win(&self, state: &State, group: usize) -> bool {
        let Some((best, _)) = &self.best else { return false };
        let (goods, shipping) = self.rest.get(group).copied().unwrap_or_default();
        let least = (state.goods - goods).max(0).saturating_add((state.shipping - shipping).max(0));
        (least, state.codes) >= *best
    }

    /// `path` comes to this total with so many codes. Alternatives come in the order of preference: among equals the
    /// first one stays.
    fn found(&mut self, total: i64, codes: usize, path: &Choices) {
        if self.best.as_ref().is_none_or(|(best, _)| (total, codes) < *best) {
            self.best = Some(((total, codes), path.clone()));
        }
    }
}

impl<'e, 'a> Field<'e, 'a> {
    /// `order` holds indices of candidates, sorted by [`position`].
    pub(super) fn new(
        candidates: &'e [Candidate<'a>],
        prepared: &'e [Prepared<'a>],
        order: Vec<usize>,
    ) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (place, member) in order.iter().enumerate() {
            let same = place
                .checked_sub(1)
                .is_some_and(|before| group(&prepared[order[before]]) == group(&prepared[*member]));
            match groups.last_mut() {
                Some(last) if same => last.members.end = place + 1,
                _ => groups.push(Group {
                    policy: prepared[*member].discount.group_policy,
                    members: place..place + 1,
                }),
            }
        }
        Self { candidates, prepared, order, groups }
    }

    fn members(&self, group: &Group) -> &[usize] {
        &self.order[group.members.clone()]
    }

    /// What breaks ties between members of one group: no code before a code, then [`preference`].
    fn rank(&self, candidate: usize) -> (bool, Preference<'a>) {
        (uses_code(self.candidates, candidate), preference(self.candidates, self.prepared, candidate))
    }

    /// The choices with the least total, and whether they were found group by group: where there are too many
    /// alternatives, or where trying them has taken too much work. Both depend on nothing but the arguments.
    pub(super) fn choices(&self, start: &State, judge: &mut Judge<'_>) -> (Choices, bool) {
        let best_groups = || self.groups.iter().filter(|group| group.policy == GroupPolicy::BestForCustomer);
        if best_groups().next().is_none() {
            return (Vec::new(), false);
        }
        let alternatives = best_groups().fold(1_usize, |product, group| {
            let able = self.members(group).iter().filter(|member| self.prepared[**member].may_apply());
            product.saturating_mul(able.count() + 1)
        });
        if alternatives > MAX_ALTERNATIVES {
            return (self.one_by_one(start.clone(), judge), true);
        }
        let from = judge.work.spent();
        let until = from.saturating_add(judge.work.left_to_search());
        let mut search = Search { best: None, rest: self.rest(start, judge, until), until };
        self.explore(start.clone(), &mut Vec::with_capacity(self.groups.len()), judge, &mut search);
        let given_up = search.is_given_up(judge);
        judge.work.searched(judge.work.spent() - from);
        match search.best {
            Some((_, choices)) if !given_up => (choices, false),
            _ => (self.one_by_one(start.clone(), judge), true),
        }
    }

    /// By group: what it and all behind it can take at most. Past `until` nobody looks at it.
    fn rest(&self, start: &State, judge: &mut Judge<'_>, until: u64) -> Vec<(i64, i64)> {
        let add = |a: (i64, i64), b: (i64, i64)| (a.0.saturating_add(b.0), a.1.saturating_add(b.1));
        let mut rest = vec![(0, 0); self.groups.len()];
        let mut behind = (0, 0);
        for (group, rest) in self.groups.iter().zip(&mut rest).rev() {
            if judge.work.spent() > until {
                break;
            }
            let most = self.members(group).iter().map(|member| judge.most(&self.prepared[*member], start));
            let most = match group.policy {
                GroupPolicy::Stack => most.fold((0, 0), add),
                // One of them applies at most, and a group is of one stage.
                _ => most.fold((0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1))),
            };
            behind = add(behind, most);
            *rest = behind;
        }
        rest
    }

    /// Tries every alternative from the group after `path` on that can still win. What lies before a choice is evaluated
    /// once for all that follows from it. Alternatives come in the order of preference, nothing last.
    fn explore(&self, mut state: State, path: &mut Choices, judge: &mut Judge<'_>, search: &mut Search) {
        while let Some(group) = self.groups.get(path.len()) {
            let depth = path.len();
            if search.is_given_up(judge) || search.cannot_win(&state, depth) {
                return;
            }
            if group.policy == GroupPolicy::BestForCustomer {
                for member in self.preferred(group) {
                    let Ok(effect) = judge.effect(&self.prepared[member], &state) else { continue };
                    path.push(Some(member));
                    let codes = usize::from(uses_code(self.candidates, member));
                    if self.prepared[member].discount.stop || path.len() == self.groups.len() {
                        search.found(state.total() - effect.amount(), state.codes + codes, path);
                    } else {
                        let mut next = state.clone();
                        next.apply(effect, judge);
                        next.codes += codes;
                        self.explore(next, path, judge, search);
                    }
                    path.truncate(depth);
                }
                path.push(None);
            } else {
                path.push(None);
                if self.turn(group, None, &mut state, judge, None).is_some() {
                    break;
                }
            }
        }
        search.found(state.total(), state.codes, path);
    }

    /// Each group takes what is most at its turn.
    fn one_by_one(&self, mut state: State, judge: &mut Judge<'_>) -> Choices {
        let mut path = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let choice = match group.policy {
                GroupPolicy::BestForCustomer => {
                    let effects = self.effects(group, &state, judge);
                    effects.max_by(|a, b| {
                        a.1.amount().cmp(&b.1.amount()).then_with(|| self.rank(b.0).cmp(&self.rank(a.0)))
                    })
                }
                _ => None,
            };
            let choice = choice.map(|(member, _)| member);
            path.push(choice);
            if self.turn(group, choice, &mut state, judge, None).is_some() {
                break;
            }
        }
        path
    }

    fn preferred(&self, group: &Group) -> Vec<usize> {
        let mut members = self.members(group).to_vec();
        members.sort_unstable_by_key(|member| preference(self.candidates, self.prepared, *member));
        members
    }

    /// The members that would have an effect, each alone.
    fn effects<'s>(
        &'s self,
        group: &Group,
        state: &'s State,
        judge: &'s mut Judge<'_>,
    ) -> impl Iterator<Item = (usize, Effect)> + 's {
        let effect = |member: &usize| judge.effect(&self.prepared[*member], state).ok();
        self.members(group)
            .iter()
            .copied()
            .zip(self.members(group).iter().map(effect))
            .filter_map(|(member, effect)| effect.map(|effect| (member, effect)))
    }

    /// All groups in order, under `choices`, with every decision recorded.
    pub(super) fn run(
        &self,
        choices: &[Option<usize>],
        state: &mut State,
        judge: &mut Judge<'_>,
        record: &mut Record,
    ) {
        for (index, group) in self.groups.iter().enumerate() {
            let choice = choices.get(index).copied().flatten();
            if let Some(stopper) = self.turn(group, choice, state, judge, Some(record)) {
                for member in self.order.iter().copied().filter(|member| *member != stopper) {
                    if record.is_open(member) {
                        record.lost(member, judge.effect(&self.prepared[member], state), Some(stopper));
                    }
                }
                return;
            }
        }
    }

    /// One group at its turn. Answers with the member that ends the evaluation, if one does.
    fn turn(
        &self,
        group: &Group,
        choice: Option<usize>,
        state: &mut State,
        judge: &mut Judge<'_>,
        mut record: Option<&mut Record>,
    ) -> Option<usize> {
        let winner = match group.policy {
            GroupPolicy::Stack => {
                return self.members(group).iter().copied().find(|member| {
                    self.attempt(*member, state, judge, record.as_deref_mut())
                        && self.prepared[*member].discount.stop
                });
            }
            GroupPolicy::First => self.effects(group, state, judge).next().map(|(member, _)| member),
            GroupPolicy::BestForCustomer => choice,
            GroupPolicy::LowestDiscount => {
                let least = self.effects(group, state, judge);
                least
                    .min_by_key(|(member, effect)| (effect.amount(), self.rank(*member)))
                    .map(|(member, _)| member)
            }
        };
        if let Some(record) = record.as_deref_mut() {
            for loser in self.members(group).iter().copied().filter(|member| Some(*member) != winner) {
                record.lost(loser, judge.effect(&self.prepared[loser], state), winner);
            }
        }
        winner.filter(|winner| {
            self.attempt(*winner, state, judge, record) && self.prepared[*winner].discount.stop
        })
    }

    /// Lets a candidate take what it can. Answers whether that is anything.
    fn attempt(
        &self,
        candidate: usize,
        state: &mut State,
        judge: &mut Judge<'_>,
        record: Option<&mut Record>,
    ) -> bool {
        match judge.effect(&self.prepared[candidate], state) {
            Ok(effect) => {
                state.apply(effect, judge);
                state.codes += usize::from(uses_code(self.candidates, candidate));
                if let Some(record) = record {
                    record.applied(candidate, effect, judge);
                }
                true
            }
            Err(reason) => {
                if let Some(record) = record {
                    record.inapplicable(candidate, reason);
                }
                false
            }
        }
    }
}

/// A group's identity, in the order of evaluation.
fn group(prepared: &Prepared<'_>) -> (Stage, i32, GroupPolicy) {
    (prepared.discount.stage, prepared.discount.group, prepared.discount.group_policy)
}

/// Whether a code is spent by it.
pub(super) fn uses_code(candidates: &[Candidate<'_>], candidate: usize) -> bool {
    candidates[candidate].origin == Origin::Code
}

/// Priority, offers before codes, id, and the place among the codes.
pub(super) type Preference<'a> = (i32, Origin, &'a str, u32);

/// What breaks ties between alternatives that use as many codes.
pub(super) fn preference<'a>(
    candidates: &[Candidate<'a>],
    prepared: &[Prepared<'a>],
    candidate: usize,
) -> Preference<'a> {
    let given = &candidates[candidate];
    (prepared[candidate].discount.priority, given.origin, given.id, given.position)
}

/// The order of evaluation: stage, group, priority, offers before codes, the codes as given, id.
pub(super) fn position<'a>(
    candidates: &[Candidate<'a>],
    prepared: &[Prepared<'a>],
    candidate: usize,
) -> ((Stage, i32, GroupPolicy), i32, Origin, u32, &'a str) {
    let given = &candidates[candidate];
    let of_code = match given.origin {
        Origin::Offer => 0,
        Origin::Code => given.position,
    };
    let prepared = &prepared[candidate];
    (group(prepared), prepared.discount.priority, given.origin, of_code, given.id)
}
