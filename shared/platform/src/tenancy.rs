//! What a tenant has set for itself, over the defaults of the process: one document of each tenant, kept in memory for those
//! that are asked for. ADR 0037 says how old what is kept may be.
//!
//! A service says what its [`Document`] is and holds a [`Tenancy`] of it. Whoever needs what is in force asks [`Tenancy::of`]
//! before its transaction begins: a task holds one connection at a time.

mod kept;
pub mod store;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::call::Tenant;
use crate::db::{Session, Write};
use crate::fault::Outcome;
use crate::outbox::Recorded;
use crate::resource::{Change, Maps};
use crate::service::{Asked, Core};
use crate::{grpc, once};

use kept::Memory;

/// Between two looks at what other replicas have changed.
const PERIOD: Duration = Duration::from_millis(500);

/// What a tenant may set at one service. A field that says nothing is as the process says.
pub trait Document:
    Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + Maps + Send + Sync + 'static
{
    /// The name of the resource: `settings/campaign`.
    const NAME: &'static str;

    /// What calls go by.
    type InForce: Send + Sync + 'static;

    /// The same, filled with what `defaults` say where it says nothing.
    #[must_use]
    fn over(&self, defaults: &Self) -> Self;

    /// What calls go by where this, which says all that has a default, holds.
    fn in_force(self) -> Self::InForce;
}

/// What else is written where settings change, in the same transaction: made of what was in force, what is, and when.
pub type Follow<F> = fn(before: &F, next: &F, now: Timestamp) -> Option<Write>;

/// What one tenant has set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings<D> {
    /// Counts its changes from 1; 0: nothing was ever set.
    pub version: i64,
    /// When something was set last.
    pub updated: Option<Timestamp>,
    /// What.
    pub own: D,
}

impl<D: Document> Settings<D> {
    /// An event about this version: the message `payload`, whose full name is `type_`.
    pub fn told(&self, type_: &'static str, payload: &impl prost::Message) -> Recorded {
        Recorded::new(type_, D::NAME.to_owned(), self.version, payload)
    }

    fn revised(&self, own: D, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated: Some(now), own }
    }
}

/// The settings of tenants at one service. Clones share what is kept.
#[derive(Debug, Clone)]
pub struct Tenancy<D: Document>(Arc<Memory<D>>);

impl<D: Document> Tenancy<D> {
    /// Over these defaults; nothing is kept yet.
    pub fn new(defaults: D) -> Self {
        Self(Arc::new(Memory::new(defaults)))
    }

    /// Looks from now on at what other replicas have changed.
    pub fn start(&self, core: &Core) {
        let (memory, state) = (self.0.clone(), core.clone());
        core.tasks.every("settings of tenants", PERIOD, None, move || {
            let (memory, core) = (memory.clone(), state.clone());
            async move { memory.look(&core).await }
        });
    }

    /// What is in force for a tenant. Reads nothing while what is kept is known to be good. Not inside a transaction.
    ///
    /// # Errors
    /// Where nothing is kept and the database does not answer.
    pub async fn of(&self, core: &Core, tenant: &Tenant) -> Outcome<Arc<D::InForce>> {
        self.0.of(core, tenant).await
    }

    /// What is in force by what is stored, whatever is kept. Inside a transaction too: read under a lock that whoever changes
    /// it waits for, it stays so until the end.
    pub async fn within(&self, session: &mut impl Session, tenant: &Tenant) -> Outcome<D::InForce> {
        let stored: Settings<D> = store::find(session, tenant).await?;
        Ok(self.effective(&stored.own).in_force())
    }

    /// What was in force when it was last known, where it is kept.
    pub fn known(&self, tenant: &Tenant) -> Option<Arc<D::InForce>> {
        self.0.known(tenant)
    }

    /// What a tenant has set, as it is stored.
    pub async fn stored(&self, core: &Core, tenant: &Tenant) -> Outcome<Settings<D>> {
        store::find(&mut core.db.read().await?, tenant).await
    }

    /// Changes the named fields, and what follows from it. Where nothing differs, nothing happens. This replica goes by it when
    /// it is answered.
    ///
    /// # Errors
    /// ETAG_MISMATCH.
    pub async fn update(
        &self,
        core: &Core,
        asked: Asked<Change<D>>,
        event: fn(&Settings<D>) -> Recorded,
        follow: &[Follow<D::InForce>],
    ) -> Outcome<Settings<D>> {
        let tenant = asked.call.tenant.clone();
        let stored = once!(core, asked, |unit, change| {
            let tenant = unit.tenant();
            let before: Settings<D> = store::lock(unit.tx(), tenant).await?;
            grpc::check_etag(&change.touch.etag, before.version, D::NAME)?;
            let own = change.of(&before.own);
            if own == before.own {
                return Ok(before);
            }
            let next = before.revised(own, unit.now());
            unit.write(store::save(&next)?);
            let was = self.effective(&before.own).in_force();
            let is = self.effective(&next.own).in_force();
            for follow in follow {
                unit.write(follow(&was, &is, unit.now()));
            }
            unit.tell(event(&next));
            Ok(next)
        })?;
        self.0.put(&tenant, &stored);
        Ok(stored)
    }

    /// What somebody has set, filled with the defaults.
    pub fn effective(&self, own: &D) -> D {
        own.over(self.0.defaults())
    }
}
