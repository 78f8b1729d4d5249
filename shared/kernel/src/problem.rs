//! What is wrong with a value, in words a caller can act on. Collected, so that all violations are told at once.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The field by its path in the contract: `lines[3].quantity`.
    pub field: String,
    /// What it must be, in English.
    pub message: String,
}

impl Problem {
    /// A violation at `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}
