//! What a quote is told of a code.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tandem_kernel::money::Currency;

use super::Refusal;
use crate::incentive::Ready;

/// What can be said of a code without a basket.
#[derive(Debug, Clone)]
pub struct Standing {
    /// As stored, or folded where it is not known.
    pub code: String,
    /// Why it cannot be used at all.
    pub refusal: Option<Refusal>,
    /// The incentive as it is now; `None` where there is none.
    pub ready: Option<Arc<Ready>>,
    /// Uses left, the least of every limit; `None` unlimited.
    pub uses_left: Option<i64>,
    /// Money left in the currency asked for, minor units; `None` unlimited.
    pub money_left: Option<i64>,
    /// What is left on a gift card, minor units of its own currency.
    pub balance: Option<(i64, Currency)>,
    /// When it can no longer be used; `None` never.
    pub ends: Option<Timestamp>,
    /// How long to wait before it is looked up again, where it was not.
    pub wait: Option<Duration>,
    /// What limits by segment leave, for every segment that may count until [`Standing::settle`] is told which do. No part of
    /// the rest before that.
    pub of_segments: Vec<OfSegment>,
}

/// What a limit by segment leaves to one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfSegment {
    /// Its id.
    pub segment: String,
    /// Uses left; `None` unlimited.
    pub uses_left: Option<i64>,
    /// Money left, minor units, `None` unlimited; or why none can be had.
    pub money_left: Result<Option<i64>, Refusal>,
}

impl Standing {
    /// Has limits by segment hold for the segments that the customer is in, and leaves the others out.
    pub fn settle(&mut self, is_in: impl Fn(&str) -> bool) {
        self.of_segments.retain(|one| is_in(&one.segment));
        for one in &self.of_segments {
            let least = |before: Option<i64>, left: Option<i64>| before.into_iter().chain(left).min();
            self.uses_left = least(self.uses_left, one.uses_left);
            let refusal = match one.money_left {
                _ if one.uses_left == Some(0) => Some(Refusal::IncentiveExhausted),
                Err(refusal) => Some(refusal),
                Ok(Some(0)) => Some(Refusal::BudgetExhausted),
                Ok(_) => None,
            };
            self.money_left = least(self.money_left, one.money_left.ok().flatten());
            self.refusal = self.refusal.or(refusal);
        }
    }
}
