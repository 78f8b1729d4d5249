//! Guessing codes: whoever tries too many codes that do not exist has to wait.
//!
//! # Rules
//! - Only unknown codes count that were looked up: what can be no code, and what the tenant's formats exclude, was mistyped.
//!   A code that is throttled is refused like any other that cannot be used, with the time to
//!   wait; the call goes on without it.
//! - Guesses count for what the guesser does not share with everybody: the customer, the guest's key and the client_id,
//!   each of those that a call names. Where it names none they count for the principal, or for all that are anonymous
//!   together; such a bucket stands for many people and is [`WIDER`] times as large.
//! - Who has guessed too much himself, or is a guest where somebody has, is refused before any look-up, so that the wait
//!   cannot be used to learn which codes exist. A customer who only shares a client_id with such a guesser may use codes
//!   that exist; what does not exist counts for him, and he is told to wait.
//!
//! A leaky bucket per key, in the memory of the process: each replica counts for itself. Only an empty bucket is
//! forgotten. So many are remembered at most; who comes after shares a wider one with his tenant's others until there is
//! room again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tandem_platform::{Call, Tenant};

use super::{Person, Refusal};

const MINUTE: i64 = 60_000_000;
/// How much larger a bucket is that many people share.
const WIDER: i64 = 20;
/// Buckets that are remembered.
const ROOM: usize = 100_000;
/// Empty buckets are looked for no more often than this, in microseconds.
const SWEEP: i64 = 1_000_000;
/// Wider buckets for those that find no room, shared out among tenants.
const OVERFLOW: usize = 256;

/// What may be looked up for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Leave {
    /// Every code.
    #[default]
    Every,
    /// Codes that exist are used, and those that do not are throttled for so long.
    Known(Duration),
    /// None for so long.
    No(Duration),
}

impl Leave {
    /// How many of a call's refusals show that a code was guessed.
    pub fn guesses(self, refusals: impl IntoIterator<Item = Refusal>) -> u32 {
        let guessed = |refusal: &Refusal| match self {
            Self::Every => *refusal == Refusal::CodeUnknown,
            Self::Known(_) => matches!(refusal, Refusal::CodeUnknown | Refusal::GuessingThrottled),
            Self::No(_) => false,
        };
        u32::try_from(refusals.into_iter().filter(guessed).count()).unwrap_or(u32::MAX)
    }
}

/// Whom guesses count for, as keys of buckets.
#[derive(Debug, Clone, Copy)]
pub struct Guesser {
    customer: Option<u64>,
    guest: Option<u64>,
    client: Option<u64>,
    /// Of the principal; only where nothing narrower is known.
    wide: Option<u64>,
    tenant: usize,
}

/// What tells guessers apart.
#[derive(Debug, Hash)]
enum Who<'w> {
    Customer(&'w str),
    Guest(&'w str),
    Client(&'w str),
    Principal(&'w str),
}

/// The unknown codes that were tried lately.
#[derive(Debug)]
pub struct Guesses {
    /// Microseconds that one guess weighs in the bucket of one person.
    weight: i64,
    /// Names become keys by it: of a secret seed, so that nobody chooses whose bucket he shares.
    keys: RandomState,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    /// When each bucket is empty again, in microseconds.
    empty_at: HashMap<u64, i64>,
    overflow: Vec<i64>,
    room: usize,
    swept: i64,
}

impl Guesses {
    /// At most `per_minute` within a minute for each person, and steadily so many; 0 is one.
    pub fn new(per_minute: u32) -> Self {
        Self::with_room(per_minute, ROOM)
    }

    fn with_room(per_minute: u32, room: usize) -> Self {
        let overflow = vec![0; OVERFLOW];
        let buckets = Buckets { empty_at: HashMap::new(), overflow, room, swept: 0 };
        let weight = MINUTE / i64::from(per_minute.max(1));
        Self { weight, keys: RandomState::new(), buckets: Mutex::new(buckets) }
    }

    /// Whom the guesses of a call count for; an empty `client_id` is none.
    pub fn guesser(&self, call: &Call, person: &Person, client_id: &str) -> Guesser {
        let key = |tenant: &Tenant, who: Who<'_>| self.keys.hash_one((tenant, who));
        let tenant = &call.tenant;
        let customer = person.customer.as_deref().map(|id| key(tenant, Who::Customer(id)));
        let guest = person.guest.as_deref().map(|id| key(tenant, Who::Guest(id)));
        let client = (!client_id.is_empty()).then(|| key(tenant, Who::Client(client_id)));
        let narrower = customer.or(guest).or(client).is_some();
        let wide = (!narrower).then(|| key(tenant, Who::Principal(&call.principal)));
        let shard = self.keys.hash_one(tenant) % OVERFLOW as u64;
        Guesser { customer, guest, client, wide, tenant: usize::try_from(shard).unwrap_or(0) }
    }

    /// What may be looked up for `guesser`.
    pub fn leave(&self, guesser: &Guesser, now: Timestamp) -> Leave {
        let now = now.as_microsecond();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wait = |key: Option<u64>, weight: i64| {
            let Some(key) = key else { return 0 };
            let (empty_at, shared) = buckets.read(key, guesser.tenant, now);
            let weight = if shared { self.weight / WIDER } else { weight };
            (empty_at + weight - MINUTE - now).max(0)
        };
        let own = wait(guesser.customer, self.weight).max(wait(guesser.guest, self.weight));
        let shared = wait(guesser.client, self.weight).max(wait(guesser.wide, self.weight / WIDER));
        let span = |micros: i64| Duration::from_micros(micros.unsigned_abs());
        match (own, shared) {
            (0, 0) => Leave::Every,
            (0, shared) if guesser.customer.is_some() => Leave::Known(span(shared)),
            (own, shared) => Leave::No(span(own.max(shared))),
        }
    }

    /// Remembers so many guesses.
    pub fn count(&self, guesser: &Guesser, guesses: u32, now: Timestamp) {
        if guesses == 0 {
            return;
        }
        let now = now.as_microsecond();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let weighed = [
            (guesser.customer, self.weight),
            (guesser.guest, self.weight),
            (guesser.client, self.weight),
            (guesser.wide, self.weight / WIDER),
        ];
        for (key, weight) in weighed {
            let Some(key) = key else { continue };
            let (empty_at, shared) = buckets.write(key, guesser.tenant, now);
            let weight = if shared { self.weight / WIDER } else { weight };
            *empty_at = (*empty_at).max(now).saturating_add(weight.saturating_mul(guesses.into()));
        }
    }
}

impl Buckets {
    /// When the bucket of `key` is empty, and whether it shares one.
    fn read(&mut self, key: u64, tenant: usize, now: i64) -> (i64, bool) {
        match self.empty_at.get(&key).copied() {
            Some(empty_at) => (empty_at, false),
            None if self.is_full(now) => (self.overflow[tenant], true),
            None => (now, false),
        }
    }

    fn write(&mut self, key: u64, tenant: usize, now: i64) -> (&mut i64, bool) {
        if !self.empty_at.contains_key(&key) && self.is_full(now) {
            return (&mut self.overflow[tenant], true);
        }
        (self.empty_at.entry(key).or_insert(now), false)
    }

    /// Whether there is no room for one more, once what is empty is forgotten.
    fn is_full(&mut self, now: i64) -> bool {
        if self.empty_at.len() >= self.room && now.saturating_sub(self.swept) >= SWEEP {
            self.swept = now;
            self.empty_at.retain(|_, empty_at| *empty_at > now);
        }
        self.empty_at.len() >= self.room
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    struct Hall(Guesses, Timestamp);

    impl Hall {
        fn new(per_minute: u32) -> Self {
            Self(Guesses::new(per_minute), Timestamp::from_second(1_000).unwrap())
        }

        fn who(&self, principal: &str, customer: &str, guest: &str, client: &str) -> Guesser {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let person = Person { customer: some(customer), guest: some(guest) };
            self.0.guesser(&Call::of(Tenant::default(), principal.into()), &person, client)
        }

        fn guess(&self, who: &Guesser, guesses: u32) {
            self.0.count(who, guesses, self.1);
        }

        fn leave(&self, who: &Guesser) -> Leave {
            self.0.leave(who, self.1)
        }

        fn later(&mut self, seconds: i64) {
            self.1 += SignedDuration::from_secs(seconds);
        }
    }

    fn throttled(seconds: u64) -> Leave {
        Leave::No(Duration::from_secs(seconds))
    }

    #[test]
    fn so_many_guesses_a_minute_are_free_for_each_customer_guest_and_client() {
        let mut hall = Hall::new(3);
        let each = [("7", "", ""), ("", "guest", ""), ("", "", "10.0.0.1")];
        for (customer, guest, client) in each {
            let (who, other) = (
                hall.who("anonymous", customer, guest, client),
                hall.who(
                    "anonymous",
                    &customer.replace('7', "8"),
                    &guest.replace('g', "h"),
                    &client.replace('1', "2"),
                ),
            );
            for _ in 0..3 {
                assert_eq!(hall.leave(&who), Leave::Every);
                hall.guess(&who, 1);
            }
            assert_eq!(hall.leave(&who), throttled(20));
            assert_eq!(hall.leave(&other), Leave::Every, "another one is not to blame");
        }
        hall.later(20);
        let who = hall.who("anonymous", "7", "", "");
        assert_eq!(hall.leave(&who), Leave::Every, "one is free again after a third of the minute");
        hall.guess(&who, 1);
        assert_eq!(hall.leave(&who), throttled(20));
    }

    #[test]
    fn who_names_nobody_shares_a_bucket_of_twenty_times_the_size_with_his_principal_alone() {
        let hall = Hall::new(30);
        let nobody = hall.who("anonymous", "", "", "");
        hall.guess(&nobody, 599);
        assert_eq!(hall.leave(&nobody), Leave::Every);
        hall.guess(&nobody, 1);
        assert_eq!(hall.leave(&nobody), Leave::No(Duration::from_millis(100)));
        for other in [
            hall.who("checkout", "", "", ""),
            hall.who("anonymous", "7", "", ""),
            hall.who("anonymous", "", "guest", ""),
            hall.who("anonymous", "", "", "10.0.0.1"),
        ] {
            assert_eq!(hall.leave(&other), Leave::Every);
        }
    }

    #[test]
    fn what_somebody_else_guesses_from_the_same_client_leaves_a_customer_the_codes_that_exist() {
        let hall = Hall::new(30);
        hall.guess(&hall.who("anonymous", "7", "", "10.0.0.1"), 30);
        let wait = Duration::from_secs(2);
        assert_eq!(
            hall.leave(&hall.who("anonymous", "7", "", "")),
            Leave::No(wait),
            "he himself, from anywhere"
        );
        assert_eq!(hall.leave(&hall.who("anonymous", "", "", "10.0.0.1")), Leave::No(wait), "a guest there");
        assert_eq!(hall.leave(&hall.who("anonymous", "", "guest", "10.0.0.1")), Leave::No(wait));
        let customer = hall.who("anonymous", "8", "", "10.0.0.1");
        assert_eq!(hall.leave(&customer), Leave::Known(wait));
        let told = [Refusal::GuessingThrottled, Refusal::CodeExpired];
        hall.guess(&customer, Leave::Known(wait).guesses(told) * 30);
        assert!(matches!(hall.leave(&customer), Leave::No(_)), "what does not exist counts for him too");
    }

    #[test]
    fn what_was_not_looked_up_was_not_guessed() {
        let told = [Refusal::GuessingThrottled, Refusal::CodeUnknown, Refusal::CodeExpired];
        assert_eq!(Leave::Every.guesses(told), 1);
        assert_eq!(throttled(1).guesses(told), 0);
    }

    #[test]
    fn who_finds_no_room_shares_a_bucket_and_nobody_is_forgotten_before_his_is_empty() {
        let mut hall = Hall(Guesses::with_room(30, 2), Timestamp::from_second(1_000).unwrap());
        let who = |hall: &Hall, at: u32| hall.who("anonymous", &at.to_string(), "", "");
        for at in 0..2 {
            let known = who(&hall, at);
            hall.guess(&known, 30);
        }
        for at in 2..602 {
            let stranger = who(&hall, at);
            assert_eq!(hall.leave(&stranger), Leave::Every, "{at}");
            hall.guess(&stranger, 1);
        }
        assert!(matches!(hall.leave(&who(&hall, 9_999)), Leave::No(_)), "the shared one is full");
        assert!(matches!(hall.leave(&who(&hall, 0)), Leave::No(_)), "and the first is not forgotten");
        hall.later(61);
        assert_eq!(hall.leave(&who(&hall, 9_999)), Leave::Every);
        assert_eq!(hall.0.buckets.lock().unwrap().empty_at.len(), 0);
    }
}
