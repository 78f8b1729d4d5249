//! The write transaction: begin, the body's statements, commit, and what each kind of failure means.

use std::ops::ControlFlow;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use sqlx::{Postgres, Sqlite};

use super::codes::{is_contention, is_known_rollback};
use super::held::{Held, is_spent};
use super::{Db, Engine};
use crate::fault::{Fault, Outcome, is_storage_full};

/// Replays of one transaction before its caller is told of contention.
const REPLAYS_MAX: usize = 12;
/// The wait before the first replay; it doubles each time and is jittered.
const REPLAY_DELAY_MIN: Duration = Duration::from_millis(1);
/// The longest wait between two replays.
const REPLAY_DELAY_MAX: Duration = Duration::from_millis(100);

/// A write transaction, handed to the body of [`transact!`](crate::transact). Stores run their statements in it
/// through [`on_engine!`](crate::on_engine); nobody but `transact!` begins or commits one.
#[derive(Debug)]
pub struct Tx {
    open: Open,
    failure: Option<Failure>,
    /// The connection has said that it is of no further use.
    spent: bool,
    /// A statement found no room on the disk.
    found_no_room: bool,
    appended: bool,
}

#[derive(Debug)]
pub(super) enum Open {
    Postgres(Held<Postgres>),
    Sqlite(Held<Sqlite>),
}

/// Why a transaction can no longer commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The database asks for a replay: lost against a concurrent writer, rolled back for certain.
    Contention,
    /// A statement failed. PostgreSQL would answer the COMMIT with a silent rollback.
    Statement,
}

impl Tx {
    pub(super) fn new(open: Open) -> Self {
        Self { open, failure: None, spent: false, found_no_room: false, appended: false }
    }

    pub(super) fn connection(&mut self) -> Engine<'_> {
        match &mut self.open {
            Open::Postgres(held) => Engine::Postgres(held.connection()),
            Open::Sqlite(held) => Engine::Sqlite(held.connection()),
        }
    }

    pub(super) fn note_failure(&mut self, error: &sqlx::Error) {
        self.spent |= is_spent(error);
        self.found_no_room |= is_storage_full(error);
        if is_contention(error) {
            self.failure = Some(Failure::Contention);
        } else if matches!(error, sqlx::Error::Database(_)) && self.failure.is_none() {
            self.failure = Some(Failure::Statement);
        }
    }

    /// Has the whole transaction rolled back and run again, whatever the body answers. For a body that finds, without
    /// an error of the database, that it lost a race.
    pub fn replay(&mut self) {
        self.failure = Some(Failure::Contention);
    }

    /// The relay of this process is woken when this transaction has committed.
    pub(crate) fn wake_relay_on_commit(&mut self) {
        self.appended = true;
    }

    async fn rollback(self) {
        match self.open {
            Open::Postgres(held) => held.rollback(self.spent).await,
            Open::Sqlite(held) => held.rollback(self.spent).await,
        }
    }

    async fn commit(self, db: &Db) -> Commit {
        fail::fail_point!("db::before_commit", |how| Commit::simulated(how.as_deref()));
        let result = match self.open {
            Open::Postgres(held) => held.commit().await,
            Open::Sqlite(held) => held.commit().await,
        };
        fail::fail_point!("db::after_commit", |how| Commit::simulated(how.as_deref()));
        if result.as_ref().err().is_some_and(is_storage_full) {
            db.storage().refused();
        }
        match result {
            Ok(()) => Commit::Done,
            Err(error) if is_contention(&error) => Commit::Contention,
            Err(error) if is_known_rollback(&error) => Commit::Refused(error.into()),
            Err(error) => Commit::Unknown(Box::new(error)),
        }
    }
}

/// What became of a COMMIT.
enum Commit {
    Done,
    /// Rolled back for certain, worth a replay.
    Contention,
    /// Rolled back for certain, a replay would fail again (a deferred constraint).
    Refused(Fault),
    /// Nobody knows.
    Unknown(Box<dyn std::error::Error + Send + Sync>),
}

impl Commit {
    /// What a failpoint asks for: `return(contention)`, else an answer that was lost. At `db::before_commit` nothing
    /// has been stored, at `db::after_commit` everything has.
    #[cfg_attr(not(feature = "failpoints"), expect(dead_code, reason = "only failpoints call it"))]
    fn simulated(how: Option<&str>) -> Self {
        match how {
            Some("contention") => Self::Contention,
            _ => Self::Unknown("failpoint".into()),
        }
    }
}

/// The bounded, jittered replays of one transaction. Part of [`transact!`](crate::transact).
#[derive(Debug)]
pub struct Replays {
    delays: ExponentialBackoff,
}

impl Default for Replays {
    fn default() -> Self {
        let delays = ExponentialBuilder::new()
            .with_min_delay(REPLAY_DELAY_MIN)
            .with_max_delay(REPLAY_DELAY_MAX)
            .with_factor(2.0)
            .with_max_times(REPLAYS_MAX)
            .with_jitter()
            .build();
        Self { delays }
    }
}

impl Replays {
    /// Waits for the next replay, or says that there were enough.
    async fn next<T>(&mut self) -> ControlFlow<Outcome<T>> {
        match self.delays.next() {
            Some(delay) => {
                tokio::time::sleep(delay).await;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(Err(Fault::contention())),
        }
    }
}

/// Ends one attempt of [`transact!`](crate::transact): commits or rolls back, and says whether the body is to run
/// again.
pub async fn conclude<T>(
    db: &Db,
    tx: Tx,
    outcome: Outcome<T>,
    replays: &mut Replays,
) -> ControlFlow<Outcome<T>> {
    if tx.found_no_room {
        db.storage().refused();
    }
    match (tx.failure, outcome) {
        (Some(Failure::Contention), _) => {
            tx.rollback().await;
            replays.next().await
        }
        (_, Err(fault)) => {
            tx.rollback().await;
            ControlFlow::Break(Err(fault))
        }
        (Some(Failure::Statement), Ok(_)) => {
            tx.rollback().await;
            let fault = Fault::internal("a transaction went on after one of its statements had failed");
            ControlFlow::Break(Err(fault))
        }
        (None, Ok(value)) => {
            let appended = tx.appended;
            match tx.commit(db).await {
                Commit::Done => {
                    if appended {
                        db.signals().wake_relay();
                    }
                    ControlFlow::Break(Ok(value))
                }
                Commit::Contention => replays.next().await,
                Commit::Refused(fault) => ControlFlow::Break(Err(fault)),
                Commit::Unknown(source) => {
                    ControlFlow::Break(Err(Fault::outcome_unknown().caused_by(source)))
                }
            }
        }
    }
}

/// Gives the body of [`transact!`](crate::transact) its type, so that `?` inside it means a [`Fault`].
pub fn body<T, F: Future<Output = Outcome<T>> + Send>(future: F) -> F {
    future
}

/// The fault of an insert that failed. Where another writer has inserted the same key first, what was decided rests on
/// rows that are no longer all there are: the transaction is marked for a replay.
pub fn lost_race(tx: &mut Tx, error: sqlx::Error) -> Fault {
    if error.as_database_error().is_some_and(|database| database.is_unique_violation()) {
        tx.replay();
    }
    Fault::from(error)
}

/// INTERNAL unless a write of rows that were locked, or are new, has `affected` as many as were `decided`.
pub fn same_count(affected: u64, decided: usize) -> Outcome<()> {
    if usize::try_from(affected) == Ok(decided) {
        Ok(())
    } else {
        Err(Fault::internal("a write changed another number of rows than was decided"))
    }
}

/// Runs a body in a write transaction and commits it: `transact!(app.db, |tx| { … Ok(value) })?`.
///
/// - `tx` is a `&mut Tx`; inside the body `?` takes a [`Fault`] (or a `sqlx::Error`), and the last
///   expression is an [`Outcome`].
/// - `Err` from the body rolls back and is the answer.
/// - Serialisation failures, deadlocks and SQLite's BUSY roll back and run the body again, also when the COMMIT
///   reports them: at most 12 times with a jittered wait, then ABORTED `CONTENTION`. The body therefore borrows what it
///   captures, draws no time and no ids, and has no effect outside the transaction.
/// - A COMMIT without an answer is [`Kind::UnknownOutcome`](crate::Kind::UnknownOutcome) and is never run again.
/// - The body must not swallow a failed statement: such a transaction cannot commit and answers INTERNAL.
///
/// Must run in a task that is not dropped with the connection of its caller (`grpc::detached`).
#[macro_export]
macro_rules! transact {
    ($db:expr, |$tx:ident| $body:block) => {{
        let db: &$crate::db::Db = &$db;
        let mut replays = $crate::db::Replays::default();
        loop {
            let mut tx = match db.begin().await {
                Ok(tx) => tx,
                Err(fault) => break Err(fault),
            };
            let outcome = {
                let $tx = &mut tx;
                $crate::db::body(async { $body }).await
            };
            match $crate::db::conclude(db, tx, outcome, &mut replays).await {
                ::std::ops::ControlFlow::Break(outcome) => break outcome,
                ::std::ops::ControlFlow::Continue(()) => {}
            }
        }
    }};
}
