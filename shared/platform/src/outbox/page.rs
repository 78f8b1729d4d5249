//! Reading: how far a tenant's positions go, and what stands at the next ones.

use prost::Message;
use tandem_proto::common::v1::{Event, EventBatch};

use super::Cursor;
use crate::call::Tenant;
use crate::db::{BindColumns, Column, Db, Session, Statement};
use crate::fault::{Fault, Outcome};
use crate::on_engine;

// A tenant that never had an event stands where nobody does.
pub(super) const HEAD: Statement =
    Statement::same("SELECT position FROM relay WHERE tenant IN ($1, '') ORDER BY tenant DESC LIMIT 1");

pub(super) const HEADS: Statement =
    Statement::same("SELECT tenant, position FROM relay WHERE tenant > $1 ORDER BY tenant LIMIT $2");

// One statement, so that what is forgotten meanwhile is either read or known to be gone.
pub(super) const PAGE: Statement = Statement::same(
    "SELECT r.position, r.forgotten, e.position, e.payload
       FROM (SELECT position, forgotten FROM relay WHERE tenant IN ($1, '') ORDER BY tenant DESC LIMIT 1) AS r
       LEFT JOIN (SELECT position, payload FROM event_batch
                   WHERE tenant = $1 AND position >= $2 ORDER BY position LIMIT $3) AS e ON true
      ORDER BY e.position",
);

pub(super) const PAGES: Statement = Statement::pair(
    "SELECT w.tenant, r.forgotten, e.position, e.payload
       FROM UNNEST($2::text[], $3::bigint[]) AS w (tenant, start)
      CROSS JOIN LATERAL (SELECT forgotten FROM relay WHERE tenant = w.tenant LIMIT 1) AS r
      CROSS JOIN LATERAL (SELECT position, payload FROM event_batch
                           WHERE tenant = w.tenant AND position >= w.start ORDER BY position LIMIT $1) AS e
      ORDER BY w.tenant, e.position",
    "SELECT r.tenant, r.forgotten, e.position, e.payload
       FROM json_each($2) AS w
      CROSS JOIN relay AS r ON r.tenant = w.value->>0
      CROSS JOIN event_batch AS e ON e.tenant = r.tenant AND e.position IS NOT NULL AND e.position IN
            (SELECT position FROM event_batch
              WHERE tenant = r.tenant AND position >= w.value->>1 ORDER BY position LIMIT $1)
      ORDER BY r.tenant, e.position",
);

/// The end of what has been numbered of `tenant`: where a follower starts that wants only what is to come.
pub async fn head(db: &Db, tenant: &Tenant) -> Outcome<Cursor> {
    let mut reader = db.read().await?;
    let position: Option<i64> = on_engine!(&mut reader, HEAD, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).fetch_optional(conn).await
    })?;
    position.map(Cursor::after).ok_or_else(no_relay)
}

/// How far the positions go of the tenants whose names come after `after`, at most `limit` of them.
pub(super) async fn heads(
    session: &mut impl Session,
    after: &str,
    limit: i64,
) -> Outcome<Vec<(String, i64)>> {
    Ok(on_engine!(session, HEADS, |sql, conn| {
        sqlx::query_as(sql).bind(after).bind(limit).fetch_all(conn).await
    })?)
}

/// What is kept of a tenant from a position on.
pub(super) struct Page {
    /// The last position given.
    pub(super) head: i64,
    /// The last one that is no longer kept.
    pub(super) forgotten: i64,
    /// Transactions in the order of their positions.
    pub(super) rows: Vec<(i64, Vec<u8>)>,
}

/// Head, last forgotten, and a transaction where there is one.
type Found = (i64, i64, Option<i64>, Option<Vec<u8>>);

/// At most `limit` transactions of `tenant` from `start` on.
pub(super) async fn page(
    session: &mut impl Session,
    tenant: &Tenant,
    start: i64,
    limit: i64,
) -> Outcome<Page> {
    let found: Vec<Found> = on_engine!(session, PAGE, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(start).bind(limit).fetch_all(conn).await
    })?;
    let (head, forgotten) = found.first().map(|row| (row.0, row.1)).ok_or_else(no_relay)?;
    let rows = found.into_iter().filter_map(|(.., position, payload)| position.zip(payload)).collect();
    Ok(Page { head, forgotten, rows })
}

/// One transaction of one of several tenants.
pub(super) struct Row {
    pub(super) tenant: String,
    /// The last position of this tenant that is no longer kept.
    pub(super) forgotten: i64,
    pub(super) position: i64,
    pub(super) payload: Vec<u8>,
}

/// At most `limit` transactions of each of these tenants from its position on, by tenant and position.
pub(super) async fn pages(
    session: &mut impl Session,
    wanted: &[(Tenant, i64)],
    limit: i64,
) -> Outcome<Vec<Row>> {
    let columns = [
        Column::text(wanted.iter().map(|(tenant, _)| tenant.as_str())),
        Column::int(wanted.iter().map(|(_, start)| *start)),
    ];
    let rows: Vec<(String, i64, i64, Vec<u8>)> = on_engine!(session, PAGES, |sql, conn| {
        sqlx::query_as(sql).bind(limit).bind_columns(&columns).fetch_all(conn).await
    })?;
    let row = |(tenant, forgotten, position, payload)| Row { tenant, forgotten, position, payload };
    Ok(rows.into_iter().map(row).collect())
}

/// The events of the transaction at `position`, in their order.
pub(super) fn events(position: i64, payload: &[u8]) -> Outcome<Vec<Event>> {
    let batch = EventBatch::decode(payload)
        .map_err(|error| Fault::internal("a stored event cannot be read").caused_by(error))?;
    Ok(batch.events.into_iter().map(|event| Event { position, ..event }).collect())
}

fn no_relay() -> Fault {
    Fault::internal("the table relay has lost its row of nobody")
}

/// How far a follower of one tenant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At whatever is the oldest.
    Oldest,
    /// Within a transaction, which must still be there.
    Within(Cursor),
    /// Past all of the transaction at this position.
    Past(i64),
}

impl Place {
    pub(super) fn of(cursor: Option<Cursor>) -> Self {
        match cursor {
            None => Self::Oldest,
            Some(cursor) if cursor.position <= 0 => Self::Past(0),
            Some(cursor) if cursor == Cursor::after(cursor.position) => Self::Past(cursor.position),
            Some(cursor) => Self::Within(cursor),
        }
    }

    /// The first position that may hold something to come.
    pub(super) fn start(self) -> i64 {
        match self {
            Self::Oldest => 1,
            Self::Within(cursor) => cursor.position,
            Self::Past(position) => position.saturating_add(1),
        }
    }

    /// Whether nothing that comes after this place has been forgotten, where that was done up to `forgotten`.
    pub(super) fn is_kept(self, forgotten: i64) -> bool {
        match self {
            Self::Oldest => true,
            Self::Within(cursor) => cursor.position > forgotten,
            Self::Past(position) => position >= forgotten,
        }
    }

    /// Whether positions that go as far as `head` lead here at all.
    pub(super) fn is_reached(self, head: i64) -> bool {
        match self {
            Self::Oldest => true,
            Self::Within(Cursor { position, .. }) | Self::Past(position) => position <= head,
        }
    }

    pub(super) fn wants(self, event: &Event) -> bool {
        match self {
            Self::Within(cursor) => Cursor::of(event) > cursor,
            _ => true,
        }
    }
}
