//! What the rules refuse, as the contract says it.

use tandem_kernel::id;
use tandem_platform::Fault;
use tandem_proto::Reason;
use tandem_proto::campaign::v1::ErrorReason;

use super::super::{Refusal, name};

/// Campaigns named in one refusal.
const NAMED: usize = 20;

impl Refusal {
    /// As the answer to a call that concerns the objective `id`.
    pub fn fault(self, id: &str) -> Fault {
        match self {
            Self::Archived => {
                let (reason, message) = (ErrorReason::ObjectiveArchived, "the objective is archived");
                Fault::precondition(reason, message).violating(name(id), reason.reason(), message)
            }
            Self::InUse(campaigns) => {
                let reason = ErrorReason::ObjectiveInUse;
                let message = format!("{} campaigns that have not ended name the objective", campaigns.len());
                let fault = Fault::precondition(reason, message).with("objective", name(id));
                let each = |fault: Fault, one: &String| {
                    fault.violating(id::name("campaigns", one), reason.reason(), "has not ended")
                };
                campaigns.iter().take(NAMED).fold(fault, each)
            }
        }
    }
}
