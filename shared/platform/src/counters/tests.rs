//! Counters and claims on both engines.

use std::sync::Arc;

use super::*;
use crate::db::{Db, tests::test_migrations};
use crate::fault::Kind;
use crate::{testing, transact};

fn counter(kind: CounterKind, owner: &str, subject: &str) -> CounterKey {
    CounterKey { kind, owner: owner.into(), subject: subject.into(), period: Arc::from("") }
}

fn used(used: i64) -> Tally {
    Tally { used, held: 1, told: 80 }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

async fn put(db: &Db, tenant: &Tenant, counters: &[(CounterKey, Tally)]) -> Outcome<()> {
    transact!(db, |tx| {
        insert(counters.iter().map(|(key, tally)| (key, *tally)).collect(), |_| None).run(tx, tenant).await
    })
}

#[tokio::test]
async fn a_counter_is_found_as_it_was_written_and_one_that_is_missing_is_left_out() {
    testing::engines(test_migrations(), |db| async move {
        let (tenant, other) = (Tenant::default(), Tenant::parse("other").unwrap());
        let (uses, euros) = (counter(CounterKind::Uses, "a", ""), counter(CounterKind::Budget, "a", "EUR"));
        let customer = counter(CounterKind::Customer, "a", "c/7");
        let written = [(customer.clone(), used(1)), (euros.clone(), used(700)), (uses.clone(), used(2))];
        put(&db, &tenant, &written).await.unwrap();
        put(&db, &other, &[(uses.clone(), used(9))]).await.unwrap();
        let missing = counter(CounterKind::Uses, "b", "");
        let keys = [uses.clone(), missing, euros.clone()];
        let locked = transact!(db, |tx| {
            let locked = lock(tx, &tenant, keys.iter()).await?;
            update(&[(&uses, used(3))]).run(tx, &tenant).await?;
            Ok(locked)
        });
        let mut locked = locked.unwrap();
        locked.sort_by(|one, another| one.0.cmp(&another.0));
        assert_eq!(locked, [(uses.clone(), used(2), None), (euros.clone(), used(700), None)]);
        let mut reader = db.read().await.unwrap();
        assert_eq!(find(&mut reader, &tenant, [&uses].into_iter()).await.unwrap(), [(uses.clone(), used(3))]);
        let of_owner = of_owner(&mut reader, &tenant, "a", "").await.unwrap();
        assert_eq!(of_owner, [(uses, used(3)), (euros, used(700))], "not what customers have used");
        assert_eq!(all(&mut reader, &tenant).await.unwrap().len(), 3);
        assert_eq!(all(&mut reader, &other).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn whoever_inserts_a_counter_second_replays() {
    testing::engines(test_migrations(), |db| async move {
        let tenant = Tenant::default();
        let uses = [(counter(CounterKind::Uses, "a", ""), used(1))];
        put(&db, &tenant, &uses).await.unwrap();
        let mut attempts = 0;
        let written = transact!(db, |tx| {
            attempts += 1;
            let key = &uses[0].0;
            let found = if attempts == 1 { Vec::new() } else { lock(tx, &tenant, [key].into_iter()).await? };
            match found.first() {
                None => insert(vec![(key, used(2))], |_| None).run(tx, &tenant).await,
                Some((key, tally, _)) => update(&[(key, used(tally.used + 1))]).run(tx, &tenant).await,
            }
        });
        written.unwrap();
        let mut reader = db.read().await.unwrap();
        assert_eq!((attempts, all(&mut reader, &tenant).await.unwrap()[0].1), (2, used(2)));
    })
    .await;
}

#[tokio::test]
async fn claims_are_found_by_their_holder_and_once_they_have_lapsed_by_their_counter() {
    testing::engines(test_migrations(), |db| async move {
        let tenant = Tenant::default();
        let (uses, row) = (counter(CounterKind::Uses, "a", ""), counter(CounterKind::Voucher, "x", ""));
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let claim = |key: &CounterKey, holder, expires| ClaimRow {
            key: key.clone(),
            holder,
            uses: 1,
            amount: 500,
            expires,
        };
        let never = at(253_402_207_200);
        let claims = [claim(&uses, one, at(10)), claim(&row, one, at(10)), claim(&uses, two, never)];
        transact!(db, |tx| { insert_claims(&claims).run(tx, &tenant).await }).unwrap();
        let mut reader = db.read().await.unwrap();
        let keys = [uses.clone(), row.clone()];
        assert_eq!(lapsed_claims(&mut reader, &tenant, &keys, at(9)).await.unwrap(), []);
        assert_eq!(lapsed_claims(&mut reader, &tenant, &keys[..1], at(10)).await.unwrap(), claims[..1]);
        assert_eq!(claims_of(&mut reader, &tenant, &[two]).await.unwrap(), claims[2..]);
        assert_eq!(claims_of(&mut reader, &tenant, &[one]).await.unwrap().len(), 2);
        drop(reader);
        transact!(db, |tx| { delete_claims(&claims[..2]).run(tx, &tenant).await }).unwrap();
        let mut reader = db.read().await.unwrap();
        assert_eq!(all_claims(&mut reader, &tenant).await.unwrap(), claims[2..]);
    })
    .await;
}

#[tokio::test]
async fn a_write_of_rows_that_are_not_there_is_no_success() {
    testing::engines(test_migrations(), |db| async move {
        let tenant = Tenant::default();
        let key = counter(CounterKind::Uses, "a", "");
        let claim = ClaimRow { key, holder: Uuid::nil(), uses: 1, amount: 0, expires: at(10) };
        let gone = transact!(db, |tx| { delete_claims(std::slice::from_ref(&claim)).run(tx, &tenant).await });
        assert_eq!(gone.unwrap_err().kind(), Kind::Internal);
    })
    .await;
}

fn within(owner: &str, period: &str) -> CounterKey {
    CounterKey { period: period.into(), ..counter(CounterKind::Uses, owner, "") }
}

async fn left(db: &Db, tenant: &Tenant) -> Vec<(String, String)> {
    let all = all(&mut db.read().await.unwrap(), tenant).await.unwrap();
    let mut left: Vec<_> =
        all.iter().map(|(key, _)| (key.owner.to_string(), key.period.to_string())).collect();
    left.sort_unstable();
    left
}

#[tokio::test]
async fn counters_of_periods_long_over_are_forgotten_turn_by_turn_and_of_every_tenant() {
    testing::engines(test_migrations(), |db| async move {
        let free = Tally { held: 0, ..used(1) };
        let tenants = ["a", "b"].map(|name| Tenant::parse(name).unwrap());
        let (month, day) = (within("x", "m2026-05-01"), within("x", "d2026-05-31"));
        let (held, ever) = (within("held", "d2026-01-01"), within("x", ""));
        for tenant in &tenants {
            let old = (1..=25).map(|n| (within("x", &format!("d2026-05-{n:02}")), free));
            let rest =
                [(month.clone(), free), (day.clone(), free), (held.clone(), used(1)), (ever.clone(), free)];
            put(&db, tenant, &old.chain(rest).collect::<Vec<_>>()).await.unwrap();
        }
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        assert_eq!(forget_over(&db, now, 7).await.unwrap(), 50);
        assert_eq!(forget_over(&db, now, 7).await.unwrap(), 0);
        for tenant in &tenants {
            let names = left(&db, tenant).await.into_iter().map(|(_, period)| period);
            assert_eq!(names.collect::<Vec<_>>(), ["d2026-01-01", "", "d2026-05-31", "m2026-05-01"]);
        }
    })
    .await;
}

#[tokio::test]
async fn an_owners_counters_go_with_those_below_it_and_nobody_elses() {
    testing::engines(test_migrations(), |db| async move {
        let free = Tally { held: 0, ..used(1) };
        let (tenant, other) = (Tenant::default(), Tenant::parse("other").unwrap());
        let owners = ["c/x", "c/x/o/1", "c/x/o/2", "c/x-1", "c/x0", "c"];
        let rows: Vec<_> = owners
            .iter()
            .flat_map(|owner| {
                [
                    (counter(CounterKind::Uses, owner, ""), free),
                    (counter(CounterKind::Customer, owner, "c/7"), free),
                ]
            })
            .collect();
        put(&db, &tenant, &rows).await.unwrap();
        put(&db, &other, &rows).await.unwrap();
        let turn = || async { transact!(db, |tx| { forget_owned(tx, &tenant, "c/x", 4).await }).unwrap() };
        assert_eq!((turn().await, turn().await, turn().await), (4, 2, 0));
        let mut owners: Vec<String> = left(&db, &tenant).await.into_iter().map(|(owner, _)| owner).collect();
        owners.dedup();
        assert_eq!(owners, ["c", "c/x-1", "c/x0"]);
        assert_eq!(left(&db, &other).await.len(), rows.len());
    })
    .await;
}
