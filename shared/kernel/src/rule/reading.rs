//! How texts of a map are read where somebody has declared what they are: as a number, as true or false, as a date, as
//! several texts. What is kept stays a text, in one form for each value; a rule that reads it is made to when it is
//! compiled, so that facts are the same for every rule and cost nothing where none reads them so.
//!
//! What is kept and cannot be read so is as if it were not there: a rule that reads it fails.

use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, Expr, IdedExpr};
use cel::common::types::{CelBool, CelDouble, CelList, CelString};
use cel::common::value::Val;
use cel::{DeclarationError, Env, ExecutionError, add_overload};
use serde::{Deserialize, Serialize};

use super::TEXT_COST;
use super::tree::parts;
use crate::text;

/// The most digits of a number. So many come back from a decimal number of a rule as they were, and in their order.
pub const MAX_DIGITS: usize = 15;
/// The most texts of one value.
pub(super) const MAX_TEXTS: u64 = 128;
/// Between the texts of one value.
const BETWEEN: char = '\n';

/// What a text stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reading {
    /// Itself.
    #[default]
    Text,
    /// A decimal number of up to [`MAX_DIGITS`] digits: `-3.5`.
    Number,
    /// `true` or `false`.
    Truth,
    /// A day: `2031-12-24`. Rules compare it as a text, which orders days.
    Date,
    /// Several, one a line.
    Texts,
}

impl Reading {
    /// As people name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Truth => "true or false",
            Self::Date => "a date",
            Self::Texts => "a list of texts",
        }
    }

    /// The form that is kept of what somebody sends.
    ///
    /// # Errors
    /// What it must be, in English.
    pub fn canonical(self, sent: &str) -> Result<String, String> {
        match self {
            Self::Text => Ok(sent.to_owned()),
            Self::Number => canonical_number(sent.trim()).ok_or_else(|| {
                format!("must be a decimal number of at most {MAX_DIGITS} digits, such as 42 or -3.5")
            }),
            Self::Truth => match sent.trim().to_ascii_lowercase() {
                truth if truth == "true" || truth == "false" => Ok(truth),
                _ => Err("must be true or false".to_owned()),
            },
            Self::Date => Some(sent.trim())
                .filter(|day| is_date(day) && day.parse::<jiff::civil::Date>().is_ok())
                .map(str::to_owned)
                .ok_or_else(|| "must be a day, such as 2031-12-24".to_owned()),
            Self::Texts => canonical_texts(sent),
        }
    }

    /// The steps of reading one.
    pub(super) fn cost(self) -> u64 {
        match self {
            Self::Text => 0,
            Self::Number | Self::Truth | Self::Date => TEXT_COST,
            Self::Texts => MAX_TEXTS,
        }
    }

    /// What a compiled rule calls; nobody can write such a name.
    pub(super) fn function(self) -> Option<&'static str> {
        match self {
            Self::Text => None,
            Self::Number => Some("@number"),
            Self::Truth => Some("@truth"),
            Self::Date => Some("@date"),
            Self::Texts => Some("@texts"),
        }
    }

    /// Which one a compiled rule calls by this name.
    pub(super) fn called(function: &str) -> Option<Self> {
        [Self::Number, Self::Truth, Self::Date, Self::Texts]
            .into_iter()
            .find(|reading| reading.function() == Some(function))
    }
}

fn canonical_number(sent: &str) -> Option<String> {
    let (minus, digits) = match sent.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, sent.strip_prefix('+').unwrap_or(sent)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
    if whole.len() + part.len() > MAX_DIGITS {
        return None;
    }
    let sign = if minus && !(whole.is_empty() && part.is_empty()) { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let canonical = if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") };
    // "0.000000000000001" has a digit more than it means: what is kept is read by its digits.
    number(&canonical).map(|_| canonical)
}

fn canonical_texts(sent: &str) -> Result<String, String> {
    let texts = sent.split(BETWEEN).map(str::trim).filter(|one| !one.is_empty());
    let mut texts: Vec<String> = texts.map(|one| text::composed(one).into_owned()).collect();
    if texts.iter().any(|one| one.chars().any(char::is_control)) {
        return Err("must be texts without control characters, one a line".to_owned());
    }
    texts.sort_unstable();
    texts.dedup();
    Ok(texts.join("\n"))
}

/// As many digits as [`MAX_DIGITS`] in all, a minus before them and one point between them. Statements read it alike.
fn number(kept: &str) -> Option<f64> {
    let digits = kept.strip_prefix('-').unwrap_or(kept);
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    let points = digits.bytes().filter(|byte| *byte == b'.').count();
    let ends = digits.starts_with('.') || digits.ends_with('.');
    let plain = count + points == digits.len() && points <= 1 && !ends && (1..=MAX_DIGITS).contains(&count);
    plain.then(|| kept.parse().ok()).flatten()
}

fn truth(kept: &str) -> Option<bool> {
    match kept {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Whether it looks like a day; what is kept was one.
fn is_date(kept: &str) -> bool {
    kept.len() == 10
        && kept.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn unreadable(reading: Reading) -> ExecutionError {
    ExecutionError::FunctionError {
        function: "attribute".to_owned(),
        message: format!("what is kept is not {}", reading.word()),
    }
}

fn read_number(kept: &CelString<'_>) -> Result<CelDouble, ExecutionError> {
    number(kept.inner()).map(CelDouble::from).ok_or_else(|| unreadable(Reading::Number))
}

fn read_truth(kept: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    truth(kept.inner()).map(CelBool::from).ok_or_else(|| unreadable(Reading::Truth))
}

fn read_date(kept: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    let day = Some(kept.inner()).filter(|day| is_date(day)).map(|day| CelString::from(day.to_owned()));
    day.ok_or_else(|| unreadable(Reading::Date))
}

/// A text that is empty has none; what is kept has no empty line.
fn read_texts(kept: &CelString<'_>) -> CelList<'static> {
    let lines = kept.inner().split(BETWEEN).filter(|_| !kept.inner().is_empty());
    let texts: Vec<Box<dyn Val>> =
        lines.map(|one| Box::new(CelString::from(one.to_owned())) as Box<dyn Val>).collect();
    CelList::from(texts)
}

/// Teaches the language to read.
pub(super) fn declare(language: &mut Env) -> Result<(), DeclarationError> {
    add_overload!(language, fn read_number: (CelString) -> Result<CelDouble>, name = "@number", id = "@number")?;
    add_overload!(language, fn read_truth: (CelString) -> Result<CelBool>, name = "@truth", id = "@truth")?;
    add_overload!(language, fn read_date: (CelString) -> Result<CelString>, name = "@date", id = "@date")?;
    add_overload!(language, fn read_texts: (CelString) -> CelList, name = "@texts", id = "@texts")
}

/// Has every expression of `read`, by its number, read as is said there.
pub(super) fn write_in(expression: &mut IdedExpr, read: &BTreeMap<u64, Reading>) {
    parts(expression).into_iter().for_each(|part| write_in(part, read));
    let Some(function) = read.get(&expression.id).and_then(|reading| reading.function()) else { return };
    let inner = std::mem::take(expression);
    let id = inner.id;
    let call = CallExpr { func_name: function.to_owned(), target: None, args: vec![inner] };
    *expression = IdedExpr { id, expr: Expr::Call(call) };
}
