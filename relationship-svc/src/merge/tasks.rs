//! What runs without a caller: what is behind a merge moves. It looks once for all tenants, by an index that is empty where nothing
//! is to be moved.

use std::sync::Arc;
use std::time::Duration;

use tandem_platform::{Outcome, Tenant};

use super::steps;
use crate::App;
use crate::customer::store::alias::{self, Due};

/// How often it looks where nobody wakes it.
const POLL: Duration = Duration::from_secs(10);
/// People that are looked at together.
const PASS: i64 = 100;
/// Parts that are moved of one before others have their turn.
const TURN: usize = 20;

/// Starts it.
pub fn start(app: &Arc<App>) {
    let going = app.clone();
    app.tasks.every("merges", POLL, Some(app.merges.clone()), move || {
        let app = going.clone();
        async move { go_on(&app).await }
    });
}

/// Moves all that is to be moved now. One that cannot go on holds up no other: the first fault is answered when all have been
/// tried.
pub async fn go_on(app: &Arc<App>) -> Outcome<()> {
    let (mut behind, mut fault, mut more): (Option<Due>, _, _) = (None, None, false);
    loop {
        let due = alias::due(&mut app.db.read().await?, app.clock.now(), behind.as_ref(), PASS).await?;
        for one in &due {
            match turn(app, &one.tenant, &one.person).await {
                Ok(is_open) => more |= is_open,
                Err(one) => fault = fault.or(Some(one)),
            }
        }
        let full = i64::try_from(due.len()) == Ok(PASS);
        behind = due.into_iter().next_back().filter(|_| full);
        if app.tasks.soft().is_cancelled() || !(full || std::mem::take(&mut more)) {
            return fault.map_or(Ok(()), Err);
        }
    }
}

/// Some parts of one; answers whether there is more to do.
async fn turn(app: &App, tenant: &str, person: &str) -> Outcome<bool> {
    let Some(tenant) = Tenant::parse(tenant) else { return Ok(false) };
    for _ in 0..TURN {
        if !steps::proceed(app, &tenant, person, app.clock.now()).await? {
            return Ok(false);
        }
        if app.tasks.soft().is_cancelled() {
            break;
        }
    }
    Ok(true)
}
