//! Rows of campaigns and of the revisions of their mixes.

mod settled;

use std::collections::BTreeMap;

use jiff::Timestamp;
use tandem_kernel::limits::Limits;
use tandem_kernel::money::Amounts;
use tandem_kernel::period::Zone;
use tandem_platform::db::{BindColumns, Column, Instant, Json, Session, Statement};
use tandem_platform::list::{Order, Position};
use tandem_platform::{Fault, Outcome, Tenant, Tx, on_engine};

use super::lifecycle::Step;
use super::{Campaign, Definition, Life, Mix, Phase, Revision, Window};
use crate::word;

pub use settled::{settle, unsettled};

macro_rules! columns {
    () => {
        "id, display_name, description, objective, starts, ends, time_zone, segments, budgets, limits, labels, step, \
         launched, phases, latest_revision, deleted, version, created, updated"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM campaign WHERE tenant = $1 ", $rest)
    };
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

const FIND: Statement = Statement::same(select!("AND id = $2 AND NOT deleted"));
const LOCK: Statement = Statement::pair(select!("AND id = $2 FOR NO KEY UPDATE"), select!("AND id = $2"));

const SAVE: Statement = Statement::same(concat!(
    "INSERT INTO campaign (tenant, catalogue_version, ",
    columns!(),
    ")
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
     ON CONFLICT (tenant, id) DO UPDATE
        SET catalogue_version = excluded.catalogue_version, display_name = excluded.display_name,
            description = excluded.description, objective = excluded.objective, starts = excluded.starts,
            ends = excluded.ends, time_zone = excluded.time_zone, segments = excluded.segments,
            budgets = excluded.budgets, limits = excluded.limits, labels = excluded.labels, step = excluded.step,
            launched = excluded.launched, phases = excluded.phases, latest_revision = excluded.latest_revision,
            deleted = excluded.deleted, version = excluded.version, created = excluded.created,
            updated = excluded.updated, settled = false
      WHERE campaign.version = excluded.version - 1"
));

const BY_NAME: Statement = Statement::same(select!("AND NOT deleted AND id > $2 ORDER BY id LIMIT $3"));
const BY_NAME_DESCENDING: Statement =
    Statement::same(select!("AND NOT deleted AND id < $2 ORDER BY id DESC LIMIT $3"));
const BY_TIME: Statement =
    Statement::same(select!("AND NOT deleted AND (created, id) > ($2, $3) ORDER BY created, id LIMIT $4"));
const BY_TIME_DESCENDING: Statement = Statement::same(select!(
    "AND NOT deleted AND (created, id) < ($2, $3) ORDER BY created DESC, id DESC LIMIT $4"
));

const UNENDED: Statement = Statement::same(
    "SELECT id FROM campaign
      WHERE tenant = $1 AND objective = $2 AND NOT deleted
        AND (step = 'DRAFT' OR (step IN ('OPEN', 'PAUSED') AND ends > $3))
      ORDER BY id",
);
const OF_OBJECTIVE: Statement = Statement::same(
    "SELECT id FROM campaign WHERE tenant = $1 AND objective = $2 AND NOT deleted ORDER BY id",
);

const ADD_REVISION: Statement = Statement::same(
    "INSERT INTO mix_revision (tenant, campaign, revision, mix, effective, author, reason, cause, created)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
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
const PAGE: Statement =
    Statement::same(select!("AND id > $2 AND ends > $3 AND NOT deleted ORDER BY id LIMIT $4"));
const SINCE: Statement =
    Statement::same(select!("AND catalogue_version > $2 AND (ends > $3 OR deleted) ORDER BY id"));

const REVISIONS_OF: Statement = Statement::pair(
    select_revision!("AND campaign IN (SELECT * FROM UNNEST($2::text[])) ORDER BY campaign, revision"),
    select_revision!("AND campaign IN (SELECT value->>0 FROM json_each($2)) ORDER BY campaign, revision"),
);

// LATERAL: one probe of the primary key per id, whatever the planner knows of the table.
const HEADS: Statement = Statement::pair(
    "SELECT c.* FROM UNNEST($2::text[]) AS wanted (id) CROSS JOIN LATERAL
            (SELECT id, version, step, limits, budgets, time_zone FROM campaign
              WHERE tenant = $1 AND id = wanted.id AND NOT deleted LIMIT 1) AS c",
    "SELECT id, version, step, limits, budgets, time_zone FROM campaign
      WHERE tenant = $1 AND NOT deleted AND id IN (SELECT value->>0 FROM json_each($2))",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("find", FIND),
    ("lock", LOCK),
    ("save", SAVE),
    ("by_name", BY_NAME),
    ("by_name_descending", BY_NAME_DESCENDING),
    ("by_time", BY_TIME),
    ("by_time_descending", BY_TIME_DESCENDING),
    ("unended", UNENDED),
    ("of_objective", OF_OBJECTIVE),
    ("add_revision", ADD_REVISION),
    ("delete_revisions", DELETE_REVISIONS),
    ("revision", REVISION),
    ("revisions", REVISIONS),
    ("from_current", FROM_CURRENT),
    ("current_many", CURRENT_MANY),
    ("page", PAGE),
    ("since", SINCE),
    ("heads", HEADS),
    ("revisions_of", REVISIONS_OF),
    ("unsettled", settled::UNSETTLED),
    ("settle", settled::SETTLE),
];

/// A campaign as it is stored: a deleted draft leaves its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The campaign.
    pub campaign: Campaign,
    /// It is gone.
    pub deleted: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    display_name: String,
    description: String,
    objective: String,
    starts: Instant,
    ends: Instant,
    time_zone: String,
    segments: Json<Vec<String>>,
    budgets: Json<Amounts>,
    limits: Json<Limits>,
    labels: Json<BTreeMap<String, String>>,
    step: String,
    launched: Option<Instant>,
    phases: Json<Vec<Phase>>,
    latest_revision: i64,
    deleted: bool,
    version: i64,
    created: Instant,
    updated: Instant,
}

impl Row {
    fn stored(self) -> Outcome<Stored> {
        let campaign = Campaign {
            id: self.id,
            definition: Definition {
                display_name: self.display_name,
                description: self.description,
                objective: self.objective,
                window: Window { start: self.starts.0, end: self.ends.0 },
                zone: Zone::new(&self.time_zone).map_err(unreadable)?,
                segments: self.segments.0,
                budgets: self.budgets.0,
                limits: self.limits.0,
                labels: self.labels.0,
            },
            life: Life {
                step: word::parse(&self.step)?,
                launched: self.launched.map(Instant::timestamp),
                phases: self.phases.0,
            },
            latest_revision: self.latest_revision,
            version: self.version,
            created: self.created.0,
            updated: self.updated.0,
        };
        Ok(Stored { campaign, deleted: self.deleted })
    }

    fn campaign(self) -> Outcome<Campaign> {
        self.stored().map(|stored| stored.campaign)
    }
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

/// The campaign `id`; none where it was deleted.
pub async fn find(session: &mut impl Session, tenant: &Tenant, id: &str) -> Outcome<Option<Campaign>> {
    let row: Option<Row> = on_engine!(session, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    row.map(Row::campaign).transpose()
}

/// The campaign `id`, to be changed in this transaction; also a deleted one.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<Option<Stored>> {
    let row: Option<Row> = on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    row.map(Row::stored).transpose()
}

/// Stores a new campaign or the next version of a locked one.
pub async fn save(tx: &mut Tx, tenant: &Tenant, catalogue_version: i64, stored: &Stored) -> Outcome<()> {
    let Stored { campaign, deleted } = stored;
    let Campaign { id, definition, life, latest_revision, version, created, updated } = campaign;
    let stored = on_engine!(tx, SAVE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(catalogue_version).bind(id);
        let query =
            query.bind(&definition.display_name).bind(&definition.description).bind(&definition.objective);
        let query = query.bind(Instant(definition.window.start)).bind(Instant(definition.window.end));
        let query = query.bind(definition.zone.name()).bind(Json(&definition.segments));
        let query = query.bind(Json(&definition.budgets)).bind(Json(&definition.limits));
        let query = query.bind(Json(&definition.labels)).bind(word::of(&life.step));
        let query = query.bind(life.launched.map(Instant)).bind(Json(&life.phases)).bind(latest_revision);
        let query = query.bind(deleted).bind(version).bind(Instant(*created)).bind(Instant(*updated));
        query.execute(conn).await.map(|done| done.rows_affected())
    })?;
    if stored == 1 { Ok(()) } else { Err(Fault::internal("a locked campaign was not there to be changed")) }
}

/// At most `limit` campaigns behind `after`.
pub async fn scan(
    session: &mut impl Session,
    tenant: &Tenant,
    order: Order,
    after: &Position,
    limit: usize,
) -> Outcome<Vec<Campaign>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = match order {
        Order::Name => BY_NAME,
        Order::NameDescending => BY_NAME_DESCENDING,
        Order::Time => BY_TIME,
        Order::TimeDescending => BY_TIME_DESCENDING,
    };
    let by_name = matches!(order, Order::Name | Order::NameDescending);
    let rows: Vec<Row> = on_engine!(session, statement, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str());
        let query = if by_name { query } else { query.bind(Instant(after.created)) };
        query.bind(&after.id).bind(limit).fetch_all(conn).await
    })?;
    rows.into_iter().map(Row::campaign).collect()
}

/// Ids of the campaigns of an objective that have not ended `now`.
pub async fn unended(
    session: &mut impl Session,
    tenant: &Tenant,
    objective: &str,
    now: Timestamp,
) -> Outcome<Vec<String>> {
    Ok(on_engine!(session, UNENDED, |sql, conn| {
        let query = sqlx::query_scalar(sql).bind(tenant.as_str()).bind(objective).bind(Instant(now));
        query.fetch_all(conn).await
    })?)
}

/// Ids of the campaigns of an objective.
pub async fn of_objective(
    session: &mut impl Session,
    tenant: &Tenant,
    objective: &str,
) -> Outcome<Vec<String>> {
    Ok(on_engine!(session, OF_OBJECTIVE, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(objective).fetch_all(conn).await
    })?)
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
}

/// Those of these campaigns that exist, in no order.
pub async fn heads(session: &mut impl Session, tenant: &Tenant, ids: Vec<String>) -> Outcome<Vec<Head>> {
    let columns = [Column::Text(ids)];
    type Row = (String, i64, String, Json<Limits>, Json<Amounts>, String);
    let rows: Vec<Row> = on_engine!(session, HEADS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    let head = |(id, version, step, limits, budgets, zone): Row| {
        let (zone, step) = (Zone::new(&zone).map_err(unreadable)?, word::parse(&step)?);
        Ok(Head { id, version, step, limits: limits.0, budgets: budgets.0, zone })
    };
    rows.into_iter().map(head).collect()
}

/// Stores a revision.
pub async fn add_revision(tx: &mut Tx, tenant: &Tenant, campaign: &str, revision: &Revision) -> Outcome<()> {
    let Revision { revision, mix, effective, author, reason, cause, created } = revision;
    on_engine!(tx, ADD_REVISION, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(campaign).bind(revision).bind(Json(mix));
        let query =
            query.bind(Instant(*effective)).bind(author).bind(reason).bind(cause).bind(Instant(*created));
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Takes away the revisions of a deleted draft.
pub async fn delete_revisions(tx: &mut Tx, tenant: &Tenant, campaign: &str) -> Outcome<()> {
    on_engine!(tx, DELETE_REVISIONS, |sql, conn| {
        sqlx::query(sql).bind(tenant.as_str()).bind(campaign).execute(conn).await.map(|_| ())
    })?;
    Ok(())
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
) -> Outcome<Vec<Stored>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<Row> = on_engine!(session, PAGE, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(after).bind(Instant(ending_after));
        query.bind(limit).fetch_all(conn).await
    })?;
    rows.into_iter().map(Row::stored).collect()
}

/// Campaigns that a version of the catalogue above `version` has stamped and whose windows end after `ending_after`,
/// and deleted drafts. By id.
pub async fn campaigns_since(
    session: &mut impl Session,
    tenant: &Tenant,
    version: i64,
    ending_after: Timestamp,
) -> Outcome<Vec<Stored>> {
    let rows: Vec<Row> = on_engine!(session, SINCE, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(version).bind(Instant(ending_after));
        query.fetch_all(conn).await
    })?;
    rows.into_iter().map(Row::stored).collect()
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
