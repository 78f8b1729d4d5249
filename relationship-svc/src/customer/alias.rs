//! Who is called something else from now on: a customer who was merged into another one, a guest whom a customer has claimed.
//!
//! A row of `customer_alias` says which customer counts for an id, always the last, so that one look is enough. It says too what is
//! still to be moved. Whatever is locked by the transaction that writes the row follows at once, the rest in bounded steps
//! ([`Step`]); until they are done whoever judges by what stands under the old id looks there too ([`Known::open`]).
//!
//! What was redeemed moves last, and not before [`WRITING`] is over: a redemption that had begun when the row was written may
//! still count under the old id. By then there is none any more, so nothing is moved from under it, and nothing comes late.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tandem_kernel::limits;
use tandem_platform::Fault;
use tandem_proto::relationship::v1::ErrorReason;

/// The most ids that one customer is called by.
pub const MAX_ALIASES: usize = 100;
/// So long after a merge nothing runs any more that had begun before it.
pub const WRITING: SignedDuration = SignedDuration::from_secs(60);

/// What is moved one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Codes.
    Vouchers,
    /// What was said.
    Consents,
    /// What was done.
    Interactions,
    /// What was ordered.
    Orders,
    /// What was redeemed, with the counters of limits.
    Redemptions,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Vouchers, "VOUCHERS"),
        (Self::Consents, "CONSENTS"),
        (Self::Interactions, "INTERACTIONS"),
        (Self::Orders, "ORDERS"),
        (Self::Redemptions, "REDEMPTIONS"),
    ];

    /// As stored.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }

    /// Of a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(step, _)| *step)
    }

    fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|(step, _)| *step == self)?;
        Self::ALL.get(at + 1).map(|(step, _)| *step)
    }
}

/// One id that stands for a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// "c/{customer}" or "g/{guest key}", as limits per customer have it.
    pub person: String,
    /// Id of the customer who is kept.
    pub into: String,
    /// Who asked for it.
    pub principal: String,
    /// When.
    pub merged: Timestamp,
    /// What is moved next, and from when on; `None` where everything is.
    pub open: Option<(Step, Timestamp)>,
}

impl Alias {
    /// A new one of a person: everything is to be moved.
    pub fn new(person: String, into: &str, principal: &str, now: Timestamp) -> Self {
        let open = Some((Step::Vouchers, now));
        Self { person, into: into.to_owned(), principal: principal.to_owned(), merged: now, open }
    }

    /// After a turn of its step that left nothing to move.
    #[must_use]
    pub fn moved(self) -> Self {
        let rests = |step| if step == Step::Redemptions { self.merged + WRITING } else { self.merged };
        let open = self.open.and_then(|(step, _)| step.next()).map(|step| (step, rests(step)));
        Self { open, ..self }
    }
}

/// As limits per customer have a customer.
pub fn person(customer: &str) -> String {
    subject(Some(customer), None)
}

/// The same of a guest.
pub fn guest(key: &str) -> String {
    subject(None, Some(key))
}

fn subject(customer: Option<&str>, guest: Option<&str>) -> String {
    limits::subject(customer, guest).map(|subject| subject.to_string()).unwrap_or_default()
}

/// Refuses what is asked of a customer who was merged into another one, and cannot be done to that one instead.
pub fn refused(customer: &str, into: &str) -> Fault {
    let (gone, kept) = (super::name(customer), super::name(into));
    let message = format!("{gone} was merged into {kept}");
    Fault::precondition(ErrorReason::CustomerMerged, message).with("resource", gone).with("customer", kept)
}

/// What is known of some people's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    into: BTreeMap<String, String>,
    open: BTreeMap<String, Vec<Arc<str>>>,
}

impl Known {
    /// Of rows: a person, the customer who counts for them, and whether something is still to be moved.
    pub fn of(rows: impl IntoIterator<Item = (String, String, bool)>) -> Self {
        let mut known = Self::default();
        for (person, into, is_open) in rows {
            if is_open {
                known.open.entry(into.clone()).or_default().push(person.as_str().into());
            }
            known.into.insert(person, into);
        }
        known
    }

    /// Who counts for a customer, where that is another one.
    pub fn customer(&self, id: &str) -> Option<&str> {
        self.into.get(&person(id)).map(String::as_str)
    }

    /// Who has claimed a guest.
    pub fn claimed_by(&self, key: &str) -> Option<&str> {
        self.into.get(&guest(key)).map(String::as_str)
    }

    /// Under which other names something of a customer may still stand.
    pub fn open(&self, id: &str) -> &[Arc<str>] {
        self.open.get(id).map(Vec::as_slice).unwrap_or_default()
    }
}
