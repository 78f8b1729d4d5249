//! Questions that change nothing: could these codes be used now?

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::work::Work;
use tandem_platform::db::Session;
use tandem_platform::{Call, Fault, Outcome, Tenant};

use super::super::decide::{self, Plan, Pricing};
use super::super::store;
use super::super::world::{Setting, World, distinct};
use super::super::{CodeOutcome, Command, Intent, Person, Plain, Refused, Take, Terms, What};
use super::batch;
use crate::App;
use crate::voucher::{self, formats};

/// What a validation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// In the order of the request.
    pub codes: Vec<CodeOutcome>,
    /// Goods and shipping after every discount, before gift cards, minor units.
    pub total: i64,
    /// Groups were settled one by one.
    pub approximate: bool,
}

/// Says of each code whether it could be redeemed now, and what it would give together with the others. Unknown codes
/// count as guesses.
pub async fn validate(app: &App, call: &Call, mut plain: Plain, person: Person) -> Outcome<Validated> {
    formats::rule_out(app, &call.tenant, &mut plain.codes).await?;
    let (now, guesses) = (app.clock.now(), &app.redemptions.guesses);
    let guesser = guesses.guesser(call, &person, &plain.client_id);
    plain.leave = guesses.leave(&guesser, now);
    let leave = plain.leave;
    let take = Take {
        order: String::new(),
        intent: Intent::Redeem,
        what: What::Plain(Box::new(plain)),
        person: person.clone(),
        partial: true,
        conclusive: false,
        replaces: None,
        of_order: false,
    };
    let command = Command::Take(take);
    let settings = app.tenancy.of(app, &call.tenant).await?;
    let setting = batch::setting(app, &call.tenant, &settings, now);
    let mut reader = app.db.read().await?;
    let (mut world, plans) = look(app, &mut reader, &call.tenant, setting, &[&command]).await?;
    drop((reader, plans));
    let mut priced = price(&mut world, &command, now, &mut Work::new(decide::AT_ONCE))?;
    if is_unpriced(&priced) {
        let longer = command.clone();
        let compute = move |gone| price(&mut world, &longer, now, &mut Work::new(decide::BASKET).until(gone));
        priced = app.heavy.run(compute).await??;
    }
    let (codes, total, approximate) = match priced {
        Ok(priced) => {
            let codes: Vec<CodeOutcome> = priced.codes.into_iter().map(|(outcome, _)| outcome).collect();
            (codes, priced.total, priced.approximate)
        }
        Err(refused) if refused.is_unpriced() => return Err(Fault::from(refused)),
        Err(refused) => (refused.codes, 0, false),
    };
    guesses.count(&guesser, leave.guesses(codes.iter().filter_map(CodeOutcome::looked_up)), now);
    Ok(Validated { codes, total, approximate })
}

/// What the codes of a command are worth in what was read.
fn price(
    world: &mut World,
    command: &Command,
    now: Timestamp,
    work: &mut Work,
) -> Outcome<Result<Pricing, Refused>> {
    let Command::Take(Take { what: What::Plain(plain), person, .. }) = command else {
        return Err(Fault::internal("a question about codes has no basket"));
    };
    let plan = decide::plan(world, command);
    let person = world.person(person);
    Ok(decide::price(world, plain, &person, &plan.candidates, true, |_, _| now, work))
}

fn is_unpriced(priced: &Result<Pricing, Refused>) -> bool {
    priced.as_ref().is_err_and(Refused::is_unpriced)
}

/// Reads, without a lock, what `commands` would touch.
pub(super) async fn look<'i>(
    app: &App,
    session: &mut impl Session,
    tenant: &Tenant,
    setting: Setting,
    commands: &[&'i Command],
) -> Outcome<(World, Vec<Plan<'i>>)> {
    let mut world = World::new(setting);
    let orders = commands.iter().flat_map(|one| decide::orders(one)).filter(|order| !order.is_empty());
    let orders = distinct(orders.map(str::to_owned));
    if !orders.is_empty() {
        world.load_redemptions(store::of_orders(session, tenant, orders).await?);
    }
    let mut codes = Vec::new();
    commands.iter().for_each(|command| decide::codes(command, &mut codes));
    codes.extend(world.codes_that_may_change());
    world.load_vouchers(voucher::store::find_many(session, tenant, &distinct(codes)).await?);
    let plans = around(app, session, tenant, &mut world, commands).await?;
    Ok((world, plans))
}

/// Reads what `commands` would touch beside the vouchers, which are there.
pub(super) async fn around<'i>(
    app: &App,
    session: &mut impl Session,
    tenant: &Tenant,
    world: &mut World,
    commands: &[&'i Command],
) -> Outcome<Vec<Plan<'i>>> {
    let wanted = decide::incentives(world);
    if !wanted.is_empty() {
        let (current, merged) = app.definitions.current_and_merged(session, tenant, &wanted).await?;
        if merged {
            world.names = batch::names(session, tenant, world, commands).await?;
        }
        world.terms = current.into_iter().map(|(id, ready)| (id, Arc::new(Terms::of(ready)))).collect();
    }
    let plans = commands.iter().map(|command| decide::plan(world, command)).collect();
    decide::reach_of_redemptions(world);
    world.ledger.look(session, tenant).await?;
    world.load_claims(session, tenant).await?;
    Ok(plans)
}
