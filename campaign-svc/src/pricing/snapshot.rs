//! The catalogue of one tenant as quotes read it: products, offers and price rules, compiled and indexed. Immutable;
//! the next one shares with it whatever has not changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tandem_kernel::basket::Line;
use tandem_kernel::money::Currency;
use tandem_kernel::pricing::PriceRule;

use super::entry::Entry;
use super::hours::Hours;
use super::index::Index;
use super::place::Place;
use super::prior::{Course, Courses, Phase};
use super::product::{ListChange, Product, continued};
use super::shards::Shards;

/// How long what is over stays posted. A clock that is set back by less finds it again.
const LINGER: SignedDuration = SignedDuration::from_hours(1);

/// One campaign, compiled.
#[derive(Debug, Clone, Default)]
pub struct Campaign {
    /// Neither paused nor called off nor ended by hand: its entries are posted.
    pub runs: bool,
    /// The offers and price rules of its current and coming revisions.
    pub entries: Vec<Arc<Entry>>,
    /// The price rules that were, are or will be open to everyone, one entry for each phase.
    pub open_prices: Vec<Arc<Entry>>,
}

impl Campaign {
    /// The offer of that name: the one in force, else the one that was or will be in force nearest to the end.
    pub fn offer(&self, name: &str, now: Timestamp) -> Option<&Arc<Entry>> {
        let mut named = self.entries.iter().filter(|entry| &*entry.name == name && entry.offer().is_some());
        named.clone().find(|entry| entry.in_force(now)).or_else(|| named.next_back())
    }

    fn has_past(&self, over: Timestamp, horizon: Timestamp) -> bool {
        self.entries.iter().any(|entry| entry.until < over)
            || self.open_prices.iter().any(|entry| entry.until < horizon)
    }
}

/// Before this, what is over is no longer posted.
fn lingering(now: Timestamp) -> Timestamp {
    now.checked_sub(LINGER).unwrap_or(Timestamp::MIN)
}

/// What a snapshot takes in.
#[derive(Debug, Default)]
pub struct Changes {
    /// New states of products; their histories are left out.
    pub products: Vec<Product>,
    /// Changes of list prices, by product id.
    pub prices: Vec<(String, Vec<ListChange>)>,
    /// New states by campaign id; nothing where a campaign no longer concerns quotes.
    pub campaigns: Vec<(Arc<str>, Option<Campaign>)>,
}

/// The compiled catalogue of one tenant.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The version of the catalogue it stands for.
    pub version: i64,
    /// For how many days of the longest campaign it reaches back.
    campaign_max_days: u32,
    products: Shards<Arc<Product>>,
    /// By name with a slash behind, so that their order is the order of their offers' names.
    campaigns: Arc<BTreeMap<Arc<str>, Arc<Campaign>>>,
    running: Index,
    open_prices: Index,
    courses: Arc<Courses>,
}

impl Snapshot {
    /// The same, read or cut so that it reaches back for campaigns of so many days.
    #[must_use]
    pub fn reaching_for(self, campaign_max_days: u32) -> Self {
        Self { campaign_max_days, ..self }
    }

    /// Whether it reaches back far enough for campaigns of so many days.
    pub fn reaches_for(&self, campaign_max_days: u32) -> bool {
        campaign_max_days <= self.campaign_max_days
    }

    /// The days it reaches back for.
    pub fn campaign_max_days(&self) -> u32 {
        self.campaign_max_days
    }

    /// The next snapshot. Of list prices that ended before `horizon` only the last is kept.
    #[must_use]
    pub fn with(&self, changes: Changes, version: i64, horizon: Timestamp) -> Self {
        let mut next = Self { version, ..self.clone() };
        let mut prices_moved = !changes.products.is_empty() || !changes.prices.is_empty();
        next.take_goods(changes.products, changes.prices, horizon);
        if !changes.campaigns.is_empty() {
            let mut campaigns = BTreeMap::clone(&next.campaigns);
            for (id, campaign) in changes.campaigns {
                let key: Arc<str> = campaign_key(&id).into();
                if let Some(old) = campaigns.remove(&key) {
                    prices_moved |= !old.open_prices.is_empty();
                    next.withdraw(&old);
                }
                if let Some(campaign) = campaign {
                    prices_moved |= !campaign.open_prices.is_empty();
                    next.post(&campaign);
                    campaigns.insert(key, Arc::new(campaign));
                }
            }
            next.campaigns = Arc::new(campaigns);
        }
        if prices_moved {
            next.courses = Arc::default();
        }
        next
    }

    /// Whether something has been over for long: postings for an hour, open prices since before `horizon`.
    pub fn has_past(&self, now: Timestamp, horizon: Timestamp) -> bool {
        self.campaigns.values().any(|campaign| campaign.has_past(lingering(now), horizon))
    }

    /// The same without what has been over for long. `None` where there is nothing of the kind.
    pub fn without_past(&self, now: Timestamp, horizon: Timestamp) -> Option<Self> {
        let over = lingering(now);
        let past: Vec<_> =
            self.campaigns.iter().filter(|(_, campaign)| campaign.has_past(over, horizon)).collect();
        if past.is_empty() {
            return None;
        }
        let mut next = self.clone();
        let mut campaigns = BTreeMap::clone(&self.campaigns);
        for (key, old) in past {
            let mut rest = Campaign::clone(old);
            rest.entries.retain(|entry| entry.until >= over);
            rest.open_prices.retain(|entry| entry.until >= horizon);
            next.withdraw(old);
            campaigns.remove(key);
            if !rest.entries.is_empty() || !rest.open_prices.is_empty() {
                next.post(&rest);
                campaigns.insert(key.clone(), Arc::new(rest));
            }
        }
        next.campaigns = Arc::new(campaigns);
        Some(next)
    }

    /// Products and their list prices, which come in the same order as a rule: then each is looked up once.
    fn take_goods(
        &mut self,
        products: Vec<Product>,
        prices: Vec<(String, Vec<ListChange>)>,
        horizon: Timestamp,
    ) {
        let (mut prices, mut others) = (prices.into_iter().peekable(), Vec::new());
        for mut product in products {
            if let Some(known) = self.products.get(&product.id) {
                product.history = known.history.clone();
            }
            while let Some(other) = prices.next_if(|(id, _)| **id < *product.id) {
                others.push(other);
            }
            if let Some((_, news)) = prices.next_if(|(id, _)| **id == *product.id) {
                product.history = Arc::new(continued(&product.history, news, horizon));
            }
            self.products.insert(product.id.clone(), Arc::new(product));
        }
        for (id, news) in others.into_iter().chain(prices) {
            // A history without its product is one that is just being created; its row follows with the next round.
            let Some(known) = self.products.get_mut(&id) else { continue };
            let product = Arc::make_mut(known);
            product.history = Arc::new(continued(&product.history, news, horizon));
        }
    }

    fn post(&mut self, campaign: &Campaign) {
        if campaign.runs {
            campaign.entries.iter().for_each(|entry| self.running.insert(entry));
        }
        campaign.open_prices.iter().for_each(|entry| self.open_prices.insert(entry));
    }

    fn withdraw(&mut self, campaign: &Campaign) {
        if campaign.runs {
            campaign.entries.iter().for_each(|entry| self.running.remove(entry));
        }
        campaign.open_prices.iter().for_each(|entry| self.open_prices.remove(entry));
    }

    /// A product by its id.
    pub fn product(&self, id: &str) -> Option<&Arc<Product>> {
        self.products.get(id)
    }

    /// The offers and price rules that are posted.
    pub fn running(&self) -> &Index {
        &self.running
    }

    /// A campaign by its id.
    pub fn campaign(&self, id: &str) -> Option<&Arc<Campaign>> {
        self.campaigns.get(campaign_key(id).as_str())
    }

    /// Campaigns in the order of their names: from the one of `id` on, from the first where there is none.
    pub fn campaigns_from(&self, id: Option<&str>) -> impl Iterator<Item = &Arc<Campaign>> {
        let first: Arc<str> = id.map(campaign_key).unwrap_or_default().into();
        self.campaigns.range(first..).map(|(_, campaign)| campaign)
    }

    /// How many products and campaigns it holds.
    pub fn size(&self) -> (usize, usize) {
        (self.products.len(), self.campaigns.len())
    }

    /// The prior price of a product that is reduced at `now`; `since` is when the reduction at hand began where it is
    /// for segments only.
    pub fn prior_price(
        &self,
        product: &Arc<Product>,
        place: Place<'_>,
        currency: Currency,
        now: Timestamp,
        since: Option<Timestamp>,
    ) -> Option<i64> {
        let course = self.courses.get(&product.id, place.text(), currency, || {
            let line = self.open_prices.reach(&[unit_of(product)], place).open(place);
            let phases: Vec<Phase<'_>> = line
                .iter()
                .filter_map(|entry| Some((entry, entry.price_rule()?)))
                .flat_map(|(entry, rule)| phases(entry, rule))
                .collect();
            Course::of(product, place, currency, &phases)
        });
        course.prior_price(now, since)
    }
}

fn campaign_key(id: &str) -> String {
    format!("campaigns/{id}/")
}

/// When a price rule was, is or will be in force.
fn phases<'e>(entry: &'e Entry, rule: &'e PriceRule) -> impl Iterator<Item = Phase<'e>> {
    let always = entry.hours().is_none().then_some((Timestamp::MIN, Timestamp::MAX));
    let spans = entry.hours().map(Hours::spans).unwrap_or_default().iter().copied().chain(always);
    let phases = spans.map(move |(from, until)| Phase {
        from: entry.from.max(from),
        until: entry.until.min(until),
        rule,
    });
    phases.filter(|phase| phase.from < phase.until)
}

/// One unit of a product, for the index.
fn unit_of(product: &Product) -> Line {
    Line {
        id: String::from("1"),
        product: product.id.to_string(),
        quantity: 1,
        unit_price: 0,
        unit_cost: None,
        tax_rate_ppm: product.tax_rate_ppm,
        categories: product.categories.clone(),
        attributes: BTreeMap::new(),
    }
}
