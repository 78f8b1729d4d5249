//! Incentives as the contract shows them, in answers and in events.

use tandem_platform::grpc;
use tandem_platform::outbox::Recorded;
use tandem_platform::resource::{Resource, told};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1;

use super::{Incentive, ReturnPolicy, State, campaign_name};
use crate::segment;

/// The incentive was created.
pub fn created(incentive: &Incentive) -> Recorded {
    let payload = v1::IncentiveCreated { incentive: Some(message(incentive)) };
    told("tandem.relationship.v1.IncentiveCreated", incentive, &payload)
}

/// The incentive was changed.
pub fn updated(incentive: &Incentive) -> Recorded {
    let payload = v1::IncentiveUpdated { incentive: Some(message(incentive)) };
    told("tandem.relationship.v1.IncentiveUpdated", incentive, &payload)
}

/// The incentive was archived.
pub fn archived(incentive: &Incentive) -> Recorded {
    let payload = v1::IncentiveArchived { incentive: Some(message(incentive)) };
    told("tandem.relationship.v1.IncentiveArchived", incentive, &payload)
}

/// As the contract has it, without usage.
pub fn message(incentive: &Incentive) -> v1::Incentive {
    let definition = &incentive.definition;
    let policy = match definition.return_policy {
        ReturnPolicy::OnFullReturn => v1::ReturnPolicy::OnFullReturn,
        ReturnPolicy::Never => v1::ReturnPolicy::Never,
    };
    let state = match incentive.state {
        State::Active => v1::IncentiveState::Active,
        State::Archived => v1::IncentiveState::Archived,
    };
    v1::Incentive {
        name: incentive.name(),
        display_name: definition.display_name.clone(),
        titles: definition.titles.clone(),
        discount: Some((&definition.discount).into()),
        validity: Some((&definition.validity).into()),
        limits: Some((&definition.limits).into()),
        max_uses_per_code: definition.max_uses_per_code,
        unlimited_uses_per_code: definition.max_uses_per_code.is_none() && !definition.is_tender(),
        segments: definition.segments.iter().map(|id| segment::name(id)).collect(),
        condition: definition.condition.clone(),
        campaign: definition.campaign.as_deref().map(campaign_name).unwrap_or_default(),
        return_policy: policy.into(),
        one_code_per_customer: definition.one_code_per_customer,
        assigned_only: definition.assigned_only,
        labels: definition.labels.clone(),
        state: state.into(),
        version: incentive.version,
        create_time: Some(to_timestamp(incentive.created)),
        update_time: Some(to_timestamp(incentive.updated)),
        etag: grpc::etag(incentive.version),
        usage: None,
    }
}
