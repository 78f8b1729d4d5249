//! What follows the settings of a tenant.

use jiff::Timestamp;
use tandem_platform::db::Write;

use super::store::sweep;
use crate::settings::InForce;

/// By other rules people stand elsewhere: all of them are gone through.
pub fn stages(before: &InForce, next: &InForce, now: Timestamp) -> Option<Write> {
    (before.stages != next.stages).then(|| sweep::begin(now))
}
