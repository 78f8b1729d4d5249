//! The catalogue is what prices are made from: products, list prices, campaigns and their mixes.
//!
//! It has one version per tenant. Every write to it bumps the version first ([`store::bump`]) and stamps its rows with
//! the new value; the counter's lock is held to the commit, so versions become visible in ascending order. A replica
//! that has loaded everything up to a version therefore finds all that is new by asking for the rows above it:
//!
//! 1. [`store::versions`]: which tenants have moved, and how far;
//! 2. the rows above the version it had: [`crate::product::store::products_since`],
//!    [`crate::product::store::price_history_since`], [`crate::campaign::store::campaigns_since`] and
//!    [`crate::campaign::store::revisions_since`];
//! 3. keep the version of step 1, which was read *before* the rows: what came in between is loaded once more.

pub mod store;
#[cfg(test)]
mod tests;
