//! Orders of people in the database.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::FromRow;
use sqlx::types::Json;
use tandem_kernel::money::Currency;
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement, Write};
use tandem_platform::{Fault, Outcome, Tenant, Tx, on_engine};

use super::super::Details;
use super::super::order::Order;
use super::{Span, hash_of, money};
use crate::relationship::{MAX_DATES, Who};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT o.order_id, o.person, o.placed, o.recorded, o.hash, o.currency, o.amount, o.returned,
                    o.returned_by_hand, o.cancelled, o.told_version, o.details
               FROM customer_order AS o ",
            $rest
        )
    };
}

// Locks in the order of the parameter.
const LOCK: Statement = Statement::pair(
    concat!(
        "SELECT o.* FROM UNNEST($2::text[]) AS wanted (order_id) CROSS JOIN LATERAL (",
        select!("WHERE o.tenant = $1 AND o.order_id = wanted.order_id FOR NO KEY UPDATE"),
        ") AS o"
    ),
    select!(
        "WHERE o.tenant = $1 AND o.order_id IN (SELECT value->>0 FROM json_each($2)) ORDER BY o.order_id"
    ),
);

const LOCK_OF: Statement = Statement::pair(
    "SELECT order_id FROM customer_order WHERE tenant = $1 AND person = $2 ORDER BY order_id FOR NO KEY UPDATE",
    "SELECT order_id FROM customer_order WHERE tenant = $1 AND person = $2 ORDER BY order_id",
);

const NEWEST: Statement = Statement::same(select!(
    "WHERE o.tenant = $1 AND o.person = $2 AND o.placed IS NOT NULL AND o.placed >= $3
       AND (o.placed, o.order_id) < ($4, $5)
     ORDER BY o.placed DESC, o.order_id DESC LIMIT $6"
));

// With those that are still called by another name of the customer's.
macro_rules! dates {
    ($aliases:literal, $orders:literal, $rest:literal) => {
        concat!(
            "SELECT placed FROM (
                SELECT placed FROM customer_order
                 WHERE tenant = $1 AND person = $2 AND placed IS NOT NULL AND NOT cancelled
                UNION ALL SELECT o.placed FROM customer_alias AS a ",
            $aliases,
            " CROSS JOIN customer_order AS o ",
            $orders,
            " WHERE a.tenant = $1 AND a.merged_into = $3 AND a.due IS NOT NULL
                   AND o.tenant = $1 AND o.person = a.person AND o.placed IS NOT NULL AND NOT o.cancelled) AS dates ",
            $rest
        )
    };
}

const LATEST_DATES: Statement = Statement::pair(
    dates!("", "", "ORDER BY placed DESC LIMIT $4"),
    dates!(
        "INDEXED BY customer_alias_into",
        "INDEXED BY customer_order_person",
        "ORDER BY placed DESC LIMIT $4"
    ),
);

const FIRST_DATE: Statement = Statement::pair(
    dates!("", "", "ORDER BY placed LIMIT 1"),
    dates!("INDEXED BY customer_alias_into", "INDEXED BY customer_order_person", "ORDER BY placed LIMIT 1"),
);

const HAND_OVER: Statement =
    Statement::same("UPDATE customer_order SET person = $3 WHERE tenant = $1 AND person = $2");

macro_rules! insert {
    ($source:literal, $rest:literal) => {
        concat!(
            "INSERT INTO customer_order (tenant, order_id, person, placed, recorded, hash, currency, amount, returned,
                                         returned_by_hand, cancelled, told_version, details) ",
            $source,
            $rest
        )
    };
}

const INSERT: Statement = Statement::pair(
    insert!(
        "SELECT $1, * FROM UNNEST($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bytea[], $7::text[],
                                  $8::bigint[], $9::bigint[], $10::jsonb[], $11::boolean[], $12::bigint[], $13::jsonb[])",
        ""
    ),
    insert!(
        "SELECT $1, value->>0, value->>1, value->>2, value->>3, unhex(value->>4), value->>5, value->>6, value->>7,
                value->>8, value->>9, value->>10, value->>11 FROM json_each($2)",
        ""
    ),
);

// Nothing is ever inserted: the rows are there and locked.
const UPDATE: Statement = Statement::pair(
    insert!(
        "SELECT $1, * FROM UNNEST($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bytea[], $7::text[],
                                  $8::bigint[], $9::bigint[], $10::jsonb[], $11::boolean[], $12::bigint[], $13::jsonb[])",
        " ON CONFLICT (tenant, order_id) DO UPDATE
             SET person = EXCLUDED.person, placed = EXCLUDED.placed, hash = EXCLUDED.hash,
                 currency = EXCLUDED.currency, amount = EXCLUDED.amount, returned = EXCLUDED.returned,
                 returned_by_hand = EXCLUDED.returned_by_hand, cancelled = EXCLUDED.cancelled,
                 told_version = EXCLUDED.told_version, details = EXCLUDED.details"
    ),
    insert!(
        "SELECT $1, value->>0, value->>1, value->>2, value->>3, unhex(value->>4), value->>5, value->>6, value->>7,
                value->>8, value->>9, value->>10, value->>11 FROM json_each($2) WHERE true",
        " ON CONFLICT (tenant, order_id) DO UPDATE
             SET person = excluded.person, placed = excluded.placed, hash = excluded.hash,
                 currency = excluded.currency, amount = excluded.amount, returned = excluded.returned,
                 returned_by_hand = excluded.returned_by_hand, cancelled = excluded.cancelled,
                 told_version = excluded.told_version, details = excluded.details"
    ),
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("customer_order::lock", LOCK),
    ("customer_order::lock_of", LOCK_OF),
    ("customer_order::newest", NEWEST),
    ("customer_order::latest_dates", LATEST_DATES),
    ("customer_order::first_date", FIRST_DATE),
    ("customer_order::hand_over", HAND_OVER),
    ("customer_order::insert", INSERT),
    ("customer_order::update", UPDATE),
];

#[derive(Debug, FromRow)]
struct Row {
    order_id: String,
    person: String,
    placed: Option<Instant>,
    recorded: Instant,
    hash: Option<Vec<u8>>,
    currency: Option<String>,
    amount: i64,
    returned: i64,
    returned_by_hand: Json<BTreeMap<Currency, i64>>,
    cancelled: bool,
    told_version: i64,
    details: Json<Details>,
}

impl TryFrom<Row> for Order {
    type Error = Fault;

    fn try_from(row: Row) -> Outcome<Self> {
        Ok(Self {
            id: row.order_id,
            who: Who::parse(&row.person).ok_or_else(|| Fault::internal("a stored person is none"))?,
            placed: row.placed.map(Instant::timestamp),
            recorded: row.recorded.timestamp(),
            hash: row.hash.map(hash_of).transpose()?,
            amount: money(row.currency.as_deref(), Some(row.amount))?,
            returned: row.returned,
            returned_by_hand: row.returned_by_hand.0,
            cancelled: row.cancelled,
            told: row.told_version,
            details: row.details.0,
        })
    }
}

fn all(rows: Vec<Row>) -> Outcome<Vec<Order>> {
    rows.into_iter().map(Order::try_from).collect()
}

/// Locks those of these orders that are known, in the order of their ids.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, mut ids: Vec<String>) -> Outcome<Vec<Order>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    ids.sort_unstable();
    let columns = [Column::Text(ids)];
    all(on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// Locks all orders of one person.
pub async fn lock_of(tx: &mut Tx, tenant: &Tenant, who: &Who) -> Outcome<()> {
    let _: Vec<String> = on_engine!(tx, LOCK_OF, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(who.key()).fetch_all(conn).await
    })?;
    Ok(())
}

/// At most `limit` orders of one person, newest first.
pub async fn newest(
    session: &mut impl Session,
    tenant: &Tenant,
    who: &Who,
    span: Span<'_>,
    limit: i64,
) -> Outcome<Vec<Order>> {
    all(on_engine!(session, NEWEST, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(who.key()).bind(Instant(span.from));
        query.bind(Instant(span.before.0)).bind(span.before.1).bind(limit).fetch_all(conn).await
    })?)
}

/// When somebody's latest orders that count were, the earliest first, and when the first of all was.
pub async fn dates(
    session: &mut impl Session,
    tenant: &Tenant,
    who: &Who,
) -> Outcome<(Vec<Timestamp>, Option<Timestamp>)> {
    let most = i64::try_from(MAX_DATES).unwrap_or(i64::MAX);
    let mut latest: Vec<Instant> = on_engine!(session, LATEST_DATES, |sql, conn| {
        let query = sqlx::query_scalar(sql).bind(tenant.as_str()).bind(who.key()).bind(who.id());
        query.bind(most).fetch_all(conn).await
    })?;
    latest.reverse();
    let first: Option<Instant> = on_engine!(session, FIRST_DATE, |sql, conn| {
        sqlx::query_scalar(sql)
            .bind(tenant.as_str())
            .bind(who.key())
            .bind(who.id())
            .fetch_optional(conn)
            .await
    })?;
    Ok((latest.into_iter().map(Instant::timestamp).collect(), first.map(Instant::timestamp)))
}

/// Gives all orders of a guest to the customer.
pub fn hand_over(from: &Who, to: &Who) -> Write {
    Write::new(HAND_OVER).text(&from.key()).text(&to.key()).where_needed()
}

fn columns(orders: &[&Order]) -> Outcome<[Column; 12]> {
    Ok([
        Column::text(orders.iter().map(|one| &*one.id)),
        Column::text(orders.iter().map(|one| one.who.key())),
        Column::OptInstant(orders.iter().map(|one| one.placed).collect()),
        Column::Instant(orders.iter().map(|one| one.recorded).collect()),
        Column::OptBytes(orders.iter().map(|one| one.hash.map(|hash| hash.to_vec())).collect()),
        Column::OptText(
            orders.iter().map(|one| one.amount.map(|amount| amount.currency.to_string())).collect(),
        ),
        Column::int(orders.iter().map(|one| one.amount.map_or(0, |amount| amount.minor))),
        Column::int(orders.iter().map(|one| one.returned)),
        Column::json(orders.iter().map(|one| &one.returned_by_hand))?,
        Column::Bool(orders.iter().map(|one| one.cancelled).collect()),
        Column::int(orders.iter().map(|one| one.told)),
        Column::json(orders.iter().map(|one| &one.details))?,
    ])
}

/// Adds orders of which nothing was known. Somebody else may have added one meanwhile.
pub fn insert(orders: &[&Order]) -> Outcome<Write> {
    Ok(Write::new(INSERT).columns(columns(orders)?).or_replay())
}

/// Writes locked orders.
pub fn update(orders: &[&Order]) -> Outcome<Write> {
    Ok(Write::new(UPDATE).columns(columns(orders)?))
}
