//! What is known of people beside their profiles, as far as rules read it: read once for many, then shown to the rules of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use tandem_kernel::rule::{Fact, Facts};
use tandem_platform::db::Session;
use tandem_platform::{Outcome, Tenant};

use super::Moment;
use super::asked::{Asked, NONE, Needed};
use super::store::beside::{self, Window};
use crate::consent::current::Current;
use crate::consent::{self, Key};
use crate::interaction::Kind;
use crate::relationship::facts::{self, NAME, NEVER};
use crate::relationship::{self, RATING_DAYS, Relationship, Who, days, days_between};

/// What is known of some people; of whom nothing is, nothing is held.
#[derive(Debug, Default)]
pub struct Known(HashMap<String, Person>);

#[derive(Debug, Default)]
struct Person {
    relationship: Option<Relationship>,
    /// Orders of the last so many days.
    windows: BTreeMap<u32, Window>,
    /// The last of each kind that is asked for.
    last: BTreeMap<Kind, Timestamp>,
    /// All that holds of their consents.
    said: Vec<(Key, Current)>,
}

impl Known {
    /// What rules that need this read of these customers at `now`. No statement where they need nothing; else one for each
    /// kind of thing, however many people.
    pub async fn of(
        session: &mut impl Session,
        tenant: &Tenant,
        needed: &Needed,
        ids: Vec<String>,
        now: Timestamp,
    ) -> Outcome<Self> {
        let mut known = Self::default();
        if !needed.is_beside() || ids.is_empty() {
            return Ok(known);
        }
        let asks = |what: fn(&Asked) -> bool| needed.asked.values().any(what);
        let people: Vec<Who> = ids.iter().map(|id| Who::Customer(id.clone())).collect();
        if needed.relationship {
            for row in relationship::store::find_many(session, tenant, &people).await? {
                if let Some(id) = row.who.id().map(str::to_owned) {
                    known.person(&id).relationship = Some(row);
                }
            }
        }
        let windows: BTreeSet<u32> = needed.asked.values().filter_map(Asked::window).collect();
        for (id, days, window) in beside::windows(session, tenant, &people, &windows, now).await? {
            known.person(&id).windows.insert(days, window);
        }
        let kinds = needed.asked.values().filter_map(|one| match one {
            Asked::Last(kind) => Some(*kind),
            _ => None,
        });
        for (id, kind, at) in beside::last(session, tenant, &people, kinds.collect(), now).await? {
            known.person(&id).last.insert(kind, at);
        }
        if asks(|one| matches!(one, Asked::Consent(..))) {
            for (key, current) in consent::store::current(session, tenant, ids).await? {
                known.person(&key.customer.clone()).said.push((key, current));
            }
        }
        Ok(known)
    }

    fn person(&mut self, id: &str) -> &mut Person {
        self.0.entry(id.to_owned()).or_default()
    }

    /// Adds what rules read of one customer.
    pub fn show(&self, facts: &mut Facts<'_>, id: &str, needed: &Needed, at: &Moment) {
        if !needed.is_beside() {
            return;
        }
        let (nobody, stranger) = (Person::default(), Relationship::new(Who::Customer(id.to_owned())));
        let person = self.0.get(id).unwrap_or(&nobody);
        let relationship = person.relationship.as_ref().unwrap_or(&stranger);
        if needed.relationship {
            facts.set(NAME, facts::fact(relationship, &at.stages, at.now));
        }
        for (name, asked) in &needed.asked {
            facts.set(name, person.fact(asked, relationship, id, at.now));
        }
    }

    /// When what rules read of one customer changes by the clock alone: never later than is said.
    pub fn next(&self, id: &str, needed: &Needed, at: &Moment) -> Option<Timestamp> {
        let person = self.0.get(id)?;
        let mut turns = Vec::new();
        if let Some(relationship) = person.relationship.as_ref().filter(|_| needed.relationship) {
            let known = [relationship.last_order, relationship.last_activity];
            turns.extend(known.into_iter().flatten().filter_map(|since| day_after(since, at.now)));
            turns.extend(relationship.journey().next(&at.stages, at.now).map(|(turn, _)| turn));
            let ratings = relationship.ratings.latest.iter();
            turns.extend(ratings.filter_map(|(rated, _)| rated.checked_add(days(RATING_DAYS)).ok()));
        }
        for (length, window) in &person.windows {
            turns.extend(window.first.and_then(|first| first.checked_add(days(*length)).ok()));
        }
        turns.extend(person.last.values().filter_map(|since| day_after(*since, at.now)));
        let marks = person.said.iter().flat_map(|(_, current)| [current.decided, current.pending]);
        turns.extend(marks.flatten().filter_map(|mark| mark.expires));
        turns.into_iter().filter(|turn| *turn > at.now).min()
    }
}

/// When one more whole day will have gone by.
fn day_after(since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let gone = days_between(since, now);
    since.checked_add(SignedDuration::from_hours((gone + 1) * 24)).ok()
}

impl Person {
    fn fact(&self, asked: &Asked, relationship: &Relationship, id: &str, now: Timestamp) -> Fact<'static> {
        match asked {
            Asked::Count(days) => Fact::Int(self.windows.get(days).map_or(0, |window| window.count)),
            Asked::Amount(days, currency) => {
                let window = self.windows.get(days);
                Fact::Int(window.and_then(|window| window.amounts.get(currency)).copied().unwrap_or(0))
            }
            Asked::Worth(currency) => Fact::Int(relationship.amounts.get(currency).copied().unwrap_or(0)),
            Asked::Last(kind) => Fact::Int(self.last.get(kind).map_or(NEVER, |at| days_between(*at, now))),
            Asked::Consent(purpose, channel) => {
                let key = Key { customer: id.to_owned(), purpose: purpose.clone(), channel: *channel };
                let holding = consent::look::holding(&self.said, &key).state(now);
                Fact::from(holding.map_or(NONE, |(state, _)| state.name()))
            }
        }
    }
}
