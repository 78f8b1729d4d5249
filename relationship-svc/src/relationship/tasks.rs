//! What runs without a caller: telling of stages that the clock has changed. It looks once for all tenants, by an index that
//! holds those whose stage it will change.
//!
//! Nobody's stage depends on it: that is judged by the clock whenever somebody asks. Only who listens hears of it here.

use std::sync::Arc;
use std::time::Duration;

use tandem_platform::Outcome;

use super::{commands, store};
use crate::App;

/// How often it looks.
const POLL: Duration = Duration::from_secs(2);
/// People that are looked up at once.
const PASS: i64 = 500;

/// Starts it.
pub fn start(app: &Arc<App>) {
    let turned = app.clone();
    app.tasks.every("stages", POLL, None, move || {
        let app = turned.clone();
        async move { sweep(&app).await.map(|_| ()) }
    });
}

/// One pass; answers how many changes it has told of. A tenant that fails holds up no other: the first fault is answered when
/// all have been tried.
pub async fn sweep(app: &Arc<App>) -> Outcome<usize> {
    let now = app.clock.now();
    let (mut told, mut fault) = (0, None);
    loop {
        let due = store::due(&mut app.db.read().await?, now, PASS).await?;
        let full = i64::try_from(due.len()) == Ok(PASS);
        for (tenant, people) in commands::by_tenant(due) {
            let rules = app.stage_rules(&tenant);
            match commands::turn(app, &tenant, &people, &rules, now).await {
                Ok(count) => told += count,
                Err(one) => fault = fault.or(Some(one)),
            }
        }
        if !full || fault.is_some() || app.tasks.soft().is_cancelled() {
            return fault.map_or(Ok(told), Err);
        }
    }
}
