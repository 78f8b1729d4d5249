//! The events of objectives.

use tandem_platform::outbox::Recorded;
use tandem_proto::campaign::v1::{ObjectiveArchived, ObjectiveCreated, ObjectiveUpdated};

use super::{Objective, rpc};
use crate::event::recorded;

/// It was created.
pub fn created(objective: &Objective) -> Recorded {
    let event = ObjectiveCreated { objective: Some(rpc::encode(objective)) };
    recorded("tandem.campaign.v1.ObjectiveCreated", objective.name(), objective.version, &event)
}

/// It was changed.
pub fn updated(objective: &Objective) -> Recorded {
    let event = ObjectiveUpdated { objective: Some(rpc::encode(objective)) };
    recorded("tandem.campaign.v1.ObjectiveUpdated", objective.name(), objective.version, &event)
}

/// It was closed.
pub fn archived(objective: &Objective) -> Recorded {
    let event = ObjectiveArchived { objective: Some(rpc::encode(objective)) };
    recorded("tandem.campaign.v1.ObjectiveArchived", objective.name(), objective.version, &event)
}
