//! The settings of the service: defaults, then a file, then the environment (`TANDEM_CAMPAIGN_…`). Units stand in the
//! names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tandem_platform::config::{ClientTlsConfig, DatabaseConfig, LogConfig, MetricsConfig, ServerConfig};
use tandem_platform::lanes::LanesConfig;
use tandem_platform::outbox::RelayConfig;
use tandem_platform::secret::{Address, Secret};
use tandem_platform::shell::{Common, Settings};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where and how it listens.
    pub server: ServerConfig,
    /// Where its data are.
    pub database: DatabaseConfig,
    /// How it logs.
    pub log: LogConfig,
    /// Where its metrics are scraped.
    pub metrics: MetricsConfig,
    /// Where relationship-svc is and how long a quote waits for it.
    pub relationship: RelationshipConfig,
    /// Quotes and the catalogue they are made from.
    pub pricing: PricingConfig,
    /// Orders that count on both sides.
    pub order: OrderConfig,
    /// The zone of the days, weeks and months of a tenant that has set none (SettingsService), IANA: "Europe/Vienna".
    pub tenant_time_zone: String,
    /// The keys that seal quotes, shared with relationship-svc: "k2:base64,k1:base64", each 32 bytes. The first seals,
    /// all open. Empty: a key for development, accepted on a loopback address only.
    pub seal_keys: Secret,
    /// How long events are kept for subscribers, in hours.
    pub event_retention_h: u32,
    /// How events are numbered, and those of relationship-svc taken in.
    pub relay: RelayConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig { listen: ([127, 0, 0, 1], 7401).into(), ..ServerConfig::default() },
            database: DatabaseConfig { url: "sqlite:campaign.db".into(), ..DatabaseConfig::default() },
            log: LogConfig::default(),
            metrics: MetricsConfig::default(),
            relationship: RelationshipConfig::default(),
            pricing: PricingConfig::default(),
            order: OrderConfig::default(),
            tenant_time_zone: "UTC".to_owned(),
            seal_keys: Secret::default(),
            event_retention_h: 7 * 24,
            relay: RelayConfig::default(),
        }
    }
}

impl Settings for Config {
    const ENV_PREFIX: &'static str = "TANDEM_CAMPAIGN_";

    fn common(&self) -> Common<'_> {
        Common {
            server: &self.server,
            database: &self.database,
            log: &self.log,
            metrics: &self.metrics,
            tenant_time_zone: &self.tenant_time_zone,
            event_retention_h: self.event_retention_h,
            relay: self.relay,
        }
    }
}

/// Where relationship-svc is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RelationshipConfig {
    /// `http://host:port` or `https://host:port`.
    pub endpoint: Address,
    /// For `https://`.
    pub tls: ClientTlsConfig,
    /// How long a connect may take, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long a quote waits at most for the customer's incentives before it answers without them, in milliseconds;
    /// less where half of what is left of its caller's deadline is less. Who has waited so long in vain, while nobody
    /// else heard anything, finds relationship-svc gone.
    #[schemars(range(min = 1))]
    pub timeout_ms: u64,
    /// How long quotes do not ask a relationship-svc that is gone, before one of them tries again, in milliseconds.
    #[schemars(range(min = 1))]
    pub retry_ms: u64,
}

impl Default for RelationshipConfig {
    fn default() -> Self {
        Self {
            endpoint: "http://127.0.0.1:7402".into(),
            tls: ClientTlsConfig::default(),
            connect_timeout_ms: 1_000,
            timeout_ms: 1_000,
            retry_ms: 1_000,
        }
    }
}

/// Orders that count on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OrderConfig {
    /// Transactions side by side that write orders; on SQLite always one. `lanes` 0: one more than there are cores, at
    /// most 17.
    pub lanes: LanesConfig,
    /// How long one call waits for relationship-svc before the order is left to go on by itself, in milliseconds.
    #[schemars(range(min = 1))]
    pub timeout_ms: u64,
    /// How long an open step is left to whoever has taken it up, before anybody takes it up again, in milliseconds.
    /// Longer than `timeout_ms`.
    #[schemars(range(min = 1))]
    pub retry_ms: i64,
    /// After what time an open order is told of as stuck, in milliseconds.
    pub stuck_after_ms: i64,
    /// How long a hold lasts where the caller does not say, in seconds.
    pub hold_ttl_s: u32,
    /// How long after its first hold an order may be held at most, in seconds.
    pub hold_max_s: u32,
}

impl Default for OrderConfig {
    fn default() -> Self {
        Self {
            lanes: LanesConfig { lanes: 0, capacity: 4_096, max_batch: 256, ..LanesConfig::default() },
            timeout_ms: 2_000,
            retry_ms: 3_000,
            stuck_after_ms: 60_000,
            hold_ttl_s: 15 * 60,
            hold_max_s: 24 * 60 * 60,
        }
    }
}

/// Quotes and the catalogue they are made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PricingConfig {
    /// How long a quote promises its amounts where the tenant has set nothing (SettingsService), in seconds; never past the
    /// end of anything applied.
    #[schemars(range(min = 1))]
    pub quote_ttl_s: u32,
    /// How often a replica looks for a new version of the catalogue, in milliseconds.
    #[schemars(range(min = 1))]
    pub snapshot_poll_ms: u64,
    /// After what time without a quote a tenant's catalogue is dropped from memory, in seconds. It is read again before
    /// the next quote.
    #[schemars(range(min = 1))]
    pub snapshot_idle_s: u32,
    /// How long the start waits for the catalogue of any one tenant, in milliseconds; its quotes wait for it by
    /// themselves after that.
    #[schemars(range(min = 1))]
    pub first_load_ms: u64,
    /// The longest window of a campaign of a tenant that has set none (SettingsService), in days.
    #[schemars(range(min = 1))]
    pub campaign_max_days: u32,
    /// Evaluations that take long, as large baskets under many offers do, leave the threads that serve calls: so many
    /// are computed at once. 0: one for every two cores.
    pub long_evaluation_threads: usize,
    /// Long evaluations that may wait for a thread; one more is refused with RESOURCE_EXHAUSTED. One takes a tenth of a
    /// second at most.
    pub long_evaluation_queue: usize,
}

impl Default for PricingConfig {
    fn default() -> Self {
        Self {
            quote_ttl_s: 15 * 60,
            snapshot_poll_ms: 250,
            snapshot_idle_s: 15 * 60,
            first_load_ms: 30_000,
            campaign_max_days: 92,
            long_evaluation_threads: 0,
            long_evaluation_queue: 64,
        }
    }
}

#[cfg(test)]
mod tests {
    use tandem_platform::config::declared;

    use super::*;

    #[test]
    fn the_defaults_can_be_written_and_read_back() {
        let defaults = Config::default();
        let text = serde_json::to_string(&defaults).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), defaults);
    }

    #[test]
    fn what_must_not_be_zero_is_named() {
        let pricing = PricingConfig { snapshot_poll_ms: 0, ..PricingConfig::default() };
        let error = declared::check(&Config { pricing, ..Config::default() }).unwrap_err().to_string();
        assert!(error.contains("pricing.snapshot_poll_ms"), "{error}");
        let order = OrderConfig { retry_ms: -1, ..OrderConfig::default() };
        let error = declared::check(&Config { order, ..Config::default() }).unwrap_err().to_string();
        assert!(error.contains("order.retry_ms"), "{error}");
        assert!(declared::check(&Config::default()).is_ok());
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let config = Config { tenant_time_zone: "Europe/Atlantis".to_owned(), ..Config::default() };
        assert!(config.zone().unwrap_err().to_string().contains("Europe/Atlantis"));
    }

    #[test]
    fn neither_keys_nor_passwords_are_shown() {
        let url = "postgres://tandem:secret@db/campaign".into();
        let database = DatabaseConfig { url, ..DatabaseConfig::default() };
        let shown = Config { seal_keys: "k1:a2V5".into(), database, ..Config::default() }.shown();
        assert!(!shown.contains("secret") && !shown.contains("a2V5"), "{shown}");
        assert!(shown.contains("postgres://tandem@db/campaign"), "{shown}");
    }
}
