//! Customers in the database.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tandem_kernel::period::Date;
use tandem_platform::db::{BindColumns, Column, Instant, Json, Session, Statement};
use tandem_platform::list::{Order, Position};
use tandem_platform::{Fault, Outcome, Tenant, Tx, on_engine};

use super::{Customer, Profile};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, version, display_name, email, phone, locale, time_zone, country, birth_year, birth_month,
                    birth_day, attributes, tags, since, created, updated FROM customer ",
            $tail
        )
    };
}

const FIND: Statement = Statement::same(select!("WHERE tenant = $1 AND id = $2"));

const LOCK: Statement = Statement::pair(
    select!("WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE"),
    select!("WHERE tenant = $1 AND id = $2"),
);

const LOCK_IDS: Statement = Statement::pair(
    "SELECT id FROM customer WHERE tenant = $1 AND id = ANY($2::text[]) ORDER BY id FOR NO KEY UPDATE",
    "SELECT id FROM customer WHERE tenant = $1 AND id IN (SELECT value->>0 FROM json_each($2)) ORDER BY id",
);

const FIND_WITH_CATALOGUE: Statement = Statement::pair(
    // LATERAL: one probe of the primary key per id, whatever the planner knows of the table.
    concat!(
        "SELECT c.*, (SELECT catalogue.version FROM segment_catalogue AS catalogue WHERE catalogue.tenant = $1)
                     AS catalogue
           FROM UNNEST($2::text[]) AS wanted (id) CROSS JOIN LATERAL (",
        select!("WHERE tenant = $1 AND id = wanted.id LIMIT 1"),
        ") AS c"
    ),
    concat!(
        "SELECT c.*, (SELECT catalogue.version FROM segment_catalogue AS catalogue WHERE catalogue.tenant = $1)
                     AS catalogue
           FROM (",
        select!("WHERE tenant = $1 AND id IN (SELECT value->>0 FROM json_each($2))"),
        ") AS c"
    ),
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
    "INSERT INTO customer (tenant, id, version, display_name, email, phone, locale, time_zone, country, birth_year,
                           birth_month, birth_day, attributes, tags, since, created, updated)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING",
);

const UPDATE: Statement = Statement::same(
    "UPDATE customer
        SET version = $3, display_name = $4, email = $5, phone = $6, locale = $7, time_zone = $8, country = $9,
            birth_year = $10, birth_month = $11, birth_day = $12, attributes = $13, tags = $14, since = $15,
            created = $16, updated = $17
      WHERE tenant = $1 AND id = $2 AND version = $3 - 1",
);

macro_rules! upsert {
    ($from:literal) => {
        concat!(
            "INSERT INTO customer (tenant, id, version, display_name, email, phone, locale, time_zone, country,
                                   birth_year, birth_month, birth_day, attributes, tags, since, created, updated) ",
            $from,
            " ON CONFLICT (tenant, id) DO UPDATE
                 SET version = customer.version + 1, display_name = excluded.display_name, email = excluded.email,
                     phone = excluded.phone, locale = excluded.locale, time_zone = excluded.time_zone,
                     country = excluded.country, birth_year = excluded.birth_year, birth_month = excluded.birth_month,
                     birth_day = excluded.birth_day, attributes = excluded.attributes, tags = excluded.tags,
                     since = excluded.since, updated = excluded.updated
              RETURNING id, version, created"
        )
    };
}

const UPSERT_MANY: Statement = Statement::pair(
    upsert!(
        "SELECT $1, id, 1, display_name, email, phone, locale, time_zone, country, birth_year, birth_month, birth_day,
                attributes, tags, since, $2, $2
           FROM UNNEST($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                       $10::bigint[], $11::bigint[], $12::bigint[], $13::jsonb[], $14::jsonb[], $15::timestamptz[])
                AS given (id, display_name, email, phone, locale, time_zone, country, birth_year, birth_month,
                          birth_day, attributes, tags, since)"
    ),
    upsert!(
        "SELECT $1, value->>0, 1, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
                value->>8, value->>9, value->>10, value->>11, value->>12, $2, $2
           FROM json_each($3) WHERE true"
    ),
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("find", FIND),
    ("lock", LOCK),
    ("lock_ids", LOCK_IDS),
    ("find_with_catalogue", FIND_WITH_CATALOGUE),
    ("by_name", BY_NAME),
    ("by_name_descending", BY_NAME_DESCENDING),
    ("by_time", BY_TIME),
    ("by_time_descending", BY_TIME_DESCENDING),
    ("insert", INSERT),
    ("update", UPDATE),
    ("upsert_many", UPSERT_MANY),
];

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    version: i64,
    display_name: String,
    email: String,
    phone: String,
    locale: String,
    time_zone: String,
    country: String,
    birth_year: Option<i64>,
    birth_month: Option<i64>,
    birth_day: Option<i64>,
    attributes: Json<BTreeMap<String, String>>,
    tags: Json<Vec<String>>,
    since: Option<Instant>,
    created: Instant,
    updated: Instant,
}

impl TryFrom<Row> for Customer {
    type Error = Fault;

    fn try_from(row: Row) -> Outcome<Self> {
        let profile = Profile {
            birthday: birthday(row.birth_year, row.birth_month, row.birth_day)?,
            display_name: row.display_name,
            email: row.email,
            phone: row.phone,
            locale: row.locale,
            time_zone: row.time_zone,
            country: row.country,
            attributes: row.attributes.0,
            tags: row.tags.0,
            since: row.since.map(Instant::timestamp),
        };
        let (created, updated) = (row.created.0, row.updated.0);
        Ok(Self { id: row.id, version: row.version, profile, created, updated })
    }
}

fn birthday(year: Option<i64>, month: Option<i64>, day: Option<i64>) -> Outcome<Option<Date>> {
    let (Some(month), Some(day)) = (month, day) else { return Ok(None) };
    let narrow = |value: i64| i32::try_from(value).unwrap_or(0);
    Date::new(year.map(narrow), narrow(month), narrow(day))
        .map(Some)
        .map_err(|error| Fault::internal("a stored birthday is no date").caused_by(error))
}

#[derive(sqlx::FromRow)]
struct RowWithCatalogue {
    #[sqlx(flatten)]
    row: Row,
    catalogue: Option<i64>,
}

/// One customer.
pub async fn find(session: &mut impl Session, tenant: &Tenant, id: &str) -> Outcome<Option<Customer>> {
    let row: Option<Row> = on_engine!(session, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    row.map(Customer::try_from).transpose()
}

/// One customer, locked against other writers.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<Option<Customer>> {
    let row: Option<Row> = on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    row.map(Customer::try_from).transpose()
}

/// Locks these customers in the order of their ids, and answers those that exist.
pub async fn lock_ids(tx: &mut Tx, tenant: &Tenant, ids: &[String]) -> Outcome<Vec<String>> {
    let columns = [Column::Text(ids.to_vec())];
    Ok(on_engine!(tx, LOCK_IDS, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// Those of these customers that exist, in no order, with the version of the tenant's segments at the same moment; see
/// [`crate::segment::catalogue`].
pub async fn find_with_catalogue(
    session: &mut impl Session,
    tenant: &Tenant,
    ids: Vec<String>,
) -> Outcome<(Vec<Customer>, i64)> {
    let columns = [Column::Text(ids)];
    let found: Vec<RowWithCatalogue> = on_engine!(session, FIND_WITH_CATALOGUE, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    let version = found.first().and_then(|found| found.catalogue).unwrap_or(0);
    let customers = found.into_iter().map(|found| found.row.try_into()).collect::<Outcome<_>>()?;
    Ok((customers, version))
}

/// At most `limit` customers behind `after`.
pub async fn scan(
    session: &mut impl Session,
    tenant: &Tenant,
    order: Order,
    after: &Position,
    limit: i64,
) -> Outcome<Vec<Customer>> {
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
    rows.into_iter().map(Customer::try_from).collect()
}

/// At most `limit` customers whose ids come after `id`, in the order of their ids.
pub async fn after(
    session: &mut impl Session,
    tenant: &Tenant,
    id: &str,
    limit: i64,
) -> Outcome<Vec<Customer>> {
    let after = Position { created: Timestamp::UNIX_EPOCH, id: id.to_owned() };
    scan(session, tenant, Order::Name, &after, limit).await
}

/// Stores a new customer; false where the id is taken.
pub async fn insert(tx: &mut Tx, tenant: &Tenant, customer: &Customer) -> Outcome<bool> {
    Ok(write(tx, INSERT, tenant, customer).await? > 0)
}

/// Stores the next version of a locked customer.
pub async fn update(tx: &mut Tx, tenant: &Tenant, customer: &Customer) -> Outcome<()> {
    let updated = write(tx, UPDATE, tenant, customer).await?;
    if updated == 1 { Ok(()) } else { Err(Fault::internal("a locked customer has changed")) }
}

async fn write(tx: &mut Tx, statement: Statement, tenant: &Tenant, customer: &Customer) -> Outcome<u64> {
    let Customer { id, version, profile, created, updated } = customer;
    let [year, month, day] = parts(profile.birthday);
    Ok(on_engine!(tx, statement, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(id).bind(version).bind(&profile.display_name);
        let query =
            query.bind(&profile.email).bind(&profile.phone).bind(&profile.locale).bind(&profile.time_zone);
        let query =
            query.bind(&profile.country).bind(year).bind(month).bind(day).bind(Json(&profile.attributes));
        let query = query.bind(Json(&profile.tags)).bind(profile.since.map(Instant));
        let query = query.bind(Instant(*created)).bind(Instant(*updated));
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}

fn parts(birthday: Option<Date>) -> [Option<i64>; 3] {
    match birthday {
        Some(date) => [date.year().map(i64::from), Some(date.month().into()), Some(date.day().into())],
        None => [None; 3],
    }
}

/// What a set-based write did to one customer.
#[derive(Debug, sqlx::FromRow)]
pub struct Written {
    /// The id.
    pub id: String,
    /// 1 where it did not exist before.
    pub version: i64,
    created: Instant,
}

impl Written {
    /// When the customer was created.
    pub fn created(&self) -> Timestamp {
        self.created.0
    }
}

/// Creates or replaces customers at `now`. The ids differ and are sorted: rows are locked in that order.
pub async fn upsert_many(
    tx: &mut Tx,
    tenant: &Tenant,
    customers: &[(String, Profile)],
    now: Timestamp,
) -> Outcome<Vec<Written>> {
    let texts = |of: fn(&Profile) -> &String| Column::text(customers.iter().map(|(_, profile)| of(profile)));
    let part = |place: usize| {
        Column::OptInt(customers.iter().map(|(_, profile)| parts(profile.birthday)[place]).collect())
    };
    let columns = [
        Column::text(customers.iter().map(|(id, _)| id)),
        texts(|profile| &profile.display_name),
        texts(|profile| &profile.email),
        texts(|profile| &profile.phone),
        texts(|profile| &profile.locale),
        texts(|profile| &profile.time_zone),
        texts(|profile| &profile.country),
        part(0),
        part(1),
        part(2),
        Column::json(customers.iter().map(|(_, profile)| &profile.attributes))?,
        Column::json(customers.iter().map(|(_, profile)| &profile.tags))?,
        Column::OptInstant(customers.iter().map(|(_, profile)| profile.since).collect()),
    ];
    Ok(on_engine!(tx, UPSERT_MANY, |sql, conn| {
        sqlx::query_as(sql)
            .bind(tenant.as_str())
            .bind(Instant(now))
            .bind_columns(&columns)
            .fetch_all(conn)
            .await
    })?)
}
