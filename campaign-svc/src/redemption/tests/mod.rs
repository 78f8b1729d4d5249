//! What flowed back: each redemption once, whatever is delivered twice, late or to two replicas.

mod aside;
mod stream;
mod upgrade;

use prost::Message;
use tandem_platform::outbox::Cursor;
use tandem_platform::outbox::consumer::{self, Delivered, Taken};
use tandem_platform::testing::engines;
use tandem_platform::{Db, Tenant};
use tandem_proto::common::v1::{Event, Money};
use tandem_proto::relationship::v1::{Redemption, RedemptionRolledBack, RedemptionState, VoucherRedeemed};
use uuid::Uuid;

use super::{CONSUMER, Sums, events, store};
use crate::testing::Harness;
use crate::{Config, MIGRATIONS};

fn euros(minor: i64) -> Money {
    let nanos = i32::try_from(minor % 100 * 10_000_000).unwrap();
    Money { currency_code: "EUR".to_owned(), units: minor / 100, nanos }
}

pub fn redemption(id: u32, order: &str, customer: &str, amount: i64) -> Redemption {
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

pub fn event(id: u128, type_: &str, payload: &impl Message) -> Event {
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

pub fn redeemed(id: u128, redemption: Redemption, order_total: i64) -> Event {
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

/// These events of one tenant, up to the cursor.
fn told(tenant: &Tenant, events: &[Event], upto: Cursor) -> Vec<Delivered> {
    let of = |event: Option<Event>, cursor| Delivered { tenant: tenant.clone(), cursor, event, gap: None };
    let events = events.iter().map(|event| of(Some(event.clone()), Cursor::of(event)));
    events.chain([of(None, upto)]).collect()
}

pub async fn take_in(harness: &Harness, tenant: &Tenant, events: &[Event], upto: Cursor) -> Taken {
    consumer::take_in(&*harness.app, told(tenant, events, upto)).await.unwrap()
}

async fn cursor(harness: &Harness, tenant: &Tenant) -> Option<Cursor> {
    consumer::load_cursors(&mut harness.app.db.read().await.unwrap(), CONSUMER).await.unwrap().remove(tenant)
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
        take_in(&harness, &tenant, &delivered, upto(5)).await;
        let found = sums(&db, &["spring", "other"]).await;
        assert_eq!((found.redemptions, found.orders, found.customers), (4, 3, 2));
        assert_eq!(minor(&found.revenue), 4_500 + 900 + 2_000);
        assert_eq!(minor(&found.discounts), 900, "a gift card is no discount");
        assert_eq!(sums(&db, &["other"]).await, Sums::default());
        assert_eq!(sums(&db, &[]).await, Sums::default());
        assert_eq!(minor(&sums(&db, &[""]).await.discounts), 50);
        assert_eq!(cursor(&harness, &tenant).await, Some(upto(5)));
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
        take_in(&harness, &tenant, &[first.clone(), back.clone()], upto(2)).await;
        let once = sums(&db, &["spring"]).await;
        assert_eq!((minor(&once.discounts), minor(&once.revenue)), (300, 4_500));
        for again in [vec![first.clone()], vec![back.clone(), first], vec![back]] {
            take_in(&harness, &tenant, &again, upto(1)).await;
        }
        assert_eq!(sums(&db, &["spring"]).await, once);
        assert_eq!(cursor(&harness, &tenant).await, Some(upto(2)), "it never moves back");
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
        take_in(&harness, &tenant, &[rolled_back(3, of(), 3, 400)], upto(3)).await;
        take_in(&harness, &tenant, &[rolled_back(2, of(), 2, 200)], upto(2)).await;
        assert_eq!(minor(&sums(&db, &["spring"]).await.discounts), 100);
        take_in(&harness, &tenant, &[rolled_back(4, of(), 4, 500)], upto(4)).await;
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
        let takes = (0..4).map(|_| consumer::take_in(&*harness.app, told(&tenant, &delivered, upto(100))));
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
        take_in(&harness, &other, &delivered, upto(1)).await;
        assert_eq!(sums(&db, &["spring"]).await, Sums::default());
    })
    .await;
}

#[tokio::test]
async fn one_replica_follows_until_it_resigns_or_its_lease_runs_out() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let app = &harness.app;
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let lease = jiff::SignedDuration::from_secs(6);
        assert!(consumer::lead::lead(app, CONSUMER, one, lease).await.unwrap());
        assert!(!consumer::lead::lead(app, CONSUMER, two, lease).await.unwrap());
        assert!(consumer::lead::lead(app, CONSUMER, one, lease).await.unwrap());
        harness.clock.advance(lease);
        assert!(consumer::lead::lead(app, CONSUMER, two, lease).await.unwrap());
        assert!(!consumer::lead::lead(app, CONSUMER, one, lease).await.unwrap());
        consumer::lead::resign(app, CONSUMER, two).await.unwrap();
        assert!(consumer::lead::lead(app, CONSUMER, one, lease).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn the_events_of_many_tenants_are_taken_in_together_and_each_counts_for_its_own() {
    engines(&MIGRATIONS, |db| async move {
        for together in [1, 7, 1_000] {
            let mut config = Config::default();
            config.relay.tenants_per_transaction = together;
            let harness = Harness::with(db.clone(), config);
            let tenants: Vec<Tenant> =
                (0..20).map(|n| Tenant::parse(&format!("t{together}-{n}")).unwrap()).collect();
            let mut delivered = Vec::new();
            // All tenants name their redemptions and orders alike.
            for round in 0..3_u32 {
                for (n, tenant) in tenants.iter().enumerate() {
                    let id = u128::from(round) + 10 * n as u128 + 10_000 * together as u128;
                    let event =
                        redeemed(id, redemption(round, &format!("o-{round}"), "customers/7", 100), 900);
                    delivered.extend(told(tenant, &[event], upto(i64::from(round) + 1)));
                }
            }
            assert_eq!(consumer::take_in(&*harness.app, delivered).await.unwrap(), Taken::default());
            for tenant in &tenants {
                let mut reader = db.read().await.unwrap();
                let found = store::sums(&mut reader, tenant, &["spring"]).await.unwrap();
                assert_eq!((found.redemptions, minor(&found.discounts)), (3, 300));
                assert_eq!(cursor(&harness, tenant).await, Some(upto(3)));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_peer_cannot_tell_any_more_is_counted_and_the_tenant_goes_on() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let tenant = Tenant::default();
        take_in(&harness, &tenant, &[redeemed(1, redemption(1, "o-1", "", 500), 4_500)], upto(50)).await;
        // Of another database than the cursor: positions begin anew.
        let lost = Delivered {
            tenant: tenant.clone(),
            cursor: Cursor::START,
            event: None,
            gap: Some(tandem_platform::outbox::Gap::Expired),
        };
        let next = told(&tenant, &[redeemed(2, redemption(2, "o-2", "", 300), 900)], upto(3));
        let delivered = [vec![lost], next].concat();
        let taken = consumer::take_in(&*harness.app, delivered).await.unwrap();
        assert_eq!((taken.missed, taken.set_aside), (1, 0));
        assert_eq!(cursor(&harness, &tenant).await, Some(upto(3)));
        assert_eq!(sums(&db, &["spring"]).await.redemptions, 2);
    })
    .await;
}

#[tokio::test]
async fn a_total_that_is_told_late_counts_though_the_redemption_has_moved_on() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db.clone());
        let tenant = Tenant::default();
        let of = || redemption(1, "o-1", "customers/7", 500);
        take_in(&harness, &tenant, &[rolled_back(2, of(), 2, 200)], upto(2)).await;
        assert_eq!(minor(&sums(&db, &["spring"]).await.revenue), 0);
        take_in(&harness, &tenant, &[redeemed(1, of(), 4_500)], upto(2)).await;
        let found = sums(&db, &["spring"]).await;
        assert_eq!((minor(&found.revenue), minor(&found.discounts)), (4_500, 300));
    })
    .await;
}
