//! Relationships in the database.

pub mod sweep;

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::FromRow;
use sqlx::types::Json;
use tandem_kernel::money::Currency;
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement, Write};
use tandem_platform::{Fault, Outcome, Tenant, Tx, on_engine};

use super::{Ratings, Relationship, Stage, Who};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT r.person, r.version, r.merged_into, r.orders, r.first_order, r.last_order, r.amounts, r.dates,
                    r.last_activity, r.ratings, r.ratings_sum, r.ratings_latest, r.stage, r.next_change
               FROM relationship AS r ",
            $rest
        )
    };
}

// Locks in the order of the parameter. LATERAL leaves the planner one probe of the key per person, whatever it knows.
const LOCK: Statement = Statement::pair(
    concat!(
        "SELECT r.* FROM UNNEST($2::text[]) AS wanted (person) CROSS JOIN LATERAL (",
        select!("WHERE r.tenant = $1 AND r.person = wanted.person FOR NO KEY UPDATE"),
        ") AS r"
    ),
    select!("WHERE r.tenant = $1 AND r.person IN (SELECT value->>0 FROM json_each($2)) ORDER BY r.person"),
);

const FIND: Statement = Statement::same(select!("WHERE r.tenant = $1 AND r.person = $2"));

const FIND_MANY: Statement = Statement::pair(
    concat!(
        "SELECT r.* FROM UNNEST($2::text[]) AS wanted (person) CROSS JOIN LATERAL (",
        select!("WHERE r.tenant = $1 AND r.person = wanted.person LIMIT 1"),
        ") AS r"
    ),
    select!("WHERE r.tenant = $1 AND r.person IN (SELECT value->>0 FROM json_each($2))"),
);

const DUE: Statement = Statement::same(
    "SELECT tenant, person FROM relationship
      WHERE next_change IS NOT NULL AND next_change <= $1 ORDER BY next_change LIMIT $2",
);

const DUE_OF: Statement = Statement::same(
    "SELECT person FROM relationship
      WHERE tenant = $1 AND next_change IS NOT NULL AND next_change <= $2 ORDER BY next_change LIMIT $3",
);

macro_rules! insert {
    ($source:literal, $rest:literal) => {
        concat!(
            "INSERT INTO relationship (tenant, person, version, merged_into, orders, first_order, last_order, amounts,
                                       dates, last_activity, ratings, ratings_sum, ratings_latest, stage, next_change) ",
            $source,
            $rest
        )
    };
}

const INSERT: Statement = Statement::pair(
    insert!(
        "SELECT $1, * FROM UNNEST($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::timestamptz[],
                                  $7::timestamptz[], $8::jsonb[], $9::jsonb[], $10::timestamptz[], $11::bigint[],
                                  $12::bigint[], $13::jsonb[], $14::text[], $15::timestamptz[])",
        ""
    ),
    insert!(
        "SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
                value->>9, value->>10, value->>11, value->>12, value->>13 FROM json_each($2)",
        ""
    ),
);

// Nothing is ever inserted: the rows are there and locked.
const UPDATE: Statement = Statement::pair(
    insert!(
        "SELECT $1, * FROM UNNEST($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::timestamptz[],
                                  $7::timestamptz[], $8::jsonb[], $9::jsonb[], $10::timestamptz[], $11::bigint[],
                                  $12::bigint[], $13::jsonb[], $14::text[], $15::timestamptz[])",
        " ON CONFLICT (tenant, person) DO UPDATE
             SET version = EXCLUDED.version, merged_into = EXCLUDED.merged_into, orders = EXCLUDED.orders,
                 first_order = EXCLUDED.first_order, last_order = EXCLUDED.last_order, amounts = EXCLUDED.amounts,
                 dates = EXCLUDED.dates, last_activity = EXCLUDED.last_activity, ratings = EXCLUDED.ratings,
                 ratings_sum = EXCLUDED.ratings_sum, ratings_latest = EXCLUDED.ratings_latest,
                 stage = EXCLUDED.stage, next_change = EXCLUDED.next_change"
    ),
    insert!(
        "SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
                value->>9, value->>10, value->>11, value->>12, value->>13 FROM json_each($2) WHERE true",
        " ON CONFLICT (tenant, person) DO UPDATE
             SET version = excluded.version, merged_into = excluded.merged_into, orders = excluded.orders,
                 first_order = excluded.first_order, last_order = excluded.last_order, amounts = excluded.amounts,
                 dates = excluded.dates, last_activity = excluded.last_activity, ratings = excluded.ratings,
                 ratings_sum = excluded.ratings_sum, ratings_latest = excluded.ratings_latest,
                 stage = excluded.stage, next_change = excluded.next_change"
    ),
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("relationship::lock", LOCK),
    ("relationship::find", FIND),
    ("relationship::find_many", FIND_MANY),
    ("relationship::due", DUE),
    ("relationship::due_of", DUE_OF),
    ("relationship::insert", INSERT),
    ("relationship::update", UPDATE),
];

#[derive(Debug, FromRow)]
struct Row {
    person: String,
    version: i64,
    merged_into: Option<String>,
    orders: i64,
    first_order: Option<Instant>,
    last_order: Option<Instant>,
    amounts: Json<BTreeMap<Currency, i64>>,
    dates: Json<Vec<i64>>,
    last_activity: Option<Instant>,
    ratings: i64,
    ratings_sum: i64,
    ratings_latest: Json<Vec<(i64, i64)>>,
    stage: String,
    next_change: Option<Instant>,
}

fn moment(micros: i64) -> Outcome<Timestamp> {
    Timestamp::from_microsecond(micros)
        .map_err(|error| Fault::internal("a stored moment is none").caused_by(error))
}

impl TryFrom<Row> for Relationship {
    type Error = Fault;

    fn try_from(row: Row) -> Outcome<Self> {
        let rating = |(at, rating): (i64, i64)| Ok((moment(at)?, rating));
        Ok(Self {
            who: Who::parse(&row.person).ok_or_else(|| Fault::internal("a stored person is none"))?,
            version: row.version,
            merged_into: row.merged_into,
            orders: row.orders,
            first_order: row.first_order.map(Instant::timestamp),
            last_order: row.last_order.map(Instant::timestamp),
            amounts: row.amounts.0,
            dates: row.dates.0.into_iter().map(moment).collect::<Outcome<_>>()?,
            last_activity: row.last_activity.map(Instant::timestamp),
            ratings: Ratings {
                count: row.ratings,
                sum: row.ratings_sum,
                latest: row.ratings_latest.0.into_iter().map(rating).collect::<Outcome<_>>()?,
            },
            told: Stage::parse(&row.stage).ok_or_else(|| Fault::internal("a stored stage is none"))?,
            next_change: row.next_change.map(Instant::timestamp),
        })
    }
}

/// Locks those of these people that have a row. Each once; sorted here, so that everybody locks in one order: guests, then
/// customers.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, mut people: Vec<Who>) -> Outcome<Vec<Relationship>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    people.sort_unstable();
    let columns = [Column::text(people.iter().map(Who::key))];
    let rows: Vec<Row> = on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    rows.into_iter().map(Relationship::try_from).collect()
}

/// That of one person, if there is anything to know.
pub async fn find(session: &mut impl Session, tenant: &Tenant, who: &Who) -> Outcome<Option<Relationship>> {
    let row: Option<Row> = on_engine!(session, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(who.key()).fetch_optional(conn).await
    })?;
    row.map(Relationship::try_from).transpose()
}

/// Those of these people of whom something is known, in no order.
pub async fn find_many(
    session: &mut impl Session,
    tenant: &Tenant,
    people: &[Who],
) -> Outcome<Vec<Relationship>> {
    let columns = [Column::text(people.iter().map(Who::key))];
    let rows: Vec<Row> = on_engine!(session, FIND_MANY, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    rows.into_iter().map(Relationship::try_from).collect()
}

/// At most `limit` people of any tenant whose stage the clock has changed by `now`, those that it changed first first.
pub async fn due(session: &mut impl Session, now: Timestamp, limit: i64) -> Outcome<Vec<(Tenant, Who)>> {
    let rows: Vec<(String, String)> = on_engine!(session, DUE, |sql, conn| {
        sqlx::query_as(sql).bind(Instant(now)).bind(limit).fetch_all(conn).await
    })?;
    Ok(rows.iter().filter_map(|(tenant, person)| Tenant::parse(tenant).zip(Who::parse(person))).collect())
}

/// The same of one tenant.
pub async fn due_of(
    session: &mut impl Session,
    tenant: &Tenant,
    now: Timestamp,
    limit: i64,
) -> Outcome<Vec<Who>> {
    let rows: Vec<String> = on_engine!(session, DUE_OF, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(Instant(now)).bind(limit).fetch_all(conn).await
    })?;
    Ok(rows.iter().filter_map(|person| Who::parse(person)).collect())
}

fn columns(rows: &[&Relationship]) -> Outcome<[Column; 14]> {
    let micros = |at: &Timestamp| at.as_microsecond();
    let dates = |row: &Relationship| row.dates.iter().map(micros).collect::<Vec<_>>();
    let latest = |row: &Relationship| {
        row.ratings.latest.iter().map(|(at, rating)| (micros(at), *rating)).collect::<Vec<_>>()
    };
    Ok([
        Column::text(rows.iter().map(|row| row.who.key())),
        Column::int(rows.iter().map(|row| row.version)),
        Column::OptText(rows.iter().map(|row| row.merged_into.clone()).collect()),
        Column::int(rows.iter().map(|row| row.orders)),
        Column::OptInstant(rows.iter().map(|row| row.first_order).collect()),
        Column::OptInstant(rows.iter().map(|row| row.last_order).collect()),
        Column::json(rows.iter().map(|row| &row.amounts))?,
        Column::json(rows.iter().map(|row| dates(row)))?,
        Column::OptInstant(rows.iter().map(|row| row.last_activity).collect()),
        Column::int(rows.iter().map(|row| row.ratings.count)),
        Column::int(rows.iter().map(|row| row.ratings.sum)),
        Column::json(rows.iter().map(|row| latest(row)))?,
        Column::text(rows.iter().map(|row| row.told.text())),
        Column::OptInstant(rows.iter().map(|row| row.next_change).collect()),
    ])
}

/// Adds people of whom nothing was known. Somebody else may have added one meanwhile.
pub fn insert(rows: &[&Relationship]) -> Outcome<Write> {
    Ok(Write::new(INSERT).columns(columns(rows)?).or_replay())
}

/// Writes locked rows.
pub fn update(rows: &[&Relationship]) -> Outcome<Write> {
    Ok(Write::new(UPDATE).columns(columns(rows)?))
}
