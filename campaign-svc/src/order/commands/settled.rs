//! Forgetting counters by which nothing can be refused any more: of periods that are over, and of campaigns that are.

use jiff::{SignedDuration, Timestamp};
use tandem_kernel::limits::periods_before;
use tandem_platform::{Outcome, Tenant, counters, transact};

use crate::pricing::near;
use crate::{App, campaign};

/// Rows that one transaction forgets at most.
const ROWS: u32 = 5_000;
/// Campaigns that are looked up at a time.
const CAMPAIGNS: usize = 100;

/// One pass; answers how many counters it has forgotten. What quotes look at goes as soon as it is over; the counters
/// themselves stay for [`counters::KEPT_AFTER_END`], and longer than any hold.
pub async fn forget_what_is_over(app: &App) -> Outcome<u64> {
    let now = app.clock.now();
    for (first, end) in periods_before(now) {
        let turn =
            || async { transact!(app.db, |tx| { near::forget(tx, (&first, &end), i64::from(ROWS)).await }) };
        while turn().await? >= u64::from(ROWS) {}
    }
    let mut forgotten = counters::forget_over(&app.db, now, ROWS).await?;
    let over = over(app, now);
    loop {
        let ended = campaign::store::unsettled(&mut app.db.read().await?, over, CAMPAIGNS).await?;
        for (tenant, campaign) in &ended {
            forgotten += settle(app, tenant, campaign, over).await?;
        }
        if ended.len() < CAMPAIGNS {
            return Ok(forgotten);
        }
    }
}

/// A campaign that ended before this is over for good.
fn over(app: &App, now: Timestamp) -> Timestamp {
    let held = SignedDuration::from_secs(app.config.order.hold_max_s.into());
    now.saturating_sub(counters::KEPT_AFTER_END.max(held)).unwrap_or(Timestamp::MIN)
}

async fn settle(app: &App, tenant: &Tenant, id: &str, over: Timestamp) -> Outcome<u64> {
    let owner = campaign::name(id);
    let mut forgotten = 0;
    loop {
        let rows = transact!(app.db, |tx| { counters::forget_owned(tx, tenant, &owner, ROWS).await })?;
        forgotten += rows;
        if rows < u64::from(ROWS) {
            break;
        }
    }
    transact!(app.db, |tx| {
        near::forget_owned(tx, tenant, &owner).await?;
        campaign::store::settle(tx, tenant, id, over).await
    })?;
    Ok(forgotten)
}
