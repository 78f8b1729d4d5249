//! The patterns of `matches`. CEL says RE2 syntax, in which `\d`, `\w`, `\s` and `\b` speak of ASCII; the engine below
//! reads them as Unicode, whose tables take milliseconds to compile. So they are written out as what CEL means, once,
//! when the rule is compiled. The engine compiles a pattern in every evaluation, which is why patterns are kept small.

use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use cel::common::types::CelString;
use cel::{Context, Env, Program};

use super::tree::parts;
use super::{MAX_PATTERN_BYTES, MAX_PATTERN_REPEAT};

/// Steps of compiling a pattern: in all, and for each byte each time it is repeated.
const COST: u64 = 250;
const BYTE_COST: u64 = 25;

/// The cost of a pattern in each evaluation, or what is wrong with it.
pub(super) fn cost(pattern: &str) -> Result<u64, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("the pattern has {} bytes, the limit is {MAX_PATTERN_BYTES}", pattern.len()));
    }
    let repeats = repetitions(pattern);
    if repeats > MAX_PATTERN_REPEAT {
        return Err(format!(
            "the pattern repeats its parts {repeats} times, the limit is {MAX_PATTERN_REPEAT}"
        ));
    }
    let plain = plain(pattern)?;
    compiles(&plain).map_err(|()| format!("`{pattern}` is not a regular expression"))?;
    let bytes = u64::try_from(plain.len()).unwrap_or(u64::MAX);
    Ok(COST + bytes * repeats * BYTE_COST)
}

/// The product of all counted repetitions, as if they were nested: an upper bound of what the pattern unfolds to.
fn repetitions(pattern: &str) -> u64 {
    let mut product = 1_u64;
    for rest in pattern.split('{').skip(1) {
        let inside = rest.split('}').next().unwrap_or("");
        let most = inside.split(',').filter_map(|count| count.trim().parse::<u64>().ok()).max();
        product = product.saturating_mul(most.unwrap_or(1).max(1));
    }
    product
}

/// The pattern with the classes of RE2 written out. `\p` is refused: nothing but the Unicode tables can say it.
fn plain(pattern: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('d') => plain.push_str("[0-9]"),
            Some('D') => plain.push_str("[^0-9]"),
            Some('w') => plain.push_str("[0-9A-Za-z_]"),
            Some('W') => plain.push_str("[^0-9A-Za-z_]"),
            Some('s') => plain.push_str(r"[\t\n\x0C\r ]"),
            Some('S') => plain.push_str(r"[^\t\n\x0C\r ]"),
            Some('b') => plain.push_str(r"(?-u:\b)"),
            Some('B') => return Err(r"`\B` is not supported in patterns".to_owned()),
            Some('p' | 'P') => return Err(r"Unicode classes are not supported in patterns".to_owned()),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    Ok(plain)
}

/// Whether the engine that will evaluate the pattern takes it.
fn compiles(pattern: &str) -> Result<(), ()> {
    let program = Program::compile("''.matches(pattern)").map_err(|_| ())?;
    let mut context = Context::with_env(std::sync::Arc::new(Env::stdlib()));
    context.add_variable_from_value("pattern", pattern.to_owned());
    program.execute(&context).map(|_| ()).map_err(|_| ())
}

/// Writes every pattern of a judged rule as the engine is to read it.
pub(super) fn write_out(expression: &mut IdedExpr) {
    if let Expr::Call(call) = &mut expression.expr
        && call.func_name == "matches"
        && let Some(Expr::Literal(LiteralValue::String(text))) =
            call.args.last_mut().map(|last| &mut last.expr)
        && let Ok(plain) = plain(text.inner())
    {
        *text = CelString::from(plain);
    }
    parts(expression).into_iter().for_each(write_out);
}
