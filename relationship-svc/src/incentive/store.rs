//! Incentives, their versions, and which segments they name.

use tandem_platform::db::{BindColumns, Column, Instant, Json, Session, Statement};
use tandem_platform::list::{Order, Position};
use tandem_platform::{Fault, Outcome, Tenant, Tx, on_engine};

use super::{Definition, Incentive, State};

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, version, state, definition, created, updated FROM incentive ", $tail)
    };
}

const FIND: Statement = Statement::same(select!("WHERE tenant = $1 AND id = $2"));

const LOCK: Statement = Statement::pair(
    select!("WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE"),
    select!("WHERE tenant = $1 AND id = $2"),
);

const BY_NAME: Statement = Statement::same(select!("WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3"));

const BY_NAME_DESCENDING: Statement =
    Statement::same(select!("WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3"));

const BY_TIME: Statement =
    Statement::same(select!("WHERE tenant = $1 AND (created, id) > ($2, $3) ORDER BY created, id LIMIT $4"));

const BY_TIME_DESCENDING: Statement = Statement::same(select!(
    "WHERE tenant = $1 AND (created, id) < ($2, $3) ORDER BY created DESC, id DESC LIMIT $4"
));

const VERSIONS: Statement = Statement::pair(
    // LATERAL: one probe of the primary key per id, whatever the planner knows of the table.
    "SELECT i.* FROM UNNEST($2::text[]) AS wanted (id)
      CROSS JOIN LATERAL (SELECT id, version FROM incentive WHERE tenant = $1 AND id = wanted.id LIMIT 1) AS i",
    "SELECT id, version FROM incentive WHERE tenant = $1 AND id IN (SELECT value->>0 FROM json_each($2))",
);

const REVISIONS: Statement = Statement::pair(
    "SELECT revision.incentive AS id, revision.version, revision.state, revision.definition, revision.created,
            revision.updated
       FROM UNNEST($2::text[], $3::bigint[]) AS wanted (incentive, version)
      CROSS JOIN LATERAL (SELECT * FROM incentive_revision AS one
                           WHERE one.tenant = $1 AND one.incentive = wanted.incentive
                             AND one.version = wanted.version LIMIT 1) AS revision",
    "SELECT revision.incentive AS id, revision.version, revision.state, revision.definition, revision.created,
            revision.updated
       FROM json_each($2) AS wanted
      CROSS JOIN incentive_revision AS revision
         ON revision.tenant = $1 AND revision.incentive = wanted.value->>0 AND revision.version = wanted.value->>1",
);

const INSERT: Statement = Statement::same(
    "INSERT INTO incentive (tenant, id, version, state, definition, created, updated)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
);

const UPDATE: Statement = Statement::same(
    "UPDATE incentive
        SET version = $3, state = $4, definition = $5, created = $6, updated = $7
      WHERE tenant = $1 AND id = $2 AND version = $3 - 1",
);

const INSERT_REVISION: Statement = Statement::same(
    "INSERT INTO incentive_revision (tenant, incentive, version, state, definition, created, updated)
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
);

const INSERT_SEGMENTS: Statement = Statement::pair(
    "INSERT INTO incentive_segment (tenant, incentive, segment) SELECT $1, $2, * FROM UNNEST($3::text[])",
    "INSERT INTO incentive_segment (tenant, incentive, segment) SELECT $1, $2, value->>0 FROM json_each($3)",
);

const DELETE_SEGMENTS: Statement =
    Statement::same("DELETE FROM incentive_segment WHERE tenant = $1 AND incentive = $2");

const NAMES_SEGMENT: Statement = Statement::same(
    "SELECT incentive FROM incentive_segment WHERE tenant = $1 AND segment = $2 ORDER BY incentive LIMIT $3",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("find", FIND),
    ("lock", LOCK),
    ("by_name", BY_NAME),
    ("by_name_descending", BY_NAME_DESCENDING),
    ("by_time", BY_TIME),
    ("by_time_descending", BY_TIME_DESCENDING),
    ("versions", VERSIONS),
    ("revisions", REVISIONS),
    ("insert", INSERT),
    ("update", UPDATE),
    ("insert_revision", INSERT_REVISION),
    ("insert_segments", INSERT_SEGMENTS),
    ("delete_segments", DELETE_SEGMENTS),
    ("names_segment", NAMES_SEGMENT),
];

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    version: i64,
    state: String,
    definition: Json<Definition>,
    created: Instant,
    updated: Instant,
}

impl TryFrom<Row> for Incentive {
    type Error = Fault;

    fn try_from(row: Row) -> Outcome<Self> {
        let state = State::parse(&row.state)
            .ok_or_else(|| Fault::internal("a stored incentive has no state we know"))?;
        let (created, updated) = (row.created.0, row.updated.0);
        Ok(Self { id: row.id, version: row.version, state, definition: row.definition.0, created, updated })
    }
}

fn all(rows: Vec<Row>) -> Outcome<Vec<Incentive>> {
    rows.into_iter().map(Incentive::try_from).collect()
}

/// One incentive as it is now.
pub async fn find(session: &mut impl Session, tenant: &Tenant, id: &str) -> Outcome<Option<Incentive>> {
    let row: Option<Row> = on_engine!(session, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    row.map(Incentive::try_from).transpose()
}

/// One incentive as it is now, locked against other writers of it.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<Option<Incentive>> {
    let row: Option<Row> = on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    row.map(Incentive::try_from).transpose()
}

/// At most `limit` incentives behind `after`.
pub async fn scan(
    session: &mut impl Session,
    tenant: &Tenant,
    order: Order,
    after: &Position,
    limit: i64,
) -> Outcome<Vec<Incentive>> {
    let (tenant, id, created) = (tenant.as_str(), after.id.as_str(), Instant(after.created));
    let rows = match order {
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
    all(rows)
}

/// The current version of each of these that exists, in no order.
pub async fn versions(
    session: &mut impl Session,
    tenant: &Tenant,
    ids: &[String],
) -> Outcome<Vec<(String, i64)>> {
    let columns = [Column::Text(ids.to_vec())];
    Ok(on_engine!(session, VERSIONS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// These versions of these incentives, as they were, in no order.
pub async fn revisions(
    session: &mut impl Session,
    tenant: &Tenant,
    wanted: &[(String, i64)],
) -> Outcome<Vec<Incentive>> {
    let columns =
        [Column::text(wanted.iter().map(|one| one.0.as_str())), Column::int(wanted.iter().map(|one| one.1))];
    all(on_engine!(session, REVISIONS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// Stores a new incentive with its first version; false where the id is taken.
pub async fn insert(tx: &mut Tx, tenant: &Tenant, incentive: &Incentive) -> Outcome<bool> {
    if write(tx, INSERT, tenant, incentive).await? == 0 {
        return Ok(false);
    }
    insert_revision(tx, tenant, incentive).await?;
    Ok(true)
}

/// Stores the next version of a locked incentive.
pub async fn update(tx: &mut Tx, tenant: &Tenant, incentive: &Incentive) -> Outcome<()> {
    if write(tx, UPDATE, tenant, incentive).await? != 1 {
        return Err(Fault::internal("a locked incentive has changed"));
    }
    insert_revision(tx, tenant, incentive).await
}

async fn write(tx: &mut Tx, statement: Statement, tenant: &Tenant, incentive: &Incentive) -> Outcome<u64> {
    Ok(on_engine!(tx, statement, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(&incentive.id).bind(incentive.version);
        let query = query.bind(incentive.state.as_str()).bind(Json(&incentive.definition));
        let query = query.bind(Instant(incentive.created)).bind(Instant(incentive.updated));
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}

async fn insert_revision(tx: &mut Tx, tenant: &Tenant, incentive: &Incentive) -> Outcome<()> {
    on_engine!(tx, INSERT_REVISION, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(&incentive.id).bind(incentive.version);
        let query = query.bind(incentive.state.as_str()).bind(Json(&incentive.definition));
        let query = query.bind(Instant(incentive.created)).bind(Instant(incentive.updated));
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Remembers that the incentive names these segments and no others.
pub async fn name_segments(
    tx: &mut Tx,
    tenant: &Tenant,
    incentive: &str,
    segments: &[String],
) -> Outcome<()> {
    on_engine!(tx, DELETE_SEGMENTS, |sql, conn| {
        sqlx::query(sql).bind(tenant.as_str()).bind(incentive).execute(conn).await.map(|_| ())
    })?;
    if segments.is_empty() {
        return Ok(());
    }
    let columns = [Column::Text(segments.to_vec())];
    on_engine!(tx, INSERT_SEGMENTS, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(incentive).bind_columns(&columns);
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// The ids of at most `limit` active incentives that name the segment.
pub async fn naming_segment(
    session: &mut impl Session,
    tenant: &Tenant,
    segment: &str,
    limit: i64,
) -> Outcome<Vec<String>> {
    Ok(on_engine!(session, NAMES_SEGMENT, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(segment).bind(limit).fetch_all(conn).await
    })?)
}
