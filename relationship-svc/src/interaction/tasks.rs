//! What runs without a caller: following campaign-svc's orders, and forgetting interactions that are older than their tenant
//! keeps their type. That looks once for all tenants, by an index of when something is over, and is all where nothing is.

use std::sync::Arc;
use std::time::Duration;

use tandem_platform::Outcome;
use tandem_platform::outbox::consumer;

use super::{commands, store};
use crate::App;

/// How often it looks, and at how many types of tenants at once.
const POLL: Duration = Duration::from_secs(60);
const PASS: i64 = 500;

/// Starts both.
pub fn start(app: &Arc<App>) {
    match app.campaign.channel() {
        Some(_) => consumer::start(app),
        None => tracing::info!(
            "campaign.endpoint is not set: orders do not come by themselves, send them by hand"
        ),
    }
    let forgetful = app.clone();
    app.tasks.every("interactions that are over", POLL, None, move || {
        let app = forgetful.clone();
        async move { forget(&app).await.map(|_| ()) }
    });
}

/// One pass; answers how many it has forgotten. A tenant that fails holds up no other: the first fault is answered when all
/// have been tried.
pub async fn forget(app: &Arc<App>) -> Outcome<u64> {
    let (now, mut forgotten) = (app.clock.now(), 0);
    loop {
        let (due, mut fault) = (store::due::due(&mut app.db.read().await?, now, PASS).await?, None);
        let is_over = due.is_empty();
        for (tenant, kind) in due {
            match commands::forget(app, &tenant, kind, now).await {
                Ok(some) => forgotten += some,
                Err(one) => fault = fault.or(Some(one)),
            }
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        if is_over || app.tasks.soft().is_cancelled() {
            return Ok(forgotten);
        }
    }
}
