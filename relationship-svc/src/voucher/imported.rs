//! A code that comes from elsewhere: what is said of it, and what becomes of it beside what is here already. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tandem_kernel::money::Currency;
use tandem_platform::{Fault, Kind, Outcome, Violations};
use tandem_proto::relationship::v1::ErrorReason;

use super::{Balance, Before, State, Usage, Uses, Voucher};
use crate::incentive::{self, Ready};

/// What an item of an import says. What it leaves open is `None`, and is not compared with what is here.
#[derive(Debug, Clone)]
pub struct Item {
    /// Place in the block.
    pub index: usize,
    /// As it would be stored were all that is open left at its beginning.
    pub voucher: Voucher,
    /// How often it may be used.
    pub uses_asked: Uses,
    /// Uses that were made elsewhere.
    pub uses: Option<i64>,
    /// What is left of a gift card, minor units.
    pub balance: Option<i64>,
    /// What was added to a gift card by hand elsewhere, less what was taken, minor units.
    pub adjusted: Option<i64>,
    /// Where it stood elsewhere.
    pub state: Option<State>,
    /// Ended by itself.
    pub disabled: bool,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// It may be brought from an archived incentive, whose codes are DISABLED without saying so themselves.
    pub may_move: bool,
}

impl Item {
    /// The voucher, where the incentive allows `max_uses` of one code. Whatever of it does not fit together is reported.
    pub fn settled(&self, v: &mut Violations, max_uses: Option<i64>) -> Voucher {
        let adjusted = self.adjusted.unwrap_or(0);
        let balance = self.voucher.balance.map(|balance| Balance { adjusted, ..balance });
        let worth = balance.map(|balance| balance.worth());
        let exhausted = self.state == Some(State::Exhausted);
        let uses = self.uses.unwrap_or_else(|| if exhausted { max_uses.unwrap_or(0) } else { 0 });
        let left = self.balance.or(exhausted.then_some(0)).or(worth).unwrap_or(0);
        let spent = worth.map_or(0, |worth| worth - left);
        if let Some(most) = max_uses.filter(|most| uses > *most) {
            v.add("uses", format!("must be at most {most}, which is all it has; is {uses}"));
        }
        v.check(spent >= 0, "balance", "must be at most initial_balance with its adjustments");
        let spent_up = max_uses.is_some_and(|most| uses >= most) || worth.is_some_and(|all| spent >= all);
        if let Some(contradiction) = self.contradiction(spent_up) {
            v.add("state", contradiction);
        }
        let usage = Usage { uses, spent, disabled: self.disabled, ..self.voucher.usage };
        let before = Before { uses, spent, adjusted };
        Voucher { max_uses, usage, balance, before, ..self.voucher.clone() }
    }

    /// What the state says that the rest does not.
    fn contradiction(&self, spent_up: bool) -> Option<String> {
        match self.state? {
            State::Exhausted if !spent_up => {
                Some("EXHAUSTED contradicts what is left of its uses or its balance".to_owned())
            }
            State::Disabled if !self.disabled && !self.may_move => {
                let message =
                    "DISABLED needs disabled = true: codes of an archived incentive are DISABLED too";
                Some(message.to_owned())
            }
            state @ (State::Active | State::Assigned | State::Generated) if spent_up || self.disabled => {
                Some(format!("{} contradicts its uses, its balance or disabled", state.as_str()))
            }
            _ => None,
        }
    }

    /// The fields in which what is here is something else than what is said. What has been used since it came is not.
    pub fn differences(&self, wanted: &Voucher, there: &Voucher) -> Vec<&'static str> {
        let stands = |said: bool, same: bool| !said || same;
        let uses = [there.usage.uses, there.before.uses];
        let spent = [there.usage.spent, there.before.spent];
        let exhausted = self.state == Some(State::Exhausted);
        let adjusted = |of: &Voucher| of.balance.map_or(0, |balance| balance.adjusted);
        let same = [
            ("incentive", wanted.incentive == there.incentive),
            ("max_uses", wanted.max_uses == there.max_uses),
            ("initial_balance", at_first(wanted) == at_first(there)),
            (
                "adjustments",
                stands(
                    self.adjusted.is_some(),
                    [adjusted(there), there.before.adjusted].contains(&adjusted(wanted)),
                ),
            ),
            ("validity", (wanted.starts, wanted.ends) == (there.starts, there.ends)),
            ("customer", stands(wanted.customer.is_some(), wanted.customer == there.customer)),
            ("source_id", stands(wanted.source_id.is_some(), wanted.source_id == there.source_id)),
            ("batch", stands(wanted.batch.is_some(), wanted.batch == there.batch)),
            ("labels", stands(!wanted.labels.is_empty(), wanted.labels == there.labels)),
            ("uses", stands(self.uses.is_some() || exhausted, uses.contains(&wanted.usage.uses))),
            ("balance", stands(self.balance.is_some() || exhausted, spent.contains(&wanted.usage.spent))),
            ("disabled", stands(self.disabled, there.usage.disabled)),
            ("create_time", stands(self.created.is_some(), wanted.created == there.created)),
            (
                "restored_until_time",
                stands(
                    wanted.usage.restored_until.is_some(),
                    wanted.usage.restored_until == there.usage.restored_until,
                ),
            ),
        ];
        same.into_iter().filter_map(|(field, same)| (!same).then_some(field)).collect()
    }
}

/// What a gift card was worth at first.
fn at_first(voucher: &Voucher) -> Option<(i64, Currency)> {
    voucher.balance.map(|balance| (balance.initial, balance.currency))
}

/// What becomes of an item.
#[derive(Debug)]
pub enum Fate {
    /// There was no such code.
    New,
    /// It is here, and says the same.
    Same,
    /// It was under an archived incentive, and is the item's from now on.
    Moved(Box<Voucher>),
}

/// What becomes of `item`, which would be stored as `wanted`, beside the code that is here and its incentive.
///
/// # Errors
/// VOUCHER_DIFFERS, INCENTIVE_ARCHIVED, or why it cannot be moved.
pub fn fate(item: &Item, wanted: &Voucher, there: Option<(&Voucher, &Ready)>) -> Outcome<Fate> {
    let Some((there, owner)) = there else { return Ok(Fate::New) };
    let archived = owner.incentive.state == incentive::State::Archived;
    if archived && there.incentive != wanted.incentive {
        return if item.may_move { moved(item, wanted, there) } else { Err(stands_archived(there)) };
    }
    match item.differences(wanted, there).as_slice() {
        [] => Ok(Fate::Same),
        fields => Err(differs(&fields.join(", "))),
    }
}

/// Two items of one block with the same code.
///
/// # Errors
/// VOUCHER_DIFFERS where they say different things.
pub fn twice(item: &Item, wanted: &Voucher, first: &Voucher) -> Outcome<()> {
    match item.differences(wanted, first).as_slice() {
        [] => Ok(()),
        fields => Err(differs(&fields.join(", "))),
    }
}

fn differs(fields: &str) -> Fault {
    let message = format!("the code exists, and is something else in: {fields}");
    Fault::new(Kind::AlreadyExists, ErrorReason::VoucherDiffers, message).with("fields", fields)
}

fn stands_archived(there: &Voucher) -> Fault {
    let incentive = incentive::name(&there.incentive);
    let message =
        format!("the code exists under {incentive}, which is archived: move_archived brings it here");
    Fault::precondition(ErrorReason::IncentiveArchived, message).with("incentive", incentive)
}

/// What was used stays used: rolling it back still finds it. What the item says otherwise of that is refused.
fn moved(item: &Item, wanted: &Voucher, there: &Voucher) -> Outcome<Fate> {
    const KEPT: [&str; 7] =
        ["uses", "adjustments", "balance", "disabled", "batch", "create_time", "restored_until_time"];
    let other: Vec<&str> =
        item.differences(wanted, there).into_iter().filter(|field| KEPT.contains(field)).collect();
    if !other.is_empty() {
        return Err(differs(&other.join(", ")));
    }
    let refused = |message: &str| Err(Fault::precondition(ErrorReason::VoucherDiffers, message));
    if there.usage.uses_held > 0 {
        return refused("the code is held by an order: move it once the hold is over");
    }
    if at_first(there) != at_first(wanted) {
        return refused("a gift card is moved with the initial_balance and the currency that it has");
    }
    let labels: BTreeMap<_, _> =
        if wanted.labels.is_empty() { there.labels.clone() } else { wanted.labels.clone() };
    Ok(Fate::Moved(Box::new(Voucher {
        incentive: wanted.incentive.clone(),
        customer: wanted.customer.clone().or_else(|| there.customer.clone()),
        source_id: wanted.source_id.clone().or_else(|| there.source_id.clone()),
        assigned: wanted.assigned.or(there.assigned),
        starts: wanted.starts,
        ends: wanted.ends,
        max_uses: wanted.max_uses,
        labels,
        ..there.clone()
    })))
}
