//! The pages of every setting, one for each service.

use serde_json::Value;
use tandem_platform::config::declared::{Section, Setting, sections};
use tandem_platform::shell::{Program, Settings};

use super::Page;
use super::text::{cell, written};

/// What the end of a name says of the number.
const UNITS: [(&str, &str); 6] = [
    ("_ms", "milliseconds"),
    ("_s", "seconds"),
    ("_h", "hours"),
    ("_days", "days"),
    ("_bytes", "bytes"),
    ("_per_minute", "a minute"),
];

/// Both.
pub fn pages() -> [Page; 2] {
    [page::<campaign_svc::App>(), page::<relationship_svc::App>()]
}

fn page<P: Program>() -> Page {
    let (name, short) = (P::NAME, P::NAME.trim_end_matches("-svc"));
    let prefix = P::Settings::ENV_PREFIX;
    let mut text = written("the settings");
    text += &format!(
        "# Settings of {name}

A file in TOML goes before the defaults (`{name} --config {short}.toml serve`, or `{prefix}CONFIG`), and the environment before
the file: `server.max_calls` is `{prefix}SERVER__MAX_CALLS`, two underscores between section and key. What is not known is
refused by its name, and so is what is less than it may be. `{name} config` prints the settings in force, without keys and
passwords.
"
    );
    for Section { key, says, settings } in sections::<P::Settings>() {
        let title = if key.is_empty() { "Outside of sections".to_owned() } else { format!("`{key}`") };
        let says = if key.is_empty() { String::new() } else { cell(&says) + "\n\n" };
        text += &format!("\n## {title}\n\n{says}");
        text += "| setting | default | unit | at least | meaning |\n|---|---|---|---|---|\n";
        settings.iter().for_each(|setting| text += &row(setting));
    }
    Page { path: format!("settings-{short}.md"), text }
}

fn row(setting: &Setting) -> String {
    let Setting { key, says, default, least, words } = setting;
    let unit = UNITS.iter().find(|(end, _)| key.ends_with(end)).map_or("", |(_, unit)| unit);
    let unit = if words.is_empty() { unit.to_owned() } else { words.join(" or ") };
    let least = if *least == 0 { String::new() } else { least.to_string() };
    format!("| `{key}` | {} | {unit} | {least} | {} |\n", shown(default.as_ref()), cell(says))
}

fn shown(default: Option<&Value>) -> String {
    match default {
        None => "has to be said".to_owned(),
        Some(Value::Null) => "none".to_owned(),
        Some(Value::Array(all)) if all.is_empty() => "none".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(other) => format!("`{other}`"),
    }
}
