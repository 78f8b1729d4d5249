//! Counts that go from one subject to another, because who is counted is called something else from now on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tandem_kernel::limits::{CounterKey, CounterKind};
use uuid::Uuid;

use super::{claims_of, key_columns, lock};
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

// From owner to owner, by the key: how many counters an owner has does not matter.
const NEXT_OWNER: Statement = Statement::same(
    "SELECT kind, owner FROM counter WHERE tenant = $1 AND (kind, owner) > ($2, $3) AND kind <= $4
      ORDER BY kind, owner LIMIT 1",
);

const FORGET_EMPTY: Statement = Statement::same(
    "DELETE FROM counter
      WHERE tenant = $1 AND kind = $2 AND owner = $3 AND subject = $4 AND used = 0 AND held = 0",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("moved::add", ADD),
    ("moved::empty", EMPTY),
    ("moved::claims", CLAIMS),
    ("moved::next_owner", NEXT_OWNER),
    ("moved::forget_empty", FORGET_EMPTY),
];

/// What goes from one counter to another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Moved {
    /// Of the subject as it was called.
    from: CounterKey,
    /// Of the subject as it is called.
    to: CounterKey,
    /// Used and not come back.
    used: i64,
    /// Held.
    held: i64,
}

/// What some sales weigh for one subject, and are to weigh for another.
#[derive(Debug)]
pub struct Weights {
    /// By every counter of the subject that they were counted or held in: used, and not come back.
    pub used: BTreeMap<CounterKey, i64>,
    /// Those of them that hold.
    pub holders: Vec<Uuid>,
}

/// Moves what sales weigh from the counters of a subject that is called `was` to those of the same that is called `is`.
pub async fn weights(
    tx: &mut Tx,
    tenant: &Tenant,
    (was, is): (&Arc<str>, &Arc<str>),
    Weights { used, holders }: Weights,
) -> Outcome<()> {
    let to = |from: &CounterKey| CounterKey { subject: is.clone(), ..from.clone() };
    let both: BTreeSet<CounterKey> = used.keys().flat_map(|from| [from.clone(), to(from)]).collect();
    let locked = lock(tx, tenant, both.iter()).await?;
    let there: BTreeSet<CounterKey> = locked.into_iter().map(|(key, ..)| key).collect();
    let mut held: BTreeMap<CounterKey, i64> = BTreeMap::new();
    // Under the locks: one that has lapsed may have been taken off before.
    for claim in claims_of(tx, tenant, &holders).await?.into_iter().filter(|claim| claim.key.subject == *was)
    {
        *held.entry(claim.key).or_default() += claim.uses;
    }
    let moved = |(from, used): (CounterKey, i64)| Moved {
        to: to(&from),
        used,
        held: held.get(&from).copied().unwrap_or(0),
        from,
    };
    let moves: Vec<Moved> = used.into_iter().filter(|(from, _)| there.contains(from)).map(moved).collect();
    counts(tx, tenant, &moves).await?;
    claims(tx, tenant, was, is, holders).await
}

/// Moves counts between counters that are locked; those that are left with nothing go.
async fn counts(tx: &mut Tx, tenant: &Tenant, moves: &[Moved]) -> Outcome<()> {
    let rows = moves.iter().filter(|one| one.used != 0 || one.held != 0);
    let rows = rows.flat_map(|one| [(&one.from, -one.used, -one.held), (&one.to, one.used, one.held)]);
    let rows: Vec<(&CounterKey, i64, i64)> = rows.collect();
    let mut columns = Vec::from(key_columns(rows.iter().map(|(key, ..)| *key)));
    columns.push(Column::int(rows.iter().map(|(_, used, _)| *used)));
    columns.push(Column::int(rows.iter().map(|(.., held)| *held)));
    Write::new(ADD).columns(columns).run(tx, tenant).await?;
    let left = key_columns(moves.iter().map(|one| &one.from));
    Write::new(EMPTY).columns(left).where_needed().run(tx, tenant).await
}

/// Moves what holders keep of counters of one subject to those of another.
async fn claims(tx: &mut Tx, tenant: &Tenant, from: &str, to: &str, holders: Vec<Uuid>) -> Outcome<()> {
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

/// Has the counters of single customers lose a subject where nothing is counted of it any more: what has come back leaves a
/// row. Goes on behind an owner, through at most so many; answers the last of them where there may be more.
pub async fn forget_empty(
    tx: &mut Tx,
    tenant: &Tenant,
    subject: &str,
    behind: Option<(i64, String)>,
    owners: usize,
) -> Outcome<Option<(i64, String)>> {
    let (first, last) = (CounterKind::Customer.number(), CounterKind::CustomerPeriod.number());
    let mut at = behind.unwrap_or((first, String::new()));
    for _ in 0..owners {
        let next: Option<(i64, String)> = on_engine!(tx, NEXT_OWNER, |sql, conn| {
            let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(at.0).bind(&at.1);
            query.bind(last).fetch_optional(conn).await
        })?;
        let Some(next) = next else { return Ok(None) };
        at = next;
        on_engine!(tx, FORGET_EMPTY, |sql, conn| {
            let query = sqlx::query(sql).bind(tenant.as_str()).bind(at.0).bind(&at.1).bind(subject);
            query.execute(conn).await.map(|_| ())
        })?;
    }
    Ok(Some(at))
}
