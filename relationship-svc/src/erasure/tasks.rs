//! What runs without a caller: erasures that were begun go on, and those that are old lose the id. Each looks once for all
//! tenants, by an index that is empty where nothing is to be done.

use std::sync::Arc;
use std::time::Duration;

use tandem_platform::erasing::turns::{self, Erases};
use tandem_platform::{Core, Outcome, Tenant};

use super::{commands, store};
use crate::App;

/// How often it looks where nobody wakes it.
const POLL: Duration = Duration::from_secs(10);
/// How often ids are looked for that may go.
const FORGET: Duration = Duration::from_secs(60);
/// Erasures that are looked at together.
const PASS: i64 = 100;

/// Starts both.
pub fn start(app: &Arc<App>) {
    let going = app.clone();
    app.tasks.every("erasures", POLL, Some(app.erasures.clone()), move || {
        let app = going.clone();
        async move { go_on(&app).await }
    });
    let forgetful = app.clone();
    app.tasks.every("erasures that are old", FORGET, None, move || {
        let app = forgetful.clone();
        async move { forget(&app).await }
    });
}

impl Erases for App {
    fn core(&self) -> &Core {
        &self.core
    }

    async fn open(&self, behind: &(String, String), limit: i64) -> Outcome<Vec<(String, String)>> {
        store::open(&mut self.db.read().await?, behind, limit).await
    }

    async fn proceed(&self, tenant: &Tenant, pseudonym: &str) -> Outcome<bool> {
        commands::proceed(self, tenant, pseudonym, self.clock.now()).await
    }
}

/// Goes on with every erasure until all are done.
pub async fn go_on(app: &App) -> Outcome<()> {
    turns::go_on(app).await
}

/// One pass over those that may lose the id.
pub async fn forget(app: &Arc<App>) -> Outcome<()> {
    let now = app.clock.now();
    loop {
        let old = store::old(&mut app.db.read().await?, now, PASS).await?;
        for (tenant, pseudonym) in &old {
            if let Some(tenant) = Tenant::parse(tenant) {
                commands::forget(app, &tenant, pseudonym, now).await?;
            }
        }
        if i64::try_from(old.len()) != Ok(PASS) || app.tasks.soft().is_cancelled() {
            return Ok(());
        }
    }
}
