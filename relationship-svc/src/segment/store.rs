//! Segments, and the version of all those of a tenant.

use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement};
use tandem_platform::list::{Order, Position};
use tandem_platform::{Fault, Outcome, Tenant, Tx, on_engine};

use super::{Definition, Segment};

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, version, display_name, rule, created, updated FROM segment ", $tail)
    };
}

const FIND: Statement = Statement::same(select!("WHERE tenant = $1 AND id = $2"));

// Stronger than the other locks of this crate: it also waits for those who have seen the segment and are about to name
// it (SHARE_MANY).
const LOCK: Statement = Statement::pair(
    select!("WHERE tenant = $1 AND id = $2 FOR UPDATE"),
    select!("WHERE tenant = $1 AND id = $2"),
);

const SHARE_MANY: Statement = Statement::pair(
    "SELECT id FROM segment WHERE tenant = $1 AND id = ANY($2::text[]) ORDER BY id FOR KEY SHARE",
    "SELECT id FROM segment WHERE tenant = $1 AND id IN (SELECT value->>0 FROM json_each($2)) ORDER BY id",
);

const BY_NAME: Statement = Statement::same(select!("WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3"));

const BY_NAME_DESCENDING: Statement =
    Statement::same(select!("WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3"));

const BY_TIME: Statement =
    Statement::same(select!("WHERE tenant = $1 AND (created, id) > ($2, $3) ORDER BY created, id LIMIT $4"));

const BY_TIME_DESCENDING: Statement = Statement::same(select!(
    "WHERE tenant = $1 AND (created, id) < ($2, $3) ORDER BY created DESC, id DESC LIMIT $4"
));

const INSERT: Statement = Statement::same(
    "INSERT INTO segment (tenant, id, version, display_name, rule, created, updated)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
);

const UPDATE: Statement = Statement::same(
    "UPDATE segment SET version = $3, display_name = $4, rule = $5, updated = $6
      WHERE tenant = $1 AND id = $2 AND version = $3 - 1",
);

const DELETE: Statement = Statement::same("DELETE FROM segment WHERE tenant = $1 AND id = $2");

const RAISE: Statement = Statement::same(
    "INSERT INTO segment_catalogue (tenant, version) VALUES ($1, 1)
     ON CONFLICT (tenant) DO UPDATE SET version = segment_catalogue.version + 1",
);

const ALL: Statement = Statement::same(select!("WHERE tenant = $1"));

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("find", FIND),
    ("lock", LOCK),
    ("share_many", SHARE_MANY),
    ("by_name", BY_NAME),
    ("by_name_descending", BY_NAME_DESCENDING),
    ("by_time", BY_TIME),
    ("by_time_descending", BY_TIME_DESCENDING),
    ("insert", INSERT),
    ("update", UPDATE),
    ("delete", DELETE),
    ("raise", RAISE),
    ("all", ALL),
];

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    version: i64,
    display_name: String,
    rule: String,
    created: Instant,
    updated: Instant,
}

impl From<Row> for Segment {
    fn from(row: Row) -> Self {
        let definition = Definition { display_name: row.display_name, rule: row.rule };
        Self { id: row.id, version: row.version, definition, created: row.created.0, updated: row.updated.0 }
    }
}

/// One segment.
pub async fn find(session: &mut impl Session, tenant: &Tenant, id: &str) -> Outcome<Option<Segment>> {
    let row: Option<Row> = on_engine!(session, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    Ok(row.map(Segment::from))
}

/// One segment, locked against other writers and against those who are about to name it.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<Option<Segment>> {
    let row: Option<Row> = on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    Ok(row.map(Segment::from))
}

/// The ids of those of these segments that exist, kept from being deleted until the transaction ends.
pub async fn share_many(tx: &mut Tx, tenant: &Tenant, ids: &[String]) -> Outcome<Vec<String>> {
    let columns = [Column::Text(ids.to_vec())];
    Ok(on_engine!(tx, SHARE_MANY, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// At most `limit` segments behind `after`.
pub async fn scan(
    session: &mut impl Session,
    tenant: &Tenant,
    order: Order,
    after: &Position,
    limit: i64,
) -> Outcome<Vec<Segment>> {
    let (tenant, id, created) = (tenant.as_str(), after.id.as_str(), Instant(after.created));
    let rows: Vec<Row> = match order {
        Order::Name | Order::NameDescending => {
            let statement = if order == Order::Name { BY_NAME } else { BY_NAME_DESCENDING };
            on_engine!(session, statement, |sql, conn| {
                sqlx::query_as(sql).bind(tenant).bind(id).bind(limit).fetch_all(conn).await
            })?
        }
        Order::Time | Order::TimeDescending => {
            let statement = if order == Order::Time { BY_TIME } else { BY_TIME_DESCENDING };
            on_engine!(session, statement, |sql, conn| {
                sqlx::query_as(sql).bind(tenant).bind(created).bind(id).bind(limit).fetch_all(conn).await
            })?
        }
    };
    Ok(rows.into_iter().map(Segment::from).collect())
}

/// Stores a new segment; false where the id is taken.
pub async fn insert(tx: &mut Tx, tenant: &Tenant, segment: &Segment) -> Outcome<bool> {
    let inserted = on_engine!(tx, INSERT, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(&segment.id).bind(segment.version);
        let query = query.bind(&segment.definition.display_name).bind(&segment.definition.rule);
        let query = query.bind(Instant(segment.created)).bind(Instant(segment.updated));
        query.execute(conn).await.map(|done| done.rows_affected())
    })?;
    Ok(inserted > 0)
}

/// Stores the next version of a locked segment.
pub async fn update(tx: &mut Tx, tenant: &Tenant, segment: &Segment) -> Outcome<()> {
    let updated = on_engine!(tx, UPDATE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(&segment.id).bind(segment.version);
        let query = query.bind(&segment.definition.display_name).bind(&segment.definition.rule);
        query.bind(Instant(segment.updated)).execute(conn).await.map(|done| done.rows_affected())
    })?;
    if updated == 1 { Ok(()) } else { Err(Fault::internal("a locked segment has changed")) }
}

/// Deletes a locked segment.
pub async fn delete(tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<()> {
    let deleted = on_engine!(tx, DELETE, |sql, conn| {
        sqlx::query(sql).bind(tenant.as_str()).bind(id).execute(conn).await.map(|done| done.rows_affected())
    })?;
    if deleted == 1 { Ok(()) } else { Err(Fault::internal("a locked segment has gone")) }
}

/// Raises the version of the tenant's segments: the last statement before the events, since it makes the tenant's
/// writers wait for each other.
pub async fn raise(tx: &mut Tx, tenant: &Tenant) -> Outcome<()> {
    on_engine!(tx, RAISE, |sql, conn| sqlx::query(sql)
        .bind(tenant.as_str())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Every segment of the tenant, in no order.
pub async fn all(session: &mut impl Session, tenant: &Tenant) -> Outcome<Vec<Segment>> {
    let rows: Vec<Row> = on_engine!(session, ALL, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(Segment::from).collect())
}
