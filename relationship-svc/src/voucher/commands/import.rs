//! Stores codes made elsewhere, block by block, with what is true of them there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tandem_platform::db::Tx;
use tandem_platform::outbox::{self, Batch as Events};
use tandem_platform::{Call, Fault, Outcome, Violations, transact};
use tandem_proto::relationship::v1::ErrorReason;

use super::change::unknown_customer;
use super::settled;
use crate::incentive::{self, Ready, State};
use crate::voucher::change::source_taken;
use crate::voucher::imported::{Fate, Item, fate, twice};
use crate::voucher::{self, Frame, Timeliness, Voucher, events, formats, store};
use crate::{App, customer};

/// What became of an item that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Stored.
    Created,
    /// There before with the same content; or twice in the block.
    Existing,
    /// There before under an archived incentive.
    Moved,
}

/// What became of an item, with its place in the block.
pub type Done = (usize, Outcome<Taken>);

/// An item that could be read, and the voucher that it would be.
type Wanted = (Item, Voucher);

/// Stores a block. An item that is refused does not stop the others.
pub async fn block(app: &App, call: &Call, items: Vec<Item>) -> Outcome<Vec<Done>> {
    let now = app.clock.now();
    let incentives = {
        let ids = each_once(items.iter().map(|item| item.voucher.incentive.clone()));
        let mut reader = app.db.read().await?;
        app.definitions.current(&mut reader, &call.tenant, &ids).await?
    };
    let mut refused = Vec::new();
    let mut wanted: Vec<Wanted> = Vec::with_capacity(items.len());
    for item in items {
        match fitting(&incentives, &item, now) {
            Ok(voucher) => wanted.push((item, voucher)),
            Err(fault) => refused.push((item.index, Err(fault))),
        }
    }
    formats::admit(app, &call.tenant, wanted.iter().map(|(_, voucher)| voucher.code.as_str())).await?;
    let mut done = transact!(app.db, |tx| {
        let mut block = Block::begin(app, call, tx, &wanted).await?;
        for (item, voucher) in &wanted {
            let judged = block.judge(item, voucher);
            block.take(item, voucher, judged);
        }
        store::import::insert(tx, &call.tenant, &block.fresh.values().copied().collect::<Vec<_>>()).await?;
        store::import::move_many(tx, &call.tenant, &block.moved.iter().collect::<Vec<_>>()).await?;
        let mut told = Events::new(call, app.ids.as_ref(), now);
        for (id, count) in block.counts() {
            told.push(events::generated(id, None, count));
        }
        if !told.is_empty() {
            outbox::append(tx, told).await?;
        }
        Ok(block.done)
    })?;
    done.extend(refused);
    Ok(done)
}

/// The voucher that an item would be under its incentive.
fn fitting(incentives: &HashMap<String, Arc<Ready>>, item: &Item, now: Timestamp) -> Outcome<Voucher> {
    let voucher = &item.voucher;
    let name = || incentive::name(&voucher.incentive);
    let ready = incentives.get(&voucher.incentive).ok_or_else(|| Fault::not_found(name()))?;
    if ready.incentive.state != State::Active {
        let message = "the incentive is archived: codes are brought in under one that is not";
        return Err(Fault::precondition(ErrorReason::IncentiveArchived, message).with("incentive", name()));
    }
    let mut v = Violations::new();
    let max_uses = settled(&mut v, ready, voucher.balance, "initial_balance", item.uses_asked);
    let voucher = item.settled(&mut v, max_uses);
    let frame = Frame::of(&ready.incentive);
    let over =
        item.state != Some(voucher::State::Expired) || voucher.timeliness(&frame, now) == Timeliness::Late;
    v.check(over, "state", "EXPIRED contradicts its dates: say its validity");
    v.finish()?;
    Ok(voucher)
}

/// A block beside what is here already, which stays locked.
struct Block<'b> {
    there: HashMap<String, Voucher>,
    owners: HashMap<String, Arc<Ready>>,
    customers: HashSet<String>,
    /// (incentive, source) with its code.
    sources: HashMap<(String, String), String>,
    /// By code: what is to be stored, the same code once.
    fresh: BTreeMap<&'b str, &'b Voucher>,
    moved: Vec<Voucher>,
    done: Vec<Done>,
}

impl<'b> Block<'b> {
    /// Locks what is here, in the order of codes.
    async fn begin(app: &App, call: &Call, tx: &mut Tx, wanted: &'b [Wanted]) -> Outcome<Self> {
        let codes = each_once(wanted.iter().map(|(_, voucher)| voucher.code.clone()));
        let there = store::lock_many(tx, &call.tenant, codes).await?;
        let there: HashMap<String, Voucher> =
            there.into_iter().map(|voucher| (voucher.code.clone(), voucher)).collect();
        // Those of the items too: what is moved is theirs from then on.
        let items = wanted.iter().map(|(_, voucher)| voucher);
        let owners = each_once(there.values().chain(items).map(|voucher| voucher.incentive.clone()));
        let customers = each_once(wanted.iter().filter_map(|(_, voucher)| voucher.customer.clone()));
        let known = customer::store::known_ids(tx, &call.tenant, &customers).await?;
        let mut by_incentive: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (_, voucher) in wanted {
            // A code that is moved may bring the source that it has.
            let known = there.get(&voucher.code);
            let source = voucher.source_id.as_ref().or(known.and_then(|known| known.source_id.as_ref()));
            by_incentive.entry(&voucher.incentive).or_default().extend(source.cloned());
        }
        let mut sources = HashMap::new();
        for (incentive, of) in by_incentive {
            for taken in store::assignment::of_sources(tx, &call.tenant, incentive, of).await? {
                sources.insert((taken.incentive, taken.source_id.unwrap_or_default()), taken.code);
            }
        }
        Ok(Self {
            owners: app.definitions.current(tx, &call.tenant, &owners).await?,
            there,
            customers: known.into_iter().collect(),
            sources,
            fresh: BTreeMap::new(),
            moved: Vec::new(),
            done: Vec::with_capacity(wanted.len()),
        })
    }

    fn judge(&self, item: &Item, voucher: &'b Voucher) -> Outcome<Fate> {
        if let Some(customer) = voucher.customer.as_ref().filter(|id| !self.customers.contains(*id)) {
            return Err(unknown_customer(customer));
        }
        self.has_source(voucher)?;
        if let Some(first) = self.fresh.get(voucher.code.as_str()) {
            return twice(item, voucher, first).map(|()| Fate::Same);
        }
        let there = self.there.get(&voucher.code);
        let there = there.and_then(|there| Some((there, &**self.owners.get(&there.incentive)?)));
        let fate = fate(item, voucher, there)?;
        if let Fate::Moved(moved) = &fate {
            self.has_source(moved)?;
        }
        Ok(fate)
    }

    /// Whether a code may have its source: the first code of an incentive that has it keeps it.
    fn has_source(&self, voucher: &Voucher) -> Outcome<()> {
        let Some(source) = &voucher.source_id else { return Ok(()) };
        let taken = self.sources.get(&(voucher.incentive.clone(), source.clone()));
        if taken.is_none_or(|code| *code == voucher.code) {
            return Ok(());
        }
        Err(source_taken())
    }

    fn take(&mut self, item: &Item, voucher: &'b Voucher, judged: Outcome<Fate>) {
        let taken = judged.map(|fate| match fate {
            Fate::Same => Taken::Existing,
            Fate::New => {
                self.fresh.insert(&voucher.code, voucher);
                self.note_source(voucher);
                Taken::Created
            }
            Fate::Moved(moved) => {
                self.note_source(&moved);
                self.there.insert(moved.code.clone(), (*moved).clone());
                self.moved.push(*moved);
                Taken::Moved
            }
        });
        self.done.push((item.index, taken));
    }

    fn note_source(&mut self, voucher: &Voucher) {
        if let Some(source) = &voucher.source_id {
            self.sources.insert((voucher.incentive.clone(), source.clone()), voucher.code.clone());
        }
    }

    /// Codes that came, by incentive.
    fn counts(&self) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for voucher in self.fresh.values().copied().chain(&self.moved) {
            *counts.entry(voucher.incentive.as_str()).or_default() += 1;
        }
        counts
    }
}

fn each_once(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}
