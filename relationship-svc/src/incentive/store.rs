//! Incentives, their versions, and which segments they name.

use tandem_platform::db::{BindColumns, Column, Session, Statement, Write};
use tandem_platform::resource::Table;
use tandem_platform::{Outcome, Tenant, Tx, columns, on_engine};

use super::Incentive;

/// Where they are as they are now.
pub static INCENTIVES: Table<Incentive> = Table::new(
    "incentive",
    columns![Incentive;
        "id" => plain(id),
        "version" => plain(version),
        "state" => word(state),
        "definition" => json(definition),
        "created" => plain(created),
        "updated" => plain(updated),
    ],
);

const VERSIONS: Statement = Statement::pair(
    // LATERAL: one probe of the primary key per id, whatever the planner knows of the table.
    "SELECT i.*, EXISTS (SELECT 1 FROM customer_alias WHERE tenant = $1 AND person > '') AS merged FROM UNNEST($2::text[]) AS wanted (id)
      CROSS JOIN LATERAL (SELECT id, version FROM incentive WHERE tenant = $1 AND id = wanted.id LIMIT 1) AS i",
    "SELECT id, version, EXISTS (SELECT 1 FROM customer_alias WHERE tenant = $1 AND person > '') AS merged
       FROM incentive WHERE tenant = $1 AND id IN (SELECT value->>0 FROM json_each($2))",
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

const INSERT_REVISIONS: Statement = Statement::pair(
    "INSERT INTO incentive_revision (tenant, incentive, version, state, definition, created, updated)
     SELECT $1, * FROM UNNEST($2::text[], $3::bigint[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::timestamptz[])",
    "INSERT INTO incentive_revision (tenant, incentive, version, state, definition, created, updated)
     SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each($2)",
);

const INSERT_SEGMENTS: Statement = Statement::pair(
    "INSERT INTO incentive_segment (tenant, incentive, segment) SELECT $1, $2, * FROM UNNEST($3::text[])",
    "INSERT INTO incentive_segment (tenant, incentive, segment) SELECT $1, $2, value->>0 FROM json_each($3)",
);

const DELETE_SEGMENTS: Statement =
    Statement::same("DELETE FROM incentive_segment WHERE tenant = $1 AND incentive = $2");

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> Vec<(&'static str, Statement)> {
    let own = [
        ("versions", VERSIONS),
        ("revisions", REVISIONS),
        ("insert_revisions", INSERT_REVISIONS),
        ("insert_segments", INSERT_SEGMENTS),
        ("delete_segments", DELETE_SEGMENTS),
    ];
    INCENTIVES.statements().into_iter().chain(own).collect()
}

/// The current version of each of these that exists, in no order, with whether any customer of the tenant was ever merged into
/// another one.
pub async fn versions(
    session: &mut impl Session,
    tenant: &Tenant,
    ids: &[String],
) -> Outcome<Vec<(String, i64, bool)>> {
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
    on_engine!(session, REVISIONS, |sql, conn| {
        let rows = sqlx::query(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await;
        rows.and_then(|rows| INCENTIVES.all(&rows))
    })?
}

/// Keeps a version for good.
pub fn keep_revision(incentive: &Incentive) -> Outcome<Write> {
    Ok(Write::new(INSERT_REVISIONS).columns(INCENTIVES.values(std::slice::from_ref(incentive))?))
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
