//! What runs without a caller: finishing what a crash or a cut left open, cleaning up after holds that have lapsed, and
//! telling how many orders wait.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tandem_platform::telemetry::metrics::Gauge;
use tandem_platform::{Outcome, Tenant};

use super::{commands, store};
use crate::App;

/// How often open steps are looked for.
const RESUME: Duration = Duration::from_millis(500);
/// Orders that one pass leases at most.
const LEASED: i64 = 64;
/// How often lapsed holds are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// Orders that one pass cleans up at most.
const SWEPT: i64 = 500;

/// How often it is looked how many orders wait.
const COUNT: Duration = Duration::from_secs(5);

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
            pending: gauge("tandem.orders.pending", "Orders with a step that waits for relationship-svc."),
            stuck: gauge("tandem.orders.stuck", "Those that have waited longer than order.stuck_after_ms."),
        }
    }

    /// Counts them once.
    pub async fn count(&self, app: &App) -> Outcome<()> {
        let (pending, stuck) = store::step::open(&mut app.db.read().await?, commands::stuck_at(app)).await?;
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

/// One pass over lapsed holds; answers how many it has cleaned up.
pub async fn sweep(app: &Arc<App>) -> Outcome<usize> {
    let lapsed = store::lapsed(&mut app.db.read().await?, app.clock.now(), SWEPT).await?;
    let passes = lapsed.iter().filter_map(|(tenant, order)| {
        let tenant = Tenant::parse(tenant)?;
        Some(async move { commands::expire(app, &tenant, order.clone()).await })
    });
    for cleaned in join_all(passes).await {
        cleaned?;
    }
    Ok(lapsed.len())
}
