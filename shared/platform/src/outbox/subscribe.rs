//! Reads events in the order of their positions, and waits for more.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use prost::Message;
use tandem_proto::common::v1::{Event, EventBatch};
use tokio::sync::watch;

use super::Cursor;
use crate::call::Tenant;
use crate::db::{Db, Statement};
use crate::fault::{Fault, Outcome};
use crate::on_engine;

pub(super) const PAGE: Statement = Statement::same(
    "SELECT position, payload FROM event_batch WHERE position >= $1 ORDER BY position LIMIT $2",
);

/// Transactions read at once.
const PAGE_SIZE: i64 = 64;
/// How long a follower sleeps at most: a process without a relay of its own is never woken.
const PATIENCE: Duration = Duration::from_secs(1);

/// Which events a follower wants. Empty: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this tenant only.
    pub tenant: Option<Tenant>,
    /// Whose type starts with one of these: "tandem.relationship.v1.Voucher". Empty: any.
    pub types: Vec<String>,
    /// Whose aggregate starts with one of these: "redemptions/". Empty: any.
    pub aggregates: Vec<String>,
}

impl Filter {
    /// Whether the follower wants it.
    pub fn admits(&self, event: &Event) -> bool {
        let any = |prefixes: &[String], text: &str| {
            prefixes.is_empty() || prefixes.iter().any(|prefix| text.starts_with(prefix.as_str()))
        };
        self.tenant.as_ref().is_none_or(|tenant| tenant.as_str() == event.tenant)
            && any(&self.types, &event.r#type)
            && any(&self.aggregates, &event.aggregate)
    }
}

/// What a follower receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// An event that the filter admits.
    Event(Box<Event>),
    /// Everything up to here was looked at, the last of it not admitted: a cursor to keep, so that a rare filter does
    /// not fall behind the retention.
    Progress(Cursor),
}

/// Follows the events after `cursor`, for ever; without a cursor, from the oldest one that is kept. Ends after the
/// first error. OUT_OF_RANGE `CURSOR_EXPIRED` where events after the cursor are no longer kept, or where the cursor
/// is not of this database.
pub fn subscribe(
    db: &Db,
    cursor: Option<Cursor>,
    filter: Filter,
) -> impl Stream<Item = Outcome<Event>> + Send + use<> {
    follow(db, cursor, filter).filter_map(async |delivery| match delivery {
        Ok(Delivery::Event(event)) => Some(Ok(*event)),
        Ok(Delivery::Progress(_)) => None,
        Err(fault) => Some(Err(fault)),
    })
}

/// Like [`subscribe`], and says also how far it has looked past what the filter leaves out.
pub fn follow(
    db: &Db,
    cursor: Option<Cursor>,
    filter: Filter,
) -> impl Stream<Item = Outcome<Delivery>> + Send + use<> {
    let head = db.signals().head.subscribe();
    let follower =
        Follower { db: db.clone(), head, place: Place::of(cursor), filter, ready: VecDeque::new() };
    stream::unfold(Some(follower), async |follower| {
        let mut follower = follower?;
        match follower.next().await {
            Ok(delivery) => Some((Ok(delivery), Some(follower))),
            Err(fault) => Some((Err(fault), None)),
        }
    })
}

/// How far a follower has come.
#[derive(Clone, Copy)]
enum Place {
    /// At whatever is the oldest.
    Oldest,
    /// Within a transaction, which must still be there.
    Within(Cursor),
    /// Past all of the transaction at this position; the next must follow without a gap.
    Past(i64),
}

impl Place {
    fn of(cursor: Option<Cursor>) -> Self {
        match cursor {
            None => Self::Oldest,
            Some(cursor) if cursor.position <= 0 => Self::Past(0),
            Some(cursor) => Self::Within(cursor),
        }
    }

    fn from(self) -> i64 {
        match self {
            Self::Oldest => 1,
            Self::Within(cursor) => cursor.position,
            Self::Past(position) => position.saturating_add(1),
        }
    }

    /// Whether a page that begins with `first` leaves nothing out.
    fn joins(self, first: Option<i64>) -> bool {
        match (self, first) {
            (Self::Oldest, _) | (Self::Past(_), None) => true,
            (Self::Within(_), None) => false,
            (place, Some(first)) => first == place.from(),
        }
    }

    fn wants(self, event: &Event) -> bool {
        match self {
            Self::Within(cursor) => Cursor::of(event) > cursor,
            _ => true,
        }
    }
}

struct Follower {
    db: Db,
    head: watch::Receiver<i64>,
    place: Place,
    filter: Filter,
    ready: VecDeque<Delivery>,
}

impl Follower {
    async fn next(&mut self) -> Outcome<Delivery> {
        loop {
            if let Some(delivery) = self.ready.pop_front() {
                return Ok(delivery);
            }
            // Before the page is read: what is announced while it is read ends the wait below at once.
            self.head.borrow_and_update();
            if !self.page().await? {
                // Either news or patience ends the wait; the signal cannot close while `db` is held.
                let _ = tokio::time::timeout(PATIENCE, self.head.changed()).await;
            }
        }
    }

    /// Reads the next page; false where there was nothing new to look at.
    async fn page(&mut self) -> Outcome<bool> {
        let rows: Vec<(i64, Vec<u8>)> = {
            let mut reader = self.db.read().await?;
            let from = self.place.from();
            on_engine!(&mut reader, PAGE, |sql, conn| {
                sqlx::query_as(sql).bind(from).bind(PAGE_SIZE).fetch_all(conn).await
            })?
        };
        if !self.place.joins(rows.first().map(|(position, _)| *position)) {
            return Err(Fault::cursor_expired());
        }
        let Some(last) = rows.last().map(|(position, _)| *position) else { return Ok(false) };
        let mut left_out = false;
        for (position, payload) in rows {
            let batch = EventBatch::decode(payload.as_slice())
                .map_err(|error| Fault::internal("a stored event cannot be read").caused_by(error))?;
            for mut event in batch.events {
                event.position = position;
                if self.place.wants(&event) {
                    left_out = !self.filter.admits(&event);
                    if !left_out {
                        self.ready.push_back(Delivery::Event(Box::new(event)));
                    }
                }
            }
        }
        if left_out {
            self.ready.push_back(Delivery::Progress(Cursor::after(last)));
        }
        self.place = Place::Past(last);
        Ok(true)
    }
}
