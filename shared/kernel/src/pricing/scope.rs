//! Which lines a discount or a price rule counts: compiled once, asked once per evaluation.

use std::cell::OnceCell;
use std::sync::Arc;

use crate::basket::{MAX_LINES, MergedLine};
use crate::discount::Scope;
use crate::money::Currency;
use crate::rule::{self, Facts, Rule, RuleError, Vocabulary};

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
    pub fn select(&self, lines: &[MergedLine<'_>], currency: Currency) -> LineSet {
        self.select_in(&Lines::new(lines, currency))
    }

    /// [`Self::select`] over lines whose facts are shared with other scopes.
    pub(super) fn select_in(&self, lines: &Lines<'_, '_>) -> LineSet {
        if self.everything {
            return LineSet::first(lines.lines.len());
        }
        let mut set = LineSet::default();
        for (index, line) in lines.lines.iter().enumerate() {
            if self.lists(line) && self.condition.as_ref().is_none_or(|rule| lines.hold(rule, index)) {
                set.insert(index);
            }
        }
        set
    }

    fn lists(&self, line: &MergedLine<'_>) -> bool {
        let in_category = |list: &[Box<str>]| line.categories.iter().any(|category| has(list, category));
        (self.products.is_empty() || has(&self.products, line.product))
            && (self.categories.is_empty() || in_category(&self.categories))
            && !has(&self.excluded_products, line.product)
            && !in_category(&self.excluded_categories)
    }
}

/// The lines of one evaluation, with the facts of CEL made once, when the first condition asks.
pub(super) struct Lines<'m, 'b> {
    lines: &'m [MergedLine<'b>],
    currency: Currency,
    facts: OnceCell<Vec<Facts<'b>>>,
}

impl<'m, 'b> Lines<'m, 'b> {
    pub(super) fn new(lines: &'m [MergedLine<'b>], currency: Currency) -> Self {
        Self { lines, currency, facts: OnceCell::new() }
    }

    fn hold(&self, rule: &Rule, line: usize) -> bool {
        let facts = self
            .facts
            .get_or_init(|| self.lines.iter().map(|line| rule::line_facts(line, self.currency)).collect());
        facts.get(line).is_some_and(|facts| rule.matches(facts))
    }
}

fn sorted(list: &[String]) -> Box<[Box<str>]> {
    let mut list: Vec<Box<str>> = list.iter().map(|text| text.as_str().into()).collect();
    list.sort_unstable();
    list.dedup();
    list.into()
}

fn has(list: &[Box<str>], wanted: &str) -> bool {
    !list.is_empty() && list.binary_search_by(|text| (**text).cmp(wanted)).is_ok()
}
