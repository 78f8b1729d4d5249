//! An order as it counts for a relationship, whoever tells of it.
//!
//! - It is known by the checkout's id: sent by hand, told by campaign-svc, or both, it is one order.
//! - What campaign-svc tells counts over what was sent by hand, in either order: whose order it is, when it was placed, what it
//!   cost, what came back, and that it was cancelled. Of two tellings the later version counts.
//! - A return that is sent by hand counts against its order where campaign-svc has not told of that; it may come before the
//!   order. A cancelled order counts for nothing.
//! - So an order's part in the figures of a person is a function of what is known of it, and a change of it is the difference
//!   of two parts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tandem_kernel::money::{Currency, Money};

use super::{Details, Interaction};
use crate::relationship::Who;

/// What is known of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The checkout's own id.
    pub id: String,
    /// Whose it is; a guest that was claimed is the customer.
    pub who: Who,
    /// When it was placed; `None`: only a return of it is known.
    pub placed: Option<Timestamp>,
    /// When it was first heard of.
    pub recorded: Timestamp,
    /// Of what was sent by hand.
    pub hash: Option<[u8; 32]>,
    /// What it cost.
    pub amount: Option<Money>,
    /// What came back of it as campaign-svc tells, in minor units.
    pub returned: i64,
    /// What came back of it as was sent by hand.
    pub returned_by_hand: BTreeMap<Currency, i64>,
    /// It counts for nothing.
    pub cancelled: bool,
    /// Version of campaign-svc's order; 0: it has told of none.
    pub told: i64,
    /// The rest.
    pub details: Details,
}

/// What campaign-svc tells of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The checkout's own id.
    pub order: String,
    /// Ascending with every change.
    pub version: i64,
    /// Whose it is.
    pub who: Who,
    /// When it was placed.
    pub placed: Timestamp,
    /// What it cost.
    pub amount: Money,
    /// What came back of it, in minor units.
    pub returned: i64,
    /// It was cancelled.
    pub cancelled: bool,
    /// Where it was sold.
    pub place: String,
    /// What came back with this telling, for the timeline: when, and how much.
    pub back: Option<(Timestamp, Money)>,
}

/// The part of an order in the figures of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose.
    pub who: Who,
    /// When it was placed.
    pub placed: Timestamp,
    /// What it brought net of returns, in minor units.
    pub amounts: BTreeMap<Currency, i64>,
}

/// What becomes of an order that is sent by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is taken.
    Taken,
    /// campaign-svc has told of it, whose word counts; by hand it is sent for the first time.
    Beside,
    /// It was sent before.
    Known,
    /// It was sent before with other content.
    Differs,
}

impl Order {
    /// Nothing is known of it but its id and whose it is.
    pub fn new(id: String, who: Who, now: Timestamp) -> Self {
        Self {
            id,
            who,
            placed: None,
            recorded: now,
            hash: None,
            amount: None,
            returned: 0,
            returned_by_hand: BTreeMap::new(),
            cancelled: false,
            told: 0,
            details: Details::default(),
        }
    }

    /// It is sent by hand, by or for `who`.
    pub fn send(&mut self, sent: &Interaction, who: Who) -> Sent {
        if let Some(hash) = self.hash {
            return if self.told > 0 || hash == sent.hash { Sent::Known } else { Sent::Differs };
        }
        self.hash = Some(sent.hash);
        let Details { place, .. } = std::mem::take(&mut self.details);
        self.details = sent.details.clone();
        self.details.event_id.clone_from(&sent.event_id);
        if self.told > 0 {
            self.details.place = place;
            return Sent::Beside;
        }
        (self.who, self.placed, self.amount) = (who, Some(sent.at), sent.amount);
        Sent::Taken
    }

    /// Something of it came back, as is sent by hand.
    pub fn send_back(&mut self, amount: Money) {
        let sum = self.returned_by_hand.entry(amount.currency).or_default();
        *sum = sum.saturating_add(amount.minor);
    }

    /// campaign-svc tells of it, by or for `who`; false where it has told of this version or a later one.
    pub fn tell(&mut self, told: &Told, who: Who) -> bool {
        if told.version <= self.told {
            return false;
        }
        (self.who, self.placed, self.amount) = (who, Some(told.placed), Some(told.amount));
        (self.returned, self.cancelled, self.told) = (told.returned, told.cancelled, told.version);
        self.details.place.clone_from(&told.place);
        true
    }

    /// What came back of it, by currency.
    pub fn back(&self) -> BTreeMap<Currency, i64> {
        match self.amount {
            Some(amount) if self.told > 0 => BTreeMap::from([(amount.currency, self.returned)]),
            _ => self.returned_by_hand.clone(),
        }
    }

    /// Its part in the figures.
    pub fn part(&self) -> Option<Part> {
        let placed = self.placed.filter(|_| !self.cancelled)?;
        let mut amounts: BTreeMap<Currency, i64> =
            self.amount.iter().map(|amount| (amount.currency, amount.minor)).collect();
        for (currency, minor) in self.back() {
            *amounts.entry(currency).or_default() -= minor;
        }
        Some(Part { who: self.who.clone(), placed, amounts })
    }
}
