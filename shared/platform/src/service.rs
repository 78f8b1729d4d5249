//! What every room of a service may take for granted.

use std::ops::Deref;
use std::sync::Arc;

use tandem_kernel::clock::{Clock, Ids};

use crate::call::Call;
use crate::config::ConfigError;
use crate::db::Db;
use crate::fault::Outcome;
use crate::grpc;
use crate::idempotency::{Gates, Request};
use crate::tasks::Tasks;
use crate::telemetry::Telemetry;

/// The platform's part of a service. Clones share it.
#[derive(Clone)]
pub struct Core {
    /// Its data.
    pub db: Db,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// Writes in progress and pollers.
    pub tasks: Tasks,
    /// Where a call waits for an earlier one that is the same.
    pub gates: Gates,
    /// The instruments of this process.
    pub telemetry: Telemetry,
}

impl Core {
    /// That of the service of this name, whose database is observed from here on.
    pub fn new(
        service: &'static str,
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Self, ConfigError> {
        let telemetry = Telemetry::new(service)?;
        telemetry.observe_pool(&db);
        telemetry.observe_storage(&db);
        Ok(Self { db, clock, ids, tasks: Tasks::new(), gates: Gates::default(), telemetry })
    }
}

/// What a room holds of its service: the platform's part alone, or all of it.
pub trait State: Clone {
    /// The platform's part.
    fn core(&self) -> &Core;
}

impl State for Core {
    fn core(&self) -> &Core {
        self
    }
}

impl<A: Deref<Target = Core>> State for Arc<A> {
    fn core(&self) -> &Core {
        self
    }
}

/// Runs a write to its end although its caller may go away, and after those that are the same call; see
/// [`grpc::once`].
pub async fn write<S: State, T, F>(
    state: &S,
    call: Call,
    request: Request,
    write: impl FnOnce(S, Call, Request) -> F,
) -> Outcome<T>
where
    F: Future<Output = Outcome<T>> + Send + 'static,
    T: Send + 'static,
{
    let write = write(state.clone(), call.clone(), request.clone());
    let Core { tasks, gates, .. } = state.core();
    grpc::once(tasks, gates, &call, &request, write).await
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("db", &self.db).finish_non_exhaustive()
    }
}
