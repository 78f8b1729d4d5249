//! Bringing the schema up to date, and knowing whether it is.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};

use super::{Db, Engine, Pools, Reader, Session};
use crate::fault::{Fault, Outcome};

/// The advisory lock under which one process at a time migrates a PostgreSQL database ("tandem" in ASCII).
const LOCK: i64 = 0x7461_6e64_656d;
/// Between two attempts at the lock. Polled rather than waited for: a session that blocks on an advisory lock holds a
/// snapshot, and `CREATE INDEX CONCURRENTLY` in another would wait for it for ever.
const LOCK_POLL: Duration = Duration::from_millis(250);
/// Attempts at the lock: five minutes.
const LOCK_ATTEMPTS: u32 = 1_200;

/// Where it is written down which migrations a database has.
const PLATFORMS: &str = "_platform_migrations";
const OWN: &str = "_sqlx_migrations";
/// The last migration of the platform's whose tables the services made by their own before the platform had any.
const MADE_BY_SERVICES: i64 = 2;

static PLATFORM_POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static PLATFORM_SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// The platform's tables, those of [`crate::counters`] among them.
pub const PLATFORM: Series = Series { postgres: &PLATFORM_POSTGRES, sqlite: &PLATFORM_SQLITE };

/// Migrations that follow each other: the same numbers and names for both engines, forward only.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// For PostgreSQL.
    pub postgres: &'static Migrator,
    /// For SQLite.
    pub sqlite: &'static Migrator,
}

/// The schema of one service: the platform's tables first, then its own.
///
/// ```ignore
/// static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
/// static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
/// pub static MIGRATIONS: Migrations =
///     Migrations { platform: PLATFORM, own: Series { postgres: &POSTGRES, sqlite: &SQLITE }, begins: 1 };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// [`PLATFORM`].
    pub platform: Series,
    /// The service's own.
    pub own: Series,
    /// The number of the own migration with which a new database begins: it makes all that those before it led to, which
    /// are only written down as applied. 1 where none came before.
    pub begins: i64,
}

impl Db {
    /// Applies what is missing. Any number of processes may try at once; one works, the others wait at most five
    /// minutes. What a newer release has applied is left alone.
    pub async fn migrate(&self, migrations: &Migrations) -> Outcome<()> {
        let Migrations { platform, own, begins } = migrations;
        match &self.pools {
            Pools::Postgres(pool) => {
                let mut connection = pool.connect_options().as_ref().clone().connect().await?;
                let done = match prepared(&mut connection).await {
                    Ok(()) => {
                        apply(&mut connection, platform.postgres, own.postgres, *begins).await.map_err(failed)
                    }
                    Err(fault) => Err(fault),
                };
                // Gives the lock back whatever happened.
                connection.close().await?;
                done
            }
            Pools::Sqlite { write, .. } => {
                let mut connection = write.acquire().await?;
                apply(&mut *connection, platform.sqlite, own.sqlite, *begins).await.map_err(failed)
            }
        }
    }

    /// Whether every migration of this release has been applied. Those of a newer release may be there too. INTERNAL
    /// where an applied one had another text: waiting does not mend that.
    pub async fn schema_current(&self, migrations: &Migrations) -> Outcome<bool> {
        let Migrations { platform, own, .. } = migrations;
        let mut reader = self.read().await?;
        for (table, series) in [(PLATFORMS, platform), (OWN, own)] {
            let migrator = if self.is_sqlite() { series.sqlite } else { series.postgres };
            if !compare(written_down(&mut reader, table).await?, migrator)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The numbers and checksums of the migrations that a database has; none where it has never been migrated.
async fn written_down(reader: &mut Reader, table: &str) -> Outcome<Vec<(i64, Vec<u8>)>> {
    let rows = || AssertSqlSafe(format!("SELECT version, checksum FROM {table} WHERE success"));
    Ok(match reader.engine() {
        Engine::Postgres(connection) => {
            let there = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table);
            match there.fetch_one(&mut *connection).await? {
                true => sqlx::query_as(rows()).fetch_all(connection).await?,
                false => Vec::new(),
            }
        }
        Engine::Sqlite(connection) => {
            let there = sqlx::query("SELECT 1 FROM sqlite_master WHERE name = $1").bind(table);
            match there.fetch_optional(&mut *connection).await? {
                Some(_) => sqlx::query_as(rows()).fetch_all(connection).await?,
                None => Vec::new(),
            }
        }
    })
}

fn compare(applied: Vec<(i64, Vec<u8>)>, migrator: &Migrator) -> Outcome<bool> {
    let applied: HashMap<i64, Vec<u8>> = applied.into_iter().collect();
    for migration in migrator.iter().filter(|m| m.migration_type != MigrationType::ReversibleDown) {
        match applied.get(&migration.version) {
            None => return Ok(false),
            Some(checksum) if checksum.as_slice() == migration.checksum.as_ref() => {}
            Some(_) => {
                let fault = Fault::internal("an applied migration differs from the one of this release");
                return Err(fault.with("version", migration.version));
            }
        }
    }
    Ok(true)
}

/// Every step may be the last one of a process: whoever comes next goes on from what is written down.
async fn apply<C: Migrate>(
    connection: &mut C,
    platform: &Migrator,
    own: &Migrator,
    begins: i64,
) -> Result<(), MigrateError> {
    let (platform, every) = (runner(platform.iter(), PLATFORMS), runner(own.iter(), OWN));
    connection.ensure_migrations_table(OWN).await?;
    let applied = connection.list_applied_migrations(OWN).await?;
    if !applied.is_empty() && applied.iter().all(|migration| migration.version != begins) {
        // Older than the platform's own series: these made its tables too.
        every.run_direct(Some(begins - 1), connection, false).await?;
        platform.run_direct(Some(MADE_BY_SERVICES), connection, true).await?;
        every.run_direct(Some(begins), connection, true).await?;
    }
    platform.run_direct(None, connection, false).await?;
    let first = runner(own.iter().filter(|migration| migration.version == begins), OWN);
    first.run_direct(None, connection, false).await?;
    every.run_direct(Some(begins), connection, true).await?;
    every.run_direct(None, connection, false).await
}

/// A connection that may migrate, and is the only one that does.
async fn prepared(connection: &mut PgConnection) -> Outcome<()> {
    // A migration may take its time, but does not queue everybody else behind the lock it waits for.
    sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await?;
    sqlx::query("SET lock_timeout = '30s'").execute(&mut *connection).await?;
    sqlx::query("SET idle_in_transaction_session_timeout = 0").execute(&mut *connection).await?;
    lock(connection).await
}

async fn lock(connection: &mut PgConnection) -> Outcome<()> {
    for _ in 0..LOCK_ATTEMPTS {
        let row =
            sqlx::query("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *connection).await?;
        if row.try_get::<bool, _>(0)? {
            return Ok(());
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
    Err(Fault::database_unavailable().caused_by("another process has been migrating for five minutes"))
}

/// Migrations without sqlx's own lock (see [`LOCK_POLL`]), at peace with those of a newer release, written down in `table`.
fn runner<'a>(migrations: impl Iterator<Item = &'a Migration>, table: &'static str) -> Migrator {
    let mut runner = Migrator::with_migrations(migrations.cloned().collect());
    runner.set_locking(false);
    runner.set_ignore_missing(true);
    runner.dangerous_set_table_name(table);
    runner
}

fn failed(error: MigrateError) -> Fault {
    Fault::internal("a migration failed").caused_by(error)
}
