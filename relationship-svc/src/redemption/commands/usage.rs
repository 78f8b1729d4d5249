//! What has been used of an incentive.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::limits;
use tandem_platform::db::Session;
use tandem_platform::{Outcome, Tenant, counters};

use super::super::{CounterKey, CounterKind, Tally};
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
    let held: Vec<CounterKey> =
        counted.iter().filter(|(_, tally)| tally.held > 0).map(|(key, _)| key.clone()).collect();
    if held.is_empty() {
        return Ok(counted);
    }
    for claim in counters::lapsed_claims(session, tenant, &held, now).await? {
        if let Some((key, tally)) = counted.iter_mut().find(|(key, _)| *key == claim.key) {
            tally.held -= if key.kind == CounterKind::Budget { claim.amount } else { claim.uses };
        }
    }
    Ok(counted)
}
