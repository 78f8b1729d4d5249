//! Events that could not be taken in: set aside, so that they hold up nobody, and kept whole until somebody has them
//! tried again, once the cause is gone.

use jiff::Timestamp;
use prost::Message;
use tandem_proto::common::v1::Event;
use uuid::Uuid;

use crate::call::Tenant;
use crate::db::{BindColumns, Column, Db, Instant, Session, Statement, Tx};
use crate::fault::{Fault, Outcome};
use crate::on_engine;

pub(in super::super) const SET: Statement = Statement::same(
    "INSERT INTO set_aside_event (tenant, consumer, event_id, reason, payload, created)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant, consumer, event_id) DO UPDATE SET reason = excluded.reason",
);

pub(in super::super) const LIST: Statement = Statement::same(
    "SELECT event_id, reason, payload, created FROM set_aside_event
      WHERE tenant = $1 AND consumer = $2 AND event_id > $3 ORDER BY event_id LIMIT $4",
);

pub(in super::super) const FIND: Statement = Statement::pair(
    "SELECT event_id, reason, payload, created FROM set_aside_event
      WHERE tenant = $1 AND consumer = $2 AND event_id IN (SELECT * FROM UNNEST($3::uuid[])) ORDER BY event_id",
    "SELECT event_id, reason, payload, created FROM set_aside_event
      WHERE tenant = $1 AND consumer = $2 AND event_id IN (SELECT unhex(value->>0) FROM json_each($3))
      ORDER BY event_id",
);

pub(in super::super) const TAKE: Statement =
    Statement::same("DELETE FROM set_aside_event WHERE tenant = $1 AND consumer = $2 AND event_id = $3");

pub(in super::super) const COUNT: Statement =
    Statement::same("SELECT count(*) FROM (SELECT 1 FROM set_aside_event LIMIT $1) AS waiting");

/// The most that are counted.
const COUNTED: i64 = 10_000;

/// One event that was set aside.
#[derive(Clone, Debug, PartialEq)]
pub struct Aside {
    /// Its id.
    pub id: Uuid,
    /// Why, for an operator.
    pub reason: String,
    /// As it was delivered.
    pub event: Event,
    /// When it was set aside first.
    pub since: Timestamp,
}

/// Sets an event aside; again, with another reason, where it was already.
pub async fn set(
    tx: &mut Tx,
    consumer: &str,
    tenant: &Tenant,
    (id, event): (Uuid, &Event),
    reason: &str,
    now: Timestamp,
) -> Outcome<()> {
    on_engine!(tx, SET, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(consumer).bind(id).bind(reason);
        query.bind(event.encode_to_vec()).bind(Instant(now)).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Those of a tenant whose ids come after `after`, at most `limit` of them.
pub async fn list(
    session: &mut impl Session,
    consumer: &str,
    tenant: &Tenant,
    after: Uuid,
    limit: i64,
) -> Outcome<Vec<Aside>> {
    let rows: Vec<Row> = on_engine!(session, LIST, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(consumer).bind(after).bind(limit);
        query.fetch_all(conn).await
    })?;
    rows.into_iter().map(aside).collect()
}

/// Those of a tenant that have these ids.
pub async fn find(
    session: &mut impl Session,
    consumer: &str,
    tenant: &Tenant,
    ids: &[Uuid],
) -> Outcome<Vec<Aside>> {
    let columns = [Column::Uuid(ids.to_vec())];
    let rows: Vec<Row> = on_engine!(session, FIND, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(consumer).bind_columns(&columns);
        query.fetch_all(conn).await
    })?;
    rows.into_iter().map(aside).collect()
}

type Row = (Uuid, String, Vec<u8>, Instant);

fn aside((id, reason, payload, since): Row) -> Outcome<Aside> {
    let event = Event::decode(payload.as_slice())
        .map_err(|error| Fault::internal("a stored event cannot be read").caused_by(error))?;
    Ok(Aside { id, reason, event, since: since.timestamp() })
}

/// Takes one back: it is being taken in. False where somebody else has.
pub async fn take(tx: &mut Tx, consumer: &str, tenant: &Tenant, id: Uuid) -> Outcome<bool> {
    let rows = on_engine!(tx, TAKE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(consumer).bind(id);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?;
    Ok(rows == 1)
}

/// How many there are, of all tenants, counted up to ten thousand.
pub async fn count(db: &Db) -> Outcome<i64> {
    let mut reader = db.read().await?;
    Ok(on_engine!(&mut reader, COUNT, |sql, conn| {
        sqlx::query_scalar(sql).bind(COUNTED).fetch_one(conn).await
    })?)
}
