//! Decisions, pure: what each item of a batch may do, on the working copy.

mod gift;
mod give_back;
mod plain;
mod room;
mod take;
mod usable;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tandem_kernel::basket::{Basket, TaxMode};
use tandem_kernel::code::Typed;
use tandem_kernel::limits::{Dimension, Facts};
use tandem_kernel::money::Currency;
use tandem_kernel::work::Work;
use uuid::Uuid;

use super::guesses::Leave;
use super::world::{Judged, JudgedValue, Reach, Setting, World, distinct};
use super::{
    Answer, CodeOutcome, Command, Counted, CounterKey, CounterKind, Membership, Person, QuotedCode,
    Redemption, Refusal, Refused, Take, Terms, What, refusal,
};

pub(super) use give_back::make_room;
pub(super) use plain::{AT_ONCE, BASKET, Pricing, price, standing};
pub(super) use usable::{TOGETHER, each_alone, looking};

/// What an item is about, looked up once the vouchers are locked and before the counters are.
#[derive(Debug, Default)]
pub(super) struct Plan<'i> {
    pub candidates: Vec<Candidate<'i>>,
}

/// One code that an item wants.
#[derive(Debug)]
pub(super) struct Candidate<'i> {
    /// As stored, or folded where it is not known.
    pub code: String,
    /// The same code stands before it.
    pub duplicate: bool,
    /// Where the voucher is; `None`: there is none.
    pub voucher: Option<usize>,
    /// It is not looked up, or as good as that, for so long.
    pub throttled: Option<Duration>,
    /// There can be no such code.
    pub ruled_out: bool,
    /// The incentive as it is now.
    pub terms: Option<Arc<Terms>>,
    /// What the quote promised.
    pub sealed: Option<&'i QuotedCode>,
    pub counted: Counted,
    pub reach: Option<Reach>,
}

/// The orders whose redemptions an item touches: its own, and the one it replaces.
pub(super) fn orders(command: &Command) -> impl Iterator<Item = &str> {
    let (own, replaced) = match command {
        Command::Take(take) => (Some(&take.order), take.replaces.as_ref()),
        Command::Release { order, .. } | Command::Expire { order } => (Some(order), None),
        Command::RollBack(roll_back) => (Some(&roll_back.order), None),
        Command::Disable { .. } => (None, None),
    };
    own.into_iter().chain(replaced).map(String::as_str)
}

/// The stored codes an item may touch, those of its orders' redemptions aside.
pub(super) fn codes(command: &Command, into: &mut Vec<String>) {
    match command {
        Command::Take(Take { what: What::Quote(quote), .. }) => {
            into.extend(quote.codes.iter().map(|sealed| sealed.code.clone()));
        }
        Command::Take(Take { what: What::Plain(plain), .. }) if !matches!(plain.leave, Leave::No(_)) => {
            into.extend(plain.codes.iter().flat_map(Typed::stored).map(str::to_owned));
        }
        Command::Disable { code } => into.push(code.clone()),
        _ => {}
    }
}

/// Ids of the incentives that locked vouchers and loaded redemptions belong to.
pub(super) fn incentives(world: &World) -> Vec<String> {
    let of_vouchers = world.vouchers.slots.iter().map(|slot| slot.voucher.incentive.clone());
    let of_redemptions = world.redemptions.iter().map(|slot| slot.current.incentive.clone());
    distinct(of_vouchers.chain(of_redemptions))
}

/// Finds what each item is about, and thereby names every counter that it may touch.
pub(super) fn plan<'i>(world: &mut World, command: &'i Command) -> Plan<'i> {
    let Command::Take(take) = command else { return Plan::default() };
    let person = world.person(&take.person);
    let subject = person.subject();
    let mut candidates = match &take.what {
        What::Held => Vec::new(),
        What::Quote(quote) => {
            let sealed = quote.codes.iter();
            sealed
                .map(|sealed| Candidate { sealed: Some(sealed), ..candidate(world, &sealed.code) })
                .collect()
        }
        What::Plain(plain) => {
            plain.codes.iter().map(|typed| typed_candidate(world, &take.order, typed, plain.leave)).collect()
        }
    };
    let known = subject.is_some();
    let (currency, place, attributes, open) = match &take.what {
        What::Quote(quote) => (quote.currency, &quote.place, &quote.attributes, false),
        What::Plain(plain) => {
            let open = plain.segments == Membership::Open;
            (plain.basket.currency, &plain.place, &plain.basket.attributes, open)
        }
        What::Held => return Plan { candidates },
    };
    for at in 0..candidates.len() {
        let (before, rest) = candidates.split_at_mut(at);
        let Some(one) = rest.first_mut() else { continue };
        one.duplicate = before.iter().any(|other| other.code == one.code);
        if let (Some(voucher), Some(terms)) = (one.voucher, &one.terms) {
            let segments = match (&take.what, one.sealed) {
                (What::Plain(plain), _) => plain.segments.counted(terms),
                (_, Some(sealed)) => sealed.segments.clone(),
                _ => Vec::new(),
            };
            let facts = Facts { known, place, attributes, segments: &segments };
            let tracks = world.setting.tracks.tracks(&terms.id, terms.limits());
            world.ledger.count_in(&terms.id, &tracks);
            one.counted = Counted::of(&tracks, facts, world.now(), &world.setting.zone);
            let (counted, subject) = (&one.counted, subject.as_ref());
            let reach = reach(world, voucher, counted, &terms.id, currency, subject, Some(terms));
            let reach = remembered(world, reach, &person);
            one.reach = Some(if open { opened(reach, terms) } else { reach });
        }
    }
    Plan { candidates }
}

/// Has limits per customer be judged by what is counted under other names of theirs, too: of ids that stand for them, and before
/// somebody was erased under the same id.
fn remembered(world: &mut World, mut reach: Reach, person: &Person) -> Reach {
    let (customers, periods) = (reach.judged.customer, reach.judged.customer_period);
    let limited = customers.is_some() || periods.is_some();
    let Some(id) = person.customer.as_ref().filter(|_| limited) else { return reach };
    let Setting { tenant, people, .. } = &world.setting;
    let pseudonym = people.pseudonym(tenant.as_str(), id);
    let kept = world.names.customer(&pseudonym).map(str::to_owned);
    let mut names: Vec<Arc<str>> = world.names.open(id).to_vec();
    let open = names.len();
    let hidden = std::iter::once(pseudonym).chain(kept);
    names.extend(hidden.filter_map(|id| Person { customer: Some(id), guest: None }.subject()));
    let mut beside = |at: Option<usize>| -> Arc<[usize]> {
        let Some(key) = at.and_then(|at| world.ledger.rows().get(at)).map(|row| row.key.clone()) else {
            return Arc::default();
        };
        let named = |subject: &Arc<str>| CounterKey { subject: subject.clone(), ..key.clone() };
        names.iter().map(named).map(|key| world.ledger.place(key)).collect()
    };
    reach.judged.beside = beside(customers);
    reach.judged.beside_period = beside(periods);
    let places = [&reach.judged.beside, &reach.judged.beside_period];
    reach.judged.guarded = places.into_iter().flat_map(|all| all.iter().take(open).copied()).collect();
    reach
}

/// Sets what limits by segment are judged by apart, where it is open which of them count.
fn opened(reach: Reach, terms: &Terms) -> Reach {
    let by_segment = |value: &JudgedValue| {
        let limit = terms.limits().per_value.get(value.limit);
        limit.is_some_and(|limit| limit.dimension == Dimension::Segment)
    };
    let (open, values): (Vec<_>, Vec<_>) = reach.values.iter().copied().partition(by_segment);
    Reach { values: values.into(), open: open.into(), ..reach }
}

/// Names the counters of loaded redemptions that may still change.
pub(super) fn reach_of_redemptions(world: &mut World) {
    for at in 0..world.redemptions.len() {
        let redemption = world.redemption(at).clone();
        if !redemption.may_change() {
            continue;
        }
        let Some(voucher) = world.voucher_place(&redemption.code) else { continue };
        let terms = world.terms.get(&redemption.incentive).cloned();
        let incentive =
            terms.as_ref().map_or_else(|| redemption.incentive.as_str().into(), |terms| terms.id.clone());
        let subject = redemption.person.subject();
        let (counted, currency) = (&redemption.details.counted, redemption.currency);
        let reach = reach(world, voucher, counted, &incentive, currency, subject.as_ref(), terms.as_deref());
        world.redemptions[at].reach = Some(reach);
    }
}

/// Places what a redemption counts in; of several counters of one kind that one is judged by which begins anew when the
/// limit does.
fn reach(
    world: &mut World,
    voucher: usize,
    counted: &Counted,
    incentive: &Arc<str>,
    currency: Currency,
    subject: Option<&Arc<str>>,
    terms: Option<&Terms>,
) -> Reach {
    let limits = terms.map(Terms::limits);
    let recurrence = limits.and_then(|limits| limits.recurrence);
    let of_customer = limits.and_then(|limits| limits.per_customer_period).map(|limit| limit.period);
    let (mut uses, mut money, mut judged) = (Vec::new(), Vec::new(), Judged::default());
    for key in counted.keys(incentive, currency, subject) {
        let (kind, anew) = (key.kind, key.recurrence());
        let at = world.ledger.place(key);
        if kind.is_money() {
            money.push(at)
        } else {
            uses.push(at)
        }
        match kind {
            CounterKind::Uses if anew == recurrence => judged.uses = Some(at),
            CounterKind::Budget if anew == recurrence => judged.budget = Some(at),
            CounterKind::Customer => judged.customer = Some(at),
            CounterKind::CustomerPeriod if anew == of_customer => judged.customer_period = Some(at),
            _ => {}
        }
    }
    let per_value = limits.map(|limits| limits.per_value.as_slice()).unwrap_or_default();
    let mut values = Vec::new();
    for (limit, of) in per_value.iter().enumerate() {
        for value in counted.values(&of.dimension, recurrence) {
            let uses = world.ledger.place(value.of_uses(incentive));
            let money = world.ledger.place(value.of_money(incentive, currency));
            values.push(JudgedValue { limit, uses, money });
        }
    }
    let (values, open) = (values.into(), Arc::default());
    Reach { voucher, uses: uses.into(), money: money.into(), judged, values, open }
}

impl Candidate<'_> {
    /// Why it is refused, in a sentence that names what no refusal can: what a limit counts by.
    fn message(&self, refusal: Refusal) -> Cow<'static, str> {
        let limits = self.terms.as_ref().map(|terms| terms.limits());
        let lacks = limits.and_then(|limits| {
            let mut per_value = limits.per_value.iter();
            per_value.find(|limit| self.counted.values(&limit.dimension, limits.recurrence).next().is_none())
        });
        match lacks.filter(|_| refusal == Refusal::LimitValueRequired) {
            Some(limit) => Cow::Owned(refusal::value_required(&limit.dimension)),
            None => Cow::Borrowed(""),
        }
    }

    fn refused(&self, refusal: Refusal) -> CodeOutcome {
        let (message, ruled_out) = (self.message(refusal), self.ruled_out);
        CodeOutcome { message, ruled_out, ..CodeOutcome::refused(self.code.as_str(), refusal) }
    }
}

/// A code as it was typed, as far as it may be looked up. One that the order holds already is no guess.
fn typed_candidate<'i>(world: &World, order: &str, typed: &Typed, leave: Leave) -> Candidate<'i> {
    if !typed.may_exist() {
        return Candidate { ruled_out: true, ..unknown(typed.folded().to_owned()) };
    }
    let own = |one: &Redemption| one.state.is_live() && typed.means(&one.code);
    let found = || {
        let known = typed.stored().find(|code| world.voucher_place(code).is_some());
        candidate(world, known.unwrap_or(typed.folded()))
    };
    match leave {
        Leave::No(wait) if world.of_order(order, own).is_empty() => {
            Candidate { throttled: Some(wait), ..unknown(typed.folded().to_owned()) }
        }
        Leave::Known(wait) => {
            let found = found();
            Candidate { throttled: found.voucher.is_none().then_some(wait), ..found }
        }
        Leave::Every | Leave::No(_) => found(),
    }
}

fn unknown<'i>(code: String) -> Candidate<'i> {
    Candidate {
        code,
        duplicate: false,
        voucher: None,
        throttled: None,
        ruled_out: false,
        terms: None,
        sealed: None,
        counted: Counted::default(),
        reach: None,
    }
}

/// A code as it is stored.
fn candidate<'i>(world: &World, code: &str) -> Candidate<'i> {
    let voucher = world.voucher_place(code);
    let terms = voucher.and_then(|at| world.terms.get(&world.voucher(at).incentive).cloned());
    Candidate { voucher, terms, ..unknown(code.to_owned()) }
}

/// Decides one item. `ids` are fresh, one per code that it may redeem. BASKET_TOO_COSTLY where `work` is over before the
/// basket is priced.
pub(super) fn decide(
    world: &mut World,
    item: usize,
    command: &Command,
    plan: &Plan,
    ids: &[Uuid],
    work: &mut Work,
) -> Result<Answer, Refused> {
    world.item = item;
    let mark = world.mark();
    let decided = match command {
        Command::Take(take) => take::take(world, take, plan, ids, work).map(Answer::Taken),
        Command::Release { order, of_order } => give_back::release_alone(world, order, *of_order),
        Command::RollBack(roll_back) => give_back::roll_back(world, roll_back).map(Answer::RolledBack),
        Command::Disable { code } => give_back::disable(world, code),
        Command::Expire { order } => {
            give_back::expire_lapsed(world, order);
            Ok(Answer::Expired)
        }
    };
    if decided.is_err() {
        world.undo(mark);
    }
    decided
}

/// A basket of nothing, for questions that need none.
pub(super) fn empty_basket(currency: Currency) -> Basket {
    Basket {
        currency,
        lines: Vec::new(),
        tax_mode: TaxMode::Inclusive,
        shipping: 0,
        amount_due: None,
        attributes: BTreeMap::new(),
    }
}

/// The next state of a redemption: one version on.
fn changed(world: &World, redemption: &Redemption) -> Redemption {
    Redemption { updated: world.now(), version: redemption.version + 1, ..redemption.clone() }
}

/// Why code or incentive are no longer in use, judged now whatever was quoted or held.
fn ended(world: &World, voucher: usize, terms: Option<&Terms>) -> Option<Refusal> {
    let disabled = world.voucher(voucher).usage.disabled || terms.is_none_or(|terms| terms.frame.archived);
    disabled.then_some(Refusal::CodeDisabled)
}

/// Whether the voucher may be used by `person`, as whoever counts for them is called.
fn holder(world: &World, voucher: usize, terms: &Terms, person: &Person) -> Option<Refusal> {
    match &world.voucher(voucher).customer {
        Some(owner) if !owns(world, owner, person) => Some(Refusal::CodeNotYours),
        None if terms.frame.assigned_only => Some(Refusal::CodeNotYours),
        _ => None,
    }
}

/// Whether it is theirs, also where it is still called another one's who was merged into them.
fn owns(world: &World, owner: &str, person: &Person) -> bool {
    let Some(customer) = &person.customer else { return false };
    let open = world.names.open(customer).iter().filter_map(|name| name.strip_prefix("c/"));
    customer == owner || open.into_iter().any(|name| name == owner)
}
