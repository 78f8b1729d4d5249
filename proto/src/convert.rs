//! Between `common.v1` and the kernel's values.
//!
//! From the contract: `fn(at, message, &mut problems) -> Option<value>`. `at` is the path of the message in the request
//! (`""` for the request itself); every violation is added to `problems` with its full path, and a value comes out
//! exactly when the call added none. To the contract: `From<&value>`, which always succeeds. A value that is written
//! and read again is the same value.

use tandem_kernel::problem::Problem;

mod basket;
mod discount;
mod limits;
mod money;
mod quote;
mod rule;
mod time;

pub use basket::{Draft, DraftLine, basket, draft, tax_mode};
pub use discount::{discount, scope};
pub use limits::limits;
pub use money::{amount, amounts, currency, meant_currency, money};
pub use quote::{TokenError, open_claims, seal_claims};
pub use time::{date, recurrence, timestamp, to_timestamp, window};

/// The path of `field` inside the message at `at`.
fn join(at: &str, field: &str) -> String {
    match (at, field) {
        ("", field) => field.to_owned(),
        (at, "") => at.to_owned(),
        (at, field) => format!("{at}.{field}"),
    }
}

fn refuse(problems: &mut Vec<Problem>, at: &str, field: &str, message: impl Into<String>) {
    problems.push(Problem::new(join(at, field), message));
}

/// Adds what the kernel finds wrong with a value of the message at `at`. Where a field was already refused, the value
/// holds something neutral, and what the kernel says about that is left out.
fn add_unless_known(problems: &mut Vec<Problem>, known_from: usize, at: &str, found: Vec<Problem>) {
    for problem in found {
        let field = join(at, &problem.field);
        if !problems[known_from..].iter().any(|known| known.field == field) {
            problems.push(Problem::new(field, problem.message));
        }
    }
}

/// The contract's value of an enum, refused where this version does not know it.
fn known_enum<E: TryFrom<i32>>(at: &str, field: &str, number: i32, problems: &mut Vec<Problem>) -> Option<E> {
    let known = E::try_from(number).ok();
    if known.is_none() {
        refuse(problems, at, field, format!("{number} is not a value of this enum"));
    }
    known
}

/// The id in a resource name of `collection`.
fn id_in(at: &str, collection: &str, name: &str, problems: &mut Vec<Problem>) -> Option<String> {
    match tandem_kernel::id::parse(collection, name) {
        Ok(id) => Some(id.to_owned()),
        Err(error) => {
            refuse(problems, at, "", error.to_string());
            None
        }
    }
}

/// A limit, where there is one: at least 1, for 0 would give nothing.
fn positive(at: &str, field: &str, number: Option<i64>, problems: &mut Vec<Problem>) -> Option<i64> {
    let given = number?;
    if given < 1 {
        refuse(problems, at, field, format!("must be at least 1, is {given}; absent is no limit"));
    }
    (given >= 1).then_some(given)
}

#[cfg(test)]
mod tests;
