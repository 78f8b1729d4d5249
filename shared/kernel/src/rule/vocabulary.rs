//! What a rule may speak of: names, their fields and types.

use std::collections::BTreeMap;
use std::fmt;

use cel::common::ast::{Expr, IdedExpr};

use super::asked::Parameter;
use super::reading::{MAX_TEXTS, Reading};

/// The kind of a value in a rule. Sizes are the most a list or map ever holds; the cost of a rule is computed with
/// them, so whoever provides the facts keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number: counts, minor units of money, parts of a date.
    Int,
    /// A decimal number: scores and shares, never money.
    Double,
    /// A text.
    Text,
    /// Not known before evaluation; operands that do not fit fail then.
    Any,
    /// So many of one kind at most.
    List(Box<Type>, u64),
    /// Texts to values of one kind, so many at most; a key may be missing.
    Map(Box<Type>, u64),
    /// Texts to texts, so many at most; those under these keys are read as is declared.
    Declared(BTreeMap<String, Reading>, u64),
    /// Exactly these fields.
    Object(BTreeMap<String, Field>),
    /// What is asked for by values written out in brackets.
    Asked(Vec<Parameter>, Box<Type>),
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What its values are.
    pub kind: Type,
    /// What it means, for whoever writes rules; empty where its name says it.
    pub says: &'static str,
}

impl Type {
    /// At most `size` elements of `element`.
    pub fn list(element: Type, size: u64) -> Self {
        Self::List(Box::new(element), size)
    }

    /// At most `size` entries from texts to `value`.
    pub fn map(value: Type, size: u64) -> Self {
        Self::Map(Box::new(value), size)
    }

    /// What is asked for by values written out: `orders(90)`, and `amount('EUR')` as a field.
    pub fn asked(parameters: impl Into<Vec<Parameter>>, gives: Type) -> Self {
        Self::Asked(parameters.into(), Box::new(gives))
    }

    /// Exactly these fields.
    pub fn object<const N: usize>(fields: [(&str, Type); N]) -> Self {
        Self::facts(fields.map(|(name, kind)| (name, kind, "")))
    }

    /// The same, each with what it means.
    pub fn facts<const N: usize>(fields: [(&str, Type, &'static str); N]) -> Self {
        let field = |(name, kind, says): (&str, Type, &'static str)| (name.to_owned(), Field { kind, says });
        Self::Object(fields.into_iter().map(field).collect())
    }

    /// With every list and map of one element at most.
    fn smallest(&self) -> Self {
        match self {
            Self::List(element, size) => Self::list(element.smallest(), (*size).min(1)),
            Self::Map(value, size) => Self::map(value.smallest(), (*size).min(1)),
            Self::Declared(declared, size) => Self::Declared(declared.clone(), (*size).min(1)),
            Self::Object(fields) => {
                let smallest = |field: &Field| Field { kind: field.kind.smallest(), says: field.says };
                Self::Object(fields.iter().map(|(name, field)| (name.clone(), smallest(field))).collect())
            }
            Self::Asked(parameters, gives) => Self::Asked(parameters.clone(), Box::new(gives.smallest())),
            plain => plain.clone(),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }

    /// Whether values of both can be compared for equality in a way that may come out true.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(_) | Self::Asked(..), _) | (_, Self::Object(_) | Self::Asked(..)) => false,
            (Self::Any, _) | (_, Self::Any) | (Self::Declared(..), Self::Declared(..)) => true,
            (Self::Declared(..), Self::Map(value, _)) | (Self::Map(value, _), Self::Declared(..)) => {
                value.meets(&Self::Text)
            }
            (Self::List(one, _), Self::List(two, _)) | (Self::Map(one, _), Self::Map(two, _)) => {
                one.meets(two)
            }
            (one, two) => one == two || (one.is_number() && two.is_number()),
        }
    }

    /// The kind of a value that is one or the other.
    pub(super) fn either(self, other: Self) -> Self {
        match (self, other) {
            (Self::List(one, m), Self::List(two, n)) => {
                let element = if m == 0 {
                    *two
                } else if n == 0 {
                    *one
                } else {
                    one.either(*two)
                };
                Self::list(element, m.max(n))
            }
            (one, two) if one == two => one,
            _ => Self::Any,
        }
    }
}

impl Reading {
    /// The kind of value that a rule sees.
    pub fn kind(self) -> Type {
        match self {
            Self::Text | Self::Date => Type::Text,
            Self::Number => Type::Double,
            Self::Truth => Type::Bool,
            Self::Texts => Type::list(Type::Text, MAX_TEXTS),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Double => "a decimal number",
            Self::Text => "a text",
            Self::Any => "of unknown kind",
            Self::List(..) => "a list",
            Self::Map(..) | Self::Declared(..) => "a map",
            Self::Object(_) => "an object",
            Self::Asked(..) => "a question",
        })
    }
}

/// The names a rule may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary(BTreeMap<String, Type>);

impl Vocabulary {
    /// No names at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more name; a name given twice keeps the later type.
    #[must_use]
    pub fn with(mut self, name: &str, kind: Type) -> Self {
        self.0.insert(name.to_owned(), kind);
        self
    }

    /// With all names of another one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The same names, with every list and map of one element at most.
    pub(super) fn smallest(&self) -> Self {
        Self(self.0.iter().map(|(name, kind)| (name.clone(), kind.smallest())).collect())
    }

    /// The same, where the texts of the map `field` of `name` are read as is declared.
    #[must_use]
    pub fn declaring(mut self, name: &str, field: &str, declared: BTreeMap<String, Reading>) -> Self {
        if let Some(Type::Declared(before, _)) = self.field(name, field) {
            *before = declared;
        }
        self
    }

    /// The same, where it is not known how they are read: whatever one could be declared as is admitted.
    #[must_use]
    pub fn declaring_nothing(mut self, name: &str, field: &str) -> Self {
        if let Some(kind) = self.field(name, field)
            && let Type::Declared(_, size) = *kind
        {
            *kind = Type::map(Type::Any, size);
        }
        self
    }

    fn field(&mut self, name: &str, field: &str) -> Option<&mut Type> {
        let Some(Type::Object(fields)) = self.0.get_mut(name) else { return None };
        fields.get_mut(field).map(|field| &mut field.kind)
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&Type> {
        self.0.get(name)
    }

    /// The kind of a name or of a field of one.
    pub(super) fn type_of(&self, expression: &IdedExpr) -> Option<&Type> {
        match &expression.expr {
            Expr::Ident(name) => self.get(name),
            Expr::Select(select) => match self.type_of(&select.operand)? {
                Type::Object(fields) => fields.get(&select.field).map(|field| &field.kind),
                _ => None,
            },
            _ => None,
        }
    }

    /// Every name that asks for values, in order.
    pub(super) fn asked(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, kind)| matches!(kind, Type::Asked(..))).map(|(name, _)| name.as_str())
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
