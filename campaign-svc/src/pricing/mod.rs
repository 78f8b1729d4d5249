//! What a basket costs: prices first, then offers and codes, every decision explained, the result sealed.
//!
//! - **No database on the way** of prices and of what everybody may have. Each replica keeps a compiled [`snapshot`] of the
//!   catalogues that are asked for; a poller takes in what changed. While the database is away the last snapshot serves, and
//!   the answer says how old it is.
//! - **Nothing is answered from what was not read.** A tenant that is not held is loaded before its first quote, which
//!   waits for it; [`snapshots`] is the only door.
//! - **A customer's own limits, and what an order takes itself**, are read for the quote that needs them: where a matching
//!   offer counts customers, or an order is named that has something ([`seen`]).
//! - **Only what can matter is touched.** The [`index`] leads from the basket's products and categories, its place and
//!   the customer's segments to the offers; what runs is judged by the clock of the quote, never baked in.
//! - **relationship-svc is asked once**, and only where a customer, a guest or a code is given. Without its answer the
//!   quote is degraded and says so, unless the caller requires it.
//! - **The promise** is the sealed token: amounts by line, offer and code, for 15 minutes, never past the end of
//!   anything that counted. It keeps the revision it was made under.
//! - **The work is bounded** and counted in steps, so that the same basket gets the same answer everywhere; what is long is
//!   computed apart from the threads that serve calls.
//!
//! [`price`] decides, [`commands`] asks and seals, [`rpc`] speaks the contract, [`serve`] is its server.

pub mod allowance;
pub mod commands;
mod compile;
mod digest;
mod encode;
pub mod entry;
mod explanation;
mod extent;
mod held;
mod hours;
pub mod index;
mod limited;
mod load;
pub mod near;
pub mod offers;
mod parse;
pub mod place;
pub mod price;
pub mod prior;
pub mod product;
mod quote;
pub mod rpc;
pub mod seen;
pub mod serve;
mod shards;
pub mod snapshot;
pub mod snapshots;
pub mod spending;
pub mod spent;
pub mod tasks;
#[cfg(test)]
pub(crate) mod tests;
mod wire;
