//! Reading the fields that several messages of this service have: what [`tandem_platform::field`] reads, with lists,
//! conversions and the reasons of this service beside it.

use std::collections::BTreeSet;

use tandem_kernel::problem::Problem;
use tandem_platform::{Outcome, Violations};
use tandem_proto::Reason;
use tandem_proto::campaign::v1::ErrorReason;

pub use tandem_platform::field::{
    country, item_ok, item_status, labels, locale, order_id, place, prose, resource, subject, text, titles,
    zone,
};

/// The ids in so many resource names at most, each once.
pub fn resources(
    v: &mut Violations,
    field: &str,
    collection: &str,
    names: &[String],
    most: usize,
) -> Vec<String> {
    let (mut ids, mut seen) = (Vec::new(), BTreeSet::new());
    for (index, name) in bounded(v, field, names.iter(), most).enumerate() {
        let field = format!("{field}[{index}]");
        let id = resource(v, &field, collection, name);
        v.check(id.is_empty() || seen.insert(name), field, "stands here twice");
        ids.push(id);
    }
    ids
}

/// So many texts of 1 to 64 characters at most, each once.
pub fn words(v: &mut Violations, field: &str, words: Vec<String>, most: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (index, word) in bounded(v, field, words.into_iter(), most).enumerate() {
        let field = format!("{field}[{index}]");
        let word = text(v, &field, word, 1..=64);
        v.check(!found.contains(&word), field, "stands here twice");
        found.push(word);
    }
    found
}

/// So many items at most, read one by one; those that cannot be read are left out, and have been reported.
pub fn each<M, T>(
    v: &mut Violations,
    field: &str,
    items: Vec<M>,
    most: usize,
    read: impl Fn(&mut Violations, M) -> Option<T>,
) -> Vec<T> {
    let items = bounded(v, field, items.into_iter(), most).enumerate();
    items.filter_map(|(index, item)| read(&mut v.nest(format!("{field}[{index}]")), item)).collect()
}

/// The first `most` items; more are counted, not read.
fn bounded<I: ExactSizeIterator>(
    v: &mut Violations,
    field: &str,
    items: I,
    most: usize,
) -> std::iter::Take<I> {
    let count = items.len();
    v.check(count <= most, field, format!("must hold at most {most}, holds {count}"));
    items.take(most)
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
        let reason = match problem.field.rsplit('.').next() {
            Some("condition") => ErrorReason::RuleInvalid.reason(),
            Some("points") => ErrorReason::PointsNotAvailable.reason(),
            _ => "INVALID",
        };
        v.add_as(reason, problem.field, problem.message);
    }
}

/// INVALID_ARGUMENT where an aggregate finds something wrong with the message in `field`; for commands that can judge
/// only what is stored and what is new together.
pub fn refuse(field: &str, found: Vec<Problem>) -> Outcome<()> {
    let mut v = Violations::new();
    problems(&mut v.nest(field), found);
    v.finish()
}
