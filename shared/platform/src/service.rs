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

/// A write that a command can do.
#[derive(Debug, Clone)]
pub struct Asked<W> {
    /// Who asks, and until when.
    pub call: Call,
    /// What makes it the same as its repetition.
    pub request: Request,
    /// What is asked for.
    pub what: W,
}

impl<W> Asked<W> {
    /// The same, of what `with` makes of it.
    pub fn map<V>(self, with: impl FnOnce(W) -> V) -> Asked<V> {
        Asked { call: self.call, request: self.request, what: with(self.what) }
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

impl<A: Deref<Target = Core>> From<Arc<A>> for Core {
    fn from(app: Arc<A>) -> Self {
        Self::clone(&app)
    }
}

/// Runs a command to its end although its caller may go away, and after those that are the same call; see [`grpc::once`].
/// The command takes of the service what it needs: all that the room holds, or the platform's part.
pub async fn write<S: State, C: From<S>, W, T, F>(
    state: &S,
    asked: Asked<W>,
    command: impl FnOnce(C, Asked<W>) -> F,
) -> Outcome<T>
where
    F: Future<Output = Outcome<T>> + Send + 'static,
    T: Send + 'static,
{
    let (call, request) = (asked.call.clone(), asked.request.clone());
    let write = command(C::from(state.clone()), asked);
    let Core { tasks, gates, .. } = state.core();
    grpc::once(tasks, gates, &call, &request, write).await
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("db", &self.db).finish_non_exhaustive()
    }
}
