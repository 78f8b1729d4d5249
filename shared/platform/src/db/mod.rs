//! The database: one SQL text, two engines. SQLite is the embedded default, PostgreSQL is production.
//!
//! A store is a file of `const` statements, row structs and functions that take a session:
//!
//! ```
//! use jiff::Timestamp;
//! use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement, Tx};
//! use tandem_platform::{Outcome, Tenant, on_engine};
//! use uuid::Uuid;
//!
//! const FIND: Statement = Statement::same("SELECT id, title, created FROM note WHERE tenant = $1 AND id = $2");
//! const LOCK: Statement = Statement::pair(
//!     "SELECT id, title, created FROM note WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE",
//!     "SELECT id, title, created FROM note WHERE tenant = $1 AND id = $2",
//! );
//! // Scalars first, columns last. SQLite reads all columns from one JSON parameter.
//! const INSERT_MANY: Statement = Statement::pair(
//!     "INSERT INTO note (tenant, id, title, created)
//!      SELECT $1, * FROM UNNEST($2::uuid[], $3::text[], $4::timestamptz[])",
//!     "INSERT INTO note (tenant, id, title, created)
//!      SELECT $1, unhex(value->>0), value->>1, value->>2 FROM json_each($2)",
//! );
//!
//! /// Every statement, for the test that prepares them on both engines.
//! pub const STATEMENTS: &[(&str, Statement)] = &[("find", FIND), ("lock", LOCK), ("insert_many", INSERT_MANY)];
//!
//! #[derive(Debug, sqlx::FromRow)]
//! pub struct Row {
//!     pub id: Uuid,
//!     pub title: String,
//!     pub created: Instant,
//! }
//!
//! /// Serves commands (a transaction) and plain reads alike.
//! pub async fn find(session: &mut impl Session, tenant: &Tenant, id: Uuid) -> Outcome<Option<Row>> {
//!     Ok(on_engine!(session, FIND, |sql, conn| {
//!         sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
//!     })?)
//! }
//!
//! /// Locks, so it takes a transaction.
//! pub async fn lock(tx: &mut Tx, tenant: &Tenant, id: Uuid) -> Outcome<Option<Row>> {
//!     Ok(on_engine!(tx, LOCK, |sql, conn| {
//!         sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
//!     })?)
//! }
//!
//! pub async fn insert_many(tx: &mut Tx, tenant: &Tenant, rows: &[(Uuid, String, Timestamp)]) -> Outcome<u64> {
//!     let columns = [
//!         Column::uuid(rows.iter().map(|row| row.0)),
//!         Column::text(rows.iter().map(|row| row.1.as_str())),
//!         Column::Instant(rows.iter().map(|row| row.2).collect()),
//!     ];
//!     // The engines answer results of different types: reduce them to one inside the body.
//!     Ok(on_engine!(tx, INSERT_MANY, |sql, conn| {
//!         let query = sqlx::query(sql).bind(tenant.as_str()).bind_columns(&columns);
//!         query.execute(conn).await.map(|done| done.rows_affected())
//!     })?)
//! }
//! ```
//!
//! A command runs a body in a transaction with [`transact!`](crate::transact); a plain read borrows a connection with
//! [`Db::read`]. No sqlx future may be put into `timeout` or `select!` and dropped half-way: time is bounded inside the
//! database ([`Db::connect`]) and by asking the deadline between statements.

mod codes;
mod column;
mod composed;
mod engine;
mod held;
mod instant;
mod migrations;
mod open;
pub(crate) mod signals;
mod storage;
#[cfg(test)]
pub(crate) mod tests;
mod tx;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;

pub use column::{BindColumns, Column};
pub use composed::{Bound, Composed};
pub use engine::{Engine, Reader, Session, Statement};
pub use instant::Instant;
pub use migrations::{Migrations, PLATFORM, Series};
pub use sqlx::types::Json;
pub use storage::Storage;
pub use tx::{Replays, Tx, body, conclude, lost_race, same_count};
pub use writes::{Write, Writes};

use crate::config::{ConfigError, DatabaseConfig};
use crate::fault::{Fault, Outcome};
use held::Held;
use signals::Signals;

/// A connection that rested longer than this is asked whether it still lives before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// The database of one service. Clones share the connections.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Pools,
    signals: Arc<Signals>,
    storage: Arc<Storage>,
}

#[derive(Clone, Debug)]
enum Pools {
    Postgres(PgPool),
    Sqlite { read: SqlitePool, write: SqlitePool },
}

/// How busy the connections are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// Open connections.
    pub open: u32,
    /// Those of them that nobody uses.
    pub idle: u32,
    /// The most that may be open.
    pub max: u32,
}

impl Db {
    /// Opens `postgres://…`, or `sqlite:/path/to/file`, which is created where it is missing.
    ///
    /// PostgreSQL bounds every statement, every wait for a lock and every idle transaction by the times of `config`,
    /// which are sent as start-up options (behind PgBouncer: `ignore_startup_parameters = options`, and the same times
    /// by `ALTER ROLE`). The isolation level is the server's default; all transactions bear any level.
    ///
    /// SQLite keeps a write-ahead log, syncs at every commit, enforces foreign keys and has one connection that writes.
    pub async fn connect(config: &DatabaseConfig) -> Outcome<Self> {
        let pools = open::pools(config).await?;
        Ok(Self { pools, signals: Arc::default(), storage: Arc::default() })
    }

    /// The same at a start, where an operator reads why it failed; `setting` is what holds the address, in the words of who
    /// gave it.
    pub async fn open(config: &DatabaseConfig, setting: &str) -> Result<Self, ConfigError> {
        let pools = open::pools(config).await.map_err(|error| open::refusal(config, setting, &error))?;
        Ok(Self { pools, signals: Arc::default(), storage: Arc::default() })
    }

    /// Begins a write transaction; part of [`transact!`](crate::transact), which also ends it.
    pub async fn begin(&self) -> Outcome<Tx> {
        self.begin_by("BEGIN").await
    }

    /// Like [`Db::begin`], but READ COMMITTED whatever the server's default is: for work that must see each
    /// statement's newest state and neither disturbs nor is disturbed by serialisable transactions.
    pub(crate) async fn begin_read_committed(&self) -> Outcome<Tx> {
        self.begin_by("BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    /// Begins with `postgres`; SQLite knows one way only.
    ///
    /// Runs in a task of its own, so that a BEGIN is always answered before anybody lets go of its connection. A
    /// transaction that nobody waits for any more is dropped complete, and its connection closed.
    async fn begin_by(&self, postgres: &'static str) -> Outcome<Tx> {
        let open = match &self.pools {
            Pools::Postgres(pool) => {
                let begun = Held::begin(pool.clone(), postgres);
                uncancelled(async move { begun.await.map(tx::Open::Postgres) }).await
            }
            Pools::Sqlite { write, .. } => {
                let begun = Held::begin(write.clone(), "BEGIN IMMEDIATE");
                uncancelled(async move { begun.await.map(tx::Open::Sqlite) }).await
            }
        };
        open.map(Tx::new).inspect_err(|fault| {
            if fault.is_storage_full() {
                self.storage.refused();
            }
        })
    }

    /// Borrows a connection for single statements that only read. Not inside a transaction: a task holds one
    /// connection at a time.
    pub async fn read(&self) -> Outcome<Reader> {
        let connection = match &self.pools {
            Pools::Postgres(pool) => engine::ReaderConnection::Postgres(pool.acquire().await?),
            Pools::Sqlite { read, .. } => engine::ReaderConnection::Sqlite(read.acquire().await?),
        };
        Ok(Reader(connection))
    }

    /// Whether the database answers.
    pub async fn check(&self) -> Outcome<()> {
        let mut reader = self.read().await?;
        let alive = Statement::same("SELECT 1");
        crate::on_engine!(&mut reader, alive, |sql, conn| sqlx::query(sql).execute(conn).await.map(|_| ()))?;
        Ok(())
    }

    /// Whether this is the embedded engine.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.pools, Pools::Sqlite { .. })
    }

    /// How many of `wanted` writers can work side by side: one on SQLite, and on PostgreSQL no more than all but one
    /// connection.
    pub fn writers(&self, wanted: usize) -> usize {
        match &self.pools {
            Pools::Sqlite { .. } => 1,
            Pools::Postgres(pool) => {
                let max = usize::try_from(pool.options().get_max_connections()).unwrap_or(usize::MAX);
                wanted.clamp(1, max.saturating_sub(1).max(1))
            }
        }
    }

    /// How busy the connections are (on SQLite: those that read).
    pub fn pool_use(&self) -> PoolUse {
        fn of<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> PoolUse {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            PoolUse { open: pool.size(), idle, max: pool.options().get_max_connections() }
        }
        match &self.pools {
            Pools::Postgres(pool) => of(pool),
            Pools::Sqlite { read, .. } => of(read),
        }
    }

    /// Closes every connection once its borrower has returned it. The last step of a stop.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Postgres(pool) => pool.close().await,
            Pools::Sqlite { read, write } => {
                read.close().await;
                // The last connection to close folds the write-ahead log into the file.
                write.close().await;
            }
        }
    }

    /// The same connections under another process's name: it neither wakes nor is woken by the other handle.
    pub(crate) fn with_own_signals(&self) -> Self {
        Self { pools: self.pools.clone(), signals: Arc::default(), storage: Arc::default() }
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Whether there is room to write.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }
}

/// Runs a sqlx future to its end even where its caller is dropped.
#[expect(
    clippy::disallowed_methods,
    reason = "ends by itself within the pool's time-outs; what it yields is owned"
)]
async fn uncancelled<T, F>(future: F) -> Outcome<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, sqlx::Error>> + Send + 'static,
{
    match tokio::spawn(future).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(Fault::internal("a database task ended early").caused_by(error)),
    }
}
