//! What a quote token may be used for.

use tandem_platform::testing;
use tandem_proto::relationship::v1;

use super::*;
use crate::MIGRATIONS;

#[tokio::test]
async fn a_token_that_is_altered_or_not_ours_is_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let token = shop.token(&Quoted::new("o1", &[("SPRING", "spring", 1_000)]));
        let mut altered = token.clone().into_bytes();
        let middle = altered.len() / 2;
        altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
        let garbage = shop.app.keys.seal(b"\xff\xff no claims");
        for bad in ["", "nonsense", &String::from_utf8(altered).unwrap(), &garbage] {
            assert_eq!(
                reason(shop.redeem_as(shop.redeem_request("o1", bad.to_owned())).await),
                "QUOTE_TOKEN_INVALID"
            );
        }
        assert_eq!(shop.uses("SPRING").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_token_of_another_tenant_order_customer_or_basket_is_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let quoted = Quoted::new("o1", &[("SPRING", "spring", 1_000)]).by("7");
        let request = shop.redeem_request("o1", shop.token(&quoted));
        let other_order = v1::RedeemVouchersRequest { order_id: "o2".to_owned(), ..request.clone() };
        let other_customer =
            v1::RedeemVouchersRequest { customer: "customers/8".to_owned(), ..request.clone() };
        let guest_key = "some-guest-or-other".to_owned();
        let other_guest = v1::RedeemVouchersRequest { guest_key, ..request.clone() };
        let other_basket = v1::RedeemVouchersRequest { order_digest: "08".repeat(32), ..request.clone() };
        for other in [other_order, other_customer, other_guest, other_basket] {
            assert_eq!(reason(shop.redeem_as(other).await), "QUOTE_TOKEN_MISMATCH");
        }
        let stranger = Shop { call: Call::system("elsewhere"), ..shop.clone() };
        assert_eq!(reason(stranger.redeem_as(request.clone()).await), "QUOTE_TOKEN_MISMATCH");
        let customer = "customers/7".to_owned();
        let good = v1::RedeemVouchersRequest { order_digest: "07".repeat(32), customer, ..request };
        shop.redeem_as(good).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_token_without_an_order_is_good_for_any_one_order() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        let token = shop.token(&Quoted::new("", &[("SPRING", "spring", 1_000)]));
        shop.redeem_as(shop.redeem_request("o1", token)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lapsed_quote_has_both_totals_and_changes_nothing() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let token = shop.token(&Quoted::new("o1", &[("SPRING", "spring", 1_000)]));
        shop.later(SignedDuration::from_mins(15));
        let fault = shop.redeem_as(shop.redeem_request("o1", token.clone())).await.unwrap_err();
        assert_eq!(fault.reason(), "PRICE_CHANGED");
        assert_eq!(fault.metadata("quoted_total"), Some("20.00 EUR"));
        assert_eq!(fault.metadata("current_total"), Some("30.00 EUR"));
        assert_eq!(reason(shop.hold_as(shop.hold_request("o1", token, 0)).await), "PRICE_CHANGED");
        assert_eq!(shop.uses("SPRING").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_degraded_quote_redeems_no_codes() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let quoted = Quoted { degraded: true, ..Quoted::new("o1", &[]) };
        assert_eq!(reason(shop.redeem(&quoted).await), "QUOTE_DEGRADED");
    })
    .await;
}

#[tokio::test]
async fn a_quote_without_codes_redeems_nothing_and_is_no_error() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let answer = shop.redeem(&Quoted::new("o1", &[])).await.unwrap();
        assert!(answer.codes.is_empty() && answer.redemptions.is_empty());
    })
    .await;
}

#[tokio::test]
async fn dates_are_judged_at_the_time_of_the_quote() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", until(off(1_000), "2026-07-01T12:05:00Z")).await;
        let own = |code, starts, ends| Voucher { starts, ends, ..shop.code(code, "spring") };
        shop.codes(vec![
            own("OPEN", None, None),
            own("EARLY", Some(at("2026-07-01T12:01:00Z")), None),
            own("LATE", None, Some(at("2026-07-01T12:00:00Z"))),
        ])
        .await;
        assert_eq!(reason(shop.redeem_one("o1", "EARLY", "spring").await), "CODE_NOT_YET_VALID");
        assert_eq!(reason(shop.redeem_one("o1", "LATE", "spring").await), "CODE_EXPIRED");
        let token = shop.token(&Quoted::new("o1", &[("OPEN", "spring", 1_000)]));
        shop.later(SignedDuration::from_mins(10));
        shop.redeem_as(shop.redeem_request("o1", token)).await.unwrap();
        assert_eq!(reason(shop.redeem_one("o2", "OPEN", "spring").await), "CODE_EXPIRED");
    })
    .await;
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let request = v1::RedeemVouchersRequest {
            order_id: "x".repeat(129),
            what: Some(v1::redeem_vouchers_request::What::Plain(v1::PlainBasket::default())),
            customer: "7".to_owned(),
            guest_key: "short".to_owned(),
            request_id: String::new(),
            order_digest: "07".to_owned(),
            partial: false,
            conclusive: true,
            replaces_order_id: "x".repeat(129),
            of_order: false,
            client_id: "x".repeat(129),
        };
        let fault = shop.redeem_as(request).await.unwrap_err();
        let fields: Vec<&str> = fault.violations().iter().map(|one| one.field.as_str()).collect();
        let wanted = [
            "client_id",
            "request_id",
            "order_id",
            "replaces_order_id",
            "replaces_order_id",
            "customer",
            "guest_key",
            "plain.basket",
            "plain.codes",
            "order_digest",
        ];
        assert_eq!(fields, wanted);
    })
    .await;
}
