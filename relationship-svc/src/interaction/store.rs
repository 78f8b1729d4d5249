//! Interactions in the database.

pub mod due;
pub mod order;

use jiff::Timestamp;
use sqlx::FromRow;
use sqlx::types::Json;
use tandem_kernel::money::{Currency, Money};
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement, Write};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};

use super::{Details, Interaction, Kind};
use crate::relationship::Who;

// LATERAL: one probe of the primary key per id, whatever the planner knows of the table.
const KNOWN: Statement = Statement::pair(
    "SELECT i.event_id, i.hash FROM UNNEST($2::text[]) AS wanted (event_id) CROSS JOIN LATERAL
        (SELECT event_id, hash FROM interaction WHERE tenant = $1 AND event_id = wanted.event_id LIMIT 1) AS i",
    "SELECT event_id, hash FROM interaction
      WHERE tenant = $1 AND event_id IN (SELECT value->>0 FROM json_each($2))",
);

const INSERT: Statement = Statement::pair(
    "INSERT INTO interaction (tenant, recorded, event_id, person, type, happened, hash, currency, amount, order_id,
                              rating, details)
     SELECT $1, $2, * FROM UNNEST($3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bytea[], $8::text[],
                                  $9::bigint[], $10::text[], $11::bigint[], $12::jsonb[])",
    "INSERT INTO interaction (tenant, recorded, event_id, person, type, happened, hash, currency, amount, order_id,
                              rating, details)
     SELECT $1, $2, value->>0, value->>1, value->>2, value->>3, unhex(value->>4), value->>5, value->>6, value->>7,
            value->>8, value->>9 FROM json_each($3)",
);

const NEWEST: Statement = Statement::same(
    "SELECT event_id, type, happened, recorded, currency, amount, order_id, rating, details FROM interaction
      WHERE tenant = $1 AND person = $2 AND happened >= $3 AND (happened, event_id) < ($4, $5)
      ORDER BY happened DESC, event_id DESC LIMIT $6",
);

const HAND_OVER: Statement =
    Statement::same("UPDATE interaction SET person = $3 WHERE tenant = $1 AND person = $2");

// Which of these pseudonyms stand for somebody who was erased.
const ERASED: Statement = Statement::pair(
    "SELECT pseudonym FROM erasure WHERE tenant = $1 AND pseudonym = ANY($2::text[])",
    "SELECT pseudonym FROM erasure WHERE tenant = $1 AND pseudonym IN (SELECT value->>0 FROM json_each($2))",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("interaction::known", KNOWN),
    ("interaction::insert", INSERT),
    ("interaction::newest", NEWEST),
    ("interaction::hand_over", HAND_OVER),
    ("interaction::erased", ERASED),
];

/// What is stored under these ids: the hashes of what was sent.
pub async fn known(
    session: &mut impl Session,
    tenant: &Tenant,
    ids: Vec<String>,
) -> Outcome<Vec<(String, [u8; 32])>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [Column::Text(ids)];
    let rows: Vec<(String, Vec<u8>)> = on_engine!(session, KNOWN, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    rows.into_iter().map(|(id, hash)| Ok((id, hash_of(hash)?))).collect()
}

fn hash_of(hash: Vec<u8>) -> Outcome<[u8; 32]> {
    hash.try_into().map_err(|_| Fault::internal("a stored hash is none"))
}

/// Adds interactions of these people. Somebody else may have added one meanwhile.
pub fn insert(rows: &[(Who, Interaction)], now: Timestamp) -> Outcome<Write> {
    let of = || rows.iter().map(|(_, one)| one);
    let columns = [
        Column::text(of().map(|one| &*one.event_id)),
        Column::text(rows.iter().map(|(who, _)| who.key())),
        Column::text(of().map(|one| one.kind.text())),
        Column::Instant(of().map(|one| one.at).collect()),
        Column::Bytes(of().map(|one| one.hash.to_vec()).collect()),
        Column::OptText(of().map(|one| one.amount.map(|amount| amount.currency.to_string())).collect()),
        Column::OptInt(of().map(|one| one.amount.map(|amount| amount.minor)).collect()),
        Column::OptText(of().map(|one| one.order.clone()).collect()),
        Column::OptInt(of().map(|one| one.rating).collect()),
        Column::json(of().map(|one| &one.details))?,
    ];
    Ok(Write::new(INSERT).instant(now).columns(columns).or_replay())
}

/// Gives all that a guest did to the customer.
pub fn hand_over(from: &Who, to: &Who) -> Write {
    Write::new(HAND_OVER).text(&from.key()).text(&to.key()).where_needed()
}

/// Those of these pseudonyms that stand for somebody who was erased.
pub async fn erased(
    session: &mut impl Session,
    tenant: &Tenant,
    pseudonyms: Vec<String>,
) -> Outcome<Vec<String>> {
    if pseudonyms.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [Column::Text(pseudonyms)];
    Ok(on_engine!(session, ERASED, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// One interaction of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The caller's id.
    pub event_id: String,
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// When it was told.
    pub recorded: Timestamp,
    /// Its money.
    pub amount: Option<Money>,
    /// The order it is about.
    pub order: Option<String>,
    /// The rest.
    pub details: Details,
}

#[derive(Debug, FromRow)]
struct Row {
    event_id: String,
    r#type: String,
    happened: Instant,
    recorded: Instant,
    currency: Option<String>,
    amount: Option<i64>,
    order_id: Option<String>,
    details: Json<Details>,
}

impl TryFrom<Row> for Entry {
    type Error = Fault;

    fn try_from(row: Row) -> Outcome<Self> {
        Ok(Self {
            kind: Kind::parse(&row.r#type).ok_or_else(|| Fault::internal("a stored type is none"))?,
            at: row.happened.timestamp(),
            recorded: row.recorded.timestamp(),
            amount: money(row.currency.as_deref(), row.amount)?,
            event_id: row.event_id,
            order: row.order_id,
            details: row.details.0,
        })
    }
}

fn money(currency: Option<&str>, minor: Option<i64>) -> Outcome<Option<Money>> {
    let Some((currency, minor)) = currency.zip(minor) else { return Ok(None) };
    let currency = Currency::new(currency)
        .map_err(|error| Fault::internal("a stored currency is none").caused_by(error))?;
    Ok(Some(Money::new(minor, currency)))
}

/// Where a timeline goes on, and how far: newer things come first.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// Nothing earlier.
    pub from: Timestamp,
    /// Only what is before this, by time and then by key.
    pub before: (Timestamp, &'a str),
}

/// At most `limit` interactions of one person but orders, newest first.
pub async fn newest(
    session: &mut impl Session,
    tenant: &Tenant,
    who: &Who,
    span: Span<'_>,
    limit: i64,
) -> Outcome<Vec<Entry>> {
    let rows: Vec<Row> = on_engine!(session, NEWEST, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(who.key()).bind(Instant(span.from));
        query.bind(Instant(span.before.0)).bind(span.before.1).bind(limit).fetch_all(conn).await
    })?;
    rows.into_iter().map(Entry::try_from).collect()
}
