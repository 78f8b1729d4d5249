//! The pollers that keep the snapshots fresh and what is known of limits, and the first load of a process that starts.

use std::sync::Arc;
use std::time::Duration;

use tandem_platform::telemetry::metrics::Gauge;

use crate::App;

/// The rest between two looks at limits.
const REFUSALS: Duration = Duration::from_millis(50);

/// Starts all of them.
pub fn start(app: &Arc<App>) {
    let period = Duration::from_millis(app.config.pricing.snapshot_poll_ms.max(1));
    let (polled, told) = (app.clone(), Told::new(app));
    app.tasks.every("snapshots", period, Some(app.snapshots.waker()), move || {
        let (app, told) = (polled.clone(), told.clone());
        async move {
            app.snapshots.look(&app).await?;
            told.tell(&app);
            Ok(())
        }
    });
    let first = app.clone();
    app.tasks.spawn("first load", async move {
        let mut waits = false;
        while !first.tasks.soft().is_cancelled() {
            match first.snapshots.first_load(&first).await {
                Ok(()) => return,
                Err(fault) if !waits => tracing::warn!(?fault, "the catalogues cannot be read yet"),
                Err(_) => {}
            }
            waits = true;
            tokio::time::sleep(period).await;
        }
    });
    let polled = app.clone();
    app.tasks.every("limits nearly spent", period, Some(app.spending.waker()), move || {
        let app = polled.clone();
        async move {
            app.spending.refresh(&app).await?;
            // Whoever is refused wakes it: many at once are served by one look.
            tokio::time::sleep(REFUSALS).await;
            Ok(())
        }
    });
}

/// How many catalogues this replica holds.
#[derive(Debug, Clone)]
struct Told {
    held: Gauge<u64>,
    failing: Gauge<u64>,
}

impl Told {
    fn new(app: &App) -> Self {
        let gauge = |name, description| {
            app.telemetry.meter().u64_gauge(name).with_unit("{tenant}").with_description(description).build()
        };
        Self {
            held: gauge("tandem.catalogues.held", "Tenants whose catalogue is in this replica's memory."),
            failing: gauge("tandem.catalogues.failing", "Those whose catalogue could not be read last."),
        }
    }

    fn tell(&self, app: &App) {
        let (held, failing) = app.snapshots.counts();
        self.held.record(u64::try_from(held).unwrap_or_default(), &[]);
        self.failing.record(u64::try_from(failing).unwrap_or_default(), &[]);
    }
}
