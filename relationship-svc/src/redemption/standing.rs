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
    /// There can be no such code, so it was not looked up.
    pub ruled_out: bool,
}

impl Standing {
    /// Why it is refused, where that tells whether there is such a code.
    pub fn looked_up(&self) -> Option<Refusal> {
        self.refusal.filter(|_| !self.ruled_out)
    }
}
