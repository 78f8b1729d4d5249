//! The catalogue is what prices are made from: products, list prices, campaigns and their mixes.
//!
//! It has one version per tenant. Every write to it bumps the version first ([`store::bump`]) and stamps its rows with
//! the new value; the counter's lock is held to the commit, so versions become visible in ascending order. A replica
//! that has loaded everything up to a version therefore finds all that is new by asking for the rows above it:
//!
//! 1. [`store::changed`]: which tenants have moved, and how far; [`store::versions`] asks for all, now and then, since
//!    a transaction that took long is stamped with when it began;
//! 2. [`store::stand`], then the rows above the version it had: [`crate::product::store::sold_since`],
//!    [`crate::product::store::changes_since`], [`crate::campaign::store::campaigns_since`] and the
//!    [`crate::campaign::store::revisions_of`] those;
//! 3. keep the version of step 2, which was read *before* the rows: what came in between is loaded once more.
//!
//! Whoever writes hears so once his replica has done this: see [`written`].

pub mod commands;
pub mod store;
#[cfg(test)]
mod tests;
pub mod written;
