//! Which codes customers have, and which are free.

use jiff::Timestamp;
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement, Tx};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};

use super::Row;
use crate::voucher::Voucher;

const OF_SOURCES: Statement = Statement::pair(
    concat!(
        "SELECT ",
        columns!(),
        " FROM voucher WHERE tenant = $1 AND incentive = $2 AND source_id = ANY($3::text[])"
    ),
    concat!(
        "SELECT ",
        columns!(),
        " FROM json_each($3) AS wanted
          CROSS JOIN voucher ON tenant = $1 AND incentive = $2 AND source_id = wanted.value->>0"
    ),
);

const OF_CUSTOMERS: Statement = Statement::pair(
    concat!(
        "SELECT ",
        columns!(),
        " FROM voucher WHERE tenant = $1 AND incentive = $2 AND customer = ANY($3::text[]) ORDER BY code"
    ),
    concat!(
        "SELECT ",
        columns!(),
        " FROM json_each($3) AS wanted
          CROSS JOIN voucher INDEXED BY voucher_customer
             ON tenant = $1 AND incentive = $2 AND customer = wanted.value->>0 ORDER BY code"
    ),
);

// Two calls that assign at once skip each other's rows instead of waiting for them.
const LOCK_FREE: Statement = Statement::pair(
    concat!(
        "SELECT ",
        columns!(),
        " FROM voucher WHERE tenant = $1 AND incentive = $2 AND customer IS NULL
             AND NOT disabled AND uses = 0 AND uses_held = 0 AND spent = 0 AND spent_held = 0
             AND (ends IS NULL OR ends > $4)
           ORDER BY code LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED"
    ),
    concat!(
        "SELECT ",
        columns!(),
        " FROM voucher WHERE tenant = $1 AND incentive = $2 AND customer IS NULL
             AND NOT disabled AND uses = 0 AND uses_held = 0 AND spent = 0 AND spent_held = 0
             AND (ends IS NULL OR ends > $4)
           ORDER BY code LIMIT $3"
    ),
);

const ASSIGN: Statement = Statement::pair(
    "UPDATE voucher AS v
        SET customer = n.customer, source_id = n.source_id, assigned = n.assigned, starts = n.starts,
            ends = n.ends, version = v.version + 1
       FROM UNNEST($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[])
            AS n (code, customer, source_id, assigned, starts, ends)
      WHERE v.tenant = $1 AND v.code = n.code",
    "INSERT INTO voucher AS v (tenant, code, incentive, customer, source_id, assigned, starts, ends, created)
     SELECT $1, value->>0, '', value->>1, value->>2, value->>3, value->>4, value->>5, 0
       FROM json_each($2) WHERE true
     ON CONFLICT (tenant, code) DO UPDATE
        SET customer = excluded.customer, source_id = excluded.source_id, assigned = excluded.assigned,
            starts = excluded.starts, ends = excluded.ends, version = v.version + 1",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("voucher::of_sources", OF_SOURCES),
    ("voucher::of_customers", OF_CUSTOMERS),
    ("voucher::lock_free", LOCK_FREE),
    ("voucher::assign", ASSIGN),
];

/// The codes of `incentive` that were given for these sources.
pub async fn of_sources(
    session: &mut impl Session,
    tenant: &Tenant,
    incentive: &str,
    sources: Vec<String>,
) -> Outcome<Vec<Voucher>> {
    of(session, OF_SOURCES, tenant, incentive, sources).await
}

/// The codes of `incentive` that these customers have, in the order of codes.
pub async fn of_customers(
    session: &mut impl Session,
    tenant: &Tenant,
    incentive: &str,
    customers: Vec<String>,
) -> Outcome<Vec<Voucher>> {
    of(session, OF_CUSTOMERS, tenant, incentive, customers).await
}

async fn of(
    session: &mut impl Session,
    statement: Statement,
    tenant: &Tenant,
    incentive: &str,
    wanted: Vec<String>,
) -> Outcome<Vec<Voucher>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [Column::Text(wanted)];
    let rows: Vec<Row> = on_engine!(session, statement, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(incentive).bind_columns(&columns).fetch_all(conn).await
    })?;
    rows.into_iter().map(Voucher::try_from).collect()
}

/// Locks up to `count` codes of `incentive` that nobody has and that can still be used after `now`.
pub async fn lock_free(
    tx: &mut Tx,
    tenant: &Tenant,
    incentive: &str,
    count: usize,
    now: Timestamp,
) -> Outcome<Vec<Voucher>> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows: Vec<Row> = on_engine!(tx, LOCK_FREE, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(incentive).bind(count);
        query.bind(Instant(now)).fetch_all(conn).await
    })?;
    rows.into_iter().map(Voucher::try_from).collect()
}

/// Writes to whom locked codes were given. Somebody who gives a code for the same source at the same time makes this
/// a lost race, which is run again and then finds the other's.
pub async fn assign(tx: &mut Tx, tenant: &Tenant, given: &[Voucher]) -> Outcome<()> {
    if given.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::text(given.iter().map(|voucher| voucher.code.as_str())),
        Column::OptText(given.iter().map(|voucher| voucher.customer.clone()).collect()),
        Column::OptText(given.iter().map(|voucher| voucher.source_id.clone()).collect()),
        Column::OptInstant(given.iter().map(|voucher| voucher.assigned).collect()),
        Column::OptInstant(given.iter().map(|voucher| voucher.starts).collect()),
        Column::OptInstant(given.iter().map(|voucher| voucher.ends).collect()),
    ];
    let saved: Result<u64, sqlx::Error> = on_engine!(tx, ASSIGN, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind_columns(&columns);
        query.execute(conn).await.map(|done| done.rows_affected())
    });
    match saved {
        Ok(saved) if usize::try_from(saved) == Ok(given.len()) => Ok(()),
        Ok(_) => Err(Fault::internal("a voucher vanished under its lock")),
        Err(error) if error.as_database_error().is_some_and(|error| error.is_unique_violation()) => {
            Err(Fault::contention().caused_by(error).retryable())
        }
        Err(error) => Err(error.into()),
    }
}
