//! Erasures in the database.

use jiff::Timestamp;
use sqlx::FromRow;
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement, Tx};
use tandem_platform::{Outcome, Tenant, on_engine};

use super::{Erasure, Known, Step};

const LOCK: Statement = Statement::pair(
    "SELECT pseudonym, who, customer, erased, heard, step, place, again FROM erasure
      WHERE tenant = $1 AND pseudonym = $2 FOR NO KEY UPDATE",
    "SELECT pseudonym, who, customer, erased, heard, step, place, again FROM erasure
      WHERE tenant = $1 AND pseudonym = $2",
);

// One that was heard of before begins anew only where they were erased once more.
const BEGIN: Statement = Statement::same(
    "INSERT INTO erasure (tenant, pseudonym, who, customer, erased, heard, step, again)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant, pseudonym) DO UPDATE
        SET who = excluded.who, customer = excluded.customer, erased = excluded.erased, heard = excluded.heard,
            step = excluded.step, place = NULL, again = excluded.again
      WHERE excluded.erased > erasure.erased",
);

const SAVE: Statement = Statement::same(
    "UPDATE erasure SET customer = $3, step = $4, place = $5, again = $6 WHERE tenant = $1 AND pseudonym = $2",
);

const OPEN: Statement = Statement::same(
    "SELECT tenant, pseudonym FROM erasure WHERE step IS NOT NULL AND (tenant, pseudonym) > ($1, $2)
      ORDER BY tenant, pseudonym LIMIT $3",
);

const DUE: Statement = Statement::same(
    "SELECT tenant, pseudonym FROM erasure WHERE again IS NOT NULL AND again <= $1 AND step IS NULL
      ORDER BY again LIMIT $2",
);

const KNOWN: Statement = Statement::pair(
    "SELECT e.* FROM UNNEST($1::text[], $2::text[]) AS k (tenant, who)
      CROSS JOIN LATERAL
            (SELECT tenant, who, pseudonym, heard FROM erasure
              WHERE tenant = k.tenant AND who = k.who LIMIT 1) AS e",
    "SELECT e.tenant, e.who, e.pseudonym, e.heard FROM json_each($1) AS k
      CROSS JOIN erasure AS e INDEXED BY erasure_who ON e.tenant = k.value->>0 AND e.who = k.value->>1",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("erased::lock", LOCK),
    ("erased::begin", BEGIN),
    ("erased::save", SAVE),
    ("erased::open", OPEN),
    ("erased::due", DUE),
    ("erased::known", KNOWN),
];

#[derive(Debug, FromRow)]
struct Row {
    pseudonym: String,
    who: String,
    customer: Option<String>,
    erased: Instant,
    heard: Instant,
    step: Option<String>,
    place: Option<String>,
    again: Option<Instant>,
}

impl From<Row> for Erasure {
    fn from(row: Row) -> Self {
        Self {
            pseudonym: row.pseudonym,
            who: row.who,
            customer: row.customer,
            erased: row.erased.timestamp(),
            heard: row.heard.timestamp(),
            step: row.step.as_deref().and_then(Step::parse),
            place: row.place.unwrap_or_default(),
            again: row.again.map(Instant::timestamp),
        }
    }
}

/// The erasure of this pseudonym, to be changed in this transaction.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, pseudonym: &str) -> Outcome<Option<Erasure>> {
    let row: Option<Row> = on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(pseudonym).fetch_optional(conn).await
    })?;
    Ok(row.map(Erasure::from))
}

/// Writes one that begins. One that was heard of before stays as it is.
pub async fn begin(tx: &mut Tx, tenant: &Tenant, erasure: &Erasure) -> Outcome<()> {
    on_engine!(tx, BEGIN, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(&erasure.pseudonym).bind(&erasure.who);
        let query = query.bind(&erasure.customer).bind(Instant(erasure.erased)).bind(Instant(erasure.heard));
        let query = query.bind(erasure.step.map(Step::name)).bind(erasure.again.map(Instant));
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Writes how far a locked one is.
pub async fn save(tx: &mut Tx, tenant: &Tenant, erasure: &Erasure) -> Outcome<()> {
    on_engine!(tx, SAVE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(&erasure.pseudonym).bind(&erasure.customer);
        let query = query.bind(erasure.step.map(Step::name)).bind(&erasure.place);
        query.bind(erasure.again.map(Instant)).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// Those of any tenant that are not done, behind this one: tenant and pseudonym.
pub async fn open(
    session: &mut impl Session,
    behind: &(String, String),
    limit: i64,
) -> Outcome<Vec<(String, String)>> {
    Ok(on_engine!(session, OPEN, |sql, conn| {
        sqlx::query_as(sql).bind(&behind.0).bind(&behind.1).bind(limit).fetch_all(conn).await
    })?)
}

/// Those of any tenant that are to be done once more.
pub async fn due(session: &mut impl Session, now: Timestamp, limit: i64) -> Outcome<Vec<(String, String)>> {
    Ok(on_engine!(session, DUE, |sql, conn| {
        sqlx::query_as(sql).bind(Instant(now)).bind(limit).fetch_all(conn).await
    })?)
}

/// Those of these tenants' hashes of ids that stand for somebody who was erased.
pub async fn known<'k>(
    session: &mut impl Session,
    asked: impl Iterator<Item = &'k (String, String)> + Clone,
) -> Outcome<Vec<(String, String, Known)>> {
    let columns = [
        Column::text(asked.clone().map(|(tenant, _)| tenant.as_str())),
        Column::text(asked.map(|(_, who)| who.as_str())),
    ];
    if columns[0].is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String, String, Instant)> = on_engine!(session, KNOWN, |sql, conn| {
        sqlx::query_as(sql).bind_columns(&columns).fetch_all(conn).await
    })?;
    let known = |(tenant, who, pseudonym, heard): (String, String, String, Instant)| {
        (tenant, who, Known { pseudonym, heard: heard.timestamp() })
    };
    Ok(rows.into_iter().map(known).collect())
}
