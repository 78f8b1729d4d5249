//! Events: written with the change they tell of, numbered after its commit, read by whoever follows.
//!
//! A transaction leaves all its events in one row of `event_batch` ([`append`]). The row has no position yet: numbers
//! given inside transactions become visible out of order, and a reader that has passed 7 never sees a 6 that commits
//! later. The [`Relay`], one task on every replica, gives positions to what *has* committed; a lock on one row elects
//! the replica for each pass. **Each tenant is numbered by itself**: one number for all would be one row that every
//! write waits for. Events are addressed as (position, seq) within their tenant, ascending; a position may be left out.
//!
//! [`subscribe`] reads one tenant's events in that order, for ever; [`merge`] reads all tenants' as one stream, for the
//! other service, which follows with a stored cursor for each tenant and deduplicates by event id: [`consumer`].
//!
//! Where nothing happens nothing is done: a pass asks once for all tenants who has news, a sweep who has something old.

pub mod consumer;
mod feed;
mod keep;
mod merge;
mod page;
mod relay;
mod subscribe;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use prost::Message;
use tandem_kernel::clock::Ids;
use tandem_proto::common::v1::{Event, EventBatch};
use uuid::Uuid;

pub use feed::{Asked, Said, feed, feed_all};
pub use keep::{keep, sweep};
pub use merge::{Gap, Told, merge};
pub use page::head;
pub use relay::{Relay, RelayConfig};
pub use subscribe::{Delivery, Filter, follow, subscribe};

use crate::call::{Call, Tenant};
use crate::db::{Statement, Tx, Write};
use crate::fault::Outcome;

const APPEND: Statement =
    Statement::same("INSERT INTO event_batch (tenant, id, created, payload) VALUES ($1, $2, $3, $4)");

/// Every statement of the outbox, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("append", APPEND),
    ("news", relay::NEWS),
    ("found", relay::FOUND),
    ("elect", relay::ELECT),
    ("number", relay::NUMBER),
    ("advance_relay", relay::ADVANCE),
    ("moved", relay::MOVED),
    ("lag", relay::LAG),
    ("due", keep::DUE),
    ("hold", keep::HOLD),
    ("oldest", keep::OLDEST),
    ("forget", keep::FORGET),
    ("remember", keep::REMEMBER),
    ("head", page::HEAD),
    ("heads", page::HEADS),
    ("page", page::PAGE),
    ("pages", page::PAGES),
    ("load_cursors", consumer::LOAD),
    ("advance_cursors", consumer::ADVANCE),
    ("reset_cursor", consumer::RESET),
    ("first_time", consumer::FIRST_TIME),
    ("forget_consumed", consumer::FORGET),
    ("set_aside", consumer::aside::SET),
    ("set_aside_list", consumer::aside::LIST),
    ("set_aside_find", consumer::aside::FIND),
    ("set_aside_take", consumer::aside::TAKE),
    ("set_aside_count", consumer::aside::COUNT),
    ("lead", consumer::lead::LEAD),
    ("resign", consumer::lead::RESIGN),
];

/// What happened, as an aggregate's `events.rs` tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The full name of the payload's message: "tandem.relationship.v1.VoucherRedeemed".
    pub type_: &'static str,
    /// The resource name of what changed: "redemptions/0192…".
    pub aggregate: String,
    /// Ascending per aggregate; consumers order by it.
    pub version: i64,
    /// The message itself.
    pub payload: prost_types::Any,
}

impl Recorded {
    /// An event of the message `payload`, whose full name is `type_`.
    pub fn new<M: Message>(type_: &'static str, aggregate: String, version: i64, payload: &M) -> Self {
        let (type_url, value) = (format!("type.googleapis.com/{type_}"), payload.encode_to_vec());
        Self { type_, aggregate, version, payload: prost_types::Any { type_url, value } }
    }
}

/// The events of one transaction, in the order in which they were pushed.
pub struct Batch<'a> {
    id: Uuid,
    tenant: Tenant,
    principal: Arc<str>,
    now: Timestamp,
    ids: &'a dyn Ids,
    events: Vec<Event>,
}

impl<'a> Batch<'a> {
    /// An empty batch of the tenant of `call`, decided at `now`.
    pub fn new(call: &Call, ids: &'a dyn Ids, now: Timestamp) -> Self {
        let principal = call.principal.clone();
        Self { id: ids.next(now), tenant: call.tenant.clone(), principal, now, ids, events: Vec::new() }
    }

    /// Adds an event on behalf of the batch's own caller.
    pub fn push(&mut self, recorded: Recorded) {
        let principal = self.principal.clone();
        self.push_as(&principal, recorded);
    }

    /// Adds an event on behalf of `principal`: a lane's transaction serves many callers.
    pub fn push_as(&mut self, principal: &str, recorded: Recorded) {
        let seq = i32::try_from(self.events.len()).unwrap_or(i32::MAX);
        self.events.push(Event {
            id: self.ids.next(self.now).to_string(),
            position: 0,
            seq,
            tenant: self.tenant.as_str().to_owned(),
            r#type: recorded.type_.to_owned(),
            aggregate: recorded.aggregate,
            aggregate_version: recorded.version,
            occur_time: Some(timestamp(self.now)),
            principal: principal.to_owned(),
            payload: Some(recorded.payload),
        });
    }

    /// The id under which they are kept.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_microsecond();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

/// Stores the events with the change: one row, nothing for an empty batch. A transaction may append batches of several
/// tenants.
pub async fn append(tx: &mut Tx, batch: Batch<'_>) -> Outcome<()> {
    let tenant = batch.tenant.clone();
    match write(batch) {
        Some(events) => events.run(tx, &tenant).await,
        None => Ok(()),
    }
}

/// The same, to travel with what else is written of the batch's tenant.
pub fn write(batch: Batch<'_>) -> Option<Write> {
    let Batch { id, now, events, .. } = batch;
    let payload = (!events.is_empty()).then(|| EventBatch { events }.encode_to_vec())?;
    Some(Write::new(APPEND).uuid(id).instant(now).bytes(payload).telling())
}

/// The address of an event within its tenant. A follower that has taken it in resumes after it. Written "position.seq".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// Of the transaction; from 1. 0: before everything.
    pub position: i64,
    /// Within the transaction; from 0.
    pub seq: i32,
}

impl Cursor {
    /// Before everything that is kept without a gap since the first event.
    pub const START: Self = Self { position: 0, seq: 0 };

    /// After the last event of the transaction at `position`.
    pub fn after(position: i64) -> Self {
        Self { position, seq: i32::MAX }
    }

    /// The address of a delivered event.
    pub fn of(event: &Event) -> Self {
        Self { position: event.position, seq: event.seq }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.position, self.seq)
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is written \"position.seq\"")]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let (position, seq) = text.split_once('.').ok_or(NotACursor)?;
        if !plain(position) || !plain(seq) {
            return Err(NotACursor);
        }
        Ok(Self {
            position: position.parse().map_err(|_| NotACursor)?,
            seq: seq.parse().map_err(|_| NotACursor)?,
        })
    }
}
