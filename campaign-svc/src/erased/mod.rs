//! Whom relationship-svc has erased: how far this service is with it, and how somebody is known again without their id.
//!
//! - relationship-svc tells the id and the pseudonym that takes its place in ledgers. The row of an erasure keeps the id until
//!   everything here is rid of it (`erasure` does that), and a keyed hash of it for ever.
//! - Whoever orders under the id of somebody who was erased is found by that hash. What was quoted before this service heard of
//!   it was on its way: it is the pseudonym's. What is quoted afterwards is of who comes back, or is somebody new; limits per
//!   customer are judged by both subjects together.
//! - A transaction that has looked before the erasure was written down may write after it: everything is gone through once
//!   more when none of these can be left.

mod look;
pub mod store;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::seal::Keyring;
use tandem_platform::Tenant;
use tandem_platform::erasing::Went;

pub use look::{among, before};

/// How long after everything was gone through it is once more: longer than any transaction takes.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// Within which time after it was heard of something may still be told of somebody by who had not heard.
const RACE: SignedDuration = SignedDuration::from_mins(1);

/// What is done one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Their orders, with the counters of their limits.
    Orders,
    /// Counters in which nothing of theirs is counted any more.
    Counters,
    /// What relationship-svc told of their redemptions.
    Feedback,
    /// Answers by request_id.
    Answers,
    /// Events.
    Events,
    /// Events of relationship-svc that could not be taken in.
    SetAside,
    /// Steps of their orders that wait for relationship-svc, whose quotes name them: until it has answered.
    Open,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Orders, "ORDERS"),
        (Self::Counters, "COUNTERS"),
        (Self::Feedback, "FEEDBACK"),
        (Self::Answers, "ANSWERS"),
        (Self::Events, "EVENTS"),
        (Self::SetAside, "SET_ASIDE"),
        (Self::Open, "OPEN"),
    ];

    /// The one that an erasure begins with.
    pub const FIRST: Self = Self::Orders;

    /// As stored.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }

    /// Of a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(step, _)| *step)
    }

    /// The one after it.
    pub fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|(step, _)| *step == self)?;
        Self::ALL.get(at + 1).map(|(step, _)| *step)
    }
}

/// What relationship-svc tells of an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The id; `None` where the event is so old that it has lost it.
    pub customer: Option<String>,
    /// What stands in its place.
    pub pseudonym: String,
    /// When they were erased.
    pub erased: Timestamp,
}

/// The erasure of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// What stands in the place of the id.
    pub pseudonym: String,
    /// A keyed hash of the id.
    pub who: String,
    /// The id, while it is needed.
    pub customer: Option<String>,
    /// When they were erased.
    pub erased: Timestamp,
    /// When this service heard of it.
    pub heard: Timestamp,
    /// What is done next; `None` where nothing is.
    pub step: Option<Step>,
    /// From where on; empty from the beginning.
    pub place: String,
    /// When everything is done once more; `None` where it has been.
    pub again: Option<Timestamp>,
}

impl Erasure {
    /// One that begins: nothing is known to be theirs without the id.
    pub fn begin(ids: &Ids, tenant: &Tenant, heard: &Heard, now: Timestamp) -> Option<Self> {
        let customer = heard.customer.clone()?;
        Some(Self {
            pseudonym: heard.pseudonym.clone(),
            who: ids.hash(tenant, &customer),
            customer: Some(customer),
            erased: heard.erased,
            heard: now,
            step: Some(Step::FIRST),
            place: String::new(),
            again: Some(now + AGAIN),
        })
    }

    /// After a turn of its step.
    #[must_use]
    pub fn gone(self, went: Went) -> Self {
        let step = match went {
            Went::On(place) => return Self { place, ..self },
            Went::Through => self.step.and_then(Step::next),
        };
        let goes = step.is_none() && self.again.is_none();
        let customer = self.customer.filter(|_| !goes);
        Self { step, customer, place: String::new(), ..self }
    }

    /// Once more from the beginning, where it is time for it.
    #[must_use]
    pub fn once_more(self, now: Timestamp) -> Option<Self> {
        let due = self.step.is_none() && self.again.is_some_and(|at| at <= now);
        due.then_some(Self { step: Some(Step::FIRST), again: None, ..self })
    }

    /// As they are known again.
    pub fn known(&self) -> Known {
        Known { pseudonym: self.pseudonym.clone(), heard: self.heard }
    }

    /// Whether what was told then is of who comes back.
    pub fn is_past(&self, told: Timestamp) -> bool {
        told > self.heard.saturating_add(RACE).unwrap_or(Timestamp::MAX)
    }
}

/// The hashes by which ids are known again.
#[derive(Debug)]
pub struct Ids(Keyring);

impl Ids {
    /// By the keys that seal quotes.
    pub fn of(ring: &Keyring) -> Self {
        Self(ring.derived("erased"))
    }

    /// The hash that is kept.
    fn hash(&self, tenant: &Tenant, customer: &str) -> String {
        self.hashes(tenant, customer).into_iter().next().unwrap_or_default()
    }

    /// Those that may have been kept: a key may have come since.
    fn hashes(&self, tenant: &Tenant, customer: &str) -> Vec<String> {
        let value = format!("{tenant}\n{customer}");
        self.0.hashes(value.as_bytes()).map(|(_, hash)| URL_SAFE_NO_PAD.encode(hash)).collect()
    }
}

/// Somebody who was erased, as they are known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What stands in the place of the id.
    pub pseudonym: String,
    /// When this service heard of it.
    pub heard: Timestamp,
}

impl Known {
    /// Whether what was quoted then is of who was erased, and not of who comes back.
    pub fn has(&self, quoted: Timestamp) -> bool {
        quoted <= self.heard
    }
}
