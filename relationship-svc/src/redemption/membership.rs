//! In which of an incentive's segments a customer is, for limits that count by segment.

use tandem_kernel::limits::Dimension;

use super::Terms;

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
