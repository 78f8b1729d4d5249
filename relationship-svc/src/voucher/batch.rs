//! A batch: so many codes that were asked for in one call. It is the progress of a generation that can break off and go
//! on, and the name under which its codes are listed and exported.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::format::Format;
use super::{Balance, Voucher};

/// The most codes of one batch.
pub const MAX_QUANTITY: i64 = 10_000_000;

/// Codes that were asked for in one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The id within the tenant.
    pub id: String,
    /// Id of the incentive.
    pub incentive: String,
    /// Codes wanted.
    pub quantity: i64,
    /// Codes made and durable.
    pub done: i64,
    /// What every code of it is like.
    pub plan: Plan,
    /// When it was asked for.
    pub created: Timestamp,
}

/// What every code of a batch is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// How they look.
    pub format: Format,
    /// Their own start within that of the incentive.
    pub starts: Option<Timestamp>,
    /// Their own end within that of the incentive.
    pub ends: Option<Timestamp>,
    /// Uses of one code; `None` is unlimited.
    pub max_uses: Option<i64>,
    /// What a gift card is worth.
    pub balance: Option<Balance>,
}

impl Batch {
    /// Codes still to be made.
    pub fn missing(&self) -> i64 {
        (self.quantity - self.done).max(0)
    }
}

impl Plan {
    /// A fresh voucher with `code`.
    pub fn voucher(&self, code: String, incentive: &str, batch: Option<&str>, now: Timestamp) -> Voucher {
        Voucher {
            batch: batch.map(str::to_owned),
            starts: self.starts,
            ends: self.ends,
            max_uses: self.max_uses,
            balance: self.balance,
            ..Voucher::new(code, incentive.to_owned(), now)
        }
    }
}
