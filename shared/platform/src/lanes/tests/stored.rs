//! A lane over a real database: what a service's hot write looks like.

use jiff::Timestamp;
use tandem_kernel::clock::SystemIds;

use super::*;
use crate::db::tests::test_migrations;
use crate::db::{BindColumns, Column, Db, Statement, Tx};
use crate::idempotency::{self, Recalled, Request, Settled};
use crate::outbox::{Batch, Recorded, append, head};
use crate::{on_engine, testing, transact};

const LOCK: Statement = Statement::pair(
    "SELECT value FROM counter WHERE name = 'left' FOR NO KEY UPDATE",
    "SELECT value FROM counter WHERE name = 'left'",
);
const SET: Statement = Statement::same("UPDATE counter SET value = $1 WHERE name = 'left'");
const PUT: Statement = Statement::same("INSERT INTO counter (name, value) VALUES ('left', $1)");
const GRANT: Statement = Statement::pair(
    "INSERT INTO counter (name, value) SELECT * FROM UNNEST($1::text[], $2::bigint[])",
    "INSERT INTO counter (name, value) SELECT value->>0, value->>1 FROM json_each($1)",
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

struct Taker {
    db: Db,
}

impl Runner for Taker {
    type Item = Take;
    type Output = i64;

    async fn run(&self, tenant: &Tenant, items: &[Take]) -> Outcome<Vec<Outcome<i64>>> {
        let now = Timestamp::from_second(1_750_000_000).unwrap();
        let call = Call::of(tenant.clone(), Call::anonymous());
        transact!(self.db, |tx| {
            let requests: Vec<Option<&Request>> = items.iter().map(|item| Some(&item.request)).collect();
            let recalled = idempotency::recall(tx, tenant, &requests).await?;
            let mut left: i64 =
                on_engine!(tx, LOCK, |sql, conn| sqlx::query_scalar(sql).fetch_one(conn).await)?;
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
            on_engine!(tx, SET, |sql, conn| sqlx::query(sql).bind(left).execute(conn).await.map(|_| ()))?;
            append(tx, batch).await?;
            idempotency::store_many(tx, tenant, done, now).await?;
            Ok(idempotency::answers(settled).into_iter().map(Result::flatten).collect())
        })
    }
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

async fn put(db: &Db, left: i64) {
    transact!(db, |tx| {
        on_engine!(tx, PUT, |sql, conn| sqlx::query(sql).bind(left).execute(conn).await.map(|_| ()))?;
        Ok(())
    })
    .unwrap();
}

async fn start(db: &Db, tasks: &Tasks, left: i64) -> Lanes<Taker> {
    put(db, left).await;
    let config = LanesConfig { lanes: db.writers(3), ..LanesConfig::default() };
    Lanes::start(&config, tasks, Taker { db: db.clone() })
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
        put(&db, 5).await;
        let batch = [take("a", "one"), take("b", "three"), take("a", "one"), take("a", "other-body")];
        let outcomes = Taker { db: db.clone() }.run(&Tenant::default(), &batch).await.unwrap();
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
        takes.insert(4, take("bad", "left"));
        let outcomes = submit_all(&lanes, takes).await;
        for (index, outcome) in outcomes.iter().enumerate() {
            assert_eq!(outcome.is_err(), index == 4, "{index}: {outcome:?}");
        }
        assert!(outcomes[4].as_ref().unwrap_err().is_statement_error());
        assert!(tasks.finish_background(Duration::from_secs(5)).await);
    })
    .await;
}
