//! When it is looked what tenants have kept for long enough: a row for each type of which a tenant ever kept something.
//!
//! A row says what the oldest is. Whoever writes something older, or the first of its type, has it looked at by the next pass;
//! everybody else passes the row by, without a lock. So a look may raise what a row says while something older is on its way,
//! written by what the row said before: it is looked once more when no such transaction runs any more.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::FromRow;
use tandem_platform::db::{Column, Instant, Session, Statement, Write};
use tandem_platform::{Outcome, Tenant, Tx, on_engine};

use super::super::{Interaction, Kind};
use crate::relationship::Who;

const OLDER: Statement = Statement::pair(
    "INSERT INTO interaction_due AS d (tenant, due, type, oldest)
     SELECT $1, $2, n.type, n.oldest FROM UNNEST($3::text[], $4::timestamptz[]) AS n (type, oldest)
      WHERE NOT EXISTS (SELECT 1 FROM interaction_due AS k
                         WHERE k.tenant = $1 AND k.type = n.type AND k.oldest <= n.oldest)
     ON CONFLICT (tenant, type) DO UPDATE
        SET oldest = LEAST(d.oldest, excluded.oldest), due = LEAST(d.due, excluded.due)",
    "INSERT INTO interaction_due AS d (tenant, due, type, oldest)
     SELECT $1, $2, n.value->>0, n.value->>1 FROM json_each($3) AS n
      WHERE NOT EXISTS (SELECT 1 FROM interaction_due AS k
                         WHERE k.tenant = $1 AND k.type = n.value->>0 AND k.oldest <= n.value->>1)
     ON CONFLICT (tenant, type) DO UPDATE
        SET oldest = min(d.oldest, excluded.oldest), due = min(d.due, excluded.due)",
);

const ALL: Statement = Statement::same("UPDATE interaction_due SET due = $2 WHERE tenant = $1 AND due > $2");

const DUE: Statement = Statement::same(
    "SELECT tenant, type FROM interaction_due WHERE due <= $1 ORDER BY due, tenant, type LIMIT $2",
);

const LOCK: Statement = Statement::pair(
    "SELECT oldest FROM interaction_due WHERE tenant = $1 AND type = $2 AND due <= $3 FOR UPDATE",
    "SELECT oldest FROM interaction_due WHERE tenant = $1 AND type = $2 AND due <= $3",
);

// A type of a tenant has its rows in the order of their time, so that this is a look at its oldest.
const FORGET: Statement = Statement::pair(
    "DELETE FROM interaction WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM interaction WHERE tenant = $1 AND type = $2 AND happened <= $3
         ORDER BY tenant, type, happened LIMIT $4))",
    "DELETE FROM interaction WHERE tenant = $1 AND event_id IN
        (SELECT event_id FROM interaction WHERE tenant = $1 AND type = $2 AND happened <= $3
          ORDER BY happened LIMIT $4)",
);

const OLDEST: Statement = Statement::same(
    "SELECT happened FROM interaction WHERE tenant = $1 AND type = $2 ORDER BY tenant, type, happened LIMIT 1",
);

const SAVE: Statement =
    Statement::same("UPDATE interaction_due SET oldest = $3, due = $4 WHERE tenant = $1 AND type = $2");

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("interaction_due::older", OLDER),
    ("interaction_due::all", ALL),
    ("interaction_due::due", DUE),
    ("interaction_due::lock", LOCK),
    ("interaction_due::forget", FORGET),
    ("interaction_due::oldest", OLDEST),
    ("interaction_due::save", SAVE),
];

/// These are kept from now on: it is looked at types of which nothing so old was kept.
pub fn older(rows: &[(Who, Interaction)], now: Timestamp) -> Write {
    // In one order, whoever writes.
    let mut oldest: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for (_, one) in rows {
        let at = oldest.entry(one.kind.text()).or_insert(one.at);
        *at = one.at.min(*at);
    }
    let columns = [Column::text(oldest.keys().copied()), Column::Instant(oldest.values().copied().collect())];
    Write::new(OLDER).instant(now).columns(columns).where_needed()
}

/// It is looked at all that a tenant keeps.
pub fn all(now: Timestamp) -> Write {
    Write::new(ALL).instant(now).where_needed()
}

/// At most `limit` types of any tenant at which it is to be looked, the first due first.
pub async fn due(session: &mut impl Session, now: Timestamp, limit: i64) -> Outcome<Vec<(Tenant, Kind)>> {
    let rows: Vec<(String, String)> = on_engine!(session, DUE, |sql, conn| {
        sqlx::query_as(sql).bind(Instant(now)).bind(limit).fetch_all(conn).await
    })?;
    Ok(rows.iter().filter_map(|(tenant, kind)| Tenant::parse(tenant).zip(Kind::parse(kind))).collect())
}

/// What a row says that is due, locked.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Row {
    /// Nothing is known to be older.
    pub oldest: Instant,
}

/// The row of a type, if it is due.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, kind: Kind, now: Timestamp) -> Outcome<Option<Row>> {
    Ok(on_engine!(tx, LOCK, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(kind.text());
        query.bind(Instant(now)).fetch_optional(conn).await
    })?)
}

/// Forgets what happened by `until`, at most `limit` at a time; answers how many.
pub async fn forget(tx: &mut Tx, tenant: &Tenant, kind: Kind, until: Timestamp, limit: u32) -> Outcome<u64> {
    Ok(on_engine!(tx, FORGET, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(kind.text()).bind(Instant(until));
        query.bind(i64::from(limit)).execute(conn).await.map(|done| done.rows_affected())
    })?)
}

/// When the oldest that is kept happened.
pub async fn oldest(session: &mut impl Session, tenant: &Tenant, kind: Kind) -> Outcome<Option<Timestamp>> {
    let found: Option<Instant> = on_engine!(session, OLDEST, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(kind.text()).fetch_optional(conn).await
    })?;
    Ok(found.map(Instant::timestamp))
}

/// Writes what a locked row says.
pub fn save(kind: Kind, oldest: Timestamp, due: Timestamp) -> Write {
    Write::new(SAVE).text(kind.text()).instant(oldest).instant(due)
}
