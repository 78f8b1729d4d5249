//! The working copy of the rows a batch has locked. Decisions change it; what differs at the end is written back.
//!
//! Every change is journaled, so that a refused call leaves nothing behind ([`World::undo`]).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{CounterKey, CounterKind, Happened, Redemption, Tally, Terms};
use crate::voucher::{Usage, Voucher};

pub(super) type Map<K, V> = HashMap<K, V, RandomState>;

/// What a decision is made under, the same for the whole batch.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// The time of the transaction.
    pub now: Timestamp,
    /// Of the tenant's days, weeks and months.
    pub zone: TimeZone,
    /// How long a code that has expired stays valid when its use comes back.
    pub restored: SignedDuration,
    /// How long after its first hold an order may hold at most.
    pub hold_max: SignedDuration,
}

/// Which rows a redemption counts in, by place in the working copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    pub voucher: usize,
    pub uses: usize,
    pub budget: usize,
    pub customer: Option<usize>,
    pub customer_period: Option<usize>,
}

impl Reach {
    /// The counters that count uses.
    pub fn use_counters(&self) -> impl Iterator<Item = usize> {
        [Some(self.uses), self.customer, self.customer_period].into_iter().flatten()
    }
}

#[derive(Debug)]
pub(super) struct VoucherSlot {
    pub voucher: Voucher,
    pub loaded: Usage,
}

#[derive(Debug)]
pub(super) struct CounterSlot {
    pub key: CounterKey,
    pub tally: Tally,
    /// `None`: there is no such row yet.
    pub loaded: Option<Tally>,
}

#[derive(Debug)]
pub(super) struct RedemptionSlot {
    pub current: Arc<Redemption>,
    /// `None`: there is no such row yet.
    pub loaded: Option<Arc<Redemption>>,
    /// `None` where no decision can touch its counters.
    pub reach: Option<Reach>,
}

/// What a hold keeps of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub target: Target,
    pub redemption: Uuid,
    pub uses: i64,
    pub amount: i64,
    pub expires: Timestamp,
}

/// Of which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Voucher(usize),
    Counter(usize),
}

#[derive(Debug)]
pub(super) struct ClaimSlot {
    pub claim: Claim,
    pub stored: bool,
    pub gone: bool,
}

/// How far the journal went at some moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    undo: usize,
    happened: usize,
}

#[derive(Debug)]
enum Undo {
    Usage(usize, Usage),
    Tally(usize, Tally),
    Redemption(usize, Arc<Redemption>),
    Reach(usize, Option<Reach>),
    Pushed,
    ClaimGone(usize),
    Claimed,
}

/// The working copy.
#[derive(Debug)]
pub(super) struct World {
    pub setting: Setting,
    pub terms: Map<String, Arc<Terms>>,
    pub vouchers: Vec<VoucherSlot>,
    voucher_at: Map<String, usize>,
    pub counters: Vec<CounterSlot>,
    counter_at: Map<CounterKey, usize>,
    pub redemptions: Vec<RedemptionSlot>,
    of_order: Map<String, Vec<usize>>,
    pub claims: Vec<ClaimSlot>,
    of_redemption: Map<Uuid, Vec<usize>>,
    /// With the index of the item that made it happen.
    pub happened: Vec<(usize, Happened)>,
    /// The item that is being decided.
    pub item: usize,
    undo: Vec<Undo>,
}

impl World {
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            terms: Map::default(),
            vouchers: Vec::new(),
            voucher_at: Map::default(),
            counters: Vec::new(),
            counter_at: Map::default(),
            redemptions: Vec::new(),
            of_order: Map::default(),
            claims: Vec::new(),
            of_redemption: Map::default(),
            happened: Vec::new(),
            item: 0,
            undo: Vec::new(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.setting.now
    }

    // ---- loading -------------------------------------------------------------------------------------------------

    pub fn load_vouchers(&mut self, vouchers: Vec<Voucher>) {
        for voucher in vouchers {
            self.voucher_at.insert(voucher.code.clone(), self.vouchers.len());
            self.vouchers.push(VoucherSlot { loaded: voucher.usage, voucher });
        }
    }

    /// The rows of whole orders, by ordinal within each.
    pub fn load_redemptions(&mut self, redemptions: Vec<Redemption>) {
        for redemption in redemptions {
            let current = Arc::new(redemption);
            self.of_order.entry(current.order.clone()).or_default().push(self.redemptions.len());
            self.redemptions.push(RedemptionSlot { loaded: Some(current.clone()), current, reach: None });
        }
    }

    /// The place of a counter, which [`World::load_tally`] fills where its row exists.
    pub fn counter(&mut self, key: CounterKey) -> usize {
        *self.counter_at.entry(key).or_insert_with_key(|key| {
            self.counters.push(CounterSlot { key: key.clone(), tally: Tally::default(), loaded: None });
            self.counters.len() - 1
        })
    }

    pub fn load_tally(&mut self, key: &CounterKey, tally: Tally) {
        if let Some(slot) = self.counter_at.get(key).and_then(|at| self.counters.get_mut(*at)) {
            slot.tally = tally;
            slot.loaded = Some(tally);
        }
    }

    /// The place of the row that a stored claim names, where the batch has locked it.
    pub fn target(&self, key: &CounterKey) -> Option<Target> {
        match key.kind {
            CounterKind::Voucher => self.voucher_at.get(&*key.owner).map(|at| Target::Voucher(*at)),
            _ => self.counter_at.get(key).map(|at| Target::Counter(*at)),
        }
    }

    /// Takes a stored claim in; one that is in already stays as it is.
    pub fn load_claim(&mut self, claim: Claim) {
        let of = self.of_redemption.entry(claim.redemption).or_default();
        if of.iter().any(|at| self.claims[*at].claim.target == claim.target) {
            return;
        }
        of.push(self.claims.len());
        self.claims.push(ClaimSlot { claim, stored: true, gone: false });
    }

    /// Takes off what lapsed holds keep of the locked rows. Stays whatever becomes of the items.
    pub fn drop_lapsed_claims(&mut self) {
        for at in 0..self.claims.len() {
            if self.claims[at].claim.expires <= self.now() {
                self.drop_claim(at);
            }
        }
        self.undo.clear();
    }

    // ---- reading -------------------------------------------------------------------------------------------------

    pub fn voucher_place(&self, code: &str) -> Option<usize> {
        self.voucher_at.get(code).copied()
    }

    pub fn voucher(&self, at: usize) -> &Voucher {
        &self.vouchers[at].voucher
    }

    pub fn tally(&self, at: usize) -> Tally {
        self.counters[at].tally
    }

    /// Whether there is such a counter, or will be.
    pub fn has_counter(&self, at: usize) -> bool {
        let slot = &self.counters[at];
        slot.loaded.is_some() || slot.tally != Tally::default()
    }

    pub fn redemption(&self, at: usize) -> &Arc<Redemption> {
        &self.redemptions[at].current
    }

    /// The redemptions of an order that pass, by ordinal.
    pub fn of_order(&self, order: &str, pass: impl Fn(&Redemption) -> bool) -> Vec<usize> {
        let all = self.of_order.get(order).map(Vec::as_slice).unwrap_or_default();
        all.iter().copied().filter(|at| pass(&self.redemptions[*at].current)).collect()
    }

    /// Every claim of a held redemption is there and has not lapsed. All of one hold lapse together, but a process whose
    /// clock is ahead may have taken one off already.
    pub fn hold_lives(&self, at: usize) -> bool {
        let slot = &self.redemptions[at];
        let Some(reach) = slot.reach else { return false };
        let expected =
            3 + usize::from(reach.customer.is_some()) + usize::from(reach.customer_period.is_some());
        let claims = self.of_redemption.get(&slot.current.id).map(Vec::as_slice).unwrap_or_default();
        let live = claims.iter().filter(|at| !self.claims[**at].gone).count();
        live == expected && slot.current.expires.is_some_and(|end| self.now() < end)
    }

    // ---- changing ------------------------------------------------------------------------------------------------

    pub fn mark(&self) -> Mark {
        Mark { undo: self.undo.len(), happened: self.happened.len() }
    }

    /// Takes back everything since `mark`.
    pub fn undo(&mut self, mark: Mark) {
        while self.undo.len() > mark.undo {
            match self.undo.pop() {
                Some(Undo::Usage(at, usage)) => self.vouchers[at].voucher.usage = usage,
                Some(Undo::Tally(at, tally)) => self.counters[at].tally = tally,
                Some(Undo::Redemption(at, redemption)) => self.redemptions[at].current = redemption,
                Some(Undo::Reach(at, reach)) => self.redemptions[at].reach = reach,
                Some(Undo::ClaimGone(at)) => self.claims[at].gone = false,
                Some(Undo::Pushed) => {
                    if let Some(slot) = self.redemptions.pop()
                        && let Some(of) = self.of_order.get_mut(&slot.current.order)
                    {
                        of.pop();
                    }
                }
                Some(Undo::Claimed) => {
                    if let Some(slot) = self.claims.pop()
                        && let Some(of) = self.of_redemption.get_mut(&slot.claim.redemption)
                    {
                        of.pop();
                    }
                }
                None => break,
            }
        }
        self.happened.truncate(mark.happened);
    }

    pub fn set_usage(&mut self, at: usize, usage: Usage) {
        let slot = &mut self.vouchers[at];
        self.undo.push(Undo::Usage(at, slot.voucher.usage));
        slot.voucher.usage = usage;
    }

    pub fn set_tally(&mut self, at: usize, tally: Tally) {
        let slot = &mut self.counters[at];
        self.undo.push(Undo::Tally(at, slot.tally));
        slot.tally = tally;
    }

    /// The next state of a redemption.
    pub fn set_redemption(&mut self, at: usize, redemption: Redemption) -> Arc<Redemption> {
        let next = Arc::new(redemption);
        let before = std::mem::replace(&mut self.redemptions[at].current, next.clone());
        self.undo.push(Undo::Redemption(at, before));
        next
    }

    /// Where a redemption counts from now on.
    pub fn set_reach(&mut self, at: usize, reach: Reach) {
        let before = self.redemptions[at].reach.replace(reach);
        self.undo.push(Undo::Reach(at, before));
    }

    /// A new redemption at the end of its order.
    pub fn push_redemption(&mut self, redemption: Redemption, reach: Reach) -> Arc<Redemption> {
        let current = Arc::new(redemption);
        self.of_order.entry(current.order.clone()).or_default().push(self.redemptions.len());
        let slot = RedemptionSlot { current: current.clone(), loaded: None, reach: Some(reach) };
        self.redemptions.push(slot);
        self.undo.push(Undo::Pushed);
        current
    }

    /// How many redemptions the order has had.
    pub fn next_ordinal(&self, order: &str) -> i64 {
        let count = self.of_order.get(order).map_or(0, Vec::len);
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// How many redemptions the order had when it was loaded.
    pub fn loaded_ordinals(&self, order: &str) -> i64 {
        let all = self.of_order.get(order).map(Vec::as_slice).unwrap_or_default();
        let loaded = all.iter().filter(|at| self.redemptions[**at].loaded.is_some()).count();
        i64::try_from(loaded).unwrap_or(i64::MAX)
    }

    /// Keeps something of a row for a hold.
    pub fn claim(&mut self, claim: Claim) {
        self.keep(claim.target, claim.uses, claim.amount);
        self.of_redemption.entry(claim.redemption).or_default().push(self.claims.len());
        self.claims.push(ClaimSlot { claim, stored: false, gone: false });
        self.undo.push(Undo::Claimed);
    }

    /// Gives back what a hold keeps, of every row.
    pub fn drop_claims_of(&mut self, redemption: Uuid) {
        for at in self.of_redemption.get(&redemption).cloned().unwrap_or_default() {
            self.drop_claim(at);
        }
    }

    fn drop_claim(&mut self, at: usize) {
        if self.claims[at].gone {
            return;
        }
        self.claims[at].gone = true;
        self.undo.push(Undo::ClaimGone(at));
        let Claim { target, uses, amount, .. } = self.claims[at].claim;
        self.keep(target, -uses, -amount);
    }

    fn keep(&mut self, target: Target, uses: i64, amount: i64) {
        match target {
            Target::Voucher(at) => {
                let usage = self.vouchers[at].voucher.usage;
                let uses_held = usage.uses_held + uses;
                self.set_usage(at, Usage { uses_held, spent_held: usage.spent_held + amount, ..usage });
            }
            Target::Counter(at) => {
                let tally = self.counters[at].tally;
                self.set_tally(at, Tally { held: tally.held + uses + amount, ..tally });
            }
        }
    }

    pub fn tell(&mut self, happened: Happened) {
        self.happened.push((self.item, happened));
    }
}

/// Distinct values in the order of their first appearance.
pub(super) fn distinct<T: Hash + Eq + Clone>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen: std::collections::HashSet<T, RandomState> = std::collections::HashSet::default();
    values.into_iter().filter(|value| seen.insert(value.clone())).collect()
}
