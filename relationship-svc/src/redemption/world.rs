//! The working copy of the rows a batch has locked. Decisions change it; what differs at the end is written back.
//!
//! Every change is journaled, so that a refused call leaves nothing behind ([`World::undo`]).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::person::PersonKeys;
use tandem_platform::counters::ledger::{Claim, Ledger, Own, Target};
use tandem_platform::counters::tracks::KnownOf;
use tandem_platform::db::Session;
use tandem_platform::{Outcome, Tenant};
use uuid::Uuid;

use super::{CounterKey, CounterKind, Happened, Person, Redemption, State, Terms};
use crate::customer::alias::Known;
use crate::voucher::{self, Usage, Voucher};

pub(super) type Map<K, V> = HashMap<K, V, RandomState>;

/// What a decision is made under, the same for the whole batch.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// The time of the transaction.
    pub now: Timestamp,
    /// Of the tenant's days, weeks and months.
    pub zone: TimeZone,
    /// Whose.
    pub tenant: Tenant,
    /// What stands for who was erased.
    pub people: Arc<PersonKeys>,
    /// In what uses are counted.
    pub tracks: KnownOf,
    /// How long a code that has expired stays valid when its use comes back.
    pub restored: SignedDuration,
    /// How long after its first hold an order may hold at most.
    pub hold_max: SignedDuration,
}

/// Which rows a redemption counts in, by place in the working copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reach {
    pub voucher: usize,
    /// Every counter that counts its use.
    pub uses: Arc<[usize]>,
    /// Every counter that counts its money.
    pub money: Arc<[usize]>,
    pub judged: Judged,
    /// Of the incentive's limits per value those for which the order has one.
    pub values: Arc<[JudgedValue]>,
    /// The same of segments of which it is open whether they count.
    pub open: Arc<[JudgedValue]>,
}

/// The counters by which a limit per value is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JudgedValue {
    /// Its place among the limits per value.
    pub limit: usize,
    pub uses: usize,
    pub money: usize,
}

/// Those of the counters by which the limits of the incentive are judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Judged {
    pub uses: Option<usize>,
    pub budget: Option<usize>,
    pub customer: Option<usize>,
    pub customer_period: Option<usize>,
    /// The same under other names of the customer: of ids that stand for them and may still count, and of the pseudonym of who was
    /// erased under their id, so that who comes back finds these limits as they stand.
    pub beside: Arc<[usize]>,
    pub beside_period: Arc<[usize]>,
    /// Those of them under ids that may still count: whoever counts there for the first time must collide.
    pub guarded: Arc<[usize]>,
}

#[derive(Debug)]
pub(super) struct VoucherSlot {
    pub voucher: Voucher,
    pub loaded: Usage,
}

/// The vouchers of a batch: they count by themselves.
#[derive(Debug, Default)]
pub(super) struct Vouchers {
    pub slots: Vec<VoucherSlot>,
    at: Map<String, usize>,
}

impl Own for Vouchers {
    fn place(&self, key: &CounterKey) -> Option<usize> {
        (key.kind == CounterKind::Voucher).then(|| self.at.get(&*key.owner).copied()).flatten()
    }

    fn key(&self, place: usize) -> Option<CounterKey> {
        self.slots.get(place).map(|slot| voucher::key(&slot.voucher.code))
    }

    fn held(&self) -> Vec<CounterKey> {
        let held = self.slots.iter().filter(|slot| slot.voucher.usage.uses_held != 0);
        held.map(|slot| voucher::key(&slot.voucher.code)).collect()
    }
}

#[derive(Debug)]
pub(super) struct RedemptionSlot {
    pub current: Arc<Redemption>,
    /// `None`: there is no such row yet.
    pub loaded: Option<Arc<Redemption>>,
    /// `None` where no decision can touch its counters.
    pub reach: Option<Reach>,
}

/// How far the journal went at some moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    undo: usize,
    ledger: usize,
    happened: usize,
}

#[derive(Debug)]
enum Undo {
    Usage(usize, Usage),
    Redemption(usize, Arc<Redemption>),
    Reach(usize, Option<Reach>),
    Pushed,
}

/// The working copy.
#[derive(Debug)]
pub(super) struct World {
    pub setting: Setting,
    /// Who counts for the people of the batch.
    pub names: Known,
    pub terms: Map<String, Arc<Terms>>,
    pub vouchers: Vouchers,
    /// Counters, and what holds keep of them and of vouchers.
    pub ledger: Ledger,
    pub redemptions: Vec<RedemptionSlot>,
    of_order: Map<String, Vec<usize>>,
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
            names: Known::default(),
            terms: Map::default(),
            vouchers: Vouchers::default(),
            ledger: Ledger::default(),
            redemptions: Vec::new(),
            of_order: Map::default(),
            happened: Vec::new(),
            item: 0,
            undo: Vec::new(),
        }
    }

    /// Who counts for somebody: the one whom a customer was merged into, or who has claimed a guest.
    pub fn person(&self, of: &Person) -> Person {
        let kept = match (&of.customer, &of.guest) {
            (Some(id), _) => self.names.customer(id),
            (None, Some(key)) => self.names.claimed_by(key),
            (None, None) => None,
        };
        let customer = kept.map(str::to_owned).or_else(|| of.customer.clone());
        Person { customer, guest: of.guest.clone() }
    }

    pub fn now(&self) -> Timestamp {
        self.setting.now
    }

    pub fn load_vouchers(&mut self, vouchers: Vec<Voucher>) {
        for voucher in vouchers {
            self.vouchers.at.insert(voucher.code.clone(), self.vouchers.slots.len());
            self.vouchers.slots.push(VoucherSlot { loaded: voucher.usage, voucher });
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

    /// The codes of redemptions that a decision may still change.
    pub fn codes_that_may_change(&self) -> impl Iterator<Item = String> + '_ {
        let open = self.redemptions.iter().filter(|slot| slot.current.may_change());
        open.map(|slot| slot.current.code.clone())
    }

    /// Takes in what holds keep of the rows that are there, as far as it can matter: what has lapsed, which is taken off,
    /// and what held redemptions keep themselves.
    pub async fn load_claims(&mut self, session: &mut impl Session, tenant: &Tenant) -> Outcome<()> {
        let held = self.redemptions.iter().filter(|slot| slot.current.state == State::Held);
        let held: Vec<Uuid> = held.map(|slot| slot.current.id).collect();
        let now = self.now();
        let lapsed = self.ledger.load_claims(session, tenant, &self.vouchers, &held, now).await?;
        self.give_back_to_vouchers(lapsed);
        self.undo.clear();
        Ok(())
    }

    pub fn voucher_place(&self, code: &str) -> Option<usize> {
        self.vouchers.at.get(code).copied()
    }

    pub fn voucher(&self, at: usize) -> &Voucher {
        &self.vouchers.slots[at].voucher
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
        let Some(reach) = &slot.reach else { return false };
        let expected = 1 + reach.uses.len() + reach.money.len();
        self.ledger.claims_of(slot.current.id) == expected
            && slot.current.expires.is_some_and(|end| self.now() < end)
    }

    pub fn mark(&self) -> Mark {
        Mark { undo: self.undo.len(), ledger: self.ledger.mark(), happened: self.happened.len() }
    }

    /// Takes back everything since `mark`.
    pub fn undo(&mut self, mark: Mark) {
        while self.undo.len() > mark.undo {
            match self.undo.pop() {
                Some(Undo::Usage(at, usage)) => self.vouchers.slots[at].voucher.usage = usage,
                Some(Undo::Redemption(at, redemption)) => self.redemptions[at].current = redemption,
                Some(Undo::Reach(at, reach)) => self.redemptions[at].reach = reach,
                Some(Undo::Pushed) => {
                    if let Some(slot) = self.redemptions.pop()
                        && let Some(of) = self.of_order.get_mut(&slot.current.order)
                    {
                        of.pop();
                    }
                }
                None => break,
            }
        }
        self.ledger.undo(mark.ledger);
        self.happened.truncate(mark.happened);
    }

    pub fn set_usage(&mut self, at: usize, usage: Usage) {
        let slot = &mut self.vouchers.slots[at];
        self.undo.push(Undo::Usage(at, slot.voucher.usage));
        slot.voucher.usage = usage;
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
        if let Target::Own(at) = claim.target {
            self.keep(at, claim.uses, claim.amount);
        }
        self.ledger.claim(claim);
    }

    /// Gives back what a hold keeps, of every row.
    pub fn drop_claims_of(&mut self, redemption: Uuid) {
        let dropped = self.ledger.drop_claims_of(redemption);
        self.give_back_to_vouchers(dropped);
    }

    fn give_back_to_vouchers(&mut self, dropped: Vec<Claim>) {
        for claim in dropped {
            if let Target::Own(at) = claim.target {
                self.keep(at, -claim.uses, -claim.amount);
            }
        }
    }

    fn keep(&mut self, voucher: usize, uses: i64, amount: i64) {
        let usage = self.voucher(voucher).usage;
        let (uses_held, spent_held) = (usage.uses_held + uses, usage.spent_held + amount);
        self.set_usage(voucher, Usage { uses_held, spent_held, ..usage });
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
