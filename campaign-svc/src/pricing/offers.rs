//! The offers that run now, page by page, from the snapshot.

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::basket::{Basket, Line, TaxMode, merged};
use tandem_kernel::discount::{Discount, Kind, ShippingBenefit, Tier, TierBenefit};
use tandem_kernel::id;
use tandem_kernel::money::{Amounts, Currency};
use tandem_kernel::page::Listing;
use tandem_platform::{Call, Fault, Kind as FaultKind, Outcome, Violations, grpc};
use tandem_proto::campaign::v1::{
    ApplicableOffer, ListApplicableOffersRequest, ListApplicableOffersResponse,
};
use tandem_proto::common::v1::ErrorReason;
use tandem_proto::convert::to_timestamp;

use super::entry::{Entry, Offer};
use super::parse;
use super::place::Place;
use super::snapshot::Snapshot;
use crate::App;
use crate::relationship::Question;

/// What is listed.
struct Wanted<'w> {
    place: Place<'w>,
    currency: Option<Currency>,
    product: Option<&'w str>,
    segments: Vec<String>,
    locale: &'w str,
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
    request: ListApplicableOffersRequest,
) -> Outcome<ListApplicableOffersResponse> {
    let mut v = Violations::new();
    let place = parse::place_of(&mut v, &request.place);
    parse::check_customer(&mut v, &request.customer);
    parse::check_locale(&mut v, &request.locale);
    let size = grpc::page_size(&mut v, request.page_size) as usize;
    let currency = match request.currency_code.as_str() {
        "" => None,
        code => Currency::new(code).map_err(|error| v.add("currency_code", error.to_string())).ok(),
    };
    let product = match request.product.as_str() {
        "" => None,
        name => id::parse("products", name).map_err(|error| v.add("product", error.to_string())).ok(),
    };
    v.finish()?;
    let filter = [&*request.place, &request.customer, &request.currency_code, &request.product].join("\n");
    let listing = Listing {
        tenant: call.tenant.as_str(),
        list: "ListApplicableOffers",
        filter: &filter,
        ..Listing::default()
    };
    let after = listing.resume(&request.page_token).map_err(|_| Fault::invalid_page_token())?;
    let after = after.as_deref().and_then(|keys| keys.first()).map(String::as_str);
    let segments = segments(app, call, &request).await?;
    let wanted = Wanted { place, currency, product, segments, locale: &request.locale };
    let snapshot = app.snapshots.of(app, call).await?;
    let mut offers = wanted.after(&snapshot, after, app.clock.now(), size + 1);
    let more = offers.len() > size;
    offers.truncate(size);
    let next_page_token = match offers.last() {
        Some(last) if more => listing.token(&[&last.name]),
        _ => String::new(),
    };
    Ok(ListApplicableOffersResponse { offers, next_page_token })
}

async fn segments(app: &App, call: &Call, request: &ListApplicableOffersRequest) -> Outcome<Vec<String>> {
    if request.customer.is_empty() {
        return Ok(Vec::new());
    }
    let question = Question {
        customer: &request.customer,
        guest_key: "",
        codes: &[],
        currency: None,
        segments: None,
        locale: &request.locale,
        order_id: "",
        client_id: "",
    };
    let answer = app.relationship.evaluate(call, question).await?;
    answer.map(|answer| answer.segments).map_err(|cause| {
        let message = "relationship-svc did not answer in time: try again";
        let silent = Fault::new(FaultKind::Unavailable, ErrorReason::PeerUnavailable, message);
        silent.with("cause", cause.name())
    })
}

impl Wanted<'_> {
    fn after(
        &self,
        snapshot: &Snapshot,
        after: Option<&str>,
        now: Timestamp,
        limit: usize,
    ) -> Vec<ApplicableOffer> {
        let campaign = after.and_then(|name| name.split('/').nth(1));
        let mut found = Vec::with_capacity(limit);
        for campaign in snapshot.campaigns_from(campaign).filter(|campaign| campaign.runs) {
            let mut offers: Vec<_> = campaign
                .entries
                .iter()
                .filter(|entry| entry.in_force(now) && after.is_none_or(|after| &*entry.name > after))
                .filter_map(|entry| Some((entry, self.shown(entry, snapshot, now)?)))
                .collect();
            offers.sort_unstable_by(|(a, _), (b, _)| a.name.cmp(&b.name));
            for (entry, offer) in offers {
                found.push(ApplicableOffer {
                    name: entry.name.to_string(),
                    revision: entry.revision,
                    title: offer.titles.of(self.locale).to_owned(),
                    end_time: Some(to_timestamp(entry.campaign_end)),
                    personal: entry.is_personal(),
                });
                if found.len() == limit {
                    return found;
                }
            }
        }
        found
    }

    fn shown<'e>(&self, entry: &'e Entry, snapshot: &Snapshot, now: Timestamp) -> Option<&'e Offer> {
        let offer = entry.offer()?;
        let mine = |segment: &Arc<str>| self.segments.iter().any(|known| **known == **segment);
        let fits = entry.in_force(now)
            && self.place.within(&entry.places)
            && (!entry.is_personal() || entry.segments.iter().any(mine))
            && self.currency.is_none_or(|currency| speaks_of(&offer.compiled.discount, currency))
            && self.product.is_none_or(|product| self.holds(offer, snapshot, product));
        fits.then_some(offer)
    }

    /// Whether one unit of the product is in the scope.
    fn holds(&self, offer: &Offer, snapshot: &Snapshot, product: &str) -> bool {
        let known = snapshot.product(product);
        let price = |currency| known?.list_price(self.place, currency);
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
        !offer.compiled.scope.select(&merged(&basket).lines, currency).is_empty()
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
