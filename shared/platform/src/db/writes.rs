//! Writes of one tenant that travel together: what a command has decided, told to the database in one round trip.
//!
//! A store says what is to be written as a [`Write`]: a set-based [`Statement`](super::Statement), its parameters and how
//! many rows it must change. A command collects these in [`Writes`] and runs them after its decisions. On PostgreSQL all
//! of them become one statement, each a data-modifying `WITH` of it; on SQLite, where nothing travels, they run one after
//! the other.
//!
//! They see the data as it was before all of them and do not see each other: two writes that may touch the same row go
//! in two [`Writes`], or in one statement.

use std::fmt::Write as _;

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Database, Encode, PgConnection, Type};
use uuid::Uuid;

use super::column::{BindColumns, Column};
use super::engine::{Engine, Session, Statement};
use super::instant::Instant;
use super::tx::{Tx, lost_race, same_count};
use crate::call::Tenant;
use crate::fault::{Fault, Outcome};
use crate::on_engine;

/// One statement that writes rows of one tenant. Its first parameter is the tenant, then come the scalars, then the
/// columns; it has no `RETURNING`.
#[derive(Clone, Debug)]
pub struct Write {
    statement: Statement,
    scalars: Vec<Scalar>,
    columns: Vec<Column>,
    expected: Expected,
    tells: bool,
}

/// A parameter that is the same for all rows.
#[derive(Clone, Debug)]
enum Scalar {
    Int(i64),
    Text(String),
    Instant(Timestamp),
    Uuid(Uuid),
    Bytes(Vec<u8>),
}

/// How many rows a write changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// One per row of its columns, which are locked or new.
    Each,
    /// The same; fewer, or one that is there already, are a lost race.
    EachOrReplay,
    /// Some of them.
    Any,
}

impl Write {
    /// A write of one row for each row of the columns: anything else is INTERNAL.
    pub fn new(statement: Statement) -> Self {
        Self { statement, scalars: Vec::new(), columns: Vec::new(), expected: Expected::Each, tells: false }
    }

    /// The next scalar.
    #[must_use]
    pub fn int(mut self, number: i64) -> Self {
        self.scalars.push(Scalar::Int(number));
        self
    }

    /// The next scalar.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.scalars.push(Scalar::Text(text.to_owned()));
        self
    }

    /// The next scalar.
    #[must_use]
    pub fn instant(mut self, instant: Timestamp) -> Self {
        self.scalars.push(Scalar::Instant(instant));
        self
    }

    /// The next scalar.
    #[must_use]
    pub fn uuid(mut self, id: Uuid) -> Self {
        self.scalars.push(Scalar::Uuid(id));
        self
    }

    /// The next scalar.
    #[must_use]
    pub fn bytes(mut self, bytes: Vec<u8>) -> Self {
        self.scalars.push(Scalar::Bytes(bytes));
        self
    }

    /// The columns.
    #[must_use]
    pub fn columns(mut self, columns: impl Into<Vec<Column>>) -> Self {
        self.columns = columns.into();
        self
    }

    /// Rows that are gone, or there already, may be so because somebody else was first: the transaction is marked for a
    /// replay. For rows that no lock of this transaction keeps from others.
    #[must_use]
    pub fn or_replay(mut self) -> Self {
        self.expected = Expected::EachOrReplay;
        self
    }

    /// Rows may stay as they are.
    #[must_use]
    pub fn where_needed(mut self) -> Self {
        self.expected = Expected::Any;
        self
    }

    /// The relay of this process is woken when the transaction has committed.
    #[must_use]
    pub(crate) fn telling(mut self) -> Self {
        self.tells = true;
        self
    }

    /// Runs it by itself.
    pub async fn run(self, tx: &mut Tx, tenant: &Tenant) -> Outcome<()> {
        self.count(tx, tenant).await.map(|_| ())
    }

    /// The same; answers how many rows it has written.
    pub async fn count(self, tx: &mut Tx, tenant: &Tenant) -> Outcome<u64> {
        if self.rows() == 0 {
            return Ok(0);
        }
        if self.tells {
            tx.wake_relay_on_commit();
        }
        let written = on_engine!(tx, self.statement, |sql, conn| {
            let query = bind_scalars(sqlx::query(sql).bind(tenant.as_str()), &self.scalars);
            let query = if self.columns.is_empty() { query } else { query.bind_columns(&self.columns) };
            query.execute(conn).await.map(|done| done.rows_affected())
        });
        let written = written.map_err(|error| fault(tx, error, self.races()))?;
        self.check(tx, written)?;
        Ok(written)
    }

    fn races(&self) -> bool {
        self.expected == Expected::EachOrReplay
    }

    /// Rows that it is about.
    fn rows(&self) -> usize {
        self.columns.first().map_or(1, Column::len)
    }

    fn check(&self, tx: &mut Tx, written: u64) -> Outcome<()> {
        match (self.expected, same_count(written, self.rows())) {
            (Expected::Any, _) | (_, Ok(())) => Ok(()),
            (Expected::Each, Err(fault)) => Err(fault),
            (Expected::EachOrReplay, Err(_)) => {
                tx.replay();
                Err(Fault::contention())
            }
        }
    }
}

/// What a command writes.
#[derive(Debug)]
pub struct Writes<'a> {
    tenant: &'a Tenant,
    writes: Vec<Write>,
}

impl<'a> Writes<'a> {
    /// Nothing yet.
    pub fn of(tenant: &'a Tenant) -> Self {
        Self { tenant, writes: Vec::new() }
    }

    /// Whose rows they are.
    pub fn tenant(&self) -> &'a Tenant {
        self.tenant
    }

    /// Adds a write; one without rows is none.
    pub fn push(&mut self, write: impl Into<Option<Write>>) {
        self.writes.extend(write.into().filter(|write| write.rows() > 0));
    }

    /// Runs what was added, in this order where they run one after the other.
    pub async fn run(self, tx: &mut Tx) -> Outcome<()> {
        if let ([_, _, ..], Engine::Postgres(connection)) = (self.writes.as_slice(), tx.engine()) {
            let sent = self.send(connection).await;
            return self.received(tx, sent);
        }
        for write in self.writes {
            write.run(tx, self.tenant).await?;
        }
        Ok(())
    }

    async fn send(&self, connection: &mut PgConnection) -> Result<PgRow, sqlx::Error> {
        let query = sqlx::query(AssertSqlSafe(self.together())).bind(self.tenant.as_str());
        let query = self
            .writes
            .iter()
            .fold(query, |query, write| bind_scalars(query, &write.scalars).bind_columns(&write.columns));
        query.fetch_one(connection).await
    }

    fn received(&self, tx: &mut Tx, sent: Result<PgRow, sqlx::Error>) -> Outcome<()> {
        if let Err(error) = &sent {
            tx.note(error);
        }
        let races = self.writes.iter().any(Write::races);
        let written = sent.map_err(|error| fault(tx, error, races))?;
        if self.writes.iter().any(|write| write.tells) {
            tx.wake_relay_on_commit();
        }
        for (place, write) in self.writes.iter().enumerate() {
            let count: i64 = sqlx::Row::try_get(&written, place)?;
            write.check(tx, u64::try_from(count).unwrap_or_default())?;
        }
        Ok(())
    }

    /// One statement of all, which answers how many rows each has written.
    fn together(&self) -> String {
        let (mut with, mut counts) = (String::from("WITH "), String::new());
        let mut bound = 1;
        for (place, write) in self.writes.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let sql = renumbered(write.statement.postgres, bound - 1);
            // Writing into a String cannot fail.
            let _ = write!(with, "{comma}w{place} AS ({sql} RETURNING 1)");
            let _ = write!(counts, "{comma}(SELECT count(*) FROM w{place})");
            bound += write.scalars.len() + write.columns.len();
        }
        format!("{with} SELECT {counts}")
    }
}

/// The fault of a write that failed.
fn fault(tx: &mut Tx, error: sqlx::Error, races: bool) -> Fault {
    if races { lost_race(tx, error) } else { Fault::from(error) }
}

/// The next parameters, on either engine.
fn bind_scalars<'q, DB: Database>(
    query: Query<'q, DB, DB::Arguments>,
    scalars: &'q [Scalar],
) -> Query<'q, DB, DB::Arguments>
where
    i64: Encode<'q, DB> + Type<DB>,
    &'q str: Encode<'q, DB> + Type<DB>,
    &'q [u8]: Encode<'q, DB> + Type<DB>,
    Instant: Encode<'q, DB> + Type<DB>,
    Uuid: Encode<'q, DB> + Type<DB>,
{
    scalars.iter().fold(query, |query, scalar| match scalar {
        Scalar::Int(number) => query.bind(*number),
        Scalar::Text(text) => query.bind(text.as_str()),
        Scalar::Instant(instant) => query.bind(Instant(*instant)),
        Scalar::Uuid(id) => query.bind(*id),
        Scalar::Bytes(bytes) => query.bind(bytes.as_slice()),
    })
}

/// A statement whose parameters after the tenant stand `by` places further on.
fn renumbered(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let mut out = String::with_capacity(sql.len() + 16);
    out.extend(parts.next());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        let _ = match number.parse::<usize>() {
            Ok(number) if number > 1 => write!(out, "${}{rest}", number + by),
            _ => write!(out, "${part}"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_move_on_and_the_tenant_stays() {
        assert_eq!(
            renumbered(
                "INSERT INTO t SELECT $1, * FROM UNNEST($2::text[], $10::uuid[]) WHERE tenant = $1",
                4
            ),
            "INSERT INTO t SELECT $1, * FROM UNNEST($6::text[], $14::uuid[]) WHERE tenant = $1"
        );
    }
}
