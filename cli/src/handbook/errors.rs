//! The page of every reason for which a call is refused.

use prost_reflect::{DescriptorPool, EnumDescriptor};

use super::Page;
use super::contract::{ERRORS, said};
use super::text::{cell, prose, written};
use crate::failure::Failure;

const HEAD: &str = "# Errors

A call that fails has a gRPC code, a message for developers, and details in `grpc-status-details-bin` for programs:

| detail | says |
|---|---|
| `google.rpc.ErrorInfo` | always: the reason, its domain, and metadata such as the resource that is meant |
| `google.rpc.BadRequest` | of INVALID_ARGUMENT: every field that is wrong, with a reason where a program can act on it |
| `google.rpc.PreconditionFailure` | of FAILED_PRECONDITION: what refuses, an offer or a code, with the reason of each |
| `google.rpc.RetryInfo` | that trying again makes sense, and after what time |

Decide by reason and domain, not by the message. Which calls may be sent again, and for how long: [Retries](../retries.md).
Where two services refuse for the same thing, the reason has one name and two domains. A field's own reason is `INVALID` unless it
is one of those below that say so. Why an offer or a code is not in a quote is no error but a decision:
[DecisionReason](api/campaign/pricing.md#decisionreason).
";

/// What a comment says of a reason.
struct Reason {
    /// `FAILED_PRECONDITION`, perhaps with where it stands.
    code: String,
    means: String,
    /// What its caller does.
    to_do: String,
}

/// The page.
pub fn page(pool: &DescriptorPool) -> Result<Page, Failure> {
    let mut text = written("the contracts") + HEAD;
    for reasons in enums(pool)? {
        text += &format!("\n## {}\n\n", reasons.package_name());
        text += &prose(&said(&reasons.parent_file(), reasons.path()), 0);
        text += "\n\n| reason | code | what it means | what to do |\n|---|---|---|---|\n";
        for value in reasons.values().filter(|value| value.number() != 0) {
            let name = value.name().trim_start_matches("ERROR_REASON_");
            let Reason { code, means, to_do } = read(&said(&reasons.parent_file(), value.path()))
                .ok_or_else(|| {
                    Failure::said(format!("{name}: its comment is not CODE: meaning. To do: …"))
                })?;
            text += &format!("| `{name}` | {} | {} | {} |\n", cell(&code), cell(&means), cell(&to_do));
        }
    }
    Ok(Page { path: ERRORS.to_owned(), text })
}

fn enums(pool: &DescriptorPool) -> Result<Vec<EnumDescriptor>, Failure> {
    let of = |package: &str| {
        let name = format!("tandem.{package}.v1.ErrorReason");
        pool.get_enum_by_name(&name).ok_or_else(|| Failure::said(format!("{name} is not in the contracts")))
    };
    ["common", "campaign", "relationship"].into_iter().map(of).collect()
}

/// `CODE: meaning.` and `To do: …`
fn read(comment: &str) -> Option<Reason> {
    let words: Vec<&str> = comment.split_whitespace().collect();
    let text = words.join(" ");
    let (says, to_do) = text.split_once(" To do: ")?;
    let (code, means) = says.split_once(": ")?;
    let is_code = code
        .split([' ', ','])
        .next()
        .is_some_and(|word| word.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    is_code.then(|| Reason { code: code.to_owned(), means: sentence(means), to_do: sentence(to_do) })
}

/// Begins with a capital letter, unless it begins with a name.
fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !word.contains(['.', '_']) => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_says_the_code_the_meaning_and_what_to_do() {
        let said = " NOT_FOUND, of an item: there is\n none.\n To do: google.rpc.Help says it.\n";
        let Reason { code, means, to_do } = read(said).unwrap();
        assert_eq!((code.as_str(), means.as_str()), ("NOT_FOUND, of an item", "There is none."));
        assert_eq!(to_do, "google.rpc.Help says it.");
        for wrong in ["There is none.", "NOT_FOUND: there is none.", "There: is none. To do: nothing."] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}
