//! A guest turns out to be a customer: what a claim says, and what becomes of it.

use serde::{Deserialize, Serialize};

use crate::relationship::Who;

/// Whose a guest is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Id of the customer.
    pub customer: String,
    /// The key of the guest.
    pub guest: String,
}

impl Claim {
    /// The guest.
    pub fn from(&self) -> Who {
        Who::Guest(self.guest.clone())
    }
}

/// What a claim has moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// Orders that count for the customer now.
    pub orders: i64,
    /// The customer had claimed this guest before.
    pub again: bool,
}
