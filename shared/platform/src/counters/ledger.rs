//! The working copy of the counters that a batch has locked, and of what holds keep of them and of rows of the service's
//! own. Decisions change it; what differs at the end is written back. Every change is journaled, so that a refusal leaves
//! nothing behind.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use tandem_kernel::limits::{CounterKey, Dimension, Tally, Tracks};
use uuid::Uuid;

use super::{ClaimRow, claims_of, find, insert, lapsed_claims, lock, swap_claims, update};
use crate::call::Tenant;
use crate::db::{Session, Tx, Writes};
use crate::fault::{Fault, Outcome};

type Map<K, V> = HashMap<K, V, RandomState>;

/// One counter.
#[derive(Debug)]
pub struct Row {
    /// Which.
    pub key: CounterKey,
    /// As it is now.
    pub tally: Tally,
    /// As it was locked; `None`: there is no such row yet.
    pub loaded: Option<Tally>,
}

/// What a hold keeps of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Of which.
    pub target: Target,
    /// Whose hold.
    pub holder: Uuid,
    /// Uses it keeps.
    pub uses: i64,
    /// Money it keeps, minor units.
    pub amount: i64,
    /// Until when.
    pub expires: Timestamp,
}

/// The row of a claim, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A counter of the ledger.
    Counter(usize),
    /// A row of the service's own that counts by itself. The service keeps what is held of it.
    Own(usize),
}

/// A claim and what became of it.
#[derive(Debug)]
struct Slot {
    claim: Claim,
    /// It stands in the database.
    stored: bool,
    /// It was given back.
    gone: bool,
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
    claims: Vec<Slot>,
    of_holder: Map<Uuid, Vec<usize>>,
    undo: Vec<Undo>,
    /// Counters that are written down although nothing is counted there.
    guarded: HashSet<usize>,
    /// In what uses of an owner are counted by this batch.
    tracks: Map<Arc<str>, Tracks>,
    /// Owners whose uses are counted in more than that, as their locked rows say.
    ahead: Vec<(Arc<str>, Tracks)>,
    /// By what the uses of owners are counted that orders say only where they are asked, as their locked rows tell.
    only_asked: Map<Arc<str>, Vec<Dimension>>,
}

/// Rows of the service's own under claims: how their keys and their places belong together. `()`: there are none.
pub trait Own {
    /// The place of the row that a claim names, where the batch has it.
    fn place(&self, _key: &CounterKey) -> Option<usize> {
        None
    }

    /// How claims name the row at this place.
    fn key(&self, _place: usize) -> Option<CounterKey> {
        None
    }

    /// Those of which something is held.
    fn held(&self) -> Vec<CounterKey> {
        Vec::new()
    }
}

impl Own for () {}

impl Ledger {
    /// The place of a counter, which [`Ledger::lock`] fills where it exists.
    pub fn place(&mut self, key: CounterKey) -> usize {
        *self.at.entry(key).or_insert_with_key(|key| {
            self.rows.push(Row { key: key.clone(), tally: Tally::default(), loaded: None });
            self.rows.len() - 1
        })
    }

    /// Says in what this batch counts uses of an owner, before anything is locked.
    pub fn count_in(&mut self, owner: &Arc<str>, tracks: &Tracks) {
        self.tracks.entry(owner.clone()).or_insert_with(|| tracks.clone());
    }

    /// Owners whose uses have to be counted in more than this batch does, found by the locks.
    pub(super) fn ahead(&self) -> &[(Arc<str>, Tracks)] {
        &self.ahead
    }

    /// By what the locked row of `owner` says that every use is counted, and one in these counters is not. A use
    /// that is decided by limits from before it was said has to come again: it would be missing.
    pub fn lacks<'k>(
        &self,
        owner: &str,
        counters: impl Iterator<Item = &'k CounterKey> + Clone,
    ) -> Option<&Dimension> {
        let counts = |by: &Dimension| counters.clone().any(|key| key.counts_by(by));
        self.only_asked.get(owner)?.iter().find(|by| !counts(by))
    }

    /// The place of a counter that was placed.
    pub fn find(&self, key: &CounterKey) -> Option<usize> {
        self.at.get(key).copied()
    }

    /// Locks the counters that were placed, in the order of their keys, and takes them in.
    pub async fn lock(&mut self, tx: &mut Tx, tenant: &Tenant) -> Outcome<()> {
        let mut keys: Vec<CounterKey> = self.rows.iter().map(|row| row.key.clone()).collect();
        keys.sort_unstable();
        for (key, tally, tracks) in lock(tx, tenant, keys.iter()).await? {
            if let Some(by) = tracks.as_ref().map(Tracks::only_asked).filter(|by| !by.is_empty()) {
                self.only_asked.insert(key.owner.clone(), by);
            }
            if let (Some(stored), Some(ours)) = (tracks, self.tracks.get(&key.owner))
                && !ours.contain(&stored)
            {
                self.ahead.push((key.owner.clone(), ours.and(&stored)));
            }
            self.load(key, tally);
        }
        Ok(())
    }

    /// Takes them in as they are, for decisions that are not written down.
    pub async fn look(&mut self, session: &mut impl Session, tenant: &Tenant) -> Outcome<()> {
        let found = find(session, tenant, self.rows.iter().map(|row| &row.key)).await?;
        found.into_iter().for_each(|(key, tally)| self.load(key, tally));
        Ok(())
    }

    fn load(&mut self, key: CounterKey, tally: Tally) {
        if let Some(row) = self.at.get(&key).and_then(|at| self.rows.get_mut(*at)) {
            row.tally = tally;
            row.loaded = Some(tally);
        }
    }

    fn held(&self, own: &impl Own) -> Vec<CounterKey> {
        let counters = self.rows.iter().filter(|row| row.tally.held != 0).map(|row| row.key.clone());
        counters.chain(own.held()).collect()
    }

    /// Takes in what holds keep, as far as it can matter: what has lapsed, and what these holders hold themselves. Nothing
    /// is asked where nothing is held. What has lapsed is taken off, and stays so whatever becomes of the decisions:
    /// answers these claims.
    pub async fn load_claims(
        &mut self,
        session: &mut impl Session,
        tenant: &Tenant,
        own: &impl Own,
        holders: &[Uuid],
        now: Timestamp,
    ) -> Outcome<Vec<Claim>> {
        let held = self.held(own);
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = lapsed_claims(session, tenant, &held, now).await?;
        if !holders.is_empty() {
            rows.extend(claims_of(session, tenant, holders).await?);
        }
        for ClaimRow { key, holder, uses, amount, expires } in rows {
            let counter = self.find(&key).map(Target::Counter);
            if let Some(target) = counter.or_else(|| own.place(&key).map(Target::Own)) {
                self.load_claim(Claim { target, holder, uses, amount, expires });
            }
        }
        Ok(self.drop_lapsed(now))
    }

    /// Takes a stored claim in; one that is in already stays as it is.
    fn load_claim(&mut self, claim: Claim) {
        let of = self.of_holder.entry(claim.holder).or_default();
        if of.iter().any(|at| self.claims[*at].claim.target == claim.target) {
            return;
        }
        of.push(self.claims.len());
        self.claims.push(Slot { claim, stored: true, gone: false });
    }

    /// Takes off what lapsed holds keep, for good; answers these claims.
    fn drop_lapsed(&mut self, now: Timestamp) -> Vec<Claim> {
        let lapsed = |at: &usize| self.claims[*at].claim.expires <= now;
        let lapsed: Vec<usize> = (0..self.claims.len()).filter(lapsed).collect();
        let dropped = lapsed.into_iter().filter_map(|at| self.drop_claim(at)).collect();
        self.undo.clear();
        dropped
    }

    /// Every counter, in the order of places.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What a counter has counted.
    pub fn tally(&self, at: usize) -> Tally {
        self.rows[at].tally
    }

    /// Whether there is such a counter, or will be. One that is gone was of a period or an owner long over.
    pub fn exists(&self, at: usize) -> bool {
        let row = &self.rows[at];
        row.loaded.is_some() || row.tally != Tally::default()
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

    /// Writes a counter.
    pub fn set(&mut self, at: usize, tally: Tally) {
        self.undo.push(Undo::Tally(at, self.rows[at].tally));
        self.rows[at].tally = tally;
    }

    /// Writes a counter in a way that no undoing takes back.
    pub fn settle(&mut self, at: usize, tally: Tally) {
        self.rows[at].tally = tally;
    }

    /// Writes a counter down where there is none, although nothing is counted in it: whoever counts in it for the first time at the
    /// same moment, without knowing that it is judged here, is decided anew, or this is.
    pub fn guard(&mut self, at: usize) {
        self.guarded.insert(at);
    }

    /// Keeps something of a row for a hold.
    pub fn claim(&mut self, claim: Claim) {
        self.keep(claim.target, claim.uses + claim.amount);
        self.of_holder.entry(claim.holder).or_default().push(self.claims.len());
        self.claims.push(Slot { claim, stored: false, gone: false });
        self.undo.push(Undo::Claimed);
    }

    /// Gives back what a hold keeps, of every row; answers these claims.
    pub fn drop_claims_of(&mut self, holder: Uuid) -> Vec<Claim> {
        let of = self.of_holder.get(&holder).cloned().unwrap_or_default();
        of.into_iter().filter_map(|at| self.drop_claim(at)).collect()
    }

    fn drop_claim(&mut self, at: usize) -> Option<Claim> {
        if self.claims[at].gone {
            return None;
        }
        self.claims[at].gone = true;
        self.undo.push(Undo::Gone(at));
        let claim = self.claims[at].claim.clone();
        self.keep(claim.target, -claim.uses - claim.amount);
        Some(claim)
    }

    /// A counter counts uses or money, never both.
    fn keep(&mut self, target: Target, more: i64) {
        if let Target::Counter(row) = target {
            let tally = self.rows[row].tally;
            self.set(row, Tally { held: tally.held + more, ..tally });
        }
    }

    /// Writes back what differs.
    pub async fn write_back(&self, tx: &mut Tx, writes: &mut Writes<'_>, own: &impl Own) -> Outcome<()> {
        let (mut made, mut dropped) = (Vec::new(), Vec::new());
        for slot in self.claims.iter().filter(|slot| slot.stored == slot.gone) {
            let Claim { target, holder, uses, amount, expires } = slot.claim;
            let key = match target {
                Target::Counter(at) => Some(self.rows[at].key.clone()),
                Target::Own(at) => own.key(at),
            };
            let key = key.ok_or_else(|| Fault::internal("a claim is on a row that nobody has"))?;
            let row = ClaimRow { key, holder, uses, amount, expires };
            if slot.gone { dropped.push(row) } else { made.push(row) }
        }
        swap_claims(tx, writes, &dropped, &made).await?;
        let (mut counted, mut new) = (Vec::new(), Vec::new());
        for (at, row) in self.rows.iter().enumerate() {
            match row.loaded {
                Some(loaded) if loaded != row.tally => counted.push((&row.key, row.tally)),
                None if row.tally != Tally::default() || self.guarded.contains(&at) => {
                    new.push((&row.key, row.tally))
                }
                _ => {}
            }
        }
        writes.push(update(&counted));
        writes.push(insert(new, |key| self.tracks.get(&key.owner)));
        Ok(())
    }
}
