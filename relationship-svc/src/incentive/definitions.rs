//! Compiled incentives, kept by version. A version never changes, so what is kept here is never out of date: whoever
//! knows the version from the row it has just read may take the rest from memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tandem_platform::db::Session;
use tandem_platform::{Fault, Outcome, Tenant};

use super::{Incentive, Ready, store};

/// Versions kept at least; twice as many at most.
const GENERATION: usize = 4_096;

/// Which version of which incentive.
type Key = (Tenant, String, i64);

/// The compiled incentives of one process.
#[derive(Debug, Default)]
pub struct Definitions(RwLock<Generations>);

/// What was used since the young generation was begun, and what was used before that. When the young one is full it
/// becomes the old one, and what nobody asked for meanwhile is forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Arc<Ready>>,
    old: HashMap<Key, Arc<Ready>>,
}

impl Definitions {
    /// These versions, in the order asked for; `None` for one that does not exist. At most one statement, and none
    /// where all are known.
    pub async fn at(
        &self,
        session: &mut impl Session,
        tenant: &Tenant,
        wanted: &[(String, i64)],
    ) -> Outcome<Vec<Option<Arc<Ready>>>> {
        let mut found: Vec<Option<Arc<Ready>>> = wanted.iter().map(|one| self.known(tenant, one)).collect();
        let mut missing: Vec<(String, i64)> = wanted
            .iter()
            .zip(&found)
            .filter(|(_, ready)| ready.is_none())
            .map(|(one, _)| one.clone())
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(found);
        }
        let mut loaded = HashMap::new();
        for incentive in store::revisions(session, tenant, &missing).await? {
            let ready = compile(incentive)?;
            self.keep(tenant, ready.clone());
            loaded.insert((ready.incentive.id.clone(), ready.incentive.version), ready);
        }
        for (one, slot) in wanted.iter().zip(&mut found) {
            if slot.is_none() {
                *slot = loaded.get(one).cloned();
            }
        }
        Ok(found)
    }

    /// The current versions of these incentives by id, without those that do not exist. At most two statements.
    pub async fn current(
        &self,
        session: &mut impl Session,
        tenant: &Tenant,
        ids: &[String],
    ) -> Outcome<HashMap<String, Arc<Ready>>> {
        let versions = store::versions(session, tenant, ids).await?;
        let found = self.at(session, tenant, &versions).await?;
        Ok(found.into_iter().flatten().map(|ready| (ready.incentive.id.clone(), ready)).collect())
    }

    fn known(&self, tenant: &Tenant, (id, version): &(String, i64)) -> Option<Arc<Ready>> {
        let key = (tenant.clone(), id.clone(), *version);
        let ready = {
            let generations = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(ready) = generations.young.get(&key) {
                return Some(ready.clone());
            }
            generations.old.get(&key)?.clone()
        };
        self.keep(tenant, ready.clone());
        Some(ready)
    }

    fn keep(&self, tenant: &Tenant, ready: Arc<Ready>) {
        let key = (tenant.clone(), ready.incentive.id.clone(), ready.incentive.version);
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= GENERATION {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, ready);
    }
}

/// What was valid when it was saved compiles when it is loaded.
fn compile(incentive: Incentive) -> Outcome<Arc<Ready>> {
    let name = incentive.name();
    Ready::new(incentive).map(Arc::new).map_err(|problems| {
        let causes: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Fault::internal("a stored incentive does not compile")
            .with("resource", name)
            .caused_by(causes.join("; "))
    })
}
