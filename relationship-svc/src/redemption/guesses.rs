//! Guessing codes: whoever tries too many codes that do not exist has to wait.
//!
//! Only unknown codes count, per original caller and customer. Who is throttled is refused before any look-up, so that
//! the wait cannot be used to learn which codes exist. A leaky bucket per pair of caller and customer, in the memory of
//! the process; an idle pair is forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tandem_platform::{Call, Fault, Kind, Tenant};
use tandem_proto::relationship::v1::ErrorReason;

use super::Person;

const MINUTE: i64 = 60_000_000;
/// Pairs that are remembered before those that have nothing to remember are dropped.
const PAIRS: usize = 100_000;

/// Who guesses: tenant, caller, and whom it says it acts for.
type Guesser = (Tenant, Arc<str>, Arc<str>);

/// The unknown codes that were tried lately.
#[derive(Debug)]
pub struct Guesses {
    /// Microseconds that one guess weighs.
    weight: i64,
    /// When the bucket of each pair is empty again, in microseconds.
    empty_at: Mutex<HashMap<Guesser, i64>>,
}

impl Guesses {
    /// At most `per_minute` within a minute, and steadily so many; 0 is one.
    pub fn new(per_minute: u32) -> Self {
        Self { weight: MINUTE / i64::from(per_minute.max(1)), empty_at: Mutex::default() }
    }

    /// RESOURCE_EXHAUSTED with the time to wait where no further guess is free.
    pub fn check(&self, call: &Call, person: &Person, now: Timestamp) -> Result<(), Fault> {
        let buckets = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(empty_at) = buckets.get(&guesser(call, person)) else { return Ok(()) };
        let wait = empty_at + self.weight - MINUTE - now.as_microsecond();
        if wait <= 0 {
            return Ok(());
        }
        let message = "too many unknown codes: wait before the next";
        let wait = Duration::from_micros(u64::try_from(wait).unwrap_or_default());
        Err(Fault::new(Kind::Exhausted, ErrorReason::GuessingThrottled, message).retry_after(wait))
    }

    /// Remembers so many unknown codes.
    pub fn count(&self, call: &Call, person: &Person, unknown: u32, now: Timestamp) {
        if unknown == 0 {
            return;
        }
        let now = now.as_microsecond();
        let mut buckets = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= PAIRS {
            buckets.retain(|_, empty_at| *empty_at > now);
        }
        let empty_at = buckets.entry(guesser(call, person)).or_insert(now);
        *empty_at = (*empty_at).max(now) + self.weight * i64::from(unknown);
    }
}

fn guesser(call: &Call, person: &Person) -> Guesser {
    (call.tenant.clone(), call.principal.clone(), person.subject().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_guesses_a_minute_are_free_for_each_caller_and_customer() {
        let guesses = Guesses::new(3);
        let (call, now) = (Call::system("default"), Timestamp::from_second(1_000).unwrap());
        let somebody = Person { customer: Some("7".into()), guest: None };
        for _ in 0..3 {
            assert!(guesses.check(&call, &somebody, now).is_ok());
            guesses.count(&call, &somebody, 1, now);
        }
        let fault = guesses.check(&call, &somebody, now).unwrap_err();
        assert_eq!((fault.kind(), fault.reason()), (Kind::Exhausted, "GUESSING_THROTTLED"));
        assert!(guesses.check(&call, &Person::default(), now).is_ok(), "another customer is not to blame");
        let later = Timestamp::from_second(1_020).unwrap();
        assert!(
            guesses.check(&call, &somebody, later).is_ok(),
            "one is free again after a third of the minute"
        );
        guesses.count(&call, &somebody, 1, later);
        assert!(guesses.check(&call, &somebody, later).is_err());
    }
}
