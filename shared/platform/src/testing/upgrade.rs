//! Databases of earlier releases, and whether they come to look like a new one.

#![expect(clippy::expect_used, reason = "a test may fail loudly, and nobody else calls this")]

use std::collections::BTreeMap;

use sqlx::migrate::Migrator;

use super::{Postgres, database};
use crate::db::{Db, Engine, Migrations, Series, Session};

static NONE: Migrator = Migrator::DEFAULT;

/// The schema as it was after the own migration of that number, when the services made the platform's tables by their
/// own: an upgrade begins there.
pub fn older(migrations: &Migrations, last: i64) -> &'static Migrations {
    let up_to = |migrator: &Migrator| -> &'static Migrator {
        let kept = migrator.iter().filter(|migration| migration.version <= last).cloned().collect();
        Box::leak(Box::new(Migrator::with_migrations(kept)))
    };
    let own = Series { postgres: up_to(migrations.own.postgres), sqlite: up_to(migrations.own.sqlite) };
    let platform = Series { postgres: &NONE, sqlite: &NONE };
    // Tests may leak: a migration is only ever held by reference to a static.
    Box::leak(Box::new(Migrations { platform, own, begins: 1 }))
}

/// Fails where a database that began before the platform had migrations of its own is brought to another schema than a
/// new one begins with, on either engine: from every number on SQLite, from the first and the last on PostgreSQL.
pub async fn upgraded(migrations: &Migrations) {
    let (new, _folder) = database::sqlite(migrations).await;
    let wanted = shape_of(&new).await;
    new.close().await;
    for last in 1..migrations.begins {
        let (old, _folder) = database::sqlite(older(migrations, last)).await;
        compare(&old, migrations, &wanted, last).await;
        old.close().await;
    }
    let new = Postgres::create(migrations).await;
    let wanted = shape_of(&new.db).await;
    new.discard().await;
    for last in [1, migrations.begins - 1] {
        let old = Postgres::create(older(migrations, last)).await;
        compare(&old.db, migrations, &wanted, last).await;
        old.discard().await;
    }
}

async fn compare(old: &Db, migrations: &Migrations, wanted: &BTreeMap<String, String>, last: i64) {
    assert!(!old.schema_current(migrations).await.expect("the schema is readable"));
    for _ in 0..2 {
        old.migrate(migrations).await.expect("the migrations apply, and again");
    }
    assert!(old.schema_current(migrations).await.expect("the schema is readable"));
    let found = shape_of(old).await;
    let names = wanted.keys().chain(found.keys());
    let differs = |name: &&String| wanted.get(*name) != found.get(*name);
    let told: Vec<String> = names
        .filter(differs)
        .map(|name| format!("{name}\n  new      {:?}\n  upgraded {:?}", wanted.get(name), found.get(name)))
        .collect();
    assert!(told.is_empty(), "an upgrade from {last} ends elsewhere:\n{}", told.join("\n"));
}

/// All that a schema says, by name: columns in their order, defaults, checks, indexes, storage.
async fn shape_of(db: &Db) -> BTreeMap<String, String> {
    let mut reader = db.read().await.expect("the database answers");
    let rows: Vec<(String, String)> = match reader.engine() {
        Engine::Postgres(connection) => {
            sqlx::query_as(POSTGRES).fetch_all(&mut *connection).await.expect("the catalogue is readable")
        }
        Engine::Sqlite(connection) => {
            sqlx::query_as(SQLITE).fetch_all(&mut *connection).await.expect("the catalogue is readable")
        }
    };
    rows.into_iter().map(|(name, text)| (name, plain(&text))).collect()
}

/// A definition without comments, quotes and its way of breaking lines.
fn plain(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("--").next().unwrap_or_default());
    let words = lines.collect::<Vec<_>>().join(" ").replace('"', "").replace('(', " ( ").replace(')', " ) ");
    words.replace(',', " , ").split_whitespace().collect::<Vec<_>>().join(" ")
}

const POSTGRES: &str = "
    WITH ours AS (SELECT c.oid, c.relname, c.reloptions
                    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname NOT LIKE '%\\_migrations')
    SELECT 'column ' || relname || ' ' || row_number() OVER (PARTITION BY relname ORDER BY a.attnum),
           concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, collname,
                     pg_get_expr(d.adbin, d.adrelid))
      FROM ours JOIN pg_attribute a ON a.attrelid = ours.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      LEFT JOIN pg_collation o ON o.oid = a.attcollation
     UNION ALL
    SELECT 'constraint ' || conname, pg_get_constraintdef(k.oid) FROM ours JOIN pg_constraint k ON k.conrelid = ours.oid
     UNION ALL
    SELECT 'index ' || indexrelid::regclass::text, pg_get_indexdef(indexrelid)
      FROM ours JOIN pg_index i ON i.indrelid = ours.oid
     UNION ALL
    SELECT 'table ' || relname, coalesce(reloptions::text, '') FROM ours";

const SQLITE: &str = "
    SELECT type || ' ' || name, sql FROM sqlite_master
     WHERE sql IS NOT NULL AND tbl_name NOT LIKE '%\\_migrations' ESCAPE '\\'";
