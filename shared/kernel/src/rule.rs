//! Rules: conditions in CEL, compiled and judged once when they are saved, evaluated many times afterwards.
//!
//! A rule sees only what its [`Vocabulary`] declares. [`Rule::compile`] refuses, with the place in the text: syntax
//! errors, unknown names, fields and functions, operands that do not fit, a result that is not true or false, texts
//! longer than [`MAX_TEXT_BYTES`], nesting deeper than [`MAX_DEPTH`], and rules whose bound on evaluation steps exceeds
//! [`MAX_COST`]. What is left can fail in evaluation only on data: a missing key of a map, an overflow, a division by
//! zero.
//!
//! **A rule that fails in evaluation does not hold.** [`Rule::holds`] reports the failure for those who explain;
//! [`Rule::matches`] takes it as false. So `line.attributes.colour == "red"` and `line.attributes.colour != "red"` are
//! both false for a line without a colour; `has(line.attributes.colour)` asks for it. As CEL has it, `false && failure`
//! is false and `true || failure` is true.
//!
//! Money in rules is whole minor units of the basket's currency, never a decimal number.

use std::collections::BTreeSet;

use cel::Value;
use cel::common::ast::IdedExpr;
use cel::common::types::CelBool;
use cel::parser::Parser;

use self::check::Judged;
use crate::text;

mod asked;
mod check;
mod domain;
mod facts;
mod filter;
mod functions;
mod page;
mod pattern;
pub mod plan;
mod reading;
mod reads;
#[cfg(test)]
mod tests;
mod tree;
mod usage;
mod vocabulary;

pub use asked::Parameter;
pub use domain::{
    LineView, PlaceView, basket_fact, basket_fullness, basket_vocabulary, line_fact, line_facts,
    line_fullness, line_vocabulary, now_fact, now_vocabulary, offer_facts, place_fact, place_vocabulary,
};
pub use facts::{Fact, Facts, Fullness};
pub use filter::Filter;
pub use page::page;
pub use reading::{MAX_DIGITS, Reading};
pub use usage::{Finding, SCOPE, Use};
pub use vocabulary::{Field, Type, Vocabulary};

/// The longest rule, in bytes.
pub const MAX_TEXT_BYTES: usize = 4_096;
/// The deepest nesting of operations; evaluation recurses so deep. Chains of `&&` and `||` count as their logarithm.
pub const MAX_DEPTH: usize = 40;
/// The deepest nesting of `all`, `exists`, `exists_one`, `map` and `filter`.
pub const MAX_LOOPS: usize = 2;
/// The most steps one evaluation may take with every list as long as its vocabulary allows.
pub const MAX_COST: u64 = 250_000;
/// The same of the filter of a list, which is judged on one row after the other while the caller waits.
pub const MAX_FILTER_COST: u64 = 12_500;
/// Rules up to this cost are not worth a second look at what they cost on short lists.
const CHEAP: u64 = 32;
/// The steps of walking a text.
const TEXT_COST: u64 = 4;
/// The work of one step of a rule: it is interpreted, and allocates.
pub const WORK_PER_STEP: u64 = 8;
/// The longest pattern of `matches`, in bytes.
pub const MAX_PATTERN_BYTES: usize = 128;
/// The most a pattern may repeat its parts: the product of all its counted repetitions.
pub const MAX_PATTERN_REPEAT: u64 = 64;

/// Where in the text of a rule, both from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Where a text begins.
pub const START: Position = Position { line: 1, column: 1 };

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is not a rule, or why a rule could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Nothing to evaluate.
    #[error("the rule is empty")]
    Empty,
    /// Longer than [`MAX_TEXT_BYTES`].
    #[error("the rule has {0} bytes, the limit is {MAX_TEXT_BYTES}")]
    TooLong(usize),
    /// Not CEL.
    #[error("{at}: {message}")]
    Syntax {
        /// Where reading failed.
        at: Position,
        /// What the reader says.
        message: String,
    },
    /// A name the vocabulary does not declare.
    #[error("{at}: `{name}` is not known here; known are {known}")]
    UnknownName {
        /// Where it stands.
        at: Position,
        /// The name.
        name: String,
        /// What is declared.
        known: String,
    },
    /// A field its object does not have.
    #[error("{at}: `{object}` has no field `{field}`; it has {known}")]
    UnknownField {
        /// Where it stands.
        at: Position,
        /// The object.
        object: String,
        /// The field.
        field: String,
        /// What it has.
        known: String,
    },
    /// A function rules do not have.
    #[error("{at}: the function `{name}` is not known; known are {known}")]
    UnknownFunction {
        /// Where it stands.
        at: Position,
        /// The function.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// Operands that can never be evaluated together.
    #[error("{at}: {message}")]
    Mismatch {
        /// Where it stands.
        at: Position,
        /// What does not fit.
        message: String,
    },
    /// The result is a number, a text or a list.
    #[error("a rule must be true or false, this one is {0}")]
    NotBool(String),
    /// Nested deeper than [`MAX_DEPTH`] or [`MAX_LOOPS`].
    #[error("{at}: nested too deep; at most {MAX_DEPTH} operations and {MAX_LOOPS} loops inside each other")]
    TooDeep {
        /// Where the limit is passed.
        at: Position,
    },
    /// More steps than [`MAX_COST`], of a filter [`MAX_FILTER_COST`], with every list at its longest.
    #[error("the rule can take {cost} steps, the limit is {limit}; use fewer or shorter loops and patterns")]
    TooCostly {
        /// The bound found.
        cost: u64,
        /// The most allowed.
        limit: u64,
    },
    /// A pattern of `matches` that is computed, too long, repeats too much or is no regular expression.
    #[error("{at}: {message}")]
    BadPattern {
        /// Where it stands.
        at: Position,
        /// What is wrong.
        message: String,
    },
    /// Failed on the data at hand: a missing key, an overflow, a division by zero.
    #[error("the rule could not be evaluated: {0}")]
    Evaluation(String),
}

impl RuleError {
    /// Where it stands, where that is one place.
    pub fn at(&self) -> Option<Position> {
        match self {
            Self::Syntax { at, .. }
            | Self::UnknownName { at, .. }
            | Self::UnknownField { at, .. }
            | Self::UnknownFunction { at, .. }
            | Self::Mismatch { at, .. }
            | Self::TooDeep { at }
            | Self::BadPattern { at, .. } => Some(*at),
            Self::Empty
            | Self::TooLong(_)
            | Self::NotBool(_)
            | Self::TooCostly { .. }
            | Self::Evaluation(_) => None,
        }
    }
}

/// A condition, compiled and bounded.
#[derive(Debug, Clone)]
pub struct Rule {
    text: String,
    expression: IdedExpr,
    cost: u64,
    /// The same with every list and map of one element.
    least: u64,
}

/// The same text under the same vocabulary is the same rule.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Rule {}

impl Rule {
    /// Reads `text` and judges it against `vocabulary`. Its texts are composed, as those are that it is compared with.
    ///
    /// # Errors
    /// Every [`RuleError`] but [`RuleError::Evaluation`]; the first one found.
    pub fn compile(text: &str, vocabulary: &Vocabulary) -> Result<Self, RuleError> {
        let composed = text::composed(text);
        let text = &*composed;
        if text.len() > MAX_TEXT_BYTES {
            return Err(RuleError::TooLong(text.len()));
        }
        if text.trim().is_empty() {
            return Err(RuleError::Empty);
        }
        check::nesting(text)?;
        let parser = Parser::default().enable_optional_syntax(false).error_recovery_limit(4);
        let (mut expression, source) =
            parser.parse_with_source_info(text).map_err(|errors| syntax_error(text, &errors))?;
        let Judged { cost, read, asked } = check::check(&expression, &source, text, vocabulary)?;
        let smallest = || check::check(&expression, &source, text, &vocabulary.smallest());
        let least = if cost > CHEAP { smallest().map_or(cost, |least| least.cost.min(cost)) } else { cost };
        pattern::write_out(&mut expression);
        reading::write_in(&mut expression, &read);
        asked::name(&mut expression, &asked);
        Ok(Self { text: text.to_owned(), expression, cost, least })
    }

    /// Whether the rule is true of `facts`.
    ///
    /// # Errors
    /// [`RuleError::Evaluation`] where the data lack what the rule reads; the rule does not hold then.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, RuleError> {
        let value = Value::resolve_val(&self.expression, facts.context())
            .map_err(|error| RuleError::Evaluation(error.to_string()))?;
        value
            .downcast_ref::<CelBool>()
            .map(|truth| *truth.inner())
            .ok_or_else(|| RuleError::Evaluation("the result is neither true nor false".to_owned()))
    }

    /// As [`Rule::holds`], false where it fails.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.holds(facts).unwrap_or(false)
    }

    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The paths of the facts that it reads: `customer.country`. Those of its loops are among them.
    pub fn reads(&self) -> BTreeSet<String> {
        let mut read = BTreeSet::new();
        reads::paths(&self.expression, &mut read);
        read
    }

    /// The bound on the steps of one evaluation, at most [`MAX_COST`].
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// The work of one evaluation, see [`crate::work`]: the bound on its steps for lists of this fullness.
    ///
    /// The bound is a sum of products of the sizes of lists, so it is convex along the straight line from "one element
    /// each" to "as many as allowed each": between the two it is never above the straight line between its ends.
    pub fn steps(&self, fullness: Fullness) -> u64 {
        (self.least + fullness.share(self.cost - self.least)) * WORK_PER_STEP
    }
}

fn syntax_error(text: &str, errors: &cel::ParseErrors) -> RuleError {
    let first = errors.errors.first();
    let (line, column) = first.map_or((1, 1), |error| error.pos);
    let message = first.map_or("not an expression", |error| error.msg.as_str());
    let lines = text.lines().count().max(1);
    RuleError::Syntax {
        at: Position {
            line: usize::try_from(line).unwrap_or(1).clamp(1, lines),
            column: usize::try_from(column).unwrap_or(1).max(1),
        },
        message: message.chars().take(300).collect(),
    }
}
