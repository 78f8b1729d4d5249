//! Which codes of a customer's are usable for a basket.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::code::Typed;
use tandem_platform::heavy::Gone;
use tandem_platform::{Call, Outcome};

use super::super::guesses::Leave;
use super::super::world::World;
use super::super::{CodeOutcome, Command, Person, Plain, Terms, decide};
use super::stand::Question;
use super::{batch, look};
use crate::App;
use crate::customer::store::alias;
use crate::voucher::store::list::{Of, page};
use crate::voucher::{Frame, Voucher};

/// The most codes of one customer that are looked at.
const MOST: usize = 10_000;
/// Rows read at once.
const AT_ONCE: usize = 1_000;
/// Codes of one question to the working copy, which compares them with each other.
const IN_ONE_QUESTION: usize = 100;

/// One code of the customer's.
#[derive(Debug, Clone)]
pub struct Usable {
    /// As stored.
    pub voucher: Voucher,
    /// What its incentive says about all its codes.
    pub frame: Frame,
    /// Pays rather than reduces.
    pub tender: bool,
    /// What it would give alone, or why it cannot be used.
    pub outcome: CodeOutcome,
}

/// Best first: those that reduce, then those that pay, then those that cannot be used; then the end that comes first, then the
/// code.
pub type Rank = (u8, Reverse<i64>, Timestamp, String);

impl Usable {
    /// Its place among the others.
    pub fn rank(&self) -> Rank {
        let kind = match (self.outcome.refusal, self.tender) {
            (None, false) => 0,
            (None, true) => 1,
            (Some(_), _) => 2,
        };
        let saving = if kind < 2 { self.outcome.amount } else { 0 };
        let end = self.voucher.end_that_holds(&self.frame).unwrap_or(Timestamp::MAX);
        (kind, Reverse(saving), end, self.voucher.code.clone())
    }
}

/// The codes of `customer` with what each would give alone on the basket of `plain`, in the order of codes; and whether there
/// are more than are looked at.
pub async fn usable(
    app: &App,
    call: &Call,
    customer: &str,
    plain: Plain,
    person: Person,
) -> Outcome<(Vec<Usable>, bool)> {
    let now = app.clock.now();
    let settings = app.tenancy.of(app, &call.tenant).await?;
    let mut reader = app.db.read().await?;
    let into = alias::into(&mut reader, &call.tenant, customer).await?;
    let customer = into.as_deref().unwrap_or(customer);
    let (mut vouchers, mut more) = (Vec::new(), true);
    while more && vouchers.len() < MOST {
        let after = vouchers.last().map(|last: &Voucher| last.code.clone()).unwrap_or_default();
        let rows = page(&mut reader, &call.tenant, Of::Customer(customer), &after, AT_ONCE).await?;
        more = rows.len() == AT_ONCE;
        vouchers.extend(rows);
    }
    if let Some(last) = vouchers.last().filter(|_| more) {
        more = !page(&mut reader, &call.tenant, Of::Customer(customer), &last.code, 1).await?.is_empty();
    }
    let codes = Typed::read_all(vouchers.iter().map(|voucher| &voucher.code));
    let currency = plain.basket.currency;
    let question = |codes| Question {
        codes,
        person: &person,
        currency,
        order: None,
        replaces: None,
        leave: Leave::Every,
        place: &plain.place,
        attributes: &plain.basket.attributes,
    };
    let commands: Vec<Command> =
        codes.chunks(IN_ONE_QUESTION).map(|codes| question(codes).command()).collect();
    let mut world = World::new(batch::setting(app, &call.tenant, &settings, now));
    world.load_vouchers(vouchers);
    let asked: Vec<&Command> = commands.iter().collect();
    look::around(app, &mut reader, &call.tenant, &mut world, &asked).await?;
    drop(reader);
    let mut tried = Tried { world, commands, plain, person };
    if decide::looking(codes.len()) <= decide::AT_ONCE.total {
        let (found, whole) = tried.each(decide::AT_ONCE.total, &Gone::default());
        if whole {
            return Ok((found, more));
        }
    }
    let found = app.heavy.run(move |gone| tried.each(decide::TOGETHER, &gone).0).await?;
    Ok((found, more))
}

/// Everything that trying takes, so that it can be done on any thread.
struct Tried {
    world: World,
    commands: Vec<Command>,
    plain: Plain,
    person: Person,
}

impl Tried {
    fn each(&mut self, total: u64, gone: &Gone) -> (Vec<Usable>, bool) {
        let Self { world, commands, plain, person } = self;
        let person = &world.person(person);
        let candidates: Vec<_> =
            commands.iter().flat_map(|command| decide::plan(world, command).candidates).collect();
        let (outcomes, whole) = decide::each_alone(world, plain, person, &candidates, total, gone);
        let found = candidates.iter().zip(outcomes).filter_map(|(one, outcome)| {
            let voucher = world.voucher(one.voucher?).clone();
            let terms: Option<&Arc<Terms>> = one.terms.as_ref();
            let frame = terms.map_or(Frame::default(), |terms| terms.frame);
            Some(Usable { voucher, frame, tender: terms.is_some_and(|terms| terms.is_tender()), outcome })
        });
        (found.collect(), whole)
    }
}
