//! The database on both engines: parameters, transactions and what their failures mean, migrations, settings.

mod connections;
#[cfg(feature = "failpoints")]
mod failpoints;
mod migrations;
mod transactions;
mod writes;

use std::sync::LazyLock;

use jiff::Timestamp;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use uuid::Uuid;

use super::*;
use crate::{on_engine, testing, transact};

const SAMPLE_POSTGRES: &str = "CREATE TABLE sample (
    tenant text NOT NULL, id uuid NOT NULL, title text, amount bigint, at timestamptz, doc jsonb,
    flag boolean NOT NULL, raw bytea, peer uuid, PRIMARY KEY (tenant, id));
    CREATE TABLE tally (name text NOT NULL PRIMARY KEY, value bigint NOT NULL);";
const SAMPLE_SQLITE: &str = "CREATE TABLE sample (
    tenant TEXT NOT NULL, id BLOB NOT NULL, title TEXT, amount INTEGER, at INTEGER, doc TEXT,
    flag INTEGER NOT NULL, raw BLOB, peer BLOB, PRIMARY KEY (tenant, id));
    CREATE TABLE tally (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL);";

/// The platform's tables and two of the tests' own.
pub(crate) fn test_migrations() -> &'static Migrations {
    static MIGRATIONS: LazyLock<Migrations> = LazyLock::new(|| Migrations {
        platform: PLATFORM,
        own: Series { postgres: migrator(&[SAMPLE_POSTGRES]), sqlite: migrator(&[SAMPLE_SQLITE]) },
        begins: 1,
    });
    &MIGRATIONS
}

pub(crate) fn migrator(texts: &[&'static str]) -> &'static Migrator {
    let migration = |(index, text): (usize, &&'static str)| {
        let version = i64::try_from(index).unwrap() + 1;
        Migration::new(version, "test".into(), MigrationType::Simple, (*text).into_sql_str(), false)
    };
    Box::leak(Box::new(Migrator::with_migrations(texts.iter().enumerate().map(migration).collect())))
}

const INSERT: Statement = Statement::pair(
    "INSERT INTO sample (tenant, id, title, amount, at, doc, flag, raw, peer)
     SELECT $1, * FROM UNNEST($2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], $6::jsonb[], $7::boolean[],
                              $8::bytea[], $9::uuid[])",
    "INSERT INTO sample (tenant, id, title, amount, at, doc, flag, raw, peer)
     SELECT $1, unhex(value->>0), value->>1, value->>2, value->>3, value->>4, value->>5, unhex(value->>6),
            unhex(value->>7)
       FROM json_each($2)",
);
const ALL: Statement = Statement::same(
    "SELECT id, title, amount, at, doc, flag, raw, peer FROM sample WHERE tenant = $1 ORDER BY at",
);

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
struct Sample {
    id: Uuid,
    title: Option<String>,
    amount: Option<i64>,
    at: Option<Instant>,
    doc: Option<Json<serde_json::Value>>,
    flag: bool,
    raw: Option<Vec<u8>>,
    peer: Option<Uuid>,
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap()
}

fn samples() -> Vec<Sample> {
    let sample = |n: u128, micros: i64| Sample {
        id: Uuid::from_u128(n),
        title: Some("plain".to_owned()),
        amount: Some(0),
        at: Some(Instant(at(micros))),
        doc: Some(Json(serde_json::json!({"a": [1, "two", null]}))),
        flag: true,
        raw: Some(vec![0, 1, 255]),
        peer: Some(Uuid::from_u128(u128::MAX - n)),
    };
    let nothing = Sample { title: None, amount: None, doc: None, raw: None, peer: None, ..sample(2, 1) };
    let awkward = Sample {
        title: Some("quote \" backslash \\ tab \t newline \n ünïcödé 🎁 {NULL,\u{1}}".to_owned()),
        amount: Some(i64::MIN),
        doc: Some(Json(serde_json::json!("only a \"text\""))),
        flag: false,
        raw: Some(Vec::new()),
        ..sample(3, 500_000)
    };
    let far =
        Sample { amount: Some(i64::MAX), title: Some(String::new()), ..sample(4, 4_102_444_800_000_001) };
    vec![sample(1, -62_135_596_800_000_000), nothing, awkward, far]
}

fn columns(samples: &[Sample]) -> Vec<Column> {
    let doc = |sample: &Sample| sample.doc.as_ref().map(|doc| serde_json::to_string(&doc.0).unwrap());
    vec![
        Column::uuid(samples.iter().map(|sample| sample.id)),
        Column::OptText(samples.iter().map(|sample| sample.title.clone()).collect()),
        Column::OptInt(samples.iter().map(|sample| sample.amount).collect()),
        Column::OptInstant(samples.iter().map(|sample| sample.at.map(Instant::timestamp)).collect()),
        Column::OptJson(samples.iter().map(doc).collect()),
        Column::Bool(samples.iter().map(|sample| sample.flag).collect()),
        Column::OptBytes(samples.iter().map(|sample| sample.raw.clone()).collect()),
        Column::OptUuid(samples.iter().map(|sample| sample.peer).collect()),
    ]
}

async fn insert(tx: &mut Tx, columns: &[Column]) -> Outcome<u64> {
    Ok(on_engine!(tx, INSERT, |sql, conn| {
        let query = sqlx::query(sql).bind("t").bind_columns(columns);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}

async fn all(session: &mut impl Session) -> Outcome<Vec<Sample>> {
    Ok(on_engine!(session, ALL, |sql, conn| sqlx::query_as(sql).bind("t").fetch_all(conn).await)?)
}

#[tokio::test]
async fn columns_carry_every_value_unchanged() {
    testing::engines(test_migrations(), |db| async move {
        let rows = columns(&samples());
        assert_eq!(transact!(db, |tx| { insert(tx, &rows).await }).unwrap(), 4);
        assert_eq!(all(&mut db.read().await.unwrap()).await.unwrap(), samples());
    })
    .await;
}

#[tokio::test]
async fn columns_without_nulls_and_without_rows_are_columns_too() {
    testing::engines(test_migrations(), |db| async move {
        let full = vec![
            Column::uuid([Uuid::from_u128(7)]),
            Column::text(["t"]),
            Column::int([5]),
            Column::Instant(vec![at(9)]),
            Column::json([serde_json::json!({"k": 1})]).unwrap(),
            Column::Bool(vec![true]),
            Column::Bytes(vec![vec![9]]),
            Column::uuid([Uuid::nil()]),
        ];
        let none = columns(&[]);
        assert_eq!(transact!(db, |tx| { insert(tx, &none).await }).unwrap(), 0);
        assert_eq!(transact!(db, |tx| { insert(tx, &full).await }).unwrap(), 1);
        let stored = all(&mut db.read().await.unwrap()).await.unwrap();
        assert_eq!((stored[0].amount, stored[0].raw.clone()), (Some(5), Some(vec![9])));
    })
    .await;
}

#[tokio::test]
async fn columns_of_unequal_length_are_refused_before_they_are_sent() {
    testing::engines(test_migrations(), |db| async move {
        let mut rows = columns(&samples());
        rows[2] = Column::int([1]);
        let refused = transact!(db, |tx| { insert(tx, &rows).await }).unwrap_err();
        assert_eq!(refused.reason(), "INTERNAL");
        assert!(all(&mut db.read().await.unwrap()).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn every_statement_of_the_platform_prepares_on_both_engines() {
    testing::engines(test_migrations(), |db| async move {
        for statements in [
            crate::counters::STATEMENTS,
            crate::counters::moved::STATEMENTS,
            crate::counters::tracks::STATEMENTS,
            crate::counters::values::STATEMENTS,
            crate::idempotency::STATEMENTS,
            crate::outbox::STATEMENTS,
            crate::rewrite::STATEMENTS,
            crate::tenancy::store::STATEMENTS,
        ] {
            testing::prepare_all(&db, statements).await;
        }
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "broken")]
async fn a_statement_that_does_not_prepare_is_named() {
    testing::sqlite(test_migrations(), |db| async move {
        testing::prepare_all(&db, &[("broken", Statement::same("SELECT nothing FROM nowhere"))]).await;
    })
    .await;
}

#[tokio::test]
async fn both_schemas_are_one() {
    testing::parity(test_migrations()).await;
}

#[tokio::test]
#[should_panic(expected = "t.b integer null")]
async fn a_column_that_differs_in_nullability_is_named() {
    let own = Series {
        postgres: migrator(&["CREATE TABLE t (a text NOT NULL, b bigint)"]),
        sqlite: migrator(&["CREATE TABLE t (a TEXT NOT NULL, b INTEGER NOT NULL)"]),
    };
    let migrations = Migrations { platform: PLATFORM, own, begins: 1 };
    testing::parity(&migrations).await;
}

#[tokio::test]
async fn sqlite_logs_ahead_syncs_fully_and_reads_cannot_write() {
    testing::sqlite(test_migrations(), |db| async move {
        let Pools::Sqlite { read, write } = &db.pools else { panic!("not SQLite") };
        for pool in [read, write] {
            let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
            let sync: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool).await.unwrap();
            let keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(pool).await.unwrap();
            assert_eq!((mode.as_str(), sync, keys), ("wal", 2, 1));
        }
        let refused = sqlx::query("DELETE FROM tally").execute(read).await.unwrap_err();
        assert!(refused.to_string().contains("readonly"), "{refused}");
        assert_eq!(db.writers(8), 1);
        db.check().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn postgres_bounds_statements_locks_and_idle_transactions() {
    testing::postgres(test_migrations(), |database| async move {
        let config = DatabaseConfig {
            url: database.url.clone().into(),
            statement_timeout_ms: 1_234,
            lock_timeout_ms: 567,
            idle_in_transaction_timeout_ms: 8_910,
            ..DatabaseConfig::default()
        };
        let db = Db::connect(&config).await.unwrap();
        let Pools::Postgres(pool) = &db.pools else { panic!("not PostgreSQL") };
        for (sql, expected) in [
            ("SHOW statement_timeout", "1234ms"),
            ("SHOW lock_timeout", "567ms"),
            ("SHOW idle_in_transaction_session_timeout", "8910ms"),
            ("SHOW application_name", "tandem"),
        ] {
            let value: String = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
            assert_eq!(value, expected, "{sql}");
        }
        assert_eq!(db.writers(100), 7);
        db.check().await.unwrap();
        db.close().await;
        assert_eq!(db.check().await.unwrap_err().reason(), "DATABASE_UNAVAILABLE");
    })
    .await;
}
