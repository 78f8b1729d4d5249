//! What is done to codes by hand: the code as it becomes, and the ledger of what was done.

use sqlx::FromRow;
use sqlx::types::Json;
use tandem_platform::db::{Column, Instant, Session, Statement, Write};
use tandem_platform::{Outcome, Tenant, on_engine};
use uuid::Uuid;

use super::import::labels;
use crate::voucher::Voucher;
use crate::voucher::change::{Change, FieldChange};

// Nothing is ever inserted: the vouchers are there and locked.
macro_rules! save {
    ($rows:literal) => {
        concat!(
            "INSERT INTO voucher AS v (tenant, code, incentive, customer, source_id, assigned, starts, ends, max_uses,
                                       restored_until, disabled, labels, adjusted, created) ",
            $rows,
            " ON CONFLICT (tenant, code) DO UPDATE
                SET customer = excluded.customer, source_id = excluded.source_id, assigned = excluded.assigned,
                    starts = excluded.starts, ends = excluded.ends, max_uses = excluded.max_uses,
                    restored_until = excluded.restored_until, disabled = excluded.disabled,
                    labels = excluded.labels, adjusted = excluded.adjusted, version = v.version + 1"
        )
    };
}

const SAVE: Statement = Statement::pair(
    save!(
        "SELECT $1, code, '', customer, source_id, assigned, starts, ends, max_uses, restored_until, disabled, labels,
                adjusted, 'epoch'
           FROM UNNEST($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
                       $8::bigint[], $9::timestamptz[], $10::boolean[], $11::jsonb[], $12::bigint[])
                AS n (code, customer, source_id, assigned, starts, ends, max_uses, restored_until, disabled, labels,
                      adjusted)"
    ),
    save!(
        "SELECT $1, value->>0, '', value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
                value->>8, value->>9, value->>10, 0
           FROM json_each($2) WHERE true"
    ),
);

const KEEP: Statement = Statement::pair(
    "INSERT INTO voucher_change (tenant, code, id, principal, reason, fields, amount, created)
     SELECT $1, * FROM UNNEST($2::text[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[], $7::bigint[],
                              $8::timestamptz[])",
    "INSERT INTO voucher_change (tenant, code, id, principal, reason, fields, amount, created)
     SELECT $1, value->>0, unhex(value->>1), value->>2, value->>3, value->>4, value->>5, value->>6
       FROM json_each($2)",
);

const NEWEST: Statement = Statement::same(
    "SELECT id, principal, reason, fields, amount, created FROM voucher_change
      WHERE tenant = $1 AND code = $2 AND id < $3 ORDER BY id DESC LIMIT $4",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] =
    &[("voucher_change::save", SAVE), ("voucher_change::keep", KEEP), ("voucher_change::newest", NEWEST)];

/// Writes a locked code that was changed by hand; it gets its next version. Somebody who is quicker with its new source makes
/// this a lost race.
pub fn save(voucher: &Voucher) -> Outcome<Write> {
    let write = Write::new(SAVE).columns([
        Column::text([voucher.code.as_str()]),
        Column::OptText(vec![voucher.customer.clone()]),
        Column::OptText(vec![voucher.source_id.clone()]),
        Column::OptInstant(vec![voucher.assigned]),
        Column::OptInstant(vec![voucher.starts]),
        Column::OptInstant(vec![voucher.ends]),
        Column::OptInt(vec![voucher.max_uses]),
        Column::OptInstant(vec![voucher.usage.restored_until]),
        Column::Bool(vec![voucher.usage.disabled]),
        labels(&[voucher])?,
        Column::int([voucher.balance.map_or(0, |balance| balance.adjusted)]),
    ]);
    Ok(write.or_replay())
}

/// Writes down what was done to a code.
pub fn keep(code: &str, change: &Change) -> Outcome<Write> {
    Ok(Write::new(KEEP).columns([
        Column::text([code]),
        Column::uuid([change.id]),
        Column::text([change.principal.as_str()]),
        Column::text([change.reason.as_str()]),
        Column::json([&change.fields])?,
        Column::OptInt(vec![change.amount]),
        Column::Instant(vec![change.made]),
    ]))
}

#[derive(Debug, FromRow)]
struct Row {
    id: Uuid,
    principal: String,
    reason: String,
    fields: Json<Vec<FieldChange>>,
    amount: Option<i64>,
    created: Instant,
}

impl From<Row> for Change {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            principal: row.principal,
            reason: row.reason,
            fields: row.fields.0,
            amount: row.amount,
            made: row.created.timestamp(),
        }
    }
}

/// At most `limit` of what was done to a code before the change `before`, newest first.
pub async fn newest(
    session: &mut impl Session,
    tenant: &Tenant,
    code: &str,
    before: Uuid,
    limit: usize,
) -> Outcome<Vec<Change>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<Row> = on_engine!(session, NEWEST, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(code).bind(before).bind(limit).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(Change::from).collect())
}
