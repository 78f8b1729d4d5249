//! Codes that come from elsewhere, with what is true of them there.

use tandem_platform::db::{BindColumns, Column, Statement, Tx};
use tandem_platform::{Fault, Outcome, Tenant, on_engine};

use crate::voucher::Voucher;

const INSERT_IMPORTED: Statement = Statement::pair(
    "INSERT INTO voucher (tenant, code, incentive, batch, customer, source_id, assigned, starts, ends, max_uses, uses,
                          uses_before, currency, initial_balance, adjusted, adjusted_before, spent, spent_before,
                          restored_until, disabled, labels, created)
     SELECT $1, code, incentive, batch, customer, source_id, assigned, starts, ends, max_uses, uses, uses, currency,
            initial_balance, adjusted, adjusted, spent, spent, restored_until, disabled, labels, created
       FROM UNNEST($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[],
                   $9::timestamptz[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[], $14::bigint[],
                   $15::bigint[], $16::timestamptz[], $17::boolean[], $18::jsonb[], $19::timestamptz[])
            AS n (code, incentive, batch, customer, source_id, assigned, starts, ends, max_uses, uses, currency,
                  initial_balance, adjusted, spent, restored_until, disabled, labels, created)
     ON CONFLICT (tenant, code) DO NOTHING",
    "INSERT INTO voucher (tenant, code, incentive, batch, customer, source_id, assigned, starts, ends, max_uses, uses,
                          uses_before, currency, initial_balance, adjusted, adjusted_before, spent, spent_before,
                          restored_until, disabled, labels, created)
     SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
            value->>9, value->>9, value->>10, value->>11, value->>12, value->>12, value->>13, value->>13, value->>14,
            value->>15, value->>16, value->>17
       FROM json_each($2) WHERE true
     ON CONFLICT (tenant, code) DO NOTHING",
);

// Nothing is ever inserted: the vouchers are there and locked.
const MOVE: Statement = Statement::pair(
    "UPDATE voucher AS v
        SET incentive = n.incentive, customer = n.customer, source_id = n.source_id, assigned = n.assigned,
            starts = n.starts, ends = n.ends, max_uses = n.max_uses, labels = n.labels, version = v.version + 1
       FROM UNNEST($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                   $8::timestamptz[], $9::bigint[], $10::jsonb[])
            AS n (code, incentive, customer, source_id, assigned, starts, ends, max_uses, labels)
      WHERE v.tenant = $1 AND v.code = n.code",
    "INSERT INTO voucher AS v (tenant, code, incentive, customer, source_id, assigned, starts, ends, max_uses, labels,
                               created)
     SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, 0
       FROM json_each($2) WHERE true
     ON CONFLICT (tenant, code) DO UPDATE
        SET incentive = excluded.incentive, customer = excluded.customer, source_id = excluded.source_id,
            assigned = excluded.assigned, starts = excluded.starts, ends = excluded.ends,
            max_uses = excluded.max_uses, labels = excluded.labels, version = v.version + 1",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] =
    &[("voucher::insert_imported", INSERT_IMPORTED), ("voucher::move", MOVE)];

/// Stores codes of which none was there a moment ago, in the order of their codes. Somebody who was quicker with one of them,
/// or with its source, makes this a lost race, which is run again and then finds the other's.
pub async fn insert(tx: &mut Tx, tenant: &Tenant, vouchers: &[&Voucher]) -> Outcome<()> {
    if vouchers.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::text(vouchers.iter().map(|voucher| voucher.code.as_str())),
        Column::text(vouchers.iter().map(|voucher| voucher.incentive.as_str())),
        Column::OptText(vouchers.iter().map(|voucher| voucher.batch.clone()).collect()),
        Column::OptText(vouchers.iter().map(|voucher| voucher.customer.clone()).collect()),
        Column::OptText(vouchers.iter().map(|voucher| voucher.source_id.clone()).collect()),
        Column::OptInstant(vouchers.iter().map(|voucher| voucher.assigned).collect()),
        Column::OptInstant(vouchers.iter().map(|voucher| voucher.starts).collect()),
        Column::OptInstant(vouchers.iter().map(|voucher| voucher.ends).collect()),
        Column::OptInt(vouchers.iter().map(|voucher| voucher.max_uses).collect()),
        Column::int(vouchers.iter().map(|voucher| voucher.usage.uses)),
        Column::OptText(
            vouchers.iter().map(|voucher| voucher.balance.map(|balance| balance.currency.into())).collect(),
        ),
        Column::int(vouchers.iter().map(|voucher| voucher.balance.map_or(0, |balance| balance.initial))),
        Column::int(vouchers.iter().map(|voucher| voucher.balance.map_or(0, |balance| balance.adjusted))),
        Column::int(vouchers.iter().map(|voucher| voucher.usage.spent)),
        Column::OptInstant(vouchers.iter().map(|voucher| voucher.usage.restored_until).collect()),
        Column::Bool(vouchers.iter().map(|voucher| voucher.usage.disabled).collect()),
        labels(vouchers)?,
        Column::Instant(vouchers.iter().map(|voucher| voucher.created).collect()),
    ];
    written(tx, INSERT_IMPORTED, tenant, &columns, vouchers.len()).await
}

/// Writes under which incentive locked codes stand from now on, and what goes with it.
pub async fn move_many(tx: &mut Tx, tenant: &Tenant, vouchers: &[&Voucher]) -> Outcome<()> {
    if vouchers.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::text(vouchers.iter().map(|voucher| voucher.code.as_str())),
        Column::text(vouchers.iter().map(|voucher| voucher.incentive.as_str())),
        Column::OptText(vouchers.iter().map(|voucher| voucher.customer.clone()).collect()),
        Column::OptText(vouchers.iter().map(|voucher| voucher.source_id.clone()).collect()),
        Column::OptInstant(vouchers.iter().map(|voucher| voucher.assigned).collect()),
        Column::OptInstant(vouchers.iter().map(|voucher| voucher.starts).collect()),
        Column::OptInstant(vouchers.iter().map(|voucher| voucher.ends).collect()),
        Column::OptInt(vouchers.iter().map(|voucher| voucher.max_uses).collect()),
        labels(vouchers)?,
    ];
    written(tx, MOVE, tenant, &columns, vouchers.len()).await
}

/// No labels are null, so that most rows stay as short as they were.
pub(super) fn labels(vouchers: &[&Voucher]) -> Outcome<Column> {
    let text = |voucher: &&Voucher| {
        (!voucher.labels.is_empty()).then(|| serde_json::to_string(&voucher.labels)).transpose()
    };
    let texts = vouchers.iter().map(text).collect::<Result<_, _>>();
    texts.map(Column::OptJson).map_err(|error| Fault::internal("labels are no document").caused_by(error))
}

async fn written(
    tx: &mut Tx,
    statement: Statement,
    tenant: &Tenant,
    columns: &[Column],
    rows: usize,
) -> Outcome<()> {
    let written: Result<u64, sqlx::Error> = on_engine!(tx, statement, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind_columns(columns);
        query.execute(conn).await.map(|done| done.rows_affected())
    });
    match written {
        Ok(written) if usize::try_from(written) == Ok(rows) => Ok(()),
        Ok(_) => Err(Fault::contention().retryable()),
        Err(error) if error.as_database_error().is_some_and(|error| error.is_unique_violation()) => {
            Err(Fault::contention().caused_by(error).retryable())
        }
        Err(error) => Err(error.into()),
    }
}
