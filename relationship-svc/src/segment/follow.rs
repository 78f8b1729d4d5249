//! What follows the settings of a tenant.

use jiff::Timestamp;
use tandem_platform::db::Write;

use super::store::watch;
use crate::settings::InForce;

/// By another clock, or by other rules of stages, other people are in watched segments: all are looked at.
pub fn moment(before: &InForce, next: &InForce, now: Timestamp) -> Option<Write> {
    let is_same = before.zone == next.zone && before.stages == next.stages;
    (!is_same).then(|| watch::sweep_watched(now))
}
