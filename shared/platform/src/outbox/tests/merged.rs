//! All tenants as one stream.

use super::*;

fn tenant(n: usize) -> Tenant {
    Tenant::parse(&format!("t-{n}")).unwrap()
}

fn all(db: &Db, known: HashMap<Tenant, Cursor>) -> impl Stream<Item = Outcome<Told>> + use<> {
    merge(db, known, Filter::default(), 8)
}

/// The next `count` events, and the cursors behind them.
async fn events(
    stream: impl Stream<Item = Outcome<Told>>,
    count: usize,
) -> (Vec<Event>, HashMap<Tenant, Cursor>) {
    let (mut events, mut cursors) = (Vec::new(), HashMap::new());
    let mut stream = pin!(stream);
    while events.len() < count {
        let told = tokio::time::timeout(SOON, stream.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(told.gap, None);
        cursors.insert(told.tenant, told.cursor);
        events.extend(told.event.map(|event| *event));
    }
    (events, cursors)
}

#[tokio::test]
async fn every_tenants_events_come_once_and_in_their_order() {
    testing::engines(test_migrations(), |db| async move {
        for turn in 0..12 {
            for n in 0..20 {
                tell_of(&db, &tenant(n), &format!("{n}/{turn}"), now()).await;
            }
        }
        relay(&db).pass().await.unwrap();
        let (events, cursors) = events(all(&db, HashMap::new()), 240).await;
        for n in 0..20 {
            let own: Vec<&str> = events
                .iter()
                .filter(|event| event.tenant == tenant(n).as_str())
                .map(|event| event.aggregate.as_str())
                .collect();
            assert_eq!(own, (0..12).map(|turn| format!("{n}/{turn}")).collect::<Vec<_>>());
            assert_eq!(cursors[&tenant(n)], Cursor { position: 12, seq: 0 });
        }
    })
    .await;
}

#[tokio::test]
async fn a_follower_goes_on_where_it_stopped_with_each_tenant_and_begins_with_new_ones() {
    testing::engines(test_migrations(), |db| async move {
        for n in [0, 0, 1] {
            tell_of(&db, &tenant(n), "before", now()).await;
        }
        relay(&db).pass().await.unwrap();
        let (_, known) = events(all(&db, HashMap::new()), 3).await;
        for n in [0, 2, 2] {
            tell_of(&db, &tenant(n), "after", now()).await;
        }
        relay(&db).pass().await.unwrap();
        let (mut rest, _) = events(all(&db, known), 3).await;
        rest.sort_by(|a, b| (&a.tenant, a.position).cmp(&(&b.tenant, b.position)));
        let told: Vec<(&str, &str, i64)> = rest
            .iter()
            .map(|event| (event.tenant.as_str(), event.aggregate.as_str(), event.position))
            .collect();
        assert_eq!(told, [("t-0", "after", 3), ("t-2", "after", 1), ("t-2", "after", 2)]);
    })
    .await;
}

#[tokio::test]
async fn what_is_numbered_while_it_listens_is_told_whoever_numbers_it() {
    testing::postgres(test_migrations(), |database| async move {
        let (here, there) = (database.db.clone(), database.another().await);
        let clock = Arc::new(FixedClock::at(now()));
        let listening = Relay::new(here.clone(), clock.clone(), RelayConfig::default());
        let mut stream = pin!(all(&here, HashMap::new()));
        for n in 0..3 {
            tell_of(&there, &tenant(n), "news", now()).await;
            clock.advance(SignedDuration::from_secs(60));
            Relay::new(there.clone(), clock.clone(), RelayConfig::default()).pass().await.unwrap();
            // Numbers nothing, and hears of what the other one has numbered.
            let heard = async {
                listening.pass().await.unwrap();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = heard => {}
                (told, _) = events(stream.as_mut(), 1) => assert_eq!(told[0].tenant, tenant(n).as_str()),
            }
        }
        there.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_tenant_whose_events_are_gone_is_told_of_and_goes_on_with_the_oldest() {
    testing::engines(test_migrations(), |db| async move {
        let at = |day: i64| now() + SignedDuration::from_hours(24 * day);
        for (n, day) in [(0, 0), (0, 1), (0, 2), (0, 9), (1, 0)] {
            tell_of(&db, &tenant(n), &format!("{n}/{day}"), at(day)).await;
            relay(&db).pass().await.unwrap();
        }
        sweep(&db, at(8), 100).await.unwrap();
        let known = HashMap::from([
            (tenant(0), Cursor { position: 1, seq: 0 }),
            // Of another database: it is ahead of everything here.
            (tenant(1), Cursor { position: 50, seq: 0 }),
        ]);
        let told: Vec<Told> = all(&db, known).take(5).map(Result::unwrap).collect().await;
        let of = |n: usize| -> Vec<(Option<Gap>, Option<&str>)> {
            let own = told.iter().filter(|told| told.tenant == tenant(n));
            own.map(|told| (told.gap, told.event.as_ref().map(|event| event.aggregate.as_str()))).collect()
        };
        assert_eq!(of(0), [(Some(Gap::Expired), None), (None, Some("0/2")), (None, Some("0/9"))]);
        assert_eq!(of(1), [(Some(Gap::Expired), None), (None, Some("1/0"))]);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_holds_up_nobody() {
    testing::engines(test_migrations(), |db| async move {
        const SPOIL: Statement = Statement::pair(
            "UPDATE event_batch SET payload = '\\x0aff' WHERE tenant = 't-0' AND position = 1",
            "UPDATE event_batch SET payload = x'0aff' WHERE tenant = 't-0' AND position = 1",
        );
        for n in [0, 0, 1] {
            tell_of(&db, &tenant(n), "told", now()).await;
        }
        relay(&db).pass().await.unwrap();
        transact!(db, |tx| {
            on_engine!(tx, SPOIL, |sql, conn| sqlx::query(sql).execute(conn).await.map(|_| ()))?;
            Ok(())
        })
        .unwrap();
        let told: Vec<Told> = all(&db, HashMap::new()).take(3).map(Result::unwrap).collect().await;
        let gaps: Vec<(&str, i64)> = told
            .iter()
            .filter(|told| told.gap == Some(Gap::Unreadable))
            .map(|told| (told.tenant.as_str(), told.cursor.position))
            .collect();
        assert_eq!(gaps, [("t-0", 1)]);
        assert_eq!(told.iter().filter(|told| told.event.is_some()).count(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_the_filter_leaves_out_still_moves_the_cursor() {
    testing::engines(test_migrations(), |db| async move {
        for n in 0..3 {
            tell_of(&db, &tenant(n), "told", now()).await;
        }
        relay(&db).pass().await.unwrap();
        let filter = Filter { types: vec!["tandem.other.".to_owned()], ..Filter::default() };
        let told: Vec<Told> =
            merge(&db, HashMap::new(), filter, 8).take(3).map(Result::unwrap).collect().await;
        assert!(told.iter().all(|told| told.event.is_none() && told.cursor == Cursor::after(1)));
        let tenants: HashSet<&str> = told.iter().map(|told| told.tenant.as_str()).collect();
        assert_eq!(tenants, HashSet::from(["t-0", "t-1", "t-2"]));
    })
    .await;
}
