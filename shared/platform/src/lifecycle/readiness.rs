//! Whether a process can serve: its database answers, has the schema the process was built for and room to write, and
//! everything that is answered from memory has been read once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::config::{ConfigError, DatabaseConfig};
use crate::db::Migrations;
use crate::fault::chain;
use crate::grpc::{Health, Serving};
use crate::tasks::Tasks;
use crate::{Db, Outcome};

/// What holds the address of the database, among the settings.
pub const URL: &str = "database.url";
/// How often the process looks whether it can serve.
const POLL: Duration = Duration::from_secs(1);

/// What a process has to read once before it answers from it. Clones share it. What has been read stays so: a database
/// that goes away later takes back nothing.
#[derive(Debug, Clone, Default)]
pub struct FirstLoads(Arc<Loads>);

#[derive(Debug, Default)]
struct Loads {
    missing: Mutex<BTreeSet<&'static str>>,
    wake: Arc<Notify>,
}

/// One of them.
#[derive(Debug)]
pub struct FirstLoad {
    name: &'static str,
    loads: Arc<Loads>,
}

impl FirstLoads {
    /// None yet. Whoever waits for them is woken as well when the disk under `db` is found full.
    pub fn of(db: &Db) -> Self {
        Self(Arc::new(Loads { missing: Mutex::default(), wake: db.storage().changed() }))
    }

    /// Adds one more, under a name of its own. Before [`watch`] begins.
    pub fn expect(&self, name: &'static str) -> FirstLoad {
        self.0.missing.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        FirstLoad { name, loads: self.0.clone() }
    }

    /// Whether nothing is missing any more.
    pub fn are_done(&self) -> bool {
        self.0.missing.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl FirstLoad {
    /// Says that it has been read. The process serves as soon as nothing is missing.
    pub fn done(&self) {
        let removed = self.loads.missing.lock().unwrap_or_else(PoisonError::into_inner).remove(self.name);
        if removed {
            tracing::info!(what = self.name, "read for the first time");
            self.loads.wake.notify_one();
        }
    }
}

/// Connects. SQLite is migrated here; on PostgreSQL `migrate` is a command of its own, and the server waits until the
/// schema is current.
pub async fn open(config: &DatabaseConfig, migrations: &Migrations) -> Result<Db, ConfigError> {
    let db = Db::open(config, URL).await?;
    if db.is_sqlite() {
        bring_up(&db, config, migrations, URL).await?;
    }
    Ok(db)
}

/// Opens a database, brings its schema up to date and closes it. An operator reads why that failed; `setting` is what holds
/// the address, in the words of who gave it.
pub async fn migrate(
    config: &DatabaseConfig,
    migrations: &Migrations,
    setting: &str,
) -> Result<(), ConfigError> {
    let db = Db::open(config, setting).await?;
    let migrated = bring_up(&db, config, migrations, setting).await;
    db.close().await;
    migrated
}

async fn bring_up(
    db: &Db,
    config: &DatabaseConfig,
    migrations: &Migrations,
    setting: &str,
) -> Result<(), ConfigError> {
    db.migrate(migrations).await.map_err(|fault| {
        let why = std::error::Error::source(&fault).map_or_else(|| fault.to_string(), chain);
        ConfigError::new(format!(
            "{setting} = {:?}: the schema cannot be brought up to date: {why}",
            config.url
        ))
    })
}

/// Says SERVING while the process can serve, and at once where writes find no room. `ready` is called once, with `address`,
/// the first time that it can. A schema that is not there yet is waited for, and told of once.
pub fn watch(
    db: &Db,
    migrations: &'static Migrations,
    tasks: &Tasks,
    health: &Health,
    loads: &FirstLoads,
    address: SocketAddr,
    ready: impl FnOnce(SocketAddr) + Send + 'static,
) {
    let (db, health, loads) = (db.clone(), health.clone(), loads.clone());
    let ready = Arc::new(Mutex::new(Some(ready)));
    let mut first = true;
    tasks.every("readiness", POLL, Some(loads.0.wake.clone()), move || {
        let waits = std::mem::take(&mut first);
        let (db, health, loads, ready) = (db.clone(), health.clone(), loads.clone(), ready.clone());
        async move {
            if waits && !db.schema_current(migrations).await.unwrap_or(true) {
                tracing::warn!("the database lacks the schema of this release: run `migrate`; serving begins once it is there");
            }
            let serving = can_serve(&db, migrations, &loads).await;
            health.set_serving(*serving.as_ref().unwrap_or(&Serving::Nothing)).await;
            if serving? != Serving::Nothing
                && let Some(ready) = ready.lock().ok().and_then(|mut ready| ready.take())
            {
                ready(address);
            }
            Ok(())
        }
    });
}

/// What can be answered now.
pub async fn can_serve(db: &Db, migrations: &Migrations, loads: &FirstLoads) -> Outcome<Serving> {
    db.check().await?;
    let answers = db.schema_current(migrations).await? && loads.are_done();
    Ok(match (answers, db.storage().has_room()) {
        (false, _) => Serving::Nothing,
        (true, false) => Serving::Reads,
        (true, true) => Serving::Everything,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_that_is_expected_must_have_been_read_once() {
        let loads = FirstLoads::default();
        assert!(loads.are_done());
        let (first, second) = (loads.expect("first"), loads.expect("second"));
        first.done();
        first.done();
        assert!(!loads.are_done());
        second.done();
        assert!(loads.are_done());
        // Readiness looks at once, not at its next turn.
        loads.0.wake.notified().await;
    }
}
