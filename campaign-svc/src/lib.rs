//! Operational marketing: short actions, the 4P mix, and the price of a basket.
//!
//! One folder per aggregate: [`objective`], [`product`], [`campaign`]; what [`pricing`] reads of them moves by the
//! version that [`catalogue`] counts. [`settings`] are what each tenant has set for itself. [`order`] is the one call that counts a quote on both sides. [`relationship`] is the port to the other service, and [`redemption`] what flows
//! back from it. [`erased`] is whom it has erased, and [`erasure`] takes them out of everything here. [`serve`] is the order of everything a process starts; [`app`] is what all calls
//! share.

pub mod app;
pub mod campaign;
pub mod catalogue;
pub mod config;
pub mod erased;
pub mod erasure;
pub mod event;
mod field;
pub mod objective;
pub mod order;
pub mod pricing;
pub mod product;
pub mod redemption;
pub mod relationship;
pub mod rule;
pub mod serve;
pub mod settings;
pub mod testing;
#[cfg(test)]
mod tests;

use sqlx::migrate::Migrator;
use tandem_platform::db::{Migrations, PLATFORM, Series};

pub use app::App;
pub use config::Config;

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// The schema of this service.
pub static MIGRATIONS: Migrations =
    Migrations { platform: PLATFORM, own: Series { postgres: &POSTGRES, sqlite: &SQLITE }, begins: 11 };
