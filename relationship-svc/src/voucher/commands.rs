//! What can be done to codes away from the checkout. What happens to them at the checkout is [`crate::redemption`].

pub mod assign;
pub mod change;
pub mod generate;
pub mod import;

use std::sync::Arc;

use tandem_platform::db::Session;
use tandem_platform::{Fault, Outcome, Tenant, Violations};
use tandem_proto::relationship::v1::ErrorReason;

use crate::incentive::{self, Ready, State};
use crate::voucher::Uses;
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

/// The uses of one code of an incentive, and what such a code must and must not say: gift cards have a balance and no limit
/// of uses. `balance_field` is what the caller calls the balance.
fn settled(
    v: &mut Violations,
    ready: &Ready,
    balance: Option<voucher::Balance>,
    balance_field: &str,
    uses: Uses,
) -> Option<i64> {
    let definition = &ready.incentive.definition;
    if !definition.is_tender() {
        v.check(balance.is_none(), balance_field, "belongs to gift cards, and this incentive reduces");
        return uses.settled(definition.max_uses_per_code);
    }
    v.check(balance.is_some(), balance_field, "is required for a gift card");
    let limited = matches!(uses, Uses::Most(_));
    v.check(!limited, "max_uses", "must be absent for a gift card, which its balance limits");
    None
}
