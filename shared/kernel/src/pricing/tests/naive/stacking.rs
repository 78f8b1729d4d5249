//! The naive evaluator's stacking: every alternative is tried from the start.

use std::collections::BTreeMap;

use super::{Answer, Fate, Naive, World};
use crate::basket::TaxMode;
use crate::discount::{GroupPolicy, Kind, Stage};
use crate::pricing::Origin;

type Preference<'a> = (i32, Origin, &'a str, u32);
/// A group: stage, number, policy; and its members in order.
type Group = ((Stage, i32, GroupPolicy), Vec<usize>);

/// One way the evaluation can go.
struct Course {
    world: World,
    fates: Vec<(Fate, i64)>,
    /// Of each best-for-customer group that was reached, what applied.
    chosen: Vec<Option<usize>>,
}

impl Naive<'_> {
    fn preference(&self, candidate: usize) -> Preference<'_> {
        let given = &self.given[candidate];
        (self.discount(candidate).priority, given.origin, &given.id, given.position)
    }

    fn is_code(&self, candidate: usize) -> bool {
        self.given[candidate].origin == Origin::Code
    }

    /// Codes that a course uses up.
    fn codes(&self, course: &Course) -> usize {
        (0..self.given.len())
            .filter(|one| self.is_code(*one) && course.fates[*one].0 == Fate::Applied)
            .count()
    }

    fn groups(&self, members: &[usize]) -> Vec<Group> {
        let mut groups: BTreeMap<(Stage, i32, GroupPolicy), Vec<usize>> = BTreeMap::new();
        for member in members {
            let discount = self.discount(*member);
            groups.entry((discount.stage, discount.group, discount.group_policy)).or_default().push(*member);
        }
        for members in groups.values_mut() {
            members.sort_by_key(|member| {
                let given = &self.given[*member];
                let place = if given.origin == Origin::Code { given.position } else { 0 };
                (self.discount(*member).priority, given.origin, place, &given.id)
            });
        }
        groups.into_iter().collect()
    }

    /// Runs all groups; `plan` names, per best-for-customer group, the member that is tried (or none).
    fn course(&self, groups: &[Group], plan: &[Option<usize>]) -> Course {
        let mut world = self.world();
        let mut fates = vec![(Fate::Skipped(None), 0); self.given.len()];
        let mut chosen = vec![];
        let mut plan = plan.iter();
        let mut stopped_by = None;
        for ((_, _, policy), members) in groups {
            let pick = if *policy == GroupPolicy::BestForCustomer { *plan.next().unwrap() } else { None };
            if *policy == GroupPolicy::Stack {
                for member in members {
                    fates[*member] = self.attempt(*member, &mut world, stopped_by);
                    if fates[*member].0 == Fate::Applied && self.discount(*member).stop {
                        stopped_by = Some(*member);
                    }
                }
                continue;
            }
            let able: Vec<(i64, usize)> = members
                .iter()
                .filter_map(|member| Some((self.effect(*member, &world)?.amount(), *member)))
                .collect();
            let winner = match policy {
                _ if stopped_by.is_some() => None,
                GroupPolicy::First => able.first().map(|(_, member)| *member),
                GroupPolicy::LowestDiscount => able
                    .iter()
                    .min_by_key(|(amount, member)| (*amount, self.is_code(*member), self.preference(*member)))
                    .map(|a| a.1),
                _ => pick.filter(|pick| able.iter().any(|(_, member)| member == pick)),
            };
            for member in members {
                let loses = able.iter().any(|(_, able)| able == member);
                fates[*member] =
                    (if loses { Fate::Skipped(stopped_by.or(winner)) } else { Fate::Inapplicable }, 0);
            }
            if *policy == GroupPolicy::BestForCustomer && stopped_by.is_none() {
                chosen.push(winner);
            }
            if let Some(winner) = winner {
                fates[winner] = self.attempt(winner, &mut world, None);
                stopped_by = self.discount(winner).stop.then_some(winner);
            }
        }
        Course { world, fates, chosen }
    }

    fn attempt(&self, member: usize, world: &mut World, stopped_by: Option<usize>) -> (Fate, i64) {
        match (self.effect(member, world), stopped_by) {
            (None, _) => (Fate::Inapplicable, 0),
            (Some(_), Some(stopper)) => (Fate::Skipped(Some(stopper)), 0),
            (Some(effect), None) => {
                self.apply(member, world, &effect);
                (Fate::Applied, effect.amount())
            }
        }
    }

    /// Every alternative of every best-for-customer group.
    fn best_course(&self, groups: &[Group]) -> Course {
        let mut plans: Vec<Vec<Option<usize>>> = vec![vec![]];
        for ((_, _, policy), members) in groups {
            if *policy == GroupPolicy::BestForCustomer {
                let extended = |plan: &Vec<Option<usize>>| {
                    let choices = members.iter().copied().map(Some).chain([None]);
                    choices.map(|choice| [plan.as_slice(), &[choice]].concat()).collect::<Vec<_>>()
                };
                plans = plans.iter().flat_map(extended).collect();
            }
        }
        let rank = |course: &Course| {
            let chosen = course.chosen.iter();
            let ranks: Vec<(bool, Option<Preference<'_>>)> =
                chosen.map(|c| (c.is_none(), c.map(|c| self.preference(c)))).collect();
            (course.world.total(), self.codes(course), ranks)
        };
        plans.iter().map(|plan| self.course(groups, plan)).min_by(|a, b| rank(a).cmp(&rank(b))).unwrap()
    }

    pub fn answer(&self) -> Answer {
        let all: Vec<usize> = (0..self.given.len()).collect();
        let (tenders, discounts): (Vec<usize>, Vec<usize>) =
            all.into_iter().partition(|index| self.discount(*index).stage == Stage::Tender);
        let (exclusives, rest): (Vec<usize>, Vec<usize>) =
            discounts.into_iter().partition(|index| self.discount(*index).exclusive);
        let course = self.best_course(&self.groups(&rest));
        let leader = rest
            .iter()
            .copied()
            .filter(|m| course.fates[*m].0 == Fate::Applied)
            .min_by_key(|m| self.preference(*m));
        let alone = |index: usize| self.course(&self.groups(&[index]), &[Some(index)]);
        let strongest = exclusives
            .iter()
            .copied()
            .filter(|index| alone(*index).fates[*index].0 == Fate::Applied)
            .min_by_key(|index| (alone(*index).world.total(), self.is_code(*index), self.preference(*index)));
        let wins = |index: &usize| {
            let own = (alone(*index).world.total(), usize::from(self.is_code(*index)));
            let theirs = (course.world.total(), self.codes(&course));
            own < theirs
                || own == theirs && leader.is_none_or(|l| self.preference(*index) < self.preference(l))
        };
        let winner = strongest.filter(wins);
        let Course { mut fates, mut world, .. } = course;
        for index in &exclusives {
            let able = alone(*index).fates[*index].0 == Fate::Applied;
            fates[*index] = (if able { Fate::Skipped(winner.or(leader)) } else { Fate::Inapplicable }, 0);
        }
        if let Some(winner) = winner {
            for index in &rest {
                if fates[*index].0 != Fate::Inapplicable {
                    fates[*index] = (Fate::Skipped(Some(winner)), 0);
                }
            }
            let course = alone(winner);
            fates[winner] = course.fates[winner];
            world = course.world;
        }
        let tendered = self.pay(&tenders, &mut world, &mut fates);
        Answer { decisions: fates, goods: world.left.clone(), shipping: world.shipping, tendered }
    }

    fn pay(&self, tenders: &[usize], world: &mut World, fates: &mut [(Fate, i64)]) -> i64 {
        let due = match self.basket.tax_mode {
            TaxMode::Inclusive => Some(world.total()),
            TaxMode::Exclusive => self.basket.amount_due,
        };
        let mut paid = 0;
        for (_, members) in self.groups(tenders) {
            for member in members {
                let amount = due.and_then(|due| self.payment(member, world, due - paid)).unwrap_or(0);
                paid += amount;
                self.draw(member, world, amount);
                fates[member] = (if amount > 0 { Fate::Applied } else { Fate::Inapplicable }, amount);
            }
        }
        paid
    }

    fn payment(&self, card: usize, world: &World, due: i64) -> Option<i64> {
        let discount = self.discount(card);
        let Kind::GiftCard { max_per_order } = &discount.kind else { return None };
        let spend = self.counted(discount, &self.select(&discount.scope), world);
        if self.limit(&discount.minimum_spend)?.is_some_and(|minimum| spend < minimum) {
            return None;
        }
        let (shrinks_to, covered) = self.shared(card, world);
        let limits = [
            self.limit(max_per_order)?,
            self.limit(&discount.max_discount)?,
            self.given[card].budget_left,
            shrinks_to,
            Some(self.given[card].balance?),
        ];
        let amount = limits.into_iter().flatten().fold(due, i64::min).max(0);
        covered.is_none_or(|left| amount <= left).then_some(amount)
    }
}
