//! What runs without a caller: who enters watched segments and who leaves them. It looks once for all tenants, by an index
//! that is empty where nothing is watched.

use std::sync::Arc;
use std::time::Duration;

use tandem_platform::Outcome;

use super::commands::watch;
use crate::App;

/// How often it is looked who is due.
const POLL: Duration = Duration::from_secs(1);

/// Starts it.
pub fn start(app: &Arc<App>) {
    let watching = app.clone();
    app.tasks.every("watched segments", POLL, None, move || {
        let app = watching.clone();
        async move { pass(&app).await }
    });
}

/// One pass: until nobody is due any more.
pub async fn pass(app: &Arc<App>) -> Outcome<()> {
    loop {
        let goes_on = watch::sweep(app).await?;
        watch::look(app).await?;
        if !goes_on || app.tasks.soft().is_cancelled() {
            return Ok(());
        }
    }
}
