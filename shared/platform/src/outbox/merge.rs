//! All tenants' events as one stream, for the other service: in order within each tenant, in no order between them.
//!
//! A follower says once how far it has come with each tenant it knows; a tenant it does not know begins with the oldest
//! event that is kept. Tenants take turns, a page each, so that one with much to tell does not hold up the others; one
//! whose events are gone or cannot be read is told of ([`Gap`]) and goes on behind them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use tandem_proto::common::v1::Event;
use tokio::time::Instant;

use super::page::{self, Place, Row};
use super::{Cursor, Filter};
use crate::call::Tenant;
use crate::db::Db;
use crate::db::signals::Inbox;
use crate::fault::{Fault, Outcome};

/// Transactions read at once, of all tenants together: each may hold the events of a whole lane's batch.
const PAGE_SIZE: usize = 64;
/// Tenants asked for at once how far they are.
const HEADS: i64 = 1_000;
/// How often all tenants are asked, beside what the relay announces: a process without a relay is never told, and what
/// a replica with another clock has moved may be missed.
const LOOK: Duration = Duration::from_secs(5);

/// Why something is missing before a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Events after the cursor of this tenant are no longer kept, or the cursor is not of this database.
    Expired,
    /// What is stored at this position is no event.
    Unreadable,
}

/// One thing that is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Whose.
    pub tenant: Tenant,
    /// How far this tenant has been told.
    pub cursor: Cursor,
    /// Absent where this only moves the cursor.
    pub event: Option<Box<Event>>,
    /// Something before the cursor is missing.
    pub gap: Option<Gap>,
}

/// Follows the events of all tenants for ever, each after its cursor of `known`. Reads at most `together` tenants by one
/// statement. Ends after the first error.
pub fn merge(
    db: &Db,
    known: HashMap<Tenant, Cursor>,
    filter: Filter,
    together: usize,
) -> impl Stream<Item = Outcome<Told>> + Send + use<> {
    let follower = Follower {
        inbox: db.signals().follow_all(),
        db: db.clone(),
        places: known.into_iter().map(|(tenant, cursor)| (tenant, Place::of(Some(cursor)))).collect(),
        turns: VecDeque::new(),
        waiting: HashMap::new(),
        ready: VecDeque::new(),
        together: together.clamp(1, PAGE_SIZE),
        filter,
        broken: HashSet::new(),
        look_at: Instant::now(),
    };
    stream::unfold(Some(follower), async |follower| {
        let mut follower = follower?;
        match follower.next().await {
            Ok(told) => Some((Ok(told), Some(follower))),
            Err(fault) => Some((Err(fault), None)),
        }
    })
}

struct Follower {
    db: Db,
    inbox: Arc<Inbox>,
    places: HashMap<Tenant, Place>,
    /// Who has something to tell, in turn, and how far each one's positions go.
    turns: VecDeque<Tenant>,
    waiting: HashMap<Tenant, i64>,
    ready: VecDeque<Told>,
    together: usize,
    filter: Filter,
    /// Whose events cannot be read.
    broken: HashSet<Tenant>,
    /// When all tenants are asked again.
    look_at: Instant,
}

impl Follower {
    async fn next(&mut self) -> Outcome<Told> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Ok(told);
            }
            if self.look_at <= Instant::now() {
                self.look().await?;
                self.look_at = Instant::now() + LOOK;
            }
            for (tenant, head) in self.inbox.take() {
                self.queue(tenant, head);
            }
            if !self.turns.is_empty() {
                self.page().await?;
            } else {
                // Either news or the next look ends the wait.
                let _ = tokio::time::timeout_at(self.look_at, self.inbox.news()).await;
            }
        }
    }

    /// Asks all tenants how far they are.
    async fn look(&mut self) -> Outcome<()> {
        let mut after = String::new();
        loop {
            let heads = {
                let mut reader = self.db.read().await?;
                page::heads(&mut reader, &after, HEADS).await?
            };
            let Some((last, _)) = heads.last() else { return Ok(()) };
            after.clone_from(last);
            for (tenant, head) in heads {
                let Some(tenant) = Tenant::parse(&tenant) else { continue };
                // Read after whatever this follower has been told: a place beyond it is of another database.
                if !self.place(&tenant).is_reached(head) {
                    self.lost(&tenant);
                }
                self.queue(tenant, head);
            }
        }
    }

    /// Notes that the positions of `tenant` go as far as `head`; what is announced late says nothing new.
    fn queue(&mut self, tenant: Tenant, head: i64) {
        if head < self.place(&tenant).start() {
            return;
        }
        match self.waiting.entry(tenant) {
            Entry::Occupied(mut known) => *known.get_mut() = head.max(*known.get()),
            Entry::Vacant(new) => {
                self.turns.push_back(new.key().clone());
                new.insert(head);
            }
        }
    }

    fn place(&self, tenant: &Tenant) -> Place {
        self.places.get(tenant).copied().unwrap_or(Place::Oldest)
    }

    /// Reads the next page of those whose turn it is.
    async fn page(&mut self) -> Outcome<()> {
        let turn: Vec<Tenant> = self.turns.drain(..self.together.min(self.turns.len())).collect();
        let wanted: Vec<(Tenant, i64)> =
            turn.into_iter().map(|tenant| (tenant.clone(), self.place(&tenant).start())).collect();
        let rows = match self.read(&wanted).await {
            Err(fault) if fault.is_statement_error() => return self.page_each(wanted, fault).await,
            read => read?,
        };
        self.take_in_all(wanted, &rows);
        Ok(())
    }

    async fn read(&self, wanted: &[(Tenant, i64)]) -> Outcome<Vec<Row>> {
        let limit = i64::try_from(PAGE_SIZE / wanted.len().max(1)).unwrap_or(i64::MAX);
        page::pages(&mut self.db.read().await?, wanted, limit).await
    }

    /// Reads those of a page that cannot be read each by itself. One that cannot be read alone is told of once, and left
    /// alone until the next look.
    async fn page_each(&mut self, wanted: Vec<(Tenant, i64)>, fault: Fault) -> Outcome<()> {
        if let [(tenant, _)] = wanted.as_slice() {
            self.waiting.remove(tenant);
            if self.broken.insert(tenant.clone()) {
                tracing::error!(%tenant, ?fault, "the events of a tenant cannot be read");
                self.tell(tenant, Cursor::START, None, Some(Gap::Unreadable));
            }
            return Ok(());
        }
        for one in wanted {
            let alone = vec![one];
            match self.read(&alone).await {
                Ok(rows) => self.take_in_all(alone, &rows),
                Err(fault) if fault.is_statement_error() => Box::pin(self.page_each(alone, fault)).await?,
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn take_in_all(&mut self, wanted: Vec<(Tenant, i64)>, rows: &[Row]) {
        let mut found: HashMap<&str, &[Row]> =
            rows.chunk_by(|a, b| a.tenant == b.tenant).map(|rows| (rows[0].tenant.as_str(), rows)).collect();
        for (tenant, _) in wanted {
            let head = self.waiting.remove(&tenant).unwrap_or(0);
            match found.remove(tenant.as_str()) {
                Some(rows) => self.take_in(&tenant, rows),
                // Positions were left out: nothing will ever stand there.
                None => drop(self.places.insert(tenant.clone(), Place::Past(head))),
            }
            self.broken.remove(&tenant);
            self.queue(tenant, head);
        }
    }

    /// What was to come is gone: goes on with the oldest that is left.
    fn lost(&mut self, tenant: &Tenant) {
        self.places.insert(tenant.clone(), Place::Oldest);
        self.tell(tenant, Cursor::START, None, Some(Gap::Expired));
    }

    fn take_in(&mut self, tenant: &Tenant, rows: &[Row]) {
        if rows.first().is_some_and(|row| !self.place(tenant).is_kept(row.forgotten)) {
            self.lost(tenant);
        }
        let place = self.place(tenant);
        let mut left_out = false;
        for row in rows {
            let Ok(events) = page::events(row.position, &row.payload) else {
                tracing::error!(%tenant, position = row.position, "a stored event cannot be read");
                self.tell(tenant, Cursor::after(row.position), None, Some(Gap::Unreadable));
                left_out = false;
                continue;
            };
            for event in events.into_iter().filter(|event| place.wants(event)) {
                left_out = !self.filter.admits(&event);
                if !left_out {
                    self.tell(tenant, Cursor::of(&event), Some(Box::new(event)), None);
                }
            }
        }
        let Some(last) = rows.last() else { return };
        if left_out {
            self.tell(tenant, Cursor::after(last.position), None, None);
        }
        self.places.insert(tenant.clone(), Place::Past(last.position));
    }

    fn tell(&mut self, tenant: &Tenant, cursor: Cursor, event: Option<Box<Event>>, gap: Option<Gap>) {
        self.ready.push_back(Told { tenant: tenant.clone(), cursor, event, gap });
    }
}
