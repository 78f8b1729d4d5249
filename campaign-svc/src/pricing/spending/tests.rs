//! What limits have counted: read when it is needed, and only what is in force.

use jiff::tz::TimeZone;
use tandem_kernel::clock::Clock;
use tandem_kernel::limits::{CounterKey, CounterKind, Tally, period};
use tandem_kernel::period::Recurrence;
use tandem_platform::counters::ledger::Ledger;
use tandem_platform::db::Writes;
use tandem_platform::testing::{engines, postgres, second_handle};
use tandem_platform::transact;

use super::*;
use crate::MIGRATIONS;
use crate::order::commands::forget_what_is_over;
use crate::testing::Harness;

const OFFERS: usize = 6;

fn key(offer: usize, period: &str) -> CounterKey {
    let owner = format!("campaigns/c/offers/o{offer}");
    CounterKey { kind: CounterKind::Uses, owner: owner.into(), subject: "".into(), period: period.into() }
}

/// Writes counters as a lane does at `now`: all of them used up.
async fn use_up(harness: &Harness, tenant: &Tenant, keys: &[CounterKey], used: i64, now: Timestamp) {
    write(harness, tenant, keys, Tally { used, held: 0, told: 100 }).await;
    transact!(harness.app.db, |tx| {
        near::mark(&keys.iter().collect::<Vec<_>>(), now).run(tx, tenant).await
    })
    .unwrap();
}

async fn write(harness: &Harness, tenant: &Tenant, keys: &[CounterKey], tally: Tally) {
    transact!(harness.app.db, |tx| {
        let mut ledger = Ledger::default();
        let places: Vec<usize> = keys.iter().map(|key| ledger.place(key.clone())).collect();
        ledger.lock(tx, tenant).await?;
        places.into_iter().for_each(|at| ledger.set(at, tally));
        let mut writes = Writes::of(tenant);
        ledger.write_back(tx, &mut writes, &()).await?;
        writes.run(tx).await
    })
    .unwrap();
}

/// Every offer was used up on each of `days` days until now.
async fn a_year(harness: &Harness, days: i64) {
    for day in 0..days {
        let at = harness.clock.now() - SignedDuration::from_hours(24 * day);
        let name = period(Recurrence::Day, at, &TimeZone::UTC);
        let keys: Vec<CounterKey> = (0..OFFERS).map(|offer| key(offer, &name)).collect();
        use_up(harness, &harness.call.tenant, &keys, 1, at).await;
    }
}

fn today(harness: &Harness) -> String {
    period(Recurrence::Day, harness.clock.now(), &TimeZone::UTC)
}

async fn used(harness: &Harness, tenant: &Tenant, offer: usize) -> i64 {
    let spent = harness.app.spending.of(&harness.app, tenant).await.unwrap();
    let key = key(offer, &today(harness));
    spent.taken(&key.owner, key.kind, &key.subject, &key.period).unwrap_or(0)
}

async fn count(harness: &Harness, table: &str) -> i64 {
    let mut reader = harness.app.db.read().await.unwrap();
    tandem_platform::testing::count(&mut reader, table).await
}

#[tokio::test]
async fn what_is_over_is_not_read_and_nothing_is_where_nothing_is_sold() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let (app, tenant) = (&harness.app, &harness.call.tenant);
        a_year(&harness, 60).await;
        assert_eq!(count(&harness, "counter").await, 60 * 6);
        let periods = periods_at(harness.clock.now()).into_iter().collect();
        let rows = near::of_tenant(&mut app.db.read().await.unwrap(), tenant, periods).await.unwrap();
        assert_eq!(rows.len(), OFFERS, "of 60 days the one that it is");
        assert_eq!(used(&harness, tenant, 3).await, 1);
        harness.clock.advance(SignedDuration::from_mins(1));
        app.spending.refresh(app).await.unwrap();
        for _ in 0..3 {
            assert_eq!(app.spending.refresh(app).await.unwrap(), 0);
        }
        use_up(&harness, tenant, &[key(3, &today(&harness))], 2, harness.clock.now()).await;
        assert_eq!(app.spending.refresh(app).await.unwrap(), 1);
        assert_eq!((used(&harness, tenant, 3).await, used(&harness, tenant, 4).await), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn what_is_over_is_forgotten_and_what_is_in_force_is_kept() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        a_year(&harness, 60).await;
        // Counters are kept for a month, to be looked at: from 31 May to 1 July.
        assert_eq!(forget_what_is_over(&harness.app).await.unwrap(), 28 * 6);
        assert_eq!(count(&harness, "near_limit").await, 6);
        assert_eq!(count(&harness, "counter").await, 32 * 6);
        assert_eq!(forget_what_is_over(&harness.app).await.unwrap(), 0);
        assert_eq!(used(&harness, &harness.call.tenant, 0).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_counter_of_which_something_is_held_stays() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let old = key(0, "d2026-01-01");
        let held = Tally { used: 1, held: 1, told: 79 };
        write(&harness, &harness.call.tenant, &[old], held).await;
        assert_eq!(forget_what_is_over(&harness.app).await.unwrap(), 0);
        assert_eq!(count(&harness, "counter").await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_written_in_a_transaction_that_ended_late_is_found() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let (app, tenant) = (&harness.app, &harness.call.tenant);
        assert_eq!(used(&harness, tenant, 0).await, 0);
        app.spending.refresh(app).await.unwrap();
        let begun = harness.clock.now() - SignedDuration::from_secs(9);
        use_up(&harness, tenant, &[key(0, &today(&harness))], 5, begun).await;
        app.spending.refresh(app).await.unwrap();
        assert_eq!(used(&harness, tenant, 0).await, 5);
        // Far too late, or by a clock that is wrong: when everything is looked at.
        let begun = harness.clock.now() - SignedDuration::from_hours(1);
        use_up(&harness, tenant, &[key(1, &today(&harness))], 7, begun).await;
        app.spending.refresh(app).await.unwrap();
        assert_eq!(used(&harness, tenant, 1).await, 0);
        harness.clock.advance(WHOLE);
        app.spending.refresh(app).await.unwrap();
        assert_eq!(used(&harness, tenant, 1).await, 7);
    })
    .await;
}

#[tokio::test]
async fn tenants_that_nobody_asks_for_are_given_back_and_read_again_when_somebody_does() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let app = &harness.app;
        let known = || app.spending.tenants.read().unwrap().len();
        let tenants: Vec<Tenant> = (0..20).map(|n| Tenant::parse(&format!("t{n}")).unwrap()).collect();
        for tenant in &tenants {
            use_up(&harness, tenant, &[key(0, &today(&harness))], 3, harness.clock.now()).await;
        }
        app.spending.refresh(app).await.unwrap();
        assert_eq!(known(), 0, "nobody has asked");
        for tenant in &tenants {
            assert_eq!(used(&harness, tenant, 0).await, 3);
        }
        for _ in 0..2 {
            harness.clock.advance(WHOLE);
            assert_eq!(used(&harness, &tenants[0], 0).await, 3);
            app.spending.refresh(app).await.unwrap();
        }
        assert_eq!(known(), 1);
        use_up(&harness, &tenants[9], &[key(0, &today(&harness))], 4, harness.clock.now()).await;
        app.spending.refresh(app).await.unwrap();
        assert_eq!((known(), used(&harness, &tenants[9], 0).await), (1, 4));
    })
    .await;
}

#[tokio::test]
async fn what_another_replica_has_sold_is_known_after_the_next_look() {
    postgres(&MIGRATIONS, |database| async move {
        let here = Harness::new(database.db.clone());
        let there = Harness::new(second_handle(&database.db));
        let tenant = &here.call.tenant;
        assert_eq!(used(&there, tenant, 0).await, 0);
        use_up(&here, tenant, &[key(0, &today(&here))], 5, here.clock.now()).await;
        there.app.spending.refresh(&there.app).await.unwrap();
        assert_eq!(used(&there, tenant, 0).await, 5);
    })
    .await;
}
