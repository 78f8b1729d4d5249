//! Bringing the schema up to date, and knowing whether it is.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::migrate::{MigrateError, MigrationType, Migrator};
use sqlx::{ConnectOptions, Connection, PgConnection, Row};

use super::{Db, Pools};
use crate::fault::{Fault, Outcome};

/// The advisory lock under which one process at a time migrates a PostgreSQL database ("tandem" in ASCII).
const LOCK: i64 = 0x7461_6e64_656d;
/// Between two attempts at the lock. Polled rather than waited for: a session that blocks on an advisory lock holds a
/// snapshot, and `CREATE INDEX CONCURRENTLY` in another would wait for it for ever.
const LOCK_POLL: Duration = Duration::from_millis(250);
/// Attempts at the lock: five minutes.
const LOCK_ATTEMPTS: u32 = 1_200;

/// The migrations of one service: the same numbers and names for both engines, forward only.
///
/// ```ignore
/// static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
/// static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
/// pub static MIGRATIONS: Migrations = Migrations { postgres: &POSTGRES, sqlite: &SQLITE };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// For PostgreSQL.
    pub postgres: &'static Migrator,
    /// For SQLite.
    pub sqlite: &'static Migrator,
}

impl Db {
    /// Applies what is missing. Any number of processes may try at once; one works, the others wait at most five
    /// minutes. What a newer release has applied is left alone.
    pub async fn migrate(&self, migrations: &Migrations) -> Outcome<()> {
        match &self.pools {
            Pools::Postgres(pool) => {
                let mut connection = pool.connect_options().as_ref().clone().connect().await?;
                let done = migrate_postgres(&mut connection, migrations.postgres).await;
                // Gives the lock back whatever happened.
                connection.close().await?;
                done
            }
            Pools::Sqlite { write, .. } => {
                let mut connection = write.acquire().await?;
                runner(migrations.sqlite).run_direct(None, &mut *connection, false).await.map_err(failed)
            }
        }
    }

    /// Whether every migration of this release has been applied. Those of a newer release may be there too. INTERNAL
    /// where an applied one had another text: waiting does not mend that.
    pub async fn schema_current(&self, migrations: &Migrations) -> Outcome<bool> {
        let (applied, migrator) = match &self.pools {
            Pools::Postgres(pool) => {
                let mut connection = pool.acquire().await?;
                let sql = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
                if !sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut *connection).await? {
                    return Ok(false);
                }
                (sqlx::query_as(APPLIED).fetch_all(&mut *connection).await?, migrations.postgres)
            }
            Pools::Sqlite { read, .. } => {
                let mut connection = read.acquire().await?;
                let sql = "SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'";
                if sqlx::query(sql).fetch_optional(&mut *connection).await?.is_none() {
                    return Ok(false);
                }
                (sqlx::query_as(APPLIED).fetch_all(&mut *connection).await?, migrations.sqlite)
            }
        };
        compare(applied, migrator)
    }
}

const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success";

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

async fn migrate_postgres(connection: &mut PgConnection, migrator: &Migrator) -> Outcome<()> {
    // A migration may take its time, but does not queue everybody else behind the lock it waits for.
    sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await?;
    sqlx::query("SET lock_timeout = '30s'").execute(&mut *connection).await?;
    sqlx::query("SET idle_in_transaction_session_timeout = 0").execute(&mut *connection).await?;
    lock(connection).await?;
    runner(migrator).run_direct(None, connection, false).await.map_err(failed)
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

/// The same migrations without sqlx's own lock (see [`LOCK_POLL`]) and at peace with those of a newer release.
fn runner(migrator: &Migrator) -> Migrator {
    let mut runner = Migrator::with_migrations(migrator.iter().cloned().collect());
    runner.set_locking(false);
    runner.set_ignore_missing(true);
    runner
}

fn failed(error: MigrateError) -> Fault {
    Fault::internal("a migration failed").caused_by(error)
}
