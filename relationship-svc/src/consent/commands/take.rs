//! Records taken in: into the history, into what holds, and where they are proven against suppressions.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use tandem_platform::Outcome;
use tandem_platform::resource::Unit;

use super::super::current::Current;
use super::super::suppression::{self, Place, Reason, Suppression};
use super::super::{Consent, Key, State, events, store};
use super::Recorded;
use crate::App;
use crate::customer::store::CUSTOMERS;
use crate::customer::{self, Customer};

/// What makes two records one.
type Once = (Key, Timestamp, &'static str);

fn once(consent: &Consent) -> Once {
    (consent.key.clone(), consent.at, consent.state.name())
}

/// Takes records in, in the order of their times, and answers in their own.
pub(super) async fn take(app: &App, unit: &mut Unit<'_>, given: Vec<Consent>) -> Outcome<Vec<Recorded>> {
    let tenant = unit.tenant();
    let (given, people) = locked(unit, given).await?;
    let wanted: Vec<&Consent> = given.iter().filter(|one| people.contains_key(&one.key.customer)).collect();
    let known = store::known(unit.tx(), tenant, &wanted).await?;
    let mut known: HashMap<Once, Consent> = known.into_iter().map(|one| (once(&one), one)).collect();
    let held = store::current(unit.tx(), tenant, people.keys().cloned().collect()).await?;
    let mut held: HashMap<Key, Current> = held.into_iter().collect();
    let (mut new, mut changed) = (Vec::new(), BTreeSet::new());
    for one in wanted {
        if let Entry::Vacant(place) = known.entry(once(one)) {
            place.insert(one.clone());
            if held.entry(one.key.clone()).or_default().take(one) {
                changed.insert(one.key.clone());
            }
            new.push(one.clone());
        }
    }
    let rows: Vec<(Key, Current)> =
        changed.into_iter().filter_map(|key| held.get(&key).map(|current| (key.clone(), *current))).collect();
    let lifted = lifted(app, unit, &people, &new).await?;
    unit.write(store::insert(&new.iter().collect::<Vec<_>>())?);
    unit.write(store::save(&rows));
    unit.write(store::suppression::save(&lifted));
    let changed: BTreeSet<String> = rows.iter().map(|(key, _)| key.customer.clone()).collect();
    unit.write(customer::store::look(changed.into_iter().collect(), unit.now()));
    let holds = |one: &Consent| held.get(&one.key).is_some_and(|current| is_in(current, one));
    new.iter().for_each(|one| unit.tell(events::recorded(one, !holds(one))));
    lifted.iter().for_each(|row| unit.tell(events::cleared(row)));
    let answer = |one: &Consent| match known.get(&once(one)) {
        Some(consent) => Recorded::Kept { consent: Box::new(consent.clone()), superseded: !holds(consent) },
        None => Recorded::Unknown,
    };
    Ok(given.iter().map(answer).collect())
}

/// The people, locked, and the records with whoever counts for those who were merged into others.
async fn locked(
    unit: &mut Unit<'_>,
    mut given: Vec<Consent>,
) -> Outcome<(Vec<Consent>, HashMap<String, Customer>)> {
    let tenant = unit.tenant();
    let ids: BTreeSet<String> = given.iter().map(|one| one.key.customer.clone()).collect();
    let people = CUSTOMERS.lock_many(unit.tx(), tenant, ids.iter().cloned().collect()).await?;
    let mut people: HashMap<String, Customer> = people.into_iter().map(|one| (one.id.clone(), one)).collect();
    let missing: Vec<String> = ids.into_iter().filter(|id| !people.contains_key(id)).collect();
    let names = customer::store::alias::known(unit.tx(), tenant, missing.clone(), Vec::new()).await?;
    let kept: BTreeSet<String> =
        missing.iter().filter_map(|id| names.customer(id)).map(str::to_owned).collect();
    if kept.is_empty() {
        return Ok((given, people));
    }
    let kept = CUSTOMERS.lock_many(unit.tx(), tenant, kept.into_iter().collect()).await?;
    people.extend(kept.into_iter().map(|one| (one.id.clone(), one)));
    for one in given.iter_mut().filter(|one| !people.contains_key(&one.key.customer)) {
        if let Some(kept) = names.customer(&one.key.customer) {
            one.key.customer = kept.to_owned();
        }
    }
    Ok((given, people))
}

/// The record is the last word, or what was asked for last.
fn is_in(current: &Current, one: &Consent) -> bool {
    let of = if one.state == State::Pending { current.pending } else { current.decided };
    of.is_some_and(|mark| mark.record == one.id)
}

/// The unsubscribes that new opt-ins with proof lift: of the addresses that their people have now, where they are later.
async fn lifted(
    app: &App,
    unit: &mut Unit<'_>,
    people: &HashMap<String, Customer>,
    new: &[Consent],
) -> Outcome<Vec<Suppression>> {
    let (tenant, principal) = (unit.tenant(), unit.principal().to_owned());
    let mut proven = Vec::new();
    for one in new.iter().filter(|one| one.is_proven()) {
        let profile = people.get(&one.key.customer).map(|person| &person.profile);
        if let Some(address) = profile.and_then(|profile| one.key.channel.address(profile)) {
            proven.push((one, app.people.hashes(tenant.as_str(), &address)));
        }
    }
    let hashes: Vec<_> = proven.iter().flat_map(|(_, hashes)| hashes.clone()).collect();
    let rows = store::suppression::of(unit.tx(), tenant, &hashes).await?;
    let mut lifted: BTreeMap<Place, Suppression> = BTreeMap::new();
    for (one, hashes) in proven {
        let of_it = |row: &&Suppression| {
            row.place.channel == one.key.channel
                && hashes.iter().any(|hashed| hashed.hash == row.place.address)
        };
        let of_it: Vec<Suppression> = rows.iter().filter(of_it).cloned().collect();
        let (Some(current), true) = (hashes.first(), lifts(&of_it, one)) else { continue };
        let fresh = Suppression::new(current, one.key.channel, &one.key.purpose, Reason::Unsubscribe);
        let row = of_it.into_iter().find(|row| row.place == fresh.place).unwrap_or(fresh);
        let row = lifted.remove(&row.place).unwrap_or(row);
        let note = row.note.clone();
        lifted.insert(row.place.clone(), row.cleared(one.at, &note, &principal));
    }
    Ok(lifted.into_values().collect())
}

/// Something stands against it that yields to it.
fn lifts(rows: &[Suppression], one: &Consent) -> bool {
    let yields: Vec<Suppression> =
        rows.iter().filter(|row| row.place.reason.yields_to_opt_in()).cloned().collect();
    let last = yields.iter().filter_map(|row| row.suppressed).max();
    suppression::verdict(&yields, &one.key.purpose, true).is_some() && last < Some(one.at)
}
