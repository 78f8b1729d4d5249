//! Loading the limits that a batch has to keep.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tandem_platform::{Outcome, Tenant, Tx};

use super::super::decide::{self, Command};
use super::super::terms::{Campaign, OfferLimits, Terms};
use crate::campaign::lifecycle::Step;
use crate::campaign::store::Head;
use crate::{App, campaign};

/// The campaigns of the batch as they are now, their offers as they are now, and those of the revisions that its quotes were
/// made under. One statement, one more where campaigns have budgets, and one for each revision that is not known yet.
pub(super) async fn load(
    app: &App,
    tx: &mut Tx,
    tenant: &Tenant,
    now: Timestamp,
    commands: &[Command],
) -> Outcome<Terms> {
    let mut revisions: Vec<(String, i64)> = commands
        .iter()
        .flat_map(decide::campaigns)
        .map(|(campaign, revision)| (campaign.to_owned(), revision))
        .collect();
    revisions.sort_unstable();
    revisions.dedup();
    let mut ids: Vec<String> = revisions.iter().map(|(campaign, _)| campaign.clone()).collect();
    ids.dedup();
    let mut terms = Terms::default();
    if ids.is_empty() {
        return Ok(terms);
    }
    let heads = campaign::store::heads(tx, tenant, ids, now).await?;
    let with_budgets: Vec<&str> =
        heads.iter().filter(|head| !head.budgets.is_empty()).map(|head| head.id.as_str()).collect();
    let mixes = match with_budgets.is_empty() {
        true => BTreeMap::new(),
        false => campaign::store::current_revisions(tx, tenant, &with_budgets, now).await?,
    };
    for Head { id, version, step, limits, budgets, zone, current } in heads {
        let open = step == Step::Open;
        let limits = match mixes.get(&id) {
            Some(current) => campaign::discount_limits(&limits, &budgets, &current.mix),
            None => limits,
        };
        revisions.push((id.clone(), current));
        let zone = zone.rules().clone();
        terms.campaigns.insert(id, Campaign { version, open, limits, zone, current });
    }
    revisions.sort_unstable();
    revisions.dedup();
    for (campaign, revision) in revisions {
        let limits = match app.orders.revisions.get(tenant, &campaign, revision) {
            Some(known) => known,
            None => {
                let Some(found) = campaign::store::revision(tx, tenant, &campaign, revision).await? else {
                    continue;
                };
                let offers = found.mix.price.offers.into_iter();
                let limits: OfferLimits = offers.map(|offer| (offer.id, offer.limits)).collect();
                let limits = Arc::new(limits);
                app.orders.revisions.keep(tenant, &campaign, revision, limits.clone());
                limits
            }
        };
        terms.offers.insert((campaign, revision), limits);
    }
    Ok(terms)
}
