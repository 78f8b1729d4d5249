//! What holds, and what forbids: the pure rules.

use jiff::Timestamp;
use proptest::prelude::*;
use tandem_kernel::person::Hashed;
use uuid::Uuid;

use crate::consent::contact::{Contact, Known, Reason, may_contact};
use crate::consent::current::Current;
use crate::consent::suppression::{self, Suppression, verdict};
use crate::consent::{Basis, Channel, Consent, Key, Proof, State, is_purpose};

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn record(number: usize, state: State, at: i64, expires: Option<i64>) -> Consent {
    let purpose = "newsletter".to_owned();
    Consent {
        id: Uuid::from_u128(number as u128 + 1),
        key: Key { customer: "ada".to_owned(), purpose, channel: Channel::Email },
        state,
        basis: Basis::None,
        text_version: String::new(),
        source: String::new(),
        proof: Proof::default(),
        at: moment(at),
        expires: expires.map(moment),
        confirms: None,
        recorded: moment(at),
        principal: String::new(),
    }
}

fn holds(records: &[Consent], now: i64) -> Option<State> {
    let mut current = Current::default();
    for one in records {
        current.take(one);
    }
    current.state(moment(now)).map(|(state, _)| state)
}

#[test]
fn the_last_word_holds_and_asking_undoes_nothing() {
    use State::{Denied, Expired, Granted, Pending, Withdrawn};
    let of = |said: &[(State, i64, Option<i64>)], now| {
        let records: Vec<Consent> =
            said.iter().enumerate().map(|(n, (state, at, end))| record(n, *state, *at, *end)).collect();
        holds(&records, now)
    };
    assert_eq!(of(&[], 9), None);
    assert_eq!(of(&[(Granted, 1, None), (Withdrawn, 2, None)], 9), Some(Withdrawn));
    assert_eq!(of(&[(Withdrawn, 2, None), (Granted, 1, None)], 9), Some(Withdrawn), "late, and older");
    assert_eq!(of(&[(Granted, 2, None), (Denied, 2, None)], 9), Some(Denied), "at one moment the stricter");
    assert_eq!(of(&[(Granted, 1, None), (Pending, 2, Some(20))], 9), Some(Granted));
    assert_eq!(of(&[(Withdrawn, 1, None), (Pending, 2, Some(20))], 9), Some(Pending));
    assert_eq!(of(&[(Withdrawn, 1, None), (Pending, 2, Some(9))], 9), Some(Withdrawn), "the link is over");
    assert_eq!(of(&[(Withdrawn, 3, None), (Pending, 2, Some(20))], 9), Some(Withdrawn), "said no after it");
    assert_eq!(of(&[(Granted, 1, Some(9))], 8), Some(Granted));
    assert_eq!(of(&[(Granted, 1, Some(9))], 9), Some(Expired), "by the clock alone");
    assert_eq!(of(&[(Granted, 1, Some(5)), (Expired, 5, None), (Granted, 3, Some(20))], 9), Some(Granted));
}

#[test]
fn a_no_for_all_is_undone_by_a_later_yes_for_one() {
    let (mut own, mut wide) = (Current::default(), Current::default());
    own.take(&record(1, State::Granted, 1, None));
    wide.take(&record(2, State::Withdrawn, 2, None));
    let mut both = own;
    both.take_wider(&wide);
    assert_eq!(both.state(moment(9)).map(|(state, _)| state), Some(State::Withdrawn));
    own.take(&record(3, State::Granted, 3, None));
    own.take_wider(&wide);
    assert_eq!(own.state(moment(9)).map(|(state, _)| state), Some(State::Granted));
}

fn row(
    reason: suppression::Reason,
    purpose: &str,
    suppressed: Option<i64>,
    cleared: Option<i64>,
) -> Suppression {
    let hashed = Hashed { key: "k".to_owned(), hash: vec![1] };
    let row = Suppression::new(&hashed, Channel::Email, purpose, reason);
    Suppression { suppressed: suppressed.map(moment), cleared: cleared.map(moment), ..row }
}

#[test]
fn a_bounce_forbids_everything_and_an_unsubscribe_marketing_of_its_purpose() {
    use suppression::Reason::{Bounce, Complaint, Erasure, Unsubscribe};
    let of = |rows: &[Suppression]| (verdict(rows, "newsletter", true), verdict(rows, "newsletter", false));
    assert_eq!(of(&[]), (None, None));
    assert_eq!(of(&[row(Bounce, "all", Some(1), None)]), (Some(Bounce), Some(Bounce)));
    assert_eq!(of(&[row(Complaint, "all", Some(1), Some(2))]), (None, None));
    assert_eq!(of(&[row(Unsubscribe, "newsletter", Some(1), None)]), (Some(Unsubscribe), None));
    assert_eq!(of(&[row(Unsubscribe, "loyalty", Some(1), None)]), (None, None));
    assert_eq!(of(&[row(Erasure, "all", Some(1), None)]), (Some(Erasure), None));
    let lifted = row(Unsubscribe, "newsletter", None, Some(2));
    assert_eq!(of(&[row(Erasure, "all", Some(1), None), lifted.clone()]), (None, None), "for its purpose");
    assert_eq!(
        verdict(&[row(Erasure, "all", Some(1), None), lifted.clone()], "loyalty", true),
        Some(Erasure)
    );
    assert_eq!(
        of(&[row(Unsubscribe, "all", Some(2), None), lifted]),
        (Some(Unsubscribe), None),
        "at one moment"
    );
}

#[test]
fn the_first_that_forbids_is_the_answer() {
    let contact = Contact { purpose: "newsletter", channel: Channel::Email, transactional: false };
    let mut known = Known {
        erased: true,
        reachable: false,
        suppressions: vec![row(suppression::Reason::Unsubscribe, "all", Some(1), None)],
        consent: Current::default(),
    };
    let now = moment(9);
    assert_eq!(may_contact(now, contact, &known), Err(Reason::Erased));
    known.erased = false;
    let suppressed = Reason::Suppressed(suppression::Reason::Unsubscribe);
    assert_eq!(may_contact(now, contact, &known), Err(suppressed));
    known.suppressions.clear();
    assert_eq!(may_contact(now, contact, &known), Err(Reason::NoConsent));
    known.consent.take(&record(1, State::Granted, 1, Some(9)));
    assert_eq!(may_contact(now, contact, &known), Err(Reason::Expired));
    known.consent.take(&record(2, State::Granted, 2, None));
    assert_eq!(may_contact(now, contact, &known), Err(Reason::NoAddress));
    known.reachable = true;
    assert_eq!(may_contact(now, contact, &known), Ok(()));
    known.consent.take(&record(3, State::Withdrawn, 3, None));
    assert_eq!(may_contact(now, contact, &known), Err(Reason::Withdrawn));
    let transactional = Contact { transactional: true, ..contact };
    assert_eq!(may_contact(now, transactional, &known), Ok(()), "needs no consent");
}

#[test]
fn a_purpose_is_a_short_word() {
    for (word, right) in [("newsletter", true), ("a", true), ("a-b_9", true), ("all", true)] {
        assert_eq!(is_purpose(word), right, "{word}");
    }
    for word in ["", "Newsletter", "9a", "a b", "ä", &"a".repeat(65)] {
        assert!(!is_purpose(word), "{word}");
    }
}

fn any_record() -> impl Strategy<Value = (State, i64, Option<i64>)> {
    let state =
        prop_oneof![Just(State::Granted), Just(State::Denied), Just(State::Withdrawn), Just(State::Pending)];
    (state, 0_i64..6, proptest::option::of(0_i64..9))
}

proptest! {
    #[test]
    fn what_holds_does_not_depend_on_the_order_of_arrival(
        said in proptest::collection::vec(any_record(), 0..9),
        order in any::<prop::sample::Index>(),
        now in 0_i64..10,
    ) {
        let mut seen = std::collections::HashSet::new();
        let mut records: Vec<Consent> = Vec::new();
        for (number, (state, at, end)) in said.into_iter().enumerate() {
            // The same state at the same moment is one record.
            if seen.insert((state.name(), at)) {
                records.push(record(number, state, at, end.filter(|end| *end > at)));
            }
        }
        let expected = holds(&records, now);
        let place = order.index(records.len() + 1);
        records.rotate_left(place);
        prop_assert_eq!(holds(&records, now), expected);
        records.reverse();
        prop_assert_eq!(holds(&records, now), expected);
        records.sort_by_key(|one| one.at);
        prop_assert_eq!(holds(&records, now), expected);
        let again: Vec<Consent> = records.iter().chain(&records).cloned().collect();
        prop_assert_eq!(holds(&again, now), expected, "twice is once");
    }
}
