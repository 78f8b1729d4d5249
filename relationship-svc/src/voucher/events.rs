//! Vouchers as the contract shows them, in answers and in events.

use jiff::Timestamp;
use tandem_kernel::money::Money;
use tandem_platform::grpc;
use tandem_platform::outbox::Recorded;
use tandem_proto::common::v1 as common;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1;

use super::change::{Change, FieldChange};
use super::{Frame, State, Voucher};
use crate::incentive;

/// Codes were made, imported or moved here; `batch` is none for those that were not made here.
pub fn generated(incentive: &str, batch: Option<&str>, count: u64) -> Recorded {
    let payload = v1::VouchersGenerated {
        incentive: incentive::name(incentive),
        batch: batch.map(batch_name).unwrap_or_default(),
        count: i64::try_from(count).unwrap_or(i64::MAX),
    };
    Recorded::new("tandem.relationship.v1.VouchersGenerated", incentive::name(incentive), 0, &payload)
}

/// The code was given to a customer.
pub fn assigned(voucher: &Voucher, frame: &Frame, now: Timestamp) -> Recorded {
    let payload = v1::VoucherAssigned { voucher: Some(message(voucher, frame, now)) };
    Recorded::new("tandem.relationship.v1.VoucherAssigned", name(&voucher.code), voucher.version, &payload)
}

/// The code was ended.
pub fn disabled(voucher: &Voucher, frame: &Frame, now: Timestamp) -> Recorded {
    let payload = v1::VoucherDisabled { voucher: Some(message(voucher, frame, now)) };
    Recorded::new("tandem.relationship.v1.VoucherDisabled", name(&voucher.code), voucher.version, &payload)
}

/// The code was changed by hand.
pub fn updated(voucher: &Voucher, change: &Change, frame: &Frame, now: Timestamp) -> Recorded {
    let payload = v1::VoucherUpdated {
        voucher: Some(message(voucher, frame, now)),
        reason: change.reason.clone(),
        fields: change.fields.iter().map(field).collect(),
    };
    Recorded::new("tandem.relationship.v1.VoucherUpdated", name(&voucher.code), voucher.version, &payload)
}

/// What is on the gift card was changed by hand.
pub fn adjusted(voucher: &Voucher, change: &Change, frame: &Frame, now: Timestamp) -> Recorded {
    let payload = v1::BalanceAdjusted {
        voucher: Some(message(voucher, frame, now)),
        amount: amount(voucher, change),
        reason: change.reason.clone(),
    };
    Recorded::new("tandem.relationship.v1.BalanceAdjusted", name(&voucher.code), voucher.version, &payload)
}

/// What was done by hand, as the contract has it.
pub fn change(voucher: &Voucher, change: &Change) -> v1::VoucherChange {
    v1::VoucherChange {
        time: Some(to_timestamp(change.made)),
        principal: change.principal.clone(),
        reason: change.reason.clone(),
        fields: change.fields.iter().map(field).collect(),
        amount: amount(voucher, change),
    }
}

fn amount(voucher: &Voucher, change: &Change) -> Option<common::Money> {
    let balance = voucher.balance?;
    Some(common::Money::from(&Money::new(change.amount?, balance.currency)))
}

fn field(change: &FieldChange) -> v1::VoucherFieldChange {
    v1::VoucherFieldChange {
        field: change.field.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
    }
}

/// The resource name of a code.
pub fn name(code: &str) -> String {
    format!("vouchers/{code}")
}

/// The resource name of a batch.
pub fn batch_name(id: &str) -> String {
    format!("batches/{id}")
}

/// As the contract has it.
pub fn message(voucher: &Voucher, frame: &Frame, now: Timestamp) -> v1::Voucher {
    let money = |minor, currency| common::Money::from(&Money::new(minor, currency));
    let time = |at: Option<Timestamp>| at.map(to_timestamp);
    let own_dates = voucher.starts.is_some() || voucher.ends.is_some();
    v1::Voucher {
        name: name(&voucher.code),
        code: voucher.code.clone(),
        incentive: incentive::name(&voucher.incentive),
        customer: voucher.customer.as_ref().map(|id| format!("customers/{id}")).unwrap_or_default(),
        source_id: voucher.source_id.clone().unwrap_or_default(),
        validity: own_dates
            .then(|| common::Interval { start_time: time(voucher.starts), end_time: time(voucher.ends) }),
        max_uses: voucher.max_uses,
        unlimited_uses: voucher.max_uses.is_none() && voucher.balance.is_none(),
        uses: voucher.usage.uses,
        uses_held: voucher.usage.uses_held,
        initial_balance: voucher.balance.map(|balance| money(balance.initial, balance.currency)),
        balance: voucher.balance.map(|balance| money(voucher.balance_left().unwrap_or(0), balance.currency)),
        state: v1::VoucherState::from(voucher.state(frame, now)).into(),
        create_time: Some(to_timestamp(voucher.created)),
        assign_time: time(voucher.assigned),
        batch: voucher.batch.as_deref().map(batch_name).unwrap_or_default(),
        labels: voucher.labels.clone(),
        disabled: voucher.usage.disabled,
        restored_until_time: time(voucher.usage.restored_until),
        expire_time: time(voucher.end_that_holds(frame)),
        adjustments: voucher
            .balance
            .filter(|balance| balance.adjusted != 0)
            .map(|balance| money(balance.adjusted, balance.currency)),
        etag: grpc::etag(voucher.version),
    }
}

impl From<State> for v1::VoucherState {
    fn from(state: State) -> Self {
        match state {
            State::Generated => Self::Generated,
            State::Assigned => Self::Assigned,
            State::Active => Self::Active,
            State::Exhausted => Self::Exhausted,
            State::Expired => Self::Expired,
            State::Disabled => Self::Disabled,
        }
    }
}
