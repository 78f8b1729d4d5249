//! Open steps of orders in the database: written when a step begins, leased by whoever takes it up, deleted when it ends.

use std::collections::HashMap;

use jiff::Timestamp;
use tandem_platform::db::{BindColumns, Column, Instant, Json, Session, Statement, Tx, Write};
use tandem_platform::{Outcome, Tenant, on_engine};

use super::super::Pending;

macro_rules! write {
    ($values:literal) => {
        concat!(
            "INSERT INTO order_step (tenant, order_id, pending, due, tries) ",
            $values,
            " ON CONFLICT (tenant, order_id) DO UPDATE SET pending = excluded.pending, due = excluded.due, tries = 0"
        )
    };
}

const WRITE: Statement = Statement::pair(
    write!(
        "SELECT $1, order_id, pending::json, due, 0
           FROM UNNEST($2::text[], $3::text[], $4::timestamptz[]) AS s (order_id, pending, due)"
    ),
    write!("SELECT $1, value->>0, value->>1, value->>2, 0 FROM json_each($2) WHERE true"),
);

// LATERAL: one probe of the primary key per order. Steps come and go, and a scan would read all that have gone.
const DELETE: Statement = Statement::pair(
    "DELETE FROM order_step WHERE ctid = ANY (ARRAY(
        SELECT s.ctid FROM UNNEST($2::text[]) AS gone (id)
         CROSS JOIN LATERAL (SELECT ctid FROM order_step WHERE tenant = $1 AND order_id = gone.id LIMIT 1) AS s))",
    "DELETE FROM order_step WHERE tenant = $1 AND order_id IN (SELECT value->>0 FROM json_each($2))",
);

// Whoever moves `due` on has the order for that long: the lease. `tries` numbers the leases.
const LEASE: Statement = Statement::pair(
    "UPDATE order_step SET due = $2, tries = tries + 1
      WHERE (tenant, order_id) IN (SELECT tenant, order_id FROM order_step WHERE due <= $1
                                    ORDER BY due LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
      RETURNING tenant, order_id, tries",
    "UPDATE order_step SET due = $2, tries = tries + 1
      WHERE (tenant, order_id) IN (SELECT tenant, order_id FROM order_step WHERE due <= $1 ORDER BY due LIMIT $3)
      RETURNING tenant, order_id, tries",
);

const OF_MANY: Statement = Statement::pair(
    "SELECT s.order_id, s.pending FROM UNNEST($2::text[]) AS wanted (id)
      CROSS JOIN LATERAL (SELECT order_id, pending FROM order_step WHERE tenant = $1 AND order_id = wanted.id LIMIT 1) AS s",
    "SELECT order_id, pending FROM order_step
      WHERE tenant = $1 AND order_id IN (SELECT value->>0 FROM json_each($2))",
);

// A look that writes nothing, before the lease that does.
const ANY_DUE: Statement = Statement::same("SELECT due FROM order_step WHERE due <= $1 ORDER BY due LIMIT 1");

// Those that are due first stand first: what is stuck is among them.
const OPEN: Statement = Statement::same(
    "SELECT count(*), count(CASE WHEN tries >= $1 THEN 1 END)
       FROM (SELECT tries FROM order_step ORDER BY due LIMIT $2) AS open",
);

// Steps are few: those that are under way.
const ANY_OF: Statement = Statement::same(
    "SELECT s.order_id FROM order_step AS s CROSS JOIN sales_order AS o
      WHERE s.tenant = $1 AND o.tenant = s.tenant AND o.id = s.order_id AND o.customer = $2 LIMIT 1",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("order::step::write", WRITE),
    ("order::step::delete", DELETE),
    ("order::step::lease", LEASE),
    ("order::step::of_many", OF_MANY),
    ("order::step::any_due", ANY_DUE),
    ("order::step::open", OPEN),
    ("order::step::any_of", ANY_OF),
];

/// Writes the open steps of these orders, which are locked or new; nobody else takes them up before `due`.
pub fn write(steps: &[(&str, &Pending)], due: Timestamp) -> Outcome<Write> {
    Ok(Write::new(WRITE).columns([
        Column::text(steps.iter().map(|(order, _)| *order)),
        Column::json_text(steps.iter().map(|(_, pending)| pending))?,
        Column::Instant(steps.iter().map(|_| due).collect()),
    ]))
}

/// Deletes the steps of these orders, which are locked. Where somebody has leased one of them meanwhile, the transaction
/// is marked for a replay.
pub fn delete(orders: &[&str]) -> Write {
    Write::new(DELETE).columns([Column::text(orders.iter().copied())]).or_replay()
}

/// The open steps of these orders, which are locked.
pub async fn of_many(tx: &mut Tx, tenant: &Tenant, orders: &[&str]) -> Outcome<HashMap<String, Pending>> {
    if orders.is_empty() {
        return Ok(HashMap::new());
    }
    let columns = [Column::text(orders.iter().copied())];
    let rows: Vec<(String, Json<Pending>)> = on_engine!(tx, OF_MANY, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(|(order, pending)| (order, pending.0)).collect())
}

/// Leases open steps of any tenant that are due, until `until`: (tenant, order, number of the lease).
pub async fn lease(
    tx: &mut Tx,
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Outcome<Vec<(String, String, i64)>> {
    Ok(on_engine!(tx, LEASE, |sql, conn| {
        sqlx::query_as(sql).bind(Instant(now)).bind(Instant(until)).bind(limit).fetch_all(conn).await
    })?)
}

/// Whether there is anything to lease.
pub async fn any_due(session: &mut impl Session, now: Timestamp) -> Outcome<bool> {
    let due: Option<Instant> = on_engine!(session, ANY_DUE, |sql, conn| {
        sqlx::query_scalar(sql).bind(Instant(now)).fetch_optional(conn).await
    })?;
    Ok(due.is_some())
}

/// Open steps of every tenant: all of them, and those that have been leased so often. No more than `limit` are looked at.
pub async fn open(session: &mut impl Session, tries: i64, limit: i64) -> Outcome<(i64, i64)> {
    Ok(on_engine!(session, OPEN, |sql, conn| {
        sqlx::query_as(sql).bind(tries).bind(limit).fetch_one(conn).await
    })?)
}

/// Whether a step of some order of this customer is open.
pub async fn any_of(session: &mut impl Session, tenant: &Tenant, customer: &str) -> Outcome<bool> {
    let order: Option<String> = on_engine!(session, ANY_OF, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(customer).fetch_optional(conn).await
    })?;
    Ok(order.is_some())
}
