//! By what rules people of a tenant stand where they stand. What they mean stands with the stage.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// How many orders may make somebody LOYAL.
pub const LOYAL_ORDERS: RangeInclusive<i32> = 2..=32;
/// How many days all of the others may be.
pub const DAYS: RangeInclusive<i32> = 1..=3_650;
/// How many days without an order may have somebody lapse.
pub const LAPSED_DAYS: RangeInclusive<i32> = 2..=3_650;

/// A tenant's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageRules {
    /// So many orders within `loyal_days` make somebody LOYAL; 2 to 32.
    pub loyal_orders: u32,
    /// See `loyal_orders`; 1 to 3,650.
    pub loyal_days: u32,
    /// After so many days without an order somebody is AT_RISK; 1 to 3,650, less than `lapsed_days`.
    pub at_risk_days: u32,
    /// After so many days without an order somebody has LAPSED; 2 to 3,650.
    pub lapsed_days: u32,
    /// For so many days after the order that brought somebody back they are WON_BACK; 1 to 3,650.
    pub won_back_days: u32,
}

impl Default for StageRules {
    fn default() -> Self {
        Self { loyal_orders: 3, loyal_days: 365, at_risk_days: 90, lapsed_days: 180, won_back_days: 90 }
    }
}

/// What is said of them; the rest is as ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stages {
    /// See [`StageRules`], as all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loyal_orders: Option<u32>,
    /// Within so many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loyal_days: Option<u32>,
    /// Quiet for so many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_risk_days: Option<u32>,
    /// Quiet for longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lapsed_days: Option<u32>,
    /// Back for so many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub won_back_days: Option<u32>,
}

impl From<StageRules> for Stages {
    fn from(rules: StageRules) -> Self {
        Self {
            loyal_orders: Some(rules.loyal_orders),
            loyal_days: Some(rules.loyal_days),
            at_risk_days: Some(rules.at_risk_days),
            lapsed_days: Some(rules.lapsed_days),
            won_back_days: Some(rules.won_back_days),
        }
    }
}

impl Stages {
    /// What holds where this is said.
    pub fn rules(self) -> StageRules {
        let ever = StageRules::default();
        StageRules {
            loyal_orders: self.loyal_orders.unwrap_or(ever.loyal_orders),
            loyal_days: self.loyal_days.unwrap_or(ever.loyal_days),
            at_risk_days: self.at_risk_days.unwrap_or(ever.at_risk_days),
            lapsed_days: self.lapsed_days.unwrap_or(ever.lapsed_days),
            won_back_days: self.won_back_days.unwrap_or(ever.won_back_days),
        }
    }
}
