//! Who of some customers was erased.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tandem_kernel::limits;
use tandem_platform::db::Session;
use tandem_platform::{Outcome, Tenant};

use super::{Ids, Known, store};

/// Those of these customers that were erased. Nothing is asked where there are none.
pub async fn among<'c>(
    ids: &Ids,
    session: &mut impl Session,
    customers: BTreeSet<(&'c Tenant, &'c str)>,
) -> Outcome<HashMap<(&'c Tenant, &'c str), Known>> {
    let mut asked = HashMap::new();
    for (tenant, customer) in customers {
        let hashes = ids.hashes(tenant, customer).into_iter();
        asked.extend(hashes.map(|who| ((tenant.as_str().to_owned(), who), (tenant, customer))));
    }
    let found = store::known(session, asked.keys()).await?;
    let known = |(tenant, who, known)| Some((*asked.get(&(tenant, who))?, known));
    Ok(found.into_iter().filter_map(known).collect())
}

/// The subject under which limits per customer have counted for this customer before they were erased.
pub async fn before(
    ids: &Ids,
    session: &mut impl Session,
    tenant: &Tenant,
    customer: &str,
) -> Outcome<Option<Arc<str>>> {
    if customer.is_empty() {
        return Ok(None);
    }
    let found = among(ids, session, BTreeSet::from([(tenant, customer)])).await?;
    Ok(found.into_values().next().and_then(|known| limits::subject(Some(&known.pseudonym), None)))
}
