//! What a tenant has set for itself: its zone, its language, how long a campaign may last and how long a quote holds.
//!
//! - What it has not set is as the process says ([`Own::of`]); so there is nothing to create.
//! - What is made under a setting keeps it: quotes their end, campaigns that are out their window.

pub mod commands;
pub mod events;
pub mod rpc;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::RangeInclusive;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tandem_kernel::locale::Locale;
use tandem_kernel::period::Zone;
use tandem_platform::config::ConfigError;
use tandem_platform::resource::{Field, Maps};
use tandem_platform::shell::Settings as _;
use tandem_platform::tenancy::{self, Document};

use crate::config::Config;

/// How many days a tenant may let a campaign last.
pub const CAMPAIGN_MAX_DAYS: RangeInclusive<i32> = 1..=366;
/// For how many seconds a tenant may let a quote hold.
pub const QUOTE_TTL_S: RangeInclusive<u32> = 1..=24 * 60 * 60;

/// What is in force for tenants.
pub type Tenancy = tenancy::Tenancy<Own>;
/// What one tenant has set, as it is stored.
pub type Settings = tenancy::Settings<Own>;

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
    /// Of the longest campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_max_days: Option<u32>,
    /// How long a quote promises its amounts, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote_ttl_s: Option<u32>,
}

/// What calls go by.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Of the tenant's days, weeks and months.
    pub zone: Zone,
    /// In which titles are told where a call says none.
    pub locale: Locale,
    /// Of the longest campaign.
    pub campaign_max_days: u32,
    /// How long a quote promises its amounts.
    pub quote_ttl: SignedDuration,
}

/// What an update may name.
pub const FIELDS: &[Field<Own>] = &[
    ("time_zone", |to, from| to.zone.clone_from(&from.zone)),
    ("locale", |to, from| to.locale.clone_from(&from.locale)),
    ("campaign_max_days", |to, from| to.campaign_max_days = from.campaign_max_days),
    ("quote_ttl", |to, from| to.quote_ttl_s = from.quote_ttl_s),
];

impl Own {
    /// The defaults of a process.
    ///
    /// # Errors
    /// Where its zone is none.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            zone: Some(config.zone()?),
            locale: None,
            campaign_max_days: Some(config.pricing.campaign_max_days),
            quote_ttl_s: Some(config.pricing.quote_ttl_s),
        })
    }
}

impl Maps for Own {}

impl Document for Own {
    const NAME: &'static str = "settings/campaign";

    type InForce = InForce;

    fn over(&self, defaults: &Self) -> Self {
        Self {
            zone: self.zone.clone().or_else(|| defaults.zone.clone()),
            locale: self.locale.clone().or_else(|| defaults.locale.clone()),
            campaign_max_days: self.campaign_max_days.or(defaults.campaign_max_days),
            quote_ttl_s: self.quote_ttl_s.or(defaults.quote_ttl_s),
        }
    }

    fn in_force(self) -> InForce {
        InForce {
            zone: self.zone.unwrap_or_default(),
            locale: Locale::parse(&self.locale.unwrap_or_default()).unwrap_or_default(),
            campaign_max_days: self.campaign_max_days.unwrap_or_default(),
            quote_ttl: SignedDuration::from_secs(self.quote_ttl_s.unwrap_or_default().into()),
        }
    }
}
