//! Segments that are kept as lists.

use std::collections::{BTreeSet, HashMap};

use tandem_platform::db::{BindColumns, Column, Session, Statement, Write};
use tandem_platform::{Outcome, Tenant, on_engine};

const ADD: Statement = Statement::pair(
    "INSERT INTO segment_member (tenant, segment, customer) SELECT $1, $2, * FROM UNNEST($3::text[])
     ON CONFLICT DO NOTHING",
    "INSERT INTO segment_member (tenant, segment, customer) SELECT $1, $2, value->>0 FROM json_each($3) WHERE true
     ON CONFLICT DO NOTHING",
);

const REMOVE: Statement = Statement::pair(
    "DELETE FROM segment_member WHERE tenant = $1 AND segment = $2 AND customer = ANY($3::text[])",
    "DELETE FROM segment_member WHERE tenant = $1 AND segment = $2
        AND customer IN (SELECT value->>0 FROM json_each($3))",
);

const CLEAR: Statement = Statement::same("DELETE FROM segment_member WHERE tenant = $1 AND segment = $2");

const AMONG: Statement = Statement::pair(
    "SELECT customer FROM segment_member WHERE tenant = $1 AND segment = $2 AND customer = ANY($3::text[])",
    "SELECT customer FROM segment_member WHERE tenant = $1 AND segment = $2
        AND customer IN (SELECT value->>0 FROM json_each($3))",
);

const OF: Statement = Statement::pair(
    "SELECT m.customer, m.segment FROM UNNEST($2::text[]) AS wanted (id) CROSS JOIN LATERAL
        (SELECT customer, segment FROM segment_member WHERE tenant = $1 AND customer = wanted.id) AS m",
    "SELECT m.customer, m.segment FROM json_each($2) AS wanted
      CROSS JOIN segment_member AS m ON m.tenant = $1 AND m.customer = wanted.value->>0",
);

/// Who is no customer any more counts for nothing.
const COUNT: Statement = Statement::same(
    "SELECT count(*) FROM segment_member AS m
       JOIN customer AS t ON t.tenant = m.tenant AND t.id = m.customer WHERE m.tenant = $1 AND m.segment = $2",
);

const AFTER: Statement = Statement::same(
    "SELECT m.customer FROM segment_member AS m
       JOIN customer AS t ON t.tenant = m.tenant AND t.id = m.customer
      WHERE m.tenant = $1 AND m.segment = $2 AND m.customer > $3 ORDER BY m.customer LIMIT $4",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("add", ADD),
    ("remove", REMOVE),
    ("clear", CLEAR),
    ("among", AMONG),
    ("of", OF),
    ("count", COUNT),
    ("after", AFTER),
];

/// Puts customers on the list.
pub fn add(segment: &str, customers: Vec<String>) -> Write {
    Write::new(ADD).text(segment).columns([Column::Text(customers)]).where_needed()
}

/// Takes customers off it.
pub fn remove(segment: &str, customers: Vec<String>) -> Write {
    Write::new(REMOVE).text(segment).columns([Column::Text(customers)]).where_needed()
}

/// Takes everybody off it.
pub fn clear(segment: &str) -> Write {
    Write::new(CLEAR).text(segment).where_needed()
}

/// Those of these customers who are on the list.
pub async fn among(
    session: &mut impl Session,
    tenant: &Tenant,
    segment: &str,
    customers: &[String],
) -> Outcome<BTreeSet<String>> {
    let columns = [Column::Text(customers.to_vec())];
    let found: Vec<String> = on_engine!(session, AMONG, |sql, conn| {
        let query = sqlx::query_scalar(sql).bind(tenant.as_str()).bind(segment).bind_columns(&columns);
        query.fetch_all(conn).await
    })?;
    Ok(found.into_iter().collect())
}

/// The lists that these customers are on.
pub async fn of(
    session: &mut impl Session,
    tenant: &Tenant,
    customers: Vec<String>,
) -> Outcome<HashMap<String, BTreeSet<String>>> {
    let columns = [Column::Text(customers)];
    let found: Vec<(String, String)> = on_engine!(session, OF, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    let mut lists: HashMap<String, BTreeSet<String>> = HashMap::new();
    for (customer, segment) in found {
        lists.entry(customer).or_default().insert(segment);
    }
    Ok(lists)
}

/// How many customers are on the list.
pub async fn count(session: &mut impl Session, tenant: &Tenant, segment: &str) -> Outcome<i64> {
    Ok(on_engine!(session, COUNT, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind(segment).fetch_one(conn).await
    })?)
}

/// At most so many who come after this one, in order.
pub async fn after(
    session: &mut impl Session,
    tenant: &Tenant,
    segment: &str,
    after: &str,
    limit: i64,
) -> Outcome<Vec<String>> {
    Ok(on_engine!(session, AFTER, |sql, conn| {
        let query = sqlx::query_scalar(sql).bind(tenant.as_str()).bind(segment).bind(after).bind(limit);
        query.fetch_all(conn).await
    })?)
}

/// What counts, for whoever asks how.
pub fn counting(is_sqlite: bool) -> &'static str {
    if is_sqlite { COUNT.sqlite } else { COUNT.postgres }
}
