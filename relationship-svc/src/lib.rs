//! Relationship marketing: each customer, followed personally and over time, rewarded with incentives.
//!
//! One folder per aggregate: [`attribute`], [`customer`] and its [`consent`], the [`relationship`] with each and the [`interaction`]s that
//! make it, [`segment`], [`incentive`], [`voucher`] and its [`redemption`]; [`erasure`] goes through all of them. [`settings`]
//! are what each tenant has set for itself. [`serve`] is
//! the order of everything a process starts; [`app`] is what all calls share.

pub mod app;
pub mod attribute;
pub mod campaign;
pub mod config;
pub mod consent;
pub mod customer;
pub mod erasure;
pub mod event;
pub mod incentive;
pub mod interaction;
pub mod merge;
pub mod redemption;
pub mod relationship;
pub mod rule;
pub mod segment;
pub mod serve;
pub mod settings;
pub mod testing;
#[cfg(test)]
mod tests;
pub mod voucher;

use sqlx::migrate::Migrator;
use tandem_platform::db::{Migrations, PLATFORM, Series};

pub use app::App;
pub use config::Config;

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// The schema of this service.
pub static MIGRATIONS: Migrations =
    Migrations { platform: PLATFORM, own: Series { postgres: &POSTGRES, sqlite: &SQLITE }, begins: 10 };
