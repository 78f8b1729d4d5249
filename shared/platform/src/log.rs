//! The log: one subscriber for the process, on standard error, as text or JSON.
//!
//! Messages are constant and values stand in fields, never personal data, codes or tokens: a log is copied to places
//! that no one had in mind. The only span is the one that `tandem up` puts around each of its services.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use crate::config::{ConfigError, LogConfig, LogFormat};

/// Starts the log and sends panics through it. Fails on an ill-formed filter or where a log was started before.
pub fn init(config: &LogConfig) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| ConfigError::new(format!("log.filter {:?}: {error}", config.filter)))?;
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let layer = match config.format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init()
        .map_err(|error| ConfigError::new(format!("the log cannot be started: {error}")))?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, panic = panic.payload_as_str().unwrap_or_default(), "a task panicked");
    }));
    Ok(())
}
