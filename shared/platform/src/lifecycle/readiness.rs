//! Whether a process can serve: its database answers, has the schema the process was built for, and room to write.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::config::{ConfigError, DatabaseConfig};
use crate::db::Migrations;
use crate::grpc::{Health, Serving};
use crate::tasks::Tasks;
use crate::{Db, Fault, Outcome};

/// How often the process looks whether it can serve.
const POLL: Duration = Duration::from_secs(1);

/// Connects. SQLite is migrated here; on PostgreSQL `migrate` is a command of its own, and the server waits until the
/// schema is current.
pub async fn open(config: &DatabaseConfig, migrations: &Migrations) -> Result<Db, ConfigError> {
    let failed = |fault: Fault| ConfigError::new(format!("the service cannot start: {fault:?}"));
    let db = Db::connect(config).await.map_err(failed)?;
    if db.is_sqlite() {
        db.migrate(migrations).await.map_err(failed)?;
    }
    Ok(db)
}

/// Says SERVING while the process can serve, and at once where writes find no room. `ready` is called once, with `address`, the first time that it can.
pub fn watch(
    db: &Db,
    migrations: &'static Migrations,
    tasks: &Tasks,
    health: &Health,
    address: SocketAddr,
    ready: impl FnOnce(SocketAddr) + Send + 'static,
) {
    let (db, health) = (db.clone(), health.clone());
    let ready = Arc::new(Mutex::new(Some(ready)));
    let full = db.storage().changed();
    tasks.every("readiness", POLL, Some(full), move || {
        let (db, health, ready) = (db.clone(), health.clone(), ready.clone());
        async move {
            let serving = can_serve(&db, migrations).await;
            health.set_serving(*serving.as_ref().unwrap_or(&Serving::Nothing)).await;
            if serving? != Serving::Nothing && let Some(ready) = ready.lock().ok().and_then(|mut ready| ready.take()) {
                ready(address);
            }
            Ok(())
        }
    });
}

async fn can_serve(db: &Db, migrations: &Migrations) -> Outcome<Serving> {
    db.check().await?;
    Ok(match (db.schema_current(migrations).await?, db.storage().has_room()) {
        (false, _) => Serving::Nothing,
        (true, false) => Serving::Reads,
        (true, true) => Serving::Everything,
    })
}
