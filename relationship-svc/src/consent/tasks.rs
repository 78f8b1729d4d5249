//! What runs without a caller: telling that what was granted until a time is over. Nothing depends on it: that it is over
//! follows from the clock. It looks once for all tenants, by an index of what is over and not told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tandem_platform::{Outcome, Tenant};

use super::{commands, store};
use crate::App;

/// How often it looks, and at how many rows at once.
const POLL: Duration = Duration::from_secs(10);
const PASS: i64 = 500;

/// Starts it.
pub fn start(app: &Arc<App>) {
    let told = app.clone();
    app.tasks.every("consents that are over", POLL, None, move || {
        let app = told.clone();
        async move { tell(&app).await.map(|_| ()) }
    });
}

/// One pass; answers how many were told. Of whom it fails holds up nobody else: the first fault is answered at the end.
pub async fn tell(app: &Arc<App>) -> Outcome<usize> {
    let now = app.clock.now();
    let (mut told, mut fault) = (0, None);
    loop {
        let due = store::due(&mut app.db.read().await?, now, PASS).await?;
        let people: BTreeSet<&(String, String)> = due.iter().collect();
        let before = told;
        for (tenant, customer) in people {
            let Some(tenant) = Tenant::parse(tenant) else { continue };
            match commands::expire(app, &tenant, customer, now).await {
                Ok(some) => told += some,
                Err(one) => fault = fault.or(Some(one)),
            }
        }
        if due.is_empty() || told == before || app.tasks.soft().is_cancelled() {
            return fault.map_or(Ok(told), Err);
        }
    }
}
