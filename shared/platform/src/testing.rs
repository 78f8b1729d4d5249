//! What tests of every crate stand on: a fresh database per engine, prepared statements, equal schemas.
//!
//! ```ignore
//! #[tokio::test]
//! async fn a_note_is_found_by_its_id() {
//!     testing::engines(&MIGRATIONS, |db| async move {
//!         transact!(db, |tx| { store::insert(tx, …).await }).unwrap();
//!         …
//!     })
//!     .await;
//! }
//! ```
//!
//! PostgreSQL is the server that `TANDEM_TEST_POSTGRES` names, by a role that may create databases. With
//! `TANDEM_TEST_SERIALIZABLE=1` every transaction there is serialisable: the stand-in for engines that know nothing
//! weaker.

mod database;
mod harness;
mod refusal;
mod schema;
mod search;
mod upgrade;

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use prost::Message;
use tandem_proto::common::v1::{Event, EventBatch};

pub use database::{Postgres, second_handle};
pub use harness::{Channel, Harness};
pub use refusal::{fields, preconditions, reason};
pub use schema::{bounded, count, parity, prepare_all, schema_of};
pub use search::{columns, holding};
pub use upgrade::{older, upgraded};

use crate::db::{Db, Migrations, Statement};
use crate::on_engine;

/// Runs `body` on SQLite (a file of its own), then on PostgreSQL (a database of its own). A panic passes on after the
/// database has been dropped; the engine's name is in the captured output.
pub async fn engines<F, B>(migrations: &Migrations, body: B)
where
    B: Fn(Db) -> F,
    F: Future<Output = ()>,
{
    sqlite(migrations, &body).await;
    postgres(migrations, |database| body(database.db)).await;
}

/// Runs `body` on SQLite only: for what only the embedded engine does.
pub async fn sqlite<F, B>(migrations: &Migrations, body: B)
where
    B: FnOnce(Db) -> F,
    F: Future<Output = ()>,
{
    println!("engine: sqlite");
    let (db, _folder) = database::sqlite(migrations).await;
    let result = AssertUnwindSafe(body(db.clone())).catch_unwind().await;
    db.close().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `body` on PostgreSQL only: for locks, isolation, and several processes on one database.
pub async fn postgres<F, B>(migrations: &Migrations, body: B)
where
    B: FnOnce(Postgres) -> F,
    F: Future<Output = ()>,
{
    println!("engine: postgres");
    let database = Postgres::create(migrations).await;
    let result = AssertUnwindSafe(body(database.clone())).catch_unwind().await;
    database.discard().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// Every event that was recorded so far, in the order of the transactions.
#[expect(clippy::expect_used, reason = "a test may fail loudly, and nobody else calls this")]
pub async fn events(db: &Db) -> Vec<Event> {
    const ALL: Statement = Statement::same("SELECT payload FROM event_batch ORDER BY created, id");
    let mut reader = db.read().await.expect("the database answers");
    let batches: Vec<Vec<u8>> =
        on_engine!(&mut reader, ALL, |sql, conn| sqlx::query_scalar(sql).fetch_all(conn).await)
            .expect("the events are readable");
    let decode = |batch: Vec<u8>| EventBatch::decode(batch.as_slice()).expect("a batch of events").events;
    batches.into_iter().flat_map(decode).collect()
}
