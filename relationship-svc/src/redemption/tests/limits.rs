//! Limits of incentives and customers, their periods, and the thresholds that are told.

use tandem_platform::testing;
use tandem_proto::relationship::v1::RollbackReason;

use super::*;
use crate::MIGRATIONS;

#[tokio::test]
async fn no_code_of_an_incentive_passes_its_limit() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", limited(off(1_000), uses(2))).await;
        shop.codes((1..=3).map(|n| shop.code(&format!("CODE{n}"), "spring")).collect()).await;
        shop.redeem_one("o1", "CODE1", "spring").await.unwrap();
        shop.redeem_one("o2", "CODE2", "spring").await.unwrap();
        assert_eq!(reason(shop.redeem_one("o3", "CODE3", "spring").await), "INCENTIVE_EXHAUSTED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_budget_refuses_what_it_does_not_cover_and_with_cap_changes_the_price() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("reject", limited(off(1_000), budget(1_500))).await;
        let overrun = tandem_kernel::limits::Overrun::Cap;
        shop.incentive("cap", limited(off(1_000), Limits { overrun, ..budget(1_500) })).await;
        for incentive in ["reject", "cap"] {
            let code = incentive.to_uppercase();
            shop.codes(vec![Voucher { max_uses: None, ..shop.code(&code, incentive) }]).await;
            shop.redeem_one(&format!("{incentive}1"), &code, incentive).await.unwrap();
        }
        assert_eq!(reason(shop.redeem_one("reject2", "REJECT", "reject").await), "BUDGET_EXHAUSTED");
        let fault = shop.redeem_one("cap2", "CAP", "cap").await.unwrap_err();
        assert_eq!(fault.reason(), "PRICE_CHANGED");
        assert_eq!(fault.metadata("quoted_total"), Some("20.00 EUR"));
        assert_eq!(fault.metadata("current_total"), Some("25.00 EUR"));
        shop.redeem(&Quoted::new("cap3", &[("CAP", "cap", 500)])).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_currency_without_a_budget_is_refused_where_there_are_budgets() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, budget(1_000)).await;
        let mut claims = shop.claims(&Quoted::new("o1", &[("SPRING", "spring", 1_000)]));
        claims.currency_code = "USD".to_owned();
        let token = seal_claims(&claims, &shop.app.keys);
        assert_eq!(reason(shop.redeem_as(shop.redeem_request("o1", token)).await), "CURRENCY_MISMATCH");
    })
    .await;
}

#[tokio::test]
async fn a_customer_is_limited_over_all_codes_and_guests_by_their_key() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", limited(off(1_000), per_customer(1))).await;
        shop.codes((1..=6).map(|n| shop.code(&format!("CODE{n}"), "spring")).collect()).await;
        let by = |order, code, customer, guest| Quoted {
            guest,
            ..Quoted::new(order, &[(code, "spring", 1_000)]).by(customer)
        };
        shop.redeem(&by("o1", "CODE1", "7", "")).await.unwrap();
        assert_eq!(reason(shop.redeem(&by("o2", "CODE2", "7", "")).await), "CUSTOMER_LIMIT_REACHED");
        shop.redeem(&by("o3", "CODE3", "8", "")).await.unwrap();
        shop.redeem(&by("o4", "CODE4", "", "guest-key-of-ann-")).await.unwrap();
        assert_eq!(
            reason(shop.redeem(&by("o5", "CODE5", "", "guest-key-of-ann-")).await),
            "CUSTOMER_LIMIT_REACHED"
        );
        assert_eq!(reason(shop.redeem(&by("o6", "CODE6", "", "")).await), "CUSTOMER_REQUIRED");
        shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        shop.redeem(&by("o7", "CODE2", "7", "")).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_limit_per_customer_and_week_begins_anew_on_monday_in_the_tenants_zone() {
    testing::engines(&MIGRATIONS, |db| async move {
        let config = Config { tenant_time_zone: "Europe/Vienna".to_owned(), ..Config::default() };
        let sunday = Arc::new(FixedClock::at(at("2026-07-05T21:59:00Z")));
        let shop = Shop::with(db, sunday, config);
        shop.spring(None, per_customer_period(1, Recurrence::Week)).await;
        let by = |order| Quoted::new(order, &[("SPRING", "spring", 1_000)]).by("7");
        shop.redeem(&by("o1")).await.unwrap();
        assert_eq!(reason(shop.redeem(&by("o2")).await), "CUSTOMER_PERIOD_LIMIT_REACHED");
        shop.later(SignedDuration::from_mins(1));
        shop.redeem(&by("o3")).await.unwrap();
        assert_eq!(reason(shop.redeem(&by("o4")).await), "CUSTOMER_PERIOD_LIMIT_REACHED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn recurring_uses_and_budgets_begin_anew_at_local_midnight() {
    testing::engines(&MIGRATIONS, |db| async move {
        let config = Config { tenant_time_zone: "America/New_York".to_owned(), ..Config::default() };
        let evening = Arc::new(FixedClock::at(at("2026-07-02T03:59:00Z")));
        let shop = Shop::with(db, evening, config);
        shop.spring(None, Limits { recurrence: Some(Recurrence::Day), ..budget(1_000) }).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        assert_eq!(reason(shop.redeem_one("o2", "SPRING", "spring").await), "BUDGET_EXHAUSTED");
        shop.later(SignedDuration::from_mins(1));
        shop.redeem_one("o2", "SPRING", "spring").await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn thresholds_of_80_95_and_100_per_cent_are_told_once_per_period() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let limits = Limits { recurrence: Some(Recurrence::Day), ..uses(20) };
        shop.spring(None, limits).await;
        let told = async |shop: &Shop| {
            shop.events().await.iter().filter(|event| *event == "IncentiveThresholdReached").count()
        };
        for order in 0..15 {
            shop.redeem_one(&format!("o{order}"), "SPRING", "spring").await.unwrap();
        }
        assert_eq!(told(&shop).await, 0);
        shop.redeem_one("o15", "SPRING", "spring").await.unwrap();
        assert_eq!(told(&shop).await, 1);
        shop.roll_back("o15", &[], RollbackReason::Cancelled).await.unwrap();
        shop.redeem_one("o16", "SPRING", "spring").await.unwrap();
        assert_eq!(told(&shop).await, 1, "not a second time");
        for order in 17..21 {
            shop.redeem_one(&format!("o{order}"), "SPRING", "spring").await.unwrap();
        }
        assert_eq!(told(&shop).await, 3);
        shop.later(SignedDuration::from_hours(24));
        for order in 30..50 {
            shop.redeem_one(&format!("o{order}"), "SPRING", "spring").await.unwrap();
        }
        assert_eq!(told(&shop).await, 6);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_code_of_somebody_else_and_one_that_has_to_be_assigned_first_are_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", off(1_000)).await;
        let given = Voucher { customer: Some("7".to_owned()), ..shop.code("GIVEN", "spring") };
        shop.incentive("assigned", Definition { assigned_only: true, ..off(1_000) }).await;
        shop.codes(vec![given, shop.code("LOOSE", "assigned")]).await;
        let by = |code, incentive, customer| Quoted::new("o1", &[(code, incentive, 1_000)]).by(customer);
        for customer in ["8", ""] {
            assert_eq!(reason(shop.redeem(&by("GIVEN", "spring", customer)).await), "CODE_NOT_YOURS");
            assert_eq!(reason(shop.redeem(&by("LOOSE", "assigned", customer)).await), "CODE_NOT_YOURS");
        }
        shop.redeem(&by("GIVEN", "spring", "7")).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn what_comes_back_of_a_period_long_over_gives_nothing_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let daily = Limits { recurrence: Some(Recurrence::Day), ..uses(5) };
        shop.spring(Some(5), daily).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let forget =
            || async { tandem_platform::counters::forget_over(&shop.app.db, shop.now(), 100).await.unwrap() };
        shop.later(SignedDuration::from_hours(24 * 30));
        assert_eq!(forget().await, 0, "a month is kept to be looked at");
        shop.redeem_one("o2", "SPRING", "spring").await.unwrap();
        shop.later(SignedDuration::from_hours(24 * 3));
        assert_eq!(forget().await, 2, "uses and money of the first day");
        shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        assert_eq!(shop.uses("SPRING").await, 1, "the code itself counts for ever");
        assert_eq!(forget().await, 0, "no counter comes back, least of all below zero");
        shop.audit().await;
    })
    .await;
}
