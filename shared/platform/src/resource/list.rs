//! Lists: an order, a place in it, a filter, and pages that are read until they are full.
//!
//! Pages are cut by key, never by offset, so that rows that come and go meanwhile are neither shown twice nor skipped.
//! A filter is judged row by row; one call looks at no more than [`SCAN`] rows, fewer where the filter is costly, and
//! may answer a short page with a token to go on. Other calls are served between the rows.

use jiff::Timestamp;
use prost::Message;
use tandem_kernel::page::Listing;
use tandem_kernel::rule::{Facts, Filter, Vocabulary};
use tandem_kernel::work::{Allowance, Work};
use tandem_proto::requests::Listing as Request;

use super::place::{Order, Position};
use super::table::Resource;
use crate::call::{Call, Tenant};
use crate::db::Db;
use crate::fault::{Fault, Outcome, Violations};
use crate::grpc;

/// The most rows that one call looks at.
pub const SCAN: usize = 10_000;
/// The work of judging rows in one call, some 25 ms of it; the costliest filter takes a millisecond for a row.
const JUDGING: Allowance = Allowance { search: 0, total: 2_500_000 };
/// After so much of it others get their turn: a millisecond.
const TURN: u64 = 100_000;
/// Rows read at once where a filter decides which are shown.
const CHUNK: usize = 500;

/// What can be listed.
pub trait Listed: Resource {
    /// What a filter reads of it.
    fn facts(&self, now: Timestamp) -> Facts<'_>;
}

/// A list to be read.
#[derive(Debug)]
pub struct List {
    place: Place,
    size: usize,
    order: Order,
    after: Position,
    filter: Filter,
}

/// Some rows of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The moment at which the filter was judged.
    pub at: Timestamp,
    next_page_token: String,
    place: Place,
}

/// Which list it is a page of; see [`Listing`].
#[derive(Debug)]
struct Place {
    tenant: String,
    list: &'static str,
    filter: String,
    order_by: String,
}

impl Place {
    fn token(&self, after: &Position) -> String {
        let Self { tenant, list, filter, order_by } = self;
        Listing { tenant, list, parent: "", filter, order_by }.token(&after.keys())
    }
}

impl<T: Resource> Page<T> {
    /// The rows as the contract shows them, as many as one answer holds, and where the next page begins; empty where there
    /// is none. A row that is not shown any more is left out.
    pub fn shown<M: Message>(self, show: impl Fn(&T) -> Option<M>) -> (Vec<M>, String) {
        let (items, messages): (Vec<&T>, Vec<M>) =
            self.items.iter().filter_map(|item| Some((item, show(item)?))).unzip();
        let shown = grpc::fitting(messages);
        let next = grpc::cut(&items, shown.len()).map(|last| self.place.token(&Position::of(last.stem())));
        (shown, next.unwrap_or(self.next_page_token))
    }
}

impl List {
    /// Reads a request; filters speak of what `vocabulary` declares.
    pub fn read<B: Request>(call: &Call, body: &B, vocabulary: &Vocabulary) -> Outcome<Self> {
        let mut v = Violations::new();
        let size = grpc::page_size(&mut v, body.page_size());
        let order = Order::read(&mut v, body.order_by());
        let filter = Filter::parse(body.filter(), vocabulary);
        if let Err(error) = &filter {
            v.add_as("RULE_INVALID", "filter", error.to_string());
        }
        v.finish()?;
        let filter = filter.map_err(|error| Fault::invalid_field("filter", error.to_string()))?;
        let place = Place {
            tenant: call.tenant.to_string(),
            list: B::METHOD,
            filter: body.filter().to_owned(),
            order_by: body.order_by().to_owned(),
        };
        let Place { tenant, list, filter: given, order_by } = &place;
        let listing = Listing { tenant, list, parent: "", filter: given, order_by };
        let after = match listing.resume(body.page_token()).map_err(|_| Fault::invalid_page_token())? {
            None => order.start(),
            Some(keys) => Position::of_keys(&keys).ok_or_else(Fault::invalid_page_token)?,
        };
        Ok(Self { place, size: size as usize, order, after, filter })
    }

    /// Reads one page of what is there `now`.
    pub async fn page<T: Listed>(self, db: &Db, tenant: &Tenant, now: Timestamp) -> Outcome<Page<T>> {
        let mut reader = db.read().await?;
        let mut after = self.after;
        let (mut items, mut scanned) = (Vec::new(), 0);
        let mut judging = Judging::default();
        let limit = if self.filter.is_everything() { self.size + 1 } else { CHUNK };
        loop {
            let rows = T::TABLE.page(&mut reader, tenant, self.order, &after, limit).await?;
            let last = rows.len() < limit;
            for row in rows {
                if items.len() == self.size || scanned == SCAN || judging.is_over() {
                    let next_page_token = self.place.token(&after);
                    return Ok(Page { items, at: now, next_page_token, place: self.place });
                }
                scanned += 1;
                after = Position::of(row.stem());
                if self.filter.is_everything() || judging.shows(&self.filter, &row.facts(now)) {
                    items.push(row);
                }
                judging.turn().await;
            }
            if last {
                return Ok(Page { items, at: now, next_page_token: String::new(), place: self.place });
            }
        }
    }
}

/// Rows judged by a filter, in one call.
#[derive(Debug)]
pub struct Judging {
    work: Work,
    next_turn: u64,
}

impl Default for Judging {
    fn default() -> Self {
        Self { work: Work::new(JUDGING), next_turn: TURN }
    }
}

impl Judging {
    /// Whether the filter shows the resource of these facts.
    pub fn shows(&mut self, filter: &Filter, facts: &Facts<'_>) -> bool {
        self.work.spend(filter.steps(facts));
        filter.shows(facts)
    }

    /// Whether the page is to end here: at least one row has been judged.
    pub fn is_over(&self) -> bool {
        self.work.is_over()
    }

    /// Lets other calls on, where much has been judged since they were last.
    pub async fn turn(&mut self) {
        if self.work.spent() >= self.next_turn {
            self.next_turn = self.work.spent() + TURN;
            tokio::task::yield_now().await;
        }
    }
}
