//! Events of relationship-svc that could not be taken in: set aside with an event of our own, tried again by command.

use jiff::Timestamp;
use tandem_kernel::page::Listing;
use tandem_platform::outbox::consumer::aside::{self, Aside};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Core, Fault, Kind, Outcome, Tenant, Tx, Violations, grpc, transact};
use tandem_proto::campaign::v1::{
    ListSetAsideEventsRequest, ListSetAsideEventsResponse, RetrySetAsideEventsRequest,
    RetrySetAsideEventsResponse, SetAsideEvent,
};
use tandem_proto::common::v1::Event;
use tandem_proto::convert::to_timestamp;
use uuid::Uuid;

use super::{CONSUMER, events, store};

/// Why: a newer relationship-svc, or a defect of ours.
pub const NOT_UNDERSTOOD: &str = "it is not understood: update campaign-svc, then try again";
/// Why: something about it does not go into the database.
pub const REFUSED: &str =
    "the database refuses it: the log of campaign-svc says what, at the time of setting aside";

/// The most events that one call tries again.
const MOST: usize = 1_000;

/// Sets an event aside and tells of it.
pub(super) async fn set(
    core: &Core,
    tx: &mut Tx,
    tenant: &Tenant,
    event: (Uuid, &Event),
    reason: &str,
    now: Timestamp,
) -> Outcome<()> {
    tracing::error!(%tenant, event = %event.0, reason, "an event of relationship-svc was set aside");
    aside::set(tx, CONSUMER, tenant, event, reason, now).await?;
    let call = Call::system(tenant.as_str());
    let mut batch = Batch::new(&call, core.ids.as_ref(), now);
    batch.push(events::set_aside(event.1, reason));
    outbox::append(tx, batch).await
}

/// ListSetAsideEvents.
pub async fn list(
    core: &Core,
    call: &Call,
    request: ListSetAsideEventsRequest,
) -> Outcome<ListSetAsideEventsResponse> {
    let mut v = Violations::new();
    let size = grpc::page_size(&mut v, request.page_size);
    v.finish()?;
    let listing = Listing { tenant: call.tenant.as_str(), list: "ListSetAsideEvents", ..Listing::default() };
    let after = match listing.resume(&request.page_token).map_err(|_| Fault::invalid_page_token())?.as_deref()
    {
        None => Uuid::nil(),
        Some([id]) => id.parse().map_err(|_| Fault::invalid_page_token())?,
        Some(_) => return Err(Fault::invalid_page_token()),
    };
    let mut reader = core.db.read().await?;
    let found = aside::list(&mut reader, CONSUMER, &call.tenant, after, i64::from(size) + 1).await?;
    let events = grpc::fitting(found.iter().take(size as usize).map(message));
    let last = grpc::cut(&found, events.len());
    let next_page_token = last.map(|last| listing.token(&[last.id.to_string()])).unwrap_or_default();
    Ok(ListSetAsideEventsResponse { events, next_page_token })
}

/// RetrySetAsideEvents.
pub async fn retry(
    core: &Core,
    call: &Call,
    request: RetrySetAsideEventsRequest,
) -> Outcome<RetrySetAsideEventsResponse> {
    let mut v = Violations::new();
    let fits = request.event_ids.len() <= MOST;
    v.check(fits, "event_ids", format!("must have at most {MOST} entries"));
    let mut wanted: Vec<Uuid> = Vec::new();
    for (index, id) in request.event_ids.iter().take(MOST).enumerate() {
        match Uuid::parse_str(id) {
            Ok(id) => wanted.push(id),
            Err(_) => v.add(format!("event_ids[{index}]"), "must be the id of an event"),
        }
    }
    v.finish()?;
    let found = find(core, &call.tenant, &wanted).await?;
    let mut response = RetrySetAsideEventsResponse::default();
    for one in found {
        match try_again(core, &call.tenant, &one).await {
            Ok(true) => response.taken_in.push(one.id.to_string()),
            Ok(false) => {}
            Err(fault) if fault.kind() == Kind::Internal => {
                tracing::error!(tenant = %call.tenant, event = %one.id, ?fault, "an event stays set aside");
                response.still_set_aside.push(message(&one));
            }
            Err(fault) => return Err(fault),
        }
    }
    response.still_set_aside = grpc::fitting(response.still_set_aside);
    Ok(response)
}

/// Those that are wanted; the first ones where none is named.
async fn find(core: &Core, tenant: &Tenant, wanted: &[Uuid]) -> Outcome<Vec<Aside>> {
    let mut reader = core.db.read().await?;
    if wanted.is_empty() {
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        return aside::list(&mut reader, CONSUMER, tenant, Uuid::nil(), most).await;
    }
    aside::find(&mut reader, CONSUMER, tenant, wanted).await
}

/// Takes one event in; false where somebody else has meanwhile.
async fn try_again(core: &Core, tenant: &Tenant, one: &Aside) -> Outcome<bool> {
    let now = core.clock.now();
    let feedback =
        events::feedback(&one.event).ok_or_else(|| Fault::internal("an event is still not understood"))?;
    transact!(core.db, |tx| {
        if !aside::take(tx, CONSUMER, tenant, one.id).await? {
            return Ok(false);
        }
        store::save(tx, &[(tenant, &feedback)], now).await?;
        Ok(true)
    })
}

fn message(one: &Aside) -> SetAsideEvent {
    let set_aside_time = Some(to_timestamp(one.since));
    SetAsideEvent { event: Some(one.event.clone()), reason: one.reason.clone(), set_aside_time }
}
