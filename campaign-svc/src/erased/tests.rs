//! Who was erased, and how they are known again.

use std::collections::BTreeSet;

use tandem_kernel::seal::Keyring;
use tandem_platform::testing::engines;
use tandem_platform::transact;

use super::*;
use crate::MIGRATIONS;
use crate::testing::Harness;

const OLD: &str = "a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "b:ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_782_907_200 + second).unwrap()
}

fn heard(customer: &str, erased: i64) -> Heard {
    Heard { customer: Some(customer.to_owned()), pseudonym: format!("erased~{customer}"), erased: at(erased) }
}

fn ids(keys: &str) -> Ids {
    Ids::of(&Keyring::parse(keys).unwrap())
}

#[test]
fn everything_is_done_twice_and_then_the_id_goes() {
    let mut erasure = Erasure::begin(&ids(OLD), &Tenant::default(), &heard("ada", 0), at(1)).unwrap();
    let mut done = Vec::new();
    for turn in 0..2 {
        while let Some(step) = erasure.step {
            assert_eq!(erasure.customer.as_deref(), Some("ada"), "{turn} {step:?}");
            done.push(step);
            erasure = erasure.gone(Went::Through);
        }
        if turn == 0 {
            assert_eq!(erasure.clone().once_more(at(1)), None, "not before who was on the way has arrived");
            erasure = erasure.once_more(at(1) + AGAIN).unwrap();
        }
    }
    let all: Vec<Step> = Step::ALL.iter().map(|(step, _)| *step).collect();
    assert_eq!(done, [all.clone(), all].concat());
    assert_eq!((erasure.customer.as_deref(), erasure.again), (None, None));
    assert_eq!(erasure.once_more(Timestamp::MAX), None);
}

#[test]
fn a_part_goes_on_from_its_place_and_the_next_step_from_the_beginning() {
    let erasure = Erasure::begin(&ids(OLD), &Tenant::default(), &heard("ada", 0), at(1)).unwrap();
    let on = erasure.gone(Went::On("there".to_owned()));
    assert_eq!((on.step, on.place.as_str()), (Some(Step::Orders), "there"));
    let next = on.gone(Went::Through);
    assert_eq!((next.step, next.place.as_str()), (Some(Step::Counters), ""));
}

#[test]
fn without_the_id_nothing_begins() {
    let late = Heard { customer: None, ..heard("ada", 0) };
    assert_eq!(Erasure::begin(&ids(OLD), &Tenant::default(), &late, at(1)), None);
}

#[test]
fn what_was_quoted_before_it_was_heard_of_is_theirs() {
    let erasure = Erasure::begin(&ids(OLD), &Tenant::default(), &heard("ada", 0), at(10)).unwrap();
    let known = erasure.known();
    assert_eq!([9, 10, 11].map(|second| known.has(at(second))), [true, true, false]);
    assert_eq!([11, 70, 71].map(|second| erasure.is_past(at(second))), [false, false, true]);
}

#[tokio::test]
async fn somebody_is_known_again_by_their_tenant_alone_and_with_a_new_key() {
    engines(&MIGRATIONS, |db| async move {
        let (tenant, other) = (Tenant::default(), Tenant::parse("other").unwrap());
        let erasure = Erasure::begin(&ids(OLD), &tenant, &heard("ada", 0), at(1)).unwrap();
        transact!(db, |tx| { store::begin(tx, &tenant, &erasure).await }).unwrap();
        let mut reader = db.read().await.unwrap();
        for (keys, known) in [(OLD.to_owned(), true), (format!("{NEW},{OLD}"), true), (NEW.to_owned(), false)]
        {
            let asked = BTreeSet::from([(&tenant, "ada"), (&tenant, "eve"), (&other, "ada")]);
            let found = among(&ids(&keys), &mut reader, asked).await.unwrap();
            let found: Vec<_> = found.into_iter().collect();
            let expected = known.then(|| ((&tenant, "ada"), erasure.known()));
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{keys}");
        }
        let subject = before(&ids(OLD), &mut reader, &tenant, "ada").await.unwrap();
        assert_eq!(subject.as_deref(), Some("c/erased~ada"));
        assert_eq!(before(&ids(OLD), &mut reader, &tenant, "eve").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn one_that_was_heard_of_begins_anew_only_where_they_were_erased_once_more() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let (app, tenant) = (&harness.app, Tenant::default());
        let begin = async |erased: i64, now: i64| {
            let erasure = Erasure::begin(&app.known, &tenant, &heard("ada", erased), at(now)).unwrap();
            transact!(app.db, |tx| {
                store::begin(tx, &tenant, &erasure).await?;
                store::lock(tx, &tenant, "erased~ada").await
            })
            .unwrap()
            .unwrap()
        };
        let first = begin(0, 1).await;
        let done = Erasure { step: None, customer: None, again: None, ..first.clone() };
        transact!(app.db, |tx| { store::save(tx, &tenant, &done).await }).unwrap();
        assert_eq!(begin(0, 100).await, done);
        assert_eq!(begin(-5, 100).await, done, "told late");
        let anew = begin(50, 100).await;
        assert_eq!((anew.step, anew.customer.as_deref()), (Some(Step::FIRST), Some("ada")));
        assert_eq!(anew.heard, at(100));
    })
    .await;
}
