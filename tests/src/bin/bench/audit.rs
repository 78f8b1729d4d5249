//! What was written, as PostgreSQL counts it: so that both sides write the same rows, and only what is in the ledger
//! counts.

use std::collections::BTreeMap;

use sqlx::{FromRow, PgPool};

use crate::Outcome;

/// What one redemption writes to, and what it counts there: an event batch gets its position later, from the relay.
const TABLES: [&str; 5] = ["counter", "event_batch", "redemption", "request_claim", "voucher"];

/// Rows inserted and updated, by table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writes(BTreeMap<String, (i64, i64)>);

impl Writes {
    /// Since the database was made.
    pub async fn so_far(pool: &PgPool) -> Outcome<Self> {
        let sql =
            "SELECT relname::text, n_tup_ins, n_tup_upd FROM pg_stat_user_tables WHERE relname = ANY($1)";
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(sql).bind(&TABLES[..]).fetch_all(pool).await?;
        let rows = rows.into_iter().map(|(table, inserted, updated)| match table.as_str() {
            // Whether a customer's counter is new or not is chance: either way one row is written.
            "counter" => (table, (inserted + updated, 0)),
            "event_batch" => (table, (inserted, 0)),
            _ => (table, (inserted, updated)),
        });
        Ok(Self(rows.collect()))
    }

    /// What came since `before`.
    pub fn since(&self, before: &Self) -> Self {
        let was = |table: &String| before.0.get(table).copied().unwrap_or_default();
        let rows = self.0.iter().map(|(table, (inserted, updated))| {
            let (inserted_before, updated_before) = was(table);
            (table.clone(), (inserted - inserted_before, updated - updated_before))
        });
        Self(rows.collect())
    }

    /// Fails unless this is `transactions` times `one`.
    pub fn must_be(&self, transactions: i64, one: &Self) -> Outcome {
        for (table, (inserted, updated)) in &one.0 {
            let (wanted, found) = ((inserted * transactions, updated * transactions), self.0.get(table));
            if found != Some(&wanted) {
                let message =
                    format!("{table}: wrote {found:?} in {transactions} transactions, not {wanted:?}");
                return Err(message.into());
            }
        }
        Ok(())
    }

    /// `counter 3+0, …`: rows inserted and updated.
    pub fn shown(&self) -> String {
        let tables =
            self.0.iter().map(|(table, (inserted, updated))| format!("{table} {inserted}+{updated}"));
        tables.collect::<Vec<_>>().join(", ")
    }
}

/// The ledger beside what counts its limits.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Ledger {
    /// Redemptions.
    pub redemptions: i64,
    amount: i64,
    code_uses: i64,
    incentive_uses: i64,
    incentive_money: i64,
    customer_uses: i64,
}

impl Ledger {
    /// As committed now.
    pub async fn now(pool: &PgPool) -> Outcome<Self> {
        let sql = "SELECT (SELECT count(*) FROM redemption) AS redemptions,
            (SELECT coalesce(sum(amount), 0)::bigint FROM redemption) AS amount,
            (SELECT coalesce(sum(uses), 0)::bigint FROM voucher) AS code_uses,
            (SELECT coalesce(sum(used), 0)::bigint FROM counter WHERE kind = 1) AS incentive_uses,
            (SELECT coalesce(sum(used), 0)::bigint FROM counter WHERE kind = 2) AS incentive_money,
            (SELECT coalesce(sum(used), 0)::bigint FROM counter WHERE kind = 3) AS customer_uses";
        Ok(sqlx::query_as(sql).fetch_one(pool).await?)
    }

    /// Fails unless there are `accepted` more than `before`, and every limit has counted every one of them.
    pub fn must_have(&self, accepted: u64, before: &Self) -> Outcome {
        let counted = [self.code_uses, self.incentive_uses, self.customer_uses];
        let complete =
            counted.iter().all(|uses| *uses == self.redemptions) && self.incentive_money == self.amount;
        let new = self.redemptions - before.redemptions;
        if complete && u64::try_from(new) == Ok(accepted) {
            return Ok(());
        }
        Err(format!("{accepted} redemptions were accepted, the ledger has {new} more: {self:?}").into())
    }
}

/// How long the oldest event waits for its position, in seconds.
pub async fn relay_lag(pool: &PgPool) -> Outcome<f64> {
    let sql = "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created)), 0)::float8
                 FROM event_batch WHERE position IS NULL";
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}
