//! Redemptions in the database; their counters and claims stand in [`tandem_platform::counters`].

pub mod audit;
pub mod savings;

use jiff::Timestamp;
use sqlx::FromRow;
use tandem_kernel::money::Currency;
use tandem_platform::db::{BindColumns, Column, Instant, Json, Session, Statement, Tx, Write};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};
use uuid::Uuid;

use super::{Details, Person, Redemption, State};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT r.id, r.order_id, r.ordinal, r.code, r.incentive, r.incentive_version, r.customer, r.guest, \
             r.state, r.currency, r.amount, r.returned, r.details, r.expires, r.created, r.updated, r.version \
             FROM redemption AS r ",
            $tail
        )
    };
}

// On PostgreSQL none of these is a plain join: before the first ANALYZE of a fast-growing table the planner would read
// the whole ledger of the tenant for each batch. LATERAL, ON CONFLICT and a lock inside LATERAL leave it one probe of an
// index per key, whatever it knows.

// Locks in the order of the parameter.
const LOCK_ORDERS: Statement = Statement::pair(
    concat!(
        "SELECT r.* FROM UNNEST($2::text[]) AS wanted (order_id) CROSS JOIN LATERAL (",
        select!("WHERE r.tenant = $1 AND r.order_id = wanted.order_id ORDER BY r.ordinal FOR NO KEY UPDATE"),
        ") AS r"
    ),
    OF_ORDERS_ON_SQLITE,
);

const FIND_MANY: Statement = Statement::pair(
    concat!(
        "SELECT r.* FROM UNNEST($2::uuid[]) AS wanted (id) CROSS JOIN LATERAL (",
        select!("WHERE r.tenant = $1 AND r.id = wanted.id LIMIT 1"),
        ") AS r"
    ),
    select!("WHERE r.tenant = $1 AND r.id IN (SELECT unhex(value->>0) FROM json_each($2))"),
);

const OF_ORDERS: Statement = Statement::pair(
    concat!(
        "SELECT r.* FROM UNNEST($2::text[]) AS wanted (order_id) CROSS JOIN LATERAL (",
        select!("WHERE r.tenant = $1 AND r.order_id = wanted.order_id ORDER BY r.ordinal OFFSET 0"),
        ") AS r"
    ),
    OF_ORDERS_ON_SQLITE,
);

const OF_ORDERS_ON_SQLITE: &str = select!(
    "WHERE r.tenant = $1 AND r.order_id IN (SELECT value->>0 FROM json_each($2)) ORDER BY r.order_id, r.ordinal"
);

// The ids are UUIDs of version 7: newest first is the order of ids, backwards.
const NEWEST: Statement =
    Statement::same(select!("WHERE r.tenant = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT $3"));

const NEWEST_OF_CODE: Statement =
    Statement::same(select!("WHERE r.tenant = $1 AND r.code = $4 AND r.id < $2 ORDER BY r.id DESC LIMIT $3"));

const NEWEST_OF_CUSTOMER: Statement = Statement::same(select!(
    "WHERE r.tenant = $1 AND r.customer = $4 AND r.id < $2 ORDER BY r.id DESC LIMIT $3"
));

// What a guest has redeemed who is no customer: whoever is one has it.
const NEWEST_OF_GUEST: Statement = Statement::same(select!(
    "WHERE r.tenant = $1 AND r.guest = $4 AND r.customer IS NULL AND r.id < $2 ORDER BY r.id DESC LIMIT $3"
));

// The whole ledger of the tenant in the order of its ids, a page at a time.
const BEHIND: Statement = Statement::same(
    "SELECT id, order_id, incentive, state FROM redemption WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3",
);

const COUNT_ORDERS: Statement = Statement::pair(
    "SELECT wanted.order_id,
            (SELECT count(*) FROM redemption AS r WHERE r.tenant = $1 AND r.order_id = wanted.order_id)
       FROM UNNEST($2::text[]) AS wanted (order_id)",
    "SELECT wanted.value->>0,
            (SELECT count(*) FROM redemption AS r WHERE r.tenant = $1 AND r.order_id = wanted.value->>0)
       FROM json_each($2) AS wanted",
);

const LAPSED: Statement = Statement::same(
    "SELECT expires, tenant, id, order_id FROM redemption
      WHERE expires IS NOT NULL AND expires <= $1 AND (expires, tenant, id) > ($2, $3, $4)
      ORDER BY expires, tenant, id LIMIT $5",
);

const ORDERS_HOLDING: Statement = Statement::pair(
    "SELECT DISTINCT r.order_id FROM hold_claim AS c
       JOIN redemption AS r ON r.tenant = c.tenant AND r.id = c.holder
      WHERE c.tenant = $1 AND c.kind = 0 AND c.owner = ANY($2::text[])",
    "SELECT DISTINCT r.order_id FROM json_each($2) AS wanted
      CROSS JOIN hold_claim AS c ON c.tenant = $1 AND c.kind = 0 AND c.owner = wanted.value->>0
      CROSS JOIN redemption AS r ON r.tenant = c.tenant AND r.id = c.holder",
);

const INSERT: Statement = Statement::pair(
    "INSERT INTO redemption (tenant, id, order_id, ordinal, code, incentive, incentive_version, customer, guest, state,
                             currency, amount, returned, details, expires, created, updated, version)
     SELECT $1, * FROM UNNEST($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[],
                              $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::jsonb[],
                              $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::bigint[])",
    "INSERT INTO redemption (tenant, id, order_id, ordinal, code, incentive, incentive_version, customer, guest, state,
                             currency, amount, returned, details, expires, created, updated, version)
     SELECT $1, unhex(value->>0), value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
            value->>8, value->>9, value->>10, value->>11, value->>12, value->>13, value->>14, value->>15, value->>16
       FROM json_each($2)",
);

// Nothing is ever inserted: the redemptions are there and locked.
const UPDATE: Statement = Statement::pair(
    "INSERT INTO redemption (tenant, id, order_id, ordinal, code, incentive, incentive_version, customer, guest, state,
                             currency, amount, returned, details, expires, created, updated, version)
     SELECT $1, * FROM UNNEST($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[],
                              $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::jsonb[],
                              $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::bigint[])
     ON CONFLICT (tenant, id) DO UPDATE
        SET incentive_version = EXCLUDED.incentive_version, customer = EXCLUDED.customer, guest = EXCLUDED.guest,
            state = EXCLUDED.state, currency = EXCLUDED.currency, amount = EXCLUDED.amount,
            returned = EXCLUDED.returned, details = EXCLUDED.details, expires = EXCLUDED.expires,
            updated = EXCLUDED.updated, version = EXCLUDED.version",
    "INSERT INTO redemption (tenant, id, order_id, ordinal, code, incentive, incentive_version, customer, guest, state,
                             currency, amount, returned, details, expires, created, updated, version)
     SELECT $1, unhex(value->>0), value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
            value->>8, value->>9, value->>10, value->>11, value->>12, value->>13, value->>14, value->>15, value->>16
       FROM json_each($2) WHERE true
     ON CONFLICT (tenant, id) DO UPDATE
        SET incentive_version = excluded.incentive_version, customer = excluded.customer, guest = excluded.guest,
            state = excluded.state, currency = excluded.currency, amount = excluded.amount,
            returned = excluded.returned, details = excluded.details, expires = excluded.expires,
            updated = excluded.updated, version = excluded.version",
);

const RENAME: Statement = Statement::pair(
    "UPDATE redemption SET customer = $2 WHERE tenant = $1 AND id = ANY($3::uuid[])",
    "UPDATE redemption SET customer = $2
      WHERE tenant = $1 AND id IN (SELECT unhex(value->>0) FROM json_each($3))",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("redemption::lock_orders", LOCK_ORDERS),
    ("redemption::find_many", FIND_MANY),
    ("redemption::of_orders", OF_ORDERS),
    ("redemption::newest", NEWEST),
    ("redemption::newest_of_code", NEWEST_OF_CODE),
    ("redemption::newest_of_customer", NEWEST_OF_CUSTOMER),
    ("redemption::newest_of_guest", NEWEST_OF_GUEST),
    ("redemption::behind", BEHIND),
    ("redemption::count_orders", COUNT_ORDERS),
    ("redemption::lapsed", LAPSED),
    ("redemption::orders_holding", ORDERS_HOLDING),
    ("redemption::insert", INSERT),
    ("redemption::update", UPDATE),
    ("redemption::rename", RENAME),
];

#[derive(Debug, FromRow)]
struct Row {
    id: Uuid,
    order_id: String,
    ordinal: i64,
    code: String,
    incentive: String,
    incentive_version: i64,
    customer: Option<String>,
    guest: Option<String>,
    state: String,
    currency: String,
    amount: i64,
    returned: i64,
    details: Json<Details>,
    expires: Option<Instant>,
    created: Instant,
    updated: Instant,
    version: i64,
}

impl TryFrom<Row> for Redemption {
    type Error = Fault;

    fn try_from(row: Row) -> Outcome<Self> {
        let state = State::parse(&row.state).ok_or_else(|| Fault::internal("a stored state is none"))?;
        let currency = Currency::new(&row.currency)
            .map_err(|error| Fault::internal("a stored currency is none").caused_by(error))?;
        Ok(Self {
            id: row.id,
            order: row.order_id,
            ordinal: row.ordinal,
            code: row.code,
            incentive: row.incentive,
            incentive_version: row.incentive_version,
            person: Person { customer: row.customer, guest: row.guest },
            state,
            currency,
            amount: row.amount,
            returned: row.returned,
            details: row.details.0,
            expires: row.expires.map(Instant::timestamp),
            created: row.created.timestamp(),
            updated: row.updated.timestamp(),
            version: row.version,
        })
    }
}

fn all(rows: Vec<Row>) -> Outcome<Vec<Redemption>> {
    rows.into_iter().map(Redemption::try_from).collect()
}

/// Locks every redemption of these orders, by order and ordinal.
pub async fn lock_orders(tx: &mut Tx, tenant: &Tenant, mut orders: Vec<String>) -> Outcome<Vec<Redemption>> {
    orders.sort_unstable();
    let columns = [Column::Text(orders)];
    all(on_engine!(tx, LOCK_ORDERS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// The redemptions with these ids, in no order; ids that do not exist are left out.
pub async fn find_many(
    session: &mut impl Session,
    tenant: &Tenant,
    ids: &[Uuid],
) -> Outcome<Vec<Redemption>> {
    let columns = [Column::Uuid(ids.to_vec())];
    all(on_engine!(session, FIND_MANY, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// Every redemption of these orders, by order and ordinal.
pub async fn of_orders(
    session: &mut impl Session,
    tenant: &Tenant,
    mut orders: Vec<String>,
) -> Outcome<Vec<Redemption>> {
    orders.sort_unstable();
    let columns = [Column::Text(orders)];
    all(on_engine!(session, OF_ORDERS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// How many redemptions each of these orders has had.
pub async fn count_orders(tx: &mut Tx, tenant: &Tenant, orders: Vec<String>) -> Outcome<Vec<(String, i64)>> {
    let columns = [Column::Text(orders)];
    Ok(on_engine!(tx, COUNT_ORDERS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

/// By what redemptions are listed, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// All of them.
    Time,
    /// Those of one code.
    Code(&'a str),
    /// Those of one customer.
    Customer(&'a str),
    /// Those of one guest that are no customer's.
    Guest(&'a str),
}

/// At most `limit` redemptions older than `before`, newest first.
pub async fn newest(
    session: &mut impl Session,
    tenant: &Tenant,
    by: By<'_>,
    before: Uuid,
    limit: i64,
) -> Outcome<Vec<Redemption>> {
    let (statement, key) = match by {
        By::Time => (NEWEST, None),
        By::Code(code) => (NEWEST_OF_CODE, Some(code)),
        By::Customer(customer) => (NEWEST_OF_CUSTOMER, Some(customer)),
        By::Guest(guest) => (NEWEST_OF_GUEST, Some(guest)),
    };
    all(on_engine!(session, statement, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(before).bind(limit);
        match key {
            Some(key) => query.bind(key).fetch_all(conn).await,
            None => query.fetch_all(conn).await,
        }
    })?)
}

/// A redemption, as far as one has to look at it to know whether it matters.
#[derive(Debug, Clone, FromRow)]
pub struct Behind {
    /// Its id.
    pub id: Uuid,
    /// Its order.
    pub order_id: String,
    /// Its incentive.
    pub incentive: String,
    state: String,
}

impl Behind {
    /// Whether it may count anywhere.
    pub fn counts(&self) -> bool {
        !matches!(State::parse(&self.state), Some(State::Released | State::Expired))
    }
}

/// At most `limit` redemptions of a tenant newer than `after`, oldest first.
pub async fn behind(
    session: &mut impl Session,
    tenant: &Tenant,
    after: Uuid,
    limit: i64,
) -> Outcome<Vec<Behind>> {
    Ok(on_engine!(session, BEHIND, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(after).bind(limit).fetch_all(conn).await
    })?)
}

/// A hold that has ended.
#[derive(Debug, Clone, FromRow)]
pub struct Lapsed {
    expires: Instant,
    /// Whose.
    pub tenant: String,
    id: Uuid,
    /// Id of its order.
    pub order_id: String,
}

/// Holds of any tenant that ended at `now` or before, those that ended first first: the next `limit` of them.
pub async fn lapsed(
    session: &mut impl Session,
    now: Timestamp,
    behind: Option<&Lapsed>,
    limit: i64,
) -> Outcome<Vec<Lapsed>> {
    let expires = behind.map_or(Instant(Timestamp::UNIX_EPOCH), |one| one.expires);
    let tenant = behind.map(|one| one.tenant.as_str()).unwrap_or_default();
    let id = behind.map_or(Uuid::nil(), |one| one.id);
    Ok(on_engine!(session, LAPSED, |sql, conn| {
        let query = sqlx::query_as(sql).bind(Instant(now)).bind(expires).bind(tenant).bind(id);
        query.bind(limit).fetch_all(conn).await
    })?)
}

/// Orders that hold one of these codes.
pub async fn orders_holding(tx: &mut Tx, tenant: &Tenant, codes: &[String]) -> Outcome<Vec<String>> {
    let columns = [Column::Text(codes.to_vec())];
    Ok(on_engine!(tx, ORDERS_HOLDING, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?)
}

fn columns(redemptions: &[&Redemption]) -> Outcome<[Column; 17]> {
    Ok([
        Column::uuid(redemptions.iter().map(|one| one.id)),
        Column::text(redemptions.iter().map(|one| one.order.as_str())),
        Column::int(redemptions.iter().map(|one| one.ordinal)),
        Column::text(redemptions.iter().map(|one| one.code.as_str())),
        Column::text(redemptions.iter().map(|one| one.incentive.as_str())),
        Column::int(redemptions.iter().map(|one| one.incentive_version)),
        Column::OptText(redemptions.iter().map(|one| one.person.customer.clone()).collect()),
        Column::OptText(redemptions.iter().map(|one| one.person.guest.clone()).collect()),
        Column::text(redemptions.iter().map(|one| one.state.name())),
        Column::text(redemptions.iter().map(|one| one.currency.code())),
        Column::int(redemptions.iter().map(|one| one.amount)),
        Column::int(redemptions.iter().map(|one| one.returned)),
        Column::json(redemptions.iter().map(|one| &one.details))?,
        Column::OptInstant(redemptions.iter().map(|one| one.expires).collect()),
        Column::Instant(redemptions.iter().map(|one| one.created).collect()),
        Column::Instant(redemptions.iter().map(|one| one.updated).collect()),
        Column::int(redemptions.iter().map(|one| one.version)),
    ])
}

/// Adds redemptions to the ledger. Somebody else may have added to one of the orders meanwhile.
pub fn insert(redemptions: &[&Redemption]) -> Outcome<Write> {
    Ok(Write::new(INSERT).columns(columns(redemptions)?).or_replay())
}

/// Writes locked redemptions.
pub fn update(redemptions: &[&Redemption]) -> Outcome<Write> {
    Ok(Write::new(UPDATE).columns(columns(redemptions)?))
}

/// Locked redemptions are this customer's.
pub async fn rename(tx: &mut Tx, tenant: &Tenant, to: &str, ids: Vec<Uuid>) -> Outcome<()> {
    let columns = [Column::Uuid(ids)];
    on_engine!(tx, RENAME, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(to);
        query.bind_columns(&columns).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}
