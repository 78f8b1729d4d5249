//! What runs without a caller: following campaign-svc's orders, and forgetting interactions that are older than their type is
//! kept. That looks at the oldest of each type, by an index, and is all where nothing is over.

use std::sync::Arc;
use std::time::Duration;

use tandem_platform::outbox::consumer;
use tandem_platform::{Outcome, Tenant};

use super::{Kind, commands};
use crate::App;

/// How often it looks, and how many one transaction forgets at most.
const POLL: Duration = Duration::from_secs(60);
const FORGOTTEN: u32 = 5_000;

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

/// One pass; answers how many it has forgotten.
pub async fn forget(app: &Arc<App>) -> Outcome<u64> {
    let (now, retention, mut forgotten) = (app.clock.now(), app.retention(&Tenant::default()), 0);
    for kind in Kind::ALL {
        let Some(kept) = retention.of(kind) else { continue };
        loop {
            let some = commands::forget(app, kind, now - kept, FORGOTTEN).await?;
            forgotten += some;
            if some < u64::from(FORGOTTEN) || app.tasks.soft().is_cancelled() {
                break;
            }
        }
    }
    Ok(forgotten)
}
