//! Segments, and the version of all those of a tenant.

pub mod beside;
pub mod lists;
pub mod members;
pub mod said;
pub mod sources;
pub mod watch;

use std::sync::LazyLock;

use tandem_platform::db::{BindColumns, Column, Session, Statement, Write};
use tandem_platform::resource::Table;
use tandem_platform::{Outcome, Tenant, Tx, columns, on_engine};

use super::Segment;

/// Where they are. The lock is stronger than others of this crate: it also waits for those who have seen the segment and
/// are about to name it ([`share_many`]).
pub static SEGMENTS: Table<Segment> = Table::new(
    "segment",
    columns![Segment;
        "id" => plain(id),
        "version" => plain(version),
        "display_name" => plain(definition.display_name),
        "kind" => word(definition.kind),
        "rule" => plain(definition.rule),
        "watched" => plain(definition.watched),
        "created" => plain(created),
        "updated" => plain(updated),
    ],
)
.locked("FOR UPDATE");

const SHARE_MANY: Statement = Statement::pair(
    "SELECT id FROM segment WHERE tenant = $1 AND id = ANY($2::text[]) ORDER BY id FOR KEY SHARE",
    "SELECT id FROM segment WHERE tenant = $1 AND id IN (SELECT value->>0 FROM json_each($2)) ORDER BY id",
);

const DELETE: Statement = Statement::same("DELETE FROM segment WHERE tenant = $1 AND id = $2");

const RAISE: Statement = Statement::same(
    "INSERT INTO segment_catalogue (tenant, version) VALUES ($1, 1)
     ON CONFLICT (tenant) DO UPDATE SET version = segment_catalogue.version + 1",
);

const VERSION: Statement = Statement::same("SELECT version FROM segment_catalogue WHERE tenant = $1");

const NAMING: Statement = Statement::same(
    "SELECT incentive FROM incentive_segment WHERE tenant = $1 AND segment = $2 ORDER BY incentive LIMIT $3",
);

static ALL: LazyLock<Statement> = LazyLock::new(|| SEGMENTS.select(""));

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> Vec<(&'static str, Statement)> {
    let own = [
        ("share_many", SHARE_MANY),
        ("delete", DELETE),
        ("raise", RAISE),
        ("version", VERSION),
        ("naming", NAMING),
        ("all", *ALL),
    ];
    SEGMENTS.statements().into_iter().chain(own).collect()
}

/// The ids of those of these segments that exist, kept from being deleted until the transaction ends.
pub async fn share_many(tx: &mut Tx, tenant: &Tenant, ids: &[String]) -> Outcome<Vec<String>> {
    let columns = [Column::Text(ids.to_vec())];
    Ok(on_engine!(tx, SHARE_MANY, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// The ids of at most `limit` active incentives that name the segment.
pub async fn naming(
    session: &mut impl Session,
    tenant: &Tenant,
    segment: &str,
    limit: i64,
) -> Outcome<Vec<String>> {
    Ok(on_engine!(session, NAMING, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(segment).bind(limit).fetch_all(conn).await
    })?)
}

/// Deletes a locked segment.
pub fn delete(id: &str) -> Write {
    Write::new(DELETE).text(id)
}

/// Raises the version of the tenant's segments, before what is judged by them and by what is declared is read: the tenant's
/// writers of either wait for each other.
pub fn raise() -> Write {
    Write::new(RAISE)
}

/// The version of the tenant's segments.
pub async fn version(session: &mut impl Session, tenant: &Tenant) -> Outcome<i64> {
    let version: Option<i64> = on_engine!(session, VERSION, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).fetch_optional(conn).await
    })?;
    Ok(version.unwrap_or(0))
}

/// Every segment of the tenant, in no order.
pub async fn all(session: &mut impl Session, tenant: &Tenant) -> Outcome<Vec<Segment>> {
    on_engine!(session, *ALL, |sql, conn| {
        let rows = sqlx::query(sql).bind(tenant.as_str()).fetch_all(conn).await;
        rows.and_then(|rows| SEGMENTS.all(&rows))
    })?
}
