//! ImportVouchers: codes made elsewhere, in blocks.

use std::sync::Arc;

use jiff::Timestamp;
use prost::Message;
use tandem_kernel::basket::MAX_AMOUNT_MINOR;
use tandem_kernel::code;
use tandem_platform::grpc::{self, BLOCK_ROWS, Import};
use tandem_platform::{Call, Fault, Outcome, Violations, field};
use tandem_proto::common::v1::Money;
use tandem_proto::convert;
use tandem_proto::relationship::v1::{
    self, ImportVouchersRequest, ImportVouchersResponse, VoucherImportFailure, VoucherState,
};

use super::parse::{self, MAX_SOURCE_CHARS};
use crate::App;
use crate::voucher::commands::import::{self, Taken};
use crate::voucher::imported::Item;
use crate::voucher::{Balance, State, Usage, Voucher};

/// The codes of one stream.
pub struct Codes {
    app: Arc<App>,
    call: Call,
}

impl Codes {
    /// That `call` brings in.
    pub fn new(app: &Arc<App>, call: Call) -> Self {
        Self { app: app.clone(), call }
    }
}

impl Import for Codes {
    type Message = ImportVouchersRequest;
    type Answer = ImportVouchersResponse;
    /// The code as it was sent.
    type Row = (String, Outcome<Taken>);

    fn rows(message: &ImportVouchersRequest) -> usize {
        message.vouchers.len()
    }

    fn check(&self, message: &ImportVouchersRequest) -> Outcome<()> {
        let count = message.vouchers.len();
        let description = format!("must have at most {BLOCK_ROWS} entries in one message, has {count}");
        if count <= BLOCK_ROWS { Ok(()) } else { Err(Fault::invalid_field("vouchers", description)) }
    }

    async fn write(&self, block: Vec<ImportVouchersRequest>) -> Outcome<Vec<Self::Row>> {
        let now = self.app.clock.now();
        let (mut codes, mut items, mut done) = (Vec::new(), Vec::new(), Vec::new());
        for message in block {
            let manner = Manner { case_sensitive: message.case_sensitive, may_move: message.move_archived };
            for voucher in message.vouchers {
                let index = codes.len();
                codes.push(field::echo(&voucher.code));
                match item(index, voucher, manner, now) {
                    Ok(item) => items.push(item),
                    Err(fault) => done.push((index, Err(fault))),
                }
            }
        }
        let (app, call) = (self.app.clone(), self.call.clone());
        let write = async move { import::block(&app, &call, items).await };
        done.extend(grpc::detached(&self.app.tasks, &self.call, write).await?);
        done.sort_by_key(|(index, _)| *index);
        Ok(codes.into_iter().zip(done).map(|(code, (_, outcome))| (code, outcome)).collect())
    }

    fn tell(answer: &mut ImportVouchersResponse, (code, outcome): Self::Row) -> usize {
        let index = answer.done;
        answer.done += 1;
        match outcome {
            Ok(Taken::Created) => answer.created += 1,
            Ok(Taken::Existing) => answer.existing += 1,
            Ok(Taken::Moved) => answer.moved += 1,
            Err(fault) => {
                let failure = VoucherImportFailure { index, code, status: Some(field::item_status(fault)) };
                let bytes = failure.encoded_len();
                answer.failed += 1;
                answer.failures.push(failure);
                return bytes;
            }
        }
        0
    }

    fn counts(answer: &ImportVouchersResponse) -> ImportVouchersResponse {
        ImportVouchersResponse { failures: Vec::new(), ..*answer }
    }
}

/// What a message says of all its rows.
#[derive(Debug, Clone, Copy)]
struct Manner {
    case_sensitive: bool,
    may_move: bool,
}

fn item(index: usize, given: v1::Voucher, manner: Manner, now: Timestamp) -> Outcome<Item> {
    let mut v = Violations::new();
    let code = code_of(&mut v, &given, manner.case_sensitive);
    let incentive = field::resource(&mut v, "incentive", "incentives", &given.incentive);
    let customer = field::optional_resource(&mut v, "customer", "customers", &given.customer);
    let (starts, ends) = parse::dates(&mut v, given.validity.as_ref());
    let uses_asked = parse::uses(&mut v, given.max_uses, given.unlimited_uses);
    let initial = parse::balance(&mut v, "initial_balance", given.initial_balance.as_ref());
    let left = on_card(&mut v, "balance", initial, given.balance.as_ref());
    v.check(left.is_none_or(|left| left >= 0), "balance", "must be at least 0");
    let adjusted = on_card(&mut v, "adjustments", initial, given.adjustments.as_ref());
    let worth = initial.zip(adjusted).map(|(initial, adjusted)| initial.initial.saturating_add(adjusted));
    let fits = worth.is_none_or(|worth| (0..=MAX_AMOUNT_MINOR).contains(&worth));
    let message = format!("must come with initial_balance to 0 to {MAX_AMOUNT_MINOR} minor units");
    v.check(fits, "adjustments", message);
    let state = state(&mut v, given.state);
    v.check(given.uses >= 0, "uses", "must be at least 0");
    v.check(given.uses_held == 0, "uses_held", "must be 0: a hold cannot be brought in");
    let source_id = (!given.source_id.is_empty())
        .then(|| field::text(&mut v, "source_id", given.source_id, 1..=MAX_SOURCE_CHARS));
    v.check(source_id.is_none() || customer.is_some(), "source_id", "needs the customer it was given to");
    let assigned = time(&mut v, "assign_time", given.assign_time.as_ref());
    v.check(assigned.is_none() || customer.is_some(), "assign_time", "needs the customer it was given to");
    let created = time(&mut v, "create_time", given.create_time.as_ref());
    let restored_until = time(&mut v, "restored_until_time", given.restored_until_time.as_ref());
    let batch = field::optional_resource(&mut v, "batch", "batches", &given.batch);
    let labels = parse::labels(&mut v, given.labels);
    v.finish()?;
    let voucher = Voucher {
        batch,
        assigned: assigned.or(customer.is_some().then_some(now)),
        customer,
        source_id,
        starts,
        ends,
        balance: initial,
        usage: Usage { restored_until, ..Usage::default() },
        labels,
        ..Voucher::new(code, incentive, created.unwrap_or(now))
    };
    let uses = (given.uses > 0).then_some(given.uses);
    let (disabled, may_move) = (given.disabled, manner.may_move);
    Ok(Item { index, voucher, uses_asked, uses, balance: left, adjusted, state, disabled, created, may_move })
}

/// The code as it is to be stored: as its name says, which an export has, else folded unless case is kept.
fn code_of(v: &mut Violations, given: &v1::Voucher, case_sensitive: bool) -> String {
    let named = given.name.strip_prefix("vouchers/");
    v.check(given.name.is_empty() || named.is_some(), "name", "must be \"vouchers/{code}\"");
    let code = named.map_or_else(|| code::stored(&given.code, case_sensitive), code::kept);
    let same = given.code.is_empty() || code::folded(&given.code) == code::folded(&code);
    v.check(same, "name", "must name the code");
    if let Err(error) = code::check(&code) {
        v.add("code", error.to_string());
    }
    code
}

/// An amount on a gift card, in minor units.
fn on_card(v: &mut Violations, field: &str, initial: Option<Balance>, money: Option<&Money>) -> Option<i64> {
    let read = field::read(v, |found| convert::money(field, money?, found))?;
    v.check(initial.is_some(), field, "needs initial_balance");
    let same = initial.is_none_or(|initial| initial.currency == read.currency);
    v.check(same, field, "must be in the currency of initial_balance");
    Some(read.minor)
}

fn state(v: &mut Violations, number: i32) -> Option<State> {
    match VoucherState::try_from(number) {
        Ok(VoucherState::Unspecified) => None,
        Ok(VoucherState::Generated) => Some(State::Generated),
        Ok(VoucherState::Assigned) => Some(State::Assigned),
        Ok(VoucherState::Active) => Some(State::Active),
        Ok(VoucherState::Exhausted) => Some(State::Exhausted),
        Ok(VoucherState::Expired) => Some(State::Expired),
        Ok(VoucherState::Disabled) => Some(State::Disabled),
        Err(_) => {
            v.add("state", "must be one of the states");
            None
        }
    }
}

fn time(v: &mut Violations, field: &str, given: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    field::read(v, |found| convert::timestamp(field, given?, found))
}
