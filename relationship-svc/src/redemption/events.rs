//! Redemptions as the contract shows them, in answers and in events.

use tandem_kernel::money::Money;
use tandem_platform::outbox::Recorded;
use tandem_proto::common::v1::Money as MoneyMessage;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1;

use super::{Happened, Reason, Redemption, State, Threshold};
use crate::incentive;

/// What happened, for the outbox.
pub(super) fn of(happened: &Happened) -> Recorded {
    match happened {
        Happened::Held(redemption) => {
            let payload = v1::VoucherHeld { redemption: Some(message(redemption)) };
            Recorded::new(
                "tandem.relationship.v1.VoucherHeld",
                redemption.to_string(),
                redemption.version,
                &payload,
            )
        }
        Happened::Released(redemption) => {
            let payload = v1::VoucherReleased { redemption: Some(message(redemption)) };
            Recorded::new(
                "tandem.relationship.v1.VoucherReleased",
                redemption.to_string(),
                redemption.version,
                &payload,
            )
        }
        Happened::Redeemed(redemption) => {
            let order_total = redemption.details.order_total.map(|total| money(redemption, total));
            let payload = v1::VoucherRedeemed { redemption: Some(message(redemption)), order_total };
            Recorded::new(
                "tandem.relationship.v1.VoucherRedeemed",
                redemption.to_string(),
                redemption.version,
                &payload,
            )
        }
        Happened::RolledBack { redemption, returned, reason } => {
            let payload = v1::RedemptionRolledBack {
                redemption: Some(message(redemption)),
                returned: Some(money(redemption, *returned)),
                reason: v1::RollbackReason::from(*reason).into(),
            };
            let name = redemption.to_string();
            Recorded::new("tandem.relationship.v1.RedemptionRolledBack", name, redemption.version, &payload)
        }
        Happened::Disabled(disabled) => {
            let (voucher, frame, now) = &**disabled;
            crate::voucher::events::disabled(voucher, frame, *now)
        }
        Happened::Threshold(threshold) => reached(threshold),
    }
}

fn reached(threshold: &Threshold) -> Recorded {
    let incentive = incentive::name(&threshold.incentive);
    let (spent, uses) = match threshold.currency {
        Some(currency) => (Some(MoneyMessage::from(&Money::new(threshold.used, currency))), 0),
        None => (None, threshold.used),
    };
    let payload = v1::IncentiveThresholdReached {
        incentive: incentive.clone(),
        percent: i32::try_from(threshold.percent).unwrap_or(100),
        limit: if threshold.currency.is_some() { "budget" } else { "uses" }.to_owned(),
        spent,
        uses,
    };
    Recorded::new("tandem.relationship.v1.IncentiveThresholdReached", incentive, threshold.version, &payload)
}

fn money(redemption: &Redemption, minor: i64) -> MoneyMessage {
    MoneyMessage::from(&Money::new(minor, redemption.currency))
}

/// As the contract has it.
/// As the contract has it.
pub fn message(redemption: &Redemption) -> v1::Redemption {
    let details = &redemption.details;
    let line = |share: &super::Share| v1::RedemptionLine {
        line_id: share.line.clone(),
        quantity: share.quantity,
        amount: Some(money(redemption, share.amount)),
        returned_quantity: share.back,
    };
    v1::Redemption {
        name: redemption.to_string(),
        order_id: redemption.order.clone(),
        code: redemption.code.clone(),
        incentive: incentive::name(&redemption.incentive),
        incentive_version: redemption.incentive_version,
        customer: redemption.person.customer.as_ref().map(|id| format!("customers/{id}")).unwrap_or_default(),
        state: v1::RedemptionState::from(redemption.state).into(),
        amount: Some(money(redemption, redemption.amount)),
        returned: Some(money(redemption, redemption.returned)),
        // A gift card's payment is spread over the lines for returns only.
        lines: if details.tender { Vec::new() } else { details.lines.iter().map(line).collect() },
        shipping: (details.shipping != 0 && !details.tender).then(|| money(redemption, details.shipping)),
        tender: details.tender,
        use_restored: details.use_restored,
        expire_time: redemption.expires.map(to_timestamp),
        create_time: Some(to_timestamp(redemption.created)),
        update_time: Some(to_timestamp(redemption.updated)),
        version: redemption.version,
        campaign: details.campaign.as_deref().map(incentive::campaign_name).unwrap_or_default(),
    }
}

impl From<State> for v1::RedemptionState {
    fn from(state: State) -> Self {
        match state {
            State::Held => Self::Held,
            State::Redeemed => Self::Redeemed,
            State::PartiallyRolledBack => Self::PartiallyRolledBack,
            State::RolledBack => Self::RolledBack,
            State::Released => Self::Released,
            State::Expired => Self::Expired,
        }
    }
}

impl From<Reason> for v1::RollbackReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Cancelled => Self::Cancelled,
            Reason::Returned => Self::Returned,
            Reason::Mistake => Self::Mistake,
        }
    }
}
