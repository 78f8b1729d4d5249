//! A connection goes back to the pool only where its transaction ended as we asked, and where it is of further use.

use super::transactions::{get, put, stored};
use super::*;
use crate::tasks::Tasks;
use crate::telemetry::Telemetry;

const LARGE: Statement = Statement::same("INSERT INTO tally (name, value) VALUES (hex(zeroblob($1)), 1)");

/// A row larger than what is left under [`fill`].
async fn put_large(tx: &mut Tx) -> Outcome<()> {
    on_engine!(tx, LARGE, |sql, conn| sqlx::query(sql).bind(100_000).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Leaves the one connection that writes no room for another page, as a full disk would.
async fn fill(db: &Db) {
    let Pools::Sqlite { write, .. } = &db.pools else { panic!("not SQLite") };
    sqlx::query("PRAGMA max_page_count = 1").execute(write).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_is_refused_and_the_next_one_is_stored() {
    testing::sqlite(test_migrations(), |db| async move {
        for round in ["one", "two", "three"] {
            fill(&db).await;
            let refused = transact!(db, |tx| {
                put(tx, "gone", 1).await?;
                put_large(tx).await
            });
            assert_eq!(refused.unwrap_err().reason(), "STORAGE_FULL", "{round}");
            assert_eq!(stored(&db, "gone").await, None, "reads go on");
            transact!(db, |tx| { put(tx, round, 1).await }).unwrap();
            assert_eq!(stored(&db, round).await, Some(1));
        }
        let telemetry = Telemetry::new("test").unwrap();
        telemetry.observe_storage(&db);
        let told = telemetry.render();
        assert!(told.contains("tandem_storage_full 1\n"), "{told}");
        assert!(told.contains("tandem_storage_refused_total 3\n"), "{told}");
    })
    .await;
}

#[test]
fn a_commit_that_found_the_disk_full_is_known_to_have_stored_nothing_and_one_that_the_disk_failed_is_not() {
    for (code, known) in [
        ("13", true),
        ("19", true),
        ("787", true),
        ("10", false),
        ("1034", false),
        ("4874", false),
        ("7", false),
        ("53100", true),
        ("23505", true),
        ("08006", false),
        ("40003", false),
        ("57P01", false),
    ] {
        assert_eq!(codes::rolls_back(code), known, "{code}");
    }
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_is_forgotten_where_its_body_panics() {
    testing::sqlite(test_migrations(), |db| async move {
        fill(&db).await;
        let inner = db.clone();
        let tasks = Tasks::new();
        let panicked = tasks.write(async move {
            transact!(inner, |tx| {
                put_large(tx).await.unwrap();
                Ok(())
            })
        });
        assert_eq!(panicked.await.unwrap_err().reason(), "INTERNAL");
        transact!(db, |tx| { put(tx, "after", 1).await }).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_may_only_read_is_not_written_to_again() {
    testing::postgres(test_migrations(), |database| async move {
        let db = database.narrow(1).await;
        let Pools::Postgres(pool) = &db.pools else { panic!("not PostgreSQL") };
        sqlx::query("SET default_transaction_read_only = on").execute(pool).await.unwrap();
        let refused = transact!(db, |tx| { put(tx, "a", 1).await });
        assert_eq!(refused.unwrap_err().reason(), "DATABASE_UNAVAILABLE");
        transact!(db, |tx| { put(tx, "a", 2).await }).unwrap();
        assert_eq!(stored(&db, "a").await, Some(2));
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_whose_prepared_statements_are_gone_is_not_used_again() {
    testing::postgres(test_migrations(), |database| async move {
        let db = database.narrow(1).await;
        let Pools::Postgres(pool) = &db.pools else { panic!("not PostgreSQL") };
        assert_eq!(stored(&db, "a").await, None);
        sqlx::raw_sql("DEALLOCATE ALL").execute(pool).await.unwrap();
        let refused = get(&mut db.read().await.unwrap(), "a").await;
        assert_eq!(refused.unwrap_err().reason(), "DATABASE_UNAVAILABLE");
        assert_eq!(stored(&db, "a").await, None);
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_whose_plans_are_older_than_the_schema_is_not_used_again() {
    const WHOLE: Statement = Statement::same("SELECT value FROM tally");
    testing::postgres(test_migrations(), |database| async move {
        let db = database.narrow(1).await;
        let whole = async || {
            let mut reader = db.read().await.unwrap();
            on_engine!(&mut reader, WHOLE, |sql, conn| sqlx::query(sql).execute(conn).await.map(|_| ()))
        };
        whole().await.unwrap();
        let mut outside = database.connect().await;
        sqlx::raw_sql("ALTER TABLE tally ALTER value TYPE numeric").execute(&mut outside).await.unwrap();
        assert!(whole().await.unwrap_err().to_string().contains("cached plan"));
        whole().await.unwrap();
        db.close().await;
    })
    .await;
}
