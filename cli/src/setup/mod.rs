//! A tenant's set-up as files: apply, compare, write out; and what is looked at one by one.

pub mod apply;
pub mod browse;
mod call;
pub mod create;
pub mod diff;
pub mod export;
mod kind;
mod lines;
mod read;
pub mod settings;
pub mod text;
