//! Rows that count under limits, and what holds keep of them.
//!
//! The tables are `counter` and `hold_claim`. Counters are locked in the order of their keys, after whatever else the
//! transaction locks, and written only under their lock. One that does not exist is zero: it is inserted with its first
//! value, and a writer who loses that race replays.
//!
//! A counter of a period that is long over is forgotten ([`forget_over`]), and so are those of an owner that is over, where
//! the service knows that it is ([`forget_owned`]). Nothing can be refused by them any more; what comes back of a sale that
//! counted there finds no row, and gives nothing back. The sales themselves are the ledger.
//!
//! A batch decides on a working copy of what it has locked: [`ledger`]. How a limit that is added late finds everything
//! counted: [`tracks`].
//!
//! A claim is what one holder keeps of one counter until an instant; the counter's `held` is the sum of its claims. It is
//! read and written only under the lock of its counter, and one that has lapsed is taken off by whoever locks the counter
//! next. [`CounterKind::Voucher`] names a row of the service's own that counts by itself: it has claims and no counter.

pub mod ledger;
pub mod moved;
#[cfg(test)]
mod tests;
pub mod tracks;
pub mod values;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use tandem_kernel::limits::{CounterKey, CounterKind, Standing, Tally, Tracks, periods_before};
use uuid::Uuid;

use crate::db::{BindColumns, Column, Db, Instant, Session, Statement, Tx, Write, Writes};
use crate::{Fault, Outcome, Tenant, on_engine, transact};

// On PostgreSQL none of the statements on keys is a plain join: before the first ANALYZE of a fast-growing table the
// planner would read every row of the tenant for each batch. LATERAL, ON CONFLICT and ctid leave it one probe of an
// index per key, whatever it knows.

// CROSS JOIN fixes the order on SQLite, which would else read every counter of the tenant.
macro_rules! find_on_sqlite {
    ($more:literal) => {
        concat!(
            "SELECT c.kind, c.owner, c.subject, c.period, c.used, c.held, c.told",
            $more,
            " FROM json_each($2) AS k
              CROSS JOIN counter AS c ON c.tenant = $1 AND c.kind = k.value->>0 AND c.owner = k.value->>1
                               AND c.subject = k.value->>2 AND c.period = k.value->>3"
        )
    };
}

// Locks in the order of the parameters.
const LOCK: Statement = Statement::pair(
    "SELECT c.* FROM UNNEST($2::bigint[], $3::text[], $4::text[], $5::text[]) AS k (kind, owner, subject, period)
      CROSS JOIN LATERAL
            (SELECT kind, owner, subject, period, used, held, told, tracks FROM counter
              WHERE tenant = $1 AND kind = k.kind AND owner = k.owner AND subject = k.subject AND period = k.period
                FOR NO KEY UPDATE) AS c",
    find_on_sqlite!(", c.tracks"),
);

const FIND: Statement = Statement::pair(
    "SELECT c.* FROM UNNEST($2::bigint[], $3::text[], $4::text[], $5::text[]) AS k (kind, owner, subject, period)
      CROSS JOIN LATERAL
            (SELECT kind, owner, subject, period, used, held, told FROM counter
              WHERE tenant = $1 AND kind = k.kind AND owner = k.owner AND subject = k.subject AND period = k.period
              LIMIT 1) AS c",
    find_on_sqlite!(""),
);

const OF_OWNER: Statement = Statement::same(
    "SELECT kind, owner, subject, period, used, held, told FROM counter
      WHERE tenant = $1 AND kind IN (1, 2) AND owner = $2 AND period = $3 ORDER BY kind, subject",
);

const ALL: Statement =
    Statement::same("SELECT kind, owner, subject, period, used, held, told FROM counter WHERE tenant = $1");

const INSERT: Statement = Statement::pair(
    "INSERT INTO counter (tenant, kind, owner, subject, period, used, held, told, tracks)
     SELECT $1, * FROM UNNEST($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
                              $8::bigint[], $9::text[])",
    "INSERT INTO counter (tenant, kind, owner, subject, period, used, held, told, tracks)
     SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7
       FROM json_each($2)",
);

// Nothing is ever inserted: the counters are there and locked.
const UPDATE: Statement = Statement::pair(
    "INSERT INTO counter (tenant, kind, owner, subject, period, used, held, told)
     SELECT $1, * FROM UNNEST($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
                              $8::bigint[])
     ON CONFLICT (tenant, kind, owner, subject, period) DO UPDATE
        SET used = EXCLUDED.used, held = EXCLUDED.held, told = EXCLUDED.told",
    "INSERT INTO counter (tenant, kind, owner, subject, period, used, held, told)
     SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6
       FROM json_each($2) WHERE true
     ON CONFLICT (tenant, kind, owner, subject, period) DO UPDATE
        SET used = excluded.used, held = excluded.held, told = excluded.told",
);

const LAPSED_CLAIMS: Statement = Statement::pair(
    "SELECT c.* FROM UNNEST($3::bigint[], $4::text[], $5::text[], $6::text[]) AS k (kind, owner, subject, period)
      CROSS JOIN LATERAL
            (SELECT kind, owner, subject, period, holder, uses, amount, expires FROM hold_claim
              WHERE tenant = $1 AND kind = k.kind AND owner = k.owner AND subject = k.subject AND period = k.period
                AND expires <= $2 OFFSET 0) AS c",
    "SELECT c.kind, c.owner, c.subject, c.period, c.holder, c.uses, c.amount, c.expires
       FROM json_each($3) AS k
       CROSS JOIN hold_claim AS c ON c.tenant = $1 AND c.kind = k.value->>0 AND c.owner = k.value->>1
                           AND c.subject = k.value->>2 AND c.period = k.value->>3
      WHERE c.expires <= $2",
);

const CLAIMS_OF: Statement = Statement::pair(
    "SELECT c.* FROM UNNEST($2::uuid[]) AS wanted (holder)
      CROSS JOIN LATERAL
            (SELECT kind, owner, subject, period, holder, uses, amount, expires FROM hold_claim
              WHERE tenant = $1 AND holder = wanted.holder OFFSET 0) AS c",
    "SELECT c.kind, c.owner, c.subject, c.period, c.holder, c.uses, c.amount, c.expires
       FROM json_each($2) AS wanted
      CROSS JOIN hold_claim AS c INDEXED BY hold_claim_holder
         ON c.tenant = $1 AND c.holder = unhex(wanted.value->>0)",
);

const ALL_CLAIMS: Statement = Statement::same(
    "SELECT kind, owner, subject, period, holder, uses, amount, expires FROM hold_claim WHERE tenant = $1",
);

const INSERT_CLAIMS: Statement = Statement::pair(
    "INSERT INTO hold_claim (tenant, kind, owner, subject, period, holder, uses, amount, expires)
     SELECT $1, * FROM UNNEST($2::bigint[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::bigint[],
                              $8::bigint[], $9::timestamptz[])",
    "INSERT INTO hold_claim (tenant, kind, owner, subject, period, holder, uses, amount, expires)
     SELECT $1, value->>0, value->>1, value->>2, value->>3, unhex(value->>4), value->>5, value->>6, value->>7
       FROM json_each($2)",
);

const DELETE_CLAIMS: Statement = Statement::pair(
    "DELETE FROM hold_claim WHERE ctid = ANY (ARRAY(
        SELECT c.ctid
          FROM UNNEST($2::bigint[], $3::text[], $4::text[], $5::text[], $6::uuid[])
               AS k (kind, owner, subject, period, holder)
         CROSS JOIN LATERAL
               (SELECT ctid FROM hold_claim
                 WHERE tenant = $1 AND kind = k.kind AND owner = k.owner AND subject = k.subject AND period = k.period
                   AND holder = k.holder LIMIT 1) AS c))",
    "DELETE FROM hold_claim WHERE tenant = $1 AND (kind, owner, subject, period, holder) IN
        (SELECT value->>0, value->>1, value->>2, value->>3, unhex(value->>4) FROM json_each($2))",
);

const FORGET: Statement = Statement::pair(
    "DELETE FROM counter WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM counter WHERE period <> '' AND period >= $1 AND period < $2 AND held = 0
         ORDER BY period LIMIT $3 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM counter WHERE (tenant, kind, owner, subject, period) IN
        (SELECT tenant, kind, owner, subject, period FROM counter
          WHERE period <> '' AND period >= $1 AND period < $2 AND held = 0 ORDER BY period LIMIT $3)",
);

const FORGET_OWNED: Statement = Statement::pair(
    "DELETE FROM counter WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM counter
         WHERE tenant = $1 AND kind = $2 AND (owner = $3 OR (owner >= $4 AND owner < $5)) AND held = 0
         LIMIT $6 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM counter WHERE tenant = $1 AND (kind, owner, subject, period) IN
        (SELECT kind, owner, subject, period FROM counter
          WHERE tenant = $1 AND kind = $2 AND (owner = $3 OR (owner >= $4 AND owner < $5)) AND held = 0 LIMIT $6)",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("counter::lock", LOCK),
    ("counter::find", FIND),
    ("counter::of_owner", OF_OWNER),
    ("counter::all", ALL),
    ("counter::insert", INSERT),
    ("counter::update", UPDATE),
    ("counter::lapsed_claims", LAPSED_CLAIMS),
    ("counter::claims_of", CLAIMS_OF),
    ("counter::all_claims", ALL_CLAIMS),
    ("counter::insert_claims", INSERT_CLAIMS),
    ("counter::delete_claims", DELETE_CLAIMS),
    ("counter::forget", FORGET),
    ("counter::forget_owned", FORGET_OWNED),
];

type Row = (i64, String, String, String, i64, i64, i64);

fn tally(row: Row) -> Outcome<(CounterKey, Tally)> {
    let (kind, owner, subject, period, used, held, told) = row;
    Ok((key(kind, owner, subject, period)?, Tally { used, held, told }))
}

fn key(kind: i64, owner: String, subject: String, period: String) -> Outcome<CounterKey> {
    let kind = CounterKind::parse(kind).ok_or_else(|| Fault::internal("a stored kind of counter is none"))?;
    Ok(CounterKey { kind, owner: owner.into(), subject: subject.into(), period: period.into() })
}

fn key_columns<'a>(keys: impl Iterator<Item = &'a CounterKey> + Clone) -> [Column; 4] {
    [
        Column::int(keys.clone().map(|key| key.kind.number())),
        Column::text(keys.clone().map(|key| &*key.owner)),
        Column::text(keys.clone().map(|key| &*key.subject)),
        Column::text(keys.map(|key| &*key.period)),
    ]
}

/// A counter that is locked.
#[derive(Debug, sqlx::FromRow)]
struct Locked {
    kind: i64,
    owner: String,
    subject: String,
    period: String,
    used: i64,
    held: i64,
    told: i64,
    tracks: Option<String>,
}

/// Locks those of these counters that exist, in the order given: that of their keys. The keys differ. With each the ways of
/// counting that it says its owner's uses are counted in.
async fn lock<'a>(
    tx: &mut Tx,
    tenant: &Tenant,
    keys: impl Iterator<Item = &'a CounterKey> + Clone,
) -> Outcome<Vec<(CounterKey, Tally, Option<Tracks>)>> {
    let columns = key_columns(keys);
    if columns[0].is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Locked> = on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    let locked = |row: Locked| {
        let tally = Tally { used: row.used, held: row.held, told: row.told };
        let tracks = row.tracks.map(|words| Tracks::parse(&words));
        Ok((key(row.kind, row.owner, row.subject, row.period)?, tally, tracks))
    };
    rows.into_iter().map(locked).collect()
}

/// Reads those of these counters that exist. The keys differ.
pub async fn find<'a>(
    session: &mut impl Session,
    tenant: &Tenant,
    keys: impl Iterator<Item = &'a CounterKey> + Clone,
) -> Outcome<Vec<(CounterKey, Tally)>> {
    let columns = key_columns(keys);
    if columns[0].is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on_engine!(session, FIND, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    rows.into_iter().map(tally).collect()
}

/// The uses and the money of an owner in one of its periods, uses first, then money by currency.
pub async fn of_owner(
    session: &mut impl Session,
    tenant: &Tenant,
    owner: &str,
    period: &str,
) -> Outcome<Vec<(CounterKey, Tally)>> {
    let rows: Vec<Row> = on_engine!(session, OF_OWNER, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(owner).bind(period).fetch_all(conn).await
    })?;
    rows.into_iter().map(tally).collect()
}

/// Every counter of a tenant, in no order: for audits, without a bound.
pub async fn all(session: &mut impl Session, tenant: &Tenant) -> Outcome<Vec<(CounterKey, Tally)>> {
    let rows: Vec<Row> = on_engine!(session, ALL, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).fetch_all(conn).await
    })?;
    rows.into_iter().map(tally).collect()
}

fn tally_columns(counters: &[(&CounterKey, Tally)]) -> Vec<Column> {
    let mut columns = Vec::from(key_columns(counters.iter().map(|(key, _)| *key)));
    columns.push(Column::int(counters.iter().map(|(_, tally)| tally.used)));
    columns.push(Column::int(counters.iter().map(|(_, tally)| tally.held)));
    columns.push(Column::int(counters.iter().map(|(_, tally)| tally.told)));
    columns
}

/// Writes counters that did not exist, in the order of their keys. `tracks` says in what uses of an owner are counted.
/// Somebody else may have made one meanwhile.
fn insert<'t>(
    mut counters: Vec<(&CounterKey, Tally)>,
    tracks: impl Fn(&CounterKey) -> Option<&'t Tracks>,
) -> Write {
    counters.sort_unstable_by_key(|(key, _)| *key);
    let words = counters.iter().map(|(key, _)| {
        tracks(key).filter(|tracks| !tracks.is_empty() && key.counts_every_use()).map(Tracks::to_string)
    });
    let mut columns = tally_columns(&counters);
    columns.push(Column::OptText(words.collect()));
    Write::new(INSERT).columns(columns).or_replay()
}

/// Writes locked counters.
fn update(counters: &[(&CounterKey, Tally)]) -> Write {
    Write::new(UPDATE).columns(tally_columns(counters))
}

/// One claim as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// Of which counter, or row that counts by itself.
    pub key: CounterKey,
    /// Id of whoever holds.
    pub holder: Uuid,
    /// Uses it keeps.
    pub uses: i64,
    /// Money it keeps, minor units.
    pub amount: i64,
    /// Until when. A hold that does not lapse by itself names an instant that never comes.
    pub expires: Timestamp,
}

type StoredClaim = (i64, String, String, String, Uuid, i64, i64, Instant);

fn claim(row: StoredClaim) -> Outcome<ClaimRow> {
    let (kind, owner, subject, period, holder, uses, amount, expires) = row;
    let key = key(kind, owner, subject, period)?;
    Ok(ClaimRow { key, holder, uses, amount, expires: expires.timestamp() })
}

/// The claims on these locked rows that have lapsed at `now`.
pub async fn lapsed_claims(
    session: &mut impl Session,
    tenant: &Tenant,
    keys: &[CounterKey],
    now: Timestamp,
) -> Outcome<Vec<ClaimRow>> {
    let columns = key_columns(keys.iter());
    let rows: Vec<StoredClaim> = on_engine!(session, LAPSED_CLAIMS, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(Instant(now)).bind_columns(&columns);
        query.fetch_all(conn).await
    })?;
    rows.into_iter().map(claim).collect()
}

/// Takes off these counters what lapsed holds still keep of them.
pub async fn without_lapsed(
    session: &mut impl Session,
    tenant: &Tenant,
    counted: &mut [(CounterKey, Tally)],
    now: Timestamp,
) -> Outcome<()> {
    let held: Vec<CounterKey> =
        counted.iter().filter(|(_, tally)| tally.held > 0).map(|(key, _)| key.clone()).collect();
    if held.is_empty() {
        return Ok(());
    }
    for claim in lapsed_claims(session, tenant, &held, now).await? {
        if let Some((key, tally)) = counted.iter_mut().find(|(key, _)| *key == claim.key) {
            tally.held -= if key.kind.is_money() { claim.amount } else { claim.uses };
        }
    }
    Ok(())
}

/// Says of each of these limits how far it is.
pub async fn fill(
    session: &mut impl Session,
    tenant: &Tenant,
    limits: &mut [Standing],
    now: Timestamp,
) -> Outcome<()> {
    let mut counted = find(session, tenant, limits.iter().map(|limit| &limit.key)).await?;
    without_lapsed(session, tenant, &mut counted, now).await?;
    let counted: HashMap<CounterKey, Tally> = counted.into_iter().collect();
    for limit in limits {
        if let Some(tally) = counted.get(&limit.key) {
            (limit.used, limit.held) = (tally.used, tally.held);
        }
    }
    Ok(())
}

/// Every claim of these holders.
pub async fn claims_of(
    session: &mut impl Session,
    tenant: &Tenant,
    holders: &[Uuid],
) -> Outcome<Vec<ClaimRow>> {
    let columns = [Column::Uuid(holders.to_vec())];
    let rows: Vec<StoredClaim> = on_engine!(session, CLAIMS_OF, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind_columns(&columns).fetch_all(conn).await
    })?;
    rows.into_iter().map(claim).collect()
}

/// Every claim of a tenant, in no order: for audits, without a bound.
pub async fn all_claims(session: &mut impl Session, tenant: &Tenant) -> Outcome<Vec<ClaimRow>> {
    let rows: Vec<StoredClaim> = on_engine!(session, ALL_CLAIMS, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).fetch_all(conn).await
    })?;
    rows.into_iter().map(claim).collect()
}

fn claim_columns(claims: &[ClaimRow]) -> Vec<Column> {
    let mut columns = Vec::from(key_columns(claims.iter().map(|claim| &claim.key)));
    columns.push(Column::uuid(claims.iter().map(|claim| claim.holder)));
    columns
}

/// Stores claims on locked rows.
fn insert_claims(claims: &[ClaimRow]) -> Write {
    let mut columns = claim_columns(claims);
    columns.push(Column::int(claims.iter().map(|claim| claim.uses)));
    columns.push(Column::int(claims.iter().map(|claim| claim.amount)));
    columns.push(Column::Instant(claims.iter().map(|claim| claim.expires).collect()));
    Write::new(INSERT_CLAIMS).columns(columns)
}

/// Deletes claims on locked rows.
fn delete_claims(claims: &[ClaimRow]) -> Write {
    Write::new(DELETE_CLAIMS).columns(claim_columns(claims))
}

/// Takes claims off locked rows and puts others on them. One that goes and one that comes may be of the same holder on the
/// same row, so these do not travel together.
async fn swap_claims(
    tx: &mut Tx,
    writes: &mut Writes<'_>,
    gone: &[ClaimRow],
    made: &[ClaimRow],
) -> Outcome<()> {
    let gone = delete_claims(gone);
    if made.is_empty() {
        writes.push(gone);
        return Ok(());
    }
    gone.run(tx, writes.tenant()).await?;
    writes.push(insert_claims(made));
    Ok(())
}

/// How long a counter stays behind its period's end: longer than anything held in it, and long enough to be looked at.
pub const KEPT_AFTER_END: SignedDuration = SignedDuration::from_hours(31 * 24);

/// Forgets counters of periods that ended [`KEPT_AFTER_END`] before `now` or earlier and of which nothing is held, in
/// transactions of `limit` rows; answers how many.
pub async fn forget_over(db: &Db, now: Timestamp, limit: u32) -> Outcome<u64> {
    let before = now.saturating_sub(KEPT_AFTER_END).unwrap_or(Timestamp::MIN);
    let mut forgotten = 0;
    for (first, end) in periods_before(before) {
        loop {
            let rows = transact!(db, |tx| {
                Ok(on_engine!(tx, FORGET, |sql, conn| {
                    let query = sqlx::query(sql).bind(&first).bind(&end).bind(i64::from(limit));
                    query.execute(conn).await.map(|done| done.rows_affected())
                })?)
            })?;
            forgotten += rows;
            if rows < u64::from(limit.max(1)) {
                break;
            }
        }
    }
    Ok(forgotten)
}

/// Forgets at most `limit` counters of `owner` and of what is named below it, "owner/…", of which nothing is held; answers
/// how many.
pub async fn forget_owned(tx: &mut Tx, tenant: &Tenant, owner: &str, limit: u32) -> Outcome<u64> {
    let mut forgotten = 0;
    for kind in CounterKind::ALL.into_iter().filter(|kind| *kind != CounterKind::Voucher) {
        let left = i64::from(limit).saturating_sub_unsigned(forgotten);
        forgotten += on_engine!(tx, FORGET_OWNED, |sql, conn| {
            let query = sqlx::query(sql).bind(tenant.as_str()).bind(kind.number()).bind(owner);
            let query = query.bind(format!("{owner}/")).bind(format!("{owner}0")).bind(left);
            query.execute(conn).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(forgotten)
}
