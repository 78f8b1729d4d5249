//! Facts that are asked for by values written out: `orders(90).count`, `last('VISIT')`.
//!
//! Once a rule is judged, each becomes one name, as it is written here: whoever provides facts finds by [`super::Rule::reads`]
//! which are asked for, and provides no others.

use std::collections::BTreeSet;
use std::fmt;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

use super::tree::parts;
use crate::money::Currency;

/// What stands in the brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// So many days, from one to this many.
    Days(i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A currency of ISO 4217.
    Currency,
    /// A word of the tenant's own: small letters, digits, `_` and `-`, so many at most, a letter first.
    Label(usize),
}

impl Parameter {
    /// The value as it stands in a name; `None` where it is none that may stand here.
    fn spelled(self, value: &IdedExpr) -> Option<String> {
        match (self, &value.expr) {
            (Self::Days(most), Expr::Literal(LiteralValue::Int(days))) => {
                (1..=most).contains(days.inner()).then(|| days.inner().to_string())
            }
            (Self::Days(_), _) => None,
            (_, Expr::Literal(LiteralValue::String(text))) => {
                self.admits(text.inner()).then(|| format!("'{}'", text.inner()))
            }
            _ => None,
        }
    }

    fn admits(self, text: &str) -> bool {
        match self {
            Self::Days(_) => false,
            Self::Word(words) => words.contains(&text),
            Self::Currency => Currency::new(text).is_ok(),
            Self::Label(most) => {
                let plain =
                    |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
                let letter = text.starts_with(|first: char| first.is_ascii_lowercase());
                letter && text.len() <= most && text.bytes().all(plain)
            }
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(most) => write!(f, "days from 1 to {most}"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
            Self::Currency => f.write_str("a currency, as 'EUR'"),
            Self::Label(most) => {
                write!(f, "a word of at most {most} small letters, digits, `_` and `-`, a letter first")
            }
        }
    }
}

/// What `name` asks for, in words.
pub(super) fn wants(name: &str, parameters: &[Parameter]) -> String {
    let parameters: Vec<String> = parameters.iter().map(ToString::to_string).collect();
    format!("`{name}` asks, written out in brackets, for {}", parameters.join(", and for "))
}

/// A call that asks, as it stands in a name; `None` where the values are none that may stand there.
pub(super) fn spelled(call: &CallExpr, parameters: &[Parameter]) -> Option<String> {
    if call.args.len() != parameters.len() {
        return None;
    }
    let values: Option<Vec<String>> =
        parameters.iter().zip(&call.args).map(|(parameter, value)| parameter.spelled(value)).collect();
    Some(format!("{}({})", call.func_name, values?.join(", ")))
}

/// Makes one name of everything that is asked for: of calls of these numbers, and of the fields of what they give.
pub(super) fn name(expression: &mut IdedExpr, asked: &BTreeSet<(u64, String)>) {
    parts(expression).into_iter().for_each(|part| name(part, asked));
    let named = match &expression.expr {
        Expr::Call(call) => {
            let spelled = asked.iter().find(|(id, _)| *id == expression.id).map(|(_, spelled)| spelled);
            spelled.map(|spelled| match call.target.as_deref() {
                None => spelled.clone(),
                Some(target) => format!("{}.{spelled}", path(target)),
            })
        }
        Expr::Select(select) => match &select.operand.expr {
            Expr::Ident(name) if name.contains('(') => Some(format!("{name}.{}", select.field)),
            _ => None,
        },
        _ => None,
    };
    if let Some(named) = named {
        expression.expr = Expr::Ident(named);
    }
}

/// An object, by its path.
fn path(expression: &IdedExpr) -> String {
    match &expression.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) => format!("{}.{}", path(&select.operand), select.field),
        // Nothing else is an object.
        _ => String::new(),
    }
}
