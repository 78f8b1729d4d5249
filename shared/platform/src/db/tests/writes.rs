//! Writes that travel together: each counts its own rows, and none is stored where one of them fails.

use std::sync::atomic::{AtomicU32, Ordering};

use super::transactions::stored;
use super::*;
use crate::call::Tenant;
use crate::fault::Kind;

// What the tenant is called in front of each name.
const ADD: Statement = Statement::pair(
    "INSERT INTO tally (name, value) SELECT $1 || name, value FROM UNNEST($2::text[], $3::bigint[]) AS c (name, value)",
    "INSERT INTO tally (name, value) SELECT $1 || (value->>0), value->>1 FROM json_each($2)",
);
const RENAME: Statement = Statement::pair(
    "UPDATE tally SET name = $1 || '-was-' || extract(epoch FROM $2::timestamptz)::bigint
      WHERE name = ANY(ARRAY(SELECT $1 || name FROM UNNEST($3::text[]) AS c (name)))",
    "UPDATE tally SET name = $1 || '-was-' || ($2 / 1000000)
      WHERE name IN (SELECT $1 || (value->>0) FROM json_each($3))",
);

fn tenant() -> Tenant {
    Tenant::parse("t").unwrap()
}

fn add(rows: &[(&str, i64)]) -> Write {
    let columns = [Column::text(rows.iter().map(|row| row.0)), Column::int(rows.iter().map(|row| row.1))];
    Write::new(ADD).columns(columns)
}

fn rename(name: &str) -> Write {
    Write::new(RENAME).instant(at(7_000_000)).columns([Column::text([name])])
}

#[tokio::test]
async fn writes_of_one_tenant_travel_together_each_with_its_own_parameters() {
    testing::engines(test_migrations(), |db| async move {
        transact!(db, |tx| { add(&[("old", 1)]).run(tx, &tenant()).await }).unwrap();
        transact!(db, |tx| {
            let tenant = tenant();
            let mut writes = Writes::of(&tenant);
            writes.push(add(&[("a", 2), ("b", 3)]));
            writes.push(add(&[]));
            writes.push(rename("old"));
            writes.push(add(&[("c", 4)]));
            writes.run(tx).await
        })
        .unwrap();
        for (name, value) in [("ta", 2), ("tb", 3), ("tc", 4), ("t-was-7", 1)] {
            assert_eq!(stored(&db, name).await, Some(value), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn where_one_changes_another_number_of_rows_nothing_is_stored() {
    testing::engines(test_migrations(), |db| async move {
        let refused = transact!(db, |tx| {
            let tenant = tenant();
            let mut writes = Writes::of(&tenant);
            writes.push(add(&[("a", 1)]));
            writes.push(rename("nobody"));
            writes.run(tx).await
        });
        assert_eq!(refused.unwrap_err().kind(), Kind::Internal);
        assert_eq!(stored(&db, "ta").await, None);
        transact!(db, |tx| { rename("nobody").where_needed().run(tx, &tenant()).await }).unwrap();
    })
    .await;
}

/// Runs what `second` writes beside an insert, whose first attempt meets a row that is there, or misses one that is not.
async fn is_replayed(db: Db, name: &str, second: fn() -> Write) {
    let attempts = AtomicU32::new(0);
    transact!(db, |tx| {
        let tenant = tenant();
        let mut writes = Writes::of(&tenant);
        writes.push(add(&[(name, 1)]));
        if attempts.fetch_add(1, Ordering::SeqCst) == 0 {
            writes.push(second());
        }
        writes.run(tx).await
    })
    .unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
    assert_eq!(stored(&db, &format!("t{name}")).await, Some(1));
}

#[tokio::test]
async fn a_row_that_is_there_although_nobody_could_make_it_is_no_race() {
    testing::engines(test_migrations(), |db| async move {
        transact!(db, |tx| { add(&[("there", 1)]).run(tx, &tenant()).await }).unwrap();
        let attempts = AtomicU32::new(0);
        let refused = transact!(db, |tx| {
            attempts.fetch_add(1, Ordering::SeqCst);
            add(&[("there", 2)]).run(tx, &tenant()).await
        });
        assert_ne!(refused.unwrap_err().kind(), Kind::Aborted);
        assert_eq!(attempts.load(Ordering::SeqCst), 1);
    })
    .await;
}

#[tokio::test]
async fn who_loses_a_race_is_replayed() {
    testing::engines(test_migrations(), |db| async move {
        transact!(db, |tx| { add(&[("there", 1)]).run(tx, &tenant()).await }).unwrap();
        is_replayed(db.clone(), "a", || add(&[("there", 2)]).or_replay()).await;
        is_replayed(db, "b", || rename("gone").or_replay()).await;
    })
    .await;
}
