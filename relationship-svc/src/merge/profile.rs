//! What two profiles are together.

use tandem_kernel::problem::Problem;
use tandem_platform::Fault;
use tandem_proto::relationship::v1::ErrorReason;

use super::{Rule, Rules};
use crate::customer::{Customer, FIELDS, MAX_ATTRIBUTES, MAX_TAGS, Profile};

/// A field that both say differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// As an update_mask names it.
    pub field: String,
    /// By which one counts.
    pub rule: Rule,
    /// That of who goes counts.
    pub source: bool,
}

/// The profile of both. What one alone says counts; absent is nothing that is said.
pub fn together(source: &Customer, target: &Customer, rules: &Rules) -> Profile {
    let mut together = Profile::default();
    for (name, copy) in FIELDS {
        let (winner, other) = by(source, target, rules.of(name));
        match *name {
            "attributes" => {
                together.attributes.clone_from(&other.attributes);
                together.attributes.extend(winner.attributes.clone());
            }
            "tags" => {
                together.tags = [winner.tags.as_slice(), &other.tags].concat();
                together.tags.sort_unstable();
                together.tags.dedup();
            }
            _ => copy(&mut together, if says(*copy, winner) { winner } else { other }),
        }
    }
    together
}

/// What both say differently, and which of them counts.
pub fn conflicts(source: &Customer, target: &Customer, rules: &Rules) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for (name, copy) in FIELDS {
        let rule = rules.of(name);
        let mut differs = |field: String| {
            conflicts.push(Conflict { field, rule, source: source_wins(source, target, rule) });
        };
        let (ours, theirs) = (&source.profile, &target.profile);
        match *name {
            "attributes" => {
                let both = ours.attributes.iter().filter_map(|(key, value)| {
                    theirs.attributes.get(key).filter(|other| *other != value).map(|_| key)
                });
                both.for_each(|key| differs(format!("attributes.{key}")));
            }
            "tags" => {}
            _ if says(*copy, ours) && says(*copy, theirs) && only(*copy, ours) != only(*copy, theirs) => {
                differs((*name).to_owned());
            }
            _ => {}
        }
    }
    conflicts
}

/// Refuses what is more than one may have.
pub fn check(profile: &Profile) -> Result<(), Fault> {
    let full =
        [("attributes", profile.attributes.len(), MAX_ATTRIBUTES), ("tags", profile.tags.len(), MAX_TAGS)];
    let Some((field, count, most)) = full.into_iter().find(|(_, count, most)| count > most) else {
        return Ok(());
    };
    let message =
        Problem::new(field, format!("both have {count} together, at most {most} are allowed")).to_string();
    let fault = Fault::precondition(ErrorReason::MergeDoesNotFit, message);
    Err(fault.with("field", field).with("count", count))
}

fn source_wins(source: &Customer, target: &Customer, rule: Rule) -> bool {
    match rule {
        Rule::KeepTarget => false,
        Rule::KeepSource => true,
        Rule::Newest => source.updated > target.updated,
    }
}

fn by<'a>(source: &'a Customer, target: &'a Customer, rule: Rule) -> (&'a Profile, &'a Profile) {
    let (source_wins, ours, theirs) = (source_wins(source, target, rule), &source.profile, &target.profile);
    if source_wins { (ours, theirs) } else { (theirs, ours) }
}

fn says(copy: fn(&mut Profile, &Profile), profile: &Profile) -> bool {
    only(copy, profile) != Profile::default()
}

fn only(copy: fn(&mut Profile, &Profile), profile: &Profile) -> Profile {
    let mut one = Profile::default();
    copy(&mut one, profile);
    one
}
