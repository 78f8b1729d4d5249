//! Schemas that are behind, level, ahead, or of another text.

use super::*;

const ONE: &str = "CREATE TABLE one (a text)";
const TWO: &str = "CREATE TABLE two (a text)";

fn of(texts: &[&'static str]) -> Migrations {
    Migrations {
        platform: PLATFORM,
        own: Series { postgres: migrator(texts), sqlite: migrator(texts) },
        begins: 1,
    }
}

#[tokio::test]
async fn a_schema_is_current_once_every_migration_of_this_release_is_applied() {
    testing::engines(&of(&[]), |db| async move {
        let (first, second) = (of(&[ONE]), of(&[ONE, TWO]));
        assert!(!db.schema_current(&first).await.unwrap());
        db.migrate(&first).await.unwrap();
        assert!(db.schema_current(&first).await.unwrap());
        assert!(!db.schema_current(&second).await.unwrap());
        db.migrate(&second).await.unwrap();
        assert!(db.schema_current(&second).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_older_release_is_at_peace_with_a_newer_schema() {
    testing::engines(&of(&[ONE, TWO]), |db| async move {
        let older = of(&[ONE]);
        assert!(db.schema_current(&older).await.unwrap());
        db.migrate(&older).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_migration_whose_text_changed_after_it_was_applied_is_an_error() {
    testing::engines(&of(&[ONE]), |db| async move {
        let changed = of(&[TWO]);
        assert_eq!(db.schema_current(&changed).await.unwrap_err().metadata("version"), Some("1"));
        assert!(db.migrate(&changed).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_and_can_be_tried_again() {
    testing::engines(&of(&[ONE]), |db| async move {
        assert!(
            db.migrate(&of(&[ONE, "CREATE TABLE two (a text); CREATE TABLE one (a text)"])).await.is_err()
        );
        let mended = of(&[ONE, TWO]);
        db.migrate(&mended).await.unwrap();
        assert!(db.schema_current(&mended).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn many_processes_may_migrate_at_once() {
    testing::postgres(&of(&[]), |database| async move {
        let migrations = of(&[ONE, TWO]);
        let other = database.another().await;
        let (one, two, three) = tokio::join!(
            database.db.migrate(&migrations),
            other.migrate(&migrations),
            other.migrate(&migrations)
        );
        one.and(two).and(three).unwrap();
        assert!(other.schema_current(&migrations).await.unwrap());
        other.close().await;
    })
    .await;
}

const BOTH: &str = "CREATE TABLE one (a text); CREATE TABLE two (a text)";

// What services made by their own, as far as the platform's later migrations change it.
const COUNTER: Statement = Statement::same(
    "CREATE TABLE counter (tenant text, kind bigint, owner text, subject text, period text, used bigint, held bigint,
                           told bigint, PRIMARY KEY (tenant, kind, owner, subject, period))",
);

/// Begins with [`BOTH`]; what came before it led to the same.
fn begun() -> Migrations {
    Migrations { begins: 3, ..of(&[ONE, TWO, BOTH, "CREATE TABLE three (a text)"]) }
}

#[tokio::test]
async fn a_new_database_begins_with_all_own_tables_and_an_old_one_goes_through_what_came_before() {
    for numbers in [&[][..], &[ONE], &[ONE, TWO]] {
        testing::engines(testing::older(&of(numbers), 9), |db| async move {
            if !numbers.is_empty() {
                let made = transact!(db, |tx| {
                    on_engine!(tx, COUNTER, |sql, conn| sqlx::query(sql).execute(conn).await.map(|_| ()))?;
                    Ok(())
                });
                made.unwrap();
            }
            db.migrate(&begun()).await.unwrap();
            assert!(db.schema_current(&begun()).await.unwrap());
            assert!(
                db.schema_current(&of(&[ONE, TWO])).await.unwrap(),
                "the release before is at peace with it"
            );
            db.migrate(&of(&[ONE, TWO])).await.unwrap();
        })
        .await;
    }
}

#[tokio::test]
async fn a_new_database_whose_first_process_died_goes_on_where_it_stopped() {
    let first = Migrations { begins: 3, ..of(&[]) };
    testing::engines(&first, |db| async move {
        // The platform's tables are there, and all own ones, but not yet the numbers before.
        let third = Migrator::with_migrations(begun().own.sqlite.iter().skip(2).take(1).cloned().collect());
        let third: &'static Migrator = Box::leak(Box::new(third));
        let died = Migrations { own: Series { postgres: third, sqlite: third }, ..first };
        db.migrate(&died).await.unwrap();
        assert!(!db.schema_current(&begun()).await.unwrap());
        db.migrate(&begun()).await.unwrap();
        assert!(db.schema_current(&begun()).await.unwrap());
    })
    .await;
}
