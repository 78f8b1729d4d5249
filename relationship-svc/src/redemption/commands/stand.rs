//! What can be said of codes without a basket: a quote's question, and on its hot path.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_kernel::money::Currency;
use tandem_platform::db::Session;
use tandem_platform::{Call, Outcome};

use super::super::store::{self, standing as rows};
use super::super::world::{World, distinct};
use super::super::{
    Command, CounterKey, Intent, Person, Plain, Refusal, Standing, State, Take, Terms, What, decide,
};
use super::batch;
use crate::App;

/// Says of each code what can be said without a basket: what a quote needs to know. Segments and conditions are left
/// to whoever knows them. What `order` holds itself does not stand against it. Unknown codes count as guesses, and who
/// has guessed too much is refused.
///
/// One statement, and only where something is held two more.
pub async fn standing(
    app: &App,
    session: &mut impl Session,
    call: &Call,
    codes: &[String],
    person: &Person,
    order: Option<&str>,
    currency: Currency,
) -> Outcome<Vec<Standing>> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let now = app.clock.now();
    app.redemptions.guesses.check(call, person, now)?;
    let command = question(codes, person, currency);
    let mut world = World::new(batch::setting(app, now));
    let mut wanted = Vec::new();
    decide::codes(&command, &mut wanted);
    let at = (now, &app.zone);
    let found = rows::find(session, &call.tenant, &distinct(wanted), person, currency, at).await?;
    let mut versions = Vec::with_capacity(found.len());
    let mut tallies = HashMap::new();
    let mut vouchers = Vec::with_capacity(found.len());
    for rows::Found { voucher, version, tallies: of_incentive } in found {
        versions.extend(version.map(|version| (voucher.incentive.clone(), version)));
        for (kind, tally) in of_incentive {
            tallies.insert((kind, voucher.incentive.clone()), tally);
        }
        vouchers.push(voucher);
    }
    world.load_vouchers(vouchers);
    for ready in app.definitions.at(session, &call.tenant, &versions).await?.into_iter().flatten() {
        world.terms.insert(ready.incentive.id.clone(), Arc::new(Terms::of(ready)));
    }
    let plan = decide::plan(&mut world, &command);
    let keys: Vec<CounterKey> = world.counters.iter().map(|slot| slot.key.clone()).collect();
    for key in keys {
        if let Some(tally) = tallies.get(&(key.kind, key.owner.to_string())) {
            world.load_tally(&key, *tally);
        }
    }
    take_holds_off(session, call, &mut world, order).await?;
    let standing = decide::standing(&world, &plan.candidates, person, currency);
    let unknown = standing.iter().filter(|one| one.refusal == Some(Refusal::CodeUnknown)).count();
    app.redemptions.guesses.count(call, person, u32::try_from(unknown).unwrap_or(u32::MAX), now);
    Ok(standing)
}

/// As if the codes were to be redeemed for a basket with nothing in it.
fn question(codes: &[String], person: &Person, currency: Currency) -> Command {
    let basket = decide::empty_basket(currency);
    let plain = Plain { basket, codes: codes.to_vec(), place: String::new(), segments: Vec::new() };
    Command::Take(Take {
        order: String::new(),
        intent: Intent::Redeem,
        what: What::Plain(Box::new(plain)),
        person: person.clone(),
        partial: true,
    })
}

/// Takes off what lapsed holds and those of the order itself keep.
async fn take_holds_off(
    session: &mut impl Session,
    call: &Call,
    world: &mut World,
    order: Option<&str>,
) -> Outcome<()> {
    let held = world.counters.iter().any(|slot| slot.tally.held != 0)
        || world.vouchers.iter().any(|slot| slot.voucher.usage.uses_held != 0);
    if !held {
        return Ok(());
    }
    let mut own = Vec::new();
    if let Some(order) = order {
        let redemptions = store::of_order(session, &call.tenant, order).await?;
        own.extend(redemptions.into_iter().filter(|one| one.state == State::Held));
    }
    let ids: Vec<uuid::Uuid> = own.iter().map(|one| one.id).collect();
    world.load_redemptions(own);
    batch::load_claims(session, &call.tenant, world).await?;
    for id in ids {
        world.drop_claims_of(id);
    }
    Ok(())
}
