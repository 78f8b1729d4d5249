//! Who is called something else, in the database.

use jiff::Timestamp;
use sqlx::FromRow;
use tandem_platform::db::{BindColumns, Column, Instant, Session, Statement, Tx, Write};
use tandem_platform::{Outcome, Tenant, on_engine};

use crate::customer::alias::{self, Alias, Known, Step};

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT person, merged_into, principal, merged, step, due FROM customer_alias ", $tail)
    };
}

const FIND: Statement = Statement::same(select!("WHERE tenant = $1 AND person = $2"));

const LOCK: Statement = Statement::pair(
    select!("WHERE tenant = $1 AND person = $2 FOR UPDATE"),
    select!("WHERE tenant = $1 AND person = $2"),
);

const OF: Statement = Statement::same(select!("WHERE tenant = $1 AND merged_into = $2 ORDER BY person"));

// LATERAL: one probe of an index per key, whatever the planner knows of the table.
const KNOWN: Statement = Statement::pair(
    "WITH asked AS (
        SELECT a.* FROM UNNEST($2::text[]) AS wanted (person) CROSS JOIN LATERAL
            (SELECT person, merged_into, due IS NOT NULL AS is_open FROM customer_alias
              WHERE tenant = $1 AND person = wanted.person LIMIT 1) AS a),
     kept (id) AS (SELECT * FROM UNNEST($3::text[]) UNION SELECT merged_into FROM asked)
     SELECT person, merged_into, is_open FROM asked
     UNION SELECT a.person, kept.id, true FROM kept CROSS JOIN LATERAL
        (SELECT person FROM customer_alias WHERE tenant = $1 AND merged_into = kept.id AND due IS NOT NULL OFFSET 0) AS a",
    "SELECT b.person, b.merged_into, b.due IS NOT NULL AS is_open FROM json_each($2) AS wanted
      CROSS JOIN customer_alias AS b ON b.tenant = $1 AND b.person = wanted.value->>0
     UNION SELECT a.person, a.merged_into, true FROM json_each($3) AS kept
      CROSS JOIN customer_alias AS a INDEXED BY customer_alias_into
         ON a.tenant = $1 AND a.merged_into = kept.value->>0 AND a.due IS NOT NULL
     UNION SELECT a.person, a.merged_into, true FROM json_each($2) AS wanted
      CROSS JOIN customer_alias AS b ON b.tenant = $1 AND b.person = wanted.value->>0
      CROSS JOIN customer_alias AS a INDEXED BY customer_alias_into
         ON a.tenant = $1 AND a.merged_into = b.merged_into AND a.due IS NOT NULL",
);

const SAVE: Statement = Statement::same(
    "INSERT INTO customer_alias (tenant, person, merged_into, principal, step, merged, due)
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
);

const MOVED: Statement =
    Statement::same("UPDATE customer_alias SET step = $3, due = $4 WHERE tenant = $1 AND person = $2");

const REPOINT: Statement =
    Statement::same("UPDATE customer_alias SET merged_into = $3 WHERE tenant = $1 AND merged_into = $2");

// A guest stays who they are, and goes on moving. An id may have been hidden before: then that row stays.
const HIDE: Statement = Statement::same(
    "UPDATE customer_alias SET person = $3, merged_into = $4, step = CASE WHEN person = $3 THEN step END,
            due = CASE WHEN person = $3 THEN due END
      WHERE tenant = $1 AND person = $2
        AND ($2 = $3 OR NOT EXISTS (SELECT 1 FROM customer_alias WHERE tenant = $1 AND person = $3))",
);

const DROP: Statement = Statement::same("DELETE FROM customer_alias WHERE tenant = $1 AND person = $2");

const DUE: Statement = Statement::same(
    "SELECT due, tenant, person FROM customer_alias WHERE due <= $1 AND (due, tenant, person) > ($2, $3, $4)
      ORDER BY due, tenant, person LIMIT $5",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("alias::find", FIND),
    ("alias::lock", LOCK),
    ("alias::of", OF),
    ("alias::known", KNOWN),
    ("alias::save", SAVE),
    ("alias::moved", MOVED),
    ("alias::repoint", REPOINT),
    ("alias::hide", HIDE),
    ("alias::drop", DROP),
    ("alias::due", DUE),
];

#[derive(Debug, FromRow)]
struct Row {
    person: String,
    merged_into: String,
    principal: String,
    merged: Instant,
    step: Option<String>,
    due: Option<Instant>,
}

impl From<Row> for Alias {
    fn from(row: Row) -> Self {
        let step = row.step.as_deref().and_then(Step::parse);
        Self {
            person: row.person,
            into: row.merged_into,
            principal: row.principal,
            merged: row.merged.timestamp(),
            open: step.zip(row.due.map(Instant::timestamp)),
        }
    }
}

/// Who counts for a person, where that is another one.
pub async fn find(session: &mut impl Session, tenant: &Tenant, person: &str) -> Outcome<Option<Alias>> {
    one(session, FIND, tenant, person).await
}

/// The same, to be changed in this transaction.
pub async fn lock(tx: &mut Tx, tenant: &Tenant, person: &str) -> Outcome<Option<Alias>> {
    one(tx, LOCK, tenant, person).await
}

async fn one(
    session: &mut impl Session,
    statement: Statement,
    tenant: &Tenant,
    person: &str,
) -> Outcome<Option<Alias>> {
    let row: Option<Row> = on_engine!(session, statement, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(person).fetch_optional(conn).await
    })?;
    Ok(row.map(Alias::from))
}

/// The id of the customer who counts for an id, where that is another one.
pub async fn into(session: &mut impl Session, tenant: &Tenant, customer: &str) -> Outcome<Option<String>> {
    Ok(find(session, tenant, &alias::person(customer)).await?.map(|alias| alias.into))
}

/// By what else a customer is called.
pub async fn of(session: &mut impl Session, tenant: &Tenant, customer: &str) -> Outcome<Vec<Alias>> {
    let rows: Vec<Row> = on_engine!(session, OF, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(customer).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(Alias::from).collect())
}

/// Who counts for these customers and guests, and under which other names something of theirs may still stand.
pub async fn known(
    session: &mut impl Session,
    tenant: &Tenant,
    customers: Vec<String>,
    guests: Vec<String>,
) -> Outcome<Known> {
    if customers.is_empty() && guests.is_empty() {
        return Ok(Known::default());
    }
    let people =
        customers.iter().map(|id| alias::person(id)).chain(guests.iter().map(|key| alias::guest(key)));
    let columns = Column::Text(people.collect());
    let kept = Column::Text(customers);
    let rows: Vec<(String, String, bool)> = on_engine!(session, KNOWN, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str());
        query
            .bind_columns(std::slice::from_ref(&columns))
            .bind_columns(std::slice::from_ref(&kept))
            .fetch_all(conn)
            .await
    })?;
    Ok(Known::of(rows))
}

/// Writes a new one. Somebody else may have written it meanwhile.
pub fn save(alias: &Alias) -> Write {
    let (step, due) = alias.open.unwrap_or((Step::Vouchers, alias.merged));
    let write = Write::new(SAVE).text(&alias.person).text(&alias.into).text(&alias.principal);
    write.text(step.name()).instant(alias.merged).instant(due).or_replay()
}

/// Writes how far a locked one is.
pub async fn moved(tx: &mut Tx, tenant: &Tenant, alias: &Alias) -> Outcome<()> {
    let (step, due) = (alias.open.map(|(step, _)| step.name()), alias.open.map(|(_, due)| Instant(due)));
    on_engine!(tx, MOVED, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(&alias.person).bind(step).bind(due);
        query.execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// All who stand for one customer stand for another one.
pub fn repoint(from: &str, to: &str) -> Write {
    Write::new(REPOINT).text(from).text(to).where_needed()
}

/// Hides a person, and the customer who counts for them, behind what takes their places.
pub async fn hide(tx: &mut Tx, tenant: &Tenant, person: &str, hidden: &str, into: &str) -> Outcome<()> {
    on_engine!(tx, HIDE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(person).bind(hidden).bind(into);
        query.execute(conn).await.map(|_| ())
    })?;
    if person != hidden {
        on_engine!(tx, DROP, |sql, conn| {
            sqlx::query(sql).bind(tenant.as_str()).bind(person).execute(conn).await.map(|_| ())
        })?;
    }
    Ok(())
}

/// One of whom something is to be moved.
#[derive(Debug, Clone, FromRow)]
pub struct Due {
    due: Instant,
    /// Whose.
    pub tenant: String,
    /// Who.
    pub person: String,
}

/// At most `limit` of any tenant of whom something is to be moved now, behind this one.
pub async fn due(
    session: &mut impl Session,
    now: Timestamp,
    behind: Option<&Due>,
    limit: i64,
) -> Outcome<Vec<Due>> {
    let start = Due { due: Instant(Timestamp::UNIX_EPOCH), tenant: String::new(), person: String::new() };
    let behind = behind.unwrap_or(&start);
    Ok(on_engine!(session, DUE, |sql, conn| {
        let query = sqlx::query_as(sql).bind(Instant(now)).bind(behind.due);
        query.bind(&behind.tenant).bind(&behind.person).bind(limit).fetch_all(conn).await
    })?)
}
