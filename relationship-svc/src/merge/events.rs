//! Merges as the contract shows them, in answers and in events.

use jiff::Timestamp;
use tandem_platform::outbox::Recorded;
use tandem_platform::resource::Resource;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1;

use super::{Moves, Over, Preview, Rule};
use crate::customer::alias::Alias;
use crate::customer::{self, Customer};
use crate::relationship::Who;

/// A customer was merged into another one, and those who stood for them stand for that one.
pub fn merged(source: &str, target: &Customer, former: &[Alias], now: Timestamp) -> Recorded {
    let former: Vec<Who> = former.iter().filter_map(|alias| Who::parse(&alias.person)).collect();
    let payload = v1::CustomersMerged {
        source: customer::name(source),
        target: target.name(),
        merge_time: Some(to_timestamp(now)),
        former: former.iter().filter_map(Who::id).map(customer::name).collect(),
        guest_keys: former.iter().map(Who::guest).filter(|key| !key.is_empty()).map(str::to_owned).collect(),
    };
    Recorded::new("tandem.relationship.v1.CustomersMerged", target.name(), target.version, &payload)
}

/// As the contract has it.
pub fn preview(of: &Preview) -> v1::MergePreview {
    let Moves { redemptions, vouchers, orders, interactions, consents, lists, aliases } = of.moves;
    let conflicts = of.conflicts.iter().map(|one| v1::MergeConflict {
        field: one.field.clone(),
        rule: rule(one.rule).into(),
        source_wins: one.source,
    });
    let over = |one: &Over| v1::MergedLimit {
        incentive: tandem_kernel::id::name("incentives", &one.key.owner),
        period: one.key.period.to_string(),
        uses: one.uses,
        max_uses: one.most,
    };
    v1::MergePreview {
        redemptions,
        vouchers,
        orders,
        interactions,
        consents,
        lists,
        aliases,
        conflicts: conflicts.collect(),
        limits_over: of.over.iter().map(over).collect(),
    }
}

fn rule(rule: Rule) -> v1::MergeRule {
    match rule {
        Rule::KeepTarget => v1::MergeRule::KeepTarget,
        Rule::KeepSource => v1::MergeRule::KeepSource,
        Rule::Newest => v1::MergeRule::Newest,
    }
}
