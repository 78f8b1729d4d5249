//! The settings of a service: defaults, then a file, then the environment. Units stand in the names.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tandem_kernel::period::Zone;

use crate::config::{self, ConfigError, DatabaseConfig, LogConfig, MetricsConfig, ServerConfig, declared};
use crate::outbox::RelayConfig;

/// What can be set.
pub trait Settings: Serialize + DeserializeOwned + JsonSchema + Default + Clone + Send {
    /// The prefix of every environment variable: `TANDEM_CAMPAIGN_`.
    const ENV_PREFIX: &'static str;

    /// What every service has.
    fn common(&self) -> Common<'_>;

    /// Reads the settings; an unknown key, or a value that cannot be used, is an error that names it.
    fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::default().overridden(file)
    }

    /// The same over other defaults, in which nothing is secret.
    fn overridden(self, file: Option<&Path>) -> Result<Self, ConfigError> {
        let settings: Self = config::load(self, file, Self::ENV_PREFIX)?;
        declared::check(&settings)?;
        settings.zone().map(|_| settings)
    }

    /// The zone of the days, weeks and months of tenants that have set none.
    fn zone(&self) -> Result<Zone, ConfigError> {
        let name = self.common().tenant_time_zone;
        Zone::new(name).map_err(|error| ConfigError::new(format!("tenant_time_zone {name:?}: {error}")))
    }

    /// The settings for people to read, as JSON. What is secret does not show itself.
    fn shown(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The settings that every service has.
#[derive(Debug, Clone, Copy)]
pub struct Common<'a> {
    /// Where and how it listens.
    pub server: &'a ServerConfig,
    /// Where its data are.
    pub database: &'a DatabaseConfig,
    /// How it logs.
    pub log: &'a LogConfig,
    /// Where its metrics are scraped.
    pub metrics: &'a MetricsConfig,
    /// Of tenants that have set none. IANA: "Europe/Vienna".
    pub tenant_time_zone: &'a str,
    /// How long events are kept for subscribers, in hours.
    pub event_retention_h: u32,
    /// How events are numbered.
    pub relay: RelayConfig,
}
