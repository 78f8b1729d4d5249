//! A statement that is put together for one question, where no list of statements could have it: a condition that somebody
//! wrote, said in SQL.
//!
//! Its text is made of texts of the program and of nothing else; whatever comes from elsewhere is bound. It is made for one
//! engine, sent once and not kept by the connection.

use std::fmt::Write as _;

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Database, Encode, FromRow, Type};

use super::Db;
use super::engine::{Engine, Session};
use super::instant::Instant;
use crate::fault::{Fault, Outcome};

/// What is bound.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// `bigint`
    Int(i64),
    /// `double precision`
    Double(f64),
    /// `text`
    Text(String),
    /// `timestamptz`
    Instant(Timestamp),
}

/// A statement and what is bound in it.
#[derive(Clone, Debug)]
pub struct Composed {
    text: String,
    bound: Vec<Bound>,
    is_sqlite: bool,
}

impl Composed {
    /// An empty one for the engine of this database.
    pub fn new(db: &Db) -> Self {
        Self { text: String::new(), bound: Vec::new(), is_sqlite: db.is_sqlite() }
    }

    /// Adds a text that both engines take.
    pub fn sql(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds the text of the engine.
    pub fn pair(&mut self, postgres: &'static str, sqlite: &'static str) -> &mut Self {
        self.sql(if self.is_sqlite { sqlite } else { postgres })
    }

    /// Adds a name that has a number: `e3`.
    pub fn numbered(&mut self, name: &'static str, number: usize) -> &mut Self {
        // Writing into a String cannot fail.
        let _ = write!(self.text, "{name}{number}");
        self
    }

    /// Adds a parameter of its type.
    pub fn bind(&mut self, value: Bound) -> &mut Self {
        let kind = match (&value, self.is_sqlite) {
            (_, true) => "",
            (Bound::Int(_), false) => "::bigint",
            (Bound::Double(_), false) => "::double precision",
            (Bound::Text(_), false) => "::text",
            (Bound::Instant(_), false) => "::timestamptz",
        };
        self.bound.push(value);
        let _ = write!(self.text, "${}{kind}", self.bound.len());
        self
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bind(Bound::Text(text.to_owned()))
    }

    /// Whether it is for the embedded engine.
    pub fn is_sqlite(&self) -> bool {
        self.is_sqlite
    }

    /// As it is sent.
    pub fn statement(&self) -> &str {
        &self.text
    }

    /// What is bound, in the order of its numbers.
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// What it answers, row by row.
    pub async fn rows<O>(&self, session: &mut impl Session) -> Outcome<Vec<O>>
    where
        O: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let text = AssertSqlSafe(self.text.clone());
        let rows = match session.engine() {
            Engine::Postgres(_) if self.is_sqlite => return Err(foreign()),
            Engine::Sqlite(_) if !self.is_sqlite => return Err(foreign()),
            Engine::Postgres(connection) => {
                let query = self.bound.iter().fold(sqlx::query(text).persistent(false), bind);
                let rows = query.fetch_all(connection).await;
                rows.and_then(|rows| rows.iter().map(O::from_row).collect())
            }
            Engine::Sqlite(connection) => {
                let query = self.bound.iter().fold(sqlx::query(text).persistent(false), bind);
                let rows = query.fetch_all(connection).await;
                rows.and_then(|rows| rows.iter().map(O::from_row).collect())
            }
        };
        if let Err(error) = &rows {
            session.note(error);
        }
        Ok(rows?)
    }
}

fn foreign() -> Fault {
    Fault::internal("a statement was put together for another engine")
}

type Query<'q, DB> = sqlx::query::Query<'q, DB, <DB as Database>::Arguments>;

fn bind<'q, DB: Database>(query: Query<'q, DB>, value: &'q Bound) -> Query<'q, DB>
where
    i64: Encode<'q, DB> + Type<DB>,
    f64: Encode<'q, DB> + Type<DB>,
    &'q str: Encode<'q, DB> + Type<DB>,
    Instant: Encode<'q, DB> + Type<DB>,
{
    match value {
        Bound::Int(number) => query.bind(*number),
        Bound::Double(number) => query.bind(*number),
        Bound::Text(text) => query.bind(text.as_str()),
        Bound::Instant(at) => query.bind(Instant(*at)),
    }
}
