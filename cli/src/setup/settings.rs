//! `tandem settings`: what a tenant has set for itself, and what is in force. Which settings there are is read from the
//! contracts; `tandem apply` sets all that a file can say.

use std::collections::BTreeMap;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use prost_reflect::{DynamicMessage, ReflectMessage};
use serde_json::{Value as Json, json};

use super::call::{Services, held};
use super::kind::Kind;
use super::text;
use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};

/// Fields of the resource that are no settings.
const STEM: [&str; 3] = ["name", "update_time", "etag"];

/// What to do with settings.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what is in force, and whether the tenant has set it or the process.
    Show(Show),
    /// Set some, and let others be as the process says.
    Set(Set),
}

/// At which services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Service {
    Campaign,
    Relationship,
}

/// Arguments of `tandem settings show`.
#[derive(Debug, Args)]
pub struct Show {
    /// Only at this service.
    #[arg(long, value_enum)]
    service: Option<Service>,
}

/// Arguments of `tandem settings set`.
#[derive(Debug, Args)]
#[command(
    after_help = "What both services have is set at both. Rules of stages, retention, senders, footers, providers and caps are
said in a file: settings/relationship for `tandem apply`.

Examples:
  tandem settings set --time-zone Europe/Vienna --locale de-AT
  tandem settings set --campaign-max-days 30 --quote-ttl-seconds 600 --restored-days 7
  tandem settings set --quiet-hours 21:00-08:00
  tandem settings set --clear time-zone --service relationship"
)]
#[command(group = ArgGroup::new("something").required(true).multiple(true))]
pub struct Set {
    /// The zone of its days, weeks and months: Europe/Vienna.
    #[arg(long, value_name = "ZONE", group = "something")]
    time_zone: Option<String>,
    /// In which titles are told where a call says none: de-AT.
    #[arg(long, value_name = "TAG", group = "something")]
    locale: Option<String>,
    /// How many days a campaign may last: 1 to 366.
    #[arg(long, value_name = "DAYS", group = "something")]
    campaign_max_days: Option<i32>,
    /// How long a quote promises its amounts: 1 second to 24 hours.
    #[arg(long, value_name = "SECONDS", group = "something")]
    quote_ttl_seconds: Option<u32>,
    /// How many days a use that came back stays valid where its code has expired: 1 to 366.
    #[arg(long, value_name = "DAYS", group = "something")]
    restored_days: Option<i32>,
    /// When nobody is written to; what would be sent then is held.
    #[arg(long, value_name = "HH:MM-HH:MM", group = "something")]
    quiet_hours: Option<String>,
    /// A setting that is to be as the process says, or nothing; may be given more than once.
    #[arg(long, value_name = "SETTING", group = "something")]
    clear: Vec<String>,
    /// Only at this service.
    #[arg(long, value_enum)]
    service: Option<Service>,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Campaign => "campaign",
            Self::Relationship => "relationship",
        }
    }
}

impl Command {
    /// Whether the service of this name is asked.
    pub fn is_of(&self, service: &str) -> bool {
        let only = match self {
            Self::Show(Show { service }) | Self::Set(Set { service, .. }) => *service,
        };
        let has = |named: &str| match self {
            Self::Show(_) => true,
            Self::Set(set) => {
                let wanted = set.wanted();
                let fields = Kind::settings().find(|kind| kind.only == Some(named)).map(fields_of);
                let fields = fields.and_then(Result::ok).unwrap_or_default();
                // What nobody knows is told by both.
                wanted.iter().flatten().any(|(field, _)| fields.contains(field)) || wanted.is_err()
            }
        };
        only.is_none_or(|only| only.name() == service) && has(service)
    }
}

impl Set {
    /// The fields that are set or, without a value, cleared, by the contract's names; some value is none.
    fn wanted(&self) -> Result<BTreeMap<String, Option<Json>>, Failure> {
        let mut wanted = BTreeMap::new();
        let mut set = |field: &str, value: Option<Json>| {
            if let Some(value) = value {
                wanted.insert(field.to_owned(), Some(value));
            }
        };
        set("time_zone", self.time_zone.as_ref().map(|zone| json!(zone)));
        set("locale", self.locale.as_ref().map(|tag| json!(tag)));
        set("campaign_max_days", self.campaign_max_days.map(|days| json!(days)));
        set("quote_ttl", self.quote_ttl_seconds.map(|seconds| json!(format!("{seconds}s"))));
        set("restored_days", self.restored_days.map(|days| json!(days)));
        set("quiet_hours", self.quiet_hours.as_deref().map(quiet_hours).transpose()?);
        for typed in &self.clear {
            let field = typed.replace('-', "_");
            if wanted.insert(field, None).is_some() {
                return Err(Failure::said(format!("--clear {typed}: is set as well")));
            }
        }
        Ok(wanted)
    }
}

fn quiet_hours(typed: &str) -> Result<Json, Failure> {
    let (start, end) = typed
        .split_once('-')
        .ok_or_else(|| Failure::said("--quiet-hours: write HH:MM-HH:MM, 21:00-08:00"))?;
    Ok(json!({ "start": start.trim(), "end": end.trim() }))
}

/// The settings of a service, by the contract's names.
fn fields_of(kind: &Kind) -> Result<Vec<String>, Failure> {
    let fields = kind.descriptor()?;
    let fields = fields.fields().map(|field| field.name().to_owned());
    Ok(fields.filter(|name| !STEM.contains(&name.as_str())).collect())
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    let services = Services::new(target);
    let kinds: Vec<&Kind> =
        Kind::settings().filter(|kind| kind.only.is_some_and(|service| command.is_of(service))).collect();
    if let Command::Set(set) = &command {
        refuse_unknown(set, &kinds)?;
    }
    if kinds.len() > 1 {
        services.connect().await?;
    }
    if let Command::Set(set) = &command {
        let wanted = set.wanted()?;
        for kind in &kinds {
            apply(&services, kind, &wanted).await?;
        }
    }
    show(&services, &kinds, format).await
}

/// A setting that no service has, or not the one that is meant.
fn refuse_unknown(set: &Set, kinds: &[&Kind]) -> Result<(), Failure> {
    let mut known = Vec::new();
    for kind in kinds {
        known.extend(fields_of(kind)?);
    }
    let wanted = set.wanted()?;
    let Some(field) = wanted.keys().find(|field| !known.contains(field)) else { return Ok(()) };
    let all: Vec<Vec<String>> = Kind::settings().map(fields_of).collect::<Result<_, _>>()?;
    let mut all = all.concat();
    all.sort_unstable();
    all.dedup();
    let why = match set.service {
        Some(service) if all.contains(field) => format!("{}-svc has no such setting", service.name()),
        _ => format!("there is no such setting; it is one of {}", all.join(", ")),
    };
    Err(Failure::said(format!("{field}: {why}")))
}

/// Sets what is wanted of this service.
async fn apply(
    services: &Services<'_>,
    kind: &Kind,
    wanted: &BTreeMap<String, Option<Json>>,
) -> Result<(), Failure> {
    let (mut given, mut mask) = (serde_json::Map::new(), Vec::new());
    for field in fields_of(kind)? {
        let Some(value) = wanted.get(&field) else { continue };
        given.extend(value.clone().map(|value| (field.clone(), value)));
        mask.push(field);
    }
    let resource = DynamicMessage::deserialize(kind.descriptor()?, Json::Object(given));
    let resource = resource.map_err(|error| Failure::at(kind.names(), error))?;
    services.update(kind, resource, &mask).await.map(|_| ())
}

async fn show(services: &Services<'_>, kinds: &[&Kind], format: Format) -> Result<(), Failure> {
    let mut table = output::table(["setting", "at", "in force", "set by"]);
    let mut rows = Vec::new();
    for kind in kinds {
        let answer = services.answer(kind, &kind.names()).await?;
        if format == Format::Json {
            println!("{}", output::json(answer.descriptor().full_name(), &answer)?);
            continue;
        }
        let (own, effective) = (held(&answer, "settings")?, held(&answer, "effective")?);
        for (place, field) in fields_of(kind)?.into_iter().enumerate() {
            let by = if own.has_field_by_name(&field) {
                "the tenant"
            } else if effective.has_field_by_name(&field) {
                "the process"
            } else {
                "nobody"
            };
            let shown = text::shown(&effective, &field)?;
            rows.push((place, field.replace('_', " "), kind.only.unwrap_or_default(), shown, by));
        }
    }
    // What both have stands together.
    rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for (_, setting, at, shown, by) in rows {
        table.add_row([setting.as_str(), at, shown.as_str(), by]);
    }
    if format == Format::Table {
        println!("{table}");
    }
    Ok(())
}
