//! Databases that live as long as one test.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail loudly, and nobody else calls this")]

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::config::DatabaseConfig;
use crate::db::{Db, Migrations};

/// Under which templates are made, one at a time ("tandemtp" in ASCII).
const TEMPLATE_LOCK: i64 = 0x7461_6e64_656d_7470;
/// Connections of one test database: enough for races, few enough for many tests at once.
const CONNECTIONS: u32 = 8;

/// A database on the test server. Dropped by [`super::postgres`].
#[derive(Clone, Debug)]
pub struct Postgres {
    /// Connected and migrated.
    pub db: Db,
    /// Where it is: for a second process, or for a connection past [`Db`].
    pub url: String,
    name: String,
}

impl Postgres {
    /// A migrated database of its own, cloned from a template that is made once per text of the migrations.
    pub async fn create(migrations: &Migrations) -> Self {
        let server = server();
        let name = unique_name();
        let mut admin = server.connect().await.expect("TANDEM_TEST_POSTGRES must accept connections");
        let template = template(&server, &mut admin, migrations).await;
        // Left behind by a killed run that had the same process id.
        run(&mut admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        if setting("TANDEM_TEST_SERIALIZABLE").is_some_and(|value| value == "1") {
            run(
                &mut admin,
                format!("ALTER DATABASE {name} SET default_transaction_isolation = serializable"),
            )
            .await;
        }
        let _ = admin.close().await;
        let url = url_of(&server, &name);
        let db = Db::connect(&config(&url)).await.expect("a fresh database accepts connections");
        Self { db, url, name }
    }

    /// Drops the database with whoever is still connected.
    pub async fn discard(self) {
        self.db.close().await;
        if let Ok(mut admin) = server().connect().await {
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            // Best effort: the test command removes its whole cluster.
            let _ = sqlx::query(AssertSqlSafe(drop)).execute(&mut admin).await;
            let _ = admin.close().await;
        }
    }

    /// A connection of its own, past the pool: to hold locks, to kill backends, to look from outside.
    pub async fn connect(&self) -> PgConnection {
        let options = PgConnectOptions::from_str(&self.url).expect("a url made here is well formed");
        options.connect().await.expect("the database accepts connections")
    }

    /// Returns once a transaction of this database waits for a lock.
    pub async fn until_somebody_waits(&self) {
        self.until_waiting(|waiting| waiting > 0).await;
    }

    /// Returns once no transaction of this database waits for a lock.
    pub async fn until_nobody_waits(&self) {
        self.until_waiting(|waiting| waiting == 0).await;
    }

    async fn until_waiting(&self, wanted: impl Fn(i64) -> bool) {
        const WAITING: &str = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE NOT granted AND datname = current_database()";
        let mut outside = self.connect().await;
        loop {
            let count = sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut outside).await;
            if wanted(count.expect("the database answers")) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Another [`Db`] on the same database, as another process would have it.
    pub async fn another(&self) -> Db {
        Db::connect(&config(&self.url)).await.expect("the database accepts connections")
    }

    /// Another [`Db`] on the same database that waits so long for a lock.
    pub async fn hasty(&self, lock_timeout_ms: u64) -> Db {
        let config = DatabaseConfig { lock_timeout_ms, ..config(&self.url) };
        Db::connect(&config).await.expect("the database accepts connections")
    }

    /// Another [`Db`] on the same database with `connections` connections at most.
    pub async fn narrow(&self, connections: u32) -> Db {
        let config = DatabaseConfig { max_connections: connections, ..config(&self.url) };
        Db::connect(&config).await.expect("the database accepts connections")
    }
}

/// Another handle to the database of `db` with signals of its own, as another process would have it.
pub fn second_handle(db: &Db) -> Db {
    db.with_own_signals()
}

pub(super) async fn sqlite(migrations: &Migrations) -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder for a test's database");
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let db = Db::connect(&config(&url)).await.expect("a fresh file opens");
    db.migrate(migrations).await.expect("the migrations apply");
    (db, folder)
}

pub(super) async fn run(connection: &mut PgConnection, sql: String) {
    if let Err(error) = sqlx::query(AssertSqlSafe(sql.clone())).execute(connection).await {
        panic!("{sql}: {error}");
    }
}

fn config(url: &str) -> DatabaseConfig {
    DatabaseConfig {
        url: url.into(),
        max_connections: CONNECTIONS,
        acquire_timeout_ms: 10_000,
        statement_timeout_ms: 30_000,
        lock_timeout_ms: 20_000,
        ..DatabaseConfig::default()
    }
}

fn server() -> PgConnectOptions {
    let Some(url) = setting("TANDEM_TEST_POSTGRES") else {
        panic!(
            "TANDEM_TEST_POSTGRES is not set: run the tests with ./test, which starts a PostgreSQL for them"
        );
    };
    PgConnectOptions::from_str(&url).expect("TANDEM_TEST_POSTGRES is a postgres:// url")
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the test command, not by a configuration")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn url_of(server: &PgConnectOptions, database: &str) -> String {
    server.clone().database(database).to_url_lossy().to_string()
}

/// No randomness is needed: the process id and a count are unique on one machine.
fn unique_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("tandem_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The template's name; makes it where it is missing.
async fn template(server: &PgConnectOptions, admin: &mut PgConnection, migrations: &Migrations) -> String {
    let mut hash = Sha256::new();
    for migration in migrations.platform.postgres.iter().chain(migrations.own.postgres.iter()) {
        hash.update(migration.version.to_be_bytes());
        hash.update(&migration.checksum);
    }
    let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("tandem_template_{hash}");
    lock(admin, "SELECT pg_advisory_lock($1)").await;
    let exists = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(&name);
    if exists.fetch_optional(&mut *admin).await.expect("pg_database is readable").is_none() {
        let building = format!("{name}_building");
        run(admin, format!("DROP DATABASE IF EXISTS {building}")).await;
        run(admin, format!("CREATE DATABASE {building}")).await;
        let db = Db::connect(&config(&url_of(server, &building))).await.expect("a fresh database opens");
        db.migrate(migrations).await.expect("the migrations apply");
        db.close().await;
        run(admin, format!("ALTER DATABASE {building} RENAME TO {name}")).await;
    }
    lock(admin, "SELECT pg_advisory_unlock($1)").await;
    name
}

async fn lock(admin: &mut PgConnection, sql: &'static str) {
    sqlx::query(sql).bind(TEMPLATE_LOCK).execute(admin).await.expect("an advisory lock is given");
}
