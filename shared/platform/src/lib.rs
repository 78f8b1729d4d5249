//! Mechanisms with no business word in them: what both services stand on.
//!
//! A request comes in through [`grpc`], is decided in a transaction of [`db`] (often coalesced by [`lanes`]), leaves
//! its outcome with [`idempotency`] and its events with [`outbox`]; [`shell`] and [`lifecycle`] start and stop all of it, [`telemetry`]
//! tells how it fares.
//! [`resource`] is the rhythm of everything that has the standard methods.
//! [`counters`] are the rows that keep limits, [`heavy`] the threads for what computes long, [`tenancy`] what each tenant has
//! set for itself, [`erasing`] how a person is taken out of what is kept.

pub mod call;
pub mod clock;
pub mod config;
pub mod counters;
pub mod db;
pub mod erasing;
pub mod fault;
pub mod field;
pub mod grpc;
pub mod heavy;
pub mod idempotency;
pub mod kept;
pub mod lanes;
pub mod lifecycle;
pub mod log;
pub mod outbox;
pub mod resource;
pub mod rewrite;
pub mod seal;
pub mod secret;
pub mod service;
pub mod shell;
pub mod tasks;
pub mod telemetry;
pub mod tenancy;
pub mod testing;
pub mod trace;

pub use call::{Call, Tenant};
pub use db::{Db, Statement, Tx};
pub use fault::{Fault, Kind, Outcome, Violations};
pub use service::Core;
