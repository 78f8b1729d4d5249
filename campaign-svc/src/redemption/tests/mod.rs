//! What flowed back: each redemption once, whatever is delivered twice, late or to two replicas.

mod stream;

use prost::Message;
use tandem_platform::outbox::Cursor;
use tandem_platform::testing::engines;
use tandem_platform::{Db, Tenant};
use tandem_proto::common::v1::{Event, Money};
use tandem_proto::relationship::v1::{Redemption, RedemptionRolledBack, RedemptionState, VoucherRedeemed};
use uuid::Uuid;

use super::{Sums, commands, events, store};
use crate::MIGRATIONS;
use crate::testing::Harness;

fn euros(minor: i64) -> Money {
    let nanos = i32::try_from(minor % 100 * 10_000_000).unwrap();
    Money { currency_code: "EUR".to_owned(), units: minor / 100, nanos }
}

fn redemption(id: u32, order: &str, customer: &str, amount: i64) -> Redemption {
    Redemption {
        name: format!("redemptions/r{id}"),
        order_id: order.to_owned(),
        code: format!("CODE{id}"),
        incentive: "incentives/ten".to_owned(),
        customer: customer.to_owned(),
        state: RedemptionState::Redeemed.into(),
        amount: Some(euros(amount)),
        campaign: "campaigns/spring".to_owned(),
        create_time: Some(prost_types::Timestamp { seconds: 1_782_900_000, nanos: 0 }),
        version: 1,
        ..Redemption::default()
    }
}

fn event(id: u128, type_: &str, payload: &impl Message) -> Event {
    Event {
        id: Uuid::from_u128(id).to_string(),
        r#type: type_.to_owned(),
        payload: Some(prost_types::Any {
            type_url: format!("type.googleapis.com/{type_}"),
            value: payload.encode_to_vec(),
        }),
        ..Event::default()
    }
}

fn redeemed(id: u128, redemption: Redemption, order_total: i64) -> Event {
    let payload = VoucherRedeemed { redemption: Some(redemption), order_total: Some(euros(order_total)) };
    event(id, events::TYPES[0], &payload)
}

fn rolled_back(id: u128, redemption: Redemption, version: i64, returned: i64) -> Event {
    let whole = redemption.amount == Some(euros(returned));
    let state = if whole { RedemptionState::RolledBack } else { RedemptionState::PartiallyRolledBack };
    let redemption =
        Redemption { version, returned: Some(euros(returned)), state: state.into(), ..redemption };
    let payload = RedemptionRolledBack { redemption: Some(redemption), ..RedemptionRolledBack::default() };
    event(id, events::TYPES[1], &payload)
}

async fn sums(db: &Db, campaigns: &[&str]) -> Sums {
    store::sums(&mut db.read().await.unwrap(), &Tenant::default(), campaigns).await.unwrap()
}

fn minor(amounts: &std::collections::BTreeMap<tandem_kernel::money::Currency, i64>) -> i64 {
    amounts.values().sum()
}

fn upto(position: i64) -> Cursor {
    Cursor::after(position)
}

#[tokio::test]
async fn an_orders_total_counts_once_and_its_discounts_add_up() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let tenant = Tenant::default();
        let delivered = [
            redeemed(1, redemption(1, "o-1", "customers/7", 500), 4_500),
            redeemed(2, redemption(2, "o-1", "customers/7", 300), 4_500),
            redeemed(3, redemption(3, "o-2", "", 100), 900),
            redeemed(
                4,
                Redemption { campaign: String::new(), ..redemption(4, "o-3", "customers/8", 50) },
                50,
            ),
            redeemed(5, Redemption { tender: true, ..redemption(5, "o-4", "customers/9", 2_000) }, 2_000),
        ];
        commands::take_in(&harness.app, &tenant, &delivered, upto(5)).await.unwrap();
        let found = sums(&db, &["spring", "other"]).await;
        assert_eq!((found.redemptions, found.orders, found.customers), (4, 3, 2));
        assert_eq!(minor(&found.revenue), 4_500 + 900 + 2_000);
        assert_eq!(minor(&found.discounts), 900, "a gift card is no discount");
        assert_eq!(sums(&db, &["other"]).await, Sums::default());
        assert_eq!(sums(&db, &[]).await, Sums::default());
        assert_eq!(minor(&sums(&db, &[""]).await.discounts), 50);
        assert_eq!(commands::cursor(&harness.app, &tenant).await.unwrap(), Some(upto(5)));
    })
    .await;
}

#[tokio::test]
async fn what_is_delivered_twice_counts_once() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let tenant = Tenant::default();
        let first = redeemed(1, redemption(1, "o-1", "customers/7", 500), 4_500);
        let back = rolled_back(2, redemption(1, "o-1", "customers/7", 500), 2, 200);
        commands::take_in(&harness.app, &tenant, &[first.clone(), back.clone()], upto(2)).await.unwrap();
        let once = sums(&db, &["spring"]).await;
        assert_eq!((minor(&once.discounts), minor(&once.revenue)), (300, 4_500));
        for again in [vec![first.clone()], vec![back.clone(), first], vec![back]] {
            commands::take_in(&harness.app, &tenant, &again, upto(1)).await.unwrap();
        }
        assert_eq!(sums(&db, &["spring"]).await, once);
        assert_eq!(
            commands::cursor(&harness.app, &tenant).await.unwrap(),
            Some(upto(2)),
            "it never moves back"
        );
    })
    .await;
}

#[tokio::test]
async fn an_older_version_never_replaces_a_newer_one_and_the_total_is_kept() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let tenant = Tenant::default();
        let of = || redemption(1, "o-1", "customers/7", 500);
        // Two replicas may deliver out of order; the newest state counts.
        commands::take_in(&harness.app, &tenant, &[rolled_back(3, of(), 3, 400)], upto(3)).await.unwrap();
        commands::take_in(&harness.app, &tenant, &[rolled_back(2, of(), 2, 200)], upto(2)).await.unwrap();
        assert_eq!(minor(&sums(&db, &["spring"]).await.discounts), 100);
        commands::take_in(&harness.app, &tenant, &[rolled_back(4, of(), 4, 500)], upto(4)).await.unwrap();
        let all_back = sums(&db, &["spring"]).await;
        assert_eq!((all_back.redemptions, minor(&all_back.discounts), minor(&all_back.revenue)), (0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn two_replicas_that_take_in_the_same_events_count_them_once() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let tenant = Tenant::default();
        let delivered: Vec<Event> = (0..100_u32)
            .map(|id| redeemed(id.into(), redemption(id, &format!("o-{id}"), "customers/7", 10), 90))
            .collect();
        let takes = (0..4).map(|_| commands::take_in(&harness.app, &tenant, &delivered, upto(100)));
        for taken in futures::future::join_all(takes).await {
            taken.unwrap();
        }
        let found = sums(&db, &["spring"]).await;
        assert_eq!((found.redemptions, found.orders, found.customers), (100, 100, 1));
        assert_eq!((minor(&found.discounts), minor(&found.revenue)), (1_000, 9_000));
    })
    .await;
}

#[tokio::test]
async fn one_tenants_redemptions_are_not_anothers() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let other = Tenant::parse("other").unwrap();
        let delivered = [redeemed(1, redemption(1, "o-1", "customers/7", 500), 4_500)];
        commands::take_in(&harness.app, &other, &delivered, upto(1)).await.unwrap();
        assert_eq!(sums(&db, &["spring"]).await, Sums::default());
    })
    .await;
}

#[tokio::test]
async fn an_event_that_nobody_understands_is_passed() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let tenant = Tenant::default();
        let strange = Event { payload: None, ..redeemed(1, redemption(1, "o-1", "", 500), 4_500) };
        let good = redeemed(2, redemption(2, "o-2", "", 100), 900);
        commands::take_in(&harness.app, &tenant, &[strange, good], upto(2)).await.unwrap();
        assert_eq!(sums(&db, &["spring"]).await.redemptions, 1);
        assert_eq!(commands::cursor(&harness.app, &tenant).await.unwrap(), Some(upto(2)));
    })
    .await;
}

#[tokio::test]
async fn one_replica_follows_until_it_resigns_or_its_lease_runs_out() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let (app, tenant) = (&harness.app, Tenant::default());
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let lease = jiff::SignedDuration::from_secs(6);
        assert!(commands::lead(app, &tenant, one, lease).await.unwrap());
        assert!(!commands::lead(app, &tenant, two, lease).await.unwrap());
        assert!(commands::lead(app, &tenant, one, lease).await.unwrap());
        harness.clock.advance(lease);
        assert!(commands::lead(app, &tenant, two, lease).await.unwrap());
        assert!(!commands::lead(app, &tenant, one, lease).await.unwrap());
        commands::resign(app, &tenant, two).await.unwrap();
        assert!(commands::lead(app, &tenant, one, lease).await.unwrap());
    })
    .await;
}
