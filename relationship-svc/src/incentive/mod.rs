//! What a customer gets for a code.
//!
//! - An incentive is a definition: a discount of the kernel, dates, limits, and for whom. Its codes are vouchers.
//! - Every change makes a new version, and every version is kept: a quote names the one it used, and what it sealed is
//!   honoured although the incentive was revised since.
//! - An archived incentive gives no more, for good; its redemptions stay and can be rolled back.
//! - Whether it pays (a gift card) or reduces never changes: the balances of its codes depend on it.
//! - A gift card is limited by the balances of its codes and by nothing else.
//! - The segments it names exist, and stay as long as it is active.

pub mod commands;
pub mod definitions;
pub mod events;
pub mod rpc;
pub mod store;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::discount::{Discount, Kind};
use tandem_kernel::limits::{Dimension, Limits};
use tandem_kernel::locale::{self, Locale};
use tandem_kernel::period::Window;
use tandem_kernel::pricing::Compiled;
use tandem_kernel::problem::Problem;
use tandem_kernel::rule::{self, Fact, Rule, RuleError, Type, Vocabulary};
use tandem_platform::resource::{Field, Maps, Resource, Stem, Table};

/// The first part of every incentive's name.
pub const COLLECTION: &str = "incentives";
/// The most segments of one incentive.
pub const MAX_SEGMENTS: usize = 20;
/// The most titles of one incentive.
pub const MAX_TITLES: usize = 32;
/// The most labels of one incentive.
pub const MAX_LABELS: u64 = 64;
/// Uses of one code where nothing is said.
pub const DEFAULT_USES_PER_CODE: i64 = 1;
/// Uses of one code, as it was sent, where there is no limit.
pub const UNLIMITED: i64 = 0;

/// What the condition of an incentive may read: `basket`, `place` and `now`.
pub static CONDITION: LazyLock<Vocabulary> =
    LazyLock::new(|| rule::basket_vocabulary().and(rule::place_vocabulary()).and(rule::now_vocabulary()));

/// What a customer gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incentive {
    /// The id within the tenant.
    pub id: String,
    /// Ascending with every change, from 1.
    pub version: i64,
    /// Whether it still gives.
    pub state: State,
    /// What, to whom, when and how often.
    pub definition: Definition,
    /// When it was created.
    pub created: Timestamp,
    /// When this version was made.
    pub updated: Timestamp,
}

/// Whether an incentive still gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Within its dates and limits.
    #[default]
    Active,
    /// No more.
    Archived,
}

/// Whether a full return gives the use of a code back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReturnPolicy {
    /// When everything has come back.
    #[default]
    OnFullReturn,
    /// Never.
    Never,
}

/// The part of an incentive that its owner writes, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// For operators.
    pub display_name: String,
    /// What customers read, by BCP 47 locale; "" is the default.
    #[serde(deserialize_with = "locale::stored_texts")]
    pub titles: BTreeMap<String, String>,
    /// What it gives.
    pub discount: Discount,
    /// When its codes may be used.
    pub validity: Window,
    /// Over all its codes together.
    pub limits: Limits,
    /// Uses of one code; absent: unlimited.
    pub max_uses_per_code: Option<i64>,
    /// Ids; a customer of any of them may use it. Empty: everyone.
    pub segments: Vec<String>,
    /// CEL that must be true of the purchase; empty: always.
    pub condition: String,
    /// The id of the campaign of campaign-svc that it serves.
    pub campaign: Option<String>,
    /// Whether a full return gives the use back.
    pub return_policy: ReturnPolicy,
    /// A customer is given at most one code of it.
    pub one_code_per_customer: bool,
    /// A code has to be assigned before it can be used.
    pub assigned_only: bool,
    /// For callers.
    pub labels: BTreeMap<String, String>,
}

impl Maps for Definition {}

/// What an update may name.
pub const FIELDS: &[Field<Definition>] = &[
    ("display_name", |to, from| to.display_name.clone_from(&from.display_name)),
    ("titles", |to, from| to.titles.clone_from(&from.titles)),
    ("discount", |to, from| to.discount.clone_from(&from.discount)),
    ("validity", |to, from| to.validity = from.validity.clone()),
    ("limits", |to, from| to.limits.clone_from(&from.limits)),
    // Behind the discount, on which the default depends.
    ("max_uses_per_code", |to, from| to.max_uses_per_code = to.uses_per_code(from.max_uses_per_code)),
    ("unlimited_uses_per_code", |to, from| to.max_uses_per_code = to.uses_per_code(from.max_uses_per_code)),
    ("segments", |to, from| to.segments.clone_from(&from.segments)),
    ("condition", |to, from| to.condition.clone_from(&from.condition)),
    ("campaign", |to, from| to.campaign.clone_from(&from.campaign)),
    ("return_policy", |to, from| to.return_policy = from.return_policy),
    ("one_code_per_customer", |to, from| to.one_code_per_customer = from.one_code_per_customer),
    ("assigned_only", |to, from| to.assigned_only = from.assigned_only),
    ("labels", |to, from| to.labels.clone_from(&from.labels)),
];

impl Incentive {
    /// An incentive that did not exist before.
    pub fn new(id: String, definition: Definition, now: Timestamp) -> Self {
        Self { id, version: 1, state: State::Active, definition, created: now, updated: now }
    }

    /// The next version.
    #[must_use]
    pub fn revised(self, definition: Definition, now: Timestamp) -> Self {
        Self { version: self.version + 1, definition, updated: now, ..self }
    }

    /// The version that ends it.
    #[must_use]
    pub fn archived(self, now: Timestamp) -> Self {
        Self { version: self.version + 1, state: State::Archived, updated: now, ..self }
    }
}

impl Resource for Incentive {
    const COLLECTION: &'static str = COLLECTION;
    const TABLE: &'static Table<Self> = &store::INCENTIVES;

    fn stem(&self) -> Stem<'_> {
        Stem { id: &self.id, version: self.version, created: self.created }
    }
}

/// The resource name of an incentive's id.
pub fn name(id: &str) -> String {
    tandem_kernel::id::name(COLLECTION, id)
}

impl Definition {
    /// Whether it pays rather than reduces.
    pub fn is_tender(&self) -> bool {
        matches!(self.discount.kind, Kind::GiftCard { .. })
    }

    /// Whether somebody who is in exactly the segments for which `is_member` is true may use it.
    pub fn is_for(&self, is_member: impl Fn(&str) -> bool) -> bool {
        self.segments.is_empty() || self.segments.iter().any(|segment| is_member(segment))
    }

    /// What customers read: the title of this locale, else of the nearest wider one, else the default.
    pub fn title(&self, locale: &Locale) -> &str {
        locale.nearest(|tag| self.titles.get(tag)).map(String::as_str).unwrap_or_default()
    }

    /// Uses of one code where so many were `sent`: nothing for the default, [`UNLIMITED`] for no limit.
    fn uses_per_code(&self, sent: Option<i64>) -> Option<i64> {
        let default = if self.is_tender() { UNLIMITED } else { DEFAULT_USES_PER_CODE };
        Some(sent.unwrap_or(default)).filter(|uses| *uses != UNLIMITED)
    }

    /// As it is kept, of one as it was sent: its uses of one code.
    #[must_use]
    pub fn settled(self) -> Self {
        Self { max_uses_per_code: self.uses_per_code(self.max_uses_per_code), ..self }
    }

    /// What no field shows by itself. Fields are named as in the contract.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.is_tender() {
            if self.max_uses_per_code.is_some() {
                problems.push(Problem::new("max_uses_per_code", "must be absent for a gift card"));
            }
            if self.limits != Limits::default() {
                problems.push(Problem::new("limits", "a gift card is limited by its balance alone"));
            }
        }
        if self.segments.is_empty() && self.limits.count_by(&Dimension::Segment) {
            let message = "is required, because limits.per_value counts by segment";
            problems.push(Problem::new("segments", message));
        }
        problems
    }
}

/// Compiles the condition of an incentive; an empty one is none.
pub fn condition(text: &str) -> Result<Option<Rule>, RuleError> {
    if text.is_empty() { Ok(None) } else { Rule::compile(text, &CONDITION).map(Some) }
}

/// An incentive made ready for pricing and judging.
#[derive(Debug)]
pub struct Ready {
    /// The version it was made from.
    pub incentive: Incentive,
    /// Its discount.
    pub discount: Arc<Compiled>,
    /// Its condition.
    pub condition: Option<Rule>,
}

impl Ready {
    /// Compiles. Fails with everything that is wrong with the discount and the condition.
    pub fn new(incentive: Incentive) -> Result<Self, Vec<Problem>> {
        let discount = Compiled::new(incentive.definition.discount.clone());
        let condition = condition(&incentive.definition.condition);
        match (discount, condition) {
            (Ok(discount), Ok(condition)) => Ok(Self { incentive, discount: Arc::new(discount), condition }),
            (discount, condition) => {
                let mut problems = discount.err().unwrap_or_default();
                problems.extend(condition.err().map(|error| Problem::new("condition", error.to_string())));
                Err(problems)
            }
        }
    }
}

/// What a filter over incentives may read.
pub fn vocabulary() -> Vocabulary {
    let kind = Type::object([
        ("id", Type::Text),
        ("display_name", Type::Text),
        ("state", Type::Text),
        ("campaign", Type::Text),
        ("labels", Type::map(Type::Text, MAX_LABELS)),
    ]);
    Vocabulary::new().with("incentive", kind)
}

/// An incentive as the value of `incentive`; `campaign` is the resource name, or empty.
pub fn fact(incentive: &Incentive) -> Fact<'_> {
    let definition = &incentive.definition;
    let campaign = definition.campaign.as_deref().map(campaign_name).unwrap_or_default();
    Fact::Object(vec![
        ("id", Fact::text(&incentive.id)),
        ("display_name", Fact::text(&definition.display_name)),
        ("state", Fact::text(incentive.state.as_str())),
        ("campaign", Fact::from(campaign)),
        ("labels", Fact::text_map(&definition.labels)),
    ])
}

/// The resource name of a campaign's id in campaign-svc.
pub fn campaign_name(id: &str) -> String {
    tandem_kernel::id::name("campaigns", id)
}

impl State {
    /// As stored, and as filters read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Archived => "ARCHIVED",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Archived].into_iter().find(|state| state.as_str() == text)
    }
}
