//! The settings of the service: defaults, then a file, then the environment (`TANDEM_RELATIONSHIP_…`). Units stand in
//! the names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tandem_platform::config::{ClientTlsConfig, DatabaseConfig, LogConfig, MetricsConfig, ServerConfig};
use tandem_platform::lanes::{LanesConfig, TENANTS_PER_TRANSACTION};
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
    /// Where campaign-svc is, whose orders come by themselves.
    pub campaign: CampaignConfig,
    /// Answering what quotes ask; a batch of questions is read together. `lanes` 0: one for every two cores.
    /// `tenants_per_transaction`: tenants that one lane reads for side by side, each on a connection of its own.
    pub evaluation: LanesConfig,
    /// Holding, redeeming and rolling back.
    pub redemption: RedemptionConfig,
    /// Recording interactions; `max_batch` counts blocks of up to 100. `lanes` 0: one more than there are cores.
    pub interaction: LanesConfig,
    /// The zone of the days, weeks and months of a tenant that has set none (SettingsService), IANA: "Europe/Vienna".
    pub tenant_time_zone: String,
    /// The keys that seal quotes, shared with campaign-svc: "k2:base64,k1:base64", each 32 bytes. The first seals, all
    /// open. Empty: a key for development, accepted on a loopback address only.
    pub seal_keys: Secret,
    /// The keys that hide people, "k2:base64,k1:base64", each 32 bytes: of addresses that must not be written to only a keyed
    /// hash is kept, and of who was erased a pseudonym. The first hashes what is new, all find what is old, the last makes
    /// the pseudonyms: a new one is put first, none is taken away. Empty: a key for development, accepted on a loopback
    /// address only.
    pub address_keys: Secret,
    /// How long events are kept for subscribers, in hours.
    pub event_retention_h: u32,
    /// How events are numbered and told to campaign-svc, and those of campaign-svc taken in.
    pub relay: RelayConfig,
    /// Evaluations that take long, as costly rules of segments and large baskets do, leave the threads that serve calls:
    /// so many are computed at once. 0: one for every two cores.
    pub long_evaluation_threads: usize,
    /// Long evaluations that may wait for a thread; one more is refused with RESOURCE_EXHAUSTED. One takes a tenth of a
    /// second at most.
    pub long_evaluation_queue: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig { listen: ([127, 0, 0, 1], 7402).into(), ..ServerConfig::default() },
            database: DatabaseConfig { url: "sqlite:relationship.db".into(), ..DatabaseConfig::default() },
            log: LogConfig::default(),
            metrics: MetricsConfig::default(),
            campaign: CampaignConfig::default(),
            evaluation: LanesConfig { lanes: 0, capacity: 4_096, max_batch: 128, tenants_per_transaction: 4 },
            redemption: RedemptionConfig::default(),
            interaction: LanesConfig {
                lanes: 0,
                capacity: 1_024,
                max_batch: 64,
                tenants_per_transaction: TENANTS_PER_TRANSACTION,
            },
            tenant_time_zone: "UTC".to_owned(),
            seal_keys: Secret::default(),
            address_keys: Secret::default(),
            event_retention_h: 7 * 24,
            relay: RelayConfig::default(),
            long_evaluation_threads: 0,
            long_evaluation_queue: 64,
        }
    }
}

impl Settings for Config {
    const ENV_PREFIX: &'static str = "TANDEM_RELATIONSHIP_";

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

/// Where campaign-svc is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CampaignConfig {
    /// `http://host:port` or `https://host:port`. Empty: its orders do not come by themselves, and a shop sends them by hand.
    /// campaign-svc tells its events to a peer on the same machine, or one that shows a certificate.
    pub endpoint: Address,
    /// For `https://`.
    pub tls: ClientTlsConfig,
    /// How long a connect may take, in milliseconds.
    pub connect_timeout_ms: u64,
}

impl Default for CampaignConfig {
    fn default() -> Self {
        Self { endpoint: "".into(), tls: ClientTlsConfig::default(), connect_timeout_ms: 1_000 }
    }
}

/// How vouchers are held, redeemed and rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedemptionConfig {
    /// Transactions side by side that redeem, hold and roll back; on SQLite always one. 0: one more than there are
    /// cores, at most 17. More than the database has cores makes batches smaller, not the service faster.
    pub lanes: usize,
    /// Calls that may wait in one lane; one more is refused with RESOURCE_EXHAUSTED.
    pub lane_capacity: usize,
    /// Calls that one transaction takes at most.
    pub max_batch: usize,
    /// Tenants that one transaction serves at most, one after the other; 1 on a distributed engine.
    pub tenants_per_transaction: usize,
    /// How long a hold lasts where the caller does not say, in seconds.
    pub hold_ttl_s: u32,
    /// How long after its first hold an order may hold at most, in seconds.
    pub hold_max_s: u32,
    /// How many days a use that came back stays valid where its code has expired meanwhile and the tenant has set nothing
    /// (SettingsService).
    pub restored_days: u32,
    /// Unknown codes that one customer, guest or client_id may try per minute at one replica; a principal that names none
    /// of them, and all that are anonymous together, 20 times as many.
    pub guesses_per_minute: u32,
}

impl Default for RedemptionConfig {
    fn default() -> Self {
        Self {
            lanes: 0,
            lane_capacity: 4_096,
            max_batch: 512,
            tenants_per_transaction: TENANTS_PER_TRANSACTION,
            hold_ttl_s: 15 * 60,
            hold_max_s: 24 * 60 * 60,
            restored_days: 14,
            guesses_per_minute: 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_written_and_read_back() {
        let defaults = Config::default();
        let text = serde_json::to_string(&defaults).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), defaults);
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let config = Config { tenant_time_zone: "Europe/Atlantis".to_owned(), ..Config::default() };
        assert!(config.zone().unwrap_err().to_string().contains("Europe/Atlantis"));
    }

    #[test]
    fn neither_keys_nor_passwords_are_shown() {
        let url = "postgres://tandem:secret@db/relationship".into();
        let database = DatabaseConfig { url, ..DatabaseConfig::default() };
        let keys = || "k1:a2V5".into();
        let shown = Config { seal_keys: keys(), address_keys: keys(), database, ..Config::default() }.shown();
        assert!(!shown.contains("secret") && !shown.contains("a2V5"), "{shown}");
        assert!(shown.contains("postgres://tandem@db/relationship"), "{shown}");
    }
}
