//! What runs without a caller: telling of stages that the clock has changed, and of those that other rules of the tenant have. It
//! looks once for all tenants, by an index that holds those whose stage the clock will change, and by a table that is empty where no
//! rules have changed.
//!
//! Nobody's stage depends on it: that is judged by the clock whenever somebody asks. Only who listens hears of it here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tandem_platform::{Fault, Outcome, Tenant};

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

/// What one pass has come to.
#[derive(Default)]
struct Pass {
    /// Changes that were told of.
    told: usize,
    /// The first that went wrong.
    fault: Option<Fault>,
    /// Tenants whose rules have changed and with whom it cannot go on.
    stuck: BTreeSet<Tenant>,
}

/// One pass; answers how many changes it has told of. A tenant that fails holds up no other: the first fault is answered when
/// all have been tried.
pub async fn sweep(app: &Arc<App>) -> Outcome<usize> {
    let (now, mut pass) = (app.clock.now(), Pass::default());
    loop {
        // By turns: many people of one tenant hold up nobody whom the clock has changed.
        let more = turned(app, now, &mut pass).await?;
        let goes_on = ruled(app, now, &mut pass).await?;
        if !(more || goes_on) || app.tasks.soft().is_cancelled() {
            return pass.fault.map_or(Ok(pass.told), Err);
        }
    }
}

/// Some whom the clock has changed; answers whether there may be more.
async fn turned(app: &App, now: Timestamp, pass: &mut Pass) -> Outcome<bool> {
    let due = store::due(&mut app.db.read().await?, now, PASS).await?;
    let full = i64::try_from(due.len()) == Ok(PASS);
    for (tenant, people) in commands::by_tenant(due) {
        match commands::turn(app, &tenant, &people, now).await {
            Ok(count) => pass.told += count,
            Err(one) => pass.fault = pass.fault.take().or(Some(one)),
        }
    }
    Ok(full && pass.fault.is_none())
}

/// Some of each tenant whose rules have changed; answers whether there may be more.
async fn ruled(app: &App, now: Timestamp, pass: &mut Pass) -> Outcome<bool> {
    let mut goes_on = false;
    for tenant in store::sweep::due(&mut app.db.read().await?, now).await? {
        if pass.stuck.contains(&tenant) {
            continue;
        }
        match commands::step(app, &tenant).await {
            Ok(count) => {
                pass.told += count.unwrap_or_default();
                goes_on |= count.is_some();
            }
            Err(one) => {
                pass.fault = pass.fault.take().or(Some(one));
                pass.stuck.insert(tenant);
            }
        }
    }
    Ok(goes_on)
}
