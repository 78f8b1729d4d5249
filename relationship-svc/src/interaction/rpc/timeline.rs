//! The timeline: several sources, each newest first, merged by time in bounded pages.
//!
//! A place in it is (time, source, key), so that a page begins behind the last entry of the one before whatever was recorded
//! meanwhile. Another source is another [`Source`] with its reading; all else stays.

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::money::Money;
use tandem_kernel::page::Listing;
use tandem_platform::db::Reader;
use tandem_platform::{Call, Fault, Outcome, Violations, field, grpc};
use tandem_proto::convert::{self, to_timestamp};
use tandem_proto::relationship::v1::{
    self, InteractionType, ListInteractionsRequest, ListInteractionsResponse, TimelineEntry, TimelineSource,
    timeline_entry::What,
};
use uuid::Uuid;

use super::super::order::Order;
use super::super::store::{self, Entry, Span};
use super::super::{Details, Kind};
use super::parse;
use crate::App;
use crate::consent::{self, Consent};
use crate::customer::store::alias;
use crate::redemption::{self, Redemption};
use crate::relationship::Who;

/// Entries that one call looks at; past it the page is short and has a token to go on.
const SCAN: usize = 10_000;
/// Entries of one source read at once where types leave some out.
const CHUNK: usize = 500;

/// Where entries come from. Of one moment the later one of these comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Interactions,
    Orders,
    Redemptions,
    Consents,
}

const SOURCES: [Source; 4] = [Source::Interactions, Source::Orders, Source::Redemptions, Source::Consents];

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: Timestamp,
    source: Source,
    key: String,
}

impl Place {
    /// Before everything that happened before `end`.
    fn begin(end: Timestamp) -> Self {
        Self { at: end, source: Source::Interactions, key: String::new() }
    }

    fn keys(&self) -> [String; 3] {
        let source = SOURCES.iter().position(|one| *one == self.source).unwrap_or_default();
        [self.at.as_microsecond().to_string(), source.to_string(), self.key.clone()]
    }

    fn of_keys(keys: &[String]) -> Option<Self> {
        let [at, source, key] = keys else { return None };
        let at = Timestamp::from_microsecond(at.parse().ok()?).ok()?;
        Some(Self { at, source: *SOURCES.get(source.parse::<usize>().ok()?)?, key: key.clone() })
    }

    /// Before what of `source` this place is, by time and key: of a later source all of its own moment is still to come.
    fn before(&self, source: Source) -> (Timestamp, &str) {
        match source.cmp(&self.source) {
            std::cmp::Ordering::Less => (self.at, LAST),
            std::cmp::Ordering::Equal => (self.at, &self.key),
            std::cmp::Ordering::Greater => (self.at, ""),
        }
    }
}

/// Behind every key: none has a character behind the tilde.
const LAST: &str = "\u{10FFFF}";

/// What is asked for.
struct Selection {
    who: Who,
    /// Other names of theirs under which what they did may still stand.
    others: Vec<Who>,
    sources: Vec<Source>,
    types: Vec<Kind>,
    from: Timestamp,
}

impl Selection {
    fn shows(&self, kind: Kind) -> bool {
        self.types.is_empty() || self.types.contains(&kind)
    }
}

/// Has whoever counts for a customer asked for instead; answers under which other names what they redeemed may still stand.
async fn names(app: &App, call: &Call, selection: &mut Selection) -> Outcome<Vec<Who>> {
    let Who::Customer(id) = &selection.who else { return Ok(Vec::new()) };
    let mut reader = app.db.read().await?;
    let known = alias::known(&mut reader, &call.tenant, vec![id.clone()], Vec::new()).await?;
    let kept = known.customer(id).unwrap_or(id).to_owned();
    let open = known.open(&kept).iter().filter_map(|person| Who::parse(person)).collect();
    selection.who = Who::Customer(kept);
    Ok(open)
}

/// ListInteractions.
pub async fn list(
    app: &Arc<App>,
    call: &Call,
    request: ListInteractionsRequest,
) -> Outcome<ListInteractionsResponse> {
    let mut v = Violations::new();
    let size = usize::try_from(grpc::page_size(&mut v, request.page_size)).unwrap_or(usize::MAX);
    let (mut selection, end) = selection(&mut v, &request);
    v.finish()?;
    selection.others = names(app, call, &mut selection).await?;
    let ListInteractionsRequest { customer, guest_key, sources, types, start_time, end_time, .. } = &request;
    let filter = format!("{customer}\n{guest_key}\n{sources:?}\n{types:?}\n{start_time:?}\n{end_time:?}");
    let listing = Listing {
        tenant: call.tenant.as_str(),
        list: "ListInteractions",
        filter: &filter,
        ..Listing::default()
    };
    let resumed = listing.resume(&request.page_token).map_err(|_| Fault::invalid_page_token())?;
    let mut place = match resumed {
        None => Place::begin(end),
        Some(keys) => Place::of_keys(&keys).ok_or_else(Fault::invalid_page_token)?,
    };
    let (mut page, mut more, mut looked_at) = (Vec::new(), true, 0);
    while more && page.len() < size && looked_at < SCAN {
        let chunk = if selection.types.is_empty() { size - page.len() + 1 } else { CHUNK };
        let (entries, reached) = merged(app, call, &selection, &place, chunk).await?;
        more = reached.is_some();
        for (at, entry) in entries {
            if page.len() == size {
                more = true;
                break;
            }
            looked_at += 1;
            place = at;
            page.extend(entry.map(|entry| (place.clone(), entry)));
        }
    }
    let entries = grpc::fitting(page.iter().map(|(_, entry)| entry.clone()));
    if let Some((last, _)) = grpc::cut(&page, entries.len()) {
        (place, more) = (last.clone(), true);
    }
    let next_page_token = if more { listing.token(&place.keys()) } else { String::new() };
    Ok(ListInteractionsResponse { entries, next_page_token })
}

fn selection(v: &mut Violations, request: &ListInteractionsRequest) -> (Selection, Timestamp) {
    let who = parse::who(v, &request.customer, &request.guest_key);
    let mut types = Vec::new();
    for (index, given) in request.types.iter().enumerate() {
        match InteractionType::try_from(*given).ok().and_then(parse::kind_of) {
            Some(kind) => types.push(kind),
            None => v.add(format!("types[{index}]"), format!("{given} is no type of interaction")),
        }
    }
    let mut asked = Vec::new();
    for (index, given) in request.sources.iter().enumerate() {
        match TimelineSource::try_from(*given) {
            Ok(TimelineSource::Interactions) => asked.push(TimelineSource::Interactions),
            Ok(TimelineSource::Redemptions) => asked.push(TimelineSource::Redemptions),
            Ok(TimelineSource::Consents) => asked.push(TimelineSource::Consents),
            _ => v.add(format!("sources[{index}]"), format!("{given} is no source of a timeline")),
        }
    }
    let wants = |source: TimelineSource| match (asked.is_empty(), types.is_empty()) {
        // Whoever names types asks for interactions.
        (true, false) => source == TimelineSource::Interactions,
        (true, true) => true,
        (false, _) => asked.contains(&source),
    };
    let shows = |kind: Kind| types.is_empty() || types.contains(&kind);
    let sources = SOURCES.into_iter().filter(|source| match source {
        Source::Interactions => {
            wants(TimelineSource::Interactions)
                && Kind::ALL.into_iter().any(|kind| kind != Kind::Order && shows(kind))
        }
        Source::Orders => wants(TimelineSource::Interactions) && shows(Kind::Order),
        Source::Redemptions => wants(TimelineSource::Redemptions),
        Source::Consents => wants(TimelineSource::Consents),
    });
    let sources = sources.collect();
    let mut moment = |field: &str, given: Option<&prost_types::Timestamp>, absent: Timestamp| {
        let given = given.and_then(|at| field::read(v, |problems| convert::timestamp(field, at, problems)));
        given.unwrap_or(absent)
    };
    let from = moment("start_time", request.start_time.as_ref(), FIRST);
    let end = moment("end_time", request.end_time.as_ref(), LATEST);
    (Selection { who, others: Vec::new(), sources, types, from }, end)
}

/// Whatever anybody can say happened in between; both engines keep it.
const FIRST: Timestamp = Timestamp::constant(-62_135_596_800, 0);
const LATEST: Timestamp = Timestamp::constant(253_402_207_199, 0);

/// What is behind `place`, newest first, and as far as all sources were read; `None`: to the end. What the types leave out has
/// no entry.
async fn merged(
    app: &App,
    call: &Call,
    selection: &Selection,
    place: &Place,
    chunk: usize,
) -> Outcome<(Vec<(Place, Option<TimelineEntry>)>, Option<Place>)> {
    let (mut entries, mut reached) = (Vec::new(), None);
    for source in &selection.sources {
        let read = read(app, call, selection, *source, place, chunk).await?;
        if read.len() >= chunk {
            // Behind its last entry there may be more of it: nothing of the others may come before that.
            reached = reached.max(read.last().map(|(at, _)| at.clone()));
        }
        entries.extend(read);
    }
    entries.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
    if let Some(reached) = &reached {
        entries.retain(|(at, _)| at >= reached);
    }
    Ok((entries, reached))
}

async fn read(
    app: &App,
    call: &Call,
    selection: &Selection,
    source: Source,
    place: &Place,
    chunk: usize,
) -> Outcome<Vec<(Place, Option<TimelineEntry>)>> {
    let Selection { who, others, from, .. } = selection;
    let (span, limit) =
        (Span { from: *from, before: place.before(source) }, i64::try_from(chunk).unwrap_or(i64::MAX));
    let mut reader = app.db.read().await?;
    let at = |at: Timestamp, key: String| Place { at, source, key };
    let mut read = Vec::new();
    for whose in std::iter::once(who).chain(others) {
        read.extend(match source {
            Source::Interactions => {
                let found = store::newest(&mut reader, &call.tenant, whose, span, limit).await?;
                let entry = |one: Entry| {
                    let shown = selection.shows(one.kind).then(|| interaction(who, &one));
                    (at(one.at, one.event_id), shown)
                };
                found.into_iter().map(entry).collect::<Vec<_>>()
            }
            Source::Orders => {
                let found = store::order::newest(&mut reader, &call.tenant, whose, span, limit).await?;
                let placed = found.into_iter().filter_map(|one| Some((one.placed?, one)));
                let entry =
                    |(placed, one): (_, Order)| (at(placed, one.id.clone()), Some(order(who, placed, &one)));
                placed.map(entry).collect()
            }
            Source::Redemptions => redemptions(&mut reader, call, whose, span, limit).await?,
            Source::Consents => consents(&mut reader, call, whose, span, chunk).await?,
        });
    }
    // Of several names at most as much as of one: what is left out is still to come.
    read.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
    read.truncate(chunk);
    Ok(read)
}

async fn redemptions(
    reader: &mut Reader,
    call: &Call,
    who: &Who,
    span: Span<'_>,
    limit: i64,
) -> Outcome<Vec<(Place, Option<TimelineEntry>)>> {
    let id = Uuid::try_parse(span.before.1).ok();
    let before = id.unwrap_or_else(|| bound(span.before.0, span.before.1 == LAST));
    let by = match who {
        Who::Customer(id) => redemption::store::By::Customer(id),
        Who::Guest(key) => redemption::store::By::Guest(key),
    };
    let found = redemption::store::newest(reader, &call.tenant, by, before, limit).await?;
    let since = found.into_iter().map(|one| (moment(one.id), one)).take_while(|(when, _)| *when >= span.from);
    let at = |at: Timestamp, key: String| Place { at, source: Source::Redemptions, key };
    Ok(since.map(|(when, one)| (at(when, one.id.to_string()), Some(redeemed(&one)))).collect())
}

/// A guest says nothing that holds.
async fn consents(
    reader: &mut Reader,
    call: &Call,
    who: &Who,
    span: Span<'_>,
    limit: usize,
) -> Outcome<Vec<(Place, Option<TimelineEntry>)>> {
    let Some(id) = who.id() else { return Ok(Vec::new()) };
    let last = if span.before.1 == LAST { Uuid::max() } else { Uuid::nil() };
    let before = (span.before.0, Uuid::try_parse(span.before.1).unwrap_or(last));
    let found = consent::store::newest(reader, &call.tenant, id, before, limit).await?;
    let since = found.into_iter().take_while(|one| one.at >= span.from);
    let at = |one: &Consent| Place { at: one.at, source: Source::Consents, key: one.id.to_string() };
    Ok(since.map(|one| (at(&one), Some(said(&one)))).collect())
}

/// Redemptions are found by their ids, which ascend with the millisecond they were made in: that is their time here.
fn moment(id: Uuid) -> Timestamp {
    let millis = id.as_u128() >> 80;
    Timestamp::from_millisecond(i64::try_from(millis).unwrap_or(i64::MAX)).unwrap_or(LATEST)
}

/// The id before which all are whose moment is before `at`; with `its_own` those of `at` too.
fn bound(at: Timestamp, its_own: bool) -> Uuid {
    let micros = at.as_microsecond().max(0);
    let millis = if its_own {
        micros.div_euclid(1_000) + 1
    } else {
        micros.div_euclid(1_000) + i64::from(micros % 1_000 != 0)
    };
    Uuid::from_u128(u128::try_from(millis).unwrap_or_default().min((1 << 48) - 1) << 80)
}

fn interaction(who: &Who, one: &Entry) -> TimelineEntry {
    let message = v1::Interaction {
        event_id: one.event_id.clone(),
        r#type: wire(one.kind).into(),
        event_time: Some(to_timestamp(one.at)),
        amount: one.amount.map(Into::into),
        order_id: one.order.clone().unwrap_or_default(),
        record_time: Some(to_timestamp(one.recorded)),
        ..detailed(who, &one.details)
    };
    TimelineEntry { event_time: Some(to_timestamp(one.at)), what: Some(What::Interaction(message)) }
}

fn order(who: &Who, placed: Timestamp, one: &Order) -> TimelineEntry {
    let back = one.amount.and_then(|amount| {
        let minor = one.back().get(&amount.currency).copied().filter(|minor| *minor != 0)?;
        Some(Money::new(minor, amount.currency).into())
    });
    let message = v1::Interaction {
        event_id: one.details.event_id.clone(),
        r#type: InteractionType::Order.into(),
        event_time: Some(to_timestamp(placed)),
        amount: one.amount.map(Into::into),
        order_id: one.id.clone(),
        record_time: Some(to_timestamp(one.recorded)),
        returned: back,
        cancelled: one.cancelled,
        from_campaign: one.told > 0,
        ..detailed(who, &one.details)
    };
    TimelineEntry { event_time: Some(to_timestamp(placed)), what: Some(What::Interaction(message)) }
}

fn redeemed(one: &Redemption) -> TimelineEntry {
    let message = redemption::events::message(one);
    TimelineEntry { event_time: Some(to_timestamp(one.created)), what: Some(What::Redemption(message)) }
}

fn said(one: &Consent) -> TimelineEntry {
    let message = consent::events::without_proof(one);
    TimelineEntry { event_time: Some(to_timestamp(one.at)), what: Some(What::Consent(message)) }
}

fn detailed(who: &Who, details: &Details) -> v1::Interaction {
    let named = |id: &str| tandem_kernel::id::name("products", id);
    v1::Interaction {
        customer: who.customer(),
        guest_key: who.guest().to_owned(),
        product: if details.product.is_empty() { String::new() } else { named(&details.product) },
        medium: details.medium.clone(),
        place: details.place.clone(),
        rating: details.rating.map(|one| v1::Rating {
            value: one.value,
            lowest: one.lowest,
            highest: one.highest,
        }),
        attributes: details.attributes.clone(),
        ..v1::Interaction::default()
    }
}

fn wire(kind: Kind) -> InteractionType {
    match kind {
        Kind::Visit => InteractionType::Visit,
        Kind::Basket => InteractionType::Basket,
        Kind::Order => InteractionType::Order,
        Kind::Payment => InteractionType::Payment,
        Kind::Delivery => InteractionType::Delivery,
        Kind::Return => InteractionType::Return,
        Kind::Support => InteractionType::Support,
        Kind::Review => InteractionType::Review,
        Kind::MessageOpen => InteractionType::MessageOpen,
        Kind::MessageClick => InteractionType::MessageClick,
        Kind::Reply => InteractionType::Reply,
        Kind::SurveyAnswer => InteractionType::SurveyAnswer,
        Kind::Custom => InteractionType::Custom,
    }
}
