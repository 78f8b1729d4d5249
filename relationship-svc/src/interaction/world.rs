//! The working copy of a batch: what is stored of the people and orders that it is about, locked, and what becomes of it. Pure;
//! whoever loads it writes it back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::order::{Order, Part, Sent, Told};
use super::{Details, Interaction, Kind};
use crate::relationship::{Change, Relationship, StageRules, Who};

/// What is to be taken in.
#[derive(Debug, Clone)]
pub enum What {
    /// Sent by hand.
    Sent(Interaction),
    /// Told by campaign-svc.
    Told(Told),
}

impl What {
    /// To whom it happened, as it was said.
    pub fn who(&self) -> &Who {
        match self {
            Self::Sent(sent) => &sent.who,
            Self::Told(told) => &told.who,
        }
    }

    /// The order whose row it may change.
    pub fn order(&self) -> Option<&str> {
        match self {
            Self::Sent(sent) if matches!(sent.kind, Kind::Order | Kind::Return) => sent.order.as_deref(),
            Self::Sent(_) => None,
            Self::Told(told) => Some(&told.order),
        }
    }

    /// The id under which a row of its own is kept; an order is no such row.
    pub fn event_id(&self) -> Option<String> {
        match self {
            Self::Sent(sent) => (sent.kind != Kind::Order).then(|| sent.event_id.clone()),
            Self::Told(told) => told.back.as_ref().map(|_| back_id(told)),
        }
    }
}

/// No caller's id has a space.
fn back_id(told: &Told) -> String {
    format!("return {} {}", told.version, told.order)
}

/// What became of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is taken.
    Created,
    /// It was known.
    Known,
    /// Its id stands for something else.
    Differs,
    /// There is no such customer.
    NoCustomer,
}

/// A row of the working copy.
#[derive(Debug)]
pub struct Slot<T> {
    /// As it is now.
    pub row: T,
    /// It is stored, and locked.
    pub stored: bool,
    /// It differs from what is stored.
    pub changed: bool,
}

impl<T> Slot<T> {
    fn new(row: T) -> Self {
        Self { row, stored: false, changed: false }
    }

    fn stored(row: T) -> Self {
        Self { row, stored: true, changed: false }
    }
}

/// The working copy.
#[derive(Debug)]
pub struct World {
    /// When it is decided.
    pub now: Timestamp,
    rules: StageRules,
    /// By person.
    pub people: BTreeMap<Who, Slot<Relationship>>,
    /// By id.
    pub orders: BTreeMap<String, Slot<Order>>,
    /// Customers that exist, of those that were asked for.
    pub customers: BTreeSet<String>,
    /// Hashes of what is stored under the ids of the batch.
    pub known: HashMap<String, [u8; 32]>,
    /// What is to be stored, with the person whose it is.
    pub fresh: Vec<(Who, Interaction)>,
    /// Of whose orders the dates must be read again.
    pub read_again: BTreeSet<Who>,
    /// Changes of stage.
    pub changes: Vec<(Who, Change)>,
}

impl World {
    /// Empty.
    pub fn new(rules: StageRules, now: Timestamp) -> Self {
        Self {
            now,
            rules,
            people: BTreeMap::new(),
            orders: BTreeMap::new(),
            customers: BTreeSet::new(),
            known: HashMap::new(),
            fresh: Vec::new(),
            read_again: BTreeSet::new(),
            changes: Vec::new(),
        }
    }

    /// Takes over orders that are stored.
    pub fn load_orders(&mut self, orders: Vec<Order>) {
        self.orders.extend(orders.into_iter().map(|order| (order.id.clone(), Slot::stored(order))));
    }

    /// Takes over people that are stored; of what the clock has changed for them it is told first, so that no change of
    /// stage is lost behind what comes now.
    pub fn load_people(&mut self, people: Vec<Relationship>) {
        for mut row in people {
            let due = row.next_change.is_some_and(|at| at <= self.now);
            if due {
                let changes = row.tell(&self.rules, self.now);
                self.changes.extend(changes.into_iter().map(|change| (row.who.clone(), change)));
            }
            let slot = Slot { changed: due, ..Slot::stored(row) };
            self.people.insert(slot.row.who.clone(), slot);
        }
    }

    /// Who counts for `who`: the customer who has claimed a guest, or whom a customer was merged into.
    pub fn resolve(&self, who: &Who) -> Who {
        let claimed = self.people.get(who).and_then(|slot| slot.row.merged_into.clone());
        claimed.map_or_else(|| who.clone(), Who::Customer)
    }

    /// Decides one.
    pub fn decide(&mut self, what: &What) -> Recorded {
        match what {
            What::Sent(sent) => self.sent(sent),
            What::Told(told) => self.told(told),
        }
    }

    fn sent(&mut self, sent: &Interaction) -> Recorded {
        let who = self.resolve(&sent.who);
        if let (Who::Customer(_), Who::Customer(id)) = (&sent.who, &who)
            && !self.customers.contains(id)
        {
            return Recorded::NoCustomer;
        }
        if sent.kind == Kind::Order {
            return self.sent_order(sent, who);
        }
        if let Some(hash) = self.known.get(&sent.event_id) {
            return if *hash == sent.hash { Recorded::Known } else { Recorded::Differs };
        }
        self.known.insert(sent.event_id.clone(), sent.hash);
        if let (Kind::Return, Some(amount)) = (sent.kind, sent.amount) {
            match &sent.order {
                Some(order) => self.change_order(order, &who, |order| order.send_back(amount)),
                None => self.person(&who).paid(amount.currency, -amount.minor),
            }
        }
        let person = self.person(&who);
        if sent.kind.is_activity() {
            person.seen(sent.at);
        }
        if let Some(rating) = sent.rating {
            person.rated(sent.at, rating);
        }
        self.fresh.push((who, sent.clone()));
        Recorded::Created
    }

    fn sent_order(&mut self, sent: &Interaction, who: Who) -> Recorded {
        let id = sent.order.clone().unwrap_or_default();
        let outcome = self.change_order(&id, &who, |order| order.send(sent, who.clone()));
        match outcome {
            Sent::Taken | Sent::Beside => self.person(&who).seen(sent.at),
            Sent::Known => return Recorded::Known,
            Sent::Differs => return Recorded::Differs,
        }
        if outcome == Sent::Taken { Recorded::Created } else { Recorded::Known }
    }

    fn told(&mut self, told: &Told) -> Recorded {
        let who = self.resolve(&told.who);
        let news = self.change_order(&told.order, &who, |order| order.tell(told, who.clone()));
        self.person(&who).seen(told.placed);
        if let Some((at, amount)) = told.back {
            let back = back(told, at, amount);
            if self.known.insert(back.event_id.clone(), back.hash).is_none() {
                self.person(&who).seen(at);
                self.fresh.push((who, back));
            }
        }
        if news { Recorded::Created } else { Recorded::Known }
    }

    /// Changes an order, and the figures of whose it was and whose it is by the difference.
    fn change_order<T>(&mut self, id: &str, who: &Who, change: impl FnOnce(&mut Order) -> T) -> T {
        let new = || Slot::new(Order::new(id.to_owned(), who.clone(), self.now));
        let slot = self.orders.entry(id.to_owned()).or_insert_with(new);
        let before = slot.row.clone();
        let answer = change(&mut slot.row);
        if slot.row != before {
            slot.changed = true;
            let after = slot.row.part();
            self.count(before.part(), after);
        }
        answer
    }

    fn count(&mut self, before: Option<Part>, after: Option<Part>) {
        // An order may still be called another one's, whose figures are those of who counts for them.
        let counting = |part: Option<Part>| part.map(|part| Part { who: self.resolve(&part.who), ..part });
        let (before, after) = (counting(before), counting(after));
        let key = |part: &Option<Part>| part.as_ref().map(|part| (part.who.clone(), part.placed));
        let stays = key(&before) == key(&after);
        if let Some(Part { who, placed, amounts }) = before {
            let person = self.person(&who);
            amounts.into_iter().for_each(|(currency, minor)| person.paid(currency, -minor));
            if !stays && person.unordered(placed) {
                self.read_again.insert(who);
            }
        }
        if let Some(Part { who, placed, amounts }) = after {
            let person = self.person(&who);
            amounts.into_iter().for_each(|(currency, minor)| person.paid(currency, minor));
            if !stays {
                person.ordered(placed);
            }
        }
    }

    /// The figures of somebody, to be changed.
    fn person(&mut self, who: &Who) -> &mut Relationship {
        let slot =
            self.people.entry(who.clone()).or_insert_with(|| Slot::new(Relationship::new(who.clone())));
        slot.changed = true;
        &mut slot.row
    }

    /// Tells of what has become of the stages, once everything is decided and read again.
    pub fn tell(&mut self) {
        for (who, slot) in self.people.iter_mut().filter(|(_, slot)| slot.changed) {
            let changes = slot.row.tell(&self.rules, self.now);
            self.changes.extend(changes.into_iter().map(|change| (who.clone(), change)));
        }
    }
}

/// What came back of an order, as the timeline shows it.
fn back(told: &Told, at: Timestamp, amount: tandem_kernel::money::Money) -> Interaction {
    let event_id = back_id(told);
    Interaction {
        hash: Sha256::digest(&event_id).into(),
        event_id,
        kind: Kind::Return,
        at,
        who: told.who.clone(),
        amount: Some(amount),
        order: Some(told.order.clone()),
        rating: None,
        details: Details { place: told.place.clone(), ..Details::default() },
    }
}
