//! What comes back.

use tandem_platform::testing;
use tandem_proto::relationship::v1::{RedemptionState, RollbackReason};

use super::*;
use crate::MIGRATIONS;

#[tokio::test]
async fn of_3_units_with_10_off_one_back_is_3_33_two_6_67_three_10_00() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let mut total = 0;
        for (step, so_far) in [(333, 333), (334, 667), (333, 1_000)] {
            let answer = shop.roll_back("o1", &[("a", 1)], RollbackReason::Returned).await.unwrap();
            total += step;
            assert_eq!((minor(&answer.returned), minor(&answer.redemptions[0].returned)), (step, so_far));
            shop.audit().await;
        }
        assert_eq!(total, 1_000);
        let redemption = &shop.of_order("o1").await[0];
        assert_eq!((redemption.state.name(), redemption.details.use_restored), ("ROLLED_BACK", true));
        assert_eq!(shop.uses("SPRING").await, 0);
        shop.redeem_one("o2", "SPRING", "spring").await.unwrap();
        let events = shop.events().await;
        assert_eq!(events.iter().filter(|event| *event == "RedemptionRolledBack").count(), 3);
    })
    .await;
}

#[tokio::test]
async fn whatever_the_steps_the_sum_is_exact() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, budget(100_000)).await;
        for (order, amount) in [("o1", 1), ("o2", 2), ("o3", 100), ("o4", 1_001), ("o5", 2_999)] {
            shop.redeem(&Quoted::new(order, &[("SPRING", "spring", amount)])).await.unwrap();
            let one = shop.roll_back(order, &[("a", 2)], RollbackReason::Returned).await.unwrap();
            let rest = shop.roll_back(order, &[], RollbackReason::Returned).await.unwrap();
            assert_eq!(minor(&one.returned) + minor(&rest.returned), amount);
            assert_eq!(minor(&one.returned), (2 * amount * 2 + 3) / 6);
        }
        assert_eq!(shop.audit().await.money[&("spring".to_owned(), "EUR".to_owned())], 0);
    })
    .await;
}

#[tokio::test]
async fn a_second_roll_back_credits_nothing_and_answers_the_same_redemption() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let request = shop.roll_back_request("o1", &[], RollbackReason::Cancelled);
        let first = shop.roll_back_as(request.clone()).await.unwrap();
        assert_eq!(minor(&first.returned), 1_000);
        assert_eq!(shop.roll_back_as(request).await.unwrap(), first, "the same call, the same answer");
        let second = shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        assert_eq!((minor(&second.returned), &second.redemptions), (0, &first.redemptions));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn more_units_than_are_out_and_unknown_lines_are_refused_and_change_nothing() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        shop.roll_back("o1", &[("a", 2)], RollbackReason::Returned).await.unwrap();
        for lines in [[("a", 2)], [("b", 1)]] {
            assert_eq!(
                reason(shop.roll_back("o1", &lines, RollbackReason::Returned).await),
                "QUANTITY_EXCEEDED"
            );
        }
        shop.roll_back("o1", &[("a", 1)], RollbackReason::Returned).await.unwrap();
        assert_eq!(
            reason(shop.roll_back("o1", &[("a", 1)], RollbackReason::Returned).await),
            "QUANTITY_EXCEEDED"
        );
        assert_eq!(reason(shop.roll_back("o9", &[], RollbackReason::Returned).await), "NOT_FOUND");
        shop.spring_held().await;
        assert_eq!(reason(shop.roll_back("o7", &[], RollbackReason::Returned).await), "WRONG_STATE");
        let fault = shop
            .roll_back("", &[("a", 0), ("a", 1), ("", 1)], RollbackReason::Unspecified)
            .await
            .unwrap_err();
        let fields: Vec<&str> = fault.violations().iter().map(|one| one.field.as_str()).collect();
        assert_eq!(
            fields,
            ["reason", "order_id", "lines[0].quantity", "lines[1].line_id", "lines[2].line_id"]
        );
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn returned_goods_give_the_use_back_by_policy_a_cancelled_order_always() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let never = Definition { return_policy: ReturnPolicy::Never, ..off(1_000) };
        shop.incentive("never", never).await;
        shop.codes(vec![Voucher { max_uses: None, ..shop.code("NEVER", "never") }]).await;
        for (order, reason, uses) in [
            ("o1", RollbackReason::Returned, 1),
            ("o2", RollbackReason::Cancelled, 1),
            ("o3", RollbackReason::Mistake, 1),
            ("o4", RollbackReason::Returned, 2),
        ] {
            shop.redeem_one(order, "NEVER", "never").await.unwrap();
            let answer = shop.roll_back(order, &[], reason).await.unwrap();
            assert_eq!(minor(&answer.returned), 1_000);
            assert_eq!(shop.uses("NEVER").await, uses, "{order}");
            assert_eq!(answer.redemptions[0].use_restored, reason != RollbackReason::Returned);
        }
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_code_that_expired_meanwhile_is_valid_14_more_days_when_its_use_comes_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", until(off(1_000), "2026-07-02T00:00:00Z")).await;
        shop.codes(vec![shop.code("SPRING", "spring")]).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        shop.later(SignedDuration::from_hours(10 * 24));
        shop.roll_back("o1", &[], RollbackReason::Returned).await.unwrap();
        shop.later(SignedDuration::from_hours(14 * 24) - SignedDuration::from_secs(1));
        shop.redeem_one("o2", "SPRING", "spring").await.unwrap();
        shop.roll_back("o2", &[], RollbackReason::Returned).await.unwrap();
        shop.later(SignedDuration::from_hours(14 * 24));
        assert_eq!(reason(shop.redeem_one("o3", "SPRING", "spring").await), "CODE_EXPIRED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn use_and_money_come_back_in_the_period_they_were_counted_in() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let limits = Limits { recurrence: Some(Recurrence::Day), budgets: amounts(1_000), ..uses(1) };
        shop.spring(None, Limits { ..limits }).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        shop.later(SignedDuration::from_hours(24));
        shop.redeem_one("o2", "SPRING", "spring").await.unwrap();
        shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        assert_eq!(reason(shop.redeem_one("o3", "SPRING", "spring").await), "INCENTIVE_EXHAUSTED");
        shop.roll_back("o2", &[], RollbackReason::Cancelled).await.unwrap();
        shop.redeem_one("o3", "SPRING", "spring").await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_gift_card_gets_its_money_back_in_proportion_to_the_goods() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("card", gift_card()).await;
        shop.codes(vec![Voucher {
            ends: Some(at("2026-07-02T00:00:00Z")),
            ..shop.card("CARD", "card", 1_000)
        }])
        .await;
        let token = shop.paying(&Quoted::new("o1", &[("CARD", "card", 1_000)]));
        shop.redeem_as(shop.redeem_request("o1", token)).await.unwrap();
        shop.later(SignedDuration::from_hours(48));
        let answer = shop.roll_back("o1", &[("a", 1)], RollbackReason::Returned).await.unwrap();
        assert_eq!(
            (minor(&answer.returned), answer.redemptions[0].state()),
            (333, RedemptionState::PartiallyRolledBack)
        );
        let card = shop.voucher("CARD").await;
        assert_eq!(card.balance_left(), Some(333));
        assert_eq!(card.usage.restored_until, Some(shop.now() + SignedDuration::from_hours(14 * 24)));
        shop.roll_back("o1", &[], RollbackReason::Returned).await.unwrap();
        assert_eq!(shop.voucher("CARD").await.balance_left(), Some(1_000));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn one_code_of_an_order_can_be_rolled_back_alone() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        for (incentive, code) in [("one", "ONE"), ("two", "TWO")] {
            shop.incentive(incentive, off(1_000)).await;
            shop.codes(vec![shop.code(code, incentive)]).await;
        }
        shop.redeem(&Quoted::new("o1", &[("ONE", "one", 500), ("TWO", "two", 700)])).await.unwrap();
        let mut request = shop.roll_back_request("o1", &[], RollbackReason::Mistake);
        request.code = " two".to_owned();
        let answer = shop.roll_back_as(request).await.unwrap();
        assert_eq!((answer.redemptions.len(), minor(&answer.returned)), (1, 700));
        let rest = shop.roll_back("o1", &[], RollbackReason::Mistake).await.unwrap();
        assert_eq!((rest.redemptions.len(), minor(&rest.returned)), (1, 500));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn redemptions_of_an_archived_incentive_can_be_rolled_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        shop.archive("spring").await;
        let answer = shop.roll_back("o1", &[], RollbackReason::Returned).await.unwrap();
        assert_eq!(minor(&answer.returned), 1_000);
        shop.audit().await;
    })
    .await;
}

impl Shop {
    /// Order `o7` holds a code of its own.
    async fn spring_held(&self) {
        self.incentive("held", off(1_000)).await;
        self.codes(vec![self.code("HELD", "held")]).await;
        self.hold_one("o7", "HELD", "held").await.unwrap();
    }
}
