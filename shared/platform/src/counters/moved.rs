//! Counts that go from one subject to another, because who is counted is called something else from now on.

use std::collections::BTreeSet;

use tandem_kernel::limits::CounterKey;
use uuid::Uuid;

use super::{key_columns, lock};
use crate::db::{BindColumns, Column, Statement, Tx, Write};
use crate::{Outcome, Tenant, on_engine};

const ADD: Statement = Statement::pair(
    "INSERT INTO counter AS c (tenant, kind, owner, subject, period, used, held, told)
     SELECT $1, kind, owner, subject, period, used, held, 0
       FROM UNNEST($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
            AS n (kind, owner, subject, period, used, held)
     ON CONFLICT (tenant, kind, owner, subject, period) DO UPDATE
        SET used = c.used + EXCLUDED.used, held = c.held + EXCLUDED.held",
    "INSERT INTO counter AS c (tenant, kind, owner, subject, period, used, held, told)
     SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, 0
       FROM json_each($2) WHERE true
     ON CONFLICT (tenant, kind, owner, subject, period) DO UPDATE
        SET used = c.used + excluded.used, held = c.held + excluded.held",
);

const EMPTY: Statement = Statement::pair(
    "DELETE FROM counter AS c USING UNNEST($2::bigint[], $3::text[], $4::text[], $5::text[])
            AS k (kind, owner, subject, period)
      WHERE c.tenant = $1 AND c.kind = k.kind AND c.owner = k.owner AND c.subject = k.subject
        AND c.period = k.period AND c.used = 0 AND c.held = 0",
    "DELETE FROM counter WHERE tenant = $1 AND used = 0 AND held = 0 AND (kind, owner, subject, period) IN
        (SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each($2))",
);

const CLAIMS: Statement = Statement::pair(
    "UPDATE hold_claim SET subject = $3 WHERE tenant = $1 AND subject = $2 AND holder = ANY($4::uuid[])",
    "UPDATE hold_claim INDEXED BY hold_claim_holder SET subject = $3
      WHERE tenant = $1 AND subject = $2 AND holder IN (SELECT unhex(value->>0) FROM json_each($4))",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] =
    &[("moved::add", ADD), ("moved::empty", EMPTY), ("moved::claims", CLAIMS)];

/// What goes from one counter to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Of the subject as it was called.
    pub from: CounterKey,
    /// Of the subject as it is called.
    pub to: CounterKey,
    /// Used and not come back.
    pub used: i64,
    /// Held.
    pub held: i64,
}

/// Moves counts, of those counters that are there; those that are left with nothing go. The keys differ.
pub async fn counts(tx: &mut Tx, tenant: &Tenant, moves: &[Moved]) -> Outcome<()> {
    let keys: BTreeSet<&CounterKey> = moves.iter().flat_map(|one| [&one.from, &one.to]).collect();
    let keys: Vec<&CounterKey> = keys.into_iter().collect();
    let locked = lock(tx, tenant, keys.iter().copied()).await?;
    let there: BTreeSet<CounterKey> = locked.into_iter().map(|(key, ..)| key).collect();
    let moves: Vec<&Moved> = moves.iter().filter(|one| there.contains(&one.from)).collect();
    let rows =
        moves.iter().flat_map(|one| [(&one.from, -one.used, -one.held), (&one.to, one.used, one.held)]);
    let rows: Vec<(&CounterKey, i64, i64)> = rows.collect();
    let mut columns = Vec::from(key_columns(rows.iter().map(|(key, ..)| *key)));
    columns.push(Column::int(rows.iter().map(|(_, used, _)| *used)));
    columns.push(Column::int(rows.iter().map(|(.., held)| *held)));
    Write::new(ADD).columns(columns).run(tx, tenant).await?;
    let left = key_columns(moves.iter().map(|one| &one.from));
    Write::new(EMPTY).columns(left).where_needed().run(tx, tenant).await
}

/// Moves what holders keep of counters of one subject to those of another.
pub async fn claims(tx: &mut Tx, tenant: &Tenant, from: &str, to: &str, holders: Vec<Uuid>) -> Outcome<()> {
    if holders.is_empty() {
        return Ok(());
    }
    let columns = [Column::Uuid(holders)];
    on_engine!(tx, CLAIMS, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(from).bind(to);
        query.bind_columns(&columns).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}
