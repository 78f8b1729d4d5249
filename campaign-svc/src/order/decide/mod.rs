//! Decisions, pure: what each item of a batch may do, on the working copy.

mod begin;
mod end;
mod room;
mod settle;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::limits::CounterKey;
use tandem_platform::counters::ledger::Ledger;
use tandem_platform::counters::tracks::KnownOf;
use uuid::Uuid;

use super::refund::Shipping;
use super::terms::{Terms, campaign_of};
use super::watched;
use super::{Order, Pending, Person, Refusal, Sold, State, Step};
pub use begin::own;
pub use room::counted;

/// What one item asks for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Hold or commit a quote.
    Begin(Box<Begin>),
    /// Give everything back.
    Cancel {
        /// Id of the order.
        order: String,
    },
    /// Take units back.
    Return {
        /// Id of the order.
        order: String,
        /// By line.
        lines: Vec<(String, i64)>,
        /// How much of the shipping comes back with them.
        shipping: Shipping,
    },
    /// relationship-svc has answered an open step.
    Settle(Settle),
    /// A hold is over.
    Expire {
        /// Id of the order.
        order: String,
    },
}

impl Command {
    /// relationship-svc may have to be asked.
    pub fn may_ask(&self) -> bool {
        match self {
            Self::Begin(begin) => !begin.sold.codes.is_empty(),
            Self::Cancel { .. } | Self::Return { .. } => true,
            Self::Settle(_) | Self::Expire { .. } => false,
        }
    }
}

/// Hold or commit a quote.
#[derive(Debug, Clone)]
pub struct Begin {
    /// Id of the order.
    pub order: String,
    /// Which of both.
    pub intent: Intent,
    /// Who buys, as the quote says.
    pub person: Person,
    /// What the quote sealed; its charges are made here.
    pub sold: Arc<Sold>,
    /// The sealed quote.
    pub token: String,
    /// Id of the order that this one amends.
    pub replaces: Option<String>,
}

/// Keep, or count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// For so long.
    Hold {
        /// From now.
        ttl: SignedDuration,
    },
    /// For good.
    Commit,
}

/// An answer of relationship-svc.
#[derive(Debug, Clone)]
pub struct Settle {
    /// The order, as whoever asked knew it.
    pub order: Arc<Order>,
    /// Of which step.
    pub attempt: Uuid,
    /// What it said.
    pub verdict: Verdict,
}

/// What relationship-svc said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Accepted,
    /// Refused, for the reason of this name; nothing was done there.
    Refused(String),
}

/// The caller's call: request_id and hash.
pub type Caller = (String, [u8; 32]);

/// What an item is decided under.
#[derive(Debug, Clone)]
pub struct Item<'i> {
    /// Its place in the batch.
    pub index: usize,
    /// The caller's call; `None` for our own tasks.
    pub caller: Option<Caller>,
    /// On whose behalf.
    pub principal: &'i str,
    /// For a hold that is made, and for a step that is begun.
    pub fresh: [Uuid; 2],
}

impl Item<'_> {
    /// The open step is that of this very call. Requests are told apart by their method too.
    fn repeats(&self, pending: &Pending, steps: &[Step]) -> bool {
        steps.contains(&pending.step) && self.caller.as_ref().is_some_and(|caller| *caller == pending.request)
    }

    /// Why an open step that is not that of this call comes first: its request_id may be this call's all the same.
    fn kept_out_by(&self, pending: &Pending, steps: &[Step]) -> Refusal {
        let same_id = self.caller.as_ref().is_some_and(|(id, _)| *id == pending.request.0);
        if same_id && steps.contains(&pending.step) { Refusal::Reused } else { Refusal::Pending }
    }

    /// A step of this item that begins now.
    fn begins(&self, step: Step, from: State, now: Timestamp) -> Pending {
        Pending {
            step,
            attempt: self.fresh[1],
            from,
            token: String::new(),
            ttl_s: 0,
            lines: Vec::new(),
            request: self.caller.clone().unwrap_or_default(),
            of_order: true,
            principal: self.principal.to_owned(),
            since: now,
        }
    }
}

/// What is the same for the whole batch.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The time of the transaction.
    pub now: Timestamp,
    /// How long after its first hold an order may be held at most.
    pub hold_max: SignedDuration,
    /// In what uses are counted.
    pub tracks: KnownOf,
    /// Under which other subject limits per customer have counted for a subject: before an erasure, or after it.
    pub beside: HashMap<Arc<str>, Arc<str>>,
}

impl Setting {
    /// The counter in which the same is counted under the other subject.
    fn beside(&self, key: &CounterKey) -> Option<CounterKey> {
        let other = self.beside.get(&key.subject).filter(|_| key.kind.is_of_customer())?;
        Some(CounterKey { subject: other.clone(), ..key.clone() })
    }
}

/// What happened, for the outbox.
#[derive(Debug, Clone)]
pub enum Happened {
    /// Held.
    Held(Arc<Order>),
    /// Counted on both sides.
    Committed(Arc<Order>),
    /// Units are back: those, worth so much of offers' discounts.
    Returned(Arc<Order>, Vec<(String, i64)>, i64),
    /// Everything is back; where it stood before.
    Cancelled(Arc<Order>, State),
    /// relationship-svc refused, for this reason.
    Refused(Arc<Order>, String),
    /// The hold lapsed.
    Expired(Arc<Order>),
    /// A limit has reached a threshold.
    Threshold(Threshold),
}

/// A limit has reached 80, 95 or 100 per cent.
#[derive(Debug, Clone)]
pub struct Threshold {
    /// Of what.
    pub owner: Arc<str>,
    /// Ascending with every change of the campaign.
    pub version: i64,
    /// Which.
    pub percent: i64,
    /// Uses, or minor units.
    pub used: i64,
    /// Of the budget; `None`: it counts uses.
    pub currency: Option<tandem_kernel::money::Currency>,
}

#[derive(Debug, Default)]
struct Slot {
    current: Option<Arc<Order>>,
    loaded: Option<Arc<Order>>,
}

/// The working copy.
#[derive(Debug)]
pub struct World {
    /// Under which everything is decided.
    pub setting: Setting,
    /// Limits.
    pub terms: Terms,
    /// Rows under limits.
    pub ledger: Ledger,
    /// Places of rows that have refused an order.
    pub refused: BTreeSet<usize>,
    /// With the index of the item that made it happen.
    pub happened: Vec<(usize, Happened)>,
    orders: HashMap<String, Slot, RandomState>,
}

/// An order that differs from the database.
#[derive(Debug)]
pub struct Change<'w> {
    /// As it was locked; `None`: it did not exist.
    pub from: Option<&'w Order>,
    /// As it is now.
    pub to: &'w Order,
}

impl World {
    /// Without any row.
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            terms: Terms::default(),
            ledger: Ledger::default(),
            refused: BTreeSet::new(),
            happened: Vec::new(),
            orders: HashMap::default(),
        }
    }

    /// Takes a locked order in.
    pub fn load(&mut self, order: Arc<Order>) {
        let slot = Slot { current: Some(order.clone()), loaded: Some(order.clone()) };
        self.orders.insert(order.id.clone(), slot);
    }

    /// An order as it is now.
    pub fn order(&self, id: &str) -> Option<&Arc<Order>> {
        self.orders.get(id)?.current.as_ref()
    }

    /// Whether the order existed when the batch was loaded.
    pub fn was_loaded(&self, id: &str) -> bool {
        self.orders.get(id).is_some_and(|slot| slot.loaded.is_some())
    }

    /// Whether this step of the order was open when the batch was loaded.
    pub fn had_open(&self, id: &str, attempt: Uuid) -> bool {
        let loaded = self.orders.get(id).and_then(|slot| slot.loaded.as_ref());
        loaded.and_then(|order| order.pending.as_ref()).is_some_and(|pending| pending.attempt == attempt)
    }

    /// Every order that was loaded.
    pub fn orders(&self) -> impl Iterator<Item = &Arc<Order>> {
        self.orders.values().filter_map(|slot| slot.current.as_ref())
    }

    /// What is to be written.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.orders.values().filter_map(|slot| {
            let (from, to) = (slot.loaded.as_ref(), slot.current.as_ref()?);
            let same = from.is_some_and(|from| Arc::ptr_eq(from, to));
            (!same).then_some(Change { from: from.map(|from| &**from), to })
        })
    }

    /// Writes an order: one version on, at the time of the transaction.
    fn put(&mut self, order: Order) -> Arc<Order> {
        let order = Arc::new(Order { version: order.version + 1, updated: self.setting.now, ..order });
        self.orders.entry(order.id.clone()).or_default().current = Some(order.clone());
        order
    }

    fn tell(&mut self, item: &Item<'_>, happened: Happened) {
        self.happened.push((item.index, happened));
    }

    /// Whether the order is held and keeps all that it kept.
    fn hold_lives(&self, order: &Order) -> bool {
        let expected: usize = order.sold.charges.iter().map(|charge| keys_of(order, charge).len()).sum();
        order.expires.is_some_and(|end| self.setting.now < end)
            && self.ledger.claims_of(order.holder) == expected
    }
}

/// The rows that a charge of an order counts in.
fn keys_of(order: &Order, charge: &super::Charge) -> Vec<CounterKey> {
    keys(&order.sold, &order.person, charge)
}

fn keys(sold: &Sold, person: &Person, charge: &super::Charge) -> Vec<CounterKey> {
    charge.counted.keys(&charge.owner.as_str().into(), sold.currency, person.subject().as_ref())
}

/// The orders that an item touches.
pub fn orders(command: &Command) -> impl Iterator<Item = &str> {
    let (one, other) = match command {
        Command::Begin(begin) => (&begin.order, begin.replaces.as_deref()),
        Command::Cancel { order } | Command::Return { order, .. } | Command::Expire { order } => {
            (order, None)
        }
        Command::Settle(Settle { order, .. }) => (&order.id, order.replaces.as_deref()),
    };
    [Some(one.as_str()), other].into_iter().flatten()
}

/// An order that an item brings along.
pub fn known(command: &Command) -> Option<&Arc<Order>> {
    match command {
        Command::Settle(settle) => Some(&settle.order),
        _ => None,
    }
}

/// Campaigns and revisions that an item is judged by: those of its offers and of its prices.
pub fn campaigns(command: &Command) -> impl Iterator<Item = (&str, i64)> {
    let (offers, lines) = match command {
        Command::Begin(begin) => (begin.sold.offers.as_slice(), begin.sold.lines.as_slice()),
        _ => (&[][..], &[][..]),
    };
    let offers = offers.iter().filter_map(|one| Some((campaign_of(&one.source)?, one.revision)));
    let rules = lines.iter().filter_map(|line| line.rule.as_ref());
    offers.chain(rules.filter_map(|(rule, revision)| Some((campaign_of(rule)?, *revision))))
}

/// Says what a new order counts in, and places every row that it or an order it touches may write.
pub fn place(world: &mut World, command: &mut Command) {
    if let Command::Begin(begin) = command {
        let charges = room::charges(world, &begin.sold, &begin.person);
        Arc::make_mut(&mut begin.sold).charges = charges;
        for charge in &begin.sold.charges {
            for key in keys(&begin.sold, &begin.person, charge) {
                if let Some(other) = world.setting.beside(&key) {
                    world.ledger.place(other);
                }
                world.ledger.place(key);
            }
        }
    }
    if let Command::Settle(settle) = command
        && !settle::counts(world, settle)
    {
        return;
    }
    let touched: Vec<Arc<Order>> = orders(command).filter_map(|id| world.order(id)).cloned().collect();
    for order in touched {
        for charge in &order.sold.charges {
            for key in keys_of(&order, charge) {
                world.ledger.place(key);
            }
        }
    }
}

/// Decides one item.
pub fn decide(world: &mut World, item: &Item<'_>, command: &Command) -> Result<Arc<Order>, Refusal> {
    let (mark, told) = (world.ledger.mark(), world.happened.len());
    let decided = match command {
        Command::Begin(begin) => begin::begin(world, item, begin),
        Command::Cancel { order } => end::cancel(world, item, order),
        Command::Return { order, lines, shipping } => end::take_back(world, item, order, lines, *shipping),
        Command::Settle(settle) => settle::settle(world, item, settle),
        Command::Expire { order } => end::expire(world, item, order),
    };
    if let Err(refusal) = &decided {
        // Orders are written only where nothing can be refused any more.
        world.ledger.undo(mark);
        world.happened.truncate(told);
        if let Some(owner) = refusal.limit() {
            watched::has_refused(&mut world.ledger, &mut world.refused, owner);
        }
    }
    decided
}
