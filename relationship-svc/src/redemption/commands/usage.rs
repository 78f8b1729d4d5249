//! What has been used of an incentive.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::limits;
use tandem_platform::db::Session;
use tandem_platform::{Outcome, Tenant, counters};

use super::super::{CounterKey, Tally};
use crate::incentive::Incentive;

/// The counters of an incentive in its current recurrence, uses first, then money by currency. What a lapsed hold still
/// keeps is not counted.
pub async fn usage(
    session: &mut impl Session,
    tenant: &Tenant,
    incentive: &Incentive,
    now: Timestamp,
    zone: &TimeZone,
) -> Outcome<Vec<(CounterKey, Tally)>> {
    let recurrence = incentive.definition.limits.recurrence;
    let period = recurrence.map(|recurrence| limits::period(recurrence, now, zone)).unwrap_or_default();
    let mut counted = counters::of_owner(session, tenant, &incentive.id, &period).await?;
    counters::without_lapsed(session, tenant, &mut counted, now).await?;
    Ok(counted)
}
