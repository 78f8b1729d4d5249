//! Rows of campaigns and of the revisions of their mixes.

mod settled;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use tandem_kernel::limits::Limits;
use tandem_kernel::money::Amounts;
use tandem_kernel::period::Zone;
use tandem_platform::db::{BindColumns, Column, Instant, Json, Session, Statement, Write};
use tandem_platform::resource::{Cell, Table, word};
use tandem_platform::{Fault, Outcome, Tenant, columns, on_engine};

use super::lifecycle::Step;
use super::{Campaign, Mix, Revision};

pub use settled::{settle, unsettled};

/// Where they are; the row of a deleted draft stays.
pub static CAMPAIGNS: Table<Campaign> = Table::new(
    "campaign",
    columns![Campaign;
        "id" => plain(id),
        "display_name" => plain(definition.display_name),
        "description" => plain(definition.description),
        "objective" => plain(definition.objective),
        "starts" => plain(definition.window.start),
        "ends" => plain(definition.window.end),
        "time_zone" => with(Text, zone, set_zone),
        "segments" => json(definition.segments),
        "budgets" => json(definition.budgets),
        "limits" => json(definition.limits),
        "labels" => json(definition.labels),
        "step" => word(life.step),
        "launched" => plain(life.launched),
        "phases" => json(life.phases),
        "latest_revision" => plain(latest_revision),
        "deleted" => plain(deleted),
        "version" => plain(version),
        "created" => plain(created),
        "updated" => plain(updated),
    ],
)
.seen(" AND NOT t.deleted")
.stamped("catalogue_version")
.on_save(", settled = false");

fn zone(campaign: &Campaign) -> Outcome<Cell> {
    Ok(Cell::Text(Some(campaign.definition.zone.name().to_owned())))
}

fn set_zone(campaign: &mut Campaign, cell: Cell) -> Outcome<()> {
    campaign.definition.zone = Zone::new(&cell.text().unwrap_or_default()).map_err(unreadable)?;
    Ok(())
}

macro_rules! select_revision {
    ($rest:literal) => {
        concat!(
            "SELECT campaign, revision, mix, effective, author, reason, cause, created FROM mix_revision AS this \
             WHERE tenant = $1 ",
            $rest
        )
    };
}

const ADD_REVISION: Statement = Statement::pair(
    "INSERT INTO mix_revision (tenant, campaign, revision, mix, effective, author, reason, cause, created)
     SELECT $1, * FROM UNNEST($2::text[], $3::bigint[], $4::jsonb[], $5::timestamptz[], $6::text[], $7::text[],
                              $8::text[], $9::timestamptz[])",
    "INSERT INTO mix_revision (tenant, campaign, revision, mix, effective, author, reason, cause, created)
     SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7
       FROM json_each($2)",
);
const DELETE_REVISIONS: Statement =
    Statement::same("DELETE FROM mix_revision WHERE tenant = $1 AND campaign = $2");
const REVISION: Statement = Statement::same(select_revision!("AND campaign = $2 AND revision = $3"));
const REVISIONS: Statement =
    Statement::same(select_revision!("AND campaign = $2 AND revision < $3 ORDER BY revision DESC LIMIT $4"));

// Where the clocks of two replicas differ, even the first revision may seem to lie ahead: then it counts.
const FROM_CURRENT: Statement = Statement::same(select_revision!(
    "AND campaign = $2 AND revision >= COALESCE(
        (SELECT max(revision) FROM mix_revision WHERE tenant = $1 AND campaign = $2 AND effective <= $3), 1)
     ORDER BY revision"
));

const CURRENT_MANY: Statement = Statement::pair(
    select_revision!(
        "AND campaign IN (SELECT * FROM UNNEST($3::text[])) AND revision = COALESCE(
            (SELECT max(revision) FROM mix_revision AS other
              WHERE other.tenant = $1 AND other.campaign = this.campaign AND effective <= $2), 1)"
    ),
    select_revision!(
        "AND campaign IN (SELECT value->>0 FROM json_each($3)) AND revision = COALESCE(
            (SELECT max(revision) FROM mix_revision AS other
              WHERE other.tenant = $1 AND other.campaign = this.campaign AND effective <= $2), 1)"
    ),
);

// A whole catalogue goes by the primary key, page by page; what is new goes by the version, and is little.
static PAGE: LazyLock<Statement> = LazyLock::new(|| {
    CAMPAIGNS.select("AND t.id > $2 AND t.ends > $3 AND NOT t.deleted ORDER BY t.id LIMIT $4")
});
static SINCE: LazyLock<Statement> = LazyLock::new(|| {
    CAMPAIGNS.select("AND t.catalogue_version > $2 AND (t.ends > $3 OR t.deleted) ORDER BY t.id")
});

const REVISIONS_OF: Statement = Statement::pair(
    select_revision!("AND campaign IN (SELECT * FROM UNNEST($2::text[])) ORDER BY campaign, revision"),
    select_revision!("AND campaign IN (SELECT value->>0 FROM json_each($2)) ORDER BY campaign, revision"),
);

// LATERAL: one probe of the primary key per id, whatever the planner knows of the table.
const HEADS: Statement = Statement::pair(
    "SELECT c.* FROM UNNEST($2::text[]) AS wanted (id) CROSS JOIN LATERAL
            (SELECT id, version, step, limits, budgets, time_zone,
                    (SELECT max(revision) FROM mix_revision
                      WHERE tenant = $1 AND campaign = wanted.id AND effective <= $3) AS current
               FROM campaign WHERE tenant = $1 AND id = wanted.id AND NOT deleted LIMIT 1) AS c",
    "SELECT id, version, step, limits, budgets, time_zone,
            (SELECT max(revision) FROM mix_revision
              WHERE tenant = $1 AND campaign = campaign.id AND effective <= $3) AS current
       FROM campaign WHERE tenant = $1 AND NOT deleted AND id IN (SELECT value->>0 FROM json_each($2))",
);

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> Vec<(&'static str, Statement)> {
    let own = [
        ("add_revision", ADD_REVISION),
        ("delete_revisions", DELETE_REVISIONS),
        ("revision", REVISION),
        ("revisions", REVISIONS),
        ("from_current", FROM_CURRENT),
        ("current_many", CURRENT_MANY),
        ("page", *PAGE),
        ("since", *SINCE),
        ("heads", HEADS),
        ("revisions_of", REVISIONS_OF),
        ("unsettled", settled::UNSETTLED),
        ("settle", settled::SETTLE),
    ];
    CAMPAIGNS.statements().into_iter().chain(own).collect()
}

#[derive(sqlx::FromRow)]
struct RevisionRow {
    campaign: String,
    revision: i64,
    mix: Json<Mix>,
    effective: Instant,
    author: String,
    reason: String,
    cause: String,
    created: Instant,
}

impl RevisionRow {
    fn revision(self) -> Revision {
        Revision {
            revision: self.revision,
            mix: self.mix.0,
            effective: self.effective.0,
            author: self.author,
            reason: self.reason,
            cause: self.cause,
            created: self.created.0,
        }
    }

    fn of_campaign(self) -> (String, Revision) {
        (self.campaign.clone(), self.revision())
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::internal("a stored campaign cannot be read").caused_by(error)
}

/// Of a campaign, what an order has to know.
#[derive(Debug)]
pub struct Head {
    /// Its id.
    pub id: String,
    /// Ascending with every change.
    pub version: i64,
    /// What was last done by hand.
    pub step: Step,
    /// Over all its offers together.
    pub limits: Limits,
    /// What it may cost, discounts and media.
    pub budgets: Amounts,
    /// In which they start anew.
    pub zone: Zone,
    /// The revision of its mix that is in effect.
    pub current: i64,
}

/// Those of these campaigns that exist, as they are at `at`, in no order.
pub async fn heads(
    session: &mut impl Session,
    tenant: &Tenant,
    ids: Vec<String>,
    at: Timestamp,
) -> Outcome<Vec<Head>> {
    let columns = [Column::Text(ids)];
    type Row = (String, i64, String, Json<Limits>, Json<Amounts>, String, Option<i64>);
    let rows: Vec<Row> = on_engine!(session, HEADS, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns);
        query.bind(Instant(at)).fetch_all(conn).await
    })?;
    let head = |(id, version, step, limits, budgets, zone, current): Row| {
        let (zone, step) = (Zone::new(&zone).map_err(unreadable)?, word::parse(&step)?);
        let (limits, budgets, current) = (limits.0, budgets.0, current.unwrap_or(1));
        Ok(Head { id, version, step, limits, budgets, zone, current })
    };
    rows.into_iter().map(head).collect()
}

/// Stores a revision.
pub fn add_revision(campaign: &str, revision: &Revision) -> Outcome<Write> {
    let Revision { revision, mix, effective, author, reason, cause, created } = revision;
    Ok(Write::new(ADD_REVISION).columns([
        Column::text([campaign]),
        Column::int([*revision]),
        Column::json([mix])?,
        Column::Instant(vec![*effective]),
        Column::text([author]),
        Column::text([reason]),
        Column::text([cause]),
        Column::Instant(vec![*created]),
    ]))
}

/// Takes away the revisions of a deleted draft.
pub fn delete_revisions(campaign: &str) -> Write {
    Write::new(DELETE_REVISIONS).text(campaign).where_needed()
}

/// One revision.
pub async fn revision(
    session: &mut impl Session,
    tenant: &Tenant,
    campaign: &str,
    revision: i64,
) -> Outcome<Option<Revision>> {
    let row: Option<RevisionRow> = on_engine!(session, REVISION, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(campaign).bind(revision);
        query.fetch_optional(conn).await
    })?;
    Ok(row.map(RevisionRow::revision))
}

/// At most `limit` revisions below `below`, newest first.
pub async fn revisions(
    session: &mut impl Session,
    tenant: &Tenant,
    campaign: &str,
    below: i64,
    limit: usize,
) -> Outcome<Vec<Revision>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<RevisionRow> = on_engine!(session, REVISIONS, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(campaign).bind(below);
        query.bind(limit).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(RevisionRow::revision).collect())
}

/// The revision in effect at `at` and all that come after it, by number.
pub async fn revisions_from_current(
    session: &mut impl Session,
    tenant: &Tenant,
    campaign: &str,
    at: Timestamp,
) -> Outcome<Vec<Revision>> {
    let rows: Vec<RevisionRow> = on_engine!(session, FROM_CURRENT, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(campaign).bind(Instant(at));
        query.fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(RevisionRow::revision).collect())
}

/// The revisions in effect at `at`, by campaign.
pub async fn current_revisions(
    session: &mut impl Session,
    tenant: &Tenant,
    campaigns: &[&str],
    at: Timestamp,
) -> Outcome<BTreeMap<String, Revision>> {
    let columns = [Column::text(campaigns.iter().copied())];
    let rows: Vec<RevisionRow> = on_engine!(session, CURRENT_MANY, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(Instant(at)).bind_columns(&columns);
        query.fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(RevisionRow::of_campaign).collect())
}

/// At most `limit` campaigns behind the id `after` whose windows end after `ending_after`. By id.
pub async fn campaigns_page(
    session: &mut impl Session,
    tenant: &Tenant,
    after: &str,
    ending_after: Timestamp,
    limit: usize,
) -> Outcome<Vec<Campaign>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    on_engine!(session, *PAGE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(after).bind(Instant(ending_after));
        query.bind(limit).fetch_all(conn).await.and_then(|rows| CAMPAIGNS.all(&rows))
    })?
}

/// Campaigns that a version of the catalogue above `version` has stamped and whose windows end after `ending_after`,
/// and deleted drafts. By id.
pub async fn campaigns_since(
    session: &mut impl Session,
    tenant: &Tenant,
    version: i64,
    ending_after: Timestamp,
) -> Outcome<Vec<Campaign>> {
    on_engine!(session, *SINCE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(version).bind(Instant(ending_after));
        query.fetch_all(conn).await.and_then(|rows| CAMPAIGNS.all(&rows))
    })?
}

/// Every revision of these campaigns, past, current and coming: (campaign, revision), by campaign and number.
pub async fn revisions_of(
    session: &mut impl Session,
    tenant: &Tenant,
    campaigns: impl Iterator<Item = &str>,
) -> Outcome<Vec<(String, Revision)>> {
    let columns = [Column::text(campaigns)];
    let rows: Vec<RevisionRow> = on_engine!(session, REVISIONS_OF, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(RevisionRow::of_campaign).collect())
}
