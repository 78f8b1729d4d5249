//! What the rules refuse, as the contract says it.

use tandem_kernel::problem::Problem;
use tandem_platform::resource::word;
use tandem_platform::{Fault, Violations};
use tandem_proto::Reason;
use tandem_proto::campaign::v1::ErrorReason;

use super::super::{Refusal, name};
use crate::field;

impl Refusal {
    /// As the answer to a call on the campaign `id`.
    pub fn fault(self, id: &str) -> Fault {
        let simple = |reason: ErrorReason, message: String| {
            Fault::precondition(reason, &message).violating(name(id), reason.reason(), message)
        };
        match self {
            Self::WrongState { state, wanted } => {
                let state = word::of(&state);
                let message = format!("the campaign is {state} and cannot {wanted}");
                simple(ErrorReason::WrongState, message).with("state", state)
            }
            Self::WindowOver => simple(ErrorReason::WindowOver, "the window lies in the past".to_owned()),
            Self::WindowTooLong { limit_days } => {
                let message = format!("the window is longer than {limit_days} days");
                simple(ErrorReason::WindowTooLong, message).with("limit_days", limit_days)
            }
            Self::MixIncomplete(missing) => {
                let fault =
                    Fault::precondition(ErrorReason::MixIncomplete, "the mix lacks what a launch needs");
                let each = |fault: Fault, Problem { field, message }: Problem| {
                    fault.violating(format!("mix.{field}"), ErrorReason::MixIncomplete.reason(), message)
                };
                missing.into_iter().fold(fault, each)
            }
            Self::RevisionOutOfOrder(message) => simple(ErrorReason::RevisionOutOfOrder, message.to_owned()),
            Self::Invalid(problems) => {
                let mut v = Violations::new();
                field::problems(&mut v, problems);
                match v.finish() {
                    Err(fault) => fault,
                    Ok(()) => Fault::internal("a rule refused without saying why"),
                }
            }
        }
    }
}
