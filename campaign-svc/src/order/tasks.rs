//! What runs without a caller: finishing what a crash or a cut left open, cleaning up after holds that have lapsed,
//! telling how many orders wait, and forgetting counters that are over. Each looks once for all tenants, by an index, and
//! that is all where there is nothing to do.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tandem_platform::telemetry::metrics::Gauge;
use tandem_platform::{Outcome, Tenant};

use super::store::Lapsed;
use super::{commands, store};
use crate::App;

/// How often open steps are looked for.
const RESUME: Duration = Duration::from_millis(500);
/// Orders that one pass leases at most.
const LEASED: i64 = 64;
/// How often lapsed holds are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// Orders that are cleaned up side by side.
const SWEPT: i64 = 500;

/// How often it is looked how many orders wait.
const COUNT: Duration = Duration::from_secs(5);
/// So many are counted at most: that many more would be nobody's surprise.
const COUNTED: i64 = 10_000;

/// How often counters that are over are looked for.
const FORGET: Duration = Duration::from_secs(60);

/// Starts all of it on this replica.
pub fn start(app: &Arc<App>) {
    let resumed = app.clone();
    app.tasks.every("open orders", RESUME, None, move || {
        let app = resumed.clone();
        async move { resume(&app).await.map(|_| ()) }
    });
    let swept = app.clone();
    app.tasks.every("lapsed orders", SWEEP, None, move || {
        let app = swept.clone();
        async move { sweep(&app).await.map(|_| ()) }
    });
    let (counted, waiting) = (app.clone(), Waiting::new(app));
    app.tasks.every("waiting orders", COUNT, None, move || {
        let (app, waiting) = (counted.clone(), waiting.clone());
        async move { waiting.count(&app).await }
    });
    let forgetful = app.clone();
    app.tasks.every("counters that are over", FORGET, None, move || {
        let app = forgetful.clone();
        async move { commands::forget_what_is_over(&app).await.map(|_| ()) }
    });
}

/// Orders that wait for relationship-svc, as every replica sees them: the greatest of all replicas' numbers counts.
#[derive(Debug, Clone)]
pub struct Waiting {
    pending: Gauge<u64>,
    stuck: Gauge<u64>,
}

impl Waiting {
    /// The instruments of a process.
    pub fn new(app: &App) -> Self {
        let gauge = |name, description| {
            app.telemetry.meter().u64_gauge(name).with_unit("{order}").with_description(description).build()
        };
        Self {
            pending: gauge(
                "tandem.orders.pending",
                "Orders with a step that waits for relationship-svc, up to 10,000.",
            ),
            stuck: gauge("tandem.orders.stuck", "Those that have waited longer than order.stuck_after_ms."),
        }
    }

    /// Counts them once.
    pub async fn count(&self, app: &App) -> Outcome<()> {
        let mut reader = app.db.read().await?;
        let (pending, stuck) = store::step::open(&mut reader, commands::stuck_at(app), COUNTED).await?;
        self.pending.record(u64::try_from(pending).unwrap_or_default(), &[]);
        self.stuck.record(u64::try_from(stuck).unwrap_or_default(), &[]);
        Ok(())
    }
}

/// One pass over open steps; answers how many it has taken up.
pub async fn resume(app: &Arc<App>) -> Outcome<usize> {
    let leased = commands::lease(app, LEASED).await?;
    let count = leased.len();
    join_all(leased.into_iter().map(|(tenant, order, tries)| async move {
        let Some(tenant) = Tenant::parse(&tenant) else { return };
        if let Err(fault) = commands::resume(app, &tenant, &order, tries).await {
            tracing::debug!(%tenant, fault = ?fault, "an order stays open");
        }
    }))
    .await;
    Ok(count)
}

/// One pass over lapsed holds, oldest first; answers how many it has cleaned up. One that cannot be cleaned up holds up no
/// other: the first fault is answered when all have been tried.
pub async fn sweep(app: &Arc<App>) -> Outcome<usize> {
    let now = app.clock.now();
    let (mut cleaned, mut fault) = (0, None);
    let mut behind: Option<Lapsed> = None;
    loop {
        let lapsed = store::lapsed(&mut app.db.read().await?, now, behind.as_ref(), SWEPT).await?;
        let passes = lapsed.iter().filter_map(|Lapsed { tenant, id, .. }| {
            let tenant = Tenant::parse(tenant)?;
            Some(async move { commands::expire(app, &tenant, id.clone()).await })
        });
        for done in join_all(passes).await {
            match done {
                Ok(()) => cleaned += 1,
                Err(one) => fault = fault.or(Some(one)),
            }
        }
        let full = i64::try_from(lapsed.len()) == Ok(SWEPT);
        behind = lapsed.into_iter().next_back();
        if !full || app.tasks.soft().is_cancelled() {
            return fault.map_or(Ok(cleaned), Err);
        }
    }
}
