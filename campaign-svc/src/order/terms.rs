//! What limits an order has to keep: those of a campaign and of its offers as they are now. What an offer gave when the order
//! was quoted is promised, not that a use is left; of an offer that is gone since, the limits are those it was quoted with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;
use tandem_kernel::limits::Limits;
use tandem_platform::Tenant;
use tandem_platform::kept::Kept;

/// Revisions kept at least; twice as many at most.
const REVISIONS: usize = 8_192;

/// A campaign, as far as orders ask.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Ascending with every change.
    pub version: i64,
    /// Neither paused nor ended nor called off by hand.
    pub open: bool,
    /// Over all its offers together.
    pub limits: Limits,
    /// In which limits start anew.
    pub zone: TimeZone,
    /// The revision of its mix that is in effect.
    pub current: i64,
}

/// The limits of the offers of one revision, by the offers' ids.
pub type OfferLimits = BTreeMap<String, Limits>;

/// Which revision of which campaign.
type Key = (Tenant, String, i64);

/// Limits of revisions, which never change.
#[derive(Debug)]
pub struct Revisions(Kept<Key, Arc<OfferLimits>>);

impl Default for Revisions {
    fn default() -> Self {
        Self(Kept::new(REVISIONS))
    }
}

impl Revisions {
    /// What is known of a revision.
    pub fn get(&self, tenant: &Tenant, campaign: &str, revision: i64) -> Option<Arc<OfferLimits>> {
        self.0.get(&(tenant.clone(), campaign.to_owned(), revision))
    }

    /// Remembers a revision.
    pub fn keep(&self, tenant: &Tenant, campaign: &str, revision: i64, limits: Arc<OfferLimits>) {
        self.0.put((tenant.clone(), campaign.to_owned(), revision), limits);
    }
}

/// The terms of one batch.
#[derive(Debug, Default)]
pub struct Terms {
    /// By id.
    pub campaigns: HashMap<String, Campaign>,
    /// By campaign and revision.
    pub offers: HashMap<(String, i64), Arc<OfferLimits>>,
}

impl Terms {
    /// The limits of an offer "campaigns/{campaign}/offers/{offer}" that was quoted in a revision.
    pub fn of_offer(&self, campaign: &str, offer: &str, quoted: i64) -> Option<&Limits> {
        let of = |revision: i64| self.offers.get(&(campaign.to_owned(), revision))?.get(offer);
        self.campaigns.get(campaign).and_then(|known| of(known.current)).or_else(|| of(quoted))
    }
}

/// The campaign of an offer or a price rule: "campaigns/{campaign}/…".
pub fn campaign_of(source: &str) -> Option<&str> {
    Some(source.strip_prefix("campaigns/")?.split_once('/')?.0)
}

/// Campaign and offer of "campaigns/{campaign}/offers/{offer}".
pub fn parts(source: &str) -> Option<(&str, &str)> {
    let (campaign, offer) = source.strip_prefix("campaigns/")?.split_once('/')?;
    Some((campaign, offer.strip_prefix("offers/")?))
}
