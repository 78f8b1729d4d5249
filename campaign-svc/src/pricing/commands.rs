//! Quotes: relationship-svc is asked, the basket priced, the promise sealed.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tandem_platform::{Call, Fault, Kind, Outcome};
use tandem_proto::campaign::v1::ErrorReason;

use super::entry::Entry;
use super::index::Reach;
use super::price::{Ask, Incentives, Priced, Refusal, Setting, Source, Verdict};
use super::snapshot::Snapshot;
use super::{digest, encode};
use crate::App;
use crate::relationship::Question;

/// More segments than this are asked for all together.
const MAX_SEGMENTS: usize = 200;

/// A quote, sealed.
#[derive(Debug)]
pub struct Quote<'q> {
    /// What was asked.
    pub ask: &'q Ask,
    /// What it costs, and why.
    pub priced: Priced<'q>,
    /// What relationship-svc had to say.
    pub incentives: Incentives,
    /// The sealed promise.
    pub token: String,
    /// What it was made for.
    pub digest: [u8; 32],
    /// How old the catalogue was.
    pub age: Duration,
}

/// Prices `ask` under `snapshot` and seals the result. Changes nothing.
///
/// # Errors
/// INCENTIVES_UNAVAILABLE where they are required and relationship-svc does not answer; what relationship-svc refuses
/// on purpose.
pub async fn quote<'q>(
    app: &'q App,
    call: &Call,
    snapshot: &'q Snapshot,
    ask: &'q Ask,
) -> Outcome<Quote<'q>> {
    let reach = snapshot.running().reach(&ask.basket.lines, ask.place());
    let incentives = incentives(app, call, ask, &reach).await?;
    let now = app.clock.now();
    let priced = setting(app, call, snapshot, now).await?.price(ask, &reach, &incentives, None);
    let digest = digest::of(ask);
    let claims = encode::claims(call.tenant.as_str(), ask, &priced, &incentives, &digest, now);
    let token = app.keys.seal(&claims);
    Ok(Quote { ask, priced, incentives, token, digest, age: app.snapshots.age(&call.tenant, now) })
}

/// Says of one offer what becomes of it in a quote of `ask`. `running` is false where its campaign does not run.
pub async fn explain<'q>(
    app: &'q App,
    call: &Call,
    snapshot: &'q Snapshot,
    ask: &'q Ask,
    offer: &'q Arc<Entry>,
    running: bool,
) -> Outcome<(Priced<'q>, Incentives, Verdict<'q>)> {
    let reach = snapshot.running().reach(&ask.basket.lines, ask.place());
    let incentives = incentives(app, call, ask, &reach).await?;
    let now = app.clock.now();
    let refusal = if !running || !offer.in_force(now) {
        Some(Refusal::NotRunning)
    } else if !ask.place().within(&offer.places) {
        Some(Refusal::WrongPlace)
    } else if offer.is_personal() && incentives.are_missing() {
        Some(Refusal::PeerUnavailable)
    } else if offer.is_personal() && !offer.segments.iter().any(|id| is_among(id, &incentives)) {
        Some(Refusal::NotInSegment)
    } else {
        None
    };
    let also = refusal.is_none().then_some(offer);
    let priced = setting(app, call, snapshot, now).await?.price(ask, &reach, &incentives, also);
    let source = Source::Offer(offer);
    let of_offer =
        |verdict: &&Verdict<'_>| matches!(verdict.source, Source::Offer(entry) if Arc::ptr_eq(entry, offer));
    let verdict = match refusal {
        Some(refusal) => Verdict { source, decided: Err(refusal) },
        None => *priced
            .verdicts
            .iter()
            .find(of_offer)
            .ok_or_else(|| Fault::internal("an offer that was tried has no decision"))?,
    };
    Ok((priced, incentives, verdict))
}

fn is_among(segment: &str, incentives: &Incentives) -> bool {
    incentives.segments().iter().any(|known| known == segment)
}

async fn setting<'s>(
    app: &'s App,
    call: &Call,
    snapshot: &'s Snapshot,
    now: jiff::Timestamp,
) -> Outcome<Setting<'s>> {
    let ttl = SignedDuration::from_secs(app.config.pricing.quote_ttl_s.into());
    let spent = app.spending.of(app, &call.tenant).await?;
    Ok(Setting { snapshot, now, zone: &app.zone, ttl, spent })
}

async fn incentives(app: &App, call: &Call, ask: &Ask, reach: &Reach<'_>) -> Outcome<Incentives> {
    if !ask.needs_incentives() {
        return Ok(Incentives::NotAsked);
    }
    let segments = reach.segments();
    let question = Question {
        customer: &ask.customer,
        guest_key: &ask.guest_key,
        codes: &ask.codes,
        currency: Some(ask.basket.currency),
        segments: (segments.len() <= MAX_SEGMENTS)
            .then(|| segments.iter().map(ToString::to_string).collect()),
        locale: &ask.locale,
        order_id: &ask.order_id,
        client_id: &ask.client_id,
    };
    match app.relationship.evaluate(call, question).await? {
        Ok(answer) => Ok(Incentives::Included(answer)),
        Err(cause) if ask.require_incentives => Err(Fault::new(
            Kind::Unavailable,
            ErrorReason::IncentivesUnavailable,
            "relationship-svc did not answer in time, and the quote requires its incentives: try again",
        )
        .with("cause", cause.name())),
        Err(_) => Ok(Incentives::Unavailable),
    }
}
