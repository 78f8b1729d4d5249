//! What rules ask for of orders and interactions, for many people at once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::FromRow;
use tandem_kernel::money::Currency;
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};

use crate::interaction::Kind;
use crate::relationship::{Who, days};

/// Of each person and each window: what was paid, and what came back by hand, by currency.
const WINDOWS: Statement = Statement::pair(
    "SELECT p.person, w.days, c.currency, count(*) AS orders,
            sum(c.amount - CASE WHEN c.told_version > 0 THEN c.returned ELSE 0 END)::bigint AS amount,
            min(c.placed) AS first
       FROM UNNEST($2::text[]) AS p (person) CROSS JOIN UNNEST($3::bigint[], $4::timestamptz[]) AS w (days, begin)
       JOIN customer_order AS c ON c.tenant = $1 AND c.person = p.person
      WHERE c.placed > w.begin AND c.placed <= $5 AND NOT c.cancelled
      GROUP BY p.person, w.days, c.currency
     UNION ALL
     SELECT p.person, w.days, b.key, 0, -sum(b.value::bigint)::bigint, min(c.placed)
       FROM UNNEST($2::text[]) AS p (person) CROSS JOIN UNNEST($3::bigint[], $4::timestamptz[]) AS w (days, begin)
       JOIN customer_order AS c ON c.tenant = $1 AND c.person = p.person
      CROSS JOIN LATERAL jsonb_each_text(c.returned_by_hand) AS b
      WHERE c.placed > w.begin AND c.placed <= $5 AND NOT c.cancelled AND c.told_version = 0
      GROUP BY p.person, w.days, b.key",
    "SELECT p.value->>0 AS person, w.value->>0 AS days, c.currency, count(*) AS orders,
            sum(c.amount - CASE WHEN c.told_version > 0 THEN c.returned ELSE 0 END) AS amount, min(c.placed) AS first
       FROM json_each($2) AS p CROSS JOIN json_each($3) AS w
      CROSS JOIN customer_order AS c ON c.tenant = $1 AND c.person = p.value->>0
      WHERE c.placed > w.value->>1 AND c.placed <= $4 AND NOT c.cancelled
      GROUP BY p.value->>0, w.value->>0, c.currency
     UNION ALL
     SELECT p.value->>0, w.value->>0, b.key, 0, -sum(b.value), min(c.placed)
       FROM json_each($2) AS p CROSS JOIN json_each($3) AS w
      CROSS JOIN customer_order AS c ON c.tenant = $1 AND c.person = p.value->>0
      CROSS JOIN json_each(c.returned_by_hand) AS b
      WHERE c.placed > w.value->>1 AND c.placed <= $4 AND NOT c.cancelled AND c.told_version = 0
      GROUP BY p.value->>0, w.value->>0, b.key",
);

// By the person, whatever the planner knows: by the type it would go through all that the tenant keeps of it.
const LAST: Statement = Statement::pair(
    "SELECT p.person, k.type, i.happened
       FROM UNNEST($2::text[]) AS p (person) CROSS JOIN UNNEST($3::text[]) AS k (type)
      CROSS JOIN LATERAL (
        SELECT happened FROM interaction
         WHERE tenant = $1 AND person = p.person AND type || '' = k.type AND happened <= $4
         ORDER BY happened DESC LIMIT 1) AS i",
    "SELECT p.value->>0 AS person, k.value->>0 AS type, max(i.happened) AS happened
       FROM json_each($2) AS p CROSS JOIN json_each($3) AS k
      CROSS JOIN interaction AS i ON i.tenant = $1 AND i.person = p.value->>0 AND i.type || '' = k.value->>0
      WHERE i.happened <= $4 GROUP BY p.value->>0, k.value->>0",
);

const LAST_ORDER: Statement = Statement::pair(
    "SELECT p.person, 'ORDER' AS type, o.placed AS happened
       FROM UNNEST($2::text[]) AS p (person) CROSS JOIN LATERAL (
        SELECT placed FROM customer_order
         WHERE tenant = $1 AND person = p.person AND placed <= $3 AND NOT cancelled
         ORDER BY placed DESC LIMIT 1) AS o",
    "SELECT p.value->>0 AS person, 'ORDER' AS type, max(o.placed) AS happened
       FROM json_each($2) AS p CROSS JOIN customer_order AS o ON o.tenant = $1 AND o.person = p.value->>0
      WHERE o.placed <= $3 AND NOT o.cancelled GROUP BY p.value->>0",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] =
    &[("windows", WINDOWS), ("last", LAST), ("last_order", LAST_ORDER)];

/// The orders of a window that count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// How many.
    pub count: i64,
    /// What they brought net of returns, in minor units.
    pub amounts: BTreeMap<Currency, i64>,
    /// When the first of them was.
    pub first: Option<Timestamp>,
}

fn id(person: &str) -> Outcome<String> {
    match Who::parse(person) {
        Some(Who::Customer(id)) => Ok(id),
        _ => Err(Fault::internal("a stored person is no customer")),
    }
}

fn keys(people: &[Who]) -> Column {
    Column::text(people.iter().map(Who::key))
}

#[derive(FromRow)]
struct Part {
    person: String,
    days: i64,
    currency: Option<String>,
    orders: i64,
    amount: i64,
    first: Instant,
}

/// The orders of these people in windows of so many days up to `now`: who, how many days, what. Who has none is not among them.
pub async fn windows(
    session: &mut impl Session,
    tenant: &Tenant,
    people: &[Who],
    lengths: &BTreeSet<u32>,
    now: Timestamp,
) -> Outcome<Vec<(String, u32, Window)>> {
    if lengths.is_empty() {
        return Ok(Vec::new());
    }
    let (people, windows) = (
        [keys(people)],
        [
            Column::int(lengths.iter().map(|length| i64::from(*length))),
            Column::Instant(lengths.iter().map(|length| now - days(*length)).collect()),
        ],
    );
    let parts: Vec<Part> = on_engine!(session, WINDOWS, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&people).bind_columns(&windows);
        query.bind(Instant(now)).fetch_all(conn).await
    })?;
    let mut found: BTreeMap<(String, u32), Window> = BTreeMap::new();
    for part in parts {
        let length = u32::try_from(part.days).map_err(|_| Fault::internal("a window has no length"))?;
        let window = found.entry((id(&part.person)?, length)).or_default();
        window.count += part.orders;
        let first = part.first.timestamp();
        window.first = Some(window.first.map_or(first, |known| known.min(first)));
        if let Some(currency) = part.currency.as_deref() {
            let currency = Currency::new(currency)
                .map_err(|error| Fault::internal("a stored currency is none").caused_by(error))?;
            *window.amounts.entry(currency).or_default() += part.amount;
        }
    }
    Ok(found.into_iter().map(|((id, length), window)| (id, length, window)).collect())
}

/// When the last interaction of each of these kinds was, up to `now`: who, which, when.
pub async fn last(
    session: &mut impl Session,
    tenant: &Tenant,
    people: &[Who],
    mut kinds: BTreeSet<Kind>,
    now: Timestamp,
) -> Outcome<Vec<(String, Kind, Timestamp)>> {
    let people = [keys(people)];
    let mut rows: Vec<(String, String, Instant)> = Vec::new();
    // An order is no interaction of its own.
    if kinds.remove(&Kind::Order) {
        rows.extend(on_engine!(session, LAST_ORDER, |sql, conn| {
            let query = sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&people).bind(Instant(now));
            query.fetch_all(conn).await
        })?);
    }
    if !kinds.is_empty() {
        let kinds = [Column::text(kinds.into_iter().map(Kind::text))];
        let found: Vec<(String, String, Instant)> = on_engine!(session, LAST, |sql, conn| {
            let query = sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&people).bind_columns(&kinds);
            query.bind(Instant(now)).fetch_all(conn).await
        })?;
        rows.extend(found);
    }
    let row = |(person, kind, at): (String, String, Instant)| {
        let kind = Kind::parse(&kind).ok_or_else(|| Fault::internal("a stored kind is none"))?;
        Ok((id(&person)?, kind, at.timestamp()))
    };
    rows.into_iter().map(row).collect()
}
