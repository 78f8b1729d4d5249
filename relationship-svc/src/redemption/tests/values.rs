//! Limits that hold for every value of something that an order says of itself: "20.00 per till".

use tandem_kernel::limits::{Dimension, Overrun, ValueLimit};
use tandem_platform::idempotency::Request;
use tandem_platform::service::Asked;
use tandem_platform::testing;
use tandem_proto::relationship::v1::RollbackReason;

use super::*;
use crate::MIGRATIONS;

fn till() -> Dimension {
    Dimension::Attribute("till".to_owned())
}

fn per(dimension: Dimension, max_uses: Option<i64>, money: Option<i64>) -> Limits {
    let budgets = money.map(amounts).unwrap_or_default();
    Limits { per_value: vec![ValueLimit { dimension, max_uses, budgets }], ..Limits::default() }
}

fn of(order: &str) -> Quoted<'_> {
    Quoted::new(order, &[("SPRING", "spring", 1_000)])
}

impl Shop {
    fn token_by(&self, order: &str, till: &str, place: &str) -> String {
        let limit_attributes = [("till".to_owned(), till.to_owned())].into();
        let claims = QuoteClaims { limit_attributes, place: place.to_owned(), ..self.claims(&of(order)) };
        seal_claims(&claims, &self.app.keys)
    }

    async fn redeem_by(&self, order: &str, till: &str) -> Outcome<v1::RedeemVouchersResponse> {
        self.redeem_as(self.redeem_request(order, self.token_by(order, till, ""))).await
    }

    async fn redeem_at(&self, order: &str, place: &str) -> Outcome<v1::RedeemVouchersResponse> {
        self.redeem_as(self.redeem_request(order, self.token_by(order, "", place))).await
    }

    async fn hold_by(&self, order: &str, till: &str) -> Outcome<v1::HoldVouchersResponse> {
        self.hold_as(self.hold_request(order, self.token_by(order, till, ""), 0)).await
    }

    /// UpdateIncentive, of its limits.
    async fn update_limits(&self, limits: Limits) -> Outcome<Incentive> {
        let paths = prost_types::FieldMask { paths: vec!["limits".to_owned()] };
        let mask = grpc::field_mask(&mut Violations::new(), Some(&paths), &["limits"], &[]);
        let touch = Touch { id: "spring".to_owned(), ..Touch::default() };
        let what = Change::new(touch, incentive::FIELDS, mask, limited(off(1_000), limits));
        let request = Request::new("UpdateIncentive", &request_id(), &());
        past::count(&self.app, &self.call.tenant, &what).await?;
        let asked = Asked { call: self.call.clone(), request, what };
        incentive::commands::update(self.app.clone().into(), asked).await
    }
}

#[tokio::test]
async fn a_budget_per_till_is_kept_by_every_till_and_comes_back_where_it_was_spent() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, per(till(), None, Some(2_000))).await;
        shop.redeem_by("o1", "1").await.unwrap();
        shop.redeem_by("o2", "1").await.unwrap();
        assert_eq!(reason(shop.redeem_by("o3", "1").await), "BUDGET_EXHAUSTED");
        shop.redeem_by("o4", "2").await.unwrap();
        shop.roll_back("o1", &[("a", 1)], RollbackReason::Returned).await.unwrap();
        assert_eq!(reason(shop.redeem_by("o5", "1").await), "BUDGET_EXHAUSTED", "a third is back");
        shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        shop.redeem_by("o6", "1").await.unwrap();
        assert_eq!(reason(shop.redeem_by("o7", "1").await), "BUDGET_EXHAUSTED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_hold_keeps_of_a_value_is_its_orders_until_it_ends() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, per(till(), Some(1), None)).await;
        shop.hold_by("o1", "1").await.unwrap();
        assert_eq!(reason(shop.redeem_by("o2", "1").await), "INCENTIVE_EXHAUSTED");
        shop.redeem_by("o3", "2").await.unwrap();
        shop.redeem_held("o1").await.unwrap();
        shop.hold_by("o4", "3").await.unwrap();
        shop.release("o4").await;
        shop.hold_by("o5", "3").await.unwrap();
        shop.audit().await;
        shop.later(SignedDuration::from_hours(1));
        shop.redeem_by("o6", "3").await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_budget_per_place_that_caps_changes_the_price() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let limits = per(Dimension::Place, None, Some(1_500));
        shop.spring(None, Limits { overrun: Overrun::Cap, ..limits }).await;
        shop.redeem_at("o1", "AT").await.unwrap();
        let fault = shop.redeem_at("o2", "AT").await.unwrap_err();
        assert_eq!(fault.reason(), "PRICE_CHANGED");
        assert_eq!(fault.metadata("current_total"), Some("25.00 EUR"));
        shop.redeem_at("o3", "DE").await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn an_order_that_does_not_say_what_a_limit_counts_by_is_refused_by_its_name() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, per(till(), Some(1), None)).await;
        let fault = shop.redeem(&of("o1")).await.unwrap_err();
        assert_eq!(fault.reason(), "LIMIT_VALUE_REQUIRED");
        assert!(refusal(&fault).contains("attribute.till"), "{fault:?}");
        assert_eq!(
            reason(shop.redeem_at("o1", "AT").await),
            "LIMIT_VALUE_REQUIRED",
            "an empty value is none"
        );
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_plain_basket_counts_by_what_it_says_itself() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let limits = per(Dimension::Medium, Some(1), None);
        let place = per(Dimension::Place, Some(5), None).per_value;
        let per_value = limits.per_value.into_iter().chain(place).collect();
        shop.spring(None, Limits { per_value, ..Limits::default() }).await;
        let redeem = async |order: &str, medium: &str| {
            let mut plain = v1::PlainBasket { place: "AT".to_owned(), ..super::plain::plain(&["SPRING"]) };
            plain.basket.as_mut().unwrap().attributes.insert("medium".to_owned(), medium.to_owned());
            let what = Some(v1::redeem_vouchers_request::What::Plain(plain));
            let request = v1::RedeemVouchersRequest { what, ..shop.redeem_request(order, String::new()) };
            shop.redeem_as(request).await
        };
        redeem("o1", "app").await.unwrap();
        assert_eq!(reason(redeem("o2", "app").await), "INCENTIVE_EXHAUSTED");
        redeem("o3", "letter").await.unwrap();
        assert_eq!(reason(redeem("o4", "").await), "LIMIT_VALUE_REQUIRED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_limit_per_value_starts_anew_with_its_period_and_another_period_finds_it_counted() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let daily = |most| Limits { recurrence: Some(Recurrence::Day), ..per(till(), Some(most), None) };
        shop.spring(None, daily(1)).await;
        shop.redeem_by("o1", "1").await.unwrap();
        assert_eq!(reason(shop.redeem_by("o2", "1").await), "INCENTIVE_EXHAUSTED");
        shop.later(SignedDuration::from_hours(24));
        shop.redeem_by("o2", "1").await.unwrap();
        shop.update_limits(per(till(), Some(2), None)).await.unwrap();
        assert_eq!(reason(shop.redeem_by("o3", "1").await), "INCENTIVE_EXHAUSTED");
        shop.redeem_by("o4", "2").await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_limit_per_value_can_be_added_while_nothing_is_used_and_not_later() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        shop.redeem(&of("o1")).await.unwrap();
        let fault = shop.update_limits(per(till(), Some(1), None)).await.unwrap_err();
        assert_eq!(
            (fault.reason(), fault.metadata("dimension")),
            ("LIMIT_VALUE_LATE", Some("attribute.till"))
        );
        shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        shop.update_limits(per(till(), Some(1), None)).await.unwrap();
        assert_eq!(reason(shop.redeem(&of("o2")).await), "LIMIT_VALUE_REQUIRED");
        shop.redeem_by("o2", "1").await.unwrap();
        shop.update_limits(per(till(), Some(2), None)).await.unwrap();
        shop.redeem_by("o3", "1").await.unwrap();
        assert_eq!(reason(shop.redeem_by("o4", "1").await), "INCENTIVE_EXHAUSTED");
        // What is not asked for is not known of the uses that come then.
        shop.update_limits(Limits::default()).await.unwrap();
        shop.redeem(&of("o4")).await.unwrap();
        assert_eq!(reason(shop.update_limits(per(till(), Some(2), None)).await), "LIMIT_VALUE_LATE");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_use_decided_by_limits_from_before_is_not_missing_where_its_row_says_what_is_counted_by() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let (owner, limits) = ("spring".into(), per(till(), Some(1), None));
        // The other half of an update that this replica does not know of yet.
        let turned = transact!(shop.app.db, |tx| {
            tandem_platform::counters::tracks::turn(tx, &shop.call.tenant, &owner, None, &limits).await
        });
        assert_eq!(turned.unwrap(), None);
        assert_eq!(reason(shop.redeem(&of("o1")).await), "LIMIT_VALUE_REQUIRED");
        shop.redeem_by("o2", "1").await.unwrap();
        shop.audit().await;
    })
    .await;
}
