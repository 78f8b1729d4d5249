//! What support does to a code by hand. The row of the code is locked: redemptions of it come before or after.

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::money::Money;
use tandem_platform::db::Session;
use tandem_platform::resource::Unit;
use tandem_platform::service::Asked;
use tandem_platform::{Fault, Kind, Outcome, Tenant, counters, grpc, once};
use tandem_proto::relationship::v1::ErrorReason;

use crate::incentive::{self, Ready};
use crate::voucher::change::{self, Around, Change, Held, Wanted};
use crate::voucher::{Frame, Voucher, events, key, store};
use crate::{App, customer};

/// Other values for some fields of a code.
#[derive(Debug, Clone)]
pub struct Update {
    /// As stored.
    pub code: String,
    /// Of the version that the caller has read, or empty.
    pub etag: String,
    /// What it is to be.
    pub wanted: Wanted,
    /// Why.
    pub reason: String,
}

/// More on a gift card, or less.
#[derive(Debug, Clone)]
pub struct Adjustment {
    /// As stored.
    pub code: String,
    /// Added where it is above 0.
    pub amount: Money,
    /// Why.
    pub reason: String,
}

/// Changes fields of a code. What changes nothing leaves no trace.
pub async fn update(app: Arc<App>, asked: Asked<Update>) -> Outcome<Voucher> {
    let id = app.ids.next(app.clock.now());
    once!(app.core, asked, |unit, update| {
        let tenant = unit.tenant();
        // Before the code, as everybody who gives codes does: two who give one customer a code follow each other.
        lock_customer(unit, update.wanted.customer.as_deref()).await?;
        let before = locked(unit, &update.code).await?;
        grpc::check_etag(&update.etag, before.version, events::name(&before.code))?;
        let ready = ready(&app, unit.tx(), tenant, &before).await?;
        let now = unit.now();
        let beside = Beside::of(unit, &before, &update.wanted, &ready).await?;
        let around = Around {
            incentive: &ready.incentive,
            held: beside.held,
            others: beside.others.as_deref(),
            source_taken: beside.source_taken,
            now,
        };
        let next = change::changed(&before, &update.wanted, &around)?;
        let fields = change::differences(&before, &next);
        if fields.is_empty() {
            return Ok(before);
        }
        let (principal, reason) = (unit.principal().to_owned(), update.reason.clone());
        let change = Change { id, principal, reason, fields, amount: None, made: now };
        let next = saved(unit, next, &change)?;
        unit.tell(events::updated(&next, &change, &Frame::of(&ready.incentive), now));
        Ok(next)
    })
}

/// Tops a gift card up, or corrects what is on it.
pub async fn adjust(app: Arc<App>, asked: Asked<Adjustment>) -> Outcome<Voucher> {
    let id = app.ids.next(app.clock.now());
    once!(app.core, asked, |unit, adjustment| {
        let tenant = unit.tenant();
        let before = locked(unit, &adjustment.code).await?;
        let ready = ready(&app, unit.tx(), tenant, &before).await?;
        let now = unit.now();
        let held = held(unit.tx(), tenant, &before, now).await?;
        let next = change::adjusted(&before, adjustment.amount, held)?;
        let (principal, reason) = (unit.principal().to_owned(), adjustment.reason.clone());
        let amount = Some(adjustment.amount.minor);
        let change = Change { id, principal, reason, fields: Vec::new(), amount, made: now };
        let next = saved(unit, next, &change)?;
        unit.tell(events::adjusted(&next, &change, &Frame::of(&ready.incentive), now));
        Ok(next)
    })
}

async fn lock_customer(unit: &mut Unit<'_>, wanted: Option<&str>) -> Outcome<()> {
    let Some(id) = wanted.filter(|id| !id.is_empty()) else { return Ok(()) };
    let tenant = unit.tenant();
    let known = customer::store::lock_ids(unit.tx(), tenant, &[id.to_owned()]).await?;
    if !known.is_empty() {
        return Ok(());
    }
    let into = customer::store::alias::into(unit.tx(), tenant, id).await?;
    Err(into.map_or_else(|| unknown_customer(id), |into| customer::alias::refused(id, &into)))
}

/// A code is to be a customer's who does not exist.
pub fn unknown_customer(id: &str) -> Fault {
    let name = customer::name(id);
    let message = format!("{name} does not exist");
    Fault::new(Kind::NotFound, ErrorReason::CustomerNotFound, message).with("resource", name)
}

async fn locked(unit: &mut Unit<'_>, code: &str) -> Outcome<Voucher> {
    let tenant = unit.tenant();
    let found = store::lock_many(unit.tx(), tenant, vec![code.to_owned()]).await?.pop();
    found.ok_or_else(|| Fault::not_found(events::name(code)))
}

async fn ready(
    app: &App,
    session: &mut impl Session,
    tenant: &Tenant,
    voucher: &Voucher,
) -> Outcome<Arc<Ready>> {
    let found = app.definitions.current(session, tenant, std::slice::from_ref(&voucher.incentive)).await?;
    let ready = found.get(&voucher.incentive).cloned();
    ready.ok_or_else(|| Fault::not_found(incentive::name(&voucher.incentive)))
}

/// What live holds keep of a locked code: what has lapsed may still be counted on it.
async fn held(
    session: &mut impl Session,
    tenant: &Tenant,
    voucher: &Voucher,
    now: Timestamp,
) -> Outcome<Held> {
    let mut held = Held { uses: voucher.usage.uses_held, amount: voucher.usage.spent_held };
    if held == Held::default() {
        return Ok(held);
    }
    for claim in counters::lapsed_claims(session, tenant, &[key(&voucher.code)], now).await? {
        held.uses -= claim.uses;
        held.amount -= claim.amount;
    }
    Ok(held)
}

/// What else is read for a change.
struct Beside {
    held: Held,
    others: Option<String>,
    source_taken: bool,
}

impl Beside {
    async fn of(unit: &mut Unit<'_>, voucher: &Voucher, wanted: &Wanted, ready: &Ready) -> Outcome<Self> {
        let (tenant, incentive, now) = (unit.tenant(), &voucher.incentive, unit.now());
        let held = held(unit.tx(), tenant, voucher, now).await?;
        let said = |text: &Option<String>| text.iter().filter(|text| !text.is_empty()).cloned().collect();
        let customers: Vec<String> = match ready.incentive.definition.one_code_per_customer {
            true => said(&wanted.customer),
            false => Vec::new(),
        };
        let theirs = store::assignment::of_customers(unit.tx(), tenant, incentive, customers).await?;
        let sources = said(&wanted.source_id);
        let taken = store::assignment::of_sources(unit.tx(), tenant, incentive, sources).await?;
        let other = |one: &Voucher| one.code != voucher.code;
        Ok(Self {
            held,
            others: theirs.into_iter().find(other).map(|one| one.code),
            source_taken: taken.iter().any(other),
        })
    }
}

/// The next version of a locked code, with what was done.
fn saved(unit: &mut Unit<'_>, next: Voucher, change: &Change) -> Outcome<Voucher> {
    unit.write(store::change::save(&next)?);
    unit.write(store::change::keep(&next.code, change)?);
    Ok(Voucher { version: next.version + 1, ..next })
}
