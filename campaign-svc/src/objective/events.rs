//! Objectives as the contract shows them, in answers and in events.

use tandem_kernel::period::Window;
use tandem_platform::grpc;
use tandem_platform::outbox::Recorded;
use tandem_platform::resource::{Resource, told};
use tandem_proto::campaign::v1::{
    self, ObjectiveArchived, ObjectiveCreated, ObjectiveMetric, ObjectiveState, ObjectiveUpdated,
};
use tandem_proto::convert;

use super::{Metric, Objective, State};

/// It was created.
pub fn created(objective: &Objective) -> Recorded {
    let event = ObjectiveCreated { objective: Some(message(objective)) };
    told("tandem.campaign.v1.ObjectiveCreated", objective, &event)
}

/// It was changed.
pub fn updated(objective: &Objective) -> Recorded {
    let event = ObjectiveUpdated { objective: Some(message(objective)) };
    told("tandem.campaign.v1.ObjectiveUpdated", objective, &event)
}

/// It was closed.
pub fn archived(objective: &Objective) -> Recorded {
    let event = ObjectiveArchived { objective: Some(message(objective)) };
    told("tandem.campaign.v1.ObjectiveArchived", objective, &event)
}

/// What it counts, in the contract's word.
pub fn metric_message(metric: Metric) -> ObjectiveMetric {
    match metric {
        Metric::Revenue => ObjectiveMetric::Revenue,
        Metric::Orders => ObjectiveMetric::Orders,
        Metric::Redemptions => ObjectiveMetric::Redemptions,
        Metric::Customers => ObjectiveMetric::Customers,
    }
}

/// An objective as the contract shows it.
pub fn message(objective: &Objective) -> v1::Objective {
    let definition = &objective.definition;
    let state = match objective.state {
        State::Active => ObjectiveState::Active,
        State::Archived => ObjectiveState::Archived,
    };
    v1::Objective {
        name: objective.name(),
        display_name: definition.display_name.clone(),
        description: definition.description.clone(),
        metric: metric_message(definition.metric).into(),
        target_money: definition.target_money.map(Into::into),
        target_count: definition.target_count,
        window: Some(&definition.window).filter(|window| **window != Window::default()).map(Into::into),
        labels: definition.labels.clone(),
        state: state.into(),
        create_time: Some(convert::to_timestamp(objective.created)),
        update_time: Some(convert::to_timestamp(objective.updated)),
        etag: grpc::etag(objective.version),
    }
}
