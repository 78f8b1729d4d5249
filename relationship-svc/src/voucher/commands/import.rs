//! Stores codes made elsewhere, block by block.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tandem_platform::outbox::{self, Batch as Events};
use tandem_platform::{Call, Fault, Outcome, transact};

use super::fits;
use crate::incentive::{self, Ready, State};
use crate::voucher::{Voucher, events, store};
use crate::{App, voucher};

/// What became of a block.
#[derive(Debug, Default)]
pub struct Done {
    /// Stored.
    pub created: i64,
    /// There before, unchanged; or twice in the block.
    pub existing: i64,
    /// Refused, by their place in the block.
    pub refused: Vec<(usize, Fault)>,
}

/// One voucher to be stored; its uses are the incentive's where it says nothing.
#[derive(Debug, Clone)]
pub struct Row {
    /// Place in the block.
    pub index: usize,
    /// As it will be stored.
    pub voucher: Voucher,
}

/// Stores a block. A row that does not fit its incentive is refused and does not stop the others.
pub async fn block(app: &App, call: &Call, rows: Vec<Row>) -> Outcome<Done> {
    let given = rows.len();
    let mut ids: Vec<String> = rows.iter().map(|row| row.voucher.incentive.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let incentives = {
        let mut reader = app.db.read().await?;
        app.definitions.current(&mut reader, &call.tenant, &ids).await?
    };
    let mut done = Done::default();
    // Sorted by code: twice the same code is one row, and blocks that meet lock in one order.
    let mut fitting: BTreeMap<String, Voucher> = BTreeMap::new();
    for row in rows {
        match judged(&incentives, &row.voucher) {
            Ok(()) => _ = fitting.entry(row.voucher.code.clone()).or_insert(row.voucher),
            Err(fault) => done.refused.push((row.index, fault)),
        }
    }
    let vouchers: Vec<Voucher> = fitting.into_values().collect();
    let now = app.clock.now();
    let created = transact!(app.db, |tx| {
        let created = store::insert_many(tx, &call.tenant, &vouchers).await?;
        if created > 0 {
            let mut told = Events::new(call, app.ids.as_ref(), now);
            for id in &ids {
                let count = vouchers.iter().filter(|voucher| voucher.incentive == *id).count();
                told.push(events::generated(id, None, count as u64));
            }
            outbox::append(tx, told).await?;
        }
        Ok(created)
    })?;
    done.created = i64::try_from(created).unwrap_or(i64::MAX);
    done.existing = i64::try_from(given - done.refused.len()).unwrap_or(i64::MAX) - done.created;
    Ok(done)
}

fn judged(incentives: &HashMap<String, Arc<Ready>>, voucher: &Voucher) -> Outcome<()> {
    let ready = incentives
        .get(&voucher.incentive)
        .filter(|ready| ready.incentive.state == State::Active)
        .ok_or_else(|| Fault::not_found(incentive::name(&voucher.incentive)))?;
    if let Some(problem) = voucher::format::code_problem(&voucher.code) {
        return Err(Fault::invalid_field("code", problem));
    }
    fits(ready, voucher.balance, voucher.max_uses)
        .map_err(|(field, message)| Fault::invalid_field(field, message))
}
