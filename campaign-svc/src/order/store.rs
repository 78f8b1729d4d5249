//! Orders in the database.

pub mod step;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::FromRow;
use tandem_platform::db::{BindColumns, Column, Instant, Json, Session, Statement, Tx, Write};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};
use uuid::Uuid;

use super::{Order, Pending, Person, Sold, State};

macro_rules! select {
    ($sold:literal, $pending:literal, $from:literal, $tail:literal) => {
        concat!(
            "SELECT o.id, o.holder, o.state, o.customer, o.guest, ",
            $sold,
            " AS sold, o.expires, o.first_held, o.committed, o.replaces, o.replaced_by, ",
            $pending,
            " AS pending, o.created, o.updated, o.version FROM ",
            $from,
            $tail
        )
    };
    ($tail:literal) => {
        select!(
            "o.sold",
            "(SELECT s.pending FROM order_step AS s WHERE s.tenant = o.tenant AND s.order_id = o.id)",
            "sales_order AS o ",
            $tail
        )
    };
}

// LATERAL, and CROSS JOIN on SQLite: one probe of the primary key per id, whatever the planner knows of the table. Locks in
// the order of the parameter. What an order sold is a large document: it is not read where the caller has it. Open steps
// are read after the locks: a statement that has waited for one sees the row as it is now, and every other table as it was
// before.
const LOCK_MANY: Statement = Statement::pair(
    concat!(
        "SELECT o.* FROM UNNEST($2::text[], $3::bigint[]) AS wanted (id, known) CROSS JOIN LATERAL (",
        select!(
            "CASE WHEN o.version <> wanted.known THEN o.sold END",
            "NULL::json",
            "sales_order AS o ",
            "WHERE o.tenant = $1 AND o.id = wanted.id FOR NO KEY UPDATE OF o"
        ),
        ") AS o"
    ),
    select!(
        "CASE WHEN o.version <> wanted.value->>1 THEN o.sold END",
        "NULL",
        "json_each($2) AS wanted CROSS JOIN sales_order AS o ON o.tenant = $1 AND o.id = wanted.value->>0 ",
        "ORDER BY o.id"
    ),
);

const EXISTING: Statement = Statement::pair(
    "SELECT o.id FROM UNNEST($2::text[]) AS wanted (id)
      CROSS JOIN LATERAL (SELECT id FROM sales_order WHERE tenant = $1 AND id = wanted.id LIMIT 1) AS o LIMIT 1",
    "SELECT id FROM sales_order WHERE tenant = $1 AND id IN (SELECT value->>0 FROM json_each($2)) LIMIT 1",
);

// In the order of the primary key.
const IDS: Statement =
    Statement::same("SELECT id, state FROM sales_order WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3");

const FIND: Statement = Statement::same(select!("WHERE o.tenant = $1 AND o.id = $2"));

const NEWEST: Statement = Statement::same(select!(
    "WHERE o.tenant = $1 AND (o.created, o.id) < ($2, $3) AND ($4 = '' OR o.state = $4)
     ORDER BY o.created DESC, o.id DESC LIMIT $5"
));

const NEWEST_OF_CUSTOMER: Statement = Statement::same(select!(
    "WHERE o.tenant = $1 AND (o.created, o.id) < ($2, $3) AND ($4 = '' OR o.state = $4) AND o.customer = $6
     ORDER BY o.created DESC, o.id DESC LIMIT $5"
));

macro_rules! insert {
    ($values:literal) => {
        concat!(
            "INSERT INTO sales_order (tenant, id, holder, state, customer, guest, sold, expires, first_held, committed,
                                      replaces, replaced_by, created, updated, version) ",
            $values
        )
    };
}

macro_rules! insert_on_postgres {
    () => {
        insert!(
            "SELECT $1, id, holder, state, customer, guest, sold::json, expires, first_held, committed, replaces,
                    replaced_by, created, updated, version
               FROM UNNEST($2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                           $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[],
                           $13::timestamptz[], $14::timestamptz[], $15::bigint[])
                    AS o (id, holder, state, customer, guest, sold, expires, first_held, committed, replaces,
                          replaced_by, created, updated, version)"
        )
    };
}

macro_rules! insert_on_sqlite {
    () => {
        insert!(
            "SELECT $1, value->>0, unhex(value->>1), value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
                    value->>8, value->>9, value->>10, value->>11, value->>12, value->>13
               FROM json_each($2) WHERE true"
        )
    };
}

const INSERT: Statement = Statement::pair(insert_on_postgres!(), insert_on_sqlite!());

// Nothing is ever inserted: the orders are there and locked.
macro_rules! move_on {
    ($insert:expr, $more:literal) => {
        concat!(
            $insert,
            " ON CONFLICT (tenant, id) DO UPDATE
                 SET holder = excluded.holder, state = excluded.state, expires = excluded.expires,
                     first_held = excluded.first_held, committed = excluded.committed, replaces = excluded.replaces,
                     replaced_by = excluded.replaced_by, updated = excluded.updated, version = excluded.version",
            $more
        )
    };
}

const UPDATE: Statement = Statement::pair(
    move_on!(
        insert_on_postgres!(),
        ", customer = excluded.customer, guest = excluded.guest, sold = excluded.sold"
    ),
    move_on!(
        insert_on_sqlite!(),
        ", customer = excluded.customer, guest = excluded.guest, sold = excluded.sold"
    ),
);

// The document of what was sold stays where it is, unsent and unread.
const MOVE_ON: Statement =
    Statement::pair(move_on!(insert_on_postgres!(), ""), move_on!(insert_on_sqlite!(), ""));

const LAPSED: Statement = Statement::same(
    "SELECT expires, tenant, id FROM sales_order
      WHERE expires IS NOT NULL AND expires <= $1 AND (expires, tenant, id) > ($2, $3, $4)
      ORDER BY expires, tenant, id LIMIT $5",
);

// A version on, for whoever knows them as they were.
const RENAME: Statement = Statement::pair(
    "UPDATE sales_order SET customer = $3, guest = NULL, version = version + 1
      WHERE tenant = $1 AND id = ANY($4::text[]) AND customer = $2",
    "UPDATE sales_order SET customer = $3, guest = NULL, version = version + 1
      WHERE tenant = $1 AND id IN (SELECT value->>0 FROM json_each($4)) AND customer = $2",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("order::lock_many", LOCK_MANY),
    ("order::existing", EXISTING),
    ("order::ids", IDS),
    ("order::find", FIND),
    ("order::newest", NEWEST),
    ("order::newest_of_customer", NEWEST_OF_CUSTOMER),
    ("order::insert", INSERT),
    ("order::update", UPDATE),
    ("order::move_on", MOVE_ON),
    ("order::lapsed", LAPSED),
    ("order::rename", RENAME),
];

#[derive(Debug, FromRow)]
struct Row {
    id: String,
    holder: Uuid,
    state: String,
    customer: Option<String>,
    guest: Option<String>,
    /// `None`: whoever asks has it.
    sold: Option<Json<Sold>>,
    expires: Option<Instant>,
    first_held: Option<Instant>,
    committed: Option<Instant>,
    replaces: Option<String>,
    replaced_by: Option<String>,
    pending: Option<Json<Pending>>,
    created: Instant,
    updated: Instant,
    version: i64,
}

impl TryFrom<Row> for Order {
    type Error = Fault;

    fn try_from(row: Row) -> Outcome<Self> {
        Ok(Self {
            sold: Arc::new(row.sold.ok_or_else(|| Fault::internal("a stored order sold nothing"))?.0),
            state: State::parse(&row.state).ok_or_else(|| Fault::internal("a stored state is none"))?,
            id: row.id,
            holder: row.holder,
            person: Person { customer: row.customer, guest: row.guest },
            expires: row.expires.map(Instant::timestamp),
            first_held: row.first_held.map(Instant::timestamp),
            committed: row.committed.map(Instant::timestamp),
            replaces: row.replaces,
            replaced_by: row.replaced_by,
            pending: row.pending.map(|pending| pending.0),
            created: row.created.timestamp(),
            updated: row.updated.timestamp(),
            version: row.version,
        })
    }
}

fn all(rows: Vec<Row>) -> Outcome<Vec<Order>> {
    rows.into_iter().map(Order::try_from).collect()
}

/// Locks those of these orders that exist, in the order of their ids. Those that `wanted` brings along in the version
/// that is stored are not read again.
pub async fn lock_many(
    tx: &mut Tx,
    tenant: &Tenant,
    wanted: &BTreeMap<&str, Option<&Arc<Order>>>,
) -> Outcome<Vec<Arc<Order>>> {
    let versions = wanted.values().map(|known| known.map_or(0, |order| order.version));
    let columns = [Column::text(wanted.keys().copied()), Column::int(versions)];
    let rows: Vec<Row> = on_engine!(tx, LOCK_MANY, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    let known = |row: &Row| {
        wanted.get(row.id.as_str()).copied().flatten().filter(|known| known.version == row.version)
    };
    let read: Vec<&str> = rows.iter().filter(|row| known(row).is_none()).map(|row| row.id.as_str()).collect();
    let mut open = step::of_many(tx, tenant, &read).await?;
    let order = |row: Row| match known(&row) {
        Some(known) => Ok(known.clone()),
        None => {
            let pending = open.remove(&row.id);
            Ok(Arc::new(Order { pending, ..Order::try_from(row)? }))
        }
    };
    rows.into_iter().map(order).collect()
}

/// Whether any of these orders exists by now.
pub async fn any_of(tx: &mut Tx, tenant: &Tenant, ids: Vec<String>) -> Outcome<bool> {
    let columns = [Column::Text(ids)];
    let found: Option<String> = on_engine!(tx, EXISTING, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_optional(conn).await
    })?;
    Ok(found.is_some())
}

/// At most `limit` orders behind the id `after`, and where they stand, by id.
pub async fn ids(
    session: &mut impl Session,
    tenant: &Tenant,
    after: &str,
    limit: i64,
) -> Outcome<Vec<(String, State)>> {
    let rows: Vec<(String, String)> = on_engine!(session, IDS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(after).bind(limit).fetch_all(conn).await
    })?;
    let state = |(id, state): (String, String)| {
        Ok((id, State::parse(&state).ok_or_else(|| Fault::internal("a stored state is none"))?))
    };
    rows.into_iter().map(state).collect()
}

/// One order.
pub async fn find(session: &mut impl Session, tenant: &Tenant, id: &str) -> Outcome<Option<Order>> {
    let row: Option<Row> = on_engine!(session, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await
    })?;
    row.map(Order::try_from).transpose()
}

/// Which orders are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection<'a> {
    /// Of this customer only.
    pub customer: Option<&'a str>,
    /// In this state only.
    pub state: Option<State>,
}

/// At most `limit` orders older than (`created`, `id`), newest first.
pub async fn newest(
    session: &mut impl Session,
    tenant: &Tenant,
    selection: Selection<'_>,
    (created, id): (Timestamp, &str),
    limit: i64,
) -> Outcome<Vec<Order>> {
    let statement = if selection.customer.is_some() { NEWEST_OF_CUSTOMER } else { NEWEST };
    let state = selection.state.map(State::text).unwrap_or_default();
    all(on_engine!(session, statement, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(Instant(created)).bind(id).bind(state);
        let query = query.bind(limit);
        match selection.customer {
            Some(customer) => query.bind(customer).fetch_all(conn).await,
            None => query.fetch_all(conn).await,
        }
    })?)
}

fn columns(orders: &[&Order], sold: Column) -> [Column; 14] {
    let each = || orders.iter().copied();
    let instants = |pick: fn(&Order) -> Option<Timestamp>| Column::OptInstant(each().map(pick).collect());
    [
        Column::text(each().map(|order| order.id.as_str())),
        Column::uuid(each().map(|order| order.holder)),
        Column::text(each().map(|order| order.state.text())),
        Column::OptText(each().map(|order| order.person.customer.clone()).collect()),
        Column::OptText(each().map(|order| order.person.guest.clone()).collect()),
        sold,
        instants(|order| order.expires),
        instants(|order| order.first_held),
        instants(|order| order.committed),
        Column::OptText(each().map(|order| order.replaces.clone()).collect()),
        Column::OptText(each().map(|order| order.replaced_by.clone()).collect()),
        Column::Instant(each().map(|order| order.created).collect()),
        Column::Instant(each().map(|order| order.updated).collect()),
        Column::int(each().map(|order| order.version)),
    ]
}

fn sold(orders: &[&Order]) -> Outcome<Column> {
    Column::json_text(orders.iter().map(|order| &*order.sold))
}

/// Writes orders that did not exist. Somebody else may have made one meanwhile.
pub fn insert(orders: &[&Order]) -> Outcome<Write> {
    Ok(Write::new(INSERT).columns(columns(orders, sold(orders)?)).or_replay())
}

/// Writes locked orders.
pub fn update(orders: &[&Order]) -> Outcome<Write> {
    Ok(Write::new(UPDATE).columns(columns(orders, sold(orders)?)))
}

/// Writes where locked orders stand, whose buyer and sale are as they were.
pub fn move_on(orders: &[&Order]) -> Write {
    Write::new(MOVE_ON).columns(columns(orders, Column::text(orders.iter().map(|_| "null"))))
}

/// Writes that these locked orders of a customer are another one's.
pub async fn rename(tx: &mut Tx, tenant: &Tenant, from: &str, to: &str, orders: Vec<String>) -> Outcome<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let columns = [Column::Text(orders)];
    on_engine!(tx, RENAME, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(from).bind(to);
        query.bind_columns(&columns).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

/// An order whose hold has ended.
#[derive(Debug, Clone, FromRow)]
pub struct Lapsed {
    expires: Instant,
    /// Whose.
    pub tenant: String,
    /// Of the order.
    pub id: String,
}

/// Orders of any tenant whose hold ended at `now` or before, those that ended first first: the next `limit` of them.
pub async fn lapsed(
    session: &mut impl Session,
    now: Timestamp,
    behind: Option<&Lapsed>,
    limit: i64,
) -> Outcome<Vec<Lapsed>> {
    let expires = behind.map_or(Instant(Timestamp::UNIX_EPOCH), |one| one.expires);
    let tenant = behind.map(|one| one.tenant.as_str()).unwrap_or_default();
    let id = behind.map(|one| one.id.as_str()).unwrap_or_default();
    Ok(on_engine!(session, LAPSED, |sql, conn| {
        let query = sqlx::query_as(sql).bind(Instant(now)).bind(expires).bind(tenant).bind(id);
        query.bind(limit).fetch_all(conn).await
    })?)
}
