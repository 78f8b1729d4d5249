//! Who was told to be in watched segments, and who is to be looked at.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::FromRow;
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement, Write};
use tandem_platform::{Outcome, Tenant, Tx, on_engine};

/// Of all tenants, by the index of what is due.
const DUE: Statement = Statement::same(
    "SELECT due, tenant, customer FROM customer_look WHERE due <= $1 AND (due, tenant, customer) > ($2, $3, $4)
      ORDER BY due, tenant, customer LIMIT $5",
);

const DUE_OF: Statement =
    Statement::same("SELECT due FROM customer_look WHERE tenant = $1 AND customer = $2");

const STILL: Statement = Statement::pair(
    "SELECT customer FROM customer_look WHERE tenant = $1 AND customer = ANY($3::text[]) AND due <= $2
      ORDER BY customer FOR UPDATE",
    "SELECT customer FROM customer_look WHERE tenant = $1
        AND customer IN (SELECT value->>0 FROM json_each($3)) AND due <= $2 ORDER BY customer",
);

/// Of rows that are there.
const LATER: Statement = Statement::pair(
    "INSERT INTO customer_look (tenant, customer, due) SELECT $1, * FROM UNNEST($2::text[], $3::timestamptz[])
     ON CONFLICT (tenant, customer) DO UPDATE SET due = excluded.due",
    "INSERT INTO customer_look (tenant, customer, due) SELECT $1, value->>0, value->>1 FROM json_each($2) WHERE true
     ON CONFLICT (tenant, customer) DO UPDATE SET due = excluded.due",
);

const DONE: Statement = Statement::pair(
    "DELETE FROM customer_look WHERE tenant = $1 AND customer = ANY($2::text[])",
    "DELETE FROM customer_look WHERE tenant = $1 AND customer IN (SELECT value->>0 FROM json_each($2))",
);

const WAS: Statement = Statement::pair(
    "SELECT m.customer, m.segment FROM UNNEST($2::text[]) AS wanted (id) CROSS JOIN LATERAL
        (SELECT customer, segment FROM segment_watched_member WHERE tenant = $1 AND customer = wanted.id) AS m",
    "SELECT m.customer, m.segment FROM json_each($2) AS wanted
      CROSS JOIN segment_watched_member AS m ON m.tenant = $1 AND m.customer = wanted.value->>0",
);

const ENTER: Statement = Statement::pair(
    "INSERT INTO segment_watched_member (tenant, customer, segment)
     SELECT $1, * FROM UNNEST($2::text[], $3::text[])",
    "INSERT INTO segment_watched_member (tenant, customer, segment)
     SELECT $1, value->>0, value->>1 FROM json_each($2)",
);

const LEAVE: Statement = Statement::pair(
    "DELETE FROM segment_watched_member AS m USING UNNEST($2::text[], $3::text[]) AS gone (customer, segment)
      WHERE m.tenant = $1 AND m.customer = gone.customer AND m.segment = gone.segment",
    "DELETE FROM segment_watched_member WHERE tenant = $1
        AND (customer, segment) IN (SELECT value->>0, value->>1 FROM json_each($2))",
);

const SWEEP: Statement = Statement::same(
    "INSERT INTO segment_sweep (tenant, begun, after) VALUES ($1, $2, '')
     ON CONFLICT (tenant) DO UPDATE SET begun = excluded.begun, after = excluded.after",
);

const SWEEP_WATCHED: Statement = Statement::pair(
    "INSERT INTO segment_sweep (tenant, begun, after) SELECT $1, $2, ''
      WHERE EXISTS (SELECT 1 FROM segment WHERE tenant = $1 AND watched)
     ON CONFLICT (tenant) DO UPDATE SET begun = excluded.begun, after = excluded.after",
    "INSERT INTO segment_sweep (tenant, begun, after) SELECT $1, $2, ''
      WHERE EXISTS (SELECT 1 FROM segment INDEXED BY segment_watched WHERE tenant = $1 AND watched)
     ON CONFLICT (tenant) DO UPDATE SET begun = excluded.begun, after = excluded.after",
);

/// Of all tenants: as many as are being swept.
const SWEEPS: Statement = Statement::same(
    "SELECT tenant FROM segment_sweep WHERE after IS NOT NULL OR begun <= $1 ORDER BY tenant",
);

const SWEPT: Statement = Statement::pair(
    "SELECT begun, after FROM segment_sweep WHERE tenant = $1 FOR UPDATE",
    "SELECT begun, after FROM segment_sweep WHERE tenant = $1",
);

const MOVE: Statement = Statement::same("UPDATE segment_sweep SET after = $2 WHERE tenant = $1");
const REST: Statement = Statement::same("UPDATE segment_sweep SET after = NULL WHERE tenant = $1");
const END: Statement = Statement::same("DELETE FROM segment_sweep WHERE tenant = $1");

const LOOK_UP_TO: Statement = Statement::pair(
    "INSERT INTO customer_look (tenant, customer, due)
     SELECT $1, id, $2 FROM customer WHERE tenant = $1 AND id > $3 AND id <= $4 ORDER BY id
     ON CONFLICT (tenant, customer) DO UPDATE SET due = LEAST(customer_look.due, excluded.due)",
    "INSERT INTO customer_look (tenant, customer, due)
     SELECT $1, id, $2 FROM customer WHERE tenant = $1 AND id > $3 AND id <= $4 ORDER BY id
     ON CONFLICT (tenant, customer) DO UPDATE SET due = min(customer_look.due, excluded.due)",
);

const LOOK_BEHIND: Statement = Statement::pair(
    "INSERT INTO customer_look (tenant, customer, due)
     SELECT $1, id, $2 FROM customer WHERE tenant = $1 AND id > $3 ORDER BY id
     ON CONFLICT (tenant, customer) DO UPDATE SET due = LEAST(customer_look.due, excluded.due)",
    "INSERT INTO customer_look (tenant, customer, due)
     SELECT $1, id, $2 FROM customer WHERE tenant = $1 AND id > $3 ORDER BY id
     ON CONFLICT (tenant, customer) DO UPDATE SET due = min(customer_look.due, excluded.due)",
);

const LOOK_SINCE: Statement = Statement::pair(
    "INSERT INTO customer_look (tenant, customer, due)
     SELECT $1, id, $2 FROM customer WHERE tenant = $1 AND created >= $3 ORDER BY id
     ON CONFLICT (tenant, customer) DO UPDATE SET due = LEAST(customer_look.due, excluded.due)",
    "INSERT INTO customer_look (tenant, customer, due)
     SELECT $1, id, $2 FROM customer WHERE tenant = $1 AND created >= $3 ORDER BY id
     ON CONFLICT (tenant, customer) DO UPDATE SET due = min(customer_look.due, excluded.due)",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("due", DUE),
    ("due_of", DUE_OF),
    ("still", STILL),
    ("later", LATER),
    ("done", DONE),
    ("was", WAS),
    ("enter", ENTER),
    ("leave", LEAVE),
    ("sweep", SWEEP),
    ("sweep_watched", SWEEP_WATCHED),
    ("sweeps", SWEEPS),
    ("swept", SWEPT),
    ("move", MOVE),
    ("rest", REST),
    ("end", END),
    ("look_up_to", LOOK_UP_TO),
    ("look_behind", LOOK_BEHIND),
    ("look_since", LOOK_SINCE),
];

/// Somebody in a segment: customer and segment.
pub type Pair = (String, String);

fn pairs(pairs: &[Pair]) -> [Column; 2] {
    let (customers, segments): (Vec<String>, Vec<String>) = pairs.iter().cloned().unzip();
    [Column::Text(customers), Column::Text(segments)]
}

/// A customer of a tenant who is due.
#[derive(Debug, Clone, FromRow)]
pub struct Due {
    /// Since when.
    pub due: Instant,
    /// Whose.
    pub tenant: String,
    /// Who.
    pub customer: String,
}

/// At most so many who are due, of all tenants, oldest first, behind this one.
pub async fn due(
    session: &mut impl Session,
    now: Timestamp,
    behind: Option<&Due>,
    limit: i64,
) -> Outcome<Vec<Due>> {
    let start = Due { due: Instant(Timestamp::UNIX_EPOCH), tenant: String::new(), customer: String::new() };
    let behind = behind.unwrap_or(&start);
    Ok(on_engine!(session, DUE, |sql, conn| {
        let query = sqlx::query_as(sql).bind(Instant(now)).bind(behind.due);
        query.bind(&behind.tenant).bind(&behind.customer).bind(limit).fetch_all(conn).await
    })?)
}

/// When somebody is due.
pub async fn due_of(
    session: &mut impl Session,
    tenant: &Tenant,
    customer: &str,
) -> Outcome<Option<Timestamp>> {
    let due: Option<Instant> = on_engine!(session, DUE_OF, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(customer).fetch_optional(conn).await
    })?;
    Ok(due.map(Instant::timestamp))
}

/// Those of these customers, who are locked, that are due still.
pub async fn still(
    tx: &mut Tx,
    tenant: &Tenant,
    now: Timestamp,
    customers: Vec<String>,
) -> Outcome<Vec<String>> {
    let columns = [Column::Text(customers)];
    Ok(on_engine!(tx, STILL, |sql, conn| {
        let query = sqlx::query_scalar(sql).bind(tenant.as_str()).bind(Instant(now)).bind_columns(&columns);
        query.fetch_all(conn).await
    })?)
}

/// They are due again then.
pub fn later(next: Vec<(String, Timestamp)>) -> Write {
    let (customers, due): (Vec<String>, Vec<Timestamp>) = next.into_iter().unzip();
    Write::new(LATER).columns([Column::Text(customers), Column::Instant(due)]).where_needed()
}

/// They are due no more.
pub fn done(customers: Vec<String>) -> Write {
    Write::new(DONE).columns([Column::Text(customers)]).where_needed()
}

/// In which segments these customers were told to be.
pub async fn was(
    session: &mut impl Session,
    tenant: &Tenant,
    customers: Vec<String>,
) -> Outcome<BTreeSet<Pair>> {
    let columns = [Column::Text(customers)];
    let found: Vec<Pair> = on_engine!(session, WAS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    Ok(found.into_iter().collect())
}

/// They are in these now.
pub fn enter(entered: &[Pair]) -> Write {
    Write::new(ENTER).columns(pairs(entered))
}

/// They are in these no more.
pub fn leave(gone: &[Pair]) -> Write {
    Write::new(LEAVE).columns(pairs(gone))
}

/// All customers are to be looked at.
pub fn sweep(now: Timestamp) -> Write {
    Write::new(SWEEP).instant(now)
}

/// The same, where anything is watched.
pub fn sweep_watched(now: Timestamp) -> Write {
    Write::new(SWEEP_WATCHED).instant(now).where_needed()
}

/// The tenants whose customers are being looked at one after the other, those included that rest since before `rested`.
pub async fn sweeps(session: &mut impl Session, rested: Timestamp) -> Outcome<Vec<String>> {
    Ok(on_engine!(session, SWEEPS, |sql, conn| {
        sqlx::query_scalar(sql).bind(Instant(rested)).fetch_all(conn).await
    })?)
}

/// How far a sweep is.
#[derive(Debug, FromRow)]
pub struct Sweep {
    /// When it began.
    pub begun: Instant,
    /// Who is behind this one comes next; none: it rests.
    pub after: Option<String>,
}

/// The sweep of a tenant, locked.
pub async fn swept(tx: &mut Tx, tenant: &Tenant) -> Outcome<Option<Sweep>> {
    Ok(on_engine!(tx, SWEPT, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).fetch_optional(conn).await
    })?)
}

/// The customers behind one are due, up to another one or all of them, and the sweep is that far.
pub fn step(now: Timestamp, after: &str, last: Option<&str>) -> [Write; 2] {
    match last {
        Some(last) => [
            Write::new(LOOK_UP_TO).instant(now).text(after).text(last).where_needed(),
            Write::new(MOVE).text(last),
        ],
        None => [Write::new(LOOK_BEHIND).instant(now).text(after).where_needed(), Write::new(REST)],
    }
}

/// The customers who were created since are due, and the sweep is over.
pub fn end(now: Timestamp, since: Timestamp) -> [Write; 2] {
    [Write::new(LOOK_SINCE).instant(now).instant(since).where_needed(), Write::new(END)]
}
