//! Where in a database a text stands: what a test asks that has somebody erased.

#![expect(clippy::expect_used, reason = "a test may fail loudly, and nobody else calls this")]

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::schema_of;
use crate::db::{Db, Engine, Session};

/// The columns of every table of the schema, by table.
pub async fn columns(db: &Db) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in schema_of(db).await.iter().filter(|line| !line.starts_with("unique ")) {
        if let Some((table, rest)) = line.split_once('.') {
            let column = rest.split(' ').next().unwrap_or_default();
            tables.entry(table.to_owned()).or_default().push(column.to_owned());
        }
    }
    tables
}

/// Every `table.column` of which some row has `text` in it, of whatever type it is: texts, documents, bytes.
pub async fn holding(db: &Db, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut reader = db.read().await.expect("the database answers");
    for (table, columns) in columns(db).await {
        for column in columns {
            let rows: i64 = match reader.engine() {
                Engine::Postgres(connection) => {
                    let sql = format!(
                        "SELECT count(*) FROM {table} WHERE position($1::text IN {column}::text) > 0
                             OR position(encode(convert_to($1::text, 'UTF8'), 'hex') IN {column}::text) > 0"
                    );
                    sqlx::query_scalar(AssertSqlSafe(sql)).bind(text).fetch_one(&mut *connection).await
                }
                Engine::Sqlite(connection) => {
                    let sql = format!(
                        "SELECT count(*) FROM {table}
                          WHERE instr(CAST({column} AS TEXT), $1) > 0 OR instr({column}, CAST($1 AS BLOB)) > 0"
                    );
                    sqlx::query_scalar(AssertSqlSafe(sql)).bind(text).fetch_one(&mut *connection).await
                }
            }
            .expect("every column can be searched");
            if rows > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
    }
    found
}
