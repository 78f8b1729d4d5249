//! What runs without a caller: erasures that were heard of go on, and are done once more.

use std::sync::Arc;
use std::time::Duration;

use tandem_platform::erasing::turns::{self, Erases};
use tandem_platform::{Core, Outcome, Tenant};

use super::commands;
use crate::{App, erased};

/// How often it looks.
const POLL: Duration = Duration::from_secs(5);
/// Erasures that are looked at together.
const PASS: i64 = 100;

/// Starts it.
pub fn start(app: &Arc<App>) {
    let going = app.clone();
    app.tasks.every("erasures", POLL, None, move || {
        let app = going.clone();
        async move { go_on(&app).await }
    });
}

impl Erases for App {
    fn core(&self) -> &Core {
        &self.core
    }

    async fn open(&self, behind: &(String, String), limit: i64) -> Outcome<Vec<(String, String)>> {
        erased::store::open(&mut self.db.read().await?, behind, limit).await
    }

    async fn proceed(&self, tenant: &Tenant, pseudonym: &str) -> Outcome<bool> {
        commands::proceed(self, tenant, pseudonym).await
    }
}

/// Goes on with every erasure until all are done, or wait.
pub async fn go_on(app: &App) -> Outcome<()> {
    let now = app.clock.now();
    let due = erased::store::due(&mut app.db.read().await?, now, PASS).await?;
    for (tenant, pseudonym) in &due {
        if let Some(tenant) = Tenant::parse(tenant) {
            commands::once_more(app, &tenant, pseudonym, now).await?;
        }
    }
    turns::go_on(app).await
}
