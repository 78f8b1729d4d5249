//! The settings both services share, and how any settings are read: defaults, then a TOML file, then the environment.
//!
//! A key that no section knows is an error that names it and where it came from: a typing error must not silently
//! leave a default in force. Units stand in the names.

pub mod declared;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::error::{Actual, Kind};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::secret::Address;

/// Where and how a service listens, how much it takes on at once, and how it stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address to listen on; port 0 takes a free one, which the first line on standard output then names.
    pub listen: SocketAddr,
    /// Permits an address that other machines reach although nobody has to say who he is. For a network that lets only
    /// trusted callers through.
    pub allow_remote_without_authentication: bool,
    /// TLS. Default: none, callers speak in clear text.
    pub tls: Option<TlsConfig>,
    /// The client certificates of the other service, each by the SHA-256 of its DER form in hexadecimal
    /// (`openssl x509 -outform DER | sha256sum`): who shows one may follow the events of all tenants, as who is on this
    /// machine may. Needs `tls.client_ca`.
    pub peer_certificates: Vec<String>,
    /// The origins whose pages may call by gRPC-Web: "https://shop.example". "*" is every origin. Default: none.
    pub web_origins: Vec<String>,
    /// Calls in progress at once; one more is refused at once with RESOURCE_EXHAUSTED.
    pub max_calls: usize,
    /// Streams without end (subscriptions) at once, beside the calls.
    pub max_streams: usize,
    /// Streams of one HTTP/2 connection at once.
    pub max_streams_per_connection: u32,
    /// The longest a call may take, whatever its caller grants, in milliseconds.
    pub max_deadline_ms: u64,
    /// The largest message that is read, in bytes.
    pub max_message_bytes: usize,
    /// After how many seconds, give or take a tenth per process, a connection is asked to reconnect, so that clients
    /// find new replicas. 0: never.
    pub connection_age_s: u64,
    /// How long the service still accepts after it has said NOT_SERVING, in milliseconds: what load balancers need to
    /// notice.
    pub lame_duck_ms: u64,
    /// How long calls in progress may take to end before they are left behind, in milliseconds.
    pub drain_ms: u64,
    /// How long writes whose callers are gone may take to end, in milliseconds.
    pub finish_writes_ms: u64,
    /// How long pollers may take to end, and then the database to close, in milliseconds each.
    pub finish_background_ms: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            allow_remote_without_authentication: false,
            tls: None,
            peer_certificates: Vec::new(),
            web_origins: Vec::new(),
            max_calls: 4_096,
            max_streams: 1_024,
            max_streams_per_connection: 1_024,
            max_deadline_ms: 10_000,
            max_message_bytes: 4 * 1024 * 1024,
            connection_age_s: 30 * 60,
            lame_duck_ms: 2_000,
            drain_ms: 20_000,
            finish_writes_ms: 10_000,
            finish_background_ms: 3_000,
        }
    }
}

impl ServerConfig {
    /// The longest a call may take.
    pub fn max_deadline(&self) -> Duration {
        Duration::from_millis(self.max_deadline_ms)
    }
}

/// The server's side of TLS, 1.2 and 1.3, all files in PEM. They are read at the start, and again when they change:
/// connections go on as they are, new ones begin with what the files say then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The roots of client certificates. With it a client may show one, and one of another root is turned away. Default:
    /// none is asked for.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// Turns away who shows no certificate of `client_ca`. Default: false.
    #[serde(default)]
    pub require_client_certificate: bool,
}

/// The client's side of TLS, all files in PEM, for an endpoint that begins with `https://`. They are read at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientTlsConfig {
    /// The roots that are trusted. Default: those of the system.
    pub ca: Option<PathBuf>,
    /// The name that the server's certificate must have. Default: the host of the address.
    pub server_name: Option<String>,
    /// The certificate that is shown; with `key`. Default: none.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
}

/// The database of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host/name` or `sqlite:/path/to/file`, which is created where it is missing. Shown without
    /// its password everywhere.
    pub url: Address,
    /// Connections of this process. Replicas times this stays below what the server allows. They are used in turn, so
    /// more than are needed cost the database its caches; a server with many cores bears more.
    pub max_connections: u32,
    /// How long a call waits for a connection before it fails with UNAVAILABLE, in milliseconds.
    pub acquire_timeout_ms: u64,
    /// How long one statement may run, in milliseconds; PostgreSQL only.
    pub statement_timeout_ms: u64,
    /// How long one statement may wait for a lock, in milliseconds; on SQLite how long a writer waits for another.
    pub lock_timeout_ms: u64,
    /// How long a transaction may stand idle before the server ends it, in milliseconds; PostgreSQL only.
    pub idle_in_transaction_timeout_ms: u64,
    /// Prepared statements kept per connection. 0 for a pooler that does not track them.
    pub statement_cache_capacity: usize,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: "sqlite:tandem.db".into(),
            max_connections: 8,
            acquire_timeout_ms: 2_000,
            statement_timeout_ms: 5_000,
            lock_timeout_ms: 2_000,
            idle_in_transaction_timeout_ms: 10_000,
            statement_cache_capacity: 256,
        }
    }
}

/// Where the other service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientConfig {
    /// `http://host:port` or `https://host:port`; a name is resolved again on each connect.
    pub endpoint: Address,
    /// For `https://`.
    pub tls: ClientTlsConfig,
    /// How long a connect may take, in milliseconds.
    pub connect_timeout_ms: u64,
    /// The longest a call may take, in milliseconds; less where our own caller waits less.
    pub max_deadline_ms: u64,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            endpoint: "http://127.0.0.1:0".into(),
            tls: ClientTlsConfig::default(),
            connect_timeout_ms: 1_000,
            max_deadline_ms: 5_000,
        }
    }
}

/// How the log is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line per event, for people.
    #[default]
    Text,
    /// One JSON object per event, for collectors.
    Json,
}

/// The log, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// Which events are written, in the syntax of `tracing_subscriber::EnvFilter`. With `debug` for
    /// `tandem_platform::grpc` every call leaves a line, not only those that fail.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info,h2=warn,hyper=warn,opentelemetry=warn,tonic=warn,tower=warn,sqlx=warn".to_owned(),
        }
    }
}

/// The metrics, for a Prometheus server to scrape.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// The address on which `GET /metrics` answers over plain HTTP; port 0 takes a free one, which the log names. Nobody
    /// is asked who he is: the answer holds numbers and names of methods, never data of a tenant. Default: none, nothing
    /// is listened on.
    pub listen: Option<SocketAddr>,
}

/// Settings that cannot be used; the text names the key, the value and where it came from.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// Reads a file that the setting `name` names.
pub(crate) fn read_file(name: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError::new(format!("{name} = {path:?}: {error}")))
}

impl ConfigError {
    /// Settings that contradict each other or the machine.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Reads settings: `defaults` without secrets, over them `file` where one is given (it must exist), over it every environment
/// variable that begins with `env_prefix`, two underscores between section and key:
/// `TANDEM_CAMPAIGN_SERVER__LISTEN=127.0.0.1:7401`. `<prefix>CONFIG`, by which a program may find `file`, is left out.
pub fn load<T>(defaults: T, file: Option<&Path>, env_prefix: &str) -> Result<T, ConfigError>
where
    T: Serialize + DeserializeOwned,
{
    read(defaults, file, env_prefix, std::env::vars())
}

fn read<T>(
    defaults: T,
    file: Option<&Path>,
    env_prefix: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<T, ConfigError>
where
    T: Serialize + DeserializeOwned,
{
    let mut figment = Figment::from(Serialized::defaults(defaults));
    if let Some(file) = file {
        figment = figment.merge(Toml::file_exact(file));
    }
    for (name, text) in environment {
        match name.strip_prefix(env_prefix) {
            Some("CONFIG") | None => {}
            Some(key) => {
                let key = key.to_ascii_lowercase().replace("__", ".");
                figment = figment.merge(Variable { name, key, text });
            }
        }
    }
    figment.extract().map_err(explain)
}

/// One environment variable. figment's own provider names the prefix only, and cannot be given an environment.
struct Variable {
    name: String,
    key: String,
    text: String,
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("environment variable {}", self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let Ok(value) = self.text.parse::<Value>();
        let nested = figment::util::nest(&self.key, value);
        let dict = nested.into_dict().ok_or_else(|| figment::Error::from("a key is missing".to_owned()))?;
        Ok(Profile::Default.collect(dict))
    }
}

/// Without the values of texts and without lines of files: what stands in the wrong place may be a password.
fn explain(errors: figment::Error) -> ConfigError {
    let told = errors.into_iter().map(|mut error| {
        if let Kind::InvalidType(Actual::Str(_), expected) | Kind::InvalidValue(Actual::Str(_), expected) =
            &error.kind
        {
            error.kind = Kind::Message(format!("found a text, expected {expected}"));
        }
        let said = error.to_string();
        let of_file = |line: &&str| {
            line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(" |")
        };
        let lines: Vec<&str> =
            said.lines().filter(|line| !of_file(line) && !line.trim().starts_with('|')).collect();
        format!("settings: {}", lines.join(" "))
    });
    ConfigError(told.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        server: ServerConfig,
        database: DatabaseConfig,
        log: LogConfig,
        metrics: MetricsConfig,
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn environment(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        let owned: Vec<_> =
            variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        owned.into_iter()
    }

    #[test]
    fn the_environment_overrides_the_file_and_the_file_the_defaults() {
        let file = file("[server]\nlisten = \"127.0.0.1:1\"\ndrain_ms = 7\n[log]\nformat = \"json\"");
        let variables = environment(&[
            ("TANDEM_T_SERVER__LISTEN", "127.0.0.1:7411"),
            ("TANDEM_T_DATABASE__MAX_CONNECTIONS", "3"),
            ("TANDEM_T_SERVER__ALLOW_REMOTE_WITHOUT_AUTHENTICATION", "true"),
            ("TANDEM_T_METRICS__LISTEN", "127.0.0.1:7412"),
            ("TANDEM_T_CONFIG", "ignored.toml"),
            ("TANDEM_OTHER_SERVER__LISTEN", "127.0.0.1:9"),
        ]);
        let config: Config = read(Config::default(), Some(file.path()), "TANDEM_T_", variables).unwrap();
        assert_eq!(config.server.listen, SocketAddr::from(([127, 0, 0, 1], 7411)));
        assert_eq!(config.metrics.listen, Some(SocketAddr::from(([127, 0, 0, 1], 7412))));
        assert!(config.server.allow_remote_without_authentication);
        assert_eq!(config.server.drain_ms, 7);
        assert_eq!(config.log.format, LogFormat::Json);
        assert_eq!(config.server.max_calls, 4_096);
        assert_eq!(config.database, DatabaseConfig { max_connections: 3, ..DatabaseConfig::default() });
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it_and_its_source() {
        let file = file("[server]\nlisten_adress = \"127.0.0.1:1\"");
        let error = load(Config::default(), Some(file.path()), "TANDEM_U_").unwrap_err().to_string();
        assert!(error.contains("listen_adress"), "{error}");
        assert!(error.contains(file.path().file_name().unwrap().to_str().unwrap()), "{error}");
    }

    #[test]
    fn an_unknown_variable_is_an_error_that_names_it() {
        let variables = environment(&[("TANDEM_T_SERVER__DRAIN", "7")]);
        let error = read(Config::default(), None, "TANDEM_T_", variables).unwrap_err().to_string();
        assert!(error.contains("TANDEM_T_SERVER__DRAIN"), "{error}");
    }

    #[test]
    fn a_wrong_value_is_an_error_that_names_its_key() {
        let file = file("[server]\ndrain_ms = \"soon\"");
        let error = load(Config::default(), Some(file.path()), "TANDEM_W_").unwrap_err().to_string();
        assert!(error.contains("server.drain_ms"), "{error}");
    }

    #[test]
    fn a_password_in_the_wrong_place_is_not_repeated() {
        let variables = environment(&[("TANDEM_T_DATABASE", "postgres://tandem:pa55word@db/c")]);
        let error = read(Config::default(), None, "TANDEM_T_", variables).unwrap_err().to_string();
        assert!(error.contains("TANDEM_T_DATABASE") && !error.contains("pa55word"), "{error}");
        let file = file("[database]\nurl = postgres://tandem:pa55word@db/c\n");
        let error = load(Config::default(), Some(file.path()), "TANDEM_P_").unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("pa55word"), "{error}");
    }

    #[test]
    fn a_missing_file_is_an_error() {
        assert!(load(Config::default(), Some(Path::new("/nonexistent/tandem.toml")), "TANDEM_X_").is_err());
    }
}
