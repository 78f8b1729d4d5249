//! A rule in other words: the same condition as a tree of few operations, which a store can say in the language of its
//! database. What cannot be said so stays with [`Rule::holds`], and the plan says which part and why.
//!
//! A term is as a rule is: true, false, a value, or a failure. Whoever says it elsewhere keeps to this:
//!
//! - A failure is a value of its own, unknown and never false: SQL's NULL. `All`, `Any` and `Not` are those of Kleene, as
//!   SQL's AND, OR and NOT are; every other operation fails where an operand does. At the end a failure does not hold.
//! - [`Term::If`] fails where its test does; [`Term::Given`] is what it holds where all of the others are there.
//! - Texts are compared by their bytes, whole numbers with decimal ones as decimal ones.
//! - Whole numbers cannot overflow: a plan is made only where what facts can be says so. A divisor may be zero: that fails.

mod translate;

use super::reading::Reading;
use super::{Position, Rule};

/// What is known of a value before it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Truth,
    /// A whole number between these two.
    Int(i64, i64),
    /// A decimal number.
    Double,
    /// A text, without the character U+0000.
    Text,
    /// Several texts, in an order.
    Texts,
    /// Texts to texts.
    Map,
}

/// A fact as a store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub kind: Kind,
    /// It is always there; else a rule that reads it may fail.
    pub sure: bool,
}

/// Which of two is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// With whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`, towards zero; fails by zero.
    Over,
    /// `%`, with the sign of the first; fails by zero.
    Rest,
}

/// Where a text is looked for in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Anywhere.
    Within,
    /// At the beginning.
    First,
    /// At the end.
    Last,
}

/// Of how many elements something is to be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Of one or more; as `Any` over all elements.
    Some,
    /// Of every one; as `All` over all elements.
    Every,
    /// Of one and no other; fails where it fails of an element.
    One,
    /// How many; fails as above.
    Count,
}

/// Texts one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum List {
    /// Those of a fact.
    Fact(String),
    /// The keys of a map.
    Keys(String),
    /// The lines of a text.
    Lines(Box<Term>),
}

/// A value, or a failure.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// True or false.
    Truth(bool),
    /// A whole number.
    Int(i64),
    /// A decimal number.
    Double(f64),
    /// A text.
    Text(String),
    /// A fact by its path: `customer.country`.
    Fact(String),
    /// The element of the loop of this number.
    Element(usize),
    /// What a map has under a key; fails where it has nothing.
    Entry(String, Box<Term>),
    /// A text as it is read; fails where it cannot be.
    Read(Reading, Box<Term>),
    /// Whether it is there, rather than a failure; never fails.
    There(Box<Term>),
    /// The last, where each of the first is there.
    Given(Vec<Term>, Box<Term>),
    /// Not so.
    Not(Box<Term>),
    /// All of them.
    All(Vec<Term>),
    /// One of them at least.
    Any(Vec<Term>),
    /// The second where the first is true, the third where it is false.
    If(Box<[Term; 3]>),
    /// Two of this kind.
    Compare(Comparison, Kind, Box<[Term; 2]>),
    /// A whole number as a decimal one.
    Decimal(Box<Term>),
    /// The same below zero.
    Negate(Box<Term>),
    /// Two whole numbers.
    Sum(Sum, Box<[Term; 2]>),
    /// One text behind the other.
    Joined(Box<[Term; 2]>),
    /// How many characters.
    Characters(Box<Term>),
    /// Whether the first text has the second there.
    Has(Place, Box<[Term; 2]>),
    /// A whole number as a text.
    Digits(Box<Term>),
    /// Whether the first is one of the others, all of this kind, which never fail and are not none.
    Among(Kind, Box<Term>, Vec<Term>),
    /// Whether a text is in a list; fails where either is a failure.
    In(Box<Term>, List),
    /// How many texts.
    Length(List),
    /// Of how many elements of the list, which is the element of the loop of this number, something is true.
    Loop(Quantity, List, usize, Box<Term>),
}

/// A part of a rule that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where in its text that is which cannot be said otherwise.
    pub at: Position,
    /// Why.
    pub why: String,
}

/// A rule as conditions that all must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// Those that can be said otherwise.
    pub said: Vec<Term>,
    /// Those that cannot: where there are any, the rule itself is to be judged too.
    pub kept: Vec<Kept>,
}

impl Rule {
    /// The rule in other words, over facts as `stored` knows them by their paths.
    pub fn plan(&self, stored: &dyn Fn(&str) -> Option<Stored>) -> Plan {
        translate::plan(&self.expression, &self.text, stored)
    }
}
