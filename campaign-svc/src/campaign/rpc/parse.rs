//! What a caller says of a campaign.

mod mix;

use tandem_kernel::id;
use tandem_kernel::period::Zone;
use tandem_platform::{Fault, Outcome, Violations};
use tandem_proto::campaign::v1::{self, AdaptCampaignRequest};
use tandem_proto::common::v1::Interval;
use tandem_proto::convert;

use super::super::audience;
use super::super::limits::Of;
use super::super::revisions::Adaptation;
use super::super::{COLLECTION, Definition, Draft, Window};
use crate::{field, objective};

const MAX_SEGMENTS: usize = 20;
const MAX_CAUSE: usize = 256;

/// What a caller says of a new campaign.
pub fn new(v: &mut Violations, given: v1::Campaign) -> Draft {
    let draft = draft(v, given);
    field::problems(v, audience::problems(&draft.definition, &draft.mix));
    if !v.has("window") {
        field::problems(&mut v.nest("mix"), draft.mix.outside(draft.definition.window));
    }
    draft
}

/// What a caller says of a campaign.
pub fn draft(v: &mut Violations, given: v1::Campaign) -> Draft {
    let (limits, budgets) = (given.limits.unwrap_or_default(), given.budgets);
    let mut definition = Definition {
        display_name: field::text(v, "display_name", given.display_name, 1..=200),
        description: field::prose(v, "description", given.description, 0..=2_000),
        objective: field::resource(v, "objective", objective::COLLECTION, &given.objective),
        window: window(v, given.window.as_ref()).unwrap_or_default(),
        zone: field::zone(v, "time_zone", &given.time_zone).unwrap_or_default(),
        segments: segments(v, &given.segments),
        budgets: field::read(v, |found| convert::amounts("budgets", &budgets, 1, found)).unwrap_or_default(),
        limits: field::read(v, |found| convert::limits("limits", &limits, found)).unwrap_or_default(),
        ..Definition::default()
    };
    let mix = mix::mix(&mut v.nest("mix"), given.mix.unwrap_or_default());
    definition.labels = field::labels(v, "labels", given.labels);
    Draft { definition, mix }
}

/// Everything a caller may say of a new revision.
pub fn adaptation(v: &mut Violations, given: AdaptCampaignRequest) -> Adaptation {
    if given.mix.is_none() {
        v.add("mix", "is required: the whole new mix");
    }
    let mix = mix::mix(&mut v.nest("mix"), given.mix.unwrap_or_default());
    let effective = given.effective_time.as_ref();
    Adaptation {
        mix,
        effective: effective
            .and_then(|at| field::read(v, |found| convert::timestamp("effective_time", at, found))),
        reason: field::prose(v, "reason", given.reason, 1..=2_000),
        cause: field::text(v, "cause", given.cause, 0..=MAX_CAUSE),
    }
}

/// The campaign's id and the number in the name of a revision.
pub fn revision_name(v: &mut Violations, field: &str, name: &str) -> (String, i64) {
    let read = || -> Outcome<(String, i64)> {
        let wrong = |message: String| Fault::invalid_field(field, message);
        let [campaign, revision] =
            id::parse_path([COLLECTION, "mixRevisions"], name).map_err(|error| wrong(error.to_string()))?;
        let number =
            revision.parse::<i64>().ok().filter(|number| *number >= 1 && number.to_string() == revision);
        let number = number.ok_or_else(|| wrong("a revision is a number from 1".to_owned()))?;
        Ok((campaign.to_owned(), number))
    };
    read().unwrap_or_else(|fault| {
        fault.violations().iter().for_each(|one| v.add(&one.field, &one.description));
        (String::new(), 0)
    })
}

fn window(v: &mut Violations, given: Option<&Interval>) -> Option<Window> {
    let Some(given) = given else {
        v.add("window", "is required, with start_time and end_time");
        return None;
    };
    v.check(given.start_time.is_some(), "window.start_time", "is required");
    v.check(given.end_time.is_some(), "window.end_time", "is required");
    let read = field::read(v, |found| convert::window("window", given, Zone::utc(), found))?;
    Some(Window { start: read.start()?, end: read.end()? })
}

/// Ids of segments, each once.
fn segments(v: &mut Violations, given: &[String]) -> Vec<String> {
    field::resources(v, "segments", "segments", given, MAX_SEGMENTS)
}

/// Of which campaign, and whose limits of it.
pub fn limits_of(v: &mut Violations, name: &str) -> (String, Of) {
    let read = || -> Result<(&str, Of), id::IdError> {
        if let Some(campaign) = name.strip_suffix("/offers/-") {
            return Ok((id::parse(COLLECTION, campaign)?, Of::Offers));
        }
        if let Ok(campaign) = id::parse(COLLECTION, name) {
            return Ok((campaign, Of::Campaign));
        }
        let [campaign, offer] = id::parse_path([COLLECTION, "offers"], name)?;
        Ok((campaign, Of::Offer(offer.to_owned())))
    };
    let message = "must be `campaigns/{id}`, `campaigns/{id}/offers/{id}` or `campaigns/{id}/offers/-`";
    let (campaign, of) = read().unwrap_or_else(|_| {
        v.add("name", message);
        ("", Of::Campaign)
    });
    (campaign.to_owned(), of)
}
