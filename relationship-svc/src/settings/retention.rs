//! How long a tenant keeps what people did.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// For how many days a tenant may keep something.
pub const KEPT_DAYS: RangeInclusive<i32> = 1..=3_650;

/// How long interactions are kept, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// PAYMENT, DELIVERY, RETURN. Orders are kept for good.
    pub trade_days: u32,
    /// SUPPORT, REVIEW, REPLY, SURVEY_ANSWER.
    pub voice_days: u32,
    /// VISIT, BASKET, MESSAGE_OPEN, MESSAGE_CLICK, CUSTOM.
    pub trace_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { trade_days: 3_650, voice_days: 1_095, trace_days: 395 }
    }
}

/// What is said of it; the rest is as ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// See [`Retention`], as all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade_days: Option<u32>,
    /// What people said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_days: Option<u32>,
    /// What they left behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_days: Option<u32>,
}

impl From<Retention> for Kept {
    fn from(of: Retention) -> Self {
        let Retention { trade_days, voice_days, trace_days } = of;
        Self { trade_days: Some(trade_days), voice_days: Some(voice_days), trace_days: Some(trace_days) }
    }
}

impl Kept {
    /// What holds where this is said.
    pub fn retention(self) -> Retention {
        let ever = Retention::default();
        Retention {
            trade_days: self.trade_days.unwrap_or(ever.trade_days),
            voice_days: self.voice_days.unwrap_or(ever.voice_days),
            trace_days: self.trace_days.unwrap_or(ever.trace_days),
        }
    }
}
