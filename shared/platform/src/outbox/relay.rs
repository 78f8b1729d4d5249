//! Gives positions to what has committed, in passes.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tandem_kernel::clock::Clock;
use tokio::time::Instant;

use crate::call::Tenant;
use crate::db::signals::lock;
use crate::db::{BindColumns, Column, Db, Instant as At, Replays, Statement, Tx, conclude, same_count};
use crate::fault::{Fault, Kind, Outcome};
use crate::on_engine;
use crate::tasks::Tasks;

// One probe of the index per tenant with news, whatever lies between them.
pub(super) const NEWS: Statement = Statement::same(
    "WITH RECURSIVE news (tenant) AS (
        SELECT min(tenant) FROM event_batch WHERE position IS NULL
         UNION ALL
        SELECT (SELECT min(tenant) FROM event_batch WHERE position IS NULL AND tenant > news.tenant)
          FROM news WHERE news.tenant IS NOT NULL)
     SELECT tenant FROM news WHERE tenant IS NOT NULL",
);

macro_rules! found {
    ($tenants:literal) => {
        concat!(
            "INSERT INTO relay (tenant, position, forgotten, moved)
             SELECT ",
            $tenants,
            ", nobody.position, nobody.forgotten, $1 FROM relay AS nobody CROSS JOIN "
        )
    };
}

// A tenant begins where nobody is: at 0, or after what was given when one number was for all. Who is there is looked for
// first: ON CONFLICT would wait for a replica that is numbering it.
pub(super) const FOUND: Statement = Statement::pair(
    concat!(
        found!("fresh.tenant"),
        "UNNEST($2::text[]) AS fresh (tenant)
              WHERE nobody.tenant = '' AND NOT EXISTS (SELECT 1 FROM relay WHERE tenant = fresh.tenant)
             ON CONFLICT (tenant) DO NOTHING"
    ),
    concat!(
        found!("fresh.value->>0"),
        "json_each($2) AS fresh
              WHERE nobody.tenant = '' AND NOT EXISTS (SELECT 1 FROM relay WHERE tenant = fresh.value->>0)
             ON CONFLICT (tenant) DO NOTHING"
    ),
);

pub(super) const ELECT: Statement = Statement::pair(
    "SELECT r.* FROM UNNEST($1::text[]) AS news (tenant)
      CROSS JOIN LATERAL
            (SELECT tenant, position, forgotten, second FROM relay
              WHERE tenant = news.tenant FOR UPDATE SKIP LOCKED) AS r",
    "SELECT r.tenant, r.position, r.forgotten, r.second
       FROM json_each($1) AS news CROSS JOIN relay AS r ON r.tenant = news.value->>0",
);

// An update in the clothes of an insert: every row is there, and ON CONFLICT finds it by its key, where a join would be
// planned anew, and at times over the whole table, as that grows.
pub(super) const NUMBER: Statement = Statement::pair(
    "INSERT INTO event_batch (tenant, id, position, created, payload)
     SELECT elected.tenant, free.id,
            elected.base + row_number() OVER (PARTITION BY elected.tenant ORDER BY free.created, free.id),
            free.created, ''
       FROM UNNEST($2::text[], $3::bigint[]) AS elected (tenant, base)
      CROSS JOIN LATERAL
            (SELECT id, created FROM event_batch
              WHERE tenant = elected.tenant AND position IS NULL ORDER BY created, id LIMIT $1) AS free
     ON CONFLICT (tenant, id) DO UPDATE SET position = excluded.position
     RETURNING tenant, position, created",
    "INSERT INTO event_batch (tenant, id, position, created, payload)
     SELECT tenant, id, base + place, created, ''
       FROM (SELECT free.tenant, free.id, free.created, elected.value->>1 AS base,
                    row_number() OVER (PARTITION BY free.tenant ORDER BY free.created, free.id) AS place
               FROM json_each($2) AS elected
              CROSS JOIN event_batch AS free ON free.tenant = elected.value->>0 AND free.id IN
                    (SELECT id FROM event_batch
                      WHERE tenant = elected.value->>0 AND position IS NULL ORDER BY created, id LIMIT $1))
      WHERE true
     ON CONFLICT (tenant, id) DO UPDATE SET position = excluded.position
     RETURNING tenant, position, created",
);

// As NUMBER: every row is there, and locked.
pub(super) const ADVANCE: Statement = Statement::pair(
    "INSERT INTO relay (tenant, position, forgotten, second, moved)
     SELECT elected.*, $1 FROM UNNEST($2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[]) AS elected
     ON CONFLICT (tenant) DO UPDATE
        SET position = excluded.position, second = excluded.second, moved = excluded.moved",
    "INSERT INTO relay (tenant, position, forgotten, second, moved)
     SELECT value->>0, value->>1, value->>2, value->>3, $1 FROM json_each($2) WHERE true
     ON CONFLICT (tenant) DO UPDATE
        SET position = excluded.position, second = excluded.second, moved = excluded.moved",
);

pub(super) const MOVED: Statement =
    Statement::same("SELECT tenant, position FROM relay WHERE moved >= $1 AND tenant > ''");

pub(super) const LAG: Statement =
    Statement::same("SELECT min(created) FROM event_batch WHERE position IS NULL");

/// Transactions that one pass numbers, of all its tenants together.
const PASS: i64 = 1_000;
/// Transactions of one tenant that a pass numbers at least, however many tenants share it.
const SHARE: i64 = 16;
/// How long before its commit a replica may have written when it moved a tenant, clocks that differ included: so far
/// back is asked again for what others have moved. What comes later still is found by followers, who look for themselves.
const OVERLAP: SignedDuration = SignedDuration::from_secs(2);

/// How long a tenant that could not be numbered is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// How the relay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RelayConfig {
    /// How often it looks for the commits of other processes, in milliseconds; those of this one wake it at once.
    #[schemars(range(min = 1))]
    pub poll_ms: u64,
    /// The pause after a pass that had work, in milliseconds: how many commits one numbering gathers under load.
    pub gather_ms: u64,
    /// Tenants whose events one transaction numbers or takes in together. 1 where each tenant may live on a node of its
    /// own.
    #[schemars(range(min = 1))]
    pub tenants_per_transaction: usize,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self { poll_ms: 100, gather_ms: 10, tenants_per_transaction: 256 }
    }
}

/// The relay of one process.
#[derive(Clone)]
pub struct Relay {
    db: Db,
    clock: Arc<dyn Clock>,
    config: RelayConfig,
    /// Up to when this process knows who has moved.
    seen: Arc<Mutex<Timestamp>>,
    /// Tenants that could not be numbered, and when they are tried again: by themselves.
    failing: Arc<Mutex<HashMap<String, Instant>>>,
}

/// A tenant whose row this pass has locked.
struct Elected {
    tenant: String,
    position: i64,
    forgotten: i64,
    second: Option<Timestamp>,
}

/// What one transaction has numbered.
#[derive(Default)]
struct Numbered {
    transactions: u64,
    /// Of a tenant there may be more than its share.
    more: bool,
}

impl Relay {
    /// A relay that does nothing yet.
    pub fn new(db: Db, clock: Arc<dyn Clock>, config: RelayConfig) -> Self {
        let seen = Arc::new(Mutex::new(clock.now()));
        Self { db, clock, config, seen, failing: Arc::default() }
    }

    /// Runs until the tasks are told to stop. Every replica runs one.
    pub fn start(&self, tasks: &Tasks) {
        let wake = self.db.signals().appended();
        let relay = self.clone();
        let poll = Duration::from_millis(self.config.poll_ms);
        let mut listened = None;
        tasks.every("relay", poll, Some(wake), move || {
            let (relay, now) = (relay.clone(), Instant::now());
            // Our own commits wake it often; what others have numbered is asked for no oftener than it is polled.
            let due = listened.is_none_or(|last| now.duration_since(last) >= poll);
            if due {
                listened = Some(now);
            }
            async move {
                let numbered = relay.number_all().await;
                if !matches!(numbered, Ok(0)) {
                    tokio::time::sleep(Duration::from_millis(relay.config.gather_ms)).await;
                }
                if due {
                    relay.listen().await?;
                }
                numbered.map(drop)
            }
        });
    }

    /// Numbers what has committed, of every tenant that another process is not numbering right now; answers how many
    /// transactions it numbered. Wakes the followers of this process for what any process has numbered. A tenant that
    /// cannot be numbered is passed over; its fault is the answer once the others are done.
    pub async fn pass(&self) -> Outcome<u64> {
        let numbered = self.number_all().await;
        self.listen().await?;
        numbered
    }

    async fn number_all(&self) -> Outcome<u64> {
        let (mut numbered, mut failed) = (0, None);
        loop {
            let mut more = false;
            let (alone, together) = self.apart(self.news().await?);
            for chunk in together.chunks(self.config.tenants_per_transaction).chain(alone.chunks(1)) {
                let done = self.number_or_pass_over(chunk, &mut failed).await?;
                numbered += done.transactions;
                more |= done.more;
            }
            if !more {
                return failed.map_or(Ok(numbered), Err);
            }
        }
    }

    /// Those that failed and are due again, and those that did not.
    fn apart(&self, news: Vec<String>) -> (Vec<String>, Vec<String>) {
        let (failing, now) = (lock(&self.failing), Instant::now());
        let (mut alone, together): (Vec<_>, Vec<_>) =
            news.into_iter().partition(|tenant| failing.contains_key(tenant));
        alone.retain(|tenant| failing.get(tenant).is_some_and(|due| *due <= now));
        (alone, together)
    }

    /// The age of the oldest committed transaction without a position; zero where all have one.
    pub async fn lag(&self) -> Outcome<SignedDuration> {
        let mut reader = self.db.read().await?;
        let oldest: Option<At> =
            on_engine!(&mut reader, LAG, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await)?;
        Ok(oldest.map_or(SignedDuration::ZERO, |oldest| self.clock.now().duration_since(oldest.0)))
    }

    /// Who has something without a position.
    async fn news(&self) -> Outcome<Vec<String>> {
        let mut reader = self.db.read().await?;
        Ok(on_engine!(&mut reader, NEWS, |sql, conn| sqlx::query_scalar(sql).fetch_all(conn).await)?)
    }

    /// Numbers these tenants together or, where the database refuses a statement, each by itself, so that it is known
    /// whose it was.
    async fn number_or_pass_over(&self, tenants: &[String], failed: &mut Option<Fault>) -> Outcome<Numbered> {
        let fault = match self.number(tenants).await {
            Ok(done) => {
                if let [tenant] = tenants {
                    lock(&self.failing).remove(tenant);
                }
                return Ok(done);
            }
            Err(fault) if fault.is_statement_error() => fault,
            // Somebody else holds something of these; the next pass comes soon.
            Err(fault) if fault.kind() == Kind::Aborted => return Ok(Numbered::default()),
            Err(fault) => return Err(fault),
        };
        let mut done = Numbered::default();
        match tenants {
            [tenant] => {
                lock(&self.failing).insert(tenant.clone(), Instant::now() + LEFT_ALONE);
                *failed = Some(fault.with("tenant", tenant));
            }
            _ => {
                for tenant in tenants {
                    let one = std::slice::from_ref(tenant);
                    let alone = Box::pin(self.number_or_pass_over(one, failed)).await?;
                    done.transactions += alone.transactions;
                    done.more |= alone.more;
                }
            }
        }
        Ok(done)
    }

    /// One transaction over these tenants, less those that another process numbers.
    async fn number(&self, tenants: &[String]) -> Outcome<Numbered> {
        let now = self.clock.now();
        let mut replays = Replays::default();
        loop {
            // Read committed: each statement sees what has committed before it, which is what a pass is about, and
            // serialisable writers are not made to fail because the relay looks at their rows.
            let mut tx = self.db.begin_read_committed().await?;
            let outcome = number(&mut tx, tenants, now).await;
            if let ControlFlow::Break(outcome) = conclude(&self.db, tx, outcome, &mut replays).await {
                let (done, heads) = outcome?;
                for (tenant, head) in heads {
                    self.announce(&tenant, head);
                }
                return Ok(done);
            }
        }
    }

    /// Tells followers how far others have numbered.
    async fn listen(&self) -> Outcome<()> {
        if !self.db.signals().are_heard() {
            return Ok(());
        }
        let (seen, now) = (*lock(&self.seen), self.clock.now());
        let since = seen.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN);
        let rows: Vec<(String, i64)> = {
            let mut reader = self.db.read().await?;
            on_engine!(&mut reader, MOVED, |sql, conn| {
                sqlx::query_as(sql).bind(At(since)).fetch_all(conn).await
            })?
        };
        *lock(&self.seen) = now;
        for (tenant, head) in rows {
            self.announce(&tenant, head);
        }
        Ok(())
    }

    fn announce(&self, tenant: &str, head: i64) {
        if let Some(tenant) = Tenant::parse(tenant) {
            self.db.signals().announce(&tenant, head);
        }
    }
}

type Heads = Vec<(String, i64)>;

async fn number(tx: &mut Tx, tenants: &[String], now: Timestamp) -> Outcome<(Numbered, Heads)> {
    let elected = elect(tx, tenants, now).await?;
    if elected.is_empty() {
        return Ok((Numbered::default(), Heads::new()));
    }
    let share = (PASS / i64::try_from(elected.len()).unwrap_or(PASS)).max(SHARE);
    let columns = [
        Column::text(elected.iter().map(|one| one.tenant.as_str())),
        Column::int(elected.iter().map(|one| one.position)),
    ];
    let rows: Vec<(String, i64, At)> = on_engine!(tx, NUMBER, |sql, conn| {
        sqlx::query_as(sql).bind(share).bind_columns(&columns).fetch_all(conn).await
    })?;
    let mut given: BTreeMap<&str, BTreeMap<i64, Timestamp>> = BTreeMap::new();
    for (tenant, position, created) in &rows {
        given.entry(tenant).or_default().insert(*position, created.timestamp());
    }
    let advanced: Vec<Elected> = elected
        .into_iter()
        .filter_map(|one| given.get(one.tenant.as_str()).map(|given| advanced(one, given)))
        .collect();
    advance(tx, &advanced, now).await?;
    let done = Numbered {
        transactions: rows.len() as u64,
        more: given.values().any(|given| i64::try_from(given.len()).unwrap_or(share) >= share),
    };
    Ok((done, advanced.into_iter().map(|one| (one.tenant, one.position)).collect()))
}

/// Locks the rows of these tenants, less those that another process holds; makes what is missing.
async fn elect(tx: &mut Tx, tenants: &[String], now: Timestamp) -> Outcome<Vec<Elected>> {
    let mut elected = locked(tx, tenants.to_vec()).await?;
    let rest: Vec<String> =
        tenants.iter().filter(|&name| !elected.iter().any(|one| one.tenant == *name)).cloned().collect();
    if !rest.is_empty() {
        let columns = [Column::Text(rest.clone())];
        let found = on_engine!(tx, FOUND, |sql, conn| {
            let query = sqlx::query(sql).bind(At(now)).bind_columns(&columns);
            query.execute(conn).await.map(|done| done.rows_affected())
        })?;
        if found > 0 {
            elected.extend(locked(tx, rest).await?);
        }
    }
    Ok(elected)
}

async fn locked(tx: &mut Tx, tenants: Vec<String>) -> Outcome<Vec<Elected>> {
    let columns = [Column::Text(tenants)];
    let rows: Vec<(String, i64, i64, Option<At>)> = on_engine!(tx, ELECT, |sql, conn| {
        sqlx::query_as(sql).bind_columns(&columns).fetch_all(conn).await
    })?;
    let elected = |(tenant, position, forgotten, second): (String, i64, i64, Option<At>)| Elected {
        tenant,
        position,
        forgotten,
        second: second.map(|second| second.timestamp()),
    };
    Ok(rows.into_iter().map(elected).collect())
}

/// The row of a tenant after these positions were given, each with the time at which its transaction was decided.
fn advanced(before: Elected, given: &BTreeMap<i64, Timestamp>) -> Elected {
    // Where something is kept already, and so before these, the first of them is the second oldest.
    let kept = before.position > before.forgotten;
    let second = before.second.or_else(|| given.values().nth(usize::from(!kept)).copied());
    let position = given.keys().last().copied().unwrap_or(before.position);
    Elected { position, second, ..before }
}

async fn advance(tx: &mut Tx, rows: &[Elected], now: Timestamp) -> Outcome<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::text(rows.iter().map(|one| one.tenant.as_str())),
        Column::int(rows.iter().map(|one| one.position)),
        Column::int(rows.iter().map(|one| one.forgotten)),
        Column::OptInstant(rows.iter().map(|one| one.second).collect()),
    ];
    let updated = on_engine!(tx, ADVANCE, |sql, conn| {
        let query = sqlx::query(sql).bind(At(now)).bind_columns(&columns);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?;
    same_count(updated, rows.len())
}
