//! What holds now, of everything that a person said of one purpose and channel: the last word, and what is open.
//!
//! Taking records in gives the same whatever the order in which they arrive.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Consent, Key, State};

/// One record, as far as it matters for what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What was said.
    pub state: State,
    /// Id of the record.
    pub record: Uuid,
    /// When it was said.
    pub at: Timestamp,
    /// Its end, if it has one.
    pub expires: Option<Timestamp>,
}

impl Mark {
    fn of(consent: &Consent) -> Self {
        Self { state: consent.state, record: consent.id, at: consent.at, expires: consent.expires }
    }

    fn order(&self) -> (Timestamp, usize) {
        (self.at, self.state.strictness())
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

/// What holds of one purpose and channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// The last word: GRANTED, DENIED or WITHDRAWN.
    pub decided: Option<Mark>,
    /// What was asked for last: PENDING.
    pub pending: Option<Mark>,
    /// When it is to be told that the grant is over; `None` where nothing is to be told.
    pub due: Option<Timestamp>,
}

impl Current {
    /// Takes in a record; answers whether it is the last word, or what was asked for last. That something is over is told by
    /// a record too, and changes nothing: it follows from the clock.
    pub fn take(&mut self, consent: &Consent) -> bool {
        let mark = Mark::of(consent);
        match consent.state {
            State::Granted | State::Denied | State::Withdrawn => {
                let wins = newer(&mut self.decided, mark);
                if wins {
                    self.due = mark.expires.filter(|_| mark.state == State::Granted);
                }
                wins
            }
            State::Pending => newer(&mut self.pending, mark),
            State::Expired => false,
        }
    }

    /// Takes in what holds of somebody who is the same person: as if all its records were taken in.
    pub fn take_all(&mut self, other: &Self) {
        if let Some(mark) = other.decided
            && newer(&mut self.decided, mark)
        {
            self.due = other.due;
        }
        if let Some(mark) = other.pending {
            newer(&mut self.pending, mark);
        }
    }

    /// Takes in what holds of a wider purpose or channel: a no for all, which a later yes for one undoes.
    pub fn take_wider(&mut self, wider: &Self) {
        if let Some(no) = wider.decided.filter(|mark| mark.state.refuses()) {
            newer(&mut self.decided, no);
        }
    }

    /// What is open: asked for after the last word, and not over.
    pub fn open(&self, now: Timestamp) -> Option<Mark> {
        let decided = self.decided.map(|mark| mark.at);
        self.pending.filter(|asked| !asked.is_over(now) && decided.is_none_or(|at| at < asked.at))
    }

    /// Where it stands `now`, and by which record; `None` where nothing was ever said.
    pub fn state(&self, now: Timestamp) -> Option<(State, Mark)> {
        let decided = self.decided.map(|mark| {
            let over = mark.state == State::Granted && mark.is_over(now);
            (if over { State::Expired } else { mark.state }, mark)
        });
        match decided {
            Some((State::Granted, _)) => decided,
            _ => self.open(now).map(|asked| (State::Pending, asked)).or(decided),
        }
    }
}

/// What holds of several people who are one, called by this id: of each purpose and channel what follows from the records of all.
/// Of two that are alike that one's own stays.
pub fn together(held: Vec<(Key, Current)>, customer: &str) -> Vec<(Key, Current)> {
    let (own, others): (Vec<_>, Vec<_>) = held.into_iter().partition(|(key, _)| key.customer == customer);
    let mut together = own;
    for (key, current) in others {
        let key = Key { customer: customer.to_owned(), ..key };
        match together.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => known.take_all(&current),
            None => together.push((key, current)),
        }
    }
    together
}

fn newer(place: &mut Option<Mark>, mark: Mark) -> bool {
    let wins = place.is_none_or(|known| known.order() < mark.order());
    if wins {
        *place = Some(mark);
    }
    wins
}
