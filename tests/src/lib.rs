//! The harness of the tests that need a real world: clusters of PostgreSQL, services as processes of their own, the
//! calls that set a stage, load, and what reads the ledger afterwards.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot set its stage fails loudly")]

pub mod answer;
pub mod books;
pub mod database;
pub mod disk;
pub mod hard;
pub mod ledger;
pub mod load;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod scrape;
pub mod stage;
