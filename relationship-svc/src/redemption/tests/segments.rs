//! Limits that hold for every segment of an incentive's audience.

use tandem_kernel::limits::{Dimension, ValueLimit};
use tandem_platform::testing::{self, Channel};
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::segment_service_client::SegmentServiceClient;

use super::*;
use crate::MIGRATIONS;
use crate::testing::Harness;

fn per_segment(max_uses: Option<i64>, money: Option<i64>) -> Limits {
    let budgets = money.map(amounts).unwrap_or_default();
    let limit = ValueLimit { dimension: Dimension::Segment, max_uses, budgets };
    Limits { per_value: vec![limit], ..Limits::default() }
}

/// A shop with a door for those calls that are not about redemptions.
async fn shop(db: Db, limits: Limits) -> (Shop, Channel) {
    let harness = Harness::new(db);
    let (app, clock, call) = (harness.app.clone(), harness.clock.clone(), harness.call.clone());
    let (shop, door) = (Shop { app, clock, call }, harness.channel());
    shop.spring_for_two(&door, limits).await;
    (shop, door)
}

impl Shop {
    /// 10.00 off by SPRING, for students and teachers; of customers 1 is a student, 2 is both, 3 is neither, all are adults.
    async fn spring_for_two(&self, door: &Channel, limits: Limits) {
        for (id, tag) in [("students", "student"), ("teachers", "teacher"), ("adults", "adult")] {
            let segment = v1::Segment { rule: format!("'{tag}' in customer.tags"), ..v1::Segment::default() };
            let request = v1::CreateSegmentRequest {
                segment: Some(segment),
                segment_id: id.to_owned(),
                request_id: String::new(),
            };
            SegmentServiceClient::new(door.clone()).create_segment(request).await.unwrap();
        }
        for (id, tags) in [("1", "student adult"), ("2", "student teacher adult"), ("3", "adult")] {
            let tags = tags.split(' ').map(str::to_owned).collect();
            let request = v1::CreateCustomerRequest {
                customer: Some(v1::Customer { tags, ..v1::Customer::default() }),
                customer_id: id.to_owned(),
                request_id: String::new(),
            };
            CustomerServiceClient::new(door.clone()).create_customer(request).await.unwrap();
        }
        let segments = vec!["students".to_owned(), "teachers".to_owned()];
        let definition = Definition { segments, ..limited(off(1_000), limits) };
        self.incentive("spring", definition).await;
        self.codes(vec![Voucher { max_uses: None, ..self.code("SPRING", "spring") }]).await;
    }

    async fn redeem_of(&self, order: &str, segments: &[&str]) -> Outcome<v1::RedeemVouchersResponse> {
        let mut claims = self.claims(&Quoted::new(order, &[("SPRING", "spring", 1_000)]));
        claims.codes[0].segments = segments.iter().map(|id| (*id).to_owned()).collect();
        self.redeem_as(self.redeem_request(order, seal_claims(&claims, &self.app.keys))).await
    }

    async fn redeem_plain_of(&self, order: &str, customer: &str) -> Outcome<v1::RedeemVouchersResponse> {
        let what = Some(v1::redeem_vouchers_request::What::Plain(super::plain::plain(&["SPRING"])));
        let request = self.redeem_request(order, String::new());
        self.redeem_as(v1::RedeemVouchersRequest { what, customer: customer.to_owned(), ..request }).await
    }
}

#[tokio::test]
async fn who_is_in_two_segments_counts_in_both_and_is_refused_where_either_is_full() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (shop, _) = shop(db, per_segment(Some(2), None)).await;
        shop.redeem_of("o1", &["students", "teachers"]).await.unwrap();
        shop.redeem_of("o2", &["students"]).await.unwrap();
        assert_eq!(reason(shop.redeem_of("o3", &["students"]).await), "INCENTIVE_EXHAUSTED");
        assert_eq!(reason(shop.redeem_of("o3", &["students", "teachers"]).await), "INCENTIVE_EXHAUSTED");
        shop.redeem_of("o4", &["teachers"]).await.unwrap();
        shop.roll_back("o1", &[], v1::RollbackReason::Cancelled).await.unwrap();
        shop.redeem_of("o5", &["students", "teachers"]).await.unwrap();
        assert_eq!(reason(shop.redeem_of("o6", &[]).await), "LIMIT_VALUE_REQUIRED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_plain_basket_counts_for_those_segments_of_the_incentive_that_its_customer_is_in() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (shop, _) = shop(db, per_segment(None, Some(2_000))).await;
        shop.redeem_plain_of("o1", "customers/1").await.unwrap();
        shop.redeem_plain_of("o2", "customers/2").await.unwrap();
        assert_eq!(reason(shop.redeem_plain_of("o3", "customers/1").await), "BUDGET_EXHAUSTED");
        assert_eq!(reason(shop.redeem_plain_of("o4", "customers/2").await), "BUDGET_EXHAUSTED");
        assert_eq!(reason(shop.redeem_plain_of("o5", "customers/3").await), "NOT_ELIGIBLE");
        shop.redeem_of("o6", &["teachers"]).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_quote_is_told_what_is_left_to_the_segments_that_the_customer_is_in_and_to_seal_them() {
    testing::engines(&MIGRATIONS, |db| async move {
        let limits = Limits { max_uses: Some(9), ..per_segment(Some(3), Some(2_500)) };
        let (shop, door) = shop(db, limits).await;
        let asked = async |customer: &str| {
            let request = v1::EvaluateIncentivesRequest {
                customer: customer.to_owned(),
                codes: vec!["SPRING".to_owned()],
                currency_code: "EUR".to_owned(),
                ..Default::default()
            };
            let evaluated = IncentiveServiceClient::new(door.clone()).evaluate_incentives(request).await;
            let code = &evaluated.unwrap().into_inner().codes[0];
            let left = code.money_left.clone().map_or(-1, |left| minor(&Some(left)));
            (code.refusal.clone(), code.uses_left, left, code.limit_segments.clone())
        };
        let (students, teachers) = ("segments/students".to_owned(), "segments/teachers".to_owned());
        let ok = "OK".to_owned();
        assert_eq!(asked("customers/1").await, (ok.clone(), 3, 2_500, vec![students.clone()]));
        shop.redeem_of("o1", &["students"]).await.unwrap();
        shop.redeem_of("o2", &["students"]).await.unwrap();
        let both = vec![students.clone(), teachers];
        assert_eq!(asked("customers/2").await, (ok.clone(), 1, 500, both));
        assert_eq!(asked("").await.0, "NOT_ELIGIBLE");
        shop.redeem_of("o3", &["teachers"]).await.unwrap();
        assert_eq!(asked("customers/1").await, (ok, 1, 500, vec![students]));
    })
    .await;
}

#[tokio::test]
async fn an_incentive_for_everyone_cannot_be_limited_by_segment() {
    let definition = limited(off(1_000), per_segment(Some(1), None));
    let wrong: Vec<String> = definition.problems().into_iter().map(|problem| problem.field).collect();
    assert_eq!(wrong, ["segments"]);
    let segments = vec!["students".to_owned()];
    assert!(Definition { segments, ..definition }.problems().is_empty());
}
