//! In which of an incentive's segments a customer is, for limits that count by segment.

use tandem_kernel::limits::Dimension;

use super::{Refusal, Standing, Terms};

/// In which segments a customer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// In these, by id, and in no others.
    In(Vec<String>),
    /// Whoever asks finds it out later: limits are looked at for every segment that may count.
    Open,
}

impl Membership {
    /// Whether the customer is in this one; not while that is open.
    pub fn has(&self, segment: &str) -> bool {
        matches!(self, Self::In(segments) if segments.iter().any(|known| known == segment))
    }

    /// The segments that uses under these terms count for.
    pub(super) fn counted(&self, terms: &Terms) -> Vec<String> {
        if !terms.limits().count_by(&Dimension::Segment) {
            return Vec::new();
        }
        let counts = |segment: &&String| *self == Self::Open || self.has(segment);
        terms.segments().iter().filter(counts).cloned().collect()
    }
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
