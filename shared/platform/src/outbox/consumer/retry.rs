//! Events that were set aside, listed and tried again by command.

use prost::Message;
use tandem_kernel::page::Listing;
use uuid::Uuid;

use super::aside::{self, Aside};
use super::take::Follower;
use crate::call::{Call, Tenant};
use crate::fault::{Fault, Kind, Outcome, Violations};
use crate::{grpc, transact};

/// The most events that one call tries again.
const MOST: usize = 1_000;

/// One page of those that are set aside, as `message` shows them, and the token of the next.
pub async fn page<F: Follower, M: Message>(
    follower: &F,
    call: &Call,
    (page_size, page_token): (i32, &str),
    message: impl Fn(&Aside) -> M,
) -> Outcome<(Vec<M>, String)> {
    let mut v = Violations::new();
    let size = grpc::page_size(&mut v, page_size);
    v.finish()?;
    let listing = Listing { tenant: call.tenant.as_str(), list: "ListSetAsideEvents", ..Listing::default() };
    let after = match listing.resume(page_token).map_err(|_| Fault::invalid_page_token())?.as_deref() {
        None => Uuid::nil(),
        Some([id]) => id.parse().map_err(|_| Fault::invalid_page_token())?,
        Some(_) => return Err(Fault::invalid_page_token()),
    };
    let mut reader = follower.core().db.read().await?;
    let found = aside::list(&mut reader, F::CONSUMER, &call.tenant, after, i64::from(size) + 1).await?;
    let events = grpc::fitting(found.iter().take(size as usize).map(message));
    let last = grpc::cut(&found, events.len());
    let next_page_token = last.map(|last| listing.token(&[last.id.to_string()])).unwrap_or_default();
    Ok((events, next_page_token))
}

/// Which ones a caller names to be tried again.
pub fn wanted(event_ids: &[String]) -> Outcome<Vec<Uuid>> {
    let mut v = Violations::new();
    v.check(event_ids.len() <= MOST, "event_ids", format!("must have at most {MOST} entries"));
    let mut wanted: Vec<Uuid> = Vec::new();
    for (index, id) in event_ids.iter().take(MOST).enumerate() {
        match Uuid::parse_str(id) {
            Ok(id) => wanted.push(id),
            Err(_) => v.add(format!("event_ids[{index}]"), "must be the id of an event"),
        }
    }
    v.finish().map(|()| wanted)
}

/// What became of those that were tried again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retried {
    /// They are taken in now.
    pub taken_in: Vec<Uuid>,
    /// They still cannot be.
    pub still: Vec<Aside>,
}

/// Tries those that are `wanted` again, each by itself; the first ones where none is named.
pub async fn retry<F: Follower>(follower: &F, tenant: &Tenant, wanted: &[Uuid]) -> Outcome<Retried> {
    let mut tried = Retried::default();
    for one in find(follower, tenant, wanted).await? {
        match try_again(follower, tenant, &one).await {
            Ok(true) => tried.taken_in.push(one.id),
            Ok(false) => {}
            Err(fault) if fault.kind() == Kind::Internal => {
                tracing::error!(%tenant, event = %one.id, ?fault, "an event stays set aside");
                tried.still.push(one);
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(tried)
}

async fn find<F: Follower>(follower: &F, tenant: &Tenant, wanted: &[Uuid]) -> Outcome<Vec<Aside>> {
    let mut reader = follower.core().db.read().await?;
    if wanted.is_empty() {
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        return aside::list(&mut reader, F::CONSUMER, tenant, Uuid::nil(), most).await;
    }
    aside::find(&mut reader, F::CONSUMER, tenant, wanted).await
}

/// Takes one event in; false where somebody else has meanwhile.
async fn try_again<F: Follower>(follower: &F, tenant: &Tenant, one: &Aside) -> Outcome<bool> {
    let core = follower.core();
    let now = core.clock.now();
    let news =
        F::understand(&one.event).ok_or_else(|| Fault::internal("an event is still not understood"))?;
    transact!(core.db, |tx| {
        if !aside::take(tx, F::CONSUMER, tenant, one.id).await? {
            return Ok(false);
        }
        follower.save(tx, &[(tenant, &news)], now).await?;
        Ok(true)
    })
}
