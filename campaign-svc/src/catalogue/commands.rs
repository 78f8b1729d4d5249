//! What every write to the catalogue begins with.

use tandem_platform::Outcome;
use tandem_platform::resource::Unit;

use super::store;

/// Counts one change of the tenant's catalogue, whose number stamps what the unit writes from here on: the first thing
/// that a command does.
pub async fn bump(unit: &mut Unit<'_>) -> Outcome<i64> {
    let (tenant, now) = (unit.tenant(), unit.now());
    let version = store::bump(unit.tx(), tenant, now).await?;
    unit.stamp(version);
    Ok(version)
}
