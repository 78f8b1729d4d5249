//! Where a person stands on the way from the first look to the lost customer: a pure function of when they ordered, of the
//! rules, and of the clock.
//!
//! It is read in this order; the first that holds is the stage:
//!
//! | stage | holds |
//! |---|---|
//! | PROSPECT | no order yet |
//! | LAPSED | the last order is `lapsed_days` old or older |
//! | AT_RISK | the last order is `at_risk_days` old or older |
//! | WON_BACK | less than `won_back_days` ago somebody ordered who had not for `lapsed_days` or more |
//! | LOYAL | `loyal_orders` orders or more in the last `loyal_days` |
//! | FIRST_PURCHASE | one order |
//! | ACTIVE | several |
//!
//! - Nothing of it is stored but the dates, so whatever comes late, twice or in another order ends in the same stage, and
//!   nothing goes stale. A stage that was told of is stored only so that it is told once.
//! - Orders make a stage, visits do not: whether a person was seen lately is a figure beside it. A stage that one visit
//!   turns could not say since when it holds without every visit there ever was.
//! - A day is 24 hours. An order counts from its own time on.
//! - The latest [`MAX_DATES`] orders are looked at.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use crate::settings::stages::StageRules;

/// The latest orders that a stage is judged by.
pub const MAX_DATES: usize = 64;

/// Where a person stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// Has not ordered.
    #[default]
    Prospect,
    /// Has ordered once.
    FirstPurchase,
    /// Orders.
    Active,
    /// Orders often.
    Loyal,
    /// Has not ordered for some time.
    AtRisk,
    /// Has not ordered for a long time.
    Lapsed,
    /// Has come back after a long time.
    WonBack,
}

/// Every stage.
pub const STAGES: [Stage; 7] = [
    Stage::Prospect,
    Stage::FirstPurchase,
    Stage::Active,
    Stage::Loyal,
    Stage::AtRisk,
    Stage::Lapsed,
    Stage::WonBack,
];

impl Stage {
    /// As rules and rows have it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Prospect => "PROSPECT",
            Self::FirstPurchase => "FIRST_PURCHASE",
            Self::Active => "ACTIVE",
            Self::Loyal => "LOYAL",
            Self::AtRisk => "AT_RISK",
            Self::Lapsed => "LAPSED",
            Self::WonBack => "WON_BACK",
        }
    }

    /// The stage of that text.
    pub fn parse(text: &str) -> Option<Self> {
        STAGES.into_iter().find(|stage| stage.text() == text)
    }
}

impl StageRules {
    fn at_risk(&self) -> SignedDuration {
        days(self.at_risk_days)
    }

    fn lapsed(&self) -> SignedDuration {
        days(self.lapsed_days)
    }

    fn won_back(&self) -> SignedDuration {
        days(self.won_back_days)
    }

    fn loyal(&self) -> SignedDuration {
        days(self.loyal_days)
    }

    /// How long after an order it may by itself change a stage.
    fn reaches(&self) -> [SignedDuration; 4] {
        [self.at_risk(), self.lapsed(), self.won_back(), self.loyal()]
    }
}

/// So many days of 24 hours.
pub fn days(count: u32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(count) * 24)
}

/// Whole days from one moment to another; none where it is still to come.
pub fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    (to.duration_since(from).as_hours() / 24).max(0)
}

/// Why somebody stands where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is no order.
    NoOrder,
    /// There is one order, of this time.
    OneOrder(Timestamp),
    /// There are several, the last one of this time.
    Orders(Timestamp),
    /// There are so many in the days that count for loyalty.
    ManyOrders(u32),
    /// The last order is of this time.
    Quiet(Timestamp),
    /// An order of `back` came `quiet_days` after the one before it.
    CameBack {
        /// Of the order that brought them back.
        back: Timestamp,
        /// How long they had not ordered.
        quiet_days: i64,
    },
}

/// When somebody ordered.
#[derive(Debug, Clone, Copy)]
pub struct Journey<'a> {
    /// The latest orders, the earliest first, at most [`MAX_DATES`].
    pub dates: &'a [Timestamp],
    /// Orders in all, at least as many.
    pub orders: i64,
}

impl Journey<'_> {
    /// Where they stand at `now`, and why.
    pub fn at(&self, rules: &StageRules, now: Timestamp) -> (Stage, Why) {
        let known = self.dates.partition_point(|date| *date <= now);
        let (dates, ahead) = self.dates.split_at(known);
        let count = self.orders - count(ahead);
        let Some(last) = dates.last().copied() else { return (Stage::Prospect, Why::NoOrder) };
        let quiet = now.duration_since(last);
        if quiet >= rules.lapsed() {
            return (Stage::Lapsed, Why::Quiet(last));
        }
        if quiet >= rules.at_risk() {
            return (Stage::AtRisk, Why::Quiet(last));
        }
        if let Some((before, back)) = came_back(dates, rules, now) {
            return (Stage::WonBack, Why::CameBack { back, quiet_days: days_between(before, back) });
        }
        let begin = now - rules.loyal();
        let lately = dates.len() - dates.partition_point(|date| *date <= begin);
        if lately >= wanted(rules) {
            return (Stage::Loyal, Why::ManyOrders(u32::try_from(lately).unwrap_or(u32::MAX)));
        }
        if count == 1 {
            (Stage::FirstPurchase, Why::OneOrder(last))
        } else {
            (Stage::Active, Why::Orders(last))
        }
    }

    /// Where they stand at `now`.
    pub fn stage(&self, rules: &StageRules, now: Timestamp) -> Stage {
        self.at(rules, now).0
    }

    /// When the clock alone will change that, and to what; `None`: never.
    pub fn next(&self, rules: &StageRules, now: Timestamp) -> Option<(Timestamp, Stage)> {
        let stage = self.stage(rules, now);
        let mut turns: Vec<Timestamp> = self.turns(rules).filter(|turn| *turn > now).collect();
        turns.sort_unstable();
        let changes = turns.into_iter().map(|turn| (turn, self.stage(rules, turn)));
        changes.into_iter().find(|(_, then)| *then != stage)
    }

    /// Since when they have stood there, as far as the latest orders tell; `None` before the first.
    pub fn since(&self, rules: &StageRules, now: Timestamp) -> Option<Timestamp> {
        let stage = self.stage(rules, now);
        let mut turns: Vec<Timestamp> = self.turns(rules).filter(|turn| *turn <= now).collect();
        turns.sort_unstable();
        let mut since = None;
        for turn in turns.into_iter().rev() {
            if self.stage(rules, turn) != stage {
                break;
            }
            since = Some(turn);
        }
        since.filter(|_| stage != Stage::Prospect)
    }

    /// Every moment at which the stage may change.
    fn turns(&self, rules: &StageRules) -> impl Iterator<Item = Timestamp> {
        let reaches = rules.reaches();
        self.dates.iter().flat_map(move |date| {
            let later = reaches.into_iter().filter_map(move |reach| date.checked_add(reach).ok());
            std::iter::once(*date).chain(later)
        })
    }
}

fn count<T>(of: &[T]) -> i64 {
    i64::try_from(of.len()).unwrap_or(i64::MAX)
}

fn wanted(rules: &StageRules) -> usize {
    usize::try_from(rules.loyal_orders).unwrap_or(usize::MAX)
}

/// The last order before a long silence and the one that ended it, where that was lately.
fn came_back(dates: &[Timestamp], rules: &StageRules, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let pairs = dates.windows(2).rev().map(|pair| (pair[0], pair[1]));
    pairs
        .take_while(|(_, back)| now.duration_since(*back) < rules.won_back())
        .find(|(before, back)| back.duration_since(*before) >= rules.lapsed())
}
