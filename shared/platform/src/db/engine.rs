//! What a store sees of the database: a statement per engine, a session to run it in, and the macro that joins both.

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection};

use super::held::is_spent;
use super::tx::Tx;

/// One SQL statement as each engine wants it. Both texts take the same scalars in the same order and answer the same
/// columns; every `store.rs` lists its statements in `STATEMENTS` so that a test can prepare them on both engines.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// The text for PostgreSQL.
    pub postgres: &'static str,
    /// The text for SQLite.
    pub sqlite: &'static str,
}

impl Statement {
    /// A text that both engines take.
    pub const fn same(sql: &'static str) -> Self {
        Self { postgres: sql, sqlite: sql }
    }

    /// A text per engine, for what is not portable: `FOR UPDATE`, `UNNEST`, `= ANY`, casts, `jsonb` operators.
    pub const fn pair(postgres: &'static str, sqlite: &'static str) -> Self {
        Self { postgres, sqlite }
    }

    /// Texts that are put together once and kept as long as the process.
    pub fn made(postgres: String, sqlite: String) -> Self {
        Self::pair(Box::leak(postgres.into_boxed_str()), Box::leak(sqlite.into_boxed_str()))
    }

    /// Whether the two engines have texts of their own.
    pub fn is_pair(&self) -> bool {
        self.postgres != self.sqlite
    }
}

/// The connection behind a session. Only [`on_engine!`](crate::on_engine) looks at it.
#[derive(Debug)]
pub enum Engine<'c> {
    /// A connection to PostgreSQL.
    Postgres(&'c mut PgConnection),
    /// A connection to SQLite.
    Sqlite(&'c mut SqliteConnection),
}

/// Where a statement can run: a write transaction ([`Tx`]) or a connection for reading ([`Reader`]). A store function
/// that serves both takes `&mut impl Session`; one that writes or locks takes `&mut Tx`.
pub trait Session: Send {
    /// The connection itself.
    fn engine(&mut self) -> Engine<'_>;

    /// Told of every statement that failed, so that a transaction knows that it cannot commit any more.
    fn note(&mut self, error: &sqlx::Error);
}

/// A connection for single statements that only read. There is no transaction: two statements may see two states of
/// the data. Goes back to the pool when dropped.
#[derive(Debug)]
pub struct Reader(pub(super) ReaderConnection);

#[derive(Debug)]
pub(super) enum ReaderConnection {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

impl Session for Reader {
    fn engine(&mut self) -> Engine<'_> {
        match &mut self.0 {
            ReaderConnection::Postgres(connection) => Engine::Postgres(connection),
            ReaderConnection::Sqlite(connection) => Engine::Sqlite(connection),
        }
    }

    /// A connection of no further use is closed in place of going back to the pool.
    fn note(&mut self, error: &sqlx::Error) {
        if is_spent(error) {
            match &mut self.0 {
                ReaderConnection::Postgres(connection) => connection.close_on_drop(),
                ReaderConnection::Sqlite(connection) => connection.close_on_drop(),
            }
        }
    }
}

impl Session for Tx {
    fn engine(&mut self) -> Engine<'_> {
        self.connection()
    }

    fn note(&mut self, error: &sqlx::Error) {
        self.note_failure(error);
    }
}

/// Runs one body on whichever engine the session stands on: `sql` is the statement's text for that engine, `conn` the
/// `&mut` connection. The body must yield a `Result<_, sqlx::Error>`; it is type checked once per engine.
///
/// ```
/// use tandem_platform::db::{Session, Statement};
/// use tandem_platform::{Outcome, on_engine};
///
/// const COUNT: Statement = Statement::same("SELECT count(*) FROM note WHERE tenant = $1");
///
/// async fn count(session: &mut impl Session, tenant: &str) -> Outcome<i64> {
///     Ok(on_engine!(session, COUNT, |sql, conn| sqlx::query_scalar(sql).bind(tenant).fetch_one(conn).await)?)
/// }
/// ```
#[macro_export]
macro_rules! on_engine {
    ($session:expr, $statement:expr, |$sql:ident, $conn:ident| $body:expr) => {{
        let session = &mut *$session;
        let statement: $crate::db::Statement = $statement;
        let result = match $crate::db::Session::engine(session) {
            $crate::db::Engine::Postgres($conn) => {
                let $sql: &'static str = statement.postgres;
                $body
            }
            $crate::db::Engine::Sqlite($conn) => {
                let $sql: &'static str = statement.sqlite;
                $body
            }
        };
        if let Err(error) = &result {
            $crate::db::Session::note(session, error);
        }
        result
    }};
}
