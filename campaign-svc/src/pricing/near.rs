//! The counters that quotes look at, in the database: which there are, and when each was last written. What they have
//! counted stands in the counters alone.

use jiff::Timestamp;
use tandem_kernel::limits::{CounterKey, CounterKind};
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement, Tx, Write};
use tandem_platform::{Outcome, Tenant, on_engine};

use super::spent::Taken;

// Once a second at most: between two marks of one second nothing is written.
macro_rules! mark {
    ($keys:literal) => {
        concat!(
            "INSERT INTO near_limit AS known (tenant, kind, owner, subject, period, changed) ",
            $keys,
            " ON CONFLICT (tenant, period, kind, owner, subject) DO UPDATE SET changed = excluded.changed
               WHERE known.changed < excluded.changed"
        )
    };
}

const MARK: Statement = Statement::pair(
    mark!(
        "SELECT $1, kind, owner, subject, period, $2
           FROM UNNEST($3::bigint[], $4::text[], $5::text[], $6::text[]) AS k (kind, owner, subject, period)"
    ),
    mark!("SELECT $1, value->>0, value->>1, value->>2, value->>3, $2 FROM json_each($3) WHERE true"),
);

// One probe of each counter's key, whatever the planner knows of the table.
macro_rules! read {
    ($counters:literal, $which:literal) => {
        concat!(
            "SELECT n.tenant, n.kind, n.owner, n.subject, n.period, c.used + c.held FROM near_limit AS n CROSS JOIN ",
            $counters,
            " WHERE ",
            $which
        )
    };
}

macro_rules! on_postgres {
    ($which:literal) => {
        read!(
            "LATERAL (SELECT used, held FROM counter
                       WHERE tenant = n.tenant AND kind = n.kind AND owner = n.owner AND subject = n.subject
                         AND period = n.period LIMIT 1) AS c",
            $which
        )
    };
}

macro_rules! on_sqlite {
    ($which:literal) => {
        read!(
            "counter AS c ON c.tenant = n.tenant AND c.kind = n.kind AND c.owner = n.owner
                AND c.subject = n.subject AND c.period = n.period",
            $which
        )
    };
}

const NEWS: Statement = Statement::pair(on_postgres!("n.changed >= $1"), on_sqlite!("n.changed >= $1"));

const OF_TENANT: Statement = Statement::pair(
    on_postgres!("n.tenant = $1 AND n.period = ANY($2::text[])"),
    on_sqlite!("n.tenant = $1 AND n.period IN (SELECT value->>0 FROM json_each($2))"),
);

const FORGET: Statement = Statement::pair(
    "DELETE FROM near_limit WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM near_limit WHERE period <> '' AND period >= $1 AND period < $2
         ORDER BY period LIMIT $3 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM near_limit WHERE (tenant, period, kind, owner, subject) IN
        (SELECT tenant, period, kind, owner, subject FROM near_limit
          WHERE period <> '' AND period >= $1 AND period < $2 ORDER BY period LIMIT $3)",
);

const FORGET_OWNED: Statement = Statement::same(
    "DELETE FROM near_limit
      WHERE tenant = $1 AND period = '' AND kind = $2 AND (owner = $3 OR (owner >= $4 AND owner < $5))",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("near::mark", MARK),
    ("near::news", NEWS),
    ("near::of_tenant", OF_TENANT),
    ("near::forget", FORGET),
    ("near::forget_owned", FORGET_OWNED),
];

/// Has quotes look again at these counters, which are locked and written at `now`.
pub fn mark(counters: &[&CounterKey], now: Timestamp) -> Write {
    Write::new(MARK).instant(second_of(now)).where_needed().columns([
        Column::int(counters.iter().map(|key| key.kind.number())),
        Column::text(counters.iter().map(|key| &*key.owner)),
        Column::text(counters.iter().map(|key| &*key.subject)),
        Column::text(counters.iter().map(|key| &*key.period)),
    ])
}

fn second_of(now: Timestamp) -> Timestamp {
    let second = now.as_microsecond().div_euclid(1_000_000);
    Timestamp::from_second(second).unwrap_or(now)
}

/// What an owner of a limit has counted and held.
pub type Near = (Tenant, String, Taken);

type Row = (String, i64, String, String, String, i64);

fn near(rows: Vec<Row>) -> Vec<Near> {
    let row = |(tenant, kind, owner, subject, period, taken): Row| {
        let kind = CounterKind::parse(kind)?;
        Some((Tenant::parse(&tenant)?, owner, Taken { kind, subject, period, taken }))
    };
    rows.into_iter().filter_map(row).collect()
}

/// What was written in the second of `since` or later, of every tenant.
pub async fn news(session: &mut impl Session, since: Timestamp) -> Outcome<Vec<Near>> {
    Ok(near(on_engine!(session, NEWS, |sql, conn| {
        sqlx::query_as(sql).bind(Instant(second_of(since))).fetch_all(conn).await
    })?))
}

/// All that there is of a tenant in periods of these names.
pub async fn of_tenant(
    session: &mut impl Session,
    tenant: &Tenant,
    periods: Vec<String>,
) -> Outcome<Vec<Near>> {
    let columns = [Column::Text(periods)];
    Ok(near(on_engine!(session, OF_TENANT, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?))
}

/// Forgets at most `limit` of those in periods whose names are in `[first, end)`; answers how many.
pub async fn forget(tx: &mut Tx, (first, end): (&str, &str), limit: i64) -> Outcome<u64> {
    Ok(on_engine!(tx, FORGET, |sql, conn| {
        let query = sqlx::query(sql).bind(first).bind(end).bind(limit);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}

/// Forgets those without a period of `owner` and of what is named below it.
pub async fn forget_owned(tx: &mut Tx, tenant: &Tenant, owner: &str) -> Outcome<()> {
    for kind in [CounterKind::Uses, CounterKind::Budget] {
        on_engine!(tx, FORGET_OWNED, |sql, conn| {
            let query = sqlx::query(sql).bind(tenant.as_str()).bind(kind.number()).bind(owner);
            let query = query.bind(format!("{owner}/")).bind(format!("{owner}0"));
            query.execute(conn).await.map(|_| ())
        })?;
    }
    Ok(())
}
