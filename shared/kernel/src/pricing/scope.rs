//! Which lines a discount or a price rule counts: compiled once, asked once per evaluation.

use std::cell::OnceCell;
use std::sync::Arc;

use crate::basket::{MAX_LINES, MergedLine};
use crate::discount::Scope;
use crate::money::Currency;
use crate::rule::{self, Facts, Fullness, Rule, RuleError, Vocabulary};
use crate::text::composed;
use crate::work::Work;

const WORDS: usize = MAX_LINES.div_ceil(64);

/// A set of merged lines, by index. Holds what a basket may hold; what is beyond is never a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineSet([u64; WORDS]);

impl LineSet {
    /// The first `count` lines.
    pub fn first(count: usize) -> Self {
        let mut set = Self::default();
        for (index, word) in set.0.iter_mut().enumerate() {
            let bits = count.saturating_sub(index * 64);
            *word = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
        }
        set
    }

    /// Adds a line.
    pub fn insert(&mut self, line: usize) {
        if let Some(word) = self.0.get_mut(line / 64) {
            *word |= 1 << (line % 64);
        }
    }

    /// Is the line a member?
    pub fn contains(&self, line: usize) -> bool {
        self.0.get(line / 64).is_some_and(|word| word >> (line % 64) & 1 == 1)
    }

    /// No line at all.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// How many lines.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The lines in both.
    pub fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
        self
    }

    /// The lines in this one that are not in `other`.
    pub fn minus(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        self
    }

    /// The lines in either.
    pub fn or(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
        self
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(index, word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let line = index * 64 + rest.trailing_zeros() as usize;
                let found = (rest != 0).then_some(line);
                rest &= rest.wrapping_sub(1);
                found
            })
        })
    }
}

/// A scope ready to be asked: sorted lists, the condition compiled.
#[derive(Debug)]
pub struct CompiledScope {
    products: Box<[Box<str>]>,
    categories: Box<[Box<str>]>,
    excluded_products: Box<[Box<str>]>,
    excluded_categories: Box<[Box<str>]>,
    condition: Option<Rule>,
    everything: bool,
}

impl CompiledScope {
    /// Compiles `scope`. Fails where its condition does not compile against `vocabulary` or costs too much.
    pub fn new(scope: &Scope, vocabulary: &Arc<Vocabulary>) -> Result<Self, RuleError> {
        let condition = match scope.condition.as_str() {
            "" => None,
            text => Some(Rule::compile(text, vocabulary)?),
        };
        Ok(Self {
            products: sorted(&scope.products),
            categories: sorted(&scope.categories),
            excluded_products: sorted(&scope.excluded_products),
            excluded_categories: sorted(&scope.excluded_categories),
            condition,
            everything: scope.is_everything(),
        })
    }

    /// The lines that count. A condition that cannot be judged on a line (a fact it reads is missing) is not true
    /// there. `currency` is the basket's.
    pub fn select(&self, lines: &[MergedLine<'_>], currency: Currency, work: &mut Work) -> LineSet {
        self.select_in(&Lines::new(lines, currency), work)
    }

    /// The work of judging its condition on one line; none where it has none.
    pub fn rule_steps(&self, fullness: Fullness) -> u64 {
        self.condition.as_ref().map_or(0, |rule| rule.steps(fullness))
    }

    /// [`Self::select`] over lines whose facts are shared with other scopes.
    pub(super) fn select_in(&self, lines: &Lines<'_, '_>, work: &mut Work) -> LineSet {
        let mut set = LineSet::first(lines.lines.len());
        if self.everything {
            return set;
        }
        if !self.products.is_empty() {
            set = set.and(&lines.of_products(&self.products, work));
        }
        if !self.categories.is_empty() {
            set = set.and(&lines.of_categories(&self.categories, work));
        }
        if !self.excluded_products.is_empty() {
            set = set.minus(&lines.of_products(&self.excluded_products, work));
        }
        if !self.excluded_categories.is_empty() {
            set = set.minus(&lines.of_categories(&self.excluded_categories, work));
        }
        match &self.condition {
            Some(rule) => lines.where_holds(rule, &set, work),
            None => set,
        }
    }
}

/// The lines of one evaluation, with what scopes ask of them made once, when the first one asks.
pub(super) struct Lines<'m, 'b> {
    /// By product, as [`crate::basket::merged`] has them.
    lines: &'m [MergedLine<'b>],
    currency: Currency,
    facts: OnceCell<Vec<Facts<'b>>>,
    /// Every category of every line, sorted.
    categories: OnceCell<Vec<(&'b str, usize)>>,
}

impl<'m, 'b> Lines<'m, 'b> {
    pub(super) fn new(lines: &'m [MergedLine<'b>], currency: Currency) -> Self {
        Self { lines, currency, facts: OnceCell::new(), categories: OnceCell::new() }
    }

    /// The lines of these products: the shorter list is walked and looked up in the longer one.
    fn of_products(&self, products: &[Box<str>], work: &mut Work) -> LineSet {
        let mut set = LineSet::default();
        let (lines, listed) = (self.lines.len(), products.len());
        work.spend(steps_of_lookups(lines.min(listed), lines.max(listed)));
        if listed < lines {
            for product in products {
                let first = self.lines.partition_point(|line| *line.product < **product);
                let same = self.lines[first..].iter().take_while(|line| *line.product == **product);
                (first..).zip(same).for_each(|(line, _)| set.insert(line));
            }
        } else {
            let is_listed = |line: &MergedLine<'_>| {
                products.binary_search_by(|product| (**product).cmp(line.product)).is_ok()
            };
            let found = self.lines.iter().enumerate().filter(|(_, line)| is_listed(line));
            found.for_each(|(line, _)| set.insert(line));
        }
        set
    }

    /// The lines in any of these categories.
    fn of_categories(&self, categories: &[Box<str>], work: &mut Work) -> LineSet {
        let all = self.categories.get_or_init(|| {
            let of_line = |(index, line): (usize, &MergedLine<'b>)| {
                line.categories.iter().map(move |category| (category.as_str(), index))
            };
            let mut all: Vec<(&'b str, usize)> = self.lines.iter().enumerate().flat_map(of_line).collect();
            work.spend(steps_of_lookups(all.len(), all.len()));
            all.sort_unstable();
            all
        });
        work.spend(steps_of_lookups(categories.len(), all.len()));
        let mut set = LineSet::default();
        for category in categories {
            let first = all.partition_point(|(other, _)| **other < **category);
            let same = all[first..].iter().take_while(|(other, _)| **other == **category);
            same.for_each(|(_, line)| set.insert(*line));
        }
        set
    }

    /// Those of `set` on which the rule holds.
    fn where_holds(&self, rule: &Rule, set: &LineSet, work: &mut Work) -> LineSet {
        let mut held = LineSet::default();
        if set.is_empty() {
            return held;
        }
        let facts = self.facts.get_or_init(|| {
            work.spend(self.lines.len() as u64 * STEPS_OF_FACTS);
            self.lines.iter().map(|line| rule::line_facts(line, self.currency)).collect()
        });
        for line in set.iter() {
            let Some(facts) = facts.get(line) else { continue };
            work.spend(rule.steps(facts.fullness()));
            if work.is_over() {
                break;
            }
            if rule.matches(facts) {
                held.insert(line);
            }
        }
        held
    }
}

/// Work of making the facts of one line for rules, its categories and attributes not counted.
const STEPS_OF_FACTS: u64 = 100;

/// Looking texts up in a sorted list: each takes the logarithm of its length.
fn steps_of_lookups(texts: usize, list: usize) -> u64 {
    texts as u64 * u64::from(list.max(2).ilog2())
}

fn sorted(list: &[String]) -> Box<[Box<str>]> {
    let mut list: Vec<Box<str>> = list.iter().map(|text| composed(text).into()).collect();
    list.sort_unstable();
    list.dedup();
    list.into()
}
