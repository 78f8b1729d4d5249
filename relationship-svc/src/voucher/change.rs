//! What is done to a code by hand, pure: its fields changed, the balance of a gift card adjusted. What was done, and why,
//! is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::basket::MAX_AMOUNT_MINOR;
use tandem_kernel::money::Money;
use tandem_platform::{Fault, Kind, Outcome, Violations};
use tandem_proto::relationship::v1::ErrorReason;
use uuid::Uuid;

use super::{Dates, Frame, Usage, Uses, Voucher};
use crate::customer;
use crate::incentive::{self, Incentive};

/// Other values for some fields of a code; `None` leaves what is there.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Its own dates.
    pub validity: Option<Dates>,
    /// How often it may be used.
    pub uses: Option<Uses>,
    /// Id of the customer whose it is to be; empty: nobody's.
    pub customer: Option<String>,
    /// What it is given for; empty: nothing that is said.
    pub source_id: Option<String>,
    /// For callers.
    pub labels: Option<BTreeMap<String, String>>,
    /// Ended by hand.
    pub disabled: Option<bool>,
}

/// What live holds keep of a code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Uses.
    pub uses: i64,
    /// Of a gift card, minor units.
    pub amount: i64,
}

/// What a change is judged by beside the code.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Whose code it is.
    pub incentive: &'a Incentive,
    /// What live holds keep of it.
    pub held: Held,
    /// Another code of the incentive that the wanted customer has.
    pub others: Option<&'a str>,
    /// The wanted source has another code of the incentive.
    pub source_taken: bool,
    /// The present.
    pub now: Timestamp,
}

/// What was done to a code, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Ascending with time.
    pub id: Uuid,
    /// Who did it.
    pub principal: String,
    /// Why.
    pub reason: String,
    /// Fields that were changed.
    pub fields: Vec<FieldChange>,
    /// Added to a gift card, minor units.
    pub amount: Option<i64>,
    /// When.
    pub made: Timestamp,
}

/// A field that was changed, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its name in the contract.
    pub field: String,
    /// Empty for what was not there.
    pub before: String,
    /// Likewise.
    pub after: String,
}

/// What `voucher` becomes.
///
/// # Errors
/// Why it cannot: see UpdateVoucher in the contract.
pub fn changed(voucher: &Voucher, wanted: &Wanted, around: &Around<'_>) -> Outcome<Voucher> {
    if around.incentive.state == incentive::State::Archived {
        let name = incentive::name(&voucher.incentive);
        let message = format!("{name} is archived: an import with move_archived brings the code to another");
        return Err(Fault::precondition(ErrorReason::IncentiveArchived, message).with("incentive", name));
    }
    let mut v = Violations::new();
    let limited = around.incentive.definition.is_tender() && matches!(wanted.uses, Some(Uses::Most(_)));
    v.check(!limited, "voucher.max_uses", "must be absent for a gift card, which its balance limits");
    let ends = wanted.disabled == Some(true) && !voucher.usage.disabled;
    v.check(!ends, "voucher.disabled", "must be false: DisableVoucher ends a code, and its holds");
    let (customer, source_id) = owner(voucher, wanted);
    let nobodys = source_id.is_some() && customer.is_none();
    v.check(!nobodys, "voucher.source_id", "needs the customer it was given to");
    v.finish()?;
    let mut next = voucher.clone();
    if let Some(dates) = wanted.validity {
        set_dates(&mut next, dates, &Frame::of(around.incentive));
    }
    if let Some(uses) = wanted.uses {
        set_uses(&mut next, uses, around)?;
    }
    set_owner(&mut next, customer, source_id, around)?;
    if let Some(labels) = &wanted.labels {
        next.labels.clone_from(labels);
    }
    if let Some(disabled) = wanted.disabled {
        next.usage.disabled = disabled;
    }
    Ok(next)
}

/// The end that is said is the end that holds, past that of the incentive too. Dates that are as they were change nothing.
fn set_dates(voucher: &mut Voucher, (starts, ends): Dates, frame: &Frame) {
    if (starts, ends) == (voucher.starts, voucher.ends) {
        return;
    }
    let outlives = |end: &Timestamp| frame.ends.is_some_and(|all| *end > all);
    (voucher.starts, voucher.ends) = (starts, ends);
    voucher.usage.restored_until = ends.filter(outlives);
}

fn set_uses(voucher: &mut Voucher, uses: Uses, around: &Around<'_>) -> Outcome<()> {
    let definition = &around.incentive.definition;
    let most = if definition.is_tender() { None } else { uses.settled(definition.max_uses_per_code) };
    let used = voucher.usage.uses + around.held.uses;
    if most != voucher.max_uses && most.is_some_and(|most| most < used) {
        let message = format!("the code has been used or is held {used} times");
        return Err(Fault::precondition(ErrorReason::UsesExceeded, message).with("uses", used));
    }
    voucher.max_uses = most;
    Ok(())
}

/// Whose it becomes, and what for: who gets it from somebody else gets it for nothing that was said of that one.
fn owner(voucher: &Voucher, wanted: &Wanted) -> (Option<String>, Option<String>) {
    let named = |id: &String| (!id.is_empty()).then(|| id.clone());
    let customer = wanted.customer.as_ref().map_or_else(|| voucher.customer.clone(), named);
    let source_id = match &wanted.source_id {
        Some(source) => named(source),
        None if customer != voucher.customer => None,
        None => voucher.source_id.clone(),
    };
    (customer, source_id)
}

fn set_owner(
    voucher: &mut Voucher,
    customer: Option<String>,
    source_id: Option<String>,
    around: &Around<'_>,
) -> Outcome<()> {
    let moved = customer != voucher.customer;
    if moved && around.held.uses > 0 {
        let message = "an order holds the code: it is moved once the hold is over, or released";
        return Err(Fault::precondition(ErrorReason::CodeHeld, message));
    }
    if let Some(other) = around.others.filter(|_| moved && customer.is_some()) {
        let message = "the incentive gives each customer one code, and the customer has another";
        return Err(Fault::precondition(ErrorReason::OneCodePerCustomer, message).with("code", other));
    }
    if source_id != voucher.source_id && around.source_taken {
        return Err(source_taken());
    }
    if moved {
        voucher.assigned = customer.is_some().then_some(around.now);
    }
    (voucher.customer, voucher.source_id) = (customer, source_id);
    Ok(())
}

/// The first code of an incentive that has a source keeps it.
pub fn source_taken() -> Fault {
    let message = "the source_id has another code of this incentive";
    Fault::new(Kind::AlreadyExists, ErrorReason::SourceIdTaken, message)
}

/// What a gift card becomes with so much more on it, or less.
///
/// # Errors
/// NOT_A_GIFT_CARD, CURRENCY_MISMATCH, BALANCE_OUT_OF_RANGE.
pub fn adjusted(voucher: &Voucher, amount: Money, held: Held) -> Outcome<Voucher> {
    let Some(mut balance) = voucher.balance else {
        return Err(Fault::precondition(ErrorReason::NotAGiftCard, "the code reduces, and has no balance"));
    };
    if balance.currency != amount.currency {
        let message = format!("the card is in {}", balance.currency);
        return Err(Fault::precondition(ErrorReason::CurrencyMismatch, message));
    }
    let kept = voucher.usage.spent + held.amount;
    let left = balance.worth() - kept;
    balance.adjusted = balance.adjusted.saturating_add(amount.minor);
    if !(kept..=MAX_AMOUNT_MINOR).contains(&balance.worth()) {
        let left_now = Money::new(left, balance.currency);
        let message =
            format!("{left_now} is left on the card: it must stay at least 0 and within what one may hold");
        return Err(Fault::precondition(ErrorReason::BalanceOutOfRange, message).with("balance", left));
    }
    Ok(Voucher { balance: Some(balance), ..voucher.clone() })
}

/// The fields in which two states of one code differ.
pub fn differences(before: &Voucher, after: &Voucher) -> Vec<FieldChange> {
    let of = |voucher: &Voucher| -> [(&'static str, String); 8] {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        let uses = voucher.max_uses.map_or_else(|| "unlimited".to_owned(), |most| most.to_string());
        let Usage { restored_until, disabled, .. } = voucher.usage;
        [
            ("validity.start_time", time(voucher.starts)),
            ("validity.end_time", time(voucher.ends)),
            ("restored_until_time", time(restored_until)),
            ("max_uses", uses),
            ("customer", voucher.customer.as_deref().map(customer::name).unwrap_or_default()),
            ("source_id", voucher.source_id.clone().unwrap_or_default()),
            ("labels", labels(&voucher.labels)),
            ("disabled", disabled.to_string()),
        ]
    };
    let pairs = of(before).into_iter().zip(of(after));
    let differing = pairs.filter(|((_, before), (_, after))| before != after);
    differing
        .map(|((field, before), (_, after))| FieldChange { field: field.to_owned(), before, after })
        .collect()
}

fn labels(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() { String::new() } else { serde_json::json!(labels).to_string() }
}
