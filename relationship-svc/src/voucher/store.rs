//! Vouchers in the database. A voucher's lock comes after that of the redemptions of its order and before that of any
//! counter; several are locked in the order of their codes.

use std::collections::BTreeMap;

use sqlx::FromRow;
use tandem_kernel::money::Currency;
use tandem_platform::db::{BindColumns, Column, Instant, Json, Session, Statement, Tx, Write};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};

use super::{Balance, Before, Usage, Voucher};

macro_rules! columns {
    () => {
        "code, incentive, batch, customer, source_id, assigned, starts, ends, max_uses, uses, uses_held, currency, \
         initial_balance, adjusted, spent, spent_held, restored_until, disabled, uses_before, spent_before, \
         adjusted_before, labels, created, version"
    };
}

pub mod assignment;
pub mod batch;
pub mod change;
pub mod format;
pub mod import;
pub mod list;

// On PostgreSQL none of these is a plain join: before the first ANALYZE of a fast-growing table the planner would read
// all vouchers of the tenant for each batch. LATERAL … LIMIT, a lock inside LATERAL, and ON CONFLICT leave it one probe
// of the primary key per code, whatever it knows.

const FIND_MANY: Statement = Statement::pair(
    concat!(
        "SELECT v.* FROM UNNEST($2::text[]) AS wanted (code) CROSS JOIN LATERAL (SELECT ",
        columns!(),
        " FROM voucher WHERE tenant = $1 AND code = wanted.code LIMIT 1) AS v"
    ),
    concat!(
        "SELECT ",
        columns!(),
        " FROM voucher WHERE tenant = $1 AND code IN (SELECT value->>0 FROM json_each($2))"
    ),
);

// Locks in the order of the parameter.
const LOCK_MANY: Statement = Statement::pair(
    concat!(
        "SELECT v.* FROM UNNEST($2::text[]) AS wanted (code) CROSS JOIN LATERAL (SELECT ",
        columns!(),
        " FROM voucher WHERE tenant = $1 AND code = wanted.code FOR NO KEY UPDATE) AS v"
    ),
    concat!(
        "SELECT ",
        columns!(),
        " FROM voucher WHERE tenant = $1 AND code IN (SELECT value->>0 FROM json_each($2)) ORDER BY code"
    ),
);

// Nothing is ever inserted: the vouchers are there and locked.
const SAVE_USAGE: Statement = Statement::pair(
    "INSERT INTO voucher AS v (tenant, code, incentive, uses, uses_held, spent, spent_held, restored_until, disabled,
                               created)
     SELECT $1, code, '', uses, uses_held, spent, spent_held, restored_until, disabled, 'epoch'
       FROM UNNEST($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[],
                   $8::boolean[])
            AS n (code, uses, uses_held, spent, spent_held, restored_until, disabled)
     ON CONFLICT (tenant, code) DO UPDATE
        SET uses = EXCLUDED.uses, uses_held = EXCLUDED.uses_held, spent = EXCLUDED.spent,
            spent_held = EXCLUDED.spent_held, restored_until = EXCLUDED.restored_until,
            disabled = EXCLUDED.disabled, version = v.version + 1",
    "INSERT INTO voucher AS v (tenant, code, incentive, uses, uses_held, spent, spent_held, restored_until, disabled,
                               created)
     SELECT $1, value->>0, '', value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, 0
       FROM json_each($2) WHERE true
     ON CONFLICT (tenant, code) DO UPDATE
        SET uses = excluded.uses, uses_held = excluded.uses_held, spent = excluded.spent,
            spent_held = excluded.spent_held, restored_until = excluded.restored_until,
            disabled = excluded.disabled, version = v.version + 1",
);

const INSERT_MANY: Statement = Statement::pair(
    "INSERT INTO voucher (tenant, code, incentive, batch, customer, source_id, assigned, starts, ends, max_uses,
                          currency, initial_balance, created)
     SELECT $1, code, incentive, batch, customer, source_id, assigned, starts, ends, max_uses, currency,
            initial_balance, $2
       FROM UNNEST($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
                   $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::text[], $13::bigint[])
            AS n (code, incentive, batch, customer, source_id, assigned, starts, ends, max_uses, currency,
                  initial_balance)
     ON CONFLICT (tenant, code) DO NOTHING",
    "INSERT INTO voucher (tenant, code, incentive, batch, customer, source_id, assigned, starts, ends, max_uses,
                          currency, initial_balance, created)
     SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
            value->>9, value->>10, $2
       FROM json_each($3) WHERE true
     ON CONFLICT (tenant, code) DO NOTHING",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("voucher::find_many", FIND_MANY),
    ("voucher::lock_many", LOCK_MANY),
    ("voucher::save_usage", SAVE_USAGE),
    ("voucher::insert_many", INSERT_MANY),
];

/// A row of the table, for statements that join others to it.
#[derive(Debug, FromRow)]
pub(crate) struct Row {
    code: String,
    incentive: String,
    batch: Option<String>,
    customer: Option<String>,
    source_id: Option<String>,
    assigned: Option<Instant>,
    starts: Option<Instant>,
    ends: Option<Instant>,
    max_uses: Option<i64>,
    uses: i64,
    uses_held: i64,
    currency: Option<String>,
    initial_balance: i64,
    adjusted: i64,
    spent: i64,
    spent_held: i64,
    restored_until: Option<Instant>,
    disabled: bool,
    uses_before: i64,
    spent_before: i64,
    adjusted_before: i64,
    labels: Option<Json<BTreeMap<String, String>>>,
    created: Instant,
    version: i64,
}

impl TryFrom<Row> for Voucher {
    type Error = Fault;

    fn try_from(row: Row) -> Outcome<Self> {
        let balance = match row.currency {
            None => None,
            Some(code) => {
                let currency = Currency::new(&code)
                    .map_err(|error| Fault::internal("a stored currency is none").caused_by(error))?;
                Some(Balance { initial: row.initial_balance, adjusted: row.adjusted, currency })
            }
        };
        Ok(Self {
            code: row.code,
            incentive: row.incentive,
            batch: row.batch,
            customer: row.customer,
            source_id: row.source_id,
            assigned: row.assigned.map(Instant::timestamp),
            starts: row.starts.map(Instant::timestamp),
            ends: row.ends.map(Instant::timestamp),
            max_uses: row.max_uses,
            balance,
            usage: Usage {
                uses: row.uses,
                uses_held: row.uses_held,
                spent: row.spent,
                spent_held: row.spent_held,
                restored_until: row.restored_until.map(Instant::timestamp),
                disabled: row.disabled,
            },
            before: Before { uses: row.uses_before, spent: row.spent_before, adjusted: row.adjusted_before },
            labels: row.labels.map(|labels| labels.0).unwrap_or_default(),
            created: row.created.timestamp(),
            version: row.version,
        })
    }
}

/// The vouchers with these stored codes, in no order; codes that do not exist are left out.
pub async fn find_many(
    session: &mut impl Session,
    tenant: &Tenant,
    codes: &[String],
) -> Outcome<Vec<Voucher>> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [Column::Text(codes.to_vec())];
    let rows: Vec<Row> = on_engine!(session, FIND_MANY, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    rows.into_iter().map(Voucher::try_from).collect()
}

/// The voucher with this stored code.
pub async fn find(session: &mut impl Session, tenant: &Tenant, code: &str) -> Outcome<Option<Voucher>> {
    Ok(find_many(session, tenant, &[code.to_owned()]).await?.pop())
}

/// Locks the vouchers with these stored codes, in the order of their codes.
pub async fn lock_many(tx: &mut Tx, tenant: &Tenant, mut codes: Vec<String>) -> Outcome<Vec<Voucher>> {
    codes.sort_unstable();
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [Column::Text(codes)];
    let rows: Vec<Row> = on_engine!(tx, LOCK_MANY, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    rows.into_iter().map(Voucher::try_from).collect()
}

/// Writes the usage of locked vouchers; each gets its next version.
pub fn save_usage(vouchers: &[(&str, Usage)]) -> Write {
    Write::new(SAVE_USAGE).columns([
        Column::text(vouchers.iter().map(|(code, _)| *code)),
        Column::int(vouchers.iter().map(|(_, usage)| usage.uses)),
        Column::int(vouchers.iter().map(|(_, usage)| usage.uses_held)),
        Column::int(vouchers.iter().map(|(_, usage)| usage.spent)),
        Column::int(vouchers.iter().map(|(_, usage)| usage.spent_held)),
        Column::OptInstant(vouchers.iter().map(|(_, usage)| usage.restored_until).collect()),
        Column::Bool(vouchers.iter().map(|(_, usage)| usage.disabled).collect()),
    ])
}

/// Stores fresh vouchers, all made at the time of the first; codes that exist stay as they are. Answers how many are
/// new. The codes must differ.
pub async fn insert_many(tx: &mut Tx, tenant: &Tenant, vouchers: &[Voucher]) -> Outcome<u64> {
    let Some(first) = vouchers.first() else { return Ok(0) };
    let optional = |value: fn(&Voucher) -> &Option<String>| {
        Column::OptText(vouchers.iter().map(|voucher| value(voucher).clone()).collect())
    };
    let columns = [
        Column::text(vouchers.iter().map(|voucher| voucher.code.as_str())),
        Column::text(vouchers.iter().map(|voucher| voucher.incentive.as_str())),
        optional(|voucher| &voucher.batch),
        optional(|voucher| &voucher.customer),
        optional(|voucher| &voucher.source_id),
        Column::OptInstant(vouchers.iter().map(|voucher| voucher.assigned).collect()),
        Column::OptInstant(vouchers.iter().map(|voucher| voucher.starts).collect()),
        Column::OptInstant(vouchers.iter().map(|voucher| voucher.ends).collect()),
        Column::OptInt(vouchers.iter().map(|voucher| voucher.max_uses).collect()),
        Column::OptText(
            vouchers.iter().map(|voucher| voucher.balance.map(|balance| balance.currency.into())).collect(),
        ),
        Column::int(vouchers.iter().map(|voucher| voucher.balance.map_or(0, |balance| balance.initial))),
    ];
    Ok(on_engine!(tx, INSERT_MANY, |sql, conn| {
        let query =
            sqlx::query(sql).bind(tenant.as_str()).bind(Instant(first.created)).bind_columns(&columns);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}
