//! What can be done to codes away from the checkout. What happens to them at the checkout is [`crate::redemption`].

pub mod assign;
pub mod generate;
pub mod import;

use std::sync::Arc;

use tandem_platform::db::Session;
use tandem_platform::{Fault, Outcome, Tenant};
use tandem_proto::relationship::v1::ErrorReason;

use crate::incentive::{self, Ready, State};
use crate::{App, voucher};

/// The incentive that codes are made for or taken from; it must still give.
async fn active(app: &App, session: &mut impl Session, tenant: &Tenant, id: &str) -> Outcome<Arc<Ready>> {
    let found = app.definitions.current(session, tenant, &[id.to_owned()]).await?;
    let ready = found.get(id).cloned().ok_or_else(|| Fault::not_found(incentive::name(id)))?;
    if ready.incentive.state == State::Active {
        return Ok(ready);
    }
    let message = "the incentive is archived";
    let fault = Fault::precondition(ErrorReason::WrongState, message);
    Err(fault.violating(incentive::name(id), "WRONG_STATE", message))
}

/// What a code of an incentive must and must not say: gift cards have a balance and no limit of uses.
fn fits(
    ready: &Ready,
    balance: Option<voucher::Balance>,
    max_uses: Option<i64>,
) -> Result<(), (&'static str, String)> {
    match (ready.incentive.definition.is_tender(), balance) {
        (true, None) => Err(("balance", "is required for a gift card".to_owned())),
        (false, Some(_)) => Err(("balance", "belongs to gift cards, and this incentive reduces".to_owned())),
        (true, Some(_)) if max_uses.is_some() => {
            Err(("max_uses", "must be 0 or absent for a gift card, which its balance limits".to_owned()))
        }
        _ => Ok(()),
    }
}
