//! What was written, as PostgreSQL counts it: so that both sides write the same rows, and only what is in the ledger
//! counts.

use std::collections::BTreeMap;

use prost::bytes::Bytes;
use sqlx::{FromRow, PgPool};
use tandem_tests::process::Service;
use tonic::metadata::AsciiMetadataValue;

use crate::load::Target;
use crate::{Outcome, world};

/// What one call writes to, and what it counts there: an event batch gets its position later, from the relay.
const TABLES: [&str; 7] =
    ["counter", "event_batch", "order_step", "redemption", "request_claim", "sales_order", "voucher"];

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

    /// What one call alone writes. The service is stopped before and after it, because its sessions hand in their
    /// counts as they end; it stays stopped.
    pub async fn of_one(
        service: &mut Service,
        path: &str,
        tenant: Option<&AsciiMetadataValue>,
        call: Bytes,
        pool: &PgPool,
    ) -> Outcome<Self> {
        world::stop(service).await?;
        let before = Self::so_far(pool).await?;
        service.restart();
        Target::connect(service.address(), path).await?.call_of(tenant, call).await?;
        world::stop(service).await?;
        Ok(Self::so_far(pool).await?.since(&before))
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

/// What is written down one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Book {
    /// In relationship-svc's database.
    Redemptions,
    /// In campaign-svc's database.
    Orders,
}

const REDEMPTIONS: &str = "
    WITH redeemed AS (SELECT count(*) AS entries, coalesce(sum(amount), 0)::bigint AS money FROM redemption),
         counted AS (SELECT coalesce(sum(used) FILTER (WHERE kind = 1), 0)::bigint AS uses,
                            coalesce(sum(used) FILTER (WHERE kind = 2), 0)::bigint AS money,
                            coalesce(sum(used) FILTER (WHERE kind = 3), 0)::bigint AS customers FROM counter)
    SELECT entries, ARRAY[entries, entries, entries, r.money] AS noted,
           ARRAY[(SELECT coalesce(sum(uses - uses_before), 0)::bigint FROM voucher), c.uses, c.customers, c.money] AS counted
      FROM redeemed AS r, counted AS c";

// An order notes what it counts in: its offers and their campaigns.
const ORDERS: &str = "
    WITH sold AS (SELECT sold::jsonb AS sold FROM sales_order WHERE state = 'COMMITTED'),
         charged AS (SELECT count(*) AS uses, coalesce(sum((charge->>'amount')::bigint), 0)::bigint AS money,
                            count(*) FILTER (WHERE charge->'counted'->>'c' = 'true') AS customers
                       FROM sold, jsonb_array_elements(sold->'charges') AS charge),
         counted AS (SELECT coalesce(sum(used) FILTER (WHERE kind = 1), 0)::bigint AS uses,
                            coalesce(sum(used) FILTER (WHERE kind = 2), 0)::bigint AS money,
                            coalesce(sum(used) FILTER (WHERE kind = 3), 0)::bigint AS customers FROM counter)
    SELECT (SELECT count(*) FROM sold) AS entries, ARRAY[o.uses, o.customers, o.money] AS noted,
           ARRAY[c.uses, c.customers, c.money] AS counted
      FROM charged AS o, counted AS c";

/// What is written down beside what counts its limits.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Ledger {
    entries: i64,
    /// Uses and money, as they follow from the entries.
    noted: Vec<i64>,
    /// The same, as the limits have counted them.
    counted: Vec<i64>,
}

impl Ledger {
    /// As committed now.
    pub async fn now(pool: &PgPool, book: Book) -> Outcome<Self> {
        let sql = match book {
            Book::Redemptions => REDEMPTIONS,
            Book::Orders => ORDERS,
        };
        Ok(sqlx::query_as(sql).fetch_one(pool).await?)
    }

    /// Fails unless there are `accepted` more than `before`, and every limit has counted every one of them.
    pub fn must_have(&self, accepted: u64, before: &Self) -> Outcome {
        let new = self.entries - before.entries;
        if self.noted == self.counted && u64::try_from(new) == Ok(accepted) {
            return Ok(());
        }
        Err(format!("{accepted} calls were accepted, the ledger has {new} more: {self:?}").into())
    }
}

/// How long the oldest event waits for its position, in seconds.
pub async fn relay_lag(pool: &PgPool) -> Outcome<f64> {
    let sql = "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created)), 0)::float8
                 FROM event_batch WHERE position IS NULL";
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}
