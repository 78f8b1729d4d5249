//! Keys as the settings give them: those that both services seal with, and whatever else a service keeps apart.

use std::sync::Once;

use tandem_kernel::seal::Keyring;

use crate::config::{ConfigError, ServerConfig};
use crate::secret::Secret;

/// What everybody knows who reads this: "development-key-not-for-real-use". The same for both services, so that a pair
/// on one machine works without settings.
const DEVELOPMENT: &str = "development:ZGV2ZWxvcG1lbnQta2V5LW5vdC1mb3ItcmVhbC11c2U=";

/// The keys of `seal_keys`, "k2:base64,k1:base64": the first seals, all open. Where none are set, a server that only
/// this machine can reach takes a well-known key and says so in the log; any other is refused, because whoever knows the
/// key makes prices.
pub fn keyring(seal_keys: &Secret, server: &ServerConfig) -> Result<Keyring, ConfigError> {
    // Both services may be in one process, and have the same.
    static SAID: Once = Once::new();
    let say = || {
        tracing::warn!(
            "quotes are sealed with a well-known key, for development only: set seal_keys of campaign-svc and \
             relationship-svc, the same for both"
        );
    };
    keys("seal_keys", "the same keys for both services", seal_keys, server, || SAID.call_once(say))
}

/// The keys of `address_keys`, which hide people: of this service alone, in the same form. Where none are set, likewise.
pub fn person_keyring(address_keys: &Secret, server: &ServerConfig) -> Result<Keyring, ConfigError> {
    static SAID: Once = Once::new();
    let say = || {
        tracing::warn!("people are hidden with a well-known key, for development only: set address_keys");
    };
    keys("address_keys", "keys of its own", address_keys, server, || SAID.call_once(say))
}

/// The keys of the setting `name`, of which one sets `what`; without any the well-known key, where only this machine can
/// reach the server, which `say` says.
fn keys(
    name: &str,
    what: &str,
    given: &Secret,
    server: &ServerConfig,
    say: impl FnOnce(),
) -> Result<Keyring, ConfigError> {
    let unreadable = |error| ConfigError::new(format!("{name}: {error}"));
    let given = given.reveal();
    if !given.trim().is_empty() {
        return Keyring::parse(given).map_err(unreadable);
    }
    if !server.listen.ip().is_loopback() {
        return Err(ConfigError::new(format!(
            "{name} is empty and server.listen = \"{}\" can be reached from other machines: set {what}, each as \
             `id:$(openssl rand -base64 32)`",
            server.listen
        )));
    }
    say();
    Keyring::parse(DEVELOPMENT).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn the_development_key_is_for_this_machine_only() {
        let local = ServerConfig::default();
        let remote =
            ServerConfig { listen: SocketAddr::from(([0, 0, 0, 0], 7401)), ..ServerConfig::default() };
        assert_eq!(keyring(&Secret::default(), &local).unwrap().current(), "development");
        assert!(keyring(&" ".into(), &remote).unwrap_err().to_string().contains("seal_keys"));
        assert_eq!(
            keyring(&DEVELOPMENT.replace("development", "k1").as_str().into(), &remote).unwrap().current(),
            "k1"
        );
    }

    #[test]
    fn people_are_not_hidden_with_a_well_known_key_from_other_machines() {
        let remote =
            ServerConfig { listen: SocketAddr::from(([0, 0, 0, 0], 7402)), ..ServerConfig::default() };
        assert!(person_keyring(&Secret::default(), &ServerConfig::default()).is_ok());
        let refused = person_keyring(&Secret::default(), &remote).unwrap_err().to_string();
        assert!(refused.contains("address_keys"), "{refused}");
    }

    #[test]
    fn an_ill_formed_key_is_refused_without_saying_it() {
        let error = keyring(&"k1:c2hvcnQ=".into(), &ServerConfig::default()).unwrap_err().to_string();
        assert!(error.starts_with("seal_keys: ") && !error.contains("c2hvcnQ="), "{error}");
    }
}
