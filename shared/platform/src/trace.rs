//! How one call is found in the logs.

use std::fmt;

/// The id under which one call, and what it causes in the other service, is found in the logs. All zero: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Trace(pub u128);

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
