//! In what the uses of an owner are counted, and how that grows.
//!
//! Every use of an owner counts in the row of its uses ([`CounterKey::of_uses`]) and in its money. Limits may ask for more:
//! by period, by customer ([`Tracks`]). What is not asked for is not counted, so a limit that is added later finds nothing.
//! Therefore whoever writes such a limit calls [`begin`] first:
//!
//! 1. Under the lock of the row of uses it is written there in what uses are counted from now on. A batch that counts in
//!    less finds that row, which it locks, saying so, learns it and is replayed ([`KnownOf::catch_up`]). So there is no
//!    use after this that lacks anything, on whatever replica.
//! 2. The uses from before are counted page by page ([`Past`]): each says in what it is counted, so each is counted once,
//!    however often this is begun again and whoever does it meanwhile.
//! 3. It is written down that nothing is late any more. Only then the limit itself is written, and holds.
//!
//! What uses are counted in never becomes less: a limit that is taken away and comes back finds everything counted.
//!
//! **By value** it is another matter: which value a use from before had is not known, and of an attribute only where a limit
//! asks for it. So a limit per value begins to count in the very transaction that writes it ([`turn`]), only while its owner is
//! untouched; and an attribute ceases to be counted by in the one that takes the last limit by it away. Where uses are counted
//! by it already, every one of them says its value, and another period is counted as all else is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use tandem_kernel::limits::{Counted, CounterKey, Dimension, Limits, Tally, Tracks};
use uuid::Uuid;

use super::ledger::{Claim, Ledger, Target};
use crate::db::{Db, Statement, Tx};
use crate::kept::Kept;
use crate::{Fault, Outcome, Tenant, on_engine, transact};

const MAKE: Statement = Statement::same(
    "INSERT INTO counter (tenant, kind, owner, subject, period, used, held, told, tracks)
     VALUES ($1, $2, $3, '', '', 0, 0, 0, $4) ON CONFLICT (tenant, kind, owner, subject, period) DO NOTHING",
);

const LOCK: Statement = Statement::pair(
    "SELECT used, held, tracks, late FROM counter
      WHERE tenant = $1 AND kind = $2 AND owner = $3 AND subject = '' AND period = '' FOR NO KEY UPDATE",
    "SELECT used, held, tracks, late FROM counter
      WHERE tenant = $1 AND kind = $2 AND owner = $3 AND subject = '' AND period = ''",
);

const WRITE: Statement = Statement::same(
    "UPDATE counter SET tracks = $4, late = $5
      WHERE tenant = $1 AND kind = $2 AND owner = $3 AND subject = '' AND period = ''",
);

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] =
    &[("tracks::make", MAKE), ("tracks::lock", LOCK), ("tracks::write", WRITE)];

/// Owners that are kept in memory at least.
const OWNERS: usize = 4_096;

/// Owners whose uses are counted in more than their limits ask for, as far as this process has met them. The rows know
/// better; whoever is not up to date is told by them.
#[derive(Debug)]
pub struct Known {
    /// There are any: mostly there are none.
    any: AtomicBool,
    of: Kept<(Tenant, Arc<str>), Tracks>,
}

impl Default for Known {
    fn default() -> Self {
        Self { any: AtomicBool::new(false), of: Kept::new(OWNERS) }
    }
}

impl Known {
    /// The owners of one tenant.
    pub fn of_tenant(self: &Arc<Self>, tenant: &Tenant) -> KnownOf {
        KnownOf { known: self.clone(), tenant: tenant.clone() }
    }
}

/// What is known of the owners of one tenant.
#[derive(Debug, Clone)]
pub struct KnownOf {
    known: Arc<Known>,
    tenant: Tenant,
}

impl KnownOf {
    /// In what a use of an owner under `limits` is to be counted.
    pub fn tracks(&self, owner: &Arc<str>, limits: &Limits) -> Tracks {
        let asked = limits.tracks();
        if !self.known.any.load(Ordering::Relaxed) {
            return asked;
        }
        match self.known.of.get(&(self.tenant.clone(), owner.clone())) {
            Some(more) => more.and(&asked),
            None => asked,
        }
    }

    /// Looks whether the rows that `ledger` has locked count in more than the batch does. Where they do, that is learnt, and
    /// the transaction is replayed: what it would count now would be missing later.
    pub fn catch_up(&self, tx: &mut Tx, ledger: &Ledger) -> Outcome<()> {
        if ledger.ahead().is_empty() {
            return Ok(());
        }
        for (owner, tracks) in ledger.ahead() {
            self.known.of.put((self.tenant.clone(), owner.clone()), tracks.clone());
            self.known.any.store(true, Ordering::Relaxed);
        }
        tx.replay();
        Err(Fault::contention())
    }
}

/// In what uses of some owners are to be counted.
pub type Wanted = BTreeMap<Arc<str>, Tracks>;

/// The uses that a service remembers.
pub trait Past: Send + Sync {
    /// Where a page ends.
    type Cursor: Send;

    /// Counts the next page of uses in what they lack of `late`, each use and its counters in one transaction. Answers
    /// where to go on; `None` after the last.
    fn page(
        &self,
        late: &Wanted,
        behind: Option<Self::Cursor>,
    ) -> impl Future<Output = Outcome<Option<Self::Cursor>>> + Send;
}

/// In what a use from before is not counted and has to be.
#[derive(Debug)]
pub struct Lack {
    /// What it then counts in too.
    pub counted: Counted,
    /// The places of the counters, and whether they count money.
    rows: Vec<(usize, bool)>,
}

impl Lack {
    /// Places the counters of these keys, before the ledger is locked; `None` where there are none.
    pub fn place(ledger: &mut Ledger, counted: Counted, keys: Vec<CounterKey>) -> Option<Self> {
        let place = |key: CounterKey| {
            let is_money = key.kind.is_money();
            (ledger.place(key), is_money)
        };
        let rows: Vec<(usize, bool)> = keys.into_iter().map(place).collect();
        (!rows.is_empty()).then_some(Self { counted, rows })
    }

    /// Counts a use that weighs so much, or has its hold keep as much, by its holder until its end.
    pub fn count(&self, ledger: &mut Ledger, (uses, money): (i64, i64), hold: Option<(Uuid, Timestamp)>) {
        for (at, is_money) in &self.rows {
            let (uses, amount) = if *is_money { (0, money) } else { (uses, 0) };
            match hold {
                Some((holder, expires)) => {
                    ledger.claim(Claim { target: Target::Counter(*at), holder, uses, amount, expires });
                }
                None => {
                    let tally = ledger.tally(*at);
                    ledger.set(*at, Tally { used: tally.used.saturating_add(uses + amount), ..tally });
                }
            }
        }
    }

    /// The places of its counters.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().map(|(at, _)| *at)
    }
}

/// Has uses be counted in what is `wanted` from now on, and counts those from before. When this has ended well, a limit that
/// asks for it counts from the beginning of its owner.
pub async fn begin(db: &Db, tenant: &Tenant, wanted: &Wanted, past: &impl Past) -> Outcome<()> {
    let mut late = Wanted::new();
    for (owner, wanted) in wanted {
        let missing = transact!(db, |tx| { announce(tx, tenant, owner, wanted).await })?;
        if !missing.is_empty() {
            late.insert(owner.clone(), missing);
        }
    }
    if late.is_empty() {
        return Ok(());
    }
    let mut behind = None;
    loop {
        behind = past.page(&late, behind).await?;
        if behind.is_none() {
            break;
        }
    }
    for (owner, done) in &late {
        transact!(db, |tx| {
            let Some(row) = lock(tx, tenant, owner).await? else { return Ok(()) };
            write(tx, tenant, owner, &row.tracks, &row.late.without(done)).await
        })?;
    }
    Ok(())
}

/// Writes down in what uses are counted from now on; answers in what of it earlier uses are not yet. What they are not counted
/// by at all yet is left to [`turn`].
async fn announce(tx: &mut Tx, tenant: &Tenant, owner: &Arc<str>, wanted: &Tracks) -> Outcome<Tracks> {
    if make(tx, tenant, owner, &wanted.only(|track| track.dimension().is_none())).await? {
        return Ok(Tracks::default());
    }
    let row = lock(tx, tenant, owner).await?.ok_or_else(Fault::contention)?;
    let wanted = &wanted.only(|track| track.dimension().is_none_or(|by| row.tracks.count_by(by)));
    let missing = wanted.without(&row.tracks.without(&row.late));
    if missing.is_empty() {
        return Ok(missing);
    }
    let late = if row.is_untouched() { Tracks::default() } else { row.late.and(&missing) };
    write(tx, tenant, owner, &row.tracks.and(wanted), &late).await?;
    Ok(if late.is_empty() { late } else { missing })
}

/// Has uses be counted by what the limits of an owner that are written with this transaction are new by, and no longer by
/// attributes that they ask for no more. Answers by what it cannot be: uses from before may have had a value.
pub async fn turn(
    tx: &mut Tx,
    tenant: &Tenant,
    owner: &Arc<str>,
    before: Option<&Limits>,
    after: &Limits,
) -> Outcome<Option<Dimension>> {
    let new: Vec<&Dimension> = after.new_dimensions(before).collect();
    let gone = before.into_iter().flat_map(|before| before.new_dimensions(Some(after)));
    let gone: Vec<&Dimension> = gone.filter(|dimension| !dimension.is_always_said()).collect();
    if new.is_empty() && gone.is_empty() {
        return Ok(None);
    }
    if !new.is_empty() && make(tx, tenant, owner, &after.tracks()).await? {
        return Ok(None);
    }
    let Some(row) = lock(tx, tenant, owner).await? else { return Ok(None) };
    let wanted = after.tracks().only(|track| track.dimension().is_some_and(|by| new.contains(&by)));
    let missing = wanted.without(&row.tracks.without(&row.late));
    if let (false, Some(track)) = (row.is_untouched(), missing.iter().next()) {
        return Ok(track.dimension().cloned());
    }
    let stays =
        |tracks: &Tracks| tracks.only(|track| !track.dimension().is_some_and(|by| gone.contains(&by)));
    write(tx, tenant, owner, &stays(&row.tracks).and(&wanted), &stays(&row.late).without(&wanted)).await?;
    Ok(None)
}

/// Makes the row of uses where there is none.
async fn make(tx: &mut Tx, tenant: &Tenant, owner: &Arc<str>, tracks: &Tracks) -> Outcome<bool> {
    let kind = CounterKey::of_uses(owner).kind.number();
    let made = on_engine!(tx, MAKE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(kind).bind(&**owner);
        query.bind(tracks.to_string()).execute(conn).await.map(|done| done.rows_affected())
    })?;
    Ok(made > 0)
}

struct Row {
    taken: i64,
    tracks: Tracks,
    late: Tracks,
}

impl Row {
    /// No use is counted or held: there is nothing to be late with.
    fn is_untouched(&self) -> bool {
        self.taken == 0
    }
}

async fn lock(tx: &mut Tx, tenant: &Tenant, owner: &Arc<str>) -> Outcome<Option<Row>> {
    type Stored = (i64, i64, Option<String>, Option<String>);
    let kind = CounterKey::of_uses(owner).kind.number();
    let row: Option<Stored> = on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(kind).bind(&**owner).fetch_optional(conn).await
    })?;
    let words = |words: Option<String>| words.as_deref().map(Tracks::parse).unwrap_or_default();
    let read = |(used, held, tracks, late): Stored| Row {
        taken: used + held,
        tracks: words(tracks),
        late: words(late),
    };
    Ok(row.map(read))
}

async fn write(
    tx: &mut Tx,
    tenant: &Tenant,
    owner: &Arc<str>,
    tracks: &Tracks,
    late: &Tracks,
) -> Outcome<()> {
    let kind = CounterKey::of_uses(owner).kind.number();
    let words = |tracks: &Tracks| (!tracks.is_empty()).then(|| tracks.to_string());
    on_engine!(tx, WRITE, |sql, conn| {
        let query = sqlx::query(sql).bind(tenant.as_str()).bind(kind).bind(&**owner);
        query.bind(words(tracks)).bind(words(late)).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}
