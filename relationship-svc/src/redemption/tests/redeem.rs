//! Redeeming by quote token.

use tandem_platform::testing;
use tandem_proto::relationship::v1;

use super::*;
use crate::MIGRATIONS;

#[tokio::test]
async fn a_code_is_redeemed_with_its_sealed_amount() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        let quoted = Quoted::new("o1", &[("SPRING", "spring", 1_000)]).by("7");
        let answer = shop.redeem(&quoted).await.unwrap();
        assert_eq!(answer.codes.len(), 1);
        assert_eq!((answer.codes[0].refusal.as_str(), minor(&answer.codes[0].amount)), ("", 1_000));
        let redemption = &answer.redemptions[0];
        assert_eq!(redemption.state(), v1::RedemptionState::Redeemed);
        assert_eq!((redemption.code.as_str(), redemption.order_id.as_str()), ("SPRING", "o1"));
        assert_eq!(
            (redemption.incentive.as_str(), redemption.customer.as_str()),
            ("incentives/spring", "customers/7")
        );
        assert_eq!((redemption.incentive_version, redemption.version), (1, 1));
        assert_eq!((minor(&redemption.amount), minor(&redemption.returned)), (1_000, 0));
        let line = &redemption.lines[0];
        assert_eq!((line.line_id.as_str(), line.quantity, minor(&line.amount)), ("a", 3, 1_000));
        let found =
            rpc::get(&shop.app, &shop.call, v1::GetRedemptionRequest { name: redemption.name.clone() }).await;
        assert_eq!(found.unwrap().redemption.as_ref(), Some(redemption));
        assert_eq!(shop.uses("SPRING").await, 1);
        assert_eq!(shop.audit().await.redeemed, 1);
        assert_eq!(shop.events().await, ["VoucherRedeemed"]);
    })
    .await;
}

#[tokio::test]
async fn the_same_request_id_gets_the_same_answer_and_counts_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(5), Limits::default()).await;
        let request =
            shop.redeem_request("o1", shop.token(&Quoted::new("o1", &[("SPRING", "spring", 1_000)])));
        let first = shop.redeem_as(request.clone()).await.unwrap();
        assert_eq!(shop.redeem_as(request.clone()).await.unwrap(), first);
        let (one, two) = futures::join!(shop.redeem_as(request.clone()), shop.redeem_as(request.clone()));
        assert_eq!((one.unwrap(), two.unwrap()), (first.clone(), first.clone()));
        // Also after a part has come back, and after the quote has lapsed.
        shop.roll_back("o1", &[("a", 1)], v1::RollbackReason::Returned).await.unwrap();
        shop.later(SignedDuration::from_hours(1));
        assert_eq!(shop.redeem_as(request.clone()).await.unwrap(), first);
        let other = v1::RedeemVouchersRequest { partial: true, ..request };
        assert_eq!(reason(shop.redeem_as(other).await), "REQUEST_ID_REUSED");
        assert_eq!(shop.uses("SPRING").await, 1);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn another_request_id_for_the_same_order_and_code_gets_the_redemption_that_exists() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(5), Limits::default()).await;
        let first = shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        assert_eq!(shop.redeem_one("o1", "SPRING", "spring").await.unwrap(), first);
        shop.later(SignedDuration::from_hours(1));
        assert_eq!(shop.redeem_one("o1", "SPRING", "spring").await.unwrap(), first);
        assert_eq!(shop.uses("SPRING").await, 1);
        assert_eq!(shop.events().await, ["VoucherRedeemed"]);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_id_may_be_tried_again() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let request =
            shop.redeem_request("o2", shop.token(&Quoted::new("o2", &[("SPRING", "spring", 1_000)])));
        assert_eq!(reason(shop.redeem_as(request.clone()).await), "CODE_EXHAUSTED");
        shop.roll_back("o1", &[], v1::RollbackReason::Cancelled).await.unwrap();
        shop.redeem_as(request).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn all_codes_are_redeemed_or_none_unless_a_part_will_do() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        for (incentive, code) in [("one", "ONE"), ("two", "TWO")] {
            shop.incentive(incentive, off(1_000)).await;
            shop.codes(vec![shop.code(code, incentive)]).await;
        }
        shop.redeem_one("o1", "TWO", "two").await.unwrap();
        let quoted = Quoted::new("o2", &[("ONE", "one", 500), ("TWO", "two", 700)]);
        let fault = shop.redeem(&quoted).await.unwrap_err();
        assert_eq!(fault.reason(), "CODE_EXHAUSTED");
        assert!(refusal(&fault).contains("[CODE_EXHAUSTED TWO]"), "{fault:?}");
        assert_eq!(shop.uses("ONE").await, 0);
        let request = shop.redeem_request("o2", shop.token(&quoted));
        let answer = shop.redeem_as(v1::RedeemVouchersRequest { partial: true, ..request }).await.unwrap();
        let refusals: Vec<&str> = answer.codes.iter().map(|code| code.refusal.as_str()).collect();
        assert_eq!(refusals, ["", "CODE_EXHAUSTED"]);
        assert_eq!((answer.redemptions.len(), shop.uses("ONE").await), (1, 1));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn an_order_that_has_redeemed_refuses_other_codes_until_it_is_rolled_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        for (incentive, code) in [("one", "ONE"), ("two", "TWO")] {
            shop.incentive(incentive, off(1_000)).await;
            shop.codes(vec![shop.code(code, incentive)]).await;
        }
        shop.redeem_one("o1", "ONE", "one").await.unwrap();
        assert_eq!(reason(shop.redeem_one("o1", "TWO", "two").await), "ORDER_ALREADY_REDEEMED");
        assert_eq!(reason(shop.hold_one("o1", "TWO", "two").await), "ORDER_ALREADY_REDEEMED");
        shop.roll_back("o1", &[], v1::RollbackReason::Cancelled).await.unwrap();
        shop.redeem_one("o1", "TWO", "two").await.unwrap();
        let ordinals: Vec<i64> = shop.of_order("o1").await.iter().map(|one| one.ordinal).collect();
        assert_eq!(ordinals, [0, 1]);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn two_codes_of_one_incentive_are_refused_in_one_order_gift_cards_excepted() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", off(1_000)).await;
        shop.codes(vec![shop.code("ONE", "spring"), shop.code("TWO", "spring")]).await;
        let both = Quoted::new("o1", &[("ONE", "spring", 500), ("TWO", "spring", 500)]);
        let fault = shop.redeem(&both).await.unwrap_err();
        assert_eq!(fault.reason(), "ONE_CODE_PER_INCENTIVE");
        assert!(refusal(&fault).contains("[ONE_CODE_PER_INCENTIVE TWO]"), "{fault:?}");
        shop.incentive("card", gift_card()).await;
        shop.codes(vec![shop.card("CARD1", "card", 1_000), shop.card("CARD2", "card", 1_000)]).await;
        let both = Quoted::new("o2", &[("CARD1", "card", 1_000), ("CARD2", "card", 400)]);
        let answer = shop.redeem_as(shop.redeem_request("o2", shop.paying(&both))).await.unwrap();
        assert_eq!(answer.redemptions.len(), 2);
        assert!(answer.redemptions[0].tender && answer.redemptions[0].lines.is_empty());
        assert_eq!(shop.voucher("CARD2").await.balance_left(), Some(600));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn an_empty_gift_card_is_exhausted_and_one_with_too_little_left_changes_the_price() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("card", gift_card()).await;
        shop.codes(vec![shop.card("CARD", "card", 1_000)]).await;
        let pay = |order, minor| {
            shop.redeem_request(order, shop.paying(&Quoted::new(order, &[("CARD", "card", minor)])))
        };
        shop.redeem_as(pay("o1", 700)).await.unwrap();
        assert_eq!(reason(shop.redeem_as(pay("o2", 400)).await), "PRICE_CHANGED");
        shop.redeem_as(pay("o3", 300)).await.unwrap();
        assert_eq!(reason(shop.redeem_as(pay("o4", 1)).await), "CODE_EXHAUSTED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_disabled_code_and_an_archived_incentive_are_refused_whatever_was_quoted() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let quoted = Quoted::new("o1", &[("SPRING", "spring", 1_000)]);
        let token = shop.token(&quoted);
        let disable = |id: &str| tandem_platform::idempotency::Request::new("DisableVoucher", id, &());
        let voucher = rpc::disable(&shop.app, &shop.call, disable("d1"), "SPRING".to_owned()).await.unwrap();
        assert!(voucher.usage.disabled);
        let again = rpc::disable(&shop.app, &shop.call, disable("d1"), "SPRING".to_owned()).await.unwrap();
        assert_eq!(again, voucher);
        assert_eq!(shop.voucher("SPRING").await, voucher);
        assert_eq!(reason(shop.redeem_as(shop.redeem_request("o1", token)).await), "CODE_DISABLED");
        let missing =
            rpc::disable(&shop.app, &shop.call, disable("d2"), "NONE".to_owned()).await.unwrap_err();
        assert_eq!(missing.reason(), "NOT_FOUND");
        shop.incentive("other", off(1_000)).await;
        shop.codes(vec![shop.code("OTHER", "other")]).await;
        shop.archive("other").await;
        assert_eq!(reason(shop.redeem_one("o2", "OTHER", "other").await), "CODE_DISABLED");
        assert_eq!(shop.events().await, ["VoucherDisabled"]);
    })
    .await;
}

#[tokio::test]
async fn an_incentive_revised_since_the_quote_is_honoured_as_sealed() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let quoted = Quoted::new("o1", &[("SPRING", "spring", 1_000)]);
        let token = shop.token(&quoted);
        // Less, and already over.
        shop.revise("spring", until(off(100), "2026-06-30T00:00:00Z")).await;
        let answer = shop.redeem_as(shop.redeem_request("o1", token)).await.unwrap();
        assert_eq!(minor(&answer.redemptions[0].amount), 1_000);
        assert_eq!(answer.redemptions[0].incentive_version, 1);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn many_orders_are_redeemed_in_one_batch() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(30), per_customer(2)).await;
        let orders: Vec<String> = (0..50).map(|order| format!("o{order}")).collect();
        let customers: Vec<String> = (0..50).map(|order| format!("{}", order % 20)).collect();
        let quotes: Vec<Quoted<'_>> = orders
            .iter()
            .zip(&customers)
            .map(|(order, customer)| Quoted::new(order, &[("SPRING", "spring", 1_000)]).by(customer))
            .collect();
        let outcomes = futures::future::join_all(quotes.iter().map(|quoted| shop.redeem(quoted))).await;
        let good = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(good, 30);
        assert_eq!(shop.uses("SPRING").await, 30);
        let audit = shop.audit().await;
        assert_eq!((audit.redeemed, audit.money[&("spring".to_owned(), "EUR".to_owned())]), (30, 30_000));
    })
    .await;
}
