//! Codes on a basket that is priced here.

use tandem_kernel::limits::Overrun;
use tandem_platform::{Kind as FaultKind, testing};
use tandem_proto::relationship::v1::{self, RollbackReason};
use tonic_types::StatusExt;

use super::*;
use crate::MIGRATIONS;

mod typed;

fn money(minor: i64) -> Option<common::Money> {
    Some(common::Money::from(&Money::new(minor, eur())))
}

/// 3 × 10.00 in line `a`, 1 × 5.00 in line `b`, shipping 4.90.
fn basket() -> common::Basket {
    let line = |id: &str, quantity, unit| common::Line {
        id: id.to_owned(),
        product: format!("products/{id}"),
        quantity,
        unit_price: money(unit),
        ..common::Line::default()
    };
    common::Basket {
        currency_code: "EUR".to_owned(),
        lines: vec![line("a", 3, 1_000), line("b", 1, 500)],
        shipping: money(490),
        ..common::Basket::default()
    }
}

pub(super) fn plain(codes: &[&str]) -> v1::PlainBasket {
    v1::PlainBasket {
        basket: Some(basket()),
        codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        place: String::new(),
    }
}

impl Shop {
    async fn redeem_plain(&self, order: &str, codes: &[&str]) -> Outcome<v1::RedeemVouchersResponse> {
        self.redeem_plain_as(order, codes, "", false).await
    }

    async fn redeem_plain_as(
        &self,
        order: &str,
        codes: &[&str],
        customer: &str,
        partial: bool,
    ) -> Outcome<v1::RedeemVouchersResponse> {
        let request = self.plain_request(order, codes, customer);
        self.redeem_as(v1::RedeemVouchersRequest { partial, ..request }).await
    }

    fn plain_request(&self, order: &str, codes: &[&str], customer: &str) -> v1::RedeemVouchersRequest {
        v1::RedeemVouchersRequest {
            what: Some(v1::redeem_vouchers_request::What::Plain(plain(codes))),
            customer: customer.to_owned(),
            ..self.redeem_request(order, String::new())
        }
    }

    async fn hold_plain(&self, order: &str, codes: &[&str]) -> Outcome<v1::HoldVouchersResponse> {
        self.hold_plain_as(order, codes, "").await
    }

    async fn hold_plain_as(
        &self,
        order: &str,
        codes: &[&str],
        customer: &str,
    ) -> Outcome<v1::HoldVouchersResponse> {
        let request = v1::HoldVouchersRequest {
            what: Some(v1::hold_vouchers_request::What::Plain(plain(codes))),
            customer: customer.to_owned(),
            ..self.hold_request(order, String::new(), 0)
        };
        self.hold_as(request).await
    }

    async fn validate(&self, codes: &[&str]) -> v1::ValidateVouchersResponse {
        self.validate_by("", codes).await
    }

    async fn validate_by(&self, customer: &str, codes: &[&str]) -> v1::ValidateVouchersResponse {
        let request = v1::ValidateVouchersRequest {
            plain: Some(plain(codes)),
            customer: customer.to_owned(),
            ..v1::ValidateVouchersRequest::default()
        };
        rpc::validate(&self.app, &self.call, request).await.unwrap()
    }
}

fn refusals(codes: &[v1::CodeOutcome]) -> Vec<&str> {
    codes.iter().map(|code| code.refusal.as_str()).collect()
}

#[tokio::test]
async fn a_plain_basket_is_priced_here_whatever_the_case_of_the_code() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        let validated = shop.validate(&[" spring "]).await;
        assert_eq!((refusals(&validated.codes), minor(&validated.total)), (vec![""], 2_990));
        assert_eq!((validated.codes[0].code.as_str(), minor(&validated.codes[0].amount)), ("SPRING", 1_000));
        let answer = shop.redeem_plain("o1", &["sPring"]).await.unwrap();
        let redemption = &answer.redemptions[0];
        assert_eq!((redemption.code.as_str(), minor(&redemption.amount)), ("SPRING", 1_000));
        let lines: Vec<i64> = redemption.lines.iter().map(|line| minor(&line.amount)).collect();
        assert_eq!(lines, [857, 143]);
        assert_eq!(refusals(&shop.validate(&["SPRING"]).await.codes), ["CODE_EXHAUSTED"]);
        assert_eq!(reason(shop.redeem_plain("o2", &["SPRING"]).await), "CODE_EXHAUSTED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_code_that_keeps_its_case_is_found_by_exact_typing_only() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", off(1_000)).await;
        shop.codes(vec![shop.code("SpringTime", "spring")]).await;
        assert_eq!(reason(shop.redeem_plain("o1", &["springtime"]).await), "CODE_UNKNOWN");
        shop.redeem_plain("o1", &["SpringTime"]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn equal_codes_collapse_into_one() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(5), Limits::default()).await;
        let answer = shop.redeem_plain("o1", &["SPRING", "spring"]).await.unwrap();
        assert_eq!(refusals(&answer.codes), ["", "DUPLICATE_CODE"]);
        assert_eq!((answer.redemptions.len(), shop.uses("SPRING").await), (1, 1));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn each_refusal_has_its_code_and_reason_and_nothing_changes() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(5), Limits::default()).await;
        shop.incentive(
            "dear",
            Definition { discount: Discount { minimum_spend: amounts(4_000), ..off(1).discount }, ..off(1) },
        )
        .await;
        shop.incentive(
            "dollars",
            defined(
                Kind::Amount {
                    amounts: Amounts::new(vec![Money::new(100, Currency::new("USD").unwrap())]).unwrap(),
                    per: AmountPer::Order,
                },
                Stage::Order,
            ),
        )
        .await;
        shop.incentive("many", Definition { condition: "basket.quantity > 10".to_owned(), ..off(1) }).await;
        shop.codes(vec![
            shop.code("DEAR", "dear"),
            shop.code("DOLLARS", "dollars"),
            shop.code("MANY", "many"),
        ])
        .await;
        let validated = shop.validate(&["SPRING", "NOPE", "DEAR", "DOLLARS", "MANY"]).await;
        let wanted = ["", "CODE_UNKNOWN", "NOT_APPLICABLE", "CURRENCY_MISMATCH", "NOT_ELIGIBLE"];
        assert_eq!(refusals(&validated.codes), wanted);
        assert!(validated.codes[2].message.starts_with("15.00 EUR more"), "{}", validated.codes[2].message);
        let fault = shop.redeem_plain("o1", &["SPRING", "DEAR"]).await.unwrap_err();
        assert!(refusal(&fault).contains("[NOT_APPLICABLE DEAR]"), "{fault:?}");
        assert_eq!(shop.uses("SPRING").await, 0);
        let answer = shop.redeem_plain_as("o1", &["SPRING", "DEAR"], "", true).await.unwrap();
        assert_eq!((refusals(&answer.codes), answer.redemptions.len()), (vec!["", "NOT_APPLICABLE"], 1));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_capped_budget_shrinks_the_discount_and_another_one_refuses_it() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("cap", limited(off(1_000), Limits { overrun: Overrun::Cap, ..budget(1_500) })).await;
        shop.incentive("reject", limited(off(1_000), budget(1_500))).await;
        for (code, incentive) in [("CAP", "cap"), ("REJECT", "reject")] {
            shop.codes(vec![Voucher { max_uses: None, ..shop.code(code, incentive) }]).await;
        }
        shop.redeem_plain("o1", &["CAP", "REJECT"]).await.unwrap();
        let answer = shop.redeem_plain("o2", &["CAP"]).await.unwrap();
        assert_eq!(minor(&answer.redemptions[0].amount), 500);
        assert_eq!(reason(shop.redeem_plain("o3", &["REJECT"]).await), "BUDGET_EXHAUSTED");
        assert_eq!(reason(shop.redeem_plain("o4", &["CAP"]).await), "BUDGET_EXHAUSTED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn gift_cards_of_one_incentive_pay_one_after_the_other_and_come_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("card", gift_card()).await;
        shop.codes(vec![shop.card("CARD1", "card", 1_000), shop.card("CARD2", "card", 5_000)]).await;
        let answer = shop.redeem_plain("o1", &["CARD1", "CARD2"]).await.unwrap();
        let paid: Vec<i64> = answer.redemptions.iter().map(|one| minor(&one.amount)).collect();
        assert_eq!(paid, [1_000, 2_990]);
        // The shipping comes back with the last unit only.
        let goods = shop.roll_back("o1", &[("a", 3)], RollbackReason::Returned).await.unwrap();
        let rest = shop.roll_back("o1", &[("b", 1)], RollbackReason::Returned).await.unwrap();
        assert_eq!(minor(&goods.returned) + minor(&rest.returned), 3_990);
        assert!((2_999..=3_001).contains(&minor(&goods.returned)), "{:?}", goods.returned);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn what_each_gift_card_gets_may_be_said_with_lines_and_without() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("card", gift_card()).await;
        shop.codes(vec![shop.card("CARD1", "card", 1_000), shop.card("CARD2", "card", 5_000)]).await;
        shop.redeem_plain("o1", &["CARD1", "CARD2"]).await.unwrap();
        let back = |lines: &[(&str, i64)], no_lines: bool, of: &[(&str, i64)]| {
            let card = |(code, amount): &(&str, i64)| v1::GiftCardReturn {
                code: (*code).to_owned(),
                amount: money(*amount),
            };
            let cards = v1::GiftCardReturns { returns: of.iter().map(card).collect(), no_lines };
            shop.roll_back_as(v1::RollbackRedemptionRequest {
                gift_cards: Some(cards),
                ..shop.roll_back_request("o1", lines, RollbackReason::Returned)
            })
        };
        let beside = back(&[], true, &[("card2", 500)]).await.unwrap();
        assert_eq!((minor(&beside.returned), beside.redemptions.len()), (500, 1));
        assert_eq!(reason(back(&[], true, &[("CARD3", 1)]).await), "QUANTITY_EXCEEDED");
        let lines = back(&[("a", 3), ("b", 1)], false, &[("CARD1", 1_000)]).await.unwrap();
        assert_eq!(minor(&lines.returned), 1_000);
        // A card never gets more than it paid.
        let rest = back(&[], true, &[("CARD2", 9_000)]).await.unwrap();
        assert_eq!(minor(&rest.returned), 2_490);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn free_shipping_comes_back_with_the_whole_only() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let kind = Kind::Shipping { benefit: tandem_kernel::discount::ShippingBenefit::Free };
        shop.incentive("free", defined(kind, Stage::Shipping)).await;
        shop.codes(vec![shop.code("FREE", "free")]).await;
        let answer = shop.redeem_plain("o1", &["FREE"]).await.unwrap();
        assert_eq!(minor(&answer.redemptions[0].shipping), 490);
        let part = shop.roll_back("o1", &[("a", 3)], RollbackReason::Returned).await.unwrap();
        assert_eq!(
            (minor(&part.returned), part.redemptions[0].state().as_str_name()),
            (0, "REDEMPTION_STATE_PARTIALLY_ROLLED_BACK")
        );
        let rest = shop.roll_back("o1", &[("b", 1)], RollbackReason::Returned).await.unwrap();
        assert_eq!(minor(&rest.returned), 490);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_plain_hold_is_redeemed_after_the_end_of_the_offer() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", limited(until(off(1_000), "2026-07-01T12:05:00Z"), uses(1))).await;
        shop.codes(vec![Voucher { max_uses: None, ..shop.code("SPRING", "spring") }]).await;
        let held = shop.hold_plain("o1", &["spring"]).await.unwrap();
        shop.later(SignedDuration::from_mins(10));
        assert_eq!(reason(shop.redeem_plain("o2", &["spring"]).await), "CODE_EXPIRED");
        let redeemed = shop.redeem_plain("o1", &["spring"]).await.unwrap();
        assert_eq!(redeemed.redemptions[0].name, held.redemptions[0].name);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn who_guesses_codes_has_to_wait_even_with_a_good_one() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let by = "customers/bot";
        let held = shop.hold_plain_as("held", &["SPRING"], by).await.unwrap();
        for guess in 0..shop.app.config.redemption.guesses_per_minute {
            let code = format!("GUESS{guess}");
            assert_eq!(reason(shop.redeem_plain_as("o1", &[&code], by, false).await), "CODE_UNKNOWN");
        }
        let fault = shop.redeem_plain_as("o1", &["SPRING"], by, false).await.unwrap_err();
        assert_eq!((fault.kind(), fault.reason()), (FaultKind::Precondition, "GUESSING_THROTTLED"));
        let status = tonic::Status::from(fault);
        let violations = status.get_details_precondition_failure().unwrap().violations;
        assert_eq!((&*violations[0].subject, &*violations[0].r#type), ("SPRING", "GUESSING_THROTTLED"));
        let wait = status.get_details_retry_info().unwrap().retry_delay;
        assert_eq!(wait, Some(std::time::Duration::from_secs(2)));
        shop.redeem_plain("o2", &["SPRING"]).await.unwrap();
        shop.redeem_plain_as("o3", &["SPRING"], "customers/7", false).await.unwrap();
        shop.redeem_one("o4", "SPRING", "spring").await.unwrap();
        let redeemed = shop.redeem_plain_as("held", &["SPRING"], by, false).await.unwrap();
        assert_eq!(
            redeemed.redemptions[0].name, held.redemptions[0].name,
            "what the order holds is no guess"
        );
        shop.later(SignedDuration::from_mins(1));
        shop.redeem_plain_as("o1", &["SPRING"], by, false).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_validation_throttles_codes_and_prices_the_basket() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let guesses: Vec<String> = (0..15).map(|guess| format!("GUESS{guess}")).collect();
        let guesses: Vec<&str> = guesses.iter().map(String::as_str).collect();
        let by = |codes: &[&str], client_id: &str| v1::ValidateVouchersRequest {
            plain: Some(plain(codes)),
            client_id: client_id.to_owned(),
            ..v1::ValidateVouchersRequest::default()
        };
        for _ in 0..2 {
            rpc::validate(&shop.app, &shop.call, by(&guesses, "bot")).await.unwrap();
        }
        let told = rpc::validate(&shop.app, &shop.call, by(&["spring", "guess"], "bot")).await.unwrap();
        assert_eq!(refusals(&told.codes), ["GUESSING_THROTTLED"; 2]);
        assert_eq!(minor(&told.total), 3_990);
        let wait = prost_types::Duration { seconds: 2, nanos: 0 };
        assert_eq!(told.codes[0].retry_delay, Some(wait));
        let told = rpc::validate(&shop.app, &shop.call, by(&["spring", "guess"], "")).await.unwrap();
        assert_eq!((refusals(&told.codes), minor(&told.total)), (vec!["", "CODE_UNKNOWN"], 2_990));
    })
    .await;
}

#[tokio::test]
async fn what_was_answered_before_is_answered_again_however_many_codes_were_guessed_since() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let request = shop.plain_request("o1", &["SPRING"], "customers/7");
        let first = rpc::redeem(&shop.app, &shop.call, request.clone()).await.unwrap();
        let guesses: Vec<String> = (0..20).map(|guess| format!("GUESS{guess}")).collect();
        for order in ["o2", "o3"] {
            let guesses: Vec<&str> = guesses.iter().map(String::as_str).collect();
            let partial = shop.redeem_plain_as(order, &guesses, "customers/7", true).await;
            assert_eq!(reason(partial), "CODE_UNKNOWN");
        }
        assert_eq!(
            reason(shop.redeem_plain_as("o4", &["SPRING"], "customers/7", false).await),
            "GUESSING_THROTTLED"
        );
        let elsewhere = v1::RedeemVouchersRequest { client_id: "10.0.0.1".to_owned(), ..request };
        assert_eq!(rpc::redeem(&shop.app, &shop.call, elsewhere).await.unwrap(), first);
    })
    .await;
}

#[tokio::test]
async fn guesses_beside_a_code_that_is_accepted_count_too() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let guesses: Vec<String> = (0..19).map(|guess| format!("GUESS{guess}")).collect();
        let mut codes: Vec<&str> = guesses.iter().map(String::as_str).collect();
        codes.push("SPRING");
        for order in ["o1", "o2"] {
            let taken = shop.redeem_plain_as(order, &codes, "customers/7", true).await.unwrap();
            assert_eq!(taken.redemptions.len(), 1);
        }
        assert_eq!(
            reason(shop.redeem_plain_as("o3", &["SPRING"], "customers/7", true).await),
            "GUESSING_THROTTLED"
        );
    })
    .await;
}

#[tokio::test]
async fn redemptions_are_listed_newest_first_page_by_page() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        for order in 0..5 {
            shop.redeem_plain_as(
                &format!("o{order}"),
                &["SPRING"],
                if order % 2 == 0 { "customers/7" } else { "" },
                false,
            )
            .await
            .unwrap();
        }
        let list = async |request| rpc::list(&shop.app, &shop.call, request).await;
        let orders = |page: &v1::ListRedemptionsResponse| -> Vec<String> {
            page.redemptions.iter().map(|one| one.order_id.clone()).collect()
        };
        let first =
            list(v1::ListRedemptionsRequest { page_size: 2, code: "spring".into(), ..Default::default() })
                .await
                .unwrap();
        assert_eq!(orders(&first), ["o4", "o3"]);
        let token = first.next_page_token.clone();
        let next = v1::ListRedemptionsRequest {
            page_size: 5,
            code: "spring".into(),
            page_token: token.clone(),
            ..Default::default()
        };
        let rest = list(next).await.unwrap();
        assert_eq!(
            (orders(&rest), rest.next_page_token.as_str()),
            (vec!["o2".into(), "o1".into(), "o0".into()], "")
        );
        let other = v1::ListRedemptionsRequest {
            customer: "customers/7".into(),
            page_token: token,
            ..Default::default()
        };
        assert_eq!(reason(list(other).await), "INVALID_PAGE_TOKEN");
        let of_customer = v1::ListRedemptionsRequest { customer: "customers/7".into(), ..Default::default() };
        assert_eq!(orders(&list(of_customer).await.unwrap()), ["o4", "o2", "o0"]);
        let of_order = v1::ListRedemptionsRequest { order_id: "o3".into(), ..Default::default() };
        assert_eq!(orders(&list(of_order).await.unwrap()), ["o3"]);
        let of_incentive =
            v1::ListRedemptionsRequest { incentive: "incentives/other".into(), ..Default::default() };
        assert!(orders(&list(of_incentive).await.unwrap()).is_empty());
    })
    .await;
}
