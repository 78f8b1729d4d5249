//! Rows of objectives.

use std::collections::BTreeMap;

use tandem_kernel::money::{Currency, Money};
use tandem_kernel::period::{Window, Zone};
use tandem_platform::db::{Instant, Json, Session, Statement};
use tandem_platform::list::{Order, Position};
use tandem_platform::{Fault, Outcome, Tenant, Tx, on_engine};

use super::{Definition, Objective};
use crate::word;

macro_rules! columns {
    () => {
        "id, display_name, description, metric, target, target_currency, starts, ends, labels, state, version, \
         created, updated"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM objective WHERE tenant = $1 ", $rest)
    };
}

const FIND: Statement = Statement::same(select!("AND id = $2"));
const LOCK: Statement = Statement::pair(select!("AND id = $2 FOR NO KEY UPDATE"), select!("AND id = $2"));
const SHARE: Statement = Statement::pair(select!("AND id = $2 FOR SHARE"), select!("AND id = $2"));

const INSERT: Statement = Statement::same(concat!(
    "INSERT INTO objective (tenant, ",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING"
));

const UPDATE: Statement = Statement::same(
    "UPDATE objective
        SET display_name = $3, description = $4, metric = $5, target = $6, target_currency = $7, starts = $8,
            ends = $9, labels = $10, state = $11, version = $12, updated = $13
      WHERE tenant = $1 AND id = $2 AND version = $12 - 1",
);

const BY_NAME: Statement = Statement::same(select!("AND id > $2 ORDER BY id LIMIT $3"));
const BY_NAME_DESCENDING: Statement = Statement::same(select!("AND id < $2 ORDER BY id DESC LIMIT $3"));
const BY_TIME: Statement =
    Statement::same(select!("AND (created, id) > ($2, $3) ORDER BY created, id LIMIT $4"));
const BY_TIME_DESCENDING: Statement =
    Statement::same(select!("AND (created, id) < ($2, $3) ORDER BY created DESC, id DESC LIMIT $4"));

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("find", FIND),
    ("lock", LOCK),
    ("share", SHARE),
    ("insert", INSERT),
    ("update", UPDATE),
    ("by_name", BY_NAME),
    ("by_name_descending", BY_NAME_DESCENDING),
    ("by_time", BY_TIME),
    ("by_time_descending", BY_TIME_DESCENDING),
];

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    display_name: String,
    description: String,
    metric: String,
    target: i64,
    target_currency: Option<String>,
    starts: Option<Instant>,
    ends: Option<Instant>,
    labels: Json<BTreeMap<String, String>>,
    state: String,
    version: i64,
    created: Instant,
    updated: Instant,
}

impl Row {
    fn objective(self) -> Outcome<Objective> {
        let currency = self.target_currency.as_deref().map(Currency::new).transpose();
        let target_money = currency.map_err(unreadable)?.map(|currency| Money::new(self.target, currency));
        let (starts, ends) = (self.starts.map(Instant::timestamp), self.ends.map(Instant::timestamp));
        Ok(Objective {
            id: self.id,
            definition: Definition {
                display_name: self.display_name,
                description: self.description,
                metric: word::parse(&self.metric)?,
                target_count: if target_money.is_some() { 0 } else { self.target },
                target_money,
                window: Window::new(starts, ends, Zone::utc()).map_err(unreadable)?,
                labels: self.labels.0,
            },
            state: word::parse(&self.state)?,
            version: self.version,
            created: self.created.0,
            updated: self.updated.0,
        })
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::internal("a stored objective cannot be read").caused_by(error)
}

/// The objective `id`.
pub async fn find(session: &mut impl Session, tenant: &Tenant, id: &str) -> Outcome<Option<Objective>> {
    one(session, FIND, tenant, id).await
}

/// The objective `id`, to be changed in this transaction.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<Option<Objective>> {
    one(tx, LOCK, tenant, id).await
}

/// The objective `id`, which nobody changes until this transaction ends.
pub async fn share(tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<Option<Objective>> {
    one(tx, SHARE, tenant, id).await
}

async fn one(
    session: &mut impl Session,
    statement: Statement,
    tenant: &Tenant,
    id: &str,
) -> Outcome<Option<Objective>> {
    let row: Option<Row> = on_engine!(session, statement, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    row.map(Row::objective).transpose()
}

/// At most `limit` objectives behind `after`.
pub async fn scan(
    session: &mut impl Session,
    tenant: &Tenant,
    order: Order,
    after: &Position,
    limit: usize,
) -> Outcome<Vec<Objective>> {
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
    rows.into_iter().map(Row::objective).collect()
}

/// Stores a new objective; false where its id is taken.
pub async fn insert(tx: &mut Tx, tenant: &Tenant, objective: &Objective) -> Outcome<bool> {
    let Objective { id, definition, state, version, created, updated } = objective;
    let (target, currency) = target(definition);
    let stored = on_engine!(tx, INSERT, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(id);
        let query = query.bind(&definition.display_name).bind(&definition.description);
        let query = query.bind(word::of(&definition.metric)).bind(target).bind(currency);
        let query =
            query.bind(definition.window.start().map(Instant)).bind(definition.window.end().map(Instant));
        let query = query.bind(Json(&definition.labels)).bind(word::of(state)).bind(version);
        let query = query.bind(Instant(*created)).bind(Instant(*updated));
        query.execute(conn).await.map(|done| done.rows_affected())
    })?;
    Ok(stored == 1)
}

/// Stores the next version of a locked objective.
pub async fn update(tx: &mut Tx, tenant: &Tenant, objective: &Objective) -> Outcome<()> {
    let Objective { id, definition, state, version, updated, .. } = objective;
    let (target, currency) = target(definition);
    let stored = on_engine!(tx, UPDATE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(id);
        let query = query.bind(&definition.display_name).bind(&definition.description);
        let query = query.bind(word::of(&definition.metric)).bind(target).bind(currency);
        let query =
            query.bind(definition.window.start().map(Instant)).bind(definition.window.end().map(Instant));
        let query = query.bind(Json(&definition.labels)).bind(word::of(state)).bind(version);
        query.bind(Instant(*updated)).execute(conn).await.map(|done| done.rows_affected())
    })?;
    if stored == 1 { Ok(()) } else { Err(Fault::internal("a locked objective was not there to be changed")) }
}

fn target(definition: &Definition) -> (i64, Option<&str>) {
    match &definition.target_money {
        Some(money) => (money.minor, Some(money.currency.code())),
        None => (definition.target_count, None),
    }
}
