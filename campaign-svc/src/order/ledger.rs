//! The working copy of the rows under limits that a batch has locked, and of what holds keep of them. Decisions change
//! it; what differs at the end is written back. Every change is journaled, so that a refusal leaves nothing behind.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use tandem_kernel::limits::{CounterKey, CounterKind, Tally};
use uuid::Uuid;

/// Stands in `told` of a row under a limit that has refused an order, or of which something was held, before its first
/// threshold: quotes look at it from then on.
pub const NEAR: i64 = 79;

type Map<K, V> = HashMap<K, V, RandomState>;

/// One row.
#[derive(Debug)]
pub struct Row {
    /// Which.
    pub key: CounterKey,
    /// As it is now.
    pub tally: Tally,
    /// As it was locked; `None`: there is no such row yet.
    pub loaded: Option<Tally>,
    /// It has refused an order: quotes are told again, whether or not they were before.
    refused: bool,
}

/// What a hold keeps of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The place of the row.
    pub row: usize,
    /// Whose hold.
    pub holder: Uuid,
    /// Uses it keeps.
    pub uses: i64,
    /// Money it keeps, minor units.
    pub amount: i64,
    /// Until when.
    pub expires: Timestamp,
}

/// A claim and what became of it.
#[derive(Debug)]
pub struct ClaimSlot {
    /// What is kept.
    pub claim: Claim,
    /// It stands in the database.
    pub stored: bool,
    /// It was given back.
    pub gone: bool,
}

#[derive(Debug)]
enum Undo {
    Tally(usize, Tally),
    Gone(usize),
    Claimed,
}

/// The working copy.
#[derive(Debug, Default)]
pub struct Ledger {
    rows: Vec<Row>,
    at: Map<CounterKey, usize>,
    claims: Vec<ClaimSlot>,
    of_holder: Map<Uuid, Vec<usize>>,
    undo: Vec<Undo>,
}

impl Ledger {
    /// The place of a row, which [`Ledger::load`] fills where it exists.
    pub fn place(&mut self, key: CounterKey) -> usize {
        *self.at.entry(key).or_insert_with_key(|key| {
            self.rows.push(Row { key: key.clone(), tally: Tally::default(), loaded: None, refused: false });
            self.rows.len() - 1
        })
    }

    /// The place of a row that was placed.
    pub fn find(&self, key: &CounterKey) -> Option<usize> {
        self.at.get(key).copied()
    }

    /// Takes a locked row in.
    pub fn load(&mut self, key: &CounterKey, tally: Tally) {
        if let Some(row) = self.at.get(key).and_then(|at| self.rows.get_mut(*at)) {
            row.tally = tally;
            row.loaded = Some(tally);
        }
    }

    /// Takes a stored claim in; one that is in already stays as it is.
    pub fn load_claim(&mut self, claim: Claim) {
        let of = self.of_holder.entry(claim.holder).or_default();
        if of.iter().any(|at| self.claims[*at].claim.row == claim.row) {
            return;
        }
        of.push(self.claims.len());
        self.claims.push(ClaimSlot { claim, stored: true, gone: false });
    }

    /// Takes off what lapsed holds keep. Stays whatever becomes of the decisions.
    pub fn drop_lapsed(&mut self, now: Timestamp) {
        for at in 0..self.claims.len() {
            if self.claims[at].claim.expires <= now {
                self.drop_claim(at);
            }
        }
        self.undo.clear();
    }

    /// Every row, in the order of places.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Every claim that was loaded or made.
    pub fn claims(&self) -> &[ClaimSlot] {
        &self.claims
    }

    /// What a row has counted.
    pub fn tally(&self, at: usize) -> Tally {
        self.rows[at].tally
    }

    /// The claims of a holder that live.
    pub fn claims_of(&self, holder: Uuid) -> usize {
        let of = self.of_holder.get(&holder).map(Vec::as_slice).unwrap_or_default();
        of.iter().filter(|at| !self.claims[**at].gone).count()
    }

    /// How far the journal goes now.
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back everything since `mark`.
    pub fn undo(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some(Undo::Tally(at, tally)) => self.rows[at].tally = tally,
                Some(Undo::Gone(at)) => self.claims[at].gone = false,
                Some(Undo::Claimed) => {
                    if let Some(slot) = self.claims.pop()
                        && let Some(of) = self.of_holder.get_mut(&slot.claim.holder)
                    {
                        of.pop();
                    }
                }
                None => break,
            }
        }
    }

    /// Writes a row.
    pub fn set(&mut self, at: usize, tally: Tally) {
        self.undo.push(Undo::Tally(at, self.rows[at].tally));
        self.rows[at].tally = tally;
    }

    /// Has quotes look at a row from now on.
    pub fn watch(&mut self, at: usize) {
        let tally = self.rows[at].tally;
        self.set(at, Tally { told: tally.told.max(NEAR), ..tally });
    }

    /// Whether there is such a row, or will be. One that is gone was of a period or a campaign long over.
    pub fn exists(&self, at: usize) -> bool {
        let row = &self.rows[at];
        row.loaded.is_some() || row.tally != Tally::default()
    }

    /// The rows that quotes look at and that differ from the database, or have refused.
    pub fn near(&self) -> impl Iterator<Item = &CounterKey> {
        let differs = |row: &&Row| row.refused || row.loaded != Some(row.tally);
        let changed = self.rows.iter().filter(|row| row.tally.told >= NEAR).filter(differs);
        let open_to_all = |row: &&Row| matches!(row.key.kind, CounterKind::Uses | CounterKind::Budget);
        changed.filter(open_to_all).map(|row| &row.key)
    }

    /// Has quotes look at the uses and the money of an owner: it has refused an order. Stays though the order is undone.
    pub fn has_refused(&mut self, owner: &str) {
        let limits = self.rows.iter_mut().filter(|row| row.loaded.is_some() && *row.key.owner == *owner);
        for row in limits.filter(|row| matches!(row.key.kind, CounterKind::Uses | CounterKind::Budget)) {
            row.tally.told = row.tally.told.max(NEAR);
            row.refused = true;
        }
    }

    /// Keeps something of a row for a hold.
    pub fn claim(&mut self, claim: Claim) {
        self.keep(claim.row, claim.uses + claim.amount);
        self.of_holder.entry(claim.holder).or_default().push(self.claims.len());
        self.claims.push(ClaimSlot { claim, stored: false, gone: false });
        self.undo.push(Undo::Claimed);
    }

    /// Gives back what a hold keeps, of every row.
    pub fn drop_claims_of(&mut self, holder: Uuid) {
        for at in self.of_holder.get(&holder).cloned().unwrap_or_default() {
            self.drop_claim(at);
        }
    }

    fn drop_claim(&mut self, at: usize) {
        if self.claims[at].gone {
            return;
        }
        self.claims[at].gone = true;
        self.undo.push(Undo::Gone(at));
        let Claim { row, uses, amount, .. } = self.claims[at].claim;
        self.keep(row, -uses - amount);
    }

    /// A row counts uses or money, never both.
    fn keep(&mut self, row: usize, more: i64) {
        let tally = self.rows[row].tally;
        self.set(row, Tally { held: tally.held + more, ..tally });
    }
}
