//! Reads one tenant's events in the order of their positions, and waits for more.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tandem_proto::common::v1::Event;
use tokio::sync::watch;

use super::Cursor;
use super::page::{self, Place};
use crate::call::Tenant;
use crate::db::Db;
use crate::fault::{Fault, Outcome};

/// Transactions read at once.
const PAGE_SIZE: i64 = 64;
/// How long a follower sleeps at most: a process without a relay of its own is never woken.
const PATIENCE: Duration = Duration::from_secs(1);

/// Which events a follower wants. Empty: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
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
        any(&self.types, &event.r#type) && any(&self.aggregates, &event.aggregate)
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

/// Follows the events of `tenant` after `cursor`, for ever; without a cursor, from the oldest one that is kept. Ends
/// after the first error. OUT_OF_RANGE `CURSOR_EXPIRED` where events after the cursor are no longer kept, or where the
/// cursor is not of this tenant.
pub fn subscribe(
    db: &Db,
    tenant: &Tenant,
    cursor: Option<Cursor>,
    filter: Filter,
) -> impl Stream<Item = Outcome<Event>> + Send + use<> {
    follow(db, tenant, cursor, filter).filter_map(async |delivery| match delivery {
        Ok(Delivery::Event(event)) => Some(Ok(*event)),
        Ok(Delivery::Progress(_)) => None,
        Err(fault) => Some(Err(fault)),
    })
}

/// Like [`subscribe`], and says also how far it has looked past what the filter leaves out.
pub fn follow(
    db: &Db,
    tenant: &Tenant,
    cursor: Option<Cursor>,
    filter: Filter,
) -> impl Stream<Item = Outcome<Delivery>> + Send + use<> {
    let head = db.signals().follow(tenant);
    let (db, tenant, place) = (db.clone(), tenant.clone(), Place::of(cursor));
    let follower = Follower { db, tenant, head, place, filter, ready: VecDeque::new() };
    stream::unfold(Some(follower), async |follower| {
        let mut follower = follower?;
        match follower.next().await {
            Ok(delivery) => Some((Ok(delivery), Some(follower))),
            Err(fault) => Some((Err(fault), None)),
        }
    })
}

struct Follower {
    db: Db,
    tenant: Tenant,
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
        let page = {
            let mut reader = self.db.read().await?;
            page::page(&mut reader, &self.tenant, self.place.start(), PAGE_SIZE).await?
        };
        if !self.place.is_kept(page.forgotten) || !self.place.is_reached(page.head) {
            return Err(Fault::cursor_expired());
        }
        let Some(last) = page.rows.last().map(|(position, _)| *position) else { return Ok(false) };
        let mut left_out = false;
        for (position, payload) in page.rows {
            for event in page::events(position, &payload)? {
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
