//! Many rows from few: what one real row says, said again under other names. A year, or a thousand tenants, are in the
//! database within seconds, as the service itself would have written them, whatever columns its tables have.
//!
//! Rows are copied by name. The row that is copied carries a name (`t100000`) that stands for nothing else; each copy
//! carries another one (`t100001`, …) in its place, in every text, document and message. All names of a series are of
//! one length, so that messages stay what they are.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::Outcome;

/// Names that differ in a number.
#[derive(Debug, Clone, Copy)]
pub struct Series {
    /// Before the number.
    pub stem: &'static str,
    /// The number of the row that is copied.
    pub first: u32,
}

impl Series {
    /// The name of the row that is copied (0), or of a copy.
    pub fn name(&self, number: u32) -> String {
        format!("{}{}", self.stem, self.first + number)
    }
}

/// Copies of the rows of one table.
#[derive(Debug, Clone)]
pub struct Copies<'a> {
    /// The table.
    pub table: &'a str,
    /// Which of its rows are copied, in SQL.
    pub condition: String,
    /// How often each.
    pub count: u32,
    /// Under which names.
    pub series: Option<Series>,
    /// Columns that get a value of their own, in SQL; `copy` is the number of the copy, from 1, `one` the row that is
    /// copied. A column that the table does not have is left out.
    pub instead: Vec<(&'a str, String)>,
}

/// What a column holds, as far as a name can be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text,
    /// Of this type, which can be a text and back.
    Document(String),
    Bytes,
    Other,
}

/// A service's database, past the service: best while that is stopped.
#[derive(Debug)]
pub enum Store {
    /// On a server.
    Postgres(PgConnection),
    /// A file.
    Sqlite(SqliteConnection),
}

impl Store {
    /// Connects; the rows written here need not outlive a power failure.
    pub async fn open(url: &str) -> Outcome<Self> {
        if url.starts_with("sqlite:") {
            return Ok(Self::Sqlite(SqliteConnection::connect(url).await?));
        }
        let mut store = Self::Postgres(PgConnection::connect(url).await?);
        store.execute("SET synchronous_commit = off".to_owned()).await?;
        Ok(store)
    }

    /// Runs a statement; answers how many rows it wrote.
    pub async fn execute(&mut self, sql: String) -> Outcome<u64> {
        let sql = AssertSqlSafe(sql);
        Ok(match self {
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await?.rows_affected(),
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await?.rows_affected(),
        })
    }

    /// Writes the copies; answers how many rows these are.
    pub async fn copy(&mut self, copies: &Copies<'_>) -> Outcome<u64> {
        let tables = self.tables().await?;
        let columns = tables.get(copies.table).ok_or_else(|| format!("no table {}", copies.table))?;
        let sql = self.statement(columns, copies);
        self.execute(sql).await.map_err(|error| format!("copying {}: {error}", copies.table).into())
    }

    /// The tables that have all of these columns.
    pub async fn tables_with(&mut self, wanted: &[&str]) -> Outcome<Vec<String>> {
        let mut tables = self.tables().await?;
        let has =
            |columns: &[(String, Content)], name: &str| columns.iter().any(|(column, _)| column == name);
        tables.retain(|_, columns| wanted.iter().all(|name| has(columns, name)));
        Ok(tables.into_keys().collect())
    }

    /// How many rows a table has.
    pub async fn count(&mut self, table: &str) -> Outcome<i64> {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        Ok(match self {
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_one(connection).await?,
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_one(connection).await?,
        })
    }

    /// Copies everything that a tenant has, in every table, for so many other tenants.
    pub async fn copy_tenant(&mut self, tenants: Series, count: u32) -> Outcome<u64> {
        let mut rows = 0;
        for (table, columns) in self.tables().await? {
            if !columns.iter().any(|(column, _)| column == "tenant") {
                continue;
            }
            let condition = format!("one.tenant = '{}'", tenants.name(0));
            let copies = Copies { table: &table, condition, count, series: Some(tenants), instead: vec![] };
            let sql = self.statement(&columns, &copies);
            let copied = self.execute(sql).await;
            rows += copied.map_err(|error| format!("copying a tenant's {table}: {error}"))?;
        }
        Ok(rows)
    }

    /// Leaves the tables as they are after a while in production.
    pub async fn tidy(mut self) -> Outcome {
        let sql = match self {
            Self::Postgres(_) => "VACUUM ANALYZE",
            Self::Sqlite(_) => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        self.execute(sql.to_owned()).await?;
        match self {
            Self::Postgres(connection) => connection.close().await?,
            Self::Sqlite(connection) => connection.close().await?,
        }
        Ok(())
    }

    /// An id that no other row has.
    pub fn fresh_id(&self) -> String {
        match self {
            Self::Postgres(_) => "gen_random_uuid()".to_owned(),
            Self::Sqlite(_) => "randomblob(16)".to_owned(),
        }
    }

    /// An instant of the row, earlier by so much with each copy.
    pub fn earlier(&self, column: &str, each: Duration) -> String {
        let micros = each.as_micros();
        match self {
            Self::Postgres(_) => format!("one.{column} - copy * interval '{micros} microseconds'"),
            Self::Sqlite(_) => format!("one.{column} - copy * {micros}"),
        }
    }

    /// A day of the past, earlier by one with each copy: "2025-05-31".
    pub fn earlier_day(&self) -> String {
        match self {
            Self::Postgres(_) => "to_char(current_date - copy, 'YYYY-MM-DD')".to_owned(),
            Self::Sqlite(_) => "date('now', '-' || copy || ' days')".to_owned(),
        }
    }

    fn statement(&self, columns: &[(String, Content)], copies: &Copies<'_>) -> String {
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let value = |(name, content): &(String, Content)| {
            let instead = copies.instead.iter().find(|(column, _)| column == name);
            match (instead, copies.series) {
                (Some((_, value)), _) => value.clone(),
                (None, Some(series)) => self.renamed(name, content, series),
                (None, None) => format!("one.{name}"),
            }
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        let (names, values) = (names.join(", "), values.join(", "));
        let Copies { table, condition, count, .. } = copies;
        let (with, numbers) = match self {
            Self::Postgres(_) => (String::new(), format!("generate_series(1, {count}) AS numbers (copy)")),
            Self::Sqlite(_) => (
                format!(
                    "WITH RECURSIVE numbers (copy) AS (SELECT 1 WHERE {count} > 0 UNION ALL SELECT copy + 1 FROM \
                     numbers WHERE copy < {count}) "
                ),
                "numbers".to_owned(),
            ),
        };
        // Copy by copy, as neighbours would have been written.
        format!(
            "{with}INSERT INTO {table} ({names}) SELECT {values} FROM {numbers} CROSS JOIN {table} AS one \
             WHERE {condition}"
        )
    }

    fn renamed(&self, name: &str, content: &Content, Series { stem, first }: Series) -> String {
        let (old, new) = (format!("'{stem}{first}'"), format!("'{stem}' || ({first} + copy)"));
        match (self, content) {
            (_, Content::Other) => format!("one.{name}"),
            (_, Content::Text) => format!("replace(one.{name}, {old}, {new})"),
            (_, Content::Document(kind)) => {
                format!("CAST(replace(CAST(one.{name} AS text), {old}, {new}) AS {kind})")
            }
            (Self::Postgres(_), Content::Bytes) => {
                let hex = |text: &str| format!("encode(convert_to({text}, 'UTF8'), 'hex')");
                let (old, new) = (hex(&old), hex(&new));
                format!("decode(replace(encode(one.{name}, 'hex'), {old}, {new}), 'hex')")
            }
            (Self::Sqlite(_), Content::Bytes) => format!(
                "CASE WHEN one.{name} IS NOT NULL THEN \
                 unhex(replace(hex(one.{name}), hex({old}), hex({new}))) END"
            ),
        }
    }

    /// Every table with its columns, in their order.
    async fn tables(&mut self) -> Outcome<BTreeMap<String, Vec<(String, Content)>>> {
        const POSTGRES: &str = "SELECT table_name::text, column_name::text, udt_name::text
              FROM information_schema.columns
             WHERE table_schema = 'public' AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position";
        const SQLITE: &str = "SELECT one.name, info.name, lower(info.type)
              FROM sqlite_schema AS one, pragma_table_info(one.name) AS info
             WHERE one.type = 'table' ORDER BY one.name, info.cid";
        let columns: Vec<(String, String, String)> = match self {
            Self::Postgres(connection) => sqlx::query_as(POSTGRES).fetch_all(connection).await?,
            Self::Sqlite(connection) => sqlx::query_as(SQLITE).fetch_all(connection).await?,
        };
        let mut tables: BTreeMap<String, Vec<(String, Content)>> = BTreeMap::new();
        for (table, column, kind) in columns {
            let content = match kind.as_str() {
                "text" | "varchar" => Content::Text,
                "json" | "jsonb" => Content::Document(kind),
                "bytea" | "blob" => Content::Bytes,
                _ => Content::Other,
            };
            tables.entry(table).or_default().push((column, content));
        }
        Ok(tables)
    }
}
