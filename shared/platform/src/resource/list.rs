//! Lists: an order, a place in it, a filter, and pages that are read until they are full.
//!
//! Pages are cut by key, never by offset, so that rows that come and go meanwhile are neither shown twice nor skipped.
//! A filter is judged row by row; one call looks at no more than [`SCAN`] rows, fewer where the filter is costly, and
//! may answer a short page with a token to go on. Other calls are served between the rows.

use jiff::Timestamp;
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
pub struct List<'a> {
    listing: Listing<'a>,
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
    /// Where the next page begins; empty where there is none.
    pub next_page_token: String,
}

impl<'a> List<'a> {
    /// Reads a request; filters speak of what `vocabulary` declares.
    pub fn read<B: Request>(call: &'a Call, body: &'a B, vocabulary: &Vocabulary) -> Outcome<Self> {
        let mut v = Violations::new();
        let size = grpc::page_size(&mut v, body.page_size());
        let order = Order::read(&mut v, body.order_by());
        let filter = Filter::parse(body.filter(), vocabulary);
        if let Err(error) = &filter {
            v.add_as("RULE_INVALID", "filter", error.to_string());
        }
        v.finish()?;
        let filter = filter.map_err(|error| Fault::invalid_field("filter", error.to_string()))?;
        let listing = Listing {
            tenant: call.tenant.as_str(),
            list: B::METHOD,
            parent: "",
            filter: body.filter(),
            order_by: body.order_by(),
        };
        let after = match listing.resume(body.page_token()).map_err(|_| Fault::invalid_page_token())? {
            None => order.start(),
            Some(keys) => Position::of_keys(&keys).ok_or_else(Fault::invalid_page_token)?,
        };
        Ok(Self { listing, size: size as usize, order, after, filter })
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
                    return Ok(Page { items, at: now, next_page_token: self.listing.token(&after.keys()) });
                }
                scanned += 1;
                after = Position::of(row.stem());
                if self.filter.is_everything() || judging.shows(&self.filter, &row.facts(now)) {
                    items.push(row);
                }
                judging.turn().await;
            }
            if last {
                return Ok(Page { items, at: now, next_page_token: String::new() });
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
