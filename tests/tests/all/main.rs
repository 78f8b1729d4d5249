//! What only the pair, or a real world, can show.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod architecture;
mod bad_input;
mod circles;
mod cli;
mod clients;
mod clock;
mod equal;
mod events;
mod faults;
mod files;
mod flags;
mod guesses;
mod handbook;
mod interactions;
mod journeys;
mod masks;
mod metrics;
mod orders;
mod people;
mod races;
mod readme;
mod rules;
mod secure;
mod segments;
mod settings;
mod setup;
mod standard;
mod starts;
