//! Limits by segment count for segments that the campaign, or an offer of it, is for: there have to be some.

use tandem_kernel::limits::{Dimension, Limits};
use tandem_kernel::problem::Problem;

use super::Definition;
use super::mix::{Mix, Offer};

/// Where limits count by segments that there are not. Fields as in the campaign.
pub fn problems(definition: &Definition, mix: &Mix) -> Vec<Problem> {
    let of_campaign = definition.limits.count_by(&Dimension::Segment);
    let mut problems = Vec::new();
    if of_campaign && definition.segments.is_empty() {
        problems.push(Problem::new("segments", "is required, because limits.per_value counts by segment"));
    }
    for (index, offer) in mix.price.offers.iter().enumerate() {
        let at = format!("mix.price.offers[{index}]");
        if of_campaign && !offer.segments.is_empty() {
            let message = "must be empty, because the campaign's limits count by segment: limit the offers";
            problems.push(Problem::new(format!("{at}.segments"), message));
        }
        let counted = by_segment(&offer.limits).filter(|_| is_for_everyone(definition, offer));
        problems.extend(counted.map(|limit| {
            let message = "needs segments that the offer or its campaign is for";
            Problem::new(format!("{at}.limits.per_value[{limit}].dimension"), message)
        }));
    }
    problems
}

fn by_segment(limits: &Limits) -> Option<usize> {
    limits.per_value.iter().position(|limit| limit.dimension == Dimension::Segment)
}

fn is_for_everyone(definition: &Definition, offer: &Offer) -> bool {
    offer.segments.is_empty() && definition.segments.is_empty()
}
