//! Taking out of everything here whom relationship-svc has erased.
//!
//! What is to be done is a row of [`crate::erased`]; it is done in parts, each of which writes down how far it is, so that a
//! process that ends in the midst of it goes on where it was, and one erasure holds up neither orders nor another tenant. The
//! pseudonym that relationship-svc tells takes the place of the id: in orders and the counters of their limits, so that what
//! comes back of an order gives back where it counted, and in what is kept for a while. A guest's key goes with the id.
//!
//! Which column of which table that is: `tests/list.rs`, which fails on a column that it does not know.

pub mod commands;
pub mod scrub;
pub mod tasks;
#[cfg(test)]
mod tests;
