//! What runs without a caller: erasures that were begun go on, and those that are old lose the id. Each looks once for all
//! tenants, by an index that is empty where nothing is to be done.

use std::sync::Arc;
use std::time::Duration;

use tandem_platform::{Outcome, Tenant};

use super::{commands, store};
use crate::App;

/// How often it looks where nobody wakes it.
const POLL: Duration = Duration::from_secs(10);
/// How often ids are looked for that may go.
const FORGET: Duration = Duration::from_secs(60);
/// Erasures that are looked at together.
const PASS: i64 = 100;
/// Parts that one erasure may do before others have their turn.
const TURN: usize = 20;

/// Starts both.
pub fn start(app: &Arc<App>) {
    let going = app.clone();
    app.tasks.every("erasures", POLL, Some(app.erasures.clone()), move || {
        let app = going.clone();
        async move { go_on(&app).await }
    });
    let forgetful = app.clone();
    app.tasks.every("erasures that are old", FORGET, None, move || {
        let app = forgetful.clone();
        async move { forget(&app).await }
    });
}

/// Goes on with every erasure until all are done. One that cannot go on holds up no other: the first fault is answered when all
/// have been tried.
pub async fn go_on(app: &Arc<App>) -> Outcome<()> {
    let (mut behind, mut fault, mut more) = (Default::default(), None, false);
    loop {
        let open = store::open(&mut app.db.read().await?, &behind, PASS).await?;
        for (tenant, pseudonym) in &open {
            match turn(app, tenant, pseudonym).await {
                Ok(is_open) => more |= is_open,
                Err(one) => fault = fault.or(Some(one)),
            }
        }
        let full = i64::try_from(open.len()) == Ok(PASS);
        behind = open.into_iter().next_back().filter(|_| full).unwrap_or_default();
        if app.tasks.soft().is_cancelled() || !(full || std::mem::take(&mut more)) {
            return fault.map_or(Ok(()), Err);
        }
    }
}

/// Some parts of one erasure; answers whether there is more to do.
async fn turn(app: &App, tenant: &str, pseudonym: &str) -> Outcome<bool> {
    let Some(tenant) = Tenant::parse(tenant) else { return Ok(false) };
    for _ in 0..TURN {
        if !commands::proceed(app, &tenant, pseudonym, app.clock.now()).await? {
            return Ok(false);
        }
        if app.tasks.soft().is_cancelled() {
            break;
        }
    }
    Ok(true)
}

/// One pass over those that may lose the id.
pub async fn forget(app: &Arc<App>) -> Outcome<()> {
    let now = app.clock.now();
    loop {
        let old = store::old(&mut app.db.read().await?, now, PASS).await?;
        for (tenant, pseudonym) in &old {
            if let Some(tenant) = Tenant::parse(tenant) {
                commands::forget(app, &tenant, pseudonym, now).await?;
            }
        }
        if i64::try_from(old.len()) != Ok(PASS) || app.tasks.soft().is_cancelled() {
            return Ok(());
        }
    }
}
