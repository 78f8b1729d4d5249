//! Holds: they keep their place, end by the clock, and are replaced by their own order.

use tandem_platform::testing;
use tandem_proto::relationship::v1::{self, RedemptionState};

use super::*;
use crate::MIGRATIONS;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

#[tokio::test]
async fn a_hold_keeps_a_use_and_money_until_it_is_redeemed() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits { budgets: amounts(1_000), ..per_customer(1) }).await;
        let mine = Quoted::new("o1", &[("SPRING", "spring", 1_000)]).by("7");
        let held = shop.hold(&mine).await.unwrap();
        assert_eq!(held.redemptions[0].state(), RedemptionState::Held);
        assert_eq!(held.expire_time, Some(to_timestamp(shop.now() + MINUTE * 15)));
        assert_eq!(shop.audit().await.held, 1);
        assert_eq!(reason(shop.redeem_one("o2", "SPRING", "spring").await), "CUSTOMER_REQUIRED");
        let other = Quoted::new("o2", &[("SPRING", "spring", 1_000)]).by("8");
        assert_eq!(reason(shop.redeem(&other).await), "CODE_EXHAUSTED");
        let redeemed = shop.redeem(&mine).await.unwrap();
        assert_eq!(redeemed.redemptions[0].name, held.redemptions[0].name);
        assert_eq!(redeemed.redemptions[0].state(), RedemptionState::Redeemed);
        assert_eq!(redeemed.redemptions[0].version, 2);
        assert_eq!(redeemed.redemptions[0].expire_time, None);
        let audit = shop.audit().await;
        assert_eq!((audit.held, audit.redeemed), (0, 1));
        let events = shop.events().await;
        assert_eq!(events[0], "VoucherHeld");
        assert_eq!(events.iter().filter(|event| *event == "VoucherRedeemed").count(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_order_alone_redeems_what_it_holds() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), per_customer(1)).await;
        assert_eq!(reason(shop.redeem_held("o1").await), "HOLD_OVER");
        shop.hold(&Quoted::new("o1", &[("SPRING", "spring", 1_000)]).by("7")).await.unwrap();
        let stranger = v1::RedeemVouchersRequest {
            what: None,
            customer: "customers/8".to_owned(),
            ..shop.redeem_request("o1", String::new())
        };
        assert_eq!(reason(shop.redeem_as(stranger).await), "CODE_NOT_YOURS");
        let first = shop.redeem_held("o1").await.unwrap();
        assert_eq!(first.redemptions[0].state(), RedemptionState::Redeemed);
        assert_eq!(shop.redeem_held("o1").await.unwrap(), first);
        assert_eq!(shop.uses("SPRING").await, 1);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_lapsed_hold_is_as_if_there_were_none() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        shop.later(MINUTE * 15 - SignedDuration::from_micros(1));
        assert_eq!(reason(shop.redeem_one("o2", "SPRING", "spring").await), "CODE_EXHAUSTED");
        shop.later(SignedDuration::from_micros(1));
        // Nobody has swept: the clock alone decides.
        shop.redeem_one("o2", "SPRING", "spring").await.unwrap();
        assert_eq!(reason(shop.redeem_held("o1").await), "HOLD_OVER");
        assert_eq!(reason(shop.redeem_one("o1", "SPRING", "spring").await), "CODE_EXHAUSTED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn redeeming_after_a_hold_has_lapsed_starts_afresh() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        let held = shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        shop.later(MINUTE * 16);
        let redeemed = shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        assert_ne!(redeemed.redemptions[0].name, held.redemptions[0].name);
        let states: Vec<&str> = shop.of_order("o1").await.iter().map(|one| one.state.name()).collect();
        assert_eq!(states, ["EXPIRED", "REDEEMED"]);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn the_same_order_replaces_its_own_hold() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        shop.incentive("other", off(500)).await;
        shop.codes(vec![shop.code("OTHER", "other")]).await;
        let first = shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        shop.later(MINUTE);
        let second = shop
            .hold(&Quoted::new("o1", &[("SPRING", "spring", 800), ("OTHER", "other", 500)]))
            .await
            .unwrap();
        assert_eq!(second.redemptions[0].name, first.redemptions[0].name);
        assert_eq!((minor(&second.redemptions[0].amount), second.redemptions[0].version), (800, 2));
        assert_eq!(shop.audit().await.held, 2);
        let third = shop.hold(&Quoted::new("o1", &[("OTHER", "other", 500)])).await.unwrap();
        assert_eq!(third.redemptions.len(), 1);
        assert_eq!(shop.audit().await.held, 1);
        assert_eq!(shop.voucher("SPRING").await.usage.uses_held, 0);
        // A hold that is refused leaves the one there is.
        assert_eq!(
            reason(shop.hold(&Quoted::new("o1", &[("SPRING", "spring", 1_001)])).await),
            "BUDGET_EXHAUSTED"
        );
        assert_eq!(shop.voucher("OTHER").await.usage.uses_held, 1);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn holding_again_never_passes_24_hours_from_the_first_hold() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        let day = SignedDuration::from_hours(24);
        let first = shop.now();
        let hold = |ttl_s| {
            let token = shop.token(&Quoted::new("o1", &[("SPRING", "spring", 1_000)]));
            shop.hold_as(shop.hold_request("o1", token, ttl_s))
        };
        hold(0).await.unwrap();
        shop.later(MINUTE * 10);
        let again = hold(24 * 3_600).await.unwrap();
        assert_eq!(again.expire_time, Some(to_timestamp(first + day)));
        shop.later(day - MINUTE * 10);
        assert_eq!(reason(hold(0).await), "HOLD_OVER");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_hold_taken_in_time_is_redeemed_after_the_end_of_the_offer_and_of_the_quote() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", until(off(1_000), "2026-07-01T12:05:00Z")).await;
        shop.codes(vec![Voucher { max_uses: None, ..shop.code("SPRING", "spring") }]).await;
        let quoted = Quoted { valid: MINUTE * 5, ..Quoted::new("o1", &[("SPRING", "spring", 1_000)]) };
        let token = shop.token(&quoted);
        shop.hold_as(shop.hold_request("o1", token.clone(), 0)).await.unwrap();
        shop.hold_as(shop.hold_request("o2", shop.token(&Quoted { order: "o2", ..quoted }), 0))
            .await
            .unwrap();
        shop.later(MINUTE * 14);
        shop.redeem_as(shop.redeem_request("o1", token)).await.unwrap();
        shop.redeem_held("o2").await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_live_hold_survives_a_lowered_limit_but_not_the_end_of_its_code() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, uses(2)).await;
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        shop.hold_one("o2", "SPRING", "spring").await.unwrap();
        shop.revise("spring", limited(off(1_000), uses(1))).await;
        assert_eq!(reason(shop.redeem_one("o3", "SPRING", "spring").await), "INCENTIVE_EXHAUSTED");
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let disable = tandem_platform::idempotency::Request::new("DisableVoucher", "d1", &());
        rpc::disable(&shop.app, &shop.call, disable, "SPRING".to_owned()).await.unwrap();
        assert_eq!(shop.of_order("o2").await[0].state, super::super::State::Released);
        assert_eq!(reason(shop.redeem_held("o2").await), "HOLD_OVER");
        assert_eq!(shop.audit().await.held, 0);
    })
    .await;
}

#[tokio::test]
async fn an_archived_incentive_ends_the_use_of_what_is_held() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, uses(2)).await;
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        shop.archive("spring").await;
        assert_eq!(reason(shop.redeem_held("o1").await), "CODE_DISABLED");
        assert_eq!(shop.audit().await.held, 1);
    })
    .await;
}

#[tokio::test]
async fn a_release_gives_everything_back_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        assert!(shop.release("o1").await.is_empty());
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        let released = shop.release("o1").await;
        assert_eq!(released[0].state(), RedemptionState::Released);
        assert!(shop.release("o1").await.is_empty());
        assert_eq!(shop.audit().await.held, 0);
        shop.redeem_one("o2", "SPRING", "spring").await.unwrap();
        assert!(shop.release("o2").await.is_empty(), "what is redeemed is not held");
        assert_eq!(shop.events().await[..2], ["VoucherHeld", "VoucherReleased"]);
    })
    .await;
}

#[tokio::test]
async fn the_sweeper_only_cleans() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(2), budget(2_000)).await;
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        assert_eq!(super::super::tasks::sweep(&shop.app).await.unwrap(), 0);
        shop.later(MINUTE * 15);
        assert_eq!(super::super::tasks::sweep(&shop.app).await.unwrap(), 1);
        assert_eq!(shop.of_order("o1").await[0].state, super::super::State::Expired);
        assert_eq!(shop.audit().await.held, 0);
        assert_eq!(super::super::tasks::sweep(&shop.app).await.unwrap(), 0);
        assert_eq!(shop.events().await, ["VoucherHeld", "VoucherReleased"]);
    })
    .await;
}

#[tokio::test]
async fn a_hold_whose_claim_another_process_took_off_is_over() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db.clone());
        shop.spring(Some(1), Limits::default()).await;
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        // The other process's clock is ahead.
        let ahead = Arc::new(FixedClock::at(shop.now() + MINUTE * 20));
        let other = Shop::with(testing::second_handle(&db), ahead, Config::default());
        other.redeem_one("o2", "SPRING", "spring").await.unwrap();
        assert_eq!(reason(shop.redeem_held("o1").await), "HOLD_OVER");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_hold_counts_in_the_period_it_was_taken_in() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits { recurrence: Some(Recurrence::Day), ..uses(1) }).await;
        shop.later(SignedDuration::from_hours(12) - MINUTE);
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        shop.later(MINUTE * 2);
        shop.redeem_one("o2", "SPRING", "spring").await.unwrap();
        shop.redeem_held("o1").await.unwrap();
        assert_eq!(reason(shop.redeem_one("o3", "SPRING", "spring").await), "INCENTIVE_EXHAUSTED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_redemption_leaves_a_hold_in_the_period_it_was_taken_in() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits { recurrence: Some(Recurrence::Day), ..uses(5) }).await;
        shop.later(SignedDuration::from_hours(12) - MINUTE);
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        shop.later(MINUTE * 2);
        // In one batch: at another price the first code would count today, but the second is refused.
        let both = Quoted::new("o1", &[("SPRING", "spring", 900), ("NONE", "none", 100)]);
        let (refused, redeemed) = futures::join!(shop.redeem(&both), shop.redeem_held("o1"));
        assert_eq!(reason(refused), "CODE_UNKNOWN");
        redeemed.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn the_time_of_a_hold_is_1_second_to_24_hours() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        for (seconds, nanos) in [(0, 999_999_999), (-1, 0), (86_400, 1), (i64::MAX, 0)] {
            let request = v1::HoldVouchersRequest {
                ttl: Some(prost_types::Duration { seconds, nanos }),
                ..shop.hold_request("", String::new(), 0)
            };
            let fault = shop.hold_as(v1::HoldVouchersRequest { what: None, ..request }).await.unwrap_err();
            let fields: Vec<&str> = fault.violations().iter().map(|one| one.field.as_str()).collect();
            assert_eq!(fields, ["order_id", "ttl", "quote_token"]);
        }
    })
    .await;
}
