//! Databases that live as long as one test.
//!
//! PostgreSQL is the server that `TANDEM_TEST_POSTGRES` names, else a cluster of our own. With
//! `TANDEM_TEST_SERIALIZABLE=1` every transaction there is serialisable.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::postgres::{Cluster, Durability};

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl Engine {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// A database of one test; it goes when dropped.
#[derive(Debug)]
pub struct Database {
    url: String,
    keeper: Keeper,
}

#[derive(Debug)]
enum Keeper {
    Folder { _folder: TempDir },
    Elsewhere,
    Server { admin: String, name: String, _cluster: Option<Arc<Cluster>> },
}

/// The cluster that the tests of this process share while any of them runs, where `TANDEM_TEST_POSTGRES` names none.
static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

impl Database {
    /// An empty one.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder for a database");
                let url = sqlite_url(folder.path());
                Self { url, keeper: Keeper::Folder { _folder: folder } }
            }
            Engine::Postgres => match setting("TANDEM_TEST_POSTGRES") {
                Some(admin) => Self::on_server(admin, None).await,
                None => {
                    let cluster = shared_cluster();
                    Self::on_server(cluster.url().to_owned(), Some(cluster)).await
                }
            },
        }
    }

    /// One that somebody else keeps.
    pub fn at(url: String) -> Self {
        Self { url, keeper: Keeper::Elsewhere }
    }

    async fn on_server(admin: String, cluster: Option<Arc<Cluster>>) -> Self {
        let name = unique_name();
        let mut connection = PgConnection::connect(&admin).await.expect("the test server answers");
        execute(&mut connection, format!("CREATE DATABASE {name}")).await;
        connection.close().await.expect("a connection closes");
        let (server, _) = admin.rsplit_once('/').expect("the URL names a database");
        let url = format!("{server}/{name}");
        let database = Self { url, keeper: Keeper::Server { admin, name, _cluster: cluster } };
        if setting("TANDEM_TEST_SERIALIZABLE").is_some_and(|value| value == "1") {
            database.serializable().await;
        }
        database
    }

    /// As the services' settings take it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes every transaction of new connections serialisable: the stand-in for engines that know nothing weaker.
    ///
    /// # Panics
    /// Where the engine is SQLite, which knows nothing else.
    pub async fn serializable(&self) {
        let Keeper::Server { admin, name, .. } = &self.keeper else {
            panic!("SQLite is always serialisable")
        };
        let mut connection = PgConnection::connect(admin).await.expect("the test server answers");
        execute(
            &mut connection,
            format!("ALTER DATABASE {name} SET default_transaction_isolation = serializable"),
        )
        .await;
        connection.close().await.expect("a connection closes");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Keeper::Server { admin, name, .. } = &self.keeper else { return };
        let (admin, name) = (admin.clone(), name.clone());
        // Dropping is not async, and a runtime cannot be entered twice.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&admin).await.ok()?;
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                // Best effort: whoever started the server removes it whole.
                let _ = sqlx::query(AssertSqlSafe(drop)).execute(&mut connection).await;
                connection.close().await.ok()
            })
        });
        let _ = dropped.join();
    }
}

/// A connection past the services: to hold locks, to look from outside.
#[derive(Debug)]
pub enum Outside {
    /// PostgreSQL.
    Postgres(PgConnection),
    /// SQLite.
    Sqlite(SqliteConnection),
}

impl Outside {
    /// Connects.
    ///
    /// # Panics
    /// Where the database does not answer.
    pub async fn to(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(url).await.expect("the file opens"))
        } else {
            Self::Postgres(PgConnection::connect(url).await.expect("the server answers"))
        }
    }
}

/// Keeps everybody waiting who writes `table` of this PostgreSQL database, until the connection is closed.
///
/// # Panics
/// Where the lock cannot be had.
pub async fn keep_writers_waiting(url: &str, table: &str) -> PgConnection {
    let mut outside = PgConnection::connect(url).await.expect("the server answers");
    execute(&mut outside, "BEGIN".to_owned()).await;
    execute(&mut outside, format!("LOCK TABLE {table} IN SHARE MODE")).await;
    outside
}

/// Waits until a transaction of this PostgreSQL database waits for a lock.
///
/// # Panics
/// Where none does within ten seconds.
pub async fn until_somebody_waits_for_a_lock(url: &str) {
    const LIMIT: Duration = Duration::from_secs(10);
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut outside = PgConnection::connect(url).await.expect("the server answers");
    let end = Instant::now() + LIMIT;
    loop {
        let row = sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut outside).await;
        if row.expect("the server answers") > 0 {
            return;
        }
        assert!(Instant::now() < end, "nobody waits for a lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn execute(connection: &mut PgConnection, sql: String) {
    if let Err(error) = sqlx::query(AssertSqlSafe(sql.clone())).execute(connection).await {
        panic!("{sql}: {error}");
    }
}

fn sqlite_url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("test.db").display())
}

fn shared_cluster() -> Arc<Cluster> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return running;
    }
    let started = Arc::new(Cluster::start(Durability::Fast));
    *shared = Arc::downgrade(&started);
    started
}

/// Unique over the processes that share a server.
fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let id = crate::stage::fresh_id().simple().to_string();
    format!("world_{}_{}", COUNT.fetch_add(1, Ordering::Relaxed), id)
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the test command, not by a configuration")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
