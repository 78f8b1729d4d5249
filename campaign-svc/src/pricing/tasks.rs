//! The pollers that keep the snapshots fresh, and what is known of limits.

use std::sync::Arc;
use std::time::Duration;

use crate::App;

/// Starts the pollers.
pub fn start(app: &Arc<App>) {
    let period = Duration::from_millis(app.config.pricing.snapshot_poll_ms.max(1));
    let polled = app.clone();
    app.tasks.every("snapshots", period, Some(app.snapshots.waker()), move || {
        let app = polled.clone();
        async move { app.snapshots.refresh(&app).await }
    });
    let polled = app.clone();
    app.tasks.every("limits nearly spent", period, Some(app.spending.waker()), move || {
        let app = polled.clone();
        async move { app.spending.refresh(&app).await.map(|_| ()) }
    });
}
