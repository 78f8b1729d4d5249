//! How each person stands with the business: a row of figures per person, kept by the transaction that stores what changes
//! them.
//!
//! - A person is a customer, or a guest by a key; see [`Who`]. A guest that a customer has claimed is that customer: its row
//!   only says so ([`Relationship::merged_into`]).
//! - Figures commute: counts and sums by delta, the first and the last by comparison. Whatever comes late, in another order
//!   or by another way ends in the same row. What an order no longer counts for is taken back; where the latest ones are no
//!   longer all known, they are read again from the orders.
//! - The [`stage`] is derived from the dates of the orders whenever somebody asks. The row holds which stage was told of last
//!   and when the clock will change it, so that each change is told once, by whichever replica ([`tasks`]).
//! - Where a tenant changes its rules of stages, its rows follow, part by part ([`store::sweep`]); until they have, nobody takes
//!   what they say of stages for where people stand.
//! - Satisfaction is the mean of ratings brought to one scale, of all there were and of those of late.

pub mod commands;
pub mod events;
pub mod facts;
pub mod follow;
pub mod rpc;
pub mod stage;
pub mod store;
pub mod tasks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::limits;
use tandem_kernel::money::Currency;

use crate::customer;
pub use stage::{Journey, MAX_DATES, Stage, StageRules, Why, days, days_between};

/// The latest ratings that satisfaction of late is judged by.
pub const MAX_RATINGS: usize = 64;
/// How far back "of late" reaches for ratings, in days.
pub const RATING_DAYS: u32 = 365;
/// The best rating; the worst is 0.
pub const BEST: i64 = 1_000_000;

/// Whose relationship it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Who {
    // Guests first: they are locked before the customers that may have claimed them.
    /// The key of a guest.
    Guest(String),
    /// The id of a customer.
    Customer(String),
}

impl Who {
    /// As rows have it: as limits per customer have it too.
    pub fn key(&self) -> String {
        let (customer, guest) = match self {
            Self::Customer(id) => (Some(id.as_str()), None),
            Self::Guest(key) => (None, Some(key.as_str())),
        };
        limits::subject(customer, guest).map(|subject| subject.to_string()).unwrap_or_default()
    }

    /// That of a row.
    pub fn parse(key: &str) -> Option<Self> {
        match key.split_once('/')? {
            ("c", id) => Some(Self::Customer(id.to_owned())),
            ("g", guest) => Some(Self::Guest(guest.to_owned())),
            _ => None,
        }
    }

    /// The name of the relationship: "customers/ada/relationship".
    pub fn name(&self) -> String {
        match self {
            Self::Customer(id) => format!("{}/relationship", customer::name(id)),
            Self::Guest(key) => format!("guests/{key}/relationship"),
        }
    }

    /// The id of a customer.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Customer(id) => Some(id),
            Self::Guest(_) => None,
        }
    }

    /// "customers/ada", or empty.
    pub fn customer(&self) -> String {
        match self {
            Self::Customer(id) => customer::name(id),
            Self::Guest(_) => String::new(),
        }
    }

    /// The key of a guest, or empty.
    pub fn guest(&self) -> &str {
        match self {
            Self::Customer(_) => "",
            Self::Guest(key) => key,
        }
    }
}

/// What is known of one person's dealings with the business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relationship {
    /// Whose.
    pub who: Who,
    /// Ascending with every change that is told of.
    pub version: i64,
    /// Id of the customer who has claimed this guest.
    pub merged_into: Option<String>,
    /// Orders that count.
    pub orders: i64,
    /// The first of them.
    pub first_order: Option<Timestamp>,
    /// The last of them.
    pub last_order: Option<Timestamp>,
    /// What they brought net of returns, in minor units.
    pub amounts: BTreeMap<Currency, i64>,
    /// The latest of them, the earliest first, at most [`MAX_DATES`].
    pub dates: Vec<Timestamp>,
    /// When the person was seen last.
    pub last_activity: Option<Timestamp>,
    /// How content they are.
    pub ratings: Ratings,
    /// The stage that was told of last.
    pub told: Stage,
    /// When the clock changes the stage.
    pub next_change: Option<Timestamp>,
}

/// What was rated, each on the scale from 0 to [`BEST`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ratings {
    /// How many there were.
    pub count: i64,
    /// Of all of them.
    pub sum: i64,
    /// The latest, the earliest first, at most [`MAX_RATINGS`].
    pub latest: Vec<(Timestamp, i64)>,
}

/// The mean of some ratings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Satisfaction {
    /// How many.
    pub count: i64,
    /// On the scale from 0 to [`BEST`], rounded down; 0 where there are none.
    pub mean: i64,
}

impl Ratings {
    fn add(&mut self, at: Timestamp, rating: i64) {
        self.count += 1;
        self.sum += rating;
        let place = self.latest.partition_point(|one| *one <= (at, rating));
        self.latest.insert(place, (at, rating));
        if self.latest.len() > MAX_RATINGS {
            self.latest.remove(0);
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.latest.extend(other.latest);
        self.latest.sort_unstable();
        self.latest.drain(..self.latest.len().saturating_sub(MAX_RATINGS));
    }

    /// Of all there were.
    pub fn ever(&self) -> Satisfaction {
        mean(self.count, self.sum)
    }

    /// Of those of the last [`RATING_DAYS`] days before `now`, among the latest.
    pub fn of_late(&self, now: Timestamp) -> Satisfaction {
        let begin = now - stage::days(RATING_DAYS);
        let late = self.latest.iter().filter(|(at, _)| *at > begin);
        let (count, sum) = late.fold((0, 0), |(count, sum), (_, rating)| (count + 1, sum + rating));
        mean(count, sum)
    }
}

fn mean(count: i64, sum: i64) -> Satisfaction {
    Satisfaction { count, mean: if count == 0 { 0 } else { sum / count } }
}

/// A change of stage, to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The stage before.
    pub from: Stage,
    /// The stage now.
    pub to: Stage,
    /// Since when, by the dates that are known now.
    pub at: Timestamp,
    /// Why.
    pub why: Why,
    /// The version of the relationship that it makes.
    pub version: i64,
}

impl Relationship {
    /// Of somebody of whom nothing is known yet.
    pub fn new(who: Who) -> Self {
        Self {
            who,
            version: 0,
            merged_into: None,
            orders: 0,
            first_order: None,
            last_order: None,
            amounts: BTreeMap::new(),
            dates: Vec::new(),
            last_activity: None,
            ratings: Ratings::default(),
            told: Stage::default(),
            next_change: None,
        }
    }

    /// When they ordered.
    pub fn journey(&self) -> Journey<'_> {
        Journey { dates: &self.dates, orders: self.orders }
    }

    /// An order of this time counts.
    pub fn ordered(&mut self, at: Timestamp) {
        let all_known = self.orders <= known(&self.dates);
        self.orders += 1;
        self.first_order = Some(self.first_order.map_or(at, |first| first.min(at)));
        self.last_order = self.last_order.max(Some(at));
        // Behind a gap in what is known nothing may be put.
        if all_known || self.dates.first().is_some_and(|first| *first <= at) {
            let place = self.dates.partition_point(|date| *date <= at);
            self.dates.insert(place, at);
        }
        if self.dates.len() > MAX_DATES {
            self.dates.remove(0);
        }
    }

    /// An order of this time counts no longer. Answers whether the dates must be read again: see [`Relationship::read_again`].
    pub fn unordered(&mut self, at: Timestamp) -> bool {
        self.orders -= 1;
        if let Ok(place) = self.dates.binary_search(&at) {
            self.dates.remove(place);
        }
        let again = self.orders > known(&self.dates);
        if !again {
            (self.first_order, self.last_order) = (self.dates.first().copied(), self.dates.last().copied());
        }
        again
    }

    /// Takes over which orders are the latest, the earliest first, and which is the first of all.
    pub fn read_again(&mut self, dates: Vec<Timestamp>, first: Option<Timestamp>) {
        self.last_order = dates.last().copied();
        self.first_order = first;
        self.dates = dates;
    }

    /// What orders brought, or is taken back of it.
    pub fn paid(&mut self, currency: Currency, minor: i64) {
        let sum = self.amounts.entry(currency).or_default();
        *sum = sum.saturating_add(minor);
        if *sum == 0 {
            self.amounts.remove(&currency);
        }
    }

    /// The person was seen.
    pub fn seen(&mut self, at: Timestamp) {
        self.last_activity = self.last_activity.max(Some(at));
    }

    /// The person rated something.
    pub fn rated(&mut self, at: Timestamp, rating: i64) {
        self.ratings.add(at, rating);
    }

    /// Takes over all that a guest did.
    pub fn claim(&mut self, guest: &Self) {
        self.orders += guest.orders;
        self.first_order = [self.first_order, guest.first_order].into_iter().flatten().min();
        self.last_order = self.last_order.max(guest.last_order);
        for (currency, minor) in &guest.amounts {
            self.paid(*currency, *minor);
        }
        self.dates.extend(&guest.dates);
        self.dates.sort_unstable();
        self.dates.drain(..self.dates.len().saturating_sub(MAX_DATES));
        self.last_activity = self.last_activity.max(guest.last_activity);
        self.ratings.merge(guest.ratings.clone());
    }

    /// What is left of a guest that this customer has claimed.
    #[must_use]
    pub fn merged(&self, customer: &str) -> Self {
        let nothing = Self::new(self.who.clone());
        Self { version: self.version + 1, merged_into: Some(customer.to_owned()), ..nothing }
    }

    /// Tells of every change of stage up to `now` that was not told of yet: what the clock has changed, step by step, and
    /// what the dates that are known now say otherwise.
    pub fn tell(&mut self, rules: &StageRules, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some(at) = self.next_change.filter(|at| *at <= now) {
            changes.extend(self.change(rules, at));
            self.next_change = self.journey().next(rules, at).map(|(next, _)| next);
        }
        changes.extend(self.change(rules, now));
        self.next_change = self.journey().next(rules, now).map(|(next, _)| next);
        changes
    }

    fn change(&mut self, rules: &StageRules, at: Timestamp) -> Option<Change> {
        let (to, why) = self.journey().at(rules, at);
        let from = std::mem::replace(&mut self.told, to);
        if from == to {
            return None;
        }
        self.version += 1;
        let since = self.journey().since(rules, at).unwrap_or(at);
        Some(Change { from, to, at: since, why, version: self.version })
    }
}

fn known(dates: &[Timestamp]) -> i64 {
    i64::try_from(dates.len()).unwrap_or(i64::MAX)
}
