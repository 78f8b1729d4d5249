//! What may befall the files of an embedded database, each under every kind of call.

use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tandem_tests::database::{Database, Engine};
use tandem_tests::disk::Disk;

use super::mix::{Expected, Fault, READS, goes_on, shop};

/// What the contract promises, and what a busy machine adds.
const RECOVERY_LIMIT: Duration = Duration::from_secs(1 + 1);
const FULL: &[&str] = &[
    "Unavailable STORAGE_FULL",
    "Unavailable ORDER_PENDING",
    "DeadlineExceeded DEADLINE_EXCEEDED",
    "Cancelled",
];
const LOCKED: &[&str] = &[
    "Aborted CONTENTION",
    "Unavailable DATABASE_UNAVAILABLE",
    "Unavailable ORDER_PENDING",
    "DeadlineExceeded DEADLINE_EXCEEDED",
    "Cancelled",
];

fn in_folder(folder: &Path, name: &str) -> Database {
    Database::at(format!("sqlite:{}", folder.join(name).display()))
}

struct Filled(Disk);

impl Fault for Filled {
    async fn begin(&mut self) {
        tokio::task::block_in_place(|| self.0.fill());
    }

    async fn end(&mut self) {
        self.0.give_room();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_and_has_room_again() {
    let Some(disk) = Disk::mount(40) else { return };
    let databases = (in_folder(disk.path(), "relationship.db"), in_folder(disk.path(), "campaign.db"));
    let shop = shop(databases.0, databases.1).await;
    let expected = Expected { failures: FULL, goes_on: READS, recovers_within: RECOVERY_LIMIT };
    goes_on(&shop, Filled(disk), expected).await;
}

/// Another process that writes, for longer than any of ours waits.
struct Locked {
    urls: [String; 2],
    locks: Vec<SqliteConnection>,
}

impl Fault for Locked {
    async fn begin(&mut self) {
        for url in &self.urls {
            let mut lock = SqliteConnection::connect(url).await.expect("the file opens");
            sqlx::raw_sql("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE")
                .execute(&mut lock)
                .await
                .expect("the lock is had");
            self.locks.push(lock);
        }
    }

    async fn end(&mut self) {
        for lock in self.locks.drain(..) {
            lock.close().await.expect("a connection closes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_write_lock() {
    let databases = (Database::new(Engine::Sqlite).await, Database::new(Engine::Sqlite).await);
    let urls = [databases.0.url().to_owned(), databases.1.url().to_owned()];
    let shop = shop(databases.0, databases.1).await;
    let expected = Expected { failures: LOCKED, goes_on: READS, recovers_within: RECOVERY_LIMIT };
    goes_on(&shop, Locked { urls, locks: Vec::new() }, expected).await;
}
