//! Somebody of whom everything is held that can be.

use tandem_kernel::limits::CounterKey;
use tandem_platform::outbox::Cursor;
use tandem_platform::outbox::consumer::Taken;
use tandem_platform::{Db, Tenant, counters, testing};
use tandem_proto::common::v1::{self as common, QuoteClaims};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::CustomerErased;

use crate::erasure::tasks;
use crate::order::tests::Shop;
use crate::redemption::events::TYPES;
use crate::redemption::tests::{event, redeemed, redemption, take_in};
use crate::testing::Harness;

/// Values of Ada that nobody else has: her id, and the key she had as a guest.
pub const VALUES: [&str; 2] = ["ada-17", "key-of-ada-as-a-guest"];
pub const ADA: &str = "ada-17";
pub const HIDDEN: &str = "erased~Xk3v";

/// So many uses for each customer, ever and by the day.
pub fn per_customer(most: i64) -> common::Limits {
    common::Limits {
        max_uses_per_customer: Some(most),
        max_uses_per_customer_period: Some(most),
        customer_period: common::Recurrence::Day.into(),
        ..common::Limits::default()
    }
}

/// Writes everything of Ada that can be written, and a little of somebody else.
pub async fn set(db: Db) -> Shop {
    let shop = Shop::open(db, per_customer(5)).await;
    let claims = QuoteClaims { guest_key: VALUES[1].to_owned(), ..shop.claims(ADA, 300) };
    shop.commit_as("o1", "r1", &claims).await.unwrap();
    shop.hold("o2", ADA, 300).await.unwrap();
    shop.commit("o3", ADA, 300).await.unwrap();
    shop.take_back("o3", "back-o3", 1).await.unwrap();
    shop.commit("o4", ADA, 300).await.unwrap();
    shop.cancel("o4").await.unwrap();
    shop.hold("o5", ADA, 300).await.unwrap();
    shop.cancel("o5").await.unwrap();
    shop.commit("o6", "eve", 300).await.unwrap();
    let name = format!("customers/{ADA}");
    let strange = common::Event { payload: None, aggregate: name.clone(), ..event(2, TYPES[0], &()) };
    let told = [
        redeemed(1, redemption(1, "o1", &name, 500), 4_500),
        strange,
        redeemed(3, redemption(3, "o6", "customers/eve", 500), 4_500),
    ];
    take_in(&shop.harness, &Tenant::default(), &told, Cursor::after(1)).await;
    shop
}

/// What relationship-svc tells of Ada's erasure, by an event of this id.
pub fn tells(id: u128, shop: &Shop) -> common::Event {
    let payload = CustomerErased {
        customer: format!("customers/{ADA}"),
        pseudonym: format!("customers/{HIDDEN}"),
        erase_time: Some(to_timestamp(shop.now())),
    };
    event(id, TYPES[2], &payload)
}

/// This service hears of it.
pub async fn hear(id: u128, shop: &Shop) -> Taken {
    take_in(&shop.harness, &Tenant::default(), &[tells(id, shop)], Cursor::after(1)).await
}

/// It hears, and does everything that is to be done by itself.
pub async fn erased(shop: &Shop) {
    assert_eq!(hear(100, shop).await.set_aside, 0);
    tasks::go_on(&shop.harness.app).await.unwrap();
}

/// Where any of Ada's values stands.
pub async fn found(db: &Db) -> Vec<String> {
    let mut found = Vec::new();
    for value in VALUES {
        found.extend(testing::holding(db, value).await);
    }
    found.sort();
    found.dedup();
    found
}

/// What the offer has counted for a customer, ever: used, and held.
pub async fn counted(harness: &Harness, customer: &str) -> Option<(i64, i64)> {
    let mut reader = harness.app.db.read().await.unwrap();
    let rows = counters::all(&mut reader, &harness.call.tenant).await.unwrap();
    let is = |key: &CounterKey| {
        &*key.owner == "campaigns/spring/offers/ten"
            && *key.subject == format!("c/{customer}")
            && key.period.is_empty()
    };
    rows.iter().find(|(key, _)| is(key)).map(|(_, tally)| (tally.used, tally.held))
}
