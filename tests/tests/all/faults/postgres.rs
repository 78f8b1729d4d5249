//! What a PostgreSQL does to its clients in the course of a year, each under every kind of call.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tandem_tests::database::{Database, Engine};
use tandem_tests::disk::Disk;
use tandem_tests::postgres::{Cluster, Durability, Frozen};

use super::mix::{Expected, Fault, Kind, READS, goes_on, shop};

/// How long the services may take until they have found the database again.
const RECOVERY_LIMIT: Duration = Duration::from_secs(10);
/// What the contract promises after a full disk, and what a busy machine adds.
const ROOM_LIMIT: Duration = Duration::from_secs(1 + 1);
/// The database is away, before or in the middle of a commit, for us or for the other service; or silent for longer than
/// a caller waits.
const AWAY: &[&str] = &[
    "Unavailable DATABASE_UNAVAILABLE",
    "Unavailable OUTCOME_UNKNOWN",
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
const FULL: &[&str] = &[
    "Unavailable STORAGE_FULL",
    "Unavailable ORDER_PENDING",
    "DeadlineExceeded DEADLINE_EXCEEDED",
    "Cancelled",
];

/// A connection of an operator to each of some databases.
struct Operator(Vec<PgConnection>);

impl Operator {
    async fn of(urls: &[&str]) -> Self {
        let mut connections = Vec::new();
        for url in urls {
            connections.push(PgConnection::connect(url).await.expect("the server answers"));
        }
        Self(connections)
    }

    /// Runs `sql` on each; `$NAME` stands for the database's own.
    async fn run(&mut self, sql: &str) {
        for connection in &mut self.0 {
            let name: String = sqlx::query_scalar("SELECT current_database()")
                .fetch_one(&mut *connection)
                .await
                .expect("the server answers");
            let sql = sql.replace("$NAME", &name);
            let done = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *connection).await;
            done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }
}

const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// SQL that breaks, breaks further and mends.
struct Broken {
    operator: Operator,
    begin: &'static [&'static str],
    again: &'static [&'static str],
    end: &'static [&'static str],
}

impl Fault for Broken {
    async fn begin(&mut self) {
        for sql in self.begin {
            self.operator.run(sql).await;
        }
    }

    async fn again(&mut self) {
        for sql in self.again {
            self.operator.run(sql).await;
        }
    }

    async fn end(&mut self) {
        for sql in self.end {
            self.operator.run(sql).await;
        }
    }
}

/// Two databases of the tests' server, an operator of both, and the services on them.
async fn broken_by(
    begin: &'static [&'static str],
    again: &'static [&'static str],
    end: &'static [&'static str],
    expected: Expected,
) {
    let (relationship, campaign) =
        (Database::new(Engine::Postgres).await, Database::new(Engine::Postgres).await);
    let operator = Operator::of(&[relationship.url(), campaign.url()]).await;
    let shop = shop(relationship, campaign).await;
    goes_on(&shop, Broken { operator, begin, again, end }, expected).await;
}

/// Two databases of a cluster of our own.
async fn databases(cluster: &Cluster) -> (Database, Database) {
    (Database::at(cluster.database("relationship").await), Database::at(cluster.database("campaign").await))
}

struct Down(Cluster);

impl Fault for Down {
    async fn begin(&mut self) {
        tokio::task::block_in_place(|| self.0.down());
    }

    async fn end(&mut self) {
        tokio::task::block_in_place(|| self.0.up());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_and_a_restart() {
    let cluster = Cluster::start(Durability::Durable);
    let (relationship, campaign) = databases(&cluster).await;
    let shop = shop(relationship, campaign).await;
    let expected = Expected { failures: AWAY, goes_on: &[Kind::Quote], recovers_within: RECOVERY_LIMIT };
    goes_on(&shop, Down(cluster), expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_that_are_terminated() {
    let expected = Expected { failures: AWAY, goes_on: &[Kind::Quote], recovers_within: RECOVERY_LIMIT };
    broken_by(&[TERMINATE], &[TERMINATE], &[], expected).await;
}

/// The connections that were opened meanwhile go on to answer, and to refuse: nobody ends them but we.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_only_reads_after_a_failover() {
    let begin = &["ALTER DATABASE $NAME SET default_transaction_read_only = on", TERMINATE];
    let end = &["ALTER DATABASE $NAME RESET default_transaction_read_only"];
    let expected = Expected { failures: AWAY, goes_on: &[Kind::Quote], recovers_within: RECOVERY_LIMIT };
    broken_by(begin, &[], end, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_exhausted() {
    let cluster = Cluster::start(Durability::Fast);
    let (relationship, campaign) = databases(&cluster).await;
    let mut operator = Operator::of(&[cluster.url()]).await;
    operator.run("CREATE ROLE shop LOGIN").await;
    let owned = |database: &Database| {
        let options = PgConnectOptions::from_str(database.url()).expect("a URL").username("shop");
        Database::at(options.to_url_lossy().to_string())
    };
    let mut owner = Operator::of(&[relationship.url(), campaign.url()]).await;
    owner.run("ALTER DATABASE $NAME OWNER TO shop").await;
    let shop = shop(owned(&relationship), owned(&campaign)).await;
    let fault = Broken {
        operator,
        begin: &[
            "ALTER ROLE shop CONNECTION LIMIT 0",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'",
        ],
        again: &[],
        end: &["ALTER ROLE shop CONNECTION LIMIT -1"],
    };
    let expected = Expected { failures: AWAY, goes_on: &[Kind::Quote], recovers_within: RECOVERY_LIMIT };
    goes_on(&shop, fault, expected).await;
}

/// For longer than one statement waits for a lock.
#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_locked() {
    const LOCK: &str = "DO $$ DECLARE name text; BEGIN
        FOREACH name IN ARRAY ARRAY['product', 'sales_order', 'redemption'] LOOP
            IF to_regclass(name) IS NOT NULL THEN
                EXECUTE 'LOCK TABLE ' || name || ' IN ACCESS EXCLUSIVE MODE';
            END IF;
        END LOOP; END $$";
    let expected = Expected { failures: LOCKED, goes_on: READS, recovers_within: RECOVERY_LIMIT };
    broken_by(&["BEGIN", LOCK], &[], &["ROLLBACK"], expected).await;
}

struct Hung(Cluster, Option<Frozen>);

impl Fault for Hung {
    async fn begin(&mut self) {
        self.1 = Some(self.0.freeze());
    }

    async fn end(&mut self) {
        self.1 = None;
    }
}

/// For longer than every caller waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs() {
    let cluster = Cluster::start(Durability::Fast);
    let (relationship, campaign) = databases(&cluster).await;
    let shop = shop(relationship, campaign).await;
    let expected = Expected { failures: AWAY, goes_on: &[Kind::Quote], recovers_within: RECOVERY_LIMIT };
    goes_on(&shop, Hung(cluster, None), expected).await;
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
    let Some(disk) = Disk::mount(60) else { return };
    let cluster = Cluster::start(Durability::Fast);
    let mut operator = Operator::of(&[cluster.url()]).await;
    let place = disk.path().join("space").display().to_string();
    // The server's own user makes the folder, so that it may use it.
    operator.run(&format!("COPY (SELECT 1) TO PROGRAM 'mkdir -m 700 {place} && cat'")).await;
    operator.run(&format!("CREATE TABLESPACE small LOCATION '{place}'")).await;
    let (relationship, campaign) = databases(&cluster).await;
    for name in ["relationship", "campaign"] {
        operator.run(&format!("ALTER DATABASE {name} SET TABLESPACE small")).await;
    }
    let shop = shop(relationship, campaign).await;
    let expected = Expected { failures: FULL, goes_on: READS, recovers_within: ROOM_LIMIT };
    goes_on(&shop, Filled(disk), expected).await;
}

/// Where nothing can be mounted: the same answer from the server, without a disk that is full.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_the_disk_is_full() {
    const ROOM: &str = "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RETURN NULL; END $$";
    const NO_ROOM: &str = "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$";
    const ASK_IT: &str = "DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
            EXECUTE format('CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE OR DELETE ON %I
                            EXECUTE FUNCTION full_disk()', name);
        END LOOP; END $$";
    let (relationship, campaign) =
        (Database::new(Engine::Postgres).await, Database::new(Engine::Postgres).await);
    let mut operator = Operator::of(&[relationship.url(), campaign.url()]).await;
    let shop = shop(relationship, campaign).await;
    operator.run(ROOM).await;
    operator.run(ASK_IT).await;
    let fault = Broken { operator, begin: &[NO_ROOM], again: &[], end: &[ROOM] };
    goes_on(&shop, fault, Expected { failures: FULL, goes_on: READS, recovers_within: ROOM_LIMIT }).await;
}
