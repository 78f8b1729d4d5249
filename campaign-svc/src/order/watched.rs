//! The counters that quotes look at: those of a limit that is nearly spent, has refused an order, or of which something is
//! held.

use std::collections::BTreeSet;

use tandem_kernel::limits::{CounterKey, CounterKind, Tally};
use tandem_platform::counters::ledger::{Ledger, Row};

/// Stands in `told` of a row under a limit that has refused an order, or of which something was held, before its first
/// threshold: quotes look at it from then on.
pub const NEAR: i64 = 79;

/// Has quotes look at a row from now on.
pub fn watch(ledger: &mut Ledger, at: usize) {
    let tally = ledger.tally(at);
    ledger.set(at, Tally { told: tally.told.max(NEAR), ..tally });
}

/// Has quotes look at the uses and the money of an owner: it has refused an order. Stays though the order is undone. Adds
/// the places of its rows to `refused`: of these quotes are told again, whether or not they were before.
pub fn has_refused(ledger: &mut Ledger, refused: &mut BTreeSet<usize>, owner: &str) {
    let of_owner = |row: &Row| row.loaded.is_some() && *row.key.owner == *owner && is_open_to_all(row);
    let places = ledger.rows().iter().enumerate().filter(|(_, row)| of_owner(row)).map(|(at, _)| at);
    for at in places.collect::<Vec<_>>() {
        let tally = ledger.tally(at);
        ledger.settle(at, Tally { told: tally.told.max(NEAR), ..tally });
        refused.insert(at);
    }
}

/// The rows that quotes look at and that differ from the database, or have refused.
pub fn near<'l>(ledger: &'l Ledger, refused: &'l BTreeSet<usize>) -> impl Iterator<Item = &'l CounterKey> {
    let news = |(at, row): &(usize, &Row)| refused.contains(at) || row.loaded != Some(row.tally);
    let near =
        ledger.rows().iter().enumerate().filter(|(_, row)| row.tally.told >= NEAR && is_open_to_all(row));
    near.filter(news).map(|(_, row)| &row.key)
}

fn is_open_to_all(row: &Row) -> bool {
    matches!(row.key.kind, CounterKind::Uses | CounterKind::Budget)
}
