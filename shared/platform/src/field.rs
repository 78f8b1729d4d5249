//! Reading the fields that several messages have. Each reader reports to the request's [`Violations`] and answers
//! something of the right type, so that the reading goes on to the next violation.

mod people;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use prost::Message;
use tandem_kernel::clock::Ids;
use tandem_kernel::id;
use tandem_kernel::limits;
use tandem_kernel::order_id;
use tandem_kernel::problem::Problem;

use crate::fault::{Fault, Violations};
use crate::grpc;
use crate::idempotency::Request;

pub use people::{by_locale, country, locale, place, titles, zone};

/// What is told of one item of a batch: an answer about a thousand of them stays within what every client reads.
const ITEM_VIOLATIONS: usize = 4;

const MAX_ECHO: usize = 128;
const MAX_LABELS: usize = 64;
const MAX_LABEL_BYTES: usize = 256;

/// A text of so many characters, none of them a control character.
pub fn text(v: &mut Violations, field: &str, text: String, characters: RangeInclusive<usize>) -> String {
    let count = text.chars().count();
    let (least, most) = (characters.start(), characters.end());
    v.check(
        characters.contains(&count),
        field,
        format!("must have {least} to {most} characters, has {count}"),
    );
    v.check(!text.chars().any(char::is_control), field, "must not have control characters");
    text
}

/// A text of so many characters at most, in lines and paragraphs.
pub fn prose(v: &mut Violations, field: &str, text: String, characters: RangeInclusive<usize>) -> String {
    let count = text.chars().count();
    let (least, most) = (characters.start(), characters.end());
    v.check(
        characters.contains(&count),
        field,
        format!("must have {least} to {most} characters, has {count}"),
    );
    let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    v.check(
        text.chars().all(plain),
        field,
        "must not have control characters other than line breaks and tabs",
    );
    text
}

/// Up to 64 entries of 256 bytes.
pub fn labels(v: &mut Violations, field: &str, labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let count = labels.len();
    v.check(count <= MAX_LABELS, field, format!("must have at most {MAX_LABELS} entries, has {count}"));
    for (key, value) in labels.iter().take(MAX_LABELS) {
        let short: String = key.chars().take(64).collect();
        v.check(!key.is_empty(), field, "keys must not be empty");
        let bytes = key.len().max(value.len());
        let message = format!("keys and values must have at most {MAX_LABEL_BYTES} bytes, this has {bytes}");
        v.check(bytes <= MAX_LABEL_BYTES, format!("{field}[{short}]"), message);
        let zero = key.contains('\0') || value.contains('\0');
        v.check(!zero, format!("{field}[{short}]"), "must not have the character U+0000");
    }
    labels
}

/// The id in a resource name: `campaigns/spring` to `spring`.
pub fn resource(v: &mut Violations, field: &str, collection: &str, name: &str) -> String {
    match id::parse(collection, name) {
        Ok(id) => id.to_owned(),
        Err(error) => {
            v.add(field, error.to_string());
            String::new()
        }
    }
}

/// The id in a resource name that may be empty.
pub fn optional_resource(v: &mut Violations, field: &str, collection: &str, name: &str) -> Option<String> {
    (!name.is_empty()).then(|| resource(v, field, collection, name))
}

/// The name of what each tenant has one of, which may be empty.
pub fn only(v: &mut Violations, field: &str, name: &str, given: &str) {
    v.check(given.is_empty() || given == name, field, format!("must be `{name}`, or empty"));
}

/// The checkout's own id of an order.
pub fn order_id(v: &mut Violations, field: &str, id: String) -> String {
    if let Err(error) = order_id::check(&id) {
        v.add(field, error.to_string());
    }
    id
}

/// The id in an order's name: `orders/%231001` to `#1001`.
pub fn order(v: &mut Violations, field: &str, name: &str) -> String {
    order_id::parse(name).unwrap_or_else(|error| {
        v.add(field, error.to_string());
        String::new()
    })
}

/// Whom counters count for: a customer, or a guest; nobody where neither is named.
pub fn subject(v: &mut Violations, customer: &str, guest_key: &str) -> Option<Arc<str>> {
    v.check(customer.is_empty() || guest_key.is_empty(), "guest_key", "must not stand beside customer");
    let customer = optional_resource(v, "customer", "customers", customer);
    let guest = (!guest_key.is_empty()).then(|| text(v, "guest_key", guest_key.to_owned(), 16..=128));
    limits::subject(customer.as_deref(), guest.as_deref())
}

/// What a new resource may be called: the id its caller wants, and where that is empty its name, may be empty too.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// `campaigns`.
    pub collection: &'a str,
    /// The request's field of the wanted id: `campaign_id`.
    pub field: &'a str,
    /// Its value.
    pub id: &'a str,
    /// The resource's own name.
    pub name: &'a str,
}

/// The id of a resource to be created: the one wanted, else the one in its name, else a fresh one.
pub fn new_id(v: &mut Violations, ids: &dyn Ids, now: Timestamp, wanted: Wanted<'_>) -> String {
    if wanted.id.is_empty() && !wanted.name.is_empty() {
        return resource(v, "name", wanted.collection, wanted.name);
    }
    id::chosen_or(wanted.id, ids.next(now)).unwrap_or_else(|error| {
        v.add(wanted.field, error.to_string());
        String::new()
    })
}

/// What makes this write the same as its repetition; `body` is the request without its request_id. An empty id is made
/// here, so that such a write is the same as no other.
pub fn request(
    v: &mut Violations,
    ids: &dyn Ids,
    now: Timestamp,
    method: &'static str,
    id: &str,
    body: &impl Message,
) -> Request {
    grpc::optional_request_id(v, id);
    match id {
        "" => Request::new(method, &ids.next(now).to_string(), body),
        id => Request::new(method, id, body),
    }
}

/// So many units of so many lines, at most `most`, each line once. How many lines there must be the caller judges.
pub fn units(
    v: &mut Violations,
    field: &str,
    given: impl IntoIterator<Item = (String, i64)>,
    most: usize,
) -> Vec<(String, i64)> {
    let mut lines: Vec<(String, i64)> = Vec::new();
    for (index, (line, quantity)) in given.into_iter().take(most).enumerate() {
        let twice = lines.iter().position(|(known, _)| *known == line);
        let mut v = v.nest(format!("{field}[{index}]"));
        if let Some(first) = twice {
            v.add("line_id", format!("is also the id of {field}[{first}]"));
        }
        v.check(!line.is_empty(), "line_id", "is required");
        v.check(quantity >= 1, "quantity", "must be at least 1");
        lines.push((line, quantity));
    }
    lines
}

/// A number in a range; absent is none.
pub fn number(
    v: &mut Violations,
    field: &str,
    given: Option<i32>,
    range: RangeInclusive<i32>,
) -> Option<u32> {
    let given = given?;
    let message = format!("must be {} to {}, is {given}", range.start(), range.end());
    let in_range = v.check(range.contains(&given), field, message);
    in_range.then(|| given.unsigned_abs())
}

/// A duration of so many whole seconds; absent is none.
pub fn seconds(
    v: &mut Violations,
    field: &str,
    given: Option<&prost_types::Duration>,
    range: RangeInclusive<u32>,
) -> Option<u32> {
    let given = given?;
    let whole = u32::try_from(given.seconds).ok().filter(|_| given.nanos == 0);
    let seconds = whole.filter(|seconds| range.contains(seconds));
    v.check(seconds.is_some(), field, format!("must be {} to {} whole seconds", range.start(), range.end()));
    seconds
}

/// How long something is to be held: 1 second to 24 hours, `usual` where nothing is said.
pub fn hold_ttl(
    v: &mut Violations,
    given: Option<&prost_types::Duration>,
    usual: SignedDuration,
) -> SignedDuration {
    let Some(given) = given else { return usual };
    let well_formed = (0..1_000_000_000).contains(&given.nanos) && given.seconds >= 0;
    let asked = well_formed.then(|| SignedDuration::new(given.seconds, given.nanos));
    let allowed = SignedDuration::from_secs(1)..=SignedDuration::from_hours(24);
    asked.filter(|asked| allowed.contains(asked)).unwrap_or_else(|| {
        v.add("ttl", "must be 1 second to 24 hours");
        usual
    })
}

/// What was sent, as an answer about it names it: its first 128 characters.
pub fn echo(sent: &str) -> String {
    sent.chars().take(MAX_ECHO).collect()
}

/// What became of one item of a batch that was refused.
pub fn item_status(fault: Fault) -> tonic_types::Status {
    let status = tonic::Status::from(fault.brief(ITEM_VIOLATIONS));
    // The details of a status of ours are that very message.
    tonic_types::Status::decode(status.details()).unwrap_or_else(|_| tonic_types::Status {
        code: status.code() as i32,
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}

/// What became of one item of a batch that was done.
pub fn item_ok() -> tonic_types::Status {
    tonic_types::Status { code: 0, message: String::new(), details: Vec::new() }
}

/// What a conversion of `common.v1` reads.
pub fn read<T>(v: &mut Violations, convert: impl FnOnce(&mut Vec<Problem>) -> Option<T>) -> Option<T> {
    let mut found = Vec::new();
    let value = convert(&mut found);
    problems(v, found);
    value
}

/// Reports what the kernel or an aggregate finds wrong.
pub fn problems(v: &mut Violations, problems: impl IntoIterator<Item = Problem>) {
    for problem in problems {
        v.add(problem.field, problem.message);
    }
}

#[cfg(test)]
mod tests {
    use tandem_kernel::clock::CountingIds;

    use super::*;

    fn fields(read: impl FnOnce(&mut Violations)) -> Vec<String> {
        let mut v = Violations::new();
        read(&mut v);
        let found = v.finish().err().map(|fault| fault.violations().to_vec()).unwrap_or_default();
        found.into_iter().map(|one| one.field).collect()
    }

    #[test]
    fn a_thousand_refused_items_fit_into_one_answer() {
        let mut v = Violations::new();
        for number in 0..100 {
            v.add(format!("{}[{number}]", "f".repeat(1_000)), "d".repeat(1_000));
        }
        let status = item_status(v.finish().unwrap_err());
        assert!(1_000 * (status.encoded_len() + 100) < grpc::ANSWER_BYTES, "{} bytes", status.encoded_len());
        let omitted = String::from_utf8_lossy(&status.details[0].value).into_owned();
        assert!(omitted.contains("violations_omitted") && omitted.contains("96"), "{omitted}");
    }

    #[test]
    fn an_id_is_the_wanted_one_else_the_names_else_a_fresh_one() {
        let ids = CountingIds::default();
        let now = Timestamp::UNIX_EPOCH;
        let mut v = Violations::new();
        let mut id = |id, name| {
            new_id(&mut v, &ids, now, Wanted { collection: "things", field: "thing_id", id, name })
        };
        assert_eq!(id("a", "things/b"), "a");
        assert_eq!(id("", "things/b"), "b");
        assert_ne!(id("", ""), id("", ""));
        assert!(v.is_empty());
        let wrong = Wanted { collection: "things", field: "thing_id", id: "a b", name: "" };
        assert_eq!(fields(|v| drop(new_id(v, &ids, now, wrong))), ["thing_id"]);
        assert_eq!(fields(|v| drop(new_id(v, &ids, now, Wanted { id: "", name: "x/y", ..wrong }))), ["name"]);
    }

    #[test]
    fn writes_without_a_request_id_are_never_the_same() {
        let ids = CountingIds::default();
        let mut v = Violations::new();
        let mut of = |id| request(&mut v, &ids, Timestamp::UNIX_EPOCH, "Do", id, &());
        assert_eq!(of("x"), of("x"));
        assert_ne!(of("").id, of("").id);
    }

    #[test]
    fn texts_and_labels_have_limits() {
        let long = "x".repeat(257);
        assert!(fields(|v| drop(text(v, "name", "é".repeat(200), 0..=200))).is_empty());
        assert_eq!(fields(|v| drop(text(v, "name", "a\nb".to_owned(), 0..=200))), ["name"]);
        assert_eq!(fields(|v| drop(text(v, "name", String::new(), 1..=200))), ["name"]);
        let of = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        assert_eq!(fields(|v| drop(labels(v, "labels", of("k", &long)))), ["labels[k]"]);
        assert_eq!(fields(|v| drop(labels(v, "labels", of("k", "a\0")))), ["labels[k]"]);
    }
}
