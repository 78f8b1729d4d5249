//! Stages that change as the clock moves: told once, without a call, by whichever replica.

use jiff::SignedDuration;
use prost::Message;
use tandem_platform::{Tenant, testing, transact};
use tandem_proto::relationship::v1::{self, StageChanged};

use super::super::{Relationship, Stage, StageRules, Who, store, tasks};
use crate::MIGRATIONS;
use crate::testing::Harness;

async fn save(harness: &Harness, tenant: &str, row: &Relationship) {
    let tenant = Tenant::parse(tenant).unwrap();
    transact!(harness.app.db, |tx| { store::insert(&[row])?.run(tx, &tenant).await }).unwrap();
}

/// Somebody who has ordered once, now, and of whom that was told.
fn ordered(harness: &Harness, who: Who) -> Relationship {
    let now = harness.app.clock.now();
    let mut row = Relationship::new(who);
    row.ordered(now);
    row.tell(&StageRules::default(), now);
    row
}

async fn told(harness: &Harness) -> Vec<(String, String, i64, v1::Stage)> {
    let changes = harness.events().await.into_iter().map(|event| {
        let change = StageChanged::decode(event.payload.unwrap().value.as_slice()).unwrap();
        (event.tenant, event.aggregate, event.aggregate_version, change.to_stage())
    });
    changes.collect()
}

#[tokio::test]
async fn a_row_is_read_as_it_was_written() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut row = ordered(&harness, Who::Guest("0123456789abcdef".to_owned()));
        row.paid(tandem_kernel::money::Currency::new("EUR").unwrap(), -7);
        row.rated(harness.app.clock.now(), 250_000);
        row.seen(harness.app.clock.now());
        save(&harness, "default", &row).await;
        let mut reader = harness.app.db.read().await.unwrap();
        let found = store::find(&mut reader, &Tenant::default(), &row.who).await.unwrap();
        assert_eq!(found, Some(row.clone()));
        let merged = row.merged("ada");
        transact!(harness.app.db, |tx| { store::update(&[&merged])?.run(tx, &Tenant::default()).await })
            .unwrap();
        assert_eq!(store::find(&mut reader, &Tenant::default(), &row.who).await.unwrap(), Some(merged));
    })
    .await;
}

#[tokio::test]
async fn the_clock_changes_stages_without_a_call_and_each_change_is_told_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let another = Harness::new(testing::second_handle(&db));
        // So that its ids are its own.
        another.clock.advance(SignedDuration::from_millis(1));
        let ada = Who::Customer("ada".to_owned());
        for tenant in ["default", "shop-7"] {
            save(&harness, tenant, &ordered(&harness, ada.clone())).await;
        }
        assert_eq!(tasks::sweep(&harness.app).await.unwrap(), 0, "nothing is due");
        for clock in [&harness.clock, &another.clock] {
            clock.advance(SignedDuration::from_hours(90 * 24));
        }
        let (one, two) = tokio::join!(tasks::sweep(&harness.app), tasks::sweep(&another.app));
        assert_eq!(one.unwrap() + two.unwrap(), 2, "one of each tenant, whatever the replicas");
        let name = "customers/ada/relationship".to_owned();
        let mut changes = told(&harness).await;
        changes.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(
            changes,
            [
                ("default".to_owned(), name.clone(), 2, v1::Stage::AtRisk),
                ("shop-7".to_owned(), name, 2, v1::Stage::AtRisk)
            ]
        );
        harness.clock.advance(SignedDuration::from_hours(1_000 * 24));
        assert_eq!(tasks::sweep(&harness.app).await.unwrap(), 2);
        assert_eq!(tasks::sweep(&harness.app).await.unwrap(), 0);
        let mut reader = db.read().await.unwrap();
        let row = store::find(&mut reader, &Tenant::default(), &ada).await.unwrap().unwrap();
        assert_eq!((row.told, row.next_change), (Stage::Lapsed, None));
    })
    .await;
}
