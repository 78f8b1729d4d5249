//! What runs without a caller: cleaning up after holds that have lapsed, and forgetting counters of periods that are over.
//! Each looks once for all tenants, by an index, and that is all where there is nothing to do.
//!
//! Nothing depends on it. A lapsed hold counts for nothing from the moment of its end, whoever asks; this only writes
//! down that it is over, and tells subscribers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tandem_platform::{Call, Outcome, counters};

use super::store::Lapsed;
use super::{Answer, Command, commands, store};
use crate::App;

/// How often lapsed holds are looked for.
const POLL: Duration = Duration::from_secs(5);
/// Holds that are cleaned up side by side.
const PASS: i64 = 500;
/// How often counters that are over are looked for, and how many one transaction forgets at most.
const FORGET: Duration = Duration::from_secs(60);
const FORGOTTEN: u32 = 5_000;

/// Starts the sweepers.
pub fn start(app: &Arc<App>) {
    let swept = app.clone();
    app.tasks.every("lapsed_holds", POLL, None, move || {
        let app = swept.clone();
        async move { sweep(&app).await.map(|_| ()) }
    });
    let forgetful = app.clone();
    app.tasks.every("counters that are over", FORGET, None, move || {
        let app = forgetful.clone();
        async move { counters::forget_over(&app.db, app.clock.now(), FORGOTTEN).await.map(|_| ()) }
    });
}

/// One pass, oldest first; answers how many orders it has cleaned up. One that cannot be cleaned up holds up no other: the
/// first fault is answered when all have been tried.
pub async fn sweep(app: &Arc<App>) -> Outcome<usize> {
    let now = app.clock.now();
    let (mut cleaned, mut fault) = (0, None);
    let mut behind: Option<Lapsed> = None;
    loop {
        let lapsed = store::lapsed(&mut app.db.read().await?, now, behind.as_ref(), PASS).await?;
        let orders: BTreeSet<_> = lapsed.iter().map(|one| (&*one.tenant, &*one.order_id)).collect();
        for done in join_all(orders.into_iter().map(|(tenant, order)| expire(app, tenant, order))).await {
            match done {
                Ok(_) => cleaned += 1,
                Err(one) => fault = fault.or(Some(one)),
            }
        }
        let full = i64::try_from(lapsed.len()) == Ok(PASS);
        behind = lapsed.into_iter().next_back();
        if !full || app.tasks.soft().is_cancelled() {
            return fault.map_or(Ok(cleaned), Err);
        }
    }
}

async fn expire(app: &Arc<App>, tenant: &str, order: &str) -> Outcome<Answer> {
    let expire = Command::Expire { order: order.to_owned() };
    commands::decide(app, &Call::system(tenant), None, expire).await
}
