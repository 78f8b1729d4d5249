//! What a person reads when a command fails: each thing that is wrong once, in the words of what was typed, and what to do.

use std::collections::BTreeMap;
use std::fmt;

use tonic::Code;
use tonic_types::StatusExt;

/// Why a command ended badly.
#[derive(Debug)]
pub enum Failure {
    /// A service refused, or could not be reached.
    Refused(Box<tonic::Status>),
    /// The command's own word.
    Said(String),
}

/// Fields of requests, the last one or two parts of their path, by the flags that fill them.
const FLAGS: &[(&str, &str)] = &[
    ("amount", "--add or --take"),
    ("balance", "--balance"),
    ("batch", "--batch"),
    ("budgets", "--budget"),
    ("campaign", "--serves"),
    ("categories", "--category"),
    ("codes", "--code"),
    ("condition", "--condition"),
    ("currency_code", "--currency"),
    ("cursor", "--cursor"),
    ("customer", "--customer"),
    ("discount.amount", "--amount"),
    ("discount.minimum_spend", "--minimum-spend"),
    ("discount.percent", "--percent"),
    ("display_name", "--display-name"),
    ("filter", "--filter"),
    ("guest_key", "--guest-key"),
    ("incentive", "--incentive"),
    ("lines", "--line"),
    ("locale", "--locale"),
    ("max_uses", "--max-uses"),
    ("max_uses_per_code", "--uses-per-code"),
    ("max_uses_per_customer", "--max-uses-per-customer"),
    ("metric", "--metric"),
    ("objective", "--objective"),
    ("order_id", "--order"),
    ("pattern", "--pattern"),
    ("place", "--place"),
    ("prefix", "--prefix"),
    ("prices", "--price"),
    ("quantity", "--quantity"),
    ("quote_token", "--quote-token"),
    ("reason", "--reason"),
    ("replaces", "--replaces"),
    ("replaces_order_id", "--replaces"),
    ("request_id", "--request-id"),
    ("rule", "--rule"),
    ("segments", "--segment"),
    ("shipping", "--shipping"),
    ("shipping_amount", "--shipping"),
    ("target_count", "--target"),
    ("target_money", "--target"),
    ("tax_rate_ppm", "--tax"),
    ("time_zone", "--time-zone"),
    ("ttl", "--ttl-seconds"),
    ("types", "--type"),
    ("unit_costs", "--cost"),
    ("validity.end_time", "--valid-until"),
    ("validity.start_time", "--valid-from"),
    ("window", "--start and --end"),
    ("window.end_time", "--end"),
    ("window.start_time", "--start"),
];

/// A field of a request as it was typed: `--code (number 2)`, of `plain.codes[1]`. One that no flag fills keeps its name.
fn flag(field: &str) -> String {
    let parts: Vec<(&str, Option<usize>)> = field.split('.').map(indexed).collect();
    for at in 0..parts.len() {
        let is_last = at + 1 == parts.len();
        let pair = parts.get(at + 1).map(|(next, _)| format!("{}.{next}", parts[at].0));
        let known = |path: &str| FLAGS.iter().find(|(known, _)| *known == path).map(|(_, flag)| *flag);
        let (flag, end) = match (pair.as_deref().and_then(known), known(parts[at].0)) {
            (Some(flag), _) => (flag, at + 2),
            // What holds other fields is no flag of its own: `incentive.condition`.
            (None, Some(_)) if !is_last && parts[at].1.is_none() => continue,
            (None, Some(flag)) => (flag, at + 1),
            (None, None) => continue,
        };
        let number = parts[end - 1].1.map(|index| format!(" (number {})", index + 1)).unwrap_or_default();
        let rest: Vec<&str> = parts[end..].iter().map(|(name, _)| *name).collect();
        let rest =
            if rest.is_empty() { String::new() } else { format!(", {}", rest.join(" ").replace('_', " ")) };
        return format!("{flag}{number}{rest}");
    }
    field.to_owned()
}

/// `codes` and 1, of `codes[1]`.
fn indexed(part: &str) -> (&str, Option<usize>) {
    let Some((name, index)) = part.split_once('[') else { return (part, None) };
    (name, index.trim_end_matches(']').parse().ok())
}

/// What can be done about it, where the message does not say so itself.
fn advice(status: &tonic::Status, reason: &str) -> Option<&'static str> {
    let message = status.message();
    match (status.code(), reason) {
        (_, "ALREADY_EXISTS") => Some("choose another name; `tandem apply -f` changes what is there"),
        (_, "ETAG_MISMATCH") => {
            Some("somebody else has changed it meanwhile: look at it and run the command again")
        }
        (_, "CURSOR_EXPIRED") => Some("begin with --from-start"),
        // Most messages say it.
        _ if message.contains("try again") || message.contains("retry") => None,
        (Code::Unavailable | Code::DeadlineExceeded, _) => {
            Some("try again; a write is repeated safely with the same --request-id")
        }
        (Code::ResourceExhausted | Code::Aborted, _) => Some("try again in a moment"),
        _ => None,
    }
}

impl Failure {
    /// A failure in the command's own words.
    pub fn said(words: impl Into<String>) -> Self {
        Self::Said(words.into())
    }

    /// Where a file or a value was wrong.
    pub fn at(place: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::Said(format!("{place}: {error}"))
    }

    /// The failure with every field of the contract in the words of whoever filled it.
    pub fn told(&self, word: &dyn Fn(&str) -> String) -> String {
        match self {
            Self::Said(words) => words.clone(),
            Self::Refused(status) => refusal(status, word),
        }
    }
}

fn refusal(status: &tonic::Status, word: &dyn Fn(&str) -> String) -> String {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.as_str()).unwrap_or_default();
    let violations: Vec<String> = details
        .bad_request()
        .iter()
        .flat_map(|bad| &bad.field_violations)
        .map(|violation| {
            // Where the description begins with the field's own name it has been said.
            let own = violation.description.strip_prefix(&format!("{} ", violation.field));
            format!("{}: {}", word(&violation.field), own.unwrap_or(&violation.description))
        })
        .collect();
    let mut lines = match violations.as_slice() {
        [] if reason.is_empty() => vec![status.message().to_owned()],
        [] => vec![format!("{} ({reason})", status.message())],
        [one] => vec![one.clone()],
        many => {
            let head = format!("{} things are wrong", many.len());
            [head].into_iter().chain(many.iter().map(|one| format!("  {one}"))).collect()
        }
    };
    for failed in details.precondition_failure().iter().flat_map(|failed| &failed.violations) {
        let is_said = |text: &String| status.message().contains(text.as_str());
        match (is_said(&failed.subject), is_said(&failed.description)) {
            (true, true) => {}
            (false, true) => lines.push(format!("  {}", failed.subject)),
            (_, false) => lines.push(format!("  {}: {}", failed.subject, failed.description)),
        }
    }
    let metadata = details.error_info().map(|info| BTreeMap::from_iter(&info.metadata)).unwrap_or_default();
    let is_said = |value: &str, lines: &[String]| lines.iter().any(|line| line.contains(value));
    for (key, value) in metadata {
        if !is_said(value, &lines) {
            lines.push(format!("  {}: {value}", key.replace('_', " ")));
        }
    }
    if let Some(advice) = advice(status, reason) {
        lines.push(format!("  {advice}"));
    }
    lines.join("\n")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&flag))
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Said(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    fn told(message: &str, fields: &[&str]) -> String {
        let wrong = fields.iter().map(|field| FieldViolation::new(*field, "is required")).collect::<Vec<_>>();
        let details = ErrorDetails::with_bad_request(wrong);
        let status = Status::with_error_details(Code::InvalidArgument, message, details);
        Failure::from(status).to_string()
    }

    #[test]
    fn each_thing_that_is_wrong_is_told_once_in_the_words_of_the_flags() {
        assert_eq!(told("order_id: is required", &["order_id"]), "--order: is required");
        let both = told(
            "2 fields are wrong, first customer: is required",
            &["customer", "plain.basket.lines[0].quantity"],
        );
        assert_eq!(
            both,
            "2 things are wrong\n  --customer: is required\n  --line (number 1), quantity: is required"
        );
        assert_eq!(told("x", &["incentive.condition"]), "--condition: is required");
        assert_eq!(told("x", &["incentive.validity.end_time"]), "--valid-until: is required");
        assert_eq!(told("x", &["plain.codes[1]"]), "--code (number 2): is required");
        assert_eq!(told("x", &["what.nobody[3].types.in"]), "what.nobody[3].types.in: is required");
    }

    #[test]
    fn what_to_do_is_said_where_something_can_be_done() {
        let details = ErrorDetails::with_error_info(
            "ALREADY_EXISTS",
            "tandem.common.v1",
            [("resource".to_owned(), "products/mug".to_owned())],
        );
        let status = Status::with_error_details(Code::AlreadyExists, "products/mug exists already", details);
        let said = Failure::from(status).to_string();
        assert_eq!(
            said,
            "products/mug exists already (ALREADY_EXISTS)\n  choose another name; `tandem apply -f` changes what is there"
        );
    }

    #[test]
    fn every_flag_that_errors_speak_of_is_one() {
        fn flags(of: &Command, found: &mut Vec<String>) {
            found.extend(of.get_arguments().filter_map(|one| Some(format!("--{}", one.get_long()?))));
            of.get_subcommands().for_each(|below| flags(below, found));
        }
        let mut known = Vec::new();
        flags(&crate::Arguments::command(), &mut known);
        for (field, words) in FLAGS {
            for flag in words.split(' ').filter(|word| word.starts_with("--")) {
                assert!(known.contains(&flag.to_owned()), "{field}: nobody types {flag}");
            }
        }
    }
}
