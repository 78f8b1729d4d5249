//! Refusals that somebody acts on: kept with their request, and the same ever after.

use tandem_platform::testing;
use tandem_proto::relationship::v1::{self, RollbackReason};

use super::plain::plain;
use super::race::{all_at_once, two};
use super::*;
use crate::MIGRATIONS;

impl Shop {
    fn conclusive(&self, order: &str, token: String) -> v1::RedeemVouchersRequest {
        v1::RedeemVouchersRequest { conclusive: true, ..self.redeem_request(order, token) }
    }

    /// One code of 10.00 off for the order, conclusively.
    fn conclusive_one(&self, order: &str) -> v1::RedeemVouchersRequest {
        self.conclusive(order, self.token(&Quoted::new(order, &[("SPRING", "spring", 1_000)])))
    }

    async fn cancel(&self, order: &str) {
        self.roll_back(order, &[], RollbackReason::Cancelled).await.unwrap();
    }
}

#[tokio::test]
async fn a_conclusive_refusal_is_answered_again_although_the_code_would_be_free_now() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let request = shop.conclusive_one("o2");
        let refused = shop.redeem_as(request.clone()).await.unwrap_err();
        assert_eq!(refused.reason(), "CODE_EXHAUSTED");
        shop.cancel("o1").await;
        shop.later(SignedDuration::from_hours(24));
        let again = shop.redeem_as(request.clone()).await.unwrap_err();
        assert_eq!(refusal(&again), refusal(&refused), "with every detail");
        assert_eq!((shop.uses("SPRING").await, shop.of_order("o2").await.len()), (0, 0));
        let other = v1::RedeemVouchersRequest { partial: true, ..request };
        assert_eq!(reason(shop.redeem_as(other).await), "REQUEST_ID_REUSED");
        // Whoever asks under another request_id is judged anew.
        shop.redeem_as(shop.conclusive_one("o2")).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_refusal_that_is_not_conclusive_is_judged_anew() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let request = v1::RedeemVouchersRequest { conclusive: false, ..shop.conclusive_one("o2") };
        let token = shop.token(&Quoted::new("o3", &[("SPRING", "spring", 1_000)]));
        let hold = shop.hold_request("o3", token, 0);
        assert_eq!(reason(shop.redeem_as(request.clone()).await), "CODE_EXHAUSTED");
        assert_eq!(reason(shop.hold_as(hold.clone()).await), "CODE_EXHAUSTED");
        shop.cancel("o1").await;
        shop.redeem_as(request).await.unwrap();
        shop.cancel("o2").await;
        shop.hold_as(hold).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_hold_is_refused_conclusively_too() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        let token = shop.token(&Quoted::new("o2", &[("SPRING", "spring", 1_000)]));
        let request = v1::HoldVouchersRequest { conclusive: true, ..shop.hold_request("o2", token, 0) };
        let refused = shop.hold_as(request.clone()).await.unwrap_err();
        assert_eq!(refused.reason(), "CODE_EXHAUSTED");
        assert_eq!(shop.release("o1").await.len(), 1);
        assert_eq!(refusal(&shop.hold_as(request).await.unwrap_err()), refusal(&refused));
        assert_eq!(shop.audit().await.held, 0);
        shop.hold_one("o2", "SPRING", "spring").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lapsed_quote_is_refused_conclusively_with_both_totals() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        let request = shop.conclusive_one("o1");
        shop.later(SignedDuration::from_mins(15));
        let refused = shop.redeem_as(request.clone()).await.unwrap_err();
        assert_eq!(refused.reason(), "PRICE_CHANGED");
        // What the order holds by now would let the lapsed quote be redeemed.
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        let again = shop.redeem_as(request.clone()).await.unwrap_err();
        assert_eq!(refusal(&again), refusal(&refused));
        assert_eq!(again.metadata("quoted_total"), Some("20.00 EUR"));
        assert_eq!(again.metadata("current_total"), Some("30.00 EUR"));
        shop.redeem_as(v1::RedeemVouchersRequest { request_id: request_id(), ..request }).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_hold_that_was_over_stays_over_for_who_was_told_so_conclusively() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        let request = v1::RedeemVouchersRequest { what: None, ..shop.conclusive("o1", String::new()) };
        assert_eq!(reason(shop.redeem_as(request.clone()).await), "HOLD_OVER");
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        assert_eq!(reason(shop.redeem_as(request).await), "HOLD_OVER");
        shop.redeem_held("o1").await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn an_acceptance_is_repeated_whether_the_request_was_conclusive_or_not() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        let request = shop.conclusive_one("o1");
        let first = shop.redeem_as(request.clone()).await.unwrap();
        assert_eq!(shop.redeem_as(request.clone()).await.unwrap(), first);
        shop.cancel("o1").await;
        assert_eq!(shop.redeem_as(request).await.unwrap(), first);
        assert_eq!(shop.uses("SPRING").await, 0);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn equal_conclusive_requests_of_one_batch_share_their_refusal() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let request = shop.conclusive_one("o2");
        let all = futures::future::join_all((0..10).map(|_| shop.redeem_as(request.clone()))).await;
        let refused: Vec<String> = all.into_iter().map(|one| refusal(&one.unwrap_err())).collect();
        assert!(refused.iter().all(|one| *one == refused[0]), "{refused:#?}");
        shop.cancel("o1").await;
        assert_eq!(refusal(&shop.redeem_as(request).await.unwrap_err()), refused[0]);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_code_of_a_plain_basket_stays_unknown_to_its_request() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", off(1_000)).await;
        let request = v1::RedeemVouchersRequest {
            what: Some(v1::redeem_vouchers_request::What::Plain(plain(&["SPRING"]))),
            ..shop.conclusive("o1", String::new())
        };
        let refused = shop.redeem_as(request.clone()).await.unwrap_err();
        assert_eq!(refused.reason(), "CODE_UNKNOWN");
        shop.codes(vec![shop.code("SPRING", "spring")]).await;
        assert_eq!(refusal(&shop.redeem_as(request.clone()).await.unwrap_err()), refusal(&refused));
        shop.redeem_as(v1::RedeemVouchersRequest { request_id: request_id(), ..request }).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_conclusive_request_sent_to_both_processes_has_one_answer_while_the_use_comes_and_goes() {
    two(async |one, two| {
        one.spring(Some(3), budget(3_000)).await;
        let requests: Vec<v1::RedeemVouchersRequest> =
            (0..40).map(|order| one.conclusive_one(&format!("o{order}"))).collect();
        let outcomes = all_at_once(&one, &two, 240, async |shop, caller| {
            let order = caller / 6;
            let answer = shop.redeem_as(requests[order].clone()).await;
            if caller % 6 == 0 && answer.is_ok() {
                shop.cancel(&format!("o{order}")).await;
            }
            answer
        })
        .await;
        let told = |outcome: &Outcome<v1::RedeemVouchersResponse>| match outcome {
            Ok(answer) => answer.redemptions[0].name.clone(),
            Err(fault) => fault.reason().to_owned(),
        };
        for (same, request) in outcomes.chunks(6).zip(&requests) {
            let first = told(&same[0]);
            let late = one.redeem_as(request.clone()).await;
            assert!(same.iter().chain([&late]).all(|other| told(other) == first), "{same:#?}");
        }
        one.audit().await;
    })
    .await;
}
