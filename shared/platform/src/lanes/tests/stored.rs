//! A lane over a real database: what a service's hot write looks like.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use tandem_kernel::clock::SystemIds;

use super::*;
use crate::db::tests::test_migrations;
use crate::db::{BindColumns, Column, Db, Statement, Tx};
use crate::idempotency::{self, Recalled, Request, Settled};
use crate::outbox::{Batch, Recorded, append, head};
use crate::{on_engine, testing, transact};

// What each tenant has left stands in a row of its name.
const LOCK: Statement = Statement::pair(
    "SELECT value FROM tally WHERE name = $1 FOR NO KEY UPDATE",
    "SELECT value FROM tally WHERE name = $1",
);
const SET: Statement = Statement::same("UPDATE tally SET value = $2 WHERE name = $1");
const PUT: Statement = Statement::same("INSERT INTO tally (name, value) VALUES ($1, $2)");
const GRANT: Statement = Statement::pair(
    "INSERT INTO tally (name, value) SELECT * FROM UNNEST($1::text[], $2::bigint[])",
    "INSERT INTO tally (name, value) SELECT value->>0, value->>1 FROM json_each($1)",
);

/// Takes one of what is left.
#[derive(Clone, Debug)]
struct Take {
    request: Request,
    name: String,
}

fn take(id: &str, name: &str) -> Take {
    let request = Request { method: "Take", id: id.to_owned(), hash: [name.len() as u8; 32] };
    Take { request, name: name.to_owned() }
}

#[derive(Clone)]
struct Taker {
    db: Db,
    /// How often a transaction was begun.
    attempts: Arc<AtomicUsize>,
}

impl Taker {
    fn new(db: &Db) -> Self {
        Self { db: db.clone(), attempts: Arc::default() }
    }
}

impl Runner for Taker {
    type Item = Take;
    type Output = i64;

    async fn run(&self, groups: &[Group<'_, Take>]) -> Outcome<Vec<Outcome<i64>>> {
        let now = Timestamp::from_second(1_750_000_000).unwrap();
        transact!(self.db, |tx| {
            self.attempts.fetch_add(1, Ordering::SeqCst);
            let mut answers = Vec::new();
            for group in groups {
                answers.extend(take_all(tx, group.tenant, group.items, now).await?);
            }
            Ok(answers)
        })
    }
}

async fn take_all(
    tx: &mut Tx,
    tenant: &Tenant,
    items: &[Take],
    now: Timestamp,
) -> Outcome<Vec<Outcome<i64>>> {
    let call = Call::of(tenant.clone(), Call::anonymous());
    let requests: Vec<Option<&Request>> = items.iter().map(|item| Some(&item.request)).collect();
    let recalled = idempotency::recall(tx, tenant, &requests).await?;
    let mut left: i64 = on_engine!(tx, LOCK, |sql, conn| {
        sqlx::query_scalar(sql).bind(tenant.as_str()).fetch_one(conn).await
    })?;
    let mut batch = Batch::new(&call, &SystemIds, now);
    let (mut settled, mut granted, mut done) = (Vec::new(), Vec::new(), Vec::new());
    for (item, recalled) in items.iter().zip(recalled) {
        settled.push(Some(match recalled {
            Recalled::Repeat(stored) => Settled::Repeat(Ok(idempotency::outcome_of(&stored)?)),
            Recalled::Same(first) => Settled::Same(first),
            Recalled::Reused => Settled::Reused,
            Recalled::Fresh if left == 0 => Settled::Fresh(Err(Fault::not_found("left"))),
            Recalled::Fresh => {
                left -= 1;
                granted.push(item.name.clone());
                done.push((&item.request, idempotency::to_json(&left)?));
                batch.push(taken(&item.name));
                Settled::Fresh(Ok(left))
            }
        }));
    }
    grant(tx, granted).await?;
    on_engine!(tx, SET, |sql, conn| {
        sqlx::query(sql).bind(tenant.as_str()).bind(left).execute(conn).await.map(|_| ())
    })?;
    append(tx, batch).await?;
    idempotency::store_many(done, now).run(tx, tenant).await?;
    Ok(idempotency::answers(settled).into_iter().map(Result::flatten).collect())
}

fn taken(name: &str) -> Recorded {
    let payload = prost_types::Any::default();
    Recorded { type_: "tandem.test.v1.Taken", aggregate: name.to_owned(), version: 1, payload }
}

async fn grant(tx: &mut Tx, names: Vec<String>) -> Outcome<()> {
    let ones = Column::int(names.iter().map(|_| 1));
    let columns = [Column::Text(names), ones];
    on_engine!(tx, GRANT, |sql, conn| {
        sqlx::query(sql).bind_columns(&columns).execute(conn).await.map(|_| ())
    })?;
    Ok(())
}

async fn put(db: &Db, tenant: &str, left: i64) {
    transact!(db, |tx| {
        on_engine!(tx, PUT, |sql, conn| {
            sqlx::query(sql).bind(tenant).bind(left).execute(conn).await.map(|_| ())
        })?;
        Ok(())
    })
    .unwrap();
}

async fn left(db: &Db, tenant: &str) -> i64 {
    transact!(db, |tx| {
        Ok(on_engine!(tx, LOCK, |sql, conn| sqlx::query_scalar(sql).bind(tenant).fetch_one(conn).await)?)
    })
    .unwrap()
}

async fn start(db: &Db, tasks: &Tasks, left: i64) -> Lanes<Taker> {
    put(db, "default", left).await;
    let config = LanesConfig { lanes: db.writers(3), ..LanesConfig::default() };
    Lanes::start(&config, tasks, Taker::new(db))
}

async fn submit_all(lanes: &Lanes<Taker>, takes: Vec<Take>) -> Vec<Outcome<i64>> {
    let call = Call::system("default");
    let submit = |take: Take| lanes.submit(&call, take.request.id.clone(), take);
    futures::future::join_all(takes.into_iter().map(submit)).await
}

#[tokio::test]
async fn several_lanes_on_one_counter_never_exceed_it_and_repeat_their_answers() {
    testing::engines(test_migrations(), |db| async move {
        let tasks = Tasks::new();
        let lanes = start(&db, &tasks, 20).await;
        let takes: Vec<Take> = (0..50).map(|n| take(&format!("r{n}"), &format!("n{n:02}"))).collect();
        let first = submit_all(&lanes, takes.clone()).await;
        let mut lefts: Vec<i64> = first.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
        lefts.sort_unstable();
        assert_eq!(lefts, (0..20).collect::<Vec<_>>());
        let again = submit_all(&lanes, takes).await;
        for (first, again) in first.iter().zip(&again) {
            match (first, again) {
                (Ok(left), Ok(same)) => assert_eq!(left, same),
                (Err(_), Err(fault)) => assert_eq!(fault.kind(), Kind::NotFound),
                other => panic!("{other:?}"),
            }
        }
        assert!(tasks.finish_background(Duration::from_secs(5)).await);
        assert_eq!(head(&db, &Tenant::default()).await.unwrap().position, 0);
    })
    .await;
}

#[tokio::test]
async fn within_a_batch_one_id_is_one_effect_and_another_body_is_refused() {
    testing::engines(test_migrations(), |db| async move {
        put(&db, "default", 5).await;
        let batch = [take("a", "one"), take("b", "three"), take("a", "one"), take("a", "other-body")];
        let group = Group { tenant: &Tenant::default(), items: &batch };
        let outcomes = Taker::new(&db).run(&[group]).await.unwrap();
        assert_eq!(outcomes[0].clone().unwrap(), 4);
        assert_eq!(outcomes[1].clone().unwrap(), 3);
        assert_eq!(outcomes[2].clone().unwrap(), 4);
        assert_eq!(outcomes[3].clone().unwrap_err().reason(), "REQUEST_ID_REUSED");
    })
    .await;
}

#[tokio::test]
async fn an_item_that_breaks_its_statement_fails_alone() {
    testing::engines(test_migrations(), |db| async move {
        let tasks = Tasks::new();
        let lanes = start(&db, &tasks, 100).await;
        // Its row exists: the set-based insert of the whole batch is refused by the database.
        let mut takes: Vec<Take> = (0..9).map(|n| take(&format!("r{n}"), &format!("n{n}"))).collect();
        takes.insert(4, take("bad", "default"));
        let outcomes = submit_all(&lanes, takes).await;
        for (index, outcome) in outcomes.iter().enumerate() {
            assert_eq!(outcome.is_err(), index == 4, "{index}: {outcome:?}");
        }
        assert!(outcomes[4].as_ref().unwrap_err().is_statement_error());
        assert!(tasks.finish_background(Duration::from_secs(5)).await);
    })
    .await;
}

/// Takes of several tenants, by tenant; each in the lane of its key.
async fn submit_for(lanes: &Lanes<Taker>, takes: Vec<(String, u32, Take)>) -> Vec<Outcome<i64>> {
    let submit = |(tenant, key, take): (String, u32, Take)| async move {
        lanes.submit(&Call::system(&tenant), key, take).await
    };
    futures::future::join_all(takes.into_iter().map(submit)).await
}

#[tokio::test]
async fn a_bad_item_of_one_tenant_fails_alone_among_several() {
    testing::engines(test_migrations(), |db| async move {
        let tenants = ["a", "b", "c", "d", "e"];
        for tenant in tenants {
            put(&db, tenant, 100).await;
        }
        let taker = Taker::new(&db);
        let tasks = Tasks::new();
        let config = LanesConfig { lanes: 1, ..LanesConfig::default() };
        let lanes = Lanes::start(&config, &tasks, taker.clone());
        // The bad one's row exists already: the whole transaction is refused by the database.
        let of = |tenant: &str, n: u32| {
            let name = if (tenant, n) == ("c", 1) { "a".to_owned() } else { format!("{tenant}{n}") };
            (tenant.to_owned(), 0, take(&format!("r{n}"), &name))
        };
        let takes: Vec<_> = (0..3).flat_map(|n| tenants.map(|tenant| of(tenant, n))).collect();
        let outcomes = submit_for(&lanes, takes.clone()).await;
        for ((tenant, _, take), outcome) in takes.iter().zip(&outcomes) {
            let bad = tenant == "c" && take.request.id == "r1";
            assert_eq!(outcome.is_err(), bad, "{tenant} {}: {outcome:?}", take.request.id);
        }
        let mut kept = Vec::new();
        for tenant in tenants {
            kept.push(left(&db, tenant).await);
        }
        assert_eq!(kept, [97, 97, 98, 97, 97]);
        let again = submit_for(&lanes, takes).await;
        for (first, again) in outcomes.iter().zip(&again).filter(|(first, _)| first.is_ok()) {
            assert_eq!(first.as_ref().unwrap(), again.as_ref().unwrap(), "a repeat hears the same");
        }
        assert!(tasks.finish_background(Duration::from_secs(5)).await);
    })
    .await;
}

#[tokio::test]
async fn lanes_whose_transactions_share_tenants_never_wait_in_a_circle() {
    testing::postgres(test_migrations(), |database| async move {
        let db = &database.db;
        let tenants = ["a", "b", "c", "d"];
        for tenant in tenants {
            put(db, tenant, 10_000).await;
        }
        let taker = Taker::new(db);
        let tasks = Tasks::new();
        let lanes = Lanes::start(&LanesConfig { lanes: 3, ..LanesConfig::default() }, &tasks, taker.clone());
        // Every lane gets all tenants, each time in another order.
        for round in 0..40_u32 {
            let of = |n: u32| {
                let tenant = tenants[usize::try_from((n * 7 + round + n / 4) % 4).unwrap()];
                (tenant.to_owned(), n, take(&format!("r{round}-{n}"), &format!("{tenant}-{round}-{n}")))
            };
            let outcomes = submit_for(&lanes, (0..48).map(of).collect()).await;
            assert!(outcomes.iter().all(Result::is_ok));
        }
        assert!(tasks.finish_background(Duration::from_secs(5)).await);
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        db.close().await;
        let count: i64 =
            sqlx::query_scalar(deadlocks).fetch_one(&mut database.connect().await).await.unwrap();
        assert_eq!(count, 0);
        assert!(taker.attempts.load(Ordering::SeqCst) < 40 * 48, "tenants share transactions");
    })
    .await;
}
