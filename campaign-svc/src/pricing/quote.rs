//! A quote as it is answered.

use std::time::Duration;

use super::price::{Ask, Incentives, Priced, Verdict};

/// A quote, sealed.
#[derive(Debug)]
pub struct Quote<'q> {
    /// What was asked.
    pub ask: &'q Ask,
    /// What it costs, and why.
    pub priced: &'q Priced<'q>,
    /// The decisions that are told.
    pub told: Vec<&'q Verdict<'q>>,
    /// How many more there are.
    pub left_out: usize,
    /// What relationship-svc had to say.
    pub incentives: &'q Incentives,
    /// The sealed promise.
    pub token: String,
    /// What it was made for.
    pub digest: [u8; 32],
    /// How old the catalogue was.
    pub age: Duration,
}
