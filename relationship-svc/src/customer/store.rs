//! Customers in the database.

pub mod alias;

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use tandem_kernel::period::Date;
use tandem_platform::db::{BindColumns, Column, Session, Statement, Write};
use tandem_platform::resource::{Cell, Order, Position, Table};
use tandem_platform::{Fault, Outcome, Tenant, Tx, columns, on_engine};

use super::Customer;

/// Where they are.
pub static CUSTOMERS: Table<Customer> = Table::new(
    "customer",
    columns![Customer;
        "id" => plain(id),
        "version" => plain(version),
        "display_name" => plain(profile.display_name),
        "email" => plain(profile.email),
        "phone" => plain(profile.phone),
        "locale" => plain(profile.locale),
        "time_zone" => plain(profile.time_zone),
        "country" => plain(profile.country),
        "birth_year" => with(Int, year, set_year),
        "birth_month" => with(Int, month, set_month),
        "birth_day" => with(Int, day, set_day),
        "attributes" => json(profile.attributes),
        "tags" => json(profile.tags),
        "since" => plain(profile.since),
        "created" => plain(created),
        "updated" => plain(updated),
    ],
);

fn year(customer: &Customer) -> Outcome<Cell> {
    Ok(Cell::Int(customer.profile.birthday.and_then(|date| date.year()).map(i64::from)))
}

/// A birthday is there before it is known whether it stays.
fn set_year(customer: &mut Customer, cell: Cell) -> Outcome<()> {
    customer.profile.birthday = Some(date(cell.int(), 1, 1)?);
    Ok(())
}

fn month(customer: &Customer) -> Outcome<Cell> {
    Ok(Cell::Int(customer.profile.birthday.map(|date| date.month().into())))
}

fn set_month(customer: &mut Customer, cell: Cell) -> Outcome<()> {
    let year = customer.profile.birthday.and_then(|date| date.year()).map(i64::from);
    customer.profile.birthday = cell.int().map(|month| date(year, month, 1)).transpose()?;
    Ok(())
}

fn day(customer: &Customer) -> Outcome<Cell> {
    Ok(Cell::Int(customer.profile.birthday.map(|date| date.day().into())))
}

fn set_day(customer: &mut Customer, cell: Cell) -> Outcome<()> {
    let known = customer.profile.birthday.zip(cell.int());
    let whole = |(known, day): (Date, i64)| date(known.year().map(i64::from), known.month().into(), day);
    customer.profile.birthday = known.map(whole).transpose()?;
    Ok(())
}

fn date(year: Option<i64>, month: i64, day: i64) -> Outcome<Date> {
    let narrow = |value: i64| i32::try_from(value).unwrap_or(0);
    Date::new(year.map(narrow), narrow(month), narrow(day))
        .map_err(|error| Fault::internal("a stored birthday is no date").caused_by(error))
}

const LOCK_IDS: Statement = Statement::pair(
    "SELECT id FROM customer WHERE tenant = $1 AND id = ANY($2::text[]) ORDER BY id FOR NO KEY UPDATE",
    "SELECT id FROM customer WHERE tenant = $1 AND id IN (SELECT value->>0 FROM json_each($2)) ORDER BY id",
);

const KNOWN_IDS: Statement = Statement::pair(
    "SELECT c.id FROM UNNEST($2::text[]) AS wanted (id)
      CROSS JOIN LATERAL (SELECT id FROM customer WHERE tenant = $1 AND id = wanted.id LIMIT 1) AS c",
    "SELECT id FROM customer WHERE tenant = $1 AND id IN (SELECT value->>0 FROM json_each($2))",
);

// LATERAL: one probe of the primary key per id, whatever the planner knows of the table.
/// Nothing where no segment of the tenant is watched.
const LOOK: Statement = Statement::pair(
    "INSERT INTO customer_look (tenant, customer, due) SELECT $1, wanted.id, $2 FROM UNNEST($3::text[]) AS wanted (id)
      WHERE EXISTS (SELECT 1 FROM segment WHERE tenant = $1 AND watched)
     ON CONFLICT (tenant, customer) DO UPDATE SET due = LEAST(customer_look.due, excluded.due)",
    "INSERT INTO customer_look (tenant, customer, due) SELECT $1, wanted.value->>0, $2 FROM json_each($3) AS wanted
      WHERE EXISTS (SELECT 1 FROM segment INDEXED BY segment_watched WHERE tenant = $1 AND watched)
     ON CONFLICT (tenant, customer) DO UPDATE SET due = min(customer_look.due, excluded.due)",
);

static FIND_WITH_CATALOGUE: LazyLock<Statement> = LazyLock::new(|| {
    let catalogue = "(SELECT version FROM segment_catalogue WHERE tenant = $1) AS catalogue";
    let customer = CUSTOMERS.listed("t");
    Statement::made(
        format!(
            "SELECT t.*, wanted.id AS asked, {catalogue} FROM UNNEST($2::text[]) AS wanted (id)
               LEFT JOIN LATERAL (SELECT merged_into FROM customer_alias
                                   WHERE tenant = $1 AND person = 'c/' || wanted.id LIMIT 1) AS a ON true
              CROSS JOIN LATERAL
                (SELECT {customer} FROM customer AS t
                  WHERE t.tenant = $1 AND t.id = COALESCE(a.merged_into, wanted.id) LIMIT 1) AS t"
        ),
        format!(
            "SELECT {customer}, wanted.value->>0 AS asked, {catalogue} FROM json_each($2) AS wanted
               LEFT JOIN customer_alias AS a ON a.tenant = $1 AND a.person = 'c/' || (wanted.value->>0)
              CROSS JOIN customer AS t ON t.tenant = $1 AND t.id = COALESCE(a.merged_into, wanted.value->>0)"
        ),
    )
});

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> Vec<(&'static str, Statement)> {
    let own = [
        ("lock_ids", LOCK_IDS),
        ("known_ids", KNOWN_IDS),
        ("look", LOOK),
        ("find_with_catalogue", *FIND_WITH_CATALOGUE),
    ];
    CUSTOMERS.statements().into_iter().chain(own).collect()
}

/// These customers, who are locked or new, have changed in what watched segments may read: it is to be found out who enters
/// one and who leaves. Costs a look at an index where nothing is watched.
pub fn look(ids: Vec<String>, now: Timestamp) -> Write {
    Write::new(LOOK).instant(now).columns([Column::Text(ids)]).where_needed()
}

/// Locks these customers in the order of their ids, and answers those that exist.
pub async fn lock_ids(tx: &mut Tx, tenant: &Tenant, ids: &[String]) -> Outcome<Vec<String>> {
    let columns = [Column::Text(ids.to_vec())];
    Ok(on_engine!(tx, LOCK_IDS, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// The ids of those of these customers that exist, in no order.
pub async fn known_ids(session: &mut impl Session, tenant: &Tenant, ids: &[String]) -> Outcome<Vec<String>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [Column::Text(ids.to_vec())];
    Ok(on_engine!(session, KNOWN_IDS, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// Customers as they were found, and by which other ids they were asked for.
pub type Called = (Vec<Customer>, HashMap<String, String>);

/// Those of these customers that exist, in no order, with the version of the tenant's segments at the same moment; see
/// [`crate::segment::catalogue`]. For who was merged into another one that one is found.
pub async fn find_with_catalogue(
    session: &mut impl Session,
    tenant: &Tenant,
    ids: Vec<String>,
) -> Outcome<(Called, i64)> {
    let columns = [Column::Text(ids)];
    let (customers, asked, version) = on_engine!(session, *FIND_WITH_CATALOGUE, |sql, conn| {
        let rows = sqlx::query(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await;
        rows.and_then(|rows| {
            let version: Option<i64> =
                rows.first().map(|row| sqlx::Row::try_get(row, "catalogue")).transpose()?.flatten();
            let asked = rows.iter().map(|row| sqlx::Row::try_get::<String, _>(row, "asked"));
            Ok((CUSTOMERS.all(&rows)?, asked.collect::<Result<Vec<_>, _>>()?, version))
        })
    })?;
    let (mut found, mut called): Called = Default::default();
    for (customer, asked) in customers?.into_iter().zip(asked) {
        if asked != customer.id {
            called.insert(asked, customer.id.clone());
        }
        if !found.iter().any(|known: &Customer| known.id == customer.id) {
            found.push(customer);
        }
    }
    Ok(((found, called), version.unwrap_or(0)))
}

/// At most `limit` customers whose ids come after `id`, in the order of their ids.
pub async fn after(
    session: &mut impl Session,
    tenant: &Tenant,
    id: &str,
    limit: usize,
) -> Outcome<Vec<Customer>> {
    let after = Position { created: Timestamp::UNIX_EPOCH, id: id.to_owned() };
    CUSTOMERS.page(session, tenant, Order::Name, &after, limit).await
}
