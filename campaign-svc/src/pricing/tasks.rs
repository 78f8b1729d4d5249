//! The pollers that keep the snapshots fresh and what is known of limits, and the first load of a process that starts.

use std::sync::Arc;
use std::time::Duration;

use crate::App;

/// Starts all of them.
pub fn start(app: &Arc<App>) {
    let period = Duration::from_millis(app.config.pricing.snapshot_poll_ms.max(1));
    let polled = app.clone();
    app.tasks.every("snapshots", period, Some(app.snapshots.waker()), move || {
        let app = polled.clone();
        async move { app.snapshots.look(&app).await.map(drop) }
    });
    let first = app.clone();
    app.tasks.spawn("first load", async move {
        while !first.tasks.soft().is_cancelled() {
            match first.snapshots.first_load(&first).await {
                Ok(()) => return,
                Err(fault) => tracing::warn!(?fault, "the catalogues cannot be read yet"),
            }
            tokio::time::sleep(period).await;
        }
    });
    let polled = app.clone();
    app.tasks.every("limits nearly spent", period, Some(app.spending.waker()), move || {
        let app = polled.clone();
        async move { app.spending.refresh(&app).await.map(|_| ()) }
    });
}
