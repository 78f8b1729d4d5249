//! Groups of customers, by rule or kept as a list.
//!
//! - A rule is CEL over `customer` and `now`, judged when it is saved: one that does not compile, names something
//!   unknown, reads an attribute as what is not declared of it or costs too much is refused.
//! - Members are looked for in the database, by the rule in SQL ([`store::said`]); what cannot be said there is judged here, of
//!   those that the rest leaves, block by block.
//! - Membership by a rule is judged when it is asked for and never stored: a customer who has just moved is in the new country's
//!   segment in the same moment. A rule that reads what a customer lacks does not hold for that customer.
//! - Nobody who is not a customer is in a segment.
//! - The work of judging is bounded, for one customer ([`CUSTOMER`]) and for every slice of many; what is long leaves the
//!   threads that serve calls.
//! - Of a watched segment it is told who enters and who leaves. Who was told to be in it is written down, and it is judged
//!   again when the customer is written, when what is watched changes, and when the clock may change it ([`ageing`]).
//! - A segment stays as long as an active incentive names it.

pub mod ageing;
pub mod asked;
pub mod catalogue;
pub mod commands;
pub mod declared;
pub mod events;
pub mod follow;
pub mod known;
pub mod rpc;
pub mod store;
pub mod tasks;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tandem_kernel::rule::{self, Fact, Facts, Fullness, Rule, RuleError, Type, Vocabulary};
use tandem_kernel::work::Allowance;
use tandem_platform::resource::{Field, Maps, Resource, Stem, Table};

use self::asked::Needed;
use self::known::Known;
use crate::attribute::Declared;
use crate::customer::{self, Customer};
use crate::relationship::StageRules;
use crate::settings::InForce;

/// The first part of every segment's name.
pub const COLLECTION: &str = "segments";

/// What a rule may read: `customer`, `now`, and what only some rules read ([`Needed`]). What a tenant declares of attributes comes
/// to it ([`Declared::within`]).
pub static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let profile = customer::vocabulary().and(rule::now_vocabulary()).with(DAYS_TO_BIRTHDAY, Type::Int);
    profile.and(asked::vocabulary())
});

/// Days until the next birthday, where it is known.
pub const DAYS_TO_BIRTHDAY: &str = "days_to_birthday";

/// A group of customers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The id within the tenant.
    pub id: String,
    /// Ascending with every change, from 1.
    pub version: i64,
    /// What its owner writes.
    pub definition: Definition,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// How it is known who belongs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// Whom the rule holds of.
    #[default]
    Rule,
    /// Who is on its list.
    List,
}

/// The part of a segment that its owner writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// For operators.
    pub display_name: String,
    /// Not changed once it is there.
    pub kind: Kind,
    /// Who belongs, as text; it compiles. Empty for a list.
    pub rule: String,
    /// It is told who enters and who leaves.
    pub watched: bool,
}

impl Maps for Definition {}

/// What an update may name.
pub const FIELDS: &[Field<Definition>] = &[
    ("display_name", |to, from| to.display_name.clone_from(&from.display_name)),
    ("rule", |to, from| to.rule.clone_from(&from.rule)),
    ("watched", |to, from| to.watched = from.watched),
];

impl Segment {
    /// A segment that did not exist before.
    pub fn new(id: String, definition: Definition, now: Timestamp) -> Self {
        Self { id, version: 1, definition, created: now, updated: now }
    }

    /// The next version.
    #[must_use]
    pub fn revised(self, definition: Definition, now: Timestamp) -> Self {
        Self { version: self.version + 1, definition, updated: now, ..self }
    }
}

impl Resource for Segment {
    const COLLECTION: &'static str = COLLECTION;
    const TABLE: &'static Table<Self> = &store::SEGMENTS;

    fn stem(&self) -> Stem<'_> {
        Stem { id: &self.id, version: self.version, created: self.created }
    }
}

/// The resource name of a segment's id.
pub fn name(id: &str) -> String {
    tandem_kernel::id::name(COLLECTION, id)
}

/// Compiles the rule of a segment, of a tenant that declares this of attributes.
pub fn compile(text: &str, declared: &Declared) -> Result<Rule, RuleError> {
    Rule::compile(text, &declared.within(&VOCABULARY))
}

/// What of a rule is wrong whatever is declared of attributes.
pub fn check(text: &str) -> Result<(), RuleError> {
    static ANY: LazyLock<Vocabulary> =
        LazyLock::new(|| VOCABULARY.clone().declaring_nothing("customer", "attributes"));
    Rule::compile(text, &ANY).map(drop)
}

/// When rules are judged, and by what of the tenant.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The instant.
    pub now: Timestamp,
    /// The tenant's zone.
    pub zone: TimeZone,
    /// By which people stand where they stand.
    pub stages: StageRules,
}

impl Moment {
    /// Then, by these settings.
    pub fn by(settings: &InForce, now: Timestamp) -> Self {
        Self { now, zone: settings.zone.rules().clone(), stages: settings.stages }
    }

    /// Where nothing that is asked depends on it.
    pub fn any() -> Self {
        Self { now: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC, stages: StageRules::default() }
    }
}

/// What the rules of segments read of one customer; built once, for all rules that need this.
pub fn facts<'a>(customer: &'a Customer, known: &Known, needed: &Needed, at: &Moment) -> Facts<'a> {
    let mut facts = Facts::new()
        .with("customer", customer::fact(customer, at.now))
        .with("now", rule::now_fact(at.now, &at.zone))
        .holding(customer::fullness(customer));
    // What is not known is not there: a rule that reads it fails.
    let birthday = needed.days_to_birthday.then(|| customer.days_to_birthday(at.now, &at.zone)).flatten();
    if let Some(days) = birthday {
        facts.set(DAYS_TO_BIRTHDAY, days);
    }
    known.show(&mut facts, &customer.id, needed, at);
    facts
}

/// The work of judging the rules of segments on one customer: past it the question is refused. At some 10 ns a step that
/// is less than a tenth of a second.
pub const CUSTOMER: Allowance = Allowance { search: 0, total: 7_000_000 };
/// Of that, what may be done where calls are served: half a millisecond.
pub const AT_ONCE: u64 = 50_000;

/// The work of judging `rule` on a customer of these facts, one look at the rule included.
pub fn steps(rule: &Rule, fullness: Fullness) -> u64 {
    rule.steps(fullness) + STEPS_PER_RULE
}

/// Work of one rule, whatever it says.
const STEPS_PER_RULE: u64 = 20;

/// What a filter over segments may read.
pub fn vocabulary() -> Vocabulary {
    Vocabulary::new().with("segment", Type::object([("id", Type::Text), ("display_name", Type::Text)]))
}

/// A segment as the value of `segment`.
pub fn fact(segment: &Segment) -> Fact<'_> {
    Fact::Object(vec![
        ("id", Fact::text(&segment.id)),
        ("display_name", Fact::text(&segment.definition.display_name)),
    ])
}
