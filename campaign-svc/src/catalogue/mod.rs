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

pub mod store;
#[cfg(test)]
mod tests;
pub mod written;

use tandem_platform::Outcome;
use tandem_platform::resource::Unit;

/// Counts one change of the tenant's catalogue, whose number stamps what the unit writes from here on: the first thing
/// that a command does.
pub async fn bump(unit: &mut Unit<'_>) -> Outcome<i64> {
    let (tenant, now) = (unit.tenant(), unit.now());
    let version = store::bump(unit.tx(), tenant, now).await?;
    unit.stamp(version);
    Ok(version)
}
