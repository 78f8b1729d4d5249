//! What a consumer remembers.

use super::*;

/// The same pairs, borrowed for as long as the process lives: tests may leak.
fn of_shop(events: &[Uuid]) -> Vec<(&'static Tenant, Uuid)> {
    let shop: &'static Tenant = Box::leak(Box::new(shop()));
    events.iter().map(|&event| (shop, event)).collect()
}

#[tokio::test]
async fn a_consumer_takes_in_each_event_once_and_its_cursor_never_goes_back() {
    testing::engines(test_migrations(), |db| async move {
        let [a, b, c] = [1, 2, 3].map(Uuid::from_u128);
        let fresh = async |events: &[Uuid]| {
            transact!(db, |tx| { consumer::first_time(tx, "orders", &of_shop(events), now()).await }).unwrap()
        };
        assert_eq!(fresh(&[a, b, a]).await, HashSet::from([a, b]));
        assert_eq!(fresh(&[b, c]).await, HashSet::from([c]));
        assert_eq!(fresh(&[]).await, HashSet::new());
        let other = transact!(db, |tx| { consumer::first_time(tx, "other", &of_shop(&[a]), now()).await });
        assert_eq!(other.unwrap().len(), 1);

        let load = async || load(&mut db.read().await.unwrap()).await;
        assert_eq!(load().await, None);
        for (position, seq, expected) in
            [(5, 1, (5, 1)), (4, 9, (5, 1)), (5, 0, (5, 1)), (5, 2, (5, 2)), (6, 0, (6, 0))]
        {
            let cursor = Cursor { position, seq };
            transact!(db, |tx| { consumer::advance(tx, "orders", &[(&shop(), cursor)], now()).await })
                .unwrap();
            assert_eq!(load().await, Some(Cursor { position: expected.0, seq: expected.1 }));
        }
        let later = now() + SignedDuration::from_secs(1);
        assert_eq!(consumer::sweep(&db, now(), 10).await.unwrap(), 0);
        assert_eq!(consumer::sweep(&db, later, 3).await.unwrap(), 3);
        assert_eq!(consumer::sweep(&db, later, 3).await.unwrap(), 1);
    })
    .await;
}

async fn load(session: &mut impl Session) -> Option<Cursor> {
    consumer::load_cursors(session, "orders").await.unwrap().remove(&shop())
}

#[tokio::test]
async fn of_two_replicas_that_take_in_one_event_only_one_has_it_first() {
    testing::postgres(test_migrations(), |database| async move {
        let event = Uuid::from_u128(1);
        let start = Arc::new(Barrier::new(2));
        let replica = |db: Db| {
            let start = start.clone();
            async move {
                start.wait().await;
                transact!(db, |tx| { consumer::first_time(tx, "orders", &of_shop(&[event]), now()).await })
                    .unwrap()
                    .len()
            }
        };
        let other = database.another().await;
        let (one, two) = tokio::join!(replica(database.db.clone()), replica(other.clone()));
        assert_eq!(one + two, 1);
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_consumer_is_as_far_with_each_tenant_as_that_tenant_was_told() {
    testing::engines(test_migrations(), |db| async move {
        let tenants: Vec<Tenant> = (0..1_500).map(|n| Tenant::parse(&format!("t-{n:04}")).unwrap()).collect();
        let passed: Vec<(&Tenant, Cursor)> =
            tenants.iter().zip(1..).map(|(tenant, position)| (tenant, Cursor::after(position))).collect();
        transact!(db, |tx| { consumer::advance(tx, "orders", &passed, now()).await }).unwrap();
        let back = Cursor { position: 1, seq: 0 };
        transact!(db, |tx| { consumer::advance(tx, "orders", &[(&tenants[9], back)], now()).await }).unwrap();
        transact!(db, |tx| { consumer::reset(tx, "orders", &tenants[3]).await }).unwrap();
        let known = consumer::load_cursors(&mut db.read().await.unwrap(), "orders").await.unwrap();
        assert_eq!(known.len(), 1_499);
        assert_eq!(known.get(&tenants[3]), None);
        assert_eq!(known.get(&tenants[9]), Some(&Cursor::after(10)));
        assert_eq!(known.get(&tenants[1_499]), Some(&Cursor::after(1_500)));
        assert!(consumer::load_cursors(&mut db.read().await.unwrap(), "other").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_was_set_aside_is_kept_whole_until_it_is_taken() {
    testing::engines(test_migrations(), |db| async move {
        let (id, event) = (Uuid::from_u128(7), Event { aggregate: "a/1".to_owned(), ..Event::default() });
        for reason in ["first", "second"] {
            transact!(db, |tx| {
                consumer::aside::set(tx, "orders", &shop(), (id, &event), reason, now()).await
            })
            .unwrap();
        }
        let list = async || {
            consumer::aside::list(&mut db.read().await.unwrap(), "orders", &shop(), Uuid::nil(), 10)
                .await
                .unwrap()
        };
        let kept = list().await;
        assert_eq!((kept.len(), kept[0].reason.as_str(), &kept[0].event), (1, "second", &event));
        assert_eq!(consumer::aside::count(&db).await.unwrap(), 1);
        let take =
            async || transact!(db, |tx| { consumer::aside::take(tx, "orders", &shop(), id).await }).unwrap();
        assert!(take().await);
        assert!(!take().await);
        assert!(list().await.is_empty());
    })
    .await;
}
