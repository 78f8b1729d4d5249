//! Compiled incentives, kept by version. A version never changes, so what is kept here is never out of date: whoever
//! knows the version from the row it has just read may take the rest from memory.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_platform::db::Session;
use tandem_platform::kept::Kept;
use tandem_platform::resource::Resource;
use tandem_platform::{Fault, Outcome, Tenant};

use super::{Incentive, Ready, store};

/// Versions kept at least; twice as many at most.
const VERSIONS: usize = 4_096;

/// Which version of which incentive.
type Key = (Tenant, String, i64);

/// The compiled incentives of one process.
#[derive(Debug)]
pub struct Definitions(Kept<Key, Arc<Ready>>);

impl Default for Definitions {
    fn default() -> Self {
        Self(Kept::new(VERSIONS))
    }
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
        Ok(self.current_and_merged(session, tenant, ids).await?.0)
    }

    /// The same, and whether an id of one of the tenant's customers or guests may stand for another one: no statement more, and
    /// who reads it needs none where nobody was ever merged.
    pub async fn current_and_merged(
        &self,
        session: &mut impl Session,
        tenant: &Tenant,
        ids: &[String],
    ) -> Outcome<(HashMap<String, Arc<Ready>>, bool)> {
        let versions = store::versions(session, tenant, ids).await?;
        let merged = versions.iter().any(|(.., merged)| *merged);
        let versions: Vec<(String, i64)> =
            versions.into_iter().map(|(id, version, _)| (id, version)).collect();
        let found = self.at(session, tenant, &versions).await?;
        let found = found.into_iter().flatten().map(|ready| (ready.incentive.id.clone(), ready));
        Ok((found.collect(), merged))
    }

    fn known(&self, tenant: &Tenant, (id, version): &(String, i64)) -> Option<Arc<Ready>> {
        self.0.get(&(tenant.clone(), id.clone(), *version))
    }

    fn keep(&self, tenant: &Tenant, ready: Arc<Ready>) {
        self.0.put((tenant.clone(), ready.incentive.id.clone(), ready.incentive.version), ready);
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
