//! How long what happened is kept, by the settings of its tenant.

use jiff::{SignedDuration, Timestamp};
use tandem_platform::db::Write;

use super::Kind;
use super::store::due;
use crate::settings::InForce;
use crate::settings::retention::Retention;

impl Retention {
    /// How long one of this kind is kept; `None`: for good.
    pub fn of(&self, kind: Kind) -> Option<SignedDuration> {
        let days = match kind {
            Kind::Order => return None,
            Kind::Payment | Kind::Delivery | Kind::Return => self.trade_days,
            Kind::Support | Kind::Review | Kind::Reply | Kind::SurveyAnswer => self.voice_days,
            _ => self.trace_days,
        };
        Some(SignedDuration::from_hours(i64::from(days) * 24))
    }
}

/// Kept for another time: it is looked at all of it what is over.
pub fn follow(before: &InForce, next: &InForce, now: Timestamp) -> Option<Write> {
    (before.retention != next.retention).then(|| due::all(now))
}
