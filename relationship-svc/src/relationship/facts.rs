//! What rules may read of a relationship: a name of the vocabulary, and its value for one person. Whoever judges people adds
//! both: `vocabulary.with(NAME, kind())` and `facts.with(NAME, fact(…))`.

use jiff::Timestamp;
use tandem_kernel::rule::{Fact, Parameter, Type};

use super::{BEST, Relationship, StageRules, days_between};

/// Under which rules find it.
pub const NAME: &str = "relationship";

/// For "never": more days than any rule asks for.
pub const NEVER: i64 = 1_000_000;

/// What it is made of; `amount` is asked for by a currency, and is no part of [`fact`].
pub fn kind() -> Type {
    Type::facts([
        ("stage", Type::Text, "PROSPECT, FIRST_PURCHASE, ACTIVE, LOYAL, AT_RISK, LAPSED or WON_BACK"),
        ("recency_days", Type::Int, "days since the last order; 1000000 where there is none"),
        ("frequency", Type::Int, "orders that count"),
        ("inactive_days", Type::Int, "days since the person was seen last; 1000000 where never"),
        (
            "satisfaction",
            Type::Int,
            "mean of the ratings of the last 365 days, 0 to 100; -1 where there is none",
        ),
        ("ratings", Type::Int, "ratings of the last 365 days"),
        (
            "amount",
            Type::asked([Parameter::Currency], Type::Int),
            "what all orders brought net of returns, in minor units of the currency",
        ),
    ])
}

/// That of one person at `now`; of somebody of whom nothing is known [`Relationship::new`].
pub fn fact(of: &Relationship, rules: &StageRules, now: Timestamp) -> Fact<'static> {
    let ago = |at: Option<Timestamp>| Fact::Int(at.map_or(NEVER, |at| days_between(at, now)));
    let late = of.ratings.of_late(now);
    let satisfaction = if late.count == 0 { -1 } else { late.mean * 100 / BEST };
    Fact::Object(vec![
        ("stage", Fact::from(of.journey().stage(rules, now).text())),
        ("recency_days", ago(of.last_order)),
        ("frequency", Fact::Int(of.orders)),
        ("inactive_days", ago(of.last_activity)),
        ("satisfaction", Fact::Int(satisfaction)),
        ("ratings", Fact::Int(late.count)),
    ])
}
