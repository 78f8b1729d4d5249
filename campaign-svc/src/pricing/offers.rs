//! The offers that run now, page by page, from the snapshot.

mod judging;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::basket::{self, Basket, Line, TaxMode, merged};
use tandem_kernel::discount::{Discount, Kind, ShippingBenefit, Tier, TierBenefit};
use tandem_kernel::id;
use tandem_kernel::locale::Locale;
use tandem_kernel::money::{Amounts, Currency};
use tandem_kernel::page::Listing;
use tandem_kernel::text;
use tandem_kernel::work::{Allowance, Work};
use tandem_platform::{Call, Fault, Kind as FaultKind, Outcome, Violations, grpc};
use tandem_proto::campaign::v1::{
    ApplicableOffer, Decision, ListApplicableOffersRequest, ListApplicableOffersResponse,
};
use tandem_proto::common::v1::ErrorReason;
use tandem_proto::convert::to_timestamp;

use super::allowance::AT_ONCE;
use super::entry::{Entry, Offer};
use super::parse;
use super::place::Place;
use super::price::Ask;
use super::snapshot::Snapshot;
use crate::relationship::Question;
use crate::{App, field};
use judging::Judging;

/// The work of one page: past it the page ends and says where to go on. One rule, on one line, takes no more.
const PAGE: u64 = 2_500_000;
/// The work of looking at one offer, its rule aside.
const STEPS_PER_OFFER: u64 = 20;

/// What is listed.
#[derive(Debug, Clone)]
struct Wanted {
    place: String,
    currency: Option<Currency>,
    product: Option<String>,
    segments: Vec<String>,
    /// The name behind which the page begins.
    after: Option<String>,
    size: usize,
}

/// Some offers, and the name of the last one that was looked at where there may be more.
#[derive(Debug, Default)]
struct Found {
    offers: Vec<Arc<Entry>>,
    go_on: Option<String>,
}

impl Found {
    /// Ends the page after so many.
    fn end_after(&mut self, offers: usize) {
        if offers < self.offers.len() {
            self.offers.truncate(offers);
            self.go_on = self.offers.last().map(|last| last.name.to_string());
        }
    }
}

/// Answers ListApplicableOffers.
///
/// # Errors
/// CATALOGUE_LOADING where the tenant is not held yet.
/// PEER_UNAVAILABLE where a customer is given and relationship-svc is silent: a page without the personal offers would
/// look complete.
pub async fn list(
    app: &Arc<App>,
    call: &Call,
    mut request: ListApplicableOffersRequest,
) -> Outcome<ListApplicableOffersResponse> {
    let snapshot = app.snapshots.of(app, call).await?;
    let mut v = Violations::new();
    let size = grpc::page_size(&mut v, request.page_size) as usize;
    request.place = field::place(&mut v, "place", std::mem::take(&mut request.place));
    let locale = field::locale(&mut v, "locale", &request.locale);
    let (currency, product) = narrowed(&mut v, &request);
    let basket = basket(&mut v, &mut request, &snapshot, currency);
    v.finish()?;
    let locale = locale.or(&app.tenancy.of(app, &call.tenant).await?.locale);
    let digest = basket.as_ref().map(|basket| format!("{:x?}", basket::digest(basket))).unwrap_or_default();
    let filter =
        [&*request.place, &request.customer, &request.currency_code, &request.product, &digest].join("\n");
    let listing = Listing {
        tenant: call.tenant.as_str(),
        list: "ListApplicableOffers",
        filter: &filter,
        ..Listing::default()
    };
    let after = listing.resume(&request.page_token).map_err(|_| Fault::invalid_page_token())?;
    let after = after.and_then(|keys| keys.into_iter().next());
    let segments = segments(app, call, &request, &locale).await?;
    let ListApplicableOffersRequest { place, customer, .. } = request;
    let wanted = Wanted { place, currency, product, segments, after, size };
    let mut found = found(app, snapshot.clone(), wanted.clone()).await?;
    let decisions = match basket {
        Some(basket) => {
            let Wanted { place, segments, .. } = wanted;
            let ask = Ask { place, customer, locale: locale.clone(), ..Ask::of(basket) };
            Judging { snapshot, segments, ask, offers: found.offers.clone() }.decisions(app, call).await?
        }
        None => vec![None; found.offers.len()],
    };
    found.end_after(decisions.len());
    let offers = found.offers.iter().zip(decisions);
    let offers: Vec<ApplicableOffer> =
        offers.map(|(entry, decision)| told(entry, &locale, decision)).collect();
    let (count, offers) = (offers.len(), grpc::fitting(offers));
    let cut = offers.last().filter(|_| offers.len() < count).map(|last| last.name.clone());
    let next_page_token = cut.or(found.go_on).map(|name| listing.token(&[&name])).unwrap_or_default();
    Ok(ListApplicableOffersResponse { offers, next_page_token })
}

/// Currency and product that a list is narrowed to; whatever else is text is checked.
fn narrowed(v: &mut Violations, request: &ListApplicableOffersRequest) -> (Option<Currency>, Option<String>) {
    parse::check_customer(v, &request.customer);
    let currency = match request.currency_code.as_str() {
        "" => None,
        code => Currency::new(code).map_err(|error| v.add("currency_code", error.to_string())).ok(),
    };
    let product = match request.product.as_str() {
        "" => None,
        name => id::parse("products", name).map_err(|error| v.add("product", error.to_string())).ok(),
    };
    (currency, product.map(str::to_owned))
}

fn basket(
    v: &mut Violations,
    request: &mut ListApplicableOffersRequest,
    snapshot: &Snapshot,
    currency: Option<Currency>,
) -> Option<Basket> {
    text::compose(&mut request.place);
    let place = parse::place_of(v, &request.place);
    let basket = parse::basket_of(v, request.basket.take()?, snapshot, place)?;
    let same = currency.is_none_or(|currency| currency == basket.currency);
    v.check(same, "currency_code", "must be empty, or the basket's");
    Some(basket)
}

fn told(entry: &Entry, locale: &Locale, decision: Option<Decision>) -> ApplicableOffer {
    ApplicableOffer {
        name: entry.name.to_string(),
        revision: entry.revision,
        title: entry.offer().map_or("", |offer| offer.titles.of(locale)).to_owned(),
        end_time: Some(to_timestamp(entry.campaign_end)),
        personal: entry.is_personal(),
        decision,
    }
}

/// Looks here where that is short, else where it holds nobody up.
async fn found(app: &App, snapshot: Arc<Snapshot>, wanted: Wanted) -> Outcome<Found> {
    let now = app.clock.now();
    let allowing = |total| Allowance { search: 0, total };
    let mut work = Work::new(allowing(AT_ONCE));
    let found = wanted.find(&snapshot, now, &mut work);
    if !work.is_over() {
        return Ok(found);
    }
    let look = move |gone| wanted.find(&snapshot, now, &mut Work::new(allowing(PAGE)).until(gone));
    app.heavy.run(look).await
}

async fn segments(
    app: &App,
    call: &Call,
    request: &ListApplicableOffersRequest,
    locale: &Locale,
) -> Outcome<Vec<String>> {
    if request.customer.is_empty() {
        return Ok(Vec::new());
    }
    let question = Question {
        customer: &request.customer,
        guest_key: "",
        codes: &[],
        currency: None,
        segments: None,
        locale: locale.tag(),
        order_id: "",
        replaces: "",
        client_id: "",
        place: "",
        attributes: &BTreeMap::new(),
    };
    let answer = app.relationship.evaluate(call, question).await?;
    answer.map(|answer| answer.segments).map_err(|cause| {
        let message = "relationship-svc did not answer in time: try again";
        let silent = Fault::new(FaultKind::Unavailable, ErrorReason::PeerUnavailable, message);
        silent.with("cause", cause.name())
    })
}

impl Wanted {
    fn place(&self) -> Place<'_> {
        Place::parse(&self.place).unwrap_or_default()
    }

    /// One page. What was looked at when the work was over does not count, but for the first.
    fn find(&self, snapshot: &Snapshot, now: Timestamp, work: &mut Work) -> Found {
        let after = self.after.as_deref();
        let campaign = after.and_then(|name| name.split('/').nth(1));
        let (mut found, mut last) = (Found::default(), None);
        for campaign in snapshot.campaigns_from(campaign).filter(|campaign| campaign.runs) {
            work.spend(STEPS_PER_OFFER * campaign.entries.len() as u64);
            let mut entries: Vec<_> = campaign
                .entries
                .iter()
                .filter(|entry| entry.in_force(now) && after.is_none_or(|after| &*entry.name > after))
                .filter_map(|entry| Some((entry, entry.offer()?)))
                .collect();
            entries.sort_unstable_by(|(a, _), (b, _)| a.name.cmp(&b.name));
            for (entry, offer) in entries {
                let shows = self.shows(entry, offer, snapshot, work);
                if found.offers.len() == self.size && shows || work.is_over() && last.is_some() {
                    return Found { go_on: last.map(|entry: &Arc<Entry>| entry.name.to_string()), ..found };
                }
                if shows {
                    found.offers.push(entry.clone());
                }
                last = Some(entry);
            }
        }
        found
    }

    fn shows(&self, entry: &Entry, offer: &Offer, snapshot: &Snapshot, work: &mut Work) -> bool {
        let mine = |segment: &Arc<str>| self.segments.iter().any(|known| **known == **segment);
        self.place().within(&entry.places)
            && (!entry.is_personal() || entry.segments.iter().any(mine))
            && self.currency.is_none_or(|currency| speaks_of(&offer.compiled.discount, currency))
            && self.product.as_deref().is_none_or(|product| self.holds(offer, snapshot, product, work))
    }

    /// Whether one unit of the product can take part: in the scope, in a part of a bundle, or given.
    fn holds(&self, offer: &Offer, snapshot: &Snapshot, product: &str, work: &mut Work) -> bool {
        let known = snapshot.product(product);
        let price = |currency| known?.list_price(self.place(), currency);
        let any = || known.and_then(|known| known.general.first()).map(|(currency, _)| *currency);
        let Some(currency) = self.currency.or_else(any).or_else(|| Currency::new("EUR").ok()) else {
            return false;
        };
        let line = Line {
            id: String::from("1"),
            product: product.to_owned(),
            quantity: 1,
            unit_price: price(currency).unwrap_or(0),
            unit_cost: None,
            tax_rate_ppm: 0,
            categories: known.map(|known| known.categories.clone()).unwrap_or_default(),
            attributes: Default::default(),
        };
        let basket = Basket {
            currency,
            lines: vec![line],
            tax_mode: TaxMode::default(),
            shipping: 0,
            amount_due: None,
            attributes: Default::default(),
        };
        let merged = merged(&basket);
        offer.compiled.takes(|scope| !scope.select(&merged.lines, currency, work).is_empty())
    }
}

/// Whether a discount has every amount it needs in a currency.
fn speaks_of(discount: &Discount, currency: Currency) -> bool {
    let has = |amounts: &Amounts| amounts.get(currency).is_some();
    let kind = match &discount.kind {
        Kind::Percent { .. } | Kind::BuyXGetY { .. } | Kind::GiftCard { .. } => true,
        Kind::Amount { amounts, .. } => has(amounts),
        Kind::FixedPrice { prices, .. } | Kind::Bundle { prices, .. } => has(prices),
        Kind::Tiered { tiers } => tiers.iter().all(|Tier { thresholds, benefit }| {
            has(thresholds)
                && match benefit {
                    TierBenefit::Rate(_) => true,
                    TierBenefit::Amount(amounts) => has(amounts),
                }
        }),
        Kind::Shipping { benefit } => match benefit {
            ShippingBenefit::Free | ShippingBenefit::Rate(_) => true,
            ShippingBenefit::Amount(amounts) => has(amounts),
        },
    };
    let limits = [&discount.minimum_spend, &discount.max_discount];
    kind && limits.into_iter().all(|amounts| amounts.is_empty() || has(amounts))
}
