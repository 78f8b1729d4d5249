//! Each tenant by itself: its numbers, its head, what is kept of it.

use super::*;

fn tenant(name: &str) -> Tenant {
    Tenant::parse(name).unwrap()
}

async fn of(db: &Db, tenant: &Tenant, count: usize) -> Vec<Event> {
    take(subscribe(db, tenant, None, Filter::default()), count).await
}

#[tokio::test]
async fn each_tenant_counts_its_own_positions() {
    testing::engines(test_migrations(), |db| async move {
        let (a, b, silent) = (tenant("a"), tenant("b"), tenant("silent"));
        for (tenant, aggregate) in [(&b, "b/1"), (&a, "a/1"), (&b, "b/2")] {
            tell_of(&db, tenant, aggregate, now()).await;
        }
        assert_eq!(relay(&db).pass().await.unwrap(), 3);
        tell_of(&db, &a, "a/2", now()).await;
        assert_eq!(relay(&db).pass().await.unwrap(), 1);
        for (tenant, expected) in [(&a, ["a/1", "a/2"]), (&b, ["b/1", "b/2"])] {
            let events = of(&db, tenant, 2).await;
            assert_eq!(aggregates(&events), expected);
            assert!(events.iter().map(|event| event.position).eq(1..=2));
            assert_eq!(head(&db, tenant).await.unwrap(), Cursor::after(2));
        }
        assert_eq!(head(&db, &silent).await.unwrap(), Cursor::after(0));
    })
    .await;
}

#[tokio::test]
async fn a_transaction_may_tell_of_several_tenants() {
    testing::engines(test_migrations(), |db| async move {
        let (a, b) = (tenant("a"), tenant("b"));
        transact!(db, |tx| {
            for tenant in [&a, &b] {
                let call = Call::of(tenant.clone(), Call::anonymous());
                let mut batch = Batch::new(&call, &SystemIds, now());
                batch.push(recorded("tandem.test.v1.Told", tenant.as_str(), 1));
                append(tx, batch).await?;
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(relay(&db).pass().await.unwrap(), 2);
        assert_eq!(aggregates(&of(&db, &a, 1).await), ["a"]);
        assert_eq!(aggregates(&of(&db, &b, 1).await), ["b"]);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_with_much_to_number_holds_up_no_other_and_loses_nothing() {
    testing::engines(test_migrations(), |db| async move {
        let few = RelayConfig { tenants_per_transaction: 2, ..RelayConfig::default() };
        for n in 0..40 {
            tell_of(&db, &tenant("busy"), &format!("busy/{n}"), now()).await;
        }
        for n in 0..5 {
            tell_of(&db, &tenant(&format!("quiet-{n}")), "once", now()).await;
        }
        let relay = Relay::new(db.clone(), Arc::new(FixedClock::at(now())), few);
        assert_eq!(relay.pass().await.unwrap(), 45);
        assert!(of(&db, &tenant("busy"), 40).await.iter().map(|event| event.position).eq(1..=40));
        assert_eq!(aggregates(&of(&db, &tenant("quiet-4"), 1).await), ["once"]);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_that_cannot_be_numbered_stops_nobody_and_is_named() {
    testing::engines(test_migrations(), |db| async move {
        const SPOIL: Statement = Statement::same("UPDATE event_batch SET position = 1 WHERE tenant = 'b'");
        for name in ["a", "b", "c"] {
            tell_of(&db, &tenant(name), "first", now()).await;
        }
        // A position that the relay knows nothing of: the next one it gives is taken.
        transact!(db, |tx| {
            on_engine!(tx, SPOIL, |sql, conn| sqlx::query(sql).execute(conn).await.map(|_| ()))?;
            Ok(())
        })
        .unwrap();
        tell_of(&db, &tenant("b"), "second", now()).await;
        let fault = relay(&db).pass().await.unwrap_err();
        assert_eq!((fault.kind(), fault.metadata("tenant")), (Kind::Internal, Some("b")));
        for name in ["a", "c"] {
            assert_eq!(aggregates(&of(&db, &tenant(name), 1).await), ["first"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_numbers_one_tenant_leaves_the_others_to_the_rest() {
    testing::postgres(test_migrations(), |database| async move {
        for name in ["a", "b"] {
            tell_of(&database.db, &tenant(name), "first", now()).await;
        }
        relay(&database.db).pass().await.unwrap();
        for name in ["a", "b"] {
            tell_of(&database.db, &tenant(name), "second", now()).await;
        }
        let mut other = database.connect().await;
        sqlx::query("BEGIN").execute(&mut other).await.unwrap();
        sqlx::query("SELECT 1 FROM relay WHERE tenant = 'a' FOR UPDATE").execute(&mut other).await.unwrap();
        assert_eq!(relay(&database.db).pass().await.unwrap(), 1);
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        assert_eq!(relay(&database.db).pass().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn only_tenants_with_something_old_are_swept() {
    testing::engines(test_migrations(), |db| async move {
        const DUE: Statement = Statement::same("SELECT count(*) FROM relay WHERE second IS NOT NULL");
        let due = async || {
            let mut reader = db.read().await.unwrap();
            on_engine!(&mut reader, DUE, |sql, conn| sqlx::query_scalar::<_, i64>(sql).fetch_one(conn).await)
                .unwrap()
        };
        let at = |day: i64| now() + SignedDuration::from_hours(24 * day);
        for (name, day) in [("a", 0), ("a", 1), ("a", 9), ("b", 0), ("c", 9), ("c", 9)] {
            tell_of(&db, &tenant(name), &format!("{name}/{day}"), at(day)).await;
            relay(&db).pass().await.unwrap();
        }
        assert_eq!(due().await, 2, "of b there is one transaction, which stays however old it grows");
        assert_eq!(sweep(&db, at(8), 100).await.unwrap(), 1);
        assert_eq!(aggregates(&of(&db, &tenant("a"), 2).await), ["a/1", "a/9"]);
        assert_eq!(aggregates(&of(&db, &tenant("b"), 1).await), ["b/0"]);
        assert_eq!(sweep(&db, at(99), 100).await.unwrap(), 2);
        assert_eq!(due().await, 0, "what is left is never looked at again until something comes");
        tell_of(&db, &tenant("b"), "b/100", at(100)).await;
        relay(&db).pass().await.unwrap();
        assert_eq!(due().await, 1);
        assert_eq!(sweep(&db, at(101), 100).await.unwrap(), 1);
        assert_eq!(aggregates(&of(&db, &tenant("b"), 1).await), ["b/100"]);
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_has_not_committed_its_numbers_makes_no_other_wait() {
    testing::postgres(test_migrations(), |database| async move {
        for round in ["first", "second"] {
            for name in ["a", "b"] {
                tell_of(&database.db, &tenant(name), round, now()).await;
            }
            if round == "first" {
                relay(&database.db).pass().await.unwrap();
            }
        }
        let mut other = database.connect().await;
        sqlx::query("BEGIN").execute(&mut other).await.unwrap();
        sqlx::query("UPDATE relay SET position = position WHERE tenant = 'a'")
            .execute(&mut other)
            .await
            .unwrap();
        assert_eq!(relay(&database.db).pass().await.unwrap(), 1);
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        assert_eq!(relay(&database.db).pass().await.unwrap(), 1);
    })
    .await;
}
