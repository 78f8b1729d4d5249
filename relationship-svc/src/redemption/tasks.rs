//! What runs without a caller: cleaning up after holds that have lapsed.
//!
//! Nothing depends on it. A lapsed hold counts for nothing from the moment of its end, whoever asks; this only writes
//! down that it is over, and tells subscribers.

use std::sync::Arc;
use std::time::Duration;

use tandem_platform::{Call, Outcome};

use super::{Command, commands, store};
use crate::App;

/// How often lapsed holds are looked for.
const POLL: Duration = Duration::from_secs(5);
/// Orders that one pass cleans up at most.
const PASS: i64 = 500;

/// Starts the sweeper.
pub fn start(app: &Arc<App>) {
    let swept = app.clone();
    app.tasks.every("lapsed_holds", POLL, None, move || {
        let app = swept.clone();
        async move { sweep(&app).await.map(|_| ()) }
    });
}

/// One pass; answers how many orders it has cleaned up.
pub async fn sweep(app: &Arc<App>) -> Outcome<usize> {
    let now = app.clock.now();
    let lapsed = {
        let mut reader = app.db.read().await?;
        store::lapsed(&mut reader, now, PASS).await?
    };
    let passes = lapsed.iter().map(|(tenant, order)| async move {
        commands::decide(app, &Call::system(tenant), None, Command::Expire { order: order.clone() }).await
    });
    for cleaned in futures::future::join_all(passes).await {
        cleaned?;
    }
    Ok(lapsed.len())
}
