//! What is asked to come back.

use tandem_kernel::code::Typed;
use tandem_kernel::money::Money;

use super::Reason;

/// Take redemptions of an order back.
#[derive(Debug, Clone)]
pub struct RollBack {
    /// The checkout's own id of the order.
    pub order: String,
    /// (line, units) that come back, each line once; empty: everything that is left.
    pub lines: Vec<(String, i64)>,
    /// Why.
    pub reason: Reason,
    /// Only this code's, as typed; `None`: all of the order's.
    pub code: Option<Typed>,
    /// What gift cards get, where the caller knows better than their share of the lines.
    pub cards: Option<CardReturns>,
    /// campaign-svc asks, for an order of its own.
    pub of_order: bool,
}

/// What goes back to gift cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardReturns {
    /// By code, as typed.
    pub returns: Vec<(Typed, Money)>,
    /// No line comes back.
    pub no_lines: bool,
}
