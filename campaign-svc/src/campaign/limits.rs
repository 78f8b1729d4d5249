//! The limits of a campaign and of its offers, and how far they are.

use std::sync::Arc;

use tandem_kernel::limits::{Limits, Standing};
use tandem_platform::counters::{self, values};
use tandem_platform::{Call, Fault, Outcome};

use super::{COLLECTION, View, discount_limits, name};
use crate::{App, erased};

/// Whose limits are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// Those of the campaign, over all its offers together.
    Campaign,
    /// Those of one offer of the current mix.
    Offer(String),
    /// Those of each of them.
    Offers,
}

/// Every limit that stands, with those of a customer where they are named; what was counted for them before they were erased
/// counts in these.
///
/// # Errors
/// NOT_FOUND where the current mix has no such offer.
pub async fn standing(
    app: &App,
    call: &Call,
    view: &View,
    of: &Of,
    (subject, customer): (Option<&Arc<str>>, &str),
) -> Outcome<Vec<Standing>> {
    let (definition, mix) = (&view.campaign.definition, &view.revision.mix);
    let campaign = name(&view.campaign.id);
    let offers = mix.price.offers.iter();
    let owned: Vec<(String, Limits)> = match of {
        Of::Campaign => {
            vec![(campaign, discount_limits(&definition.limits, &definition.budgets, mix))]
        }
        Of::Offer(id) => {
            let offer = offers.clone().find(|offer| offer.id == *id);
            let full = offer_name(&view.campaign.id, id);
            let offer = offer.ok_or_else(|| Fault::not_found(&full))?;
            vec![(full, offer.limits.clone())]
        }
        Of::Offers => {
            offers.map(|offer| (offer_name(&view.campaign.id, &offer.id), offer.limits.clone())).collect()
        }
    };
    let zone = definition.zone.rules();
    let (mut reader, mut all) = (app.db.read().await?, Vec::new());
    for (owner, limits) in &owned {
        let owner = Arc::from(owner.as_str());
        all.extend(limits.standing(&owner, subject, view.at, zone));
        all.extend(values::standing(&mut reader, &call.tenant, &owner, limits, view.at, zone).await?);
    }
    counters::fill(&mut reader, &call.tenant, &mut all, view.at).await?;
    if let Some(before) = erased::before(&app.known, &mut reader, &call.tenant, customer).await? {
        let of = |(owner, limits): &(String, Limits)| {
            limits.standing_of_customer(&Arc::from(owner.as_str()), &before, view.at, zone)
        };
        let mut counted: Vec<Standing> = owned.iter().flat_map(of).collect();
        counters::fill(&mut reader, &call.tenant, &mut counted, view.at).await?;
        all.iter_mut().for_each(|limit| limit.count_too(&counted));
    }
    Ok(all)
}

/// The name of an offer, by which its limits are counted.
pub fn offer_name(campaign: &str, offer: &str) -> String {
    tandem_kernel::id::path(&[(COLLECTION, campaign), ("offers", offer)])
}
