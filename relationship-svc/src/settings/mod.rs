//! What a tenant has set for itself: its zone, its language, how long a use that came back stays valid, by what rules people
//! stand where they stand ([`stages`]), how long is kept what they did ([`retention`]), and what messages will go by
//! ([`contact`]).
//!
//! - What it has not set is as the process says ([`Own::of`]); so there is nothing to create.
//! - What is made under a setting keeps it: a use that came back keeps its end, and periods of limits their labels.
//! - What is derived by a setting follows it: rooms above this one write down what is to be done, in the transaction that
//!   changes the settings ([`House`]).

pub mod commands;
pub mod contact;
pub mod events;
pub mod retention;
pub mod rpc;
pub mod stages;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::{Deref, RangeInclusive};
use std::sync::Arc;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tandem_kernel::locale::Locale;
use tandem_kernel::period::Zone;
use tandem_platform::Core;
use tandem_platform::config::ConfigError;
use tandem_platform::resource::{Field, Maps};
use tandem_platform::shell::Settings as _;
use tandem_platform::tenancy::{self, Document};

use crate::App;
use crate::config::Config;
use contact::{FrequencyCap, Provider, QuietHours, Sender};
use retention::{Kept, Retention};
use stages::{StageRules, Stages};

/// For how many days a tenant may let uses that came back be valid.
pub const RESTORED_DAYS: RangeInclusive<i32> = 1..=366;

/// What is in force for tenants.
pub type Tenancy = tenancy::Tenancy<Own>;
/// What one tenant has set, as it is stored.
pub type Settings = tenancy::Settings<Own>;
/// What else is written where settings change.
pub type Follow = tenancy::Follow<InForce>;

/// The service, and what follows its settings: rooms that stand above this one, and are handed to it.
#[derive(Debug, Clone)]
pub struct House {
    /// All of it.
    pub app: Arc<App>,
    /// What is written beside a change.
    pub follow: &'static [Follow],
}

impl Deref for House {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.app
    }
}

/// What a tenant has set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Own {
    /// Of its days, weeks and months.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// A canonical tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// How many days a use that came back stays valid where its code has expired meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_days: Option<u32>,
    /// By what people stand where they stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<Stages>,
    /// How long is kept what they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Kept>,
    /// Who messages come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    /// What stands below messages, by locale; "" is the default.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub footers: BTreeMap<String, String>,
    /// What delivers messages, in the order of preference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<Provider>,
    /// When nobody is written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// How many messages at most; all of them hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frequency_caps: Vec<FrequencyCap>,
}

/// What calls go by.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Of the tenant's days, weeks and months.
    pub zone: Zone,
    /// In which titles are told where a call says none.
    pub locale: Locale,
    /// How long a use that came back stays valid where its code has expired meanwhile.
    pub restored: SignedDuration,
    /// By what people stand where they stand.
    pub stages: StageRules,
    /// How long is kept what they did.
    pub retention: Retention,
}

/// What an update may name.
pub const FIELDS: &[Field<Own>] = &[
    ("time_zone", |to, from| to.zone.clone_from(&from.zone)),
    ("locale", |to, from| to.locale.clone_from(&from.locale)),
    ("restored_days", |to, from| to.restored_days = from.restored_days),
    ("stage_rules", |to, from| to.stages = from.stages),
    ("retention", |to, from| to.retention = from.retention),
    ("default_sender", |to, from| to.sender.clone_from(&from.sender)),
    ("footers", |to, from| to.footers.clone_from(&from.footers)),
    ("providers", |to, from| to.providers.clone_from(&from.providers)),
    ("quiet_hours", |to, from| to.quiet_hours = from.quiet_hours),
    ("frequency_caps", |to, from| to.frequency_caps.clone_from(&from.frequency_caps)),
];

impl Own {
    /// The defaults of a process.
    ///
    /// # Errors
    /// Where its zone is none.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        let (zone, restored_days) = (Some(config.zone()?), Some(config.redemption.restored_days));
        Ok(Self { zone, restored_days, ..Self::default() })
    }
}

impl Maps for Own {}

impl Document for Own {
    const NAME: &'static str = "settings/relationship";

    type InForce = InForce;

    fn over(&self, defaults: &Self) -> Self {
        Self {
            zone: self.zone.clone().or_else(|| defaults.zone.clone()),
            restored_days: self.restored_days.or(defaults.restored_days),
            // Of these a process says nothing: they are as ever.
            stages: Some(self.stages.unwrap_or_default().rules().into()),
            retention: Some(self.retention.unwrap_or_default().retention().into()),
            // Nor of the rest.
            ..self.clone()
        }
    }

    fn in_force(self) -> InForce {
        InForce {
            zone: self.zone.unwrap_or_default(),
            locale: Locale::parse(&self.locale.unwrap_or_default()).unwrap_or_default(),
            restored: SignedDuration::from_hours(24 * i64::from(self.restored_days.unwrap_or_default())),
            stages: self.stages.unwrap_or_default().rules(),
            retention: self.retention.unwrap_or_default().retention(),
        }
    }
}
