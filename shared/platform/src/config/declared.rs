//! Every setting there is, read from the types that declare them: what it means, what it is by default and within what limits
//! it may be. The handbook's page says it, and a start refuses what is outside, by the same declaration.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value};

use super::ConfigError;

/// Settings that stand together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// `server`, `server.tls`; empty: those outside of every section.
    pub key: String,
    /// What they are about.
    pub says: String,
    /// By their keys.
    pub settings: Vec<Setting>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// `server.max_calls`.
    pub key: String,
    /// What it means.
    pub says: String,
    /// What it is where nobody says anything else; `None`: it has to be said, where its section is.
    pub default: Option<Value>,
    /// The least that it may be; 0 of what is not limited.
    pub least: u64,
    /// What it may be, where that is one of a few words.
    pub words: Vec<String>,
}

/// Everything that can be set, section by section.
pub fn sections<S: JsonSchema + Serialize + Default>() -> Vec<Section> {
    let settings = SchemaSettings::draft2020_12().with(|how| how.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<S>().to_value();
    let defaults = serde_json::to_value(S::default()).unwrap_or_default();
    let mut found = Vec::new();
    read("", &schema, &schema, &defaults, &mut found);
    found
}

/// Fails on the first setting that is less than it may be.
pub fn check<S: JsonSchema + Serialize + Default>(settings: &S) -> Result<(), ConfigError> {
    let set = serde_json::to_value(settings).unwrap_or_default();
    let all = sections::<S>().into_iter().flat_map(|section| section.settings);
    for Setting { key, least, .. } in all.filter(|setting| setting.least > 0) {
        let value = key.split('.').try_fold(&set, |at, part| at.get(part));
        let number = |value: &Value| value.as_u64().or_else(|| value.is_i64().then_some(0));
        if value.and_then(number).is_some_and(|number| number < least) {
            return Err(ConfigError::new(format!("{key} must be at least {least}")));
        }
    }
    Ok(())
}

/// The section `key`, then those inside it. What `field` says of it stands where it is a part of another one.
fn read(key: &str, field: &Value, object: &Value, defaults: &Value, found: &mut Vec<Section>) {
    let none = Map::new();
    let parts = object["properties"].as_object().unwrap_or(&none);
    let full = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    let (inner, own): (Vec<_>, Vec<_>) = parts.iter().partition(|(_, part)| section(part).is_some());
    let settings = own.into_iter().map(|(name, part)| setting(full(name), part, defaults.get(name)));
    found.push(Section { key: key.to_owned(), says: says(field), settings: settings.collect() });
    for (name, part) in inner {
        let Some(object) = section(part) else { continue };
        read(&full(name), part, object, defaults.get(name).unwrap_or(&Value::Null), found);
    }
}

/// What the parts of a section are declared in; a section that may be absent is one of two things.
fn section(of: &Value) -> Option<&Value> {
    let alternatives = || of["anyOf"].as_array()?.iter().find(|one| one["properties"].is_object());
    of["properties"].is_object().then_some(of).or_else(alternatives)
}

fn setting(key: String, of: &Value, default: Option<&Value>) -> Setting {
    let words = of["oneOf"].as_array().into_iter().flatten().filter_map(|one| one["const"].as_str());
    Setting {
        key,
        says: says(of),
        default: default.or_else(|| of.get("default")).cloned(),
        least: of["minimum"].as_u64().unwrap_or_default(),
        words: words.map(str::to_owned).collect(),
    }
}

/// In one line.
fn says(of: &Value) -> String {
    of["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::config::{LogConfig, ServerConfig};
    use crate::outbox::RelayConfig;

    /// All of it.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Settings {
        /// Where and
        /// how it listens.
        server: ServerConfig,
        /// How it logs.
        log: LogConfig,
        /// How events are numbered.
        relay: RelayConfig,
    }

    fn known() -> Vec<Setting> {
        sections::<Settings>().into_iter().flat_map(|section| section.settings).collect()
    }

    #[test]
    fn every_setting_is_known_with_its_meaning_its_default_and_its_limit() {
        let keys: Vec<String> = sections::<Settings>().into_iter().map(|section| section.key).collect();
        assert_eq!(keys, ["", "log", "relay", "server", "server.tls"]);
        assert_eq!(sections::<Settings>()[3].says, "Where and how it listens.");
        let all = known();
        let one = |key: &str| all.iter().find(|setting| setting.key == key).unwrap();
        assert_eq!((one("relay.poll_ms").default.clone(), one("relay.poll_ms").least), (Some(100.into()), 1));
        assert_eq!(
            (one("log.format").default.clone(), one("log.format").words.len()),
            (Some("text".into()), 2)
        );
        assert_eq!(one("server.tls.certificate").default, None);
        assert_eq!(one("server.tls.require_client_certificate").default, Some(false.into()));
        assert!(all.iter().all(|setting| !setting.says.is_empty()), "{all:#?}");
    }

    #[test]
    fn what_is_less_than_it_may_be_is_refused_by_its_key() {
        let relay = RelayConfig { poll_ms: 0, ..RelayConfig::default() };
        let error = check(&Settings { relay, ..Settings::default() }).unwrap_err().to_string();
        assert_eq!(error, "relay.poll_ms must be at least 1");
        assert!(check(&Settings::default()).is_ok());
    }
}
