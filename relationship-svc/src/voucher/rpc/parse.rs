//! Reads the requests of VoucherService, every violation at once.

use std::collections::BTreeMap;

use tandem_kernel::basket::MAX_AMOUNT_MINOR;
use tandem_kernel::code::Typed;
use tandem_kernel::id;
use tandem_kernel::page::Listing;
use tandem_kernel::period::Zone;
use tandem_kernel::rule::{Fact, Facts, Filter, Type, Vocabulary};
use tandem_platform::idempotency::Request as Claimed;
use tandem_platform::resource::list::Judging;
use tandem_platform::{Call, Fault, Outcome, Tenant, Violations, field, grpc};
use tandem_proto::common::v1::Interval;
use tandem_proto::relationship::v1::*;
use tandem_proto::{Reason, common, convert};

use super::encode;
use crate::customer::store::alias;
use crate::voucher::commands::assign::{self, Assignment};
use crate::voucher::commands::generate;
use crate::voucher::format::{Format, SPACE_FACTOR, Written};
use crate::voucher::store::list::Of;
use crate::voucher::{Balance, Dates, Frame, Uses, Voucher, batch, store};
use crate::{App, customer};

const MAX_BLOCK: usize = 1_000;
/// What a code is given for.
pub const MAX_SOURCE_CHARS: usize = 128;
/// Labels of one code.
const MAX_LABELS: usize = 8;
/// The most rows that one call of ListVouchers looks at.
const SCAN: usize = 10_000;

pub fn generate(mut message: GenerateVouchersRequest) -> Outcome<(Claimed, generate::Wanted, bool)> {
    let mut v = Violations::new();
    let request_id = std::mem::take(&mut message.request_id);
    grpc::request_id(&mut v, &request_id);
    let claim = Claimed::new("GenerateVouchers", &request_id, &message);
    let most = batch::MAX_QUANTITY;
    v.check((1..=most).contains(&message.quantity), "quantity", format!("must be 1 to {most}"));
    let incentive = field::resource(&mut v, "incentive", "incentives", &message.incentive);
    let format = written(&mut v.nest("format"), message.format.unwrap_or_default());
    let (starts, ends) = dates(&mut v, message.validity.as_ref());
    let uses = uses(&mut v, message.max_uses, message.unlimited_uses);
    let balance = balance(&mut v, "balance", message.balance.as_ref());
    let quantity = message.quantity;
    if let Some(format) = format.as_ref().filter(|format| quantity <= most && !format.has_room_for(quantity))
    {
        let least = u128::from(quantity.unsigned_abs()) * SPACE_FACTOR;
        let message =
            format!("has {} different codes, needs {least}: ten times the quantity", format.space());
        v.add_as(ErrorReason::CodeSpaceTooSmall.reason(), "format.pattern", message);
    }
    v.finish()?;
    let format = format.ok_or_else(|| Fault::internal("a format without violations"))?;
    let wanted = generate::Wanted { incentive, quantity, format, starts, ends, uses, balance };
    Ok((claim, wanted, message.validate_only))
}

fn written(v: &mut Violations, format: CodeFormat) -> Option<Format> {
    let written = Written {
        pattern: format.pattern,
        prefix: format.prefix,
        charset: format.charset,
        check_character: format.check_character,
        case_sensitive: format.case_sensitive,
    };
    Format::new(&written).map_err(|problems| field::problems(v, problems)).ok()
}

pub fn dates(v: &mut Violations, validity: Option<&Interval>) -> Dates {
    let read = |interval| field::read(v, |found| convert::window("validity", interval, Zone::utc(), found));
    let window = validity.and_then(read);
    window.map_or((None, None), |window| (window.start(), window.end()))
}

pub fn uses(v: &mut Violations, most: Option<i64>, unlimited: bool) -> Uses {
    let message = "must be at least 1; absent is as the incentive says, and unlimited_uses sets no limit";
    v.check(most.is_none_or(|most| most >= 1), "max_uses", message);
    v.check(!unlimited || most.is_none(), "unlimited_uses", "must not stand beside max_uses");
    match most {
        _ if unlimited => Uses::Unlimited,
        Some(most) => Uses::Most(most),
        None => Uses::OfIncentive,
    }
}

pub fn balance(v: &mut Violations, field: &str, money: Option<&common::v1::Money>) -> Option<Balance> {
    let read = money.and_then(|money| field::read(v, |found| convert::money(field, money, found)));
    let balance = read.map(|money| Balance::new(money.minor, money.currency));
    let fits = balance.is_none_or(|balance| (1..=MAX_AMOUNT_MINOR).contains(&balance.initial));
    v.check(fits, field, format!("must be above 0, and at most {MAX_AMOUNT_MINOR} minor units"));
    balance
}

pub fn labels(v: &mut Violations, given: BTreeMap<String, String>) -> BTreeMap<String, String> {
    v.check(given.len() <= MAX_LABELS, "labels", format!("must have at most {MAX_LABELS} entries"));
    for (key, value) in given.iter().take(MAX_LABELS) {
        let short: String = key.chars().take(32).collect();
        let fits = (1..=32).contains(&key.len()) && value.len() <= 128;
        let plain = !key.chars().chain(value.chars()).any(char::is_control);
        let message =
            "must have a key of 1 to 32 bytes and a value of at most 128, without control characters";
        v.check(fits && plain, format!("labels[{short}]"), message);
    }
    given
}

pub fn export(message: ExportVouchersRequest) -> Outcome<(String, Option<String>)> {
    let mut v = Violations::new();
    let incentive = field::resource(&mut v, "incentive", "incentives", &message.incentive);
    let batch = field::optional_resource(&mut v, "batch", "batches", &message.batch);
    v.finish()?;
    Ok((incentive, batch))
}

pub fn assign(mut message: AssignVouchersRequest) -> Outcome<(Claimed, assign::Wanted)> {
    let mut v = Violations::new();
    let request_id = std::mem::take(&mut message.request_id);
    grpc::request_id(&mut v, &request_id);
    let claim = Claimed::new("AssignVouchers", &request_id, &message);
    let incentive = field::resource(&mut v, "incentive", "incentives", &message.incentive);
    let count = message.assignments.len();
    v.check(
        (1..=MAX_BLOCK).contains(&count),
        "assignments",
        format!("must have 1 to {MAX_BLOCK} entries, has {count}"),
    );
    let mut assignments = Vec::with_capacity(count);
    for (index, given) in message.assignments.into_iter().take(MAX_BLOCK).enumerate() {
        let mut v = v.nest(format!("assignments[{index}]"));
        let customer = field::resource(&mut v, "customer", "customers", &given.customer);
        let source_id = field::text(&mut v, "source_id", given.source_id, 1..=MAX_SOURCE_CHARS);
        assignments.push(Assignment { customer, source_id });
    }
    let format = message.format.and_then(|format| written(&mut v.nest("format"), format));
    let validity = message.validity.as_ref().map(|validity| dates(&mut v, Some(validity)));
    v.finish()?;
    Ok((claim, assign::Wanted { incentive, assignments, format, validity }))
}

/// The code in "vouchers/{code}", as typed.
pub fn code_name(name: &str) -> Outcome<String> {
    let mut v = Violations::new();
    let code = code_named(&mut v, name);
    v.finish()?;
    Ok(code)
}

/// The same among other fields.
pub fn code_named(v: &mut Violations, name: &str) -> String {
    let code = name.strip_prefix("vouchers/").filter(|code| Typed::read(code).is_some());
    v.check(code.is_some(), "name", "must be `vouchers/{code}`");
    code.unwrap_or_default().to_owned()
}

pub fn disable(app: &App, mut message: DisableVoucherRequest) -> Outcome<(Claimed, String)> {
    let mut v = Violations::new();
    let request_id = std::mem::take(&mut message.request_id);
    let claim = field::request(&mut v, &*app.ids, app.clock.now(), "DisableVoucher", &request_id, &message);
    let code = code_named(&mut v, &message.name);
    v.finish()?;
    Ok((claim, code))
}

/// ListVouchers, read.
pub struct List {
    incentive: Option<String>,
    customer: Option<String>,
    size: usize,
    after: String,
    filter: Filter,
    listing: Owned,
}

/// What a page token is bound to.
struct Owned {
    tenant: Tenant,
    parent: String,
    filter: String,
}

impl Owned {
    fn listing(&self) -> Listing<'_> {
        Listing {
            tenant: self.tenant.as_str(),
            list: "ListVouchers",
            parent: &self.parent,
            filter: &self.filter,
            order_by: "code",
        }
    }
}

/// What a filter over vouchers may read.
fn vocabulary() -> Vocabulary {
    let kind = Type::object([
        ("code", Type::Text),
        ("incentive", Type::Text),
        ("customer", Type::Text),
        ("source_id", Type::Text),
        ("batch", Type::Text),
        ("uses", Type::Int),
        ("state", Type::Text),
    ]);
    Vocabulary::new().with("voucher", kind)
}

impl List {
    pub fn read(call: &Call, message: ListVouchersRequest) -> Outcome<Self> {
        let mut v = Violations::new();
        let size = grpc::page_size(&mut v, message.page_size) as usize;
        let incentive = field::optional_resource(&mut v, "incentive", "incentives", &message.incentive);
        let customer = field::optional_resource(&mut v, "customer", "customers", &message.customer);
        let one = incentive.is_some() || customer.is_some() || !v.is_empty();
        v.check(one, "incentive", "one of incentive and customer is required");
        let filter =
            Filter::parse(&message.filter, &vocabulary()).map_err(|error| v.add("filter", error.to_string()));
        v.finish()?;
        let filter = filter.map_err(|()| Fault::internal("a filter without violations"))?;
        let parent = format!("{}|{}", message.incentive, message.customer);
        let listing = Owned { tenant: call.tenant.clone(), parent, filter: message.filter };
        let resumed =
            listing.listing().resume(&message.page_token).map_err(|_| Fault::invalid_page_token())?;
        let after = resumed.and_then(|keys| keys.into_iter().next()).unwrap_or_default();
        Ok(Self { incentive, customer, size, after, filter, listing })
    }

    /// One page; where the filter leaves out much, a short one with a token to go on.
    pub async fn page(&self, app: &App, tenant: &Tenant) -> Outcome<ListVouchersResponse> {
        let mut reader = app.db.read().await?;
        let kept = match &self.customer {
            Some(id) => Some(alias::into(&mut reader, tenant, id).await?.unwrap_or_else(|| id.clone())),
            None => None,
        };
        let of = match (&kept, &self.incentive) {
            (Some(customer), _) => Of::Customer(customer),
            (None, incentive) => Of::Incentive(incentive.as_deref().unwrap_or_default()),
        };
        let now = app.clock.now();
        let mut answer = ListVouchersResponse::default();
        let (mut after, mut looked_at) = (self.after.clone(), 0);
        let mut judging = Judging::default();
        while looked_at < SCAN {
            let rows = store::list::page(&mut reader, tenant, of, &after, self.size.max(100)).await?;
            looked_at += rows.len();
            let end = rows.len() < self.size.max(100);
            let mut ids: Vec<String> = rows.iter().map(|voucher| voucher.incentive.clone()).collect();
            ids.sort_unstable();
            ids.dedup();
            let incentives = app.definitions.current(&mut reader, tenant, &ids).await?;
            for voucher in rows {
                if answer.vouchers.len() == self.size || judging.is_over() {
                    answer.next_page_token = self.listing.listing().token(&[after]);
                    return Ok(answer);
                }
                after.clone_from(&voucher.code);
                let Some(ready) = incentives.get(&voucher.incentive) else { continue };
                let of_incentive = self.incentive.as_ref().is_none_or(|id| *id == voucher.incentive);
                let state = voucher.state(&Frame::of(&ready.incentive), now);
                if of_incentive && self.admits(&voucher, state, &mut judging) {
                    answer.vouchers.push(encode(&voucher, &ready.incentive, now));
                }
                judging.turn().await;
            }
            if end {
                return Ok(answer);
            }
        }
        answer.next_page_token = self.listing.listing().token(&[after]);
        Ok(answer)
    }

    fn admits(&self, voucher: &Voucher, state: crate::voucher::State, judging: &mut Judging) -> bool {
        let text = |value: &Option<String>| Fact::from(value.clone().unwrap_or_default());
        let named = |collection, value: &Option<String>| {
            Fact::from(value.as_deref().map(|of| id::name(collection, of)).unwrap_or_default())
        };
        let fact = Fact::Object(vec![
            ("code", Fact::text(&voucher.code)),
            ("incentive", Fact::from(crate::incentive::name(&voucher.incentive))),
            ("customer", Fact::from(voucher.customer.as_deref().map(customer::name).unwrap_or_default())),
            ("source_id", text(&voucher.source_id)),
            ("batch", named("batches", &voucher.batch)),
            ("uses", Fact::Int(voucher.usage.uses)),
            ("state", Fact::text(state.as_str())),
        ]);
        judging.shows(&self.filter, &Facts::new().with("voucher", fact))
    }
}
