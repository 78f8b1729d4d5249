//! What every call of one process shares.

use std::ops::Deref;
use std::sync::Arc;

use tandem_kernel::clock::{Clock, Ids};
use tandem_kernel::seal::Keyring;
use tandem_platform::config::ConfigError;
use tandem_platform::heavy::Heavy;
use tandem_platform::lifecycle::readiness::FirstLoads;
use tandem_platform::service::{self, Asked};
use tandem_platform::{Core, Db, Outcome, lanes, seal};

use crate::catalogue::written::Written;
use crate::config::Config;
use crate::erased;
use crate::order::commands::Orders;
use crate::pricing::snapshots::Snapshots;
use crate::pricing::spending::Spending;
use crate::relationship::Relationship;
use crate::settings::{self, Tenancy};

/// The service without its network: tests call it as the server does.
pub struct App {
    /// The platform's part.
    pub core: Core,
    /// The settings in force.
    pub config: Config,
    /// What tenants have set over them.
    pub tenancy: Tenancy,
    /// The keys that seal quotes.
    pub keys: Keyring,
    /// By what who was erased is known again.
    pub known: erased::Ids,
    /// What is to be read before the process serves.
    pub first_loads: FirstLoads,
    /// The compiled catalogues.
    pub snapshots: Snapshots,
    /// What limits have counted, as far as quotes ask.
    pub spending: Spending,
    /// The other service.
    pub relationship: Relationship,
    /// The lanes of orders, and the limits they keep.
    pub orders: Orders,
    /// Where evaluations that take long are computed.
    pub heavy: Heavy,
}

impl App {
    /// Everything but the tasks that run by themselves; [`crate::serve`] starts those.
    pub fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        config: Config,
    ) -> Result<Arc<Self>, ConfigError> {
        let tenancy = Tenancy::new(settings::Own::of(&config)?);
        let keys = seal::keyring(&config.seal_keys, &config.server)?;
        let known = erased::Ids::of(&keys);
        let first_loads = FirstLoads::of(&db);
        let snapshots = Snapshots::new(&db, &first_loads, clock.now());
        let spending = Spending::new(clock.now());
        let core = Core::new("campaign-svc", db, clock, ids)?;
        let relationship = Relationship::new(&config.relationship, core.telemetry.meter())?;
        let orders = Orders::default();
        let threads = match config.pricing.long_evaluation_threads {
            0 => lanes::cores() / 2,
            threads => threads,
        };
        let heavy = Heavy::new(threads, config.pricing.long_evaluation_queue);
        Ok(Arc::new(Self {
            core,
            config,
            tenancy,
            keys,
            known,
            first_loads,
            snapshots,
            spending,
            relationship,
            orders,
            heavy,
        }))
    }

    /// As [`service::write`], and waits until this replica quotes by what was written.
    pub async fn write_catalogue<C: From<Arc<Self>>, W, T, F>(
        self: &Arc<Self>,
        asked: Asked<W>,
        command: impl FnOnce(C, Asked<W>) -> F,
    ) -> Outcome<Written<T>>
    where
        F: Future<Output = Outcome<T>> + Send + 'static,
        T: Send + 'static,
    {
        let call = asked.call.clone();
        let value = service::write(self, asked, command).await?;
        let followed = self.snapshots.follows(self, &call).await;
        Ok(Written { value, followed })
    }
}

impl Deref for App {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("db", &self.db).finish_non_exhaustive()
    }
}
