//! What a tenant has set, and what of a redemption goes by it.

use tandem_platform::idempotency::Request;
use tandem_platform::service::Asked;
use tandem_platform::testing;
use tandem_proto::relationship::v1::RollbackReason;

use super::*;
use crate::MIGRATIONS;
use crate::settings::{FIELDS, House, Own, commands};

impl Shop {
    /// The tenant sets this and nothing else.
    async fn set(&self, own: Own) {
        let known: Vec<_> = FIELDS.iter().map(|(field, _)| *field).collect();
        let all = prost_types::FieldMask { paths: vec!["*".to_owned()] };
        let mask = grpc::field_mask(&mut Violations::new(), Some(&all), &known, &[]);
        let asked = Asked {
            call: self.call.clone(),
            request: Request::new("UpdateSettings", &request_id(), &()),
            what: Change::new(Touch::default(), FIELDS, mask, own),
        };
        let house = House { app: self.app.clone(), follow: &[] };
        commands::update(Arc::new(house), asked).await.unwrap();
    }
}

fn in_zone(name: &str) -> Own {
    Own { zone: Some(Zone::new(name).unwrap()), ..Own::default() }
}

#[tokio::test]
async fn a_weekly_limit_begins_anew_on_monday_in_the_zone_that_the_tenant_has_set() {
    testing::engines(&MIGRATIONS, |db| async move {
        let sunday = Arc::new(FixedClock::at(at("2026-07-05T21:59:00Z")));
        let shop = Shop::with(db, sunday, Config::default());
        shop.set(in_zone("Europe/Vienna")).await;
        shop.spring(None, per_customer_period(1, Recurrence::Week)).await;
        let by = |order| Quoted::new(order, &[("SPRING", "spring", 1_000)]).by("7");
        shop.redeem(&by("o1")).await.unwrap();
        assert_eq!(reason(shop.redeem(&by("o2")).await), "CUSTOMER_PERIOD_LIMIT_REACHED");
        shop.later(SignedDuration::from_mins(1));
        shop.redeem(&by("o3")).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn where_the_zone_changes_a_day_goes_on_under_its_date() {
    testing::engines(&MIGRATIONS, |db| async move {
        let evening = Arc::new(FixedClock::at(at("2026-07-01T21:30:00Z")));
        let shop = Shop::with(db, evening, Config::default());
        shop.spring(None, Limits { recurrence: Some(Recurrence::Day), ..budget(1_000) }).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        // It is still 1 July there.
        shop.set(in_zone("America/New_York")).await;
        assert_eq!(reason(shop.redeem_one("o2", "SPRING", "spring").await), "BUDGET_EXHAUSTED");
        shop.later(SignedDuration::from_hours(3));
        assert_eq!(reason(shop.redeem_one("o2", "SPRING", "spring").await), "BUDGET_EXHAUSTED");
        shop.set(in_zone("Europe/Vienna")).await;
        shop.redeem_one("o2", "SPRING", "spring").await.unwrap();
        // What came back comes back in the day in which it was counted.
        shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        assert_eq!(reason(shop.redeem_one("o3", "SPRING", "spring").await), "BUDGET_EXHAUSTED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_code_that_expired_meanwhile_is_valid_for_as_long_as_the_tenant_says_and_keeps_its_end() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.set(Own { restored_days: Some(3), ..Own::default() }).await;
        shop.incentive("spring", until(off(1_000), "2026-07-02T00:00:00Z")).await;
        shop.codes(vec![shop.code("SPRING", "spring")]).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        shop.later(SignedDuration::from_hours(10 * 24));
        shop.roll_back("o1", &[], RollbackReason::Returned).await.unwrap();
        let end = shop.now() + SignedDuration::from_hours(3 * 24);
        assert_eq!(shop.voucher("SPRING").await.usage.restored_until, Some(end));
        shop.set(Own { restored_days: Some(1), ..Own::default() }).await;
        shop.later(SignedDuration::from_hours(3 * 24) - SignedDuration::from_secs(1));
        shop.redeem_one("o2", "SPRING", "spring").await.unwrap();
        shop.roll_back("o2", &[], RollbackReason::Returned).await.unwrap();
        assert_eq!(
            shop.voucher("SPRING").await.usage.restored_until,
            Some(shop.now() + SignedDuration::from_hours(24))
        );
        shop.audit().await;
    })
    .await;
}
