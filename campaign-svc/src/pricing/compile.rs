//! From campaigns and their revisions to what is posted.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use tandem_kernel::country;
use tandem_kernel::pricing::{Compiled, CompiledScope, PriceRule};
use tandem_kernel::problem::Problem;
use tandem_kernel::rule::{Rule, Vocabulary, line_vocabulary};
use tandem_platform::resource::Resource;
use tandem_platform::{Outcome, Tenant};

use super::entry::{Entry, Goods, Offer, Price, Titles, What};
use super::hours::Hours;
use super::limited::Limited;
use super::product::ListChange;
use super::snapshot::Campaign;
use crate::App;
use crate::campaign::lifecycle::Step;
use crate::campaign::mix::{self, Mix, PlaceMix};
use crate::campaign::revisions::Revision;
use crate::campaign::{self, store};
use crate::product::PriceEntry;

static LINE: LazyLock<Arc<Vocabulary>> = LazyLock::new(|| Arc::new(line_vocabulary()));

/// Revisions read for one campaign that no snapshot holds.
const MAX_REVISIONS: usize = 1_000;

/// Compiles a campaign whose offers may matter at `now` or later, and whose prices may have mattered since `horizon`;
/// `None` where neither is so. `revisions` are all of them, by number.
pub fn campaign(
    campaign: &campaign::Campaign,
    revisions: &[Revision],
    now: Timestamp,
    horizon: Timestamp,
) -> Option<Campaign> {
    let step = campaign.life.step;
    let coming = matches!(step, Step::Open | Step::Paused);
    let mut compiled = Campaign { runs: step == Step::Open, ..Campaign::default() };
    for (index, revision) in revisions.iter().enumerate() {
        let stand = Stand::of(campaign, revisions, index, revision);
        if stand.from >= stand.until {
            // Replaced before the campaign began.
            continue;
        }
        let rules = stand.price_rules();
        if coming && stand.until > now {
            compiled.entries.extend(rules.iter().cloned().chain(stand.offers()).map(Arc::new));
        }
        let open = rules.iter().filter(|rule| !rule.is_personal());
        for (from, until) in campaign.life.open_spans(campaign.definition.window) {
            let (from, until) = (from.max(stand.from), until.min(stand.until));
            if from < until && until > horizon {
                compiled
                    .open_prices
                    .extend(open.clone().map(|rule| Arc::new(Entry { from, until, ..rule.clone() })));
            }
        }
    }
    (coming || !compiled.open_prices.is_empty()).then_some(compiled)
}

/// Compiles a campaign that no snapshot holds, with all its revisions, to be explained.
pub async fn stored(app: &App, tenant: &Tenant, id: &str) -> Outcome<Option<Campaign>> {
    let mut reader = app.db.read().await?;
    let Some(found) = store::CAMPAIGNS.find(&mut reader, tenant, id).await? else { return Ok(None) };
    let mut revisions = store::revisions(&mut reader, tenant, id, i64::MAX, MAX_REVISIONS).await?;
    revisions.reverse();
    let stands =
        (0..).zip(&revisions).map(|(index, revision)| Stand::of(&found, &revisions, index, revision));
    let entries = stands.flat_map(|stand| stand.offers().map(Arc::new).collect::<Vec<_>>()).collect();
    Ok(Some(Campaign { runs: found.life.step == Step::Open, entries, open_prices: Vec::new() }))
}

/// A change of a list price.
pub fn price(entry: PriceEntry) -> ListChange {
    let PriceEntry { place, currency, minor, effective } = entry;
    ListChange { place: country::in_stored_place(&place).into(), currency, from: effective, price: minor }
}

/// One revision where it stands in its campaign.
struct Stand<'c> {
    campaign: &'c campaign::Campaign,
    revision: &'c Revision,
    from: Timestamp,
    until: Timestamp,
    places: Arc<[Box<str>]>,
}

impl<'c> Stand<'c> {
    fn of(
        campaign: &'c campaign::Campaign,
        revisions: &[Revision],
        index: usize,
        revision: &'c Revision,
    ) -> Self {
        let window = campaign.definition.window;
        // The first one counts from the start, even where the clock of the replica that wrote it was ahead.
        let from = if index == 0 { window.start } else { revision.effective.max(window.start) };
        let next = revisions.get(index + 1).map_or(window.end, |next| next.effective);
        let places = places(&revision.mix.place);
        Self { campaign, revision, from, until: next.min(window.end), places }
    }

    fn mix(&self) -> &'c Mix {
        &self.revision.mix
    }

    fn entry(&self, collection: &str, id: &str, segments: &[String], goods: Goods, what: What) -> Entry {
        let definition = &self.campaign.definition;
        let segments = if segments.is_empty() { &definition.segments } else { segments };
        let mut segments: Vec<Arc<str>> =
            segments.iter().map(|segment| Arc::from(segment.as_str())).collect();
        segments.sort_unstable();
        segments.dedup();
        Entry {
            name: format!("campaigns/{}/{collection}/{id}", self.campaign.id).into(),
            revision: self.revision.revision,
            from: self.from,
            until: self.until,
            campaign_start: definition.window.start,
            campaign_end: definition.window.end,
            segments: segments.into(),
            places: self.places.clone(),
            zone: definition.zone.rules().clone(),
            goods,
            what,
        }
    }

    fn price_rules(&self) -> Vec<Entry> {
        let rules = self.mix().price.price_rules.iter();
        let compiled = rules.filter_map(|rule| match self.price_rule(rule) {
            Ok(entry) => Some(entry),
            Err(problem) => {
                self.report(&rule.id, &[problem]);
                None
            }
        });
        compiled.collect()
    }

    fn price_rule(&self, rule: &mix::PriceRule) -> Result<Entry, Problem> {
        let scope = CompiledScope::new(&rule.scope, &LINE)
            .map_err(|error| Problem::new("scope.condition", error.to_string()))?;
        let id = format!("campaigns/{}/priceRules/{}", self.campaign.id, rule.id).into();
        let compiled = PriceRule { id, priority: rule.priority, scope, change: rule.change.clone() };
        let goods = Goods::of_scope(&rule.scope);
        let hours = match rule.condition.as_str() {
            "" => None,
            text => {
                let definition = &self.campaign.definition;
                let condition = Rule::compile(text, &mix::TIME)
                    .map_err(|error| Problem::new("condition", error.to_string()))?;
                let window = (definition.window.start, definition.window.end);
                Some(Hours::new(condition, definition.zone.rules().clone(), window))
            }
        };
        let what = What::Price(Arc::new(Price { rule: compiled, hours }));
        Ok(self.entry("priceRules", &rule.id, &rule.segments, goods, what))
    }

    fn offers(&self) -> impl Iterator<Item = Entry> {
        self.mix().price.offers.iter().filter_map(|offer| match self.offer(offer) {
            Ok(entry) => Some(entry),
            Err(problems) => {
                self.report(&offer.id, &problems);
                None
            }
        })
    }

    fn offer(&self, offer: &mix::Offer) -> Result<Entry, Vec<Problem>> {
        let mut discount = offer.discount.clone();
        if discount.margin_floor_ppm == 0 && discount.kind.reduces_goods() {
            discount.margin_floor_ppm = self.mix().price.margin_floor_ppm;
        }
        let goods = Goods::of_discount(&discount);
        let condition = match offer.condition.as_str() {
            "" => None,
            text => Some(
                Rule::compile(text, &mix::VOCABULARY)
                    .map_err(|error| vec![Problem::new("condition", error.to_string())])?,
            ),
        };
        let compiled = Compiled::new(discount)?;
        let definition = &self.campaign.definition;
        let own = format!("campaigns/{}/offers/{}", self.campaign.id, offer.id);
        let limited = Limited::new(
            (&own, &offer.limits),
            (
                &self.campaign.name(),
                &campaign::discount_limits(&definition.limits, &definition.budgets, self.mix()),
            ),
            definition.zone.rules(),
        );
        let titles = Titles::new(&offer.titles);
        let offered =
            Offer { titles, condition, compiled: Arc::new(compiled), limited: limited.map(Box::new) };
        Ok(self.entry("offers", &offer.id, &offer.segments, goods, What::Offer(offered)))
    }

    /// What was saved once was valid then: only a release that takes back a rule of its own brings this about.
    fn report(&self, id: &str, problems: &[Problem]) {
        tracing::error!(
            campaign = self.campaign.id,
            id,
            ?problems,
            "a stored offer or price rule cannot be used"
        );
    }
}

fn places(mix: &PlaceMix) -> Arc<[Box<str>]> {
    let site = |collection: &str, ids: &[String]| -> Vec<Box<str>> {
        ids.iter().map(|id| format!("{collection}/{id}").into()).collect()
    };
    let mut places: Vec<Box<str>> = mix.countries.iter().map(|country| country.as_str().into()).collect();
    places.extend(site("stores", &mix.stores));
    places.extend(site("shops", &mix.online_shops));
    places.extend(site("marketplaces", &mix.marketplaces));
    places.sort_unstable();
    places.dedup();
    places.into()
}
