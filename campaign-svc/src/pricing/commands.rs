//! Quotes: relationship-svc is asked, the basket priced, the promise sealed. What is long is computed apart from the
//! threads that serve calls.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tandem_kernel::limits::CounterKey;
use tandem_kernel::work::{Allowance, Stop, Work};
use tandem_platform::{Call, Fault, Kind, Outcome};
use tandem_proto::campaign::v1::ErrorReason;
use tokio::sync::Semaphore;

use super::allowance::{AT_ONCE, QUOTE};
use super::entry::Entry;
use super::extent::Extent;
use super::index::Reach;
use super::price::{Ask, Incentives, Priced, Refusal, Setting, Source, Verdict};
use super::quote::Quote;
use super::seen::{Own, Seen};
use super::snapshot::Snapshot;
use super::{digest, encode, explanation};
use crate::relationship::Question;
use crate::settings::InForce;
use crate::{App, erased};

/// More segments than this are asked for all together.
const MAX_SEGMENTS: usize = 200;

/// What one call may have computed where calls are served, and its turn among those who compute long: a call has one
/// evaluation there at a time, however many quotes it asks for.
#[derive(Debug)]
pub struct Share {
    at_once: u64,
    turn: Semaphore,
}

impl Share {
    /// Of a call that asks for so many quotes.
    pub fn of(quotes: usize) -> Self {
        Self { at_once: AT_ONCE / (quotes.max(1) as u64), turn: Semaphore::new(1) }
    }
}

/// Everything a price depends on, so that it can be computed on any thread.
struct Gathered {
    app: Arc<App>,
    call: Call,
    settings: Arc<InForce>,
    snapshot: Arc<Snapshot>,
    /// What limits have counted.
    seen: Seen,
    ask: Ask,
    incentives: Incentives,
    now: Timestamp,
    age: Duration,
}

/// Prices `ask` under `snapshot`, seals the result and writes the answer. Changes nothing. `own` is what its order, and the one
/// it is to replace, take of limits.
///
/// # Errors
/// INCENTIVES_UNAVAILABLE where they are required and relationship-svc does not answer; what relationship-svc refuses
/// on purpose; QUOTE_TOO_COSTLY, and OVERLOADED where too many long evaluations wait.
pub async fn quote(
    app: &Arc<App>,
    call: &Call,
    snapshot: Arc<Snapshot>,
    ask: Ask,
    own: &Own,
    share: &Share,
) -> Outcome<Vec<u8>> {
    let reach = snapshot.running().reach(&ask.basket.lines, ask.place());
    let gathered = gather(app, call, &snapshot, ask, &reach, (own, None)).await?;
    computed(share, gathered, &reach, |gathered, reach, begin, work| {
        let priced = gathered.price(reach, None, begin, work)?;
        Ok(gathered.sealed(&priced).map(|quote| encode::quote(&quote)))
    })
    .await?
}

/// Says of one offer what becomes of it in a quote of `ask`: a Decision, written. `running` is false where its campaign
/// does not run.
///
/// # Errors
/// As [`quote`].
pub async fn explain(
    app: &Arc<App>,
    call: &Call,
    snapshot: Arc<Snapshot>,
    ask: Ask,
    own: &Own,
    (offer, running): (Arc<Entry>, bool),
) -> Outcome<Vec<u8>> {
    let reach = snapshot.running().reach(&ask.basket.lines, ask.place());
    let gathered = gather(app, call, &snapshot, ask, &reach, (own, Some(&offer))).await?;
    let share = Share::of(1);
    let explained = computed(&share, gathered, &reach, move |gathered, reach, begin, work| {
        let refusal = gathered.refusal(&offer, running);
        let also = refusal.is_none().then_some(&offer);
        let priced = gathered.price(reach, also, begin, work)?;
        let of_offer = |verdict: &&Verdict<'_>| matches!(verdict.source, Source::Offer(entry) if Arc::ptr_eq(entry, &offer));
        let verdict = match refusal {
            Some(refusal) => Some(Verdict { source: Source::Offer(&offer), decided: Err(refusal) }),
            None => priced.verdicts.iter().find(of_offer).copied(),
        };
        Ok(verdict.map(|verdict| encode::decision(&verdict, &gathered.ask, &priced, &gathered.incentives)))
    });
    explained.await?.ok_or_else(|| Fault::internal("an offer that was tried has no decision"))
}

async fn gather(
    app: &Arc<App>,
    call: &Call,
    snapshot: &Arc<Snapshot>,
    mut ask: Ask,
    reach: &Reach<'_>,
    (own, also): (&Own, Option<&Arc<Entry>>),
) -> Outcome<Gathered> {
    let settings = app.tenancy.of(app, &call.tenant).await?;
    ask.locale = ask.locale.or(&settings.locale);
    let incentives = incentives(app, call, &ask, reach).await?;
    let now = app.clock.now();
    let matching = matching(&ask, reach, &incentives, now).into_iter().chain(also);
    let seen = looked(app, call, (&ask, incentives.segments()), matching, own, now).await?;
    let age = app.snapshots.age(&call.tenant, now);
    let (app, call, snapshot) = (app.clone(), call.clone(), snapshot.clone());
    Ok(Gathered { app, call, settings, snapshot, seen, ask, incentives, now, age })
}

/// The entries that a quote meets, where any of them may count customers, or by what the basket says.
fn matching<'r>(
    ask: &Ask,
    reach: &Reach<'r>,
    incentives: &Incentives,
    now: Timestamp,
) -> Vec<&'r Arc<Entry>> {
    match reach.counts_apart() {
        true => reach.entries(incentives.segments(), ask.place(), now),
        false => Vec::new(),
    }
}

/// What limits have counted: from memory, and from the database what these entries count for single customers and values, and
/// all that `own` takes part in; `segments` are those that the customer is in. While the database is away a quote goes on with what is in memory: it does not promise that a use is
/// left.
///
/// # Errors
/// Where what limits have counted is not in memory yet and cannot be read.
pub(super) async fn looked<'e>(
    app: &App,
    call: &Call,
    (ask, segments): (&Ask, &[String]),
    entries: impl Iterator<Item = &'e Arc<Entry>>,
    own: &Own,
    now: Timestamp,
) -> Outcome<Seen> {
    let memory = Seen::from_memory(app.spending.of(app, &call.tenant).await?, ask.subject());
    let mut rows: Vec<CounterKey> = Vec::new();
    for entry in entries.filter(|entry| entry.counts_apart()) {
        let Some(limited) = entry.offer().and_then(|offer| offer.limited.as_ref()) else { continue };
        let segments = entry.counted_segments(segments);
        rows.extend(limited.rows_of(memory.subject(), ask.facts(&segments), ask.basket.currency, now));
    }
    if rows.is_empty() && *own == Own::default() {
        return Ok(memory);
    }
    let mut seen = memory.clone();
    let read = async {
        let mut reader = app.db.read().await?;
        // Only where a limit per customer is.
        let customer = match rows.iter().any(|key| key.kind.is_of_customer()) {
            true => ask.customer_id(),
            false => "",
        };
        if let Some(before) = erased::before(&app.known, &mut reader, &call.tenant, customer).await? {
            let of_before = seen.remember(before, &rows);
            rows.extend(of_before);
        }
        seen.look(&mut reader, &call.tenant, rows, own, now).await
    };
    match read.await {
        Ok(()) => Ok(seen),
        Err(fault) if fault.kind() == Kind::Unavailable => Ok(memory),
        Err(fault) => Err(fault),
    }
}

/// Computes here what is short. What is estimated to be long, or turns out to be, is computed from its beginning where
/// it holds nobody up; the answer is the same.
async fn computed<T, F>(share: &Share, gathered: Gathered, reach: &Reach<'_>, compute: F) -> Outcome<T>
where
    F: Fn(&Gathered, &Reach<'_>, u64, &mut Work) -> Result<T, Stop> + Send + 'static,
    T: Send + 'static,
{
    let here = Allowance { total: share.at_once, ..QUOTE };
    if let Ok(computed) = compute(&gathered, reach, share.at_once, &mut Work::new(here)) {
        return Ok(computed);
    }
    let _turn = share.turn.acquire().await;
    let heavy = gathered.app.heavy.clone();
    let computed = heavy.run(move |gone| {
        let reach = gathered.snapshot.running().reach(&gathered.ask.basket.lines, gathered.ask.place());
        compute(&gathered, &reach, u64::MAX, &mut Work::new(QUOTE).until(gone))
    });
    computed.await?.map_err(refused)
}

fn refused(stop: Stop) -> Fault {
    match stop {
        Stop::TooMuch { limit } => {
            let message = "the basket meets more offers, rules and codes than one quote may evaluate";
            Fault::precondition(ErrorReason::QuoteTooCostly, message).with("limit_steps", limit)
        }
        Stop::Gone => Fault::deadline_exceeded(),
    }
}

impl Gathered {
    fn price<'q>(
        &'q self,
        reach: &Reach<'q>,
        also: Option<&'q Arc<Entry>>,
        begin: u64,
        work: &mut Work,
    ) -> Result<Priced<'q>, Stop> {
        let setting = Setting {
            snapshot: &self.snapshot,
            now: self.now,
            zone: self.settings.zone.rules(),
            ttl: self.settings.quote_ttl,
            segments: self.incentives.segments(),
            seen: &self.seen,
            begin,
        };
        setting.price(&self.ask, reach, &self.incentives, also, work)
    }

    fn sealed<'q>(&'q self, priced: &'q Priced<'q>) -> Outcome<Quote<'q>> {
        let Self { app, call, ask, incentives, now, age, .. } = self;
        let (told, left_out) = Extent { ask, priced, incentives }.told()?;
        let digest = digest::of(ask);
        let why = explanation::of(ask, priced, incentives);
        let claims = encode::claims(call.tenant.as_str(), ask, priced, incentives, &digest, *now, &why);
        let token = app.keys.seal(&claims);
        Ok(Quote { ask, priced, told, left_out, incentives, token, digest, age: *age })
    }

    /// Why an offer is not tried at all.
    fn refusal(&self, offer: &Entry, running: bool) -> Option<Refusal> {
        let incentives = &self.incentives;
        if !running || !offer.in_force(self.now) {
            Some(Refusal::NotRunning)
        } else if !self.ask.place().within(&offer.places) {
            Some(Refusal::WrongPlace)
        } else if offer.is_personal() && incentives.are_missing() {
            Some(Refusal::PeerUnavailable)
        } else if offer.is_personal() && !offer.segments.iter().any(|id| is_among(id, incentives)) {
            Some(Refusal::NotInSegment)
        } else {
            None
        }
    }
}

fn is_among(segment: &str, incentives: &Incentives) -> bool {
    incentives.segments().iter().any(|known| known == segment)
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
        locale: ask.locale.tag(),
        order_id: &ask.order_id,
        replaces: &ask.replaces,
        client_id: &ask.client_id,
        place: &ask.place,
        attributes: &ask.basket.attributes,
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
