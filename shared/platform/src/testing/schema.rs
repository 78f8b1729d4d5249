//! Two schemas, one meaning: what the parity test compares, and what is asked of every statement and table.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail loudly, and nobody else calls this")]

use std::collections::{BTreeMap, BTreeSet};

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr, SqliteConnection};

use super::{Postgres, database};
use crate::db::{Db, Engine, Migrations, Session, Statement};

/// Prepares every statement on the engine of `db`; panics with the names and the database's messages of those that it
/// refuses, and on SQLite of those whose plan reads a table from end to end, or all rows of a tenant to find a few.
pub async fn prepare_all(db: &Db, statements: &[(&str, Statement)]) {
    let mut refused = Vec::new();
    let mut reader = db.read().await.expect("the database answers");
    for (name, statement) in statements {
        let result = match reader.engine() {
            Engine::Postgres(connection) => {
                connection.prepare(statement.postgres.into_sql_str()).await.map(|_| Vec::new())
            }
            Engine::Sqlite(connection) => {
                let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.sqlite));
                let plan: Result<Vec<(i64, i64, i64, String)>, _> =
                    sqlx::query_as(explain).fetch_all(&mut *connection).await;
                match plan {
                    Ok(steps) => {
                        let steps = steps.into_iter().map(|(_, _, _, step)| step).collect();
                        Ok(wide_steps(connection, statement.sqlite, steps).await)
                    }
                    Err(error) => Err(error),
                }
            }
        };
        match result {
            Ok(wide) => refused.extend(wide.iter().map(|step| format!("{name}: {step}"))),
            Err(error) => refused.push(format!("{name}: {error}")),
        }
    }
    assert!(refused.is_empty(), "statements that do not prepare, or read too much:\n{}", refused.join("\n"));
}

/// The steps of a plan of SQLite that read more than is asked for: a whole table, although there is a condition; all rows
/// of a tenant, although keys are given.
async fn wide_steps(connection: &mut SqliteConnection, sql: &str, steps: Vec<String>) -> Vec<String> {
    let (mut wide, by_keys) = (Vec::new(), sql.contains("json_each("));
    for step in steps {
        // A name of the statement's own is no table.
        let name = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
        let own = [") AS {}", "{} AS (", "RECURSIVE {}"];
        let is_table = |name: &str| {
            !name.starts_with('(') && !own.iter().any(|form| sql.contains(&form.replace("{}", name)))
        };
        let scans = name.is_some_and(is_table) && !step.contains("INDEX") && sql.contains("tenant = $1");
        let tenant_alone = step.starts_with("SEARCH ") && step.ends_with("(tenant=?)");
        // A page of a resource ends at its limit: its rows come in the order of an index.
        let sorts = step == "USE TEMP B-TREE FOR ORDER BY"
            && sql.contains(" AS t WHERE t.tenant = $1")
            && sql.contains(" LIMIT $");
        if scans || sorts || (tenant_alone && by_keys && !is_narrow(connection, &step).await) {
            wide.push(step);
        }
    }
    wide
}

/// Whether the index of a step has one row per tenant, or only those of what is open.
async fn is_narrow(connection: &mut SqliteConnection, step: &str) -> bool {
    let Some((_, rest)) = step.split_once(" INDEX ") else { return false };
    let index = rest.split(' ').next().unwrap_or_default();
    let columns: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pragma_index_info($1) AS i
          WHERE NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = $1 AND sql LIKE '% WHERE %')",
    )
    .bind(index)
    .fetch_one(connection)
    .await
    .expect("an index is told of");
    columns <= 1
}

/// One line per column, `table.column class`, with ` null` where it may be null and ` key n` for its place in the
/// primary key, and one `unique table.index` per unique index.
pub async fn schema_of(db: &Db) -> Vec<String> {
    let mut reader = db.read().await.expect("the database answers");
    let mut lines = match reader.engine() {
        Engine::Postgres(connection) => {
            let rows: Vec<(String, String, String, bool, i64)> = sqlx::query_as(POSTGRES_COLUMNS)
                .fetch_all(&mut *connection)
                .await
                .expect("the catalogue is readable");
            let unique: Vec<(String, String)> = sqlx::query_as(POSTGRES_UNIQUE)
                .fetch_all(&mut *connection)
                .await
                .expect("the catalogue is readable");
            describe(rows, postgres_class, unique)
        }
        Engine::Sqlite(connection) => {
            let rows: Vec<(String, String, String, bool, i64)> = sqlx::query_as(SQLITE_COLUMNS)
                .fetch_all(&mut *connection)
                .await
                .expect("the catalogue is readable");
            let unique: Vec<(String, String)> = sqlx::query_as(SQLITE_UNIQUE)
                .fetch_all(&mut *connection)
                .await
                .expect("the catalogue is readable");
            describe(rows, sqlite_class, unique)
        }
    };
    lines.sort();
    lines
}

/// How many rows a table has. `table` is a name of the schema.
pub async fn count(reader: &mut impl Session, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    let rows = match reader.engine() {
        Engine::Postgres(connection) => {
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await
        }
        Engine::Sqlite(connection) => {
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await
        }
    };
    rows.expect("the table is readable")
}

/// Fails where `document` does not say of a table of the schema what bounds it, or says it of one that there is not: a
/// row "| `table` | …" below the line "## `service`", of its own or below "## Both services", for each.
pub async fn bounded(migrations: &Migrations, service: &str, document: &str) {
    let (db, _folder) = database::sqlite(migrations).await;
    let columns = schema_of(&db).await;
    db.close().await;
    let found: BTreeSet<&str> = columns
        .iter()
        .filter(|line| !line.starts_with("unique "))
        .filter_map(|line| Some(line.split_once('.')?.0))
        .collect();
    let mut told = BTreeSet::new();
    let mut ours = false;
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            ours = title == service || title == "Both services";
        }
        let name = line.strip_prefix("| `").and_then(|rest| rest.split_once("` |"));
        told.extend(name.filter(|_| ours).map(|(name, _)| name));
    }
    let untold: Vec<_> = found.difference(&told).collect();
    let gone: Vec<_> = told.difference(&found).collect();
    assert!(untold.is_empty() && gone.is_empty(), "not told of: {untold:?}; told of and not there: {gone:?}");
}

/// Fails where the two migration folders differ in numbers or names, or lead to schemas that differ in tables, columns,
/// nullability, class of type, primary keys or unique indexes.
pub async fn parity(migrations: &Migrations) {
    let names = |migrator: &Migrator| -> Vec<(i64, String)> {
        migrator.iter().map(|migration| (migration.version, migration.description.to_string())).collect()
    };
    for series in [migrations.platform, migrations.own] {
        let (postgres, sqlite) = (names(series.postgres), names(series.sqlite));
        assert_eq!(postgres, sqlite, "the folders differ in numbers or names");
    }
    let (lite, _folder) = database::sqlite(migrations).await;
    let on_sqlite = schema_of(&lite).await;
    lite.close().await;
    let database = Postgres::create(migrations).await;
    let on_postgres = schema_of(&database.db).await;
    database.discard().await;
    let only = |these: &[String], those: &[String]| -> String {
        these.iter().filter(|line| !those.contains(line)).map(|line| format!("\n  {line}")).collect()
    };
    let (left, right) = (only(&on_postgres, &on_sqlite), only(&on_sqlite, &on_postgres));
    assert!(left.is_empty() && right.is_empty(), "only on PostgreSQL:{left}\nonly on SQLite:{right}");
}

fn describe(
    columns: Vec<(String, String, String, bool, i64)>,
    class: fn(&str) -> &'static str,
    unique: Vec<(String, String)>,
) -> Vec<String> {
    let columns = columns.into_iter().map(|(table, column, type_, null, key)| {
        let null = if null { " null" } else { "" };
        let key = if key > 0 { format!(" key {key}") } else { String::new() };
        format!("{table}.{column} {}{null}{key}", class(&type_))
    });
    let unique = unique.into_iter().map(|(table, index)| format!("unique {table}.{index}"));
    columns.chain(unique).collect()
}

const POSTGRES_COLUMNS: &str = "
    SELECT c.table_name::text, c.column_name::text, c.data_type::text, c.is_nullable = 'YES',
           COALESCE((SELECT k.ordinality
                       FROM pg_index i, UNNEST(i.indkey::int2[]) WITH ORDINALITY AS k (attribute, ordinality)
                       JOIN pg_attribute a ON a.attnum = k.attribute
                      WHERE i.indisprimary AND i.indrelid = a.attrelid
                        AND i.indrelid = c.table_name::text::regclass AND a.attname = c.column_name), 0)
      FROM information_schema.columns c
     WHERE c.table_schema = 'public' AND c.table_name NOT LIKE '%\\_migrations'";

const POSTGRES_UNIQUE: &str = "
    SELECT t.relname::text, x.relname::text
      FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
      JOIN pg_namespace n ON n.oid = t.relnamespace
     WHERE n.nspname = 'public' AND i.indisunique AND NOT i.indisprimary AND t.relname NOT LIKE '%\\_migrations'
       AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)";

const SQLITE_COLUMNS: &str = "
    SELECT t.name, c.name, upper(c.type), NOT c.\"notnull\", c.pk
      FROM sqlite_master t JOIN pragma_table_info(t.name) c
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE '%\\_migrations' ESCAPE '\\'";

const SQLITE_UNIQUE: &str = "
    SELECT t.name, x.name
      FROM sqlite_master t JOIN pragma_index_list(t.name) x
     WHERE t.type = 'table' AND t.name NOT LIKE '%\\_migrations' ESCAPE '\\' AND x.\"unique\" AND x.origin = 'c'";

fn postgres_class(type_: &str) -> &'static str {
    match type_ {
        "text" | "character varying" | "character" | "jsonb" | "json" | "date" | "numeric" => "text",
        "bigint" | "integer" | "smallint" | "boolean" | "timestamp with time zone" => "integer",
        "uuid" | "bytea" => "blob",
        "double precision" | "real" => "real",
        other => panic!("{other}: a type without a twin on SQLite"),
    }
}

fn sqlite_class(type_: &str) -> &'static str {
    let classes = BTreeMap::from([
        ("TEXT", "text"),
        ("INTEGER", "integer"),
        ("BOOLEAN", "integer"),
        ("BLOB", "blob"),
        ("REAL", "real"),
    ]);
    classes.get(type_).copied().unwrap_or_else(|| panic!("{type_}: use TEXT, INTEGER, BOOLEAN, BLOB or REAL"))
}
