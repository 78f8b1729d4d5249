use std::collections::BTreeSet;
use std::sync::Mutex;

use tandem_platform::db::Db;
use tandem_platform::{Tenant, testing, transact};

use super::store;
use crate::MIGRATIONS;
use crate::product::{Definition, Product, store as products};

async fn write(db: &Db, id: &str) -> i64 {
    let product = Product::create(id.to_owned(), Definition::default(), jiff::Timestamp::UNIX_EPOCH);
    let tenant = Tenant::default();
    transact!(*db, |tx| {
        let version = store::bump(tx, &tenant, jiff::Timestamp::UNIX_EPOCH).await?;
        products::PRODUCTS.save(std::slice::from_ref(&product), Some(version))?.run(tx, &tenant).await?;
        Ok(version)
    })
    .unwrap()
}

#[tokio::test]
async fn each_tenant_counts_its_own_versions() {
    testing::engines(&MIGRATIONS, |db| async move {
        let other = Tenant::parse("other").unwrap();
        assert_eq!(write(&db, "p1").await, 1);
        assert_eq!(write(&db, "p2").await, 2);
        let first =
            transact!(db, |tx| { store::bump(tx, &other, jiff::Timestamp::UNIX_EPOCH).await }).unwrap();
        assert_eq!(first, 1);
        let versions = store::versions(&mut db.read().await.unwrap()).await.unwrap();
        assert_eq!(versions, [(Tenant::default(), 2), (other, 1)]);
    })
    .await;
}

#[tokio::test]
async fn only_what_was_written_since_is_told() {
    testing::engines(&MIGRATIONS, |db| async move {
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        for (tenant, second) in [("a", 10), ("b", 20), ("c", 30)] {
            let tenant = Tenant::parse(tenant).unwrap();
            transact!(db, |tx| { store::bump(tx, &tenant, at(second)).await }).unwrap();
        }
        let mut reader = db.read().await.unwrap();
        let since = async |reader: &mut _, second| -> Vec<String> {
            let changed = store::changed(reader, at(second)).await.unwrap();
            changed.into_iter().map(|(tenant, _)| tenant.to_string()).collect()
        };
        assert_eq!(since(&mut reader, 20).await, ["b", "c"]);
        assert!(since(&mut reader, 31).await.is_empty());
        // Who was asked for last comes first, and the clock of a slow replica takes nothing back.
        let used = async |reader: &mut _| -> Vec<String> {
            store::used(reader, at(15)).await.unwrap().iter().map(Tenant::to_string).collect()
        };
        assert_eq!(used(&mut reader).await, ["c", "b"]);
        drop(reader);
        for (tenant, second) in [("a", 40), ("c", 5)] {
            let tenant = Tenant::parse(tenant).unwrap();
            transact!(db, |tx| { store::note_use(tx, &tenant, at(second)).await }).unwrap();
        }
        let mut reader = db.read().await.unwrap();
        assert_eq!(used(&mut reader).await, ["a", "c", "b"]);
        let a = store::stand(&mut reader, &Tenant::parse("a").unwrap()).await.unwrap();
        assert_eq!(a, store::Stand { version: 1, used: Some(at(40)) });
        let nobody = store::stand(&mut reader, &Tenant::parse("nobody").unwrap()).await.unwrap();
        assert_eq!(nobody, store::Stand { version: 0, used: None });
    })
    .await;
}

#[tokio::test]
async fn a_version_waits_for_every_lower_one() {
    testing::postgres(&MIGRATIONS, |database| async move {
        let mut first = database.connect().await;
        let bump = "INSERT INTO catalogue_version AS c (tenant, version) VALUES ('default', 1)
                    ON CONFLICT (tenant) DO UPDATE SET version = c.version + 1";
        sqlx::query("BEGIN").execute(&mut first).await.unwrap();
        sqlx::query(bump).execute(&mut first).await.unwrap();
        // The second writer cannot even learn its version before the first has ended.
        let db = database.db.clone();
        let mut second = Box::pin(write(&db, "p2"));
        loop {
            assert!(futures::poll!(&mut second).is_pending());
            let waiting = "SELECT count(*) FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let count: i64 =
                sqlx::query_scalar(waiting).fetch_one(&mut database.connect().await).await.unwrap();
            if count == 1 {
                break;
            }
        }
        assert!(store::versions(&mut database.db.read().await.unwrap()).await.unwrap().is_empty());
        sqlx::query("COMMIT").execute(&mut first).await.unwrap();
        assert_eq!(second.await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_asks_above_its_version_misses_nothing() {
    testing::engines(&MIGRATIONS, |db| async move {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let db = db.clone();
                async move {
                    for n in 0..10 {
                        write(&db, &format!("p{writer}-{n}")).await;
                    }
                }
            })
            .collect();
        let writing = futures::future::join_all(writers);
        let seen = Mutex::new(BTreeSet::new());
        let reading = async {
            let mut known = 0;
            while known < 40 {
                let mut reader = db.read().await.unwrap();
                let versions = store::versions(&mut reader).await.unwrap();
                let Some((tenant, version)) = versions.into_iter().next() else { continue };
                let rows = products::sold_since(&mut reader, &tenant, known).await.unwrap();
                seen.lock().unwrap().extend(rows.into_iter().map(|product| product.id));
                assert!(version >= known);
                // Every version up to this one has been seen, whoever wrote it.
                assert!(seen.lock().unwrap().len() >= usize::try_from(version).unwrap());
                known = version;
            }
        };
        futures::join!(writing, reading);
        assert_eq!(seen.lock().unwrap().len(), 40);
    })
    .await;
}
