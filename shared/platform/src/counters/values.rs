//! Limits per value, for people who look at them: which values have been counted, and how far each is.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::limits::{CounterKind, Limits, Standing, period};

use crate::db::{Session, Statement};
use crate::{Outcome, Tenant, on_engine};

/// Values of one limit that are told of at most.
pub const TOLD: i64 = 100;

const OF_OWNER: Statement = Statement::same(
    "SELECT subject FROM counter
      WHERE tenant = $1 AND kind = $2 AND owner = $3 AND subject >= $4 AND subject < $5 AND period = $6
      ORDER BY subject LIMIT $7",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[("values::of_owner", OF_OWNER)];

/// What the limits per value of an owner are to the values that have been counted at `now`, to the first [`TOLD`] of each; how
/// far they are is not filled in.
pub async fn standing(
    session: &mut impl Session,
    tenant: &Tenant,
    owner: &Arc<str>,
    limits: &Limits,
    now: Timestamp,
    zone: &TimeZone,
) -> Outcome<Vec<Standing>> {
    let mut all = Vec::new();
    let period = limits.recurrence.map(|recurrence| period(recurrence, now, zone)).unwrap_or_default();
    for limit in &limits.per_value {
        // Every use of a value counts in its uses, whatever is limited.
        let (first, end) = (format!("{}=", limit.dimension), format!("{}>", limit.dimension));
        let subjects: Vec<String> = on_engine!(session, OF_OWNER, |sql, conn| {
            let query = sqlx::query_scalar(sql).bind(tenant.as_str()).bind(CounterKind::ValueUses.number());
            let query = query.bind(&**owner).bind(&first).bind(&end).bind(&period).bind(TOLD);
            query.fetch_all(conn).await
        })?;
        let values = subjects.iter().filter_map(|subject| subject.strip_prefix(&first));
        all.extend(values.flat_map(|value| limits.standing_of_value(owner, limit, value, now, zone)));
    }
    Ok(all)
}
